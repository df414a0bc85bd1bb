"""`nova eval show`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from nova_constructs.cli import output
from nova_constructs.cli.deployed import stack_options
from nova_constructs.cli.eval.results import EvaluationResults, read_results
from nova_constructs.cli.exits import exit_code
from nova_constructs.cli.run.target import open_runs

if TYPE_CHECKING:
    from rich.console import Console

_SCORES = ("MODEL", "TASK", "SUBTASK", "METRIC", "SCORE", "STANDARD ERROR", "SAMPLES")
_CRITERIA = ("CRITERION", "VALUE", "THRESHOLD", "VERDICT", "BASELINE", "TEST")


@click.command(
    epilog="""\b
Examples:
  nova eval show RUN
  nova eval show RUN --stack NovaSupport --json

\b
Exit codes: those of the run. 0 succeeded or still running, 1 failed, 3 rejected, 4 skipped; 2 no such run.
"""
)
@click.argument("run_id", metavar="RUN")
@stack_options
@output.json_option
def show(run_id: str, stack: str | None, customization: str | None, as_json: bool) -> int:
    """Show the scores of a run with thresholds and verdicts, as far as the run has come."""
    results = read_results(open_runs(stack=stack, customization=customization), run_id)
    if as_json:
        output.print_json(results.as_dict())
    else:
        _print(output.console(), results)
    return exit_code(results.status)


def _print(to: Console, results: EvaluationResults) -> None:
    from rich.markup import escape

    to.print(f"Run {escape(results.run_id)}  {output.status_text(results.status)}")
    if results.error:
        to.print(f"  error  {escape(output.harmless(results.error))}")
    to.print()
    if results.evaluations:
        rows = [row for record in results.evaluations for row in _score_rows(record)]
        output.print_rows(to, _SCORES, rows)
    else:
        to.print("No evaluation has been read.")
    to.print()
    if results.gate is None:
        to.print("The gate has not decided.")
        return
    output.print_rows(to, _CRITERIA, [_criterion_row(each) for each in results.gate["criteria"]])
    to.print()
    to.print(f"{output.status_text(results.gate['verdict'])}  {escape(output.harmless(results.gate['sentence']))}")


def _score_rows(record: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each metric of a task, then for each metric of its subtasks."""
    parts = {record.get("subtask"): record, **(record.get("subtasks") or {})}
    for subtask, part in parts.items():
        for metric, value in part["metrics"].items():
            error = (part.get("stderr") or {}).get(metric)
            names = (record.get("model") or "candidate", record["task"], subtask or "-", metric)
            yield (*map(_text, names), *map(_number, (value, error, part.get("samples"))))


def _criterion_row(criterion: Mapping[str, Any]) -> tuple[str, ...]:
    baseline, test = criterion.get("baseline") or {}, criterion.get("test") or {}
    compared = f"{baseline['model']} {_number(baseline['value'])}" if baseline else "-"
    return (
        _text(criterion["name"]),
        _number(criterion["value"]),
        _number(criterion["threshold"]),
        output.status_text("PASSED" if criterion["passed"] else "FAILED"),
        _text(compared),
        _text(test.get("name") or "-"),
    )


def _text(text: object) -> str:
    from rich.markup import escape

    return escape(output.harmless(str(text)))


def _number(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, int | float) else "-"
