"""Faults of every kind, at random, one after another; each is told to the emulator and strikes when it can."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from tests.workflow.day import HOUR, MINUTE, Day

JOB, RUN, OBJECT = (
    "SageMaker Training Job State Change",
    "Step Functions Execution Status Change",
    "Object Created",
)
LOST_ANSWERS = (
    ("sagemaker", "CreateTrainingJob"),
    ("sagemaker", "StopTrainingJob"),
    ("bedrock", "CreateCustomModel"),
    ("bedrock", "CreateCustomModelDeployment"),
    ("stepfunctions", "SendTaskSuccess"),
    ("dynamodb", "PutItem"),
    ("lambda", "Invoke"),
)
REFUSED = (
    ("dynamodb", "PutItem", "ThrottlingException"),
    ("dynamodb", "GetItem", "InternalServerError"),
    ("sagemaker", "DescribeTrainingJob", "ThrottlingException"),
    ("sagemaker", "CreateTrainingJob", "ThrottlingException"),
    ("stepfunctions", "StartExecution", "ThrottlingException"),
    ("stepfunctions", "DescribeExecution", "ThrottlingException"),
)


class RandomFaults:
    """Injects one fault at a time. `injected` counts each kind, whether or not it has struck."""

    def __init__(self, day: Day, rng: random.Random) -> None:
        self.injected: Counter[str] = Counter()
        self._day, self._rng = day, rng
        self._faults = day.emulator.faults
        listed = day.emulator.client("lambda").get_paginator("list_functions").paginate()
        self._functions = sorted(each["FunctionName"] for page in listed for each in page["Functions"])
        self._kinds: Mapping[str, Callable[[], None]] = {
            "abort": self._abort,
            "crash": self._crash,
            "job event lost": lambda: self._faults.lose_event(JOB, times=rng.randint(1, 3)),
            "run event lost": lambda: self._faults.lose_event(RUN, times=rng.randint(1, 3)),
            "event late": self._delay,
            "event twice": lambda: self._faults.duplicate_event(self._event(), times=rng.randint(1, 10)),
            "events reversed": lambda: self._faults.reverse_events(OBJECT, rng.randint(2, 4)),
            "training fails": lambda: self._faults.fail_job("training", times=1),
            "evaluation fails": lambda: self._faults.fail_job("evaluation", times=1),
            "no capacity": lambda: self._faults.no_capacity(times=1),
            "job never ends": lambda: self._faults.never_finish("training", times=1),
            "output missing": lambda: self._faults.omit_output("training", times=1),
            "import fails": lambda: self._faults.fail_import("", times=1),
            "answer lost": self._lose_answer,
            "refused": self._refuse,
        }

    def inject(self) -> None:
        """Inject one."""
        kind = self._rng.choice(list(self._kinds))
        self.injected[kind] += 1
        self._kinds[kind]()

    def _abort(self) -> None:
        workflow = self._rng.choice(self._day.workflows)
        for each in self._day.executions(workflow, "RUNNING")[:1]:
            workflow.states.stop_execution(executionArn=each["executionArn"], error="Chaos", cause="a random abort")
            self.injected["abort of a run"] += 1

    def _crash(self) -> None:
        chosen = self._rng.choice(self._functions)
        # Now and then so often that all that its callers try is in vain.
        self._faults.crash_function(lambda name, _tags: name == chosen, times=self._rng.choice([1, 1, 1, 12]))

    def _event(self) -> str:
        return self._rng.choice([JOB, RUN, OBJECT])

    def _delay(self) -> None:
        late = self._rng.uniform(MINUTE, 3 * HOUR)
        self._faults.delay_event(self._event(), late, times=self._rng.randint(1, 5))

    def _lose_answer(self) -> Any:
        self._faults.lose_response(*self._rng.choice(LOST_ANSWERS), times=1)

    def _refuse(self) -> None:
        service, operation, code = self._rng.choice(REFUSED)
        self._faults.error(service, operation, code, "injected", times=self._rng.choice([1, 1, 5, 20]))
