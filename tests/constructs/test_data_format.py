"""What a customization says about its data, and what the functions are told and may do for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack

from lambda_handlers.datasets.preparation import Operations, Split
from lambda_handlers.datasets.stage.request import StageRequest
from nova_constructs.artifact_store import ArtifactStore
from nova_constructs.data_format import DataFormat
from tests.workflow.harness import ENTRY, synthesize

RUN = {
    "id": "run-1",
    "execution_arn": "arn:e",
    "state_machine_arn": "arn:s",
    "started_at": "2026-01-01T00:00:00Z",
    "lock_generation": 1,
}
SPLIT = {"train": 0.7, "validation": 0.1, "test": 0.2, "by": "content"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (DataFormat(max_reject_ratio=2), "max_reject_ratio is 2: use a share between 0 and 1"),
        (DataFormat(limit=0), "limit is 0: use a number of rows from 1"),
        (DataFormat(split=Split(train=0.5)), r"split: the shares 0.5, 0.1, 0.1 add up to 0.7, not 1"),
        (DataFormat(split=Split(train=-1)), "split: train is -1: use a share from 0 to 1"),
        (DataFormat(split=Split(train=0, validation=0.5, test=0.5)), "train is 0"),
        (DataFormat(no_leak=True), "no_leak has nothing to compare with"),
        (DataFormat(no_leak=True, split=Split(train=0.9, test=0)), "no_leak has nothing to compare with"),
        (DataFormat(no_leak_with=["gen_qa.jsonl"]), "use a key under evaluation/ of the incoming bucket"),
    ],
)
def test_what_cannot_work_is_said(data: DataFormat, words: str) -> None:
    [problem] = data.problems()
    assert words in problem


def test_what_can_work_is_not_refused() -> None:
    full = DataFormat(split=Split(**SPLIT), limit=1, dedupe=True, no_leak=True, no_leak_with=["evaluation/a.jsonl"])  # type: ignore[arg-type]
    assert [DataFormat().problems(), full.problems(), DataFormat(no_leak=True, split=Split()).problems()] == [
        [],
        [],
        [],
    ]


def test_the_functions_read_what_was_said() -> None:
    store = ArtifactStore(Stack(App(), "S"), "Store")
    data = DataFormat(
        columns={"question": "q"},
        system_prompt="Be brief.",
        split=Split(**SPLIT),  # type: ignore[arg-type]
        seed=7,
        dedupe=True,
        limit=9,
        no_leak_with=["evaluation/a.jsonl"],
    )
    request = StageRequest.parse(
        {"run": RUN, "config": {"model": "NOVA_LITE_2", "method": "SFT_LORA", **data.config(store)}}
    )
    assert request.preparation.operations == Operations(
        split=Split(**SPLIT),  # type: ignore[arg-type]
        seed=7,
        dedupe=True,
        limit=9,
        no_leak=True,
    )
    assert request.preparation.columns == {"question": "q"}
    assert request.preparation.system_prompt == "Be brief."
    assert [uri.partition("/evaluation/")[2] for uri in request.no_leak_with] == ["a.jsonl"]


def test_a_settings_file_says_it_in_its_own_words(tmp_path: Path) -> None:
    data = {**ENTRY["data"], "split": SPLIT, "seed": 7, "dedupe": True, "limit": 9, "no_leak": True}
    assembly = synthesize(tmp_path, data=data)
    template = json.loads((assembly / "Nova-Demo.template.json").read_text())
    [machine] = [r for r in template["Resources"].values() if r["Type"] == "AWS::StepFunctions::StateMachine"]
    parts = machine["Properties"]["DefinitionString"]["Fn::Join"][1]
    definition = json.loads("".join(part if isinstance(part, str) else "token" for part in parts))
    config = definition["States"]["PrepareData"]["Parameters"]["config"]
    assert {name: config[name] for name in ("split", "seed", "dedupe", "limit", "no_leak")} == {
        "split": SPLIT,
        "seed": 7,
        "dedupe": True,
        "limit": 9,
        "no_leak": True,
    }


def statements(tmp_path: Path, **data: Any) -> set[str]:
    assembly = synthesize(tmp_path, data={**ENTRY["data"], **data})
    template = json.loads((assembly / "Nova-Demo.template.json").read_text())
    found = set()
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::IAM::Policy" and "DemoData" in name:
            found |= {f"{name[8:14]} {each['Sid']}" for each in resource["Properties"]["PolicyDocument"]["Statement"]}
    return found


def test_a_function_may_only_do_what_a_setting_asks_for(tmp_path: Path) -> None:
    plain = statements(tmp_path / "plain")
    leaks = statements(tmp_path / "leaks", no_leak_with=["evaluation/a.jsonl"])
    assert {each.split()[1] for each in leaks - plain} == {"FindEvaluationSets", "ReadEvaluationSets", "WriteParts"}
    assert {each.split()[1] for each in statements(tmp_path / "dedupe", dedupe=True) - plain} == {"WriteParts"}
