"""Evaluations that cannot work are refused at synth, with the reason; what can is in the template."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from lambda_handlers.catalog.subtasks import BBH
from nova_constructs import ConfigurationError

Synthesize = Callable[..., Any]
SCORER = "arn:aws:lambda:us-east-1:111122223333:function:score-answers"
GEN_QA = {"task": "gen_qa", "dataset": "evaluation/questions.csv"}
SPLIT = {"train": 0.8, "validation": 0.1, "test": 0.1}


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"task": "bbh", "subtask": "navigates"}, f"has no subtask 'navigates': use {', '.join(BBH)}"),
        (
            {"task": "gpqa", "subtask": "physics"},
            "evaluation task 'gpqa' has no subtask 'physics': it has none, leave it out",
        ),
        ({"task": "mmlu", "processor": {"function": SCORER}}, "mmlu takes no processor, only gen_qa does"),
        ({**GEN_QA, "reward_function": SCORER}, "gen_qa takes no reward_function, only rft_eval does"),
        ({"task": "rft_eval", "dataset": "rft.jsonl"}, "rft_eval needs a reward_function"),
        ({"task": "rft_eval", "dataset": "rft.jsonl", "reward_function": "score"}, "is 'score': use the ARN"),
        ({**GEN_QA, "processor": {"function": "score"}}, "function of the processor of evaluation 'gen_qa' is 'score'"),
        (
            {**GEN_QA, "processor": {"function": SCORER, "preprocessing": False, "postprocessing": False}},
            "would never be called: turn one on",
        ),
        ({"task": "rubric_llm_judge"}, "needs a dataset: name its key, for instance evaluation/llm_judge.jsonl"),
        ({"task": "gen_qa", "dataset": "questions.parquet"}, "is 'questions.parquet': use a key that ends in .jsonl"),
        ({"task": "gen_qa", "dataset": "HELD_OUT"}, "no test rows are put aside: give data.split a test share"),
        ({"task": "rft_eval", "dataset": "HELD_OUT", "reward_function": SCORER}, "whose rows are questions for gen_qa"),
        ({"task": "mmlu", "dataset": "HELD_OUT"}, "takes no dataset, got HELD_OUT: leave it out"),
        ({"task": "llm_judge", "dataset": "judge.jsonl"}, "does not exist for NOVA_LITE_2. Use rubric_llm_judge."),
    ],
)
def test_what_cannot_work_is_refused(
    synthesize: Synthesize, entry: dict[str, Any], task: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        synthesize({**entry, "evaluation": [*entry["evaluation"][:1], task] if task["task"] != "mmlu" else [task]})
    assert message in str(caught.value)


def test_the_execution_role_may_call_the_functions_of_the_evaluations(
    synthesize: Synthesize, entry: dict[str, Any]
) -> None:
    other = SCORER.replace("answers", "rewards")
    tasks = [
        {"task": "mmlu"},
        {**GEN_QA, "processor": {"function": SCORER, "aggregation": "min"}},
        {"task": "rft_eval", "dataset": "rft.jsonl", "reward_function": other},
    ]
    template = synthesize({**entry, "evaluation": tasks})["Nova-Support"]
    statements = [
        statement
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::IAM::Policy"
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]
        if statement.get("Sid") == "CallRewardFunction"
    ]
    assert [statement["Resource"] for statement in statements] == [[SCORER, other]]


def test_settings_of_a_task_reach_its_function(
    definition_of: Callable[[dict[str, Any]], dict[str, Any]], entry: dict[str, Any]
) -> None:
    task = {"task": "gen_qa", "dataset": "HELD_OUT", "processor": {"function": SCORER, "preprocessing": False}}
    data = {**entry["data"], "split": SPLIT}
    states = json.dumps(definition_of({**entry, "data": data, "evaluation": [{"task": "mmlu"}, task]}))
    processor = {
        "function_arn": SCORER,
        "lambda_type": "custom_metrics",
        "preprocessing": False,
        "postprocessing": True,
        "aggregation": "average",
    }
    assert f'"held_out": true, "processor": {json.dumps(processor)}' in states
