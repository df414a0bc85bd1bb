"""The page about logs says what the code does, and its example runs."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

from lambda_handlers.jobs.logs import following, parse_message, reading
from tests.jobs.log_support import FakeLogs

PAGE = (Path(__file__).parents[2] / "docs" / "logs.md").read_text(encoding="utf-8")
FIELDS = {
    "step": "step",
    "loss": "loss",
    "learning rate": "learning_rate",
    "reward": "reward",
    "seconds": "step_seconds",
}
ROWS = [
    re.split(r"(?<!\\) \| ", row.strip("| "))
    for row in PAGE.split("| job | line (shortened) | from it |\n|---|---|---|\n")[1].split("\n\n")[0].splitlines()
]


@pytest.mark.parametrize("row", ROWS[:3], ids=lambda row: str(row[0]))
def test_each_form_of_line_gives_what_the_table_says(row: list[str]) -> None:
    line = row[1].strip("`").replace("\\|", "|")
    (values,) = parse_message(line)
    assert set(values) == {FIELDS[name] for name in row[2].split(", ")}


def test_the_form_of_hyperpod_gives_a_reward_as_well() -> None:
    (values,) = parse_message(ROWS[3][1].strip("`").replace("\\|", "|"))
    assert values == {"step": 119, "loss": 0.007, "reward": 0.68}


def test_the_bare_form_that_is_assumed_is_read() -> None:
    (values,) = parse_message(re.findall(r"`(global_step=[^`]+)`", PAGE)[0])
    assert values == {"step": 40, "loss": 0.27}


def test_the_example_of_the_library_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    class Sagemaker:
        def describe_training_job(self, **request: Any) -> dict[str, str]:
            return {"TrainingJobStatus": "Completed"}

    line = ROWS[0][1].strip("`").replace("\\|", "|")
    clients = {"logs": FakeLogs({"my-training-job/algo-1-17": [(1000, line)]}), "sagemaker": Sagemaker()}
    for module in (reading, following):
        monkeypatch.setattr(module, "default_client", clients.__getitem__)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, {})
    assert printed.getvalue().splitlines() == [f"1970-01-01 00:00:01+00:00 algo-1 {line}", "8 0.0013 5.6e-06 None"]


def test_every_option_of_the_command_is_explained() -> None:
    from nova_constructs.cli.logs import logs

    options = {option for parameter in logs.params for option in parameter.opts if option.startswith("--")}
    unexplained = {option for option in options if f"{option}" not in PAGE} - {"--stack", "--customization"}
    assert unexplained == set()
