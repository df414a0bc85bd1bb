"""The report of a dry run: what the run would send and what it may cost, or why it cannot start."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nova_constructs.cli import output
from nova_constructs.cli.run.details import RunDetails
from nova_constructs.cli.run.render import print_details
from nova_constructs.cli.runs import Runs

if TYPE_CHECKING:
    from rich.console import Console

Row = tuple[str, ...]


def read_report(runs: Runs, run_id: str) -> dict[str, Any] | None:
    """Return the report of a dry run, or None where it ended before it wrote any."""
    s3 = runs.client("s3")
    bucket = runs.customization.outputs["ArtifactsBucketName"]
    try:
        found = s3.get_object(Bucket=bucket, Key=f"runs/{run_id}/dry-run/report.json")
    except s3.exceptions.NoSuchKey:
        return None
    report: dict[str, Any] = json.loads(found["Body"].read())
    return report


def print_dry_run(details: RunDetails, report: Mapping[str, Any] | None, *, as_json: bool) -> None:
    """Print a dry run on stdout, as one JSON object with its `report`, or for people."""
    if as_json:
        output.print_json({**details.as_dict(), "report": report})
        return
    to = output.console()
    print_details(to, details)
    if report and not report["problems"]:
        print_report(to, report)
    elif report:
        # The cause lists them, if it was not too long for Step Functions.
        print_problems(to, [problem for problem in report["problems"] if problem not in (details.cause or "")])


def print_report(to: Console, report: Mapping[str, Any]) -> None:
    """Print the requests of a run that could start, and its cost by job with the sum."""
    if report["requests"]:
        to.print()
        output.print_rows(
            to,
            ("WOULD SEND", "PLATFORM", "ONLY IF", "STAND-IN FOR", "REQUEST"),
            [_request(each) for each in report["requests"]],
        )
    cost = report["cost"]
    if cost["jobs"]:
        to.print()
        headers = ("COST AT MOST OF", "INSTANCES", "HOURS", "USD PER HOUR", "USD")
        output.print_rows(to, headers, [_job(job) for job in cost["jobs"]])
    for line in _sum(cost):
        to.print(line, markup=False)


def print_problems(to: Console, problems: Sequence[str]) -> None:
    """Print every problem in a line of its own."""
    for problem in problems:
        to.print(f"- {output.harmless(problem)}", markup=False)


def _request(request: Mapping[str, Any]) -> Row:
    from rich.markup import escape

    stand_ins = ", ".join(request["stand_ins"]) or "-"
    what, place = f"{request['operation']} of {request['stage']}", request["request_uri"]
    platform = request.get("platform") or "-"
    return escape(what), platform, escape(request["only_if"] or "-"), escape(stand_ins), escape(place)


def _job(job: Mapping[str, Any]) -> Row:
    from rich.markup import escape

    instances = f"{job['instance_count']} x {job['instance_type']}"
    price = "no price" if job["usd_per_hour"] is None else f"{job['usd_per_hour']:.12g}"
    return escape(job["stage"]), escape(instances), f"{job['hours']:g}", price, _usd(job["usd"])


def _sum(cost: Mapping[str, Any]) -> list[str]:
    ceiling = f", ceiling {_usd(cost['ceiling_usd'])} USD" if cost["ceiling_usd"] is not None else ""
    if not cost["unpriced"]:
        return [f"At most {_usd(cost['bound_usd'])} USD{ceiling}."]
    names = ", ".join(cost["unpriced"])
    return [f"No bound: no price is known for {names}; give one in prices of cost_ceiling."]


def _usd(amount: float | None) -> str:
    return "-" if amount is None else f"{amount:,.2f}"
