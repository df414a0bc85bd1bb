from __future__ import annotations

import pytest

from nova_constructs.cli.exits import exit_code
from nova_constructs.cli.runs import run_status
from tests.cli.cli_support import execution


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("SUCCEEDED", 0),
        ("DRY_RUN", 0),
        ("RUNNING", 0),
        ("QUEUED", 0),
        ("AWAITING_APPROVAL", 0),
        ("FAILED", 1),
        ("ABORTED", 1),
        ("TIMED_OUT", 1),
        ("REJECTED", 3),
        ("SKIPPED", 4),
        ("SOMETHING_NEW", 1),
    ],
)
def test_each_status_has_its_exit_code(status: str, code: int) -> None:
    assert exit_code(status) == code


@pytest.mark.parametrize(
    ("execution_status", "told", "expected"),
    [
        ("SUCCEEDED", "SUCCEEDED", "SUCCEEDED"),
        ("SUCCEEDED", "REJECTED", "REJECTED"),
        ("SUCCEEDED", "SKIPPED", "SKIPPED"),
        ("SUCCEEDED", "DRY_RUN", "DRY_RUN"),
        ("SUCCEEDED", "FAILED", "SUCCEEDED"),
        ("RUNNING", None, "RUNNING"),
        ("PENDING_REDRIVE", None, "RUNNING"),
        ("FAILED", None, "FAILED"),
        ("ABORTED", None, "ABORTED"),
        ("TIMED_OUT", None, "TIMED_OUT"),
    ],
)
def test_the_status_of_a_run_comes_from_its_execution_and_from_what_its_last_stage_said(
    execution_status: str, told: str | None, expected: str
) -> None:
    output = {"status": told} if told else None

    assert run_status(execution("r1", execution_status, output=output)) == expected


def test_an_output_that_is_not_an_object_says_nothing() -> None:
    described = execution("r1", "SUCCEEDED") | {"output": '"done"'}

    assert run_status(described) == "SUCCEEDED"
