"""Settings files and props that cannot work: one clear message with every problem."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from nova_constructs import ConfigurationError
from nova_constructs.settings import SettingsError, read_settings

REWARD = "arn:aws:lambda:us-east-1:111122223333:function:score"


def write(folder: Path, *entries: dict[str, Any]) -> Path:
    path = folder / "customizations.yaml"
    path.write_text(yaml.safe_dump({"customizations": list(entries)}))
    return path


def test_unknown_keys_are_errors_that_name_the_place(tmp_path: Path, entry: dict[str, Any]) -> None:
    entry = {**entry, "modle": "NOVA_PRO", "platform": {**entry["platform"], "spot": True}}
    with pytest.raises(SettingsError) as caught:
        read_settings(write(tmp_path, entry))
    assert "customizations[0]: Additional properties are not allowed ('modle' was unexpected)" in str(caught.value)
    assert "customizations[0].platform: Additional properties are not allowed ('spot' was" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("customizations: [", "is not valid YAML"),
        ("customizations: []", "should be non-empty"),
        ("- a", "is not of type 'object'"),
        ("customizations: [{name: a, name: b}]", "key 'name' stands twice"),
    ],
)
def test_a_file_that_is_not_settings_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "customizations.yaml"
    path.write_text(content)
    with pytest.raises(SettingsError, match=message):
        read_settings(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.yaml does not exist"):
        read_settings(tmp_path / "nowhere.yaml")


def test_the_same_name_twice_in_one_stack_is_refused(tmp_path: Path, entry: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="name Support stands twice in one stack"):
        read_settings(write(tmp_path, entry, entry))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "NOVA_LITE_3"}, "NOVA_LITE_2"),
        ({"method": "SFT_LARO"}, "SFT_LORA"),
        ({"method": "CPT", "deployment": {"target": "NONE"}}, "CPT runs only on SageMaker HyperPod; use platform SMHP"),
        ({"method": "SFT_FULL"}, "Target NONE evaluates without deploying"),
        ({"method": "RFT_LORA"}, "RFT_LORA needs a reward_function"),
        ({"method": "RFT_LORA", "model": "NOVA_PRO", "reward_function": REWARD}, "RFT_LORA needs a Nova 2 model"),
        ({"method": "RFT_LORA", "reward_function": "score"}, "reward_function is 'score': use the ARN"),
        ({"reward_function": REWARD}, "reward_function is given, which SFT_LORA does not use"),
        (
            {"method": "RFT_LORA", "reward_function": REWARD, "data": {"split": {}}},
            "split puts rows aside for validation, which RFT_LORA does not use",
        ),
        ({"method": "CPT"}, "CPT"),
        ({"evaluation": []}, "nothing is deployed that was not measured"),
        ({"evaluation": [{"task": "mmlu"}, {"task": "mmlu"}]}, "names task 'mmlu' twice"),
        ({"evaluation": [{"task": "mmlu", "subtask": "astrology"}]}, "has no subtask 'astrology'"),
        ({"evaluation": [{"task": "gen_qa"}]}, "'gen_qa' needs a dataset"),
        ({"evaluation": [{"task": "mmlu", "dataset": "x.jsonl"}]}, "takes no dataset, got 'x.jsonl'"),
        ({"gate": {"criteria": []}}, "gate has no criteria"),
        ({"overrides": {"max_steps": None}}, "overrides: max_steps is null"),
        ({"gate": {"criteria": [{"task": "gen_qa", "floor": 0.1}]}}, "'gen_qa', which has several metrics: name one"),
        ({"gate": {"criteria": [{"task": "bbh", "floor": 0.1}]}}, "gate names task 'bbh'"),
    ],
)
def test_what_cannot_work_fails_at_synth_with_the_construct_path(
    synthesize: Callable[..., Any], entry: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        synthesize({**entry, **change})
    assert str(caught.value).startswith("Nova-Support/Support cannot be synthesized:")
    assert message in str(caught.value)


def test_several_problems_are_told_together(synthesize: Callable[..., Any], entry: dict[str, Any]) -> None:
    platform = {**entry["platform"], "max_runtime_hours": 24 * 40, "max_pending_hours": 0.1}
    with pytest.raises(ConfigurationError) as caught:
        synthesize({**entry, "model": "NOVA_LITE_3", "platform": platform, "gate": {"criteria": []}})
    assert len(caught.value.problems) == 4


def test_the_app_prints_one_message_and_exits_with_2(tmp_path: Path, entry: dict[str, Any]) -> None:
    path = write(tmp_path, {**entry, "model": "NOVA_LITE_3"})
    command = [sys.executable, "-m", "nova_constructs.app", str(path), "--output", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "NOVA_LITE_3" in done.stderr
    assert "Traceback" not in done.stderr
