"""Whether the run that made something is alive: its stack, its execution, or a run that took its job over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lambda_handlers.protocol.errors import error_code
from lambda_handlers.protocol.runs import open_runs
from nova_constructs.cli.deployed import Customization, customizations_of
from nova_constructs.cli.items import ReadItems
from nova_constructs.cli.jobs import read_jobs
from nova_constructs.cli.models.holdings import TAG_OUTPUT
from nova_constructs.cli.orphans.tagged import TaggedJob

_RUNNING: Final = ("RUNNING", "PENDING_REDRIVE")


@dataclass(frozen=True, kw_only=True, slots=True)
class Living:
    """Look at stacks once and at executions each time. `client` opens a service.

    Calls cloudformation:DescribeStacks, states:DescribeExecution, and dynamodb:GetItem and Query on the tables. An
    error of one of these is raised: nothing is taken for dead because it may not be looked at.
    """

    client: Callable[[str], Any]
    _stacks: dict[str, Mapping[str, Any] | None] = field(default_factory=dict)

    def why_dead(self, job: TaggedJob) -> str | None:
        """Return why no run waits for a job, None where one does."""
        customization = self.customization(job.customization)
        if customization is None:
            return self._why_gone(job.customization)
        if job.run_id and self._status(customization.execution_arn(job.run_id)) in _RUNNING:
            return None
        if self._taken_over(customization, job.name):
            return None
        if not job.run_id:
            return "nothing says which run made it"
        status = self._status(customization.execution_arn(job.run_id))
        return f"run {job.run_id} has ended ({status})" if status else f"no execution of run {job.run_id} is known"

    def customization(self, tag: str) -> Customization | None:
        """Return the deployed customization of a tag, None where there is none any more."""
        stack = self._stack(tag)
        found = customizations_of(stack) if stack else ()
        return next((each for each in found if _tag_of(each) == tag), None)

    def _why_gone(self, tag: str) -> str:
        name, _, inside = tag.partition("/")
        return f"stack {name} has no customization {inside} any more" if self._stack(tag) else f"stack {name} is gone"

    def _stack(self, tag: str) -> Mapping[str, Any] | None:
        name = tag.partition("/")[0]
        if name not in self._stacks:
            self._stacks[name] = _described(self.client("cloudformation"), name)
        return self._stacks[name]

    def _taken_over(self, customization: Customization, job_name: str) -> bool:
        """Say whether a running run waits for a job that an earlier one made."""
        try:
            book = open_runs(ReadItems(self.client("dynamodb"), customization.outputs["RunControlTableName"]))
            return any(
                self._status(run.execution_arn) in _RUNNING and job_name in self._job_names(customization, run_id)
                for run_id, run in book.items()
            )
        except Exception as error:
            # The table goes with a stack that keeps nothing.
            if error_code(error) == "ResourceNotFoundException":
                return False
            raise

    def _job_names(self, customization: Customization, run_id: str) -> set[str]:
        jobs = read_jobs(self.client("dynamodb"), customization.outputs["JobRegistryTableName"], run_id)
        return {job.name for job in jobs if job.live}

    def _status(self, execution_arn: str) -> str | None:
        states = self.client("stepfunctions")
        try:
            return str(states.describe_execution(executionArn=execution_arn)["status"])
        except states.exceptions.ExecutionDoesNotExist:
            return None


def _tag_of(customization: Customization) -> str:
    return customization.outputs.get(TAG_OUTPUT, f"{customization.stack}/{customization.name}")


def _described(cloudformation: Any, name: str) -> Mapping[str, Any] | None:
    try:
        described: Mapping[str, Any] = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except Exception as error:
        if error_code(error) == "ValidationError":
            return None
        raise
    return None if described["StackStatus"] == "DELETE_COMPLETE" else described
