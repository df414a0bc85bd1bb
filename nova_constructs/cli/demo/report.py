"""The report of a demo for people: verdict first, then what it rests on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from lambda_handlers.catalog import Platform
from nova_constructs.cli import output, times
from nova_constructs.cli.demo.result import DemoResult
from nova_constructs.cli.run.render import SCORE_HEADERS, gate_rows, score_rows
from nova_constructs.iam_evidence import Permission

if TYPE_CHECKING:
    from rich.console import Console


def print_report(to: Console, result: DemoResult) -> None:
    """Print the whole report."""
    _verdict(to, result)
    _data(to, result)
    _jobs(to, result)
    _scores(to, result)
    _gate(to, result)
    _model(to, result)
    _permissions(to, result)
    to.print()
    simulated = what_is_simulated(result.speed, result.platform)
    to.print(" ".join([simulated, result.injected or ""]).strip(), style="italic")


def what_is_simulated(speed: float, platform: str) -> str:
    """Return in plain words what of a demo is real and what is not."""
    cluster = ", the HyperPod cluster with its Kubernetes API" if platform == Platform.SMHP else ""
    return (
        "Real: the synthesized template, the state machine with its events, retries and time limits, the Lambda code "
        "as it is packaged for AWS, and every IAM, key and bucket policy, decided anew on each call. "
        f"Simulated on this machine: AWS itself{cluster}, the training and evaluation jobs and their durations, the "
        f"scores, the model on Bedrock and its answer, and the clock, which runs {speed:.0f} times faster while "
        "everything waits. No AWS account was used, no model was trained, and nothing was charged."
    )


def _verdict(to: Console, result: DemoResult) -> None:
    from rich.markup import escape

    details = result.details
    to.print()
    to.print(f"{output.status_text(result.status)}  run {escape(details.run_id)}")
    if details.error:
        to.print(f"  error   {escape(details.error)}")
    if details.cause:
        to.print(f"  cause   {escape(details.cause)}")
    simulated = times.between(details.started, details.stopped) if details.stopped else "-"
    to.print(f"  took    {result.seconds:.1f} s here, {simulated} of simulated time, {details.transitions} transitions")


def _data(to: Console, result: DemoResult) -> None:
    _heading(to, "Data")
    counts = ", ".join(f"{result.rows[name]} {name.replace('_', ' ')}" for name in list(result.rows)[1:])
    of = f" of {result.objects} objects" if result.objects > 1 else ""
    to.print(f"  {result.rows['in']} rows in{of} = {counts}")


def _jobs(to: Console, result: DemoResult) -> None:
    from rich.markup import escape

    if not result.details.jobs:
        return
    _heading(to, f"Jobs ({result.platform})")
    rows = [(escape(job["stage"]), escape(job["kind"]), escape(job["arn"])) for job in result.details.jobs]
    output.print_rows(to, ("STAGE", "KIND", "ARN"), rows)


def _scores(to: Console, result: DemoResult) -> None:
    scores = result.details.summary.get("scores")
    if not scores:
        return
    _heading(to, "Scores (simulated)")
    output.print_rows(to, SCORE_HEADERS, score_rows(scores))


def _gate(to: Console, result: DemoResult) -> None:
    gate = result.details.summary.get("gate")
    if not gate:
        return
    _heading(to, "Gate")
    output.print_rows(to, ("CRITERION", "VALUE", "THRESHOLD", "VERDICT"), gate_rows(gate))


def _model(to: Console, result: DemoResult) -> None:
    from rich.markup import escape

    if result.pointer:
        _heading(to, "Model")
        to.print(f"  model       {escape(result.model_arn or '-')}")
        to.print(f"  deployment  {escape(result.deployment_arn or '-')}")
        to.print(f"  pointer     {escape(str(result.pointer['name']))}")
        to.print(f"    before    {escape(str(result.pointer.get('before') or 'nothing'))}")
        to.print(f"    after     {escape(str(result.pointer.get('after')))}")
    if live := result.production:
        to.print(f"  asked       {escape(result.prompt)}")
        told = "answered" if live.answers else "[red]failed[/]  "
        to.print(f"  {told}    {escape(live.said)}  [dim](simulated)[/]")


def _permissions(to: Console, result: DemoResult) -> None:
    from rich.markup import escape

    use = result.iam.use
    _heading(to, "IAM: permissions of each role")
    used, proven, required, unused = (
        _by_role(kind) for kind in (use.used, use.proven, use.required_by_aws, use.unused)
    )
    rows = [
        (escape(role), str(granted), str(used[role]), str(proven[role]), str(required[role]), str(unused[role]))
        for role, granted in sorted(_by_role(result.iam.granted).items())
    ]
    headers = ("ROLE OF", "GRANTED", "USED HERE", "USED ON OTHER PATHS", "REQUIRED BY AWS", "UNUSED")
    output.print_rows(to, headers, rows)
    # A run that stopped on the way leaves most of them unused, which says nothing.
    for permission in use.unused if result.status == "SUCCEEDED" else ():
        to.print(f"  unused  {escape(str(permission))}")
    for call in result.iam.denied:
        to.print(f"  [red]denied[/]  {escape(call['role'])}: {escape(call['action'])} on {escape(call['resource'])}")
    if not result.iam.denied:
        to.print("  No call was denied.")


def _by_role(permissions: Iterable[Permission]) -> defaultdict[str, int]:
    counts: defaultdict[str, int] = defaultdict(int)
    for permission in permissions:
        counts[permission.role] += 1
    return counts


def _heading(to: Console, text: str) -> None:
    to.print()
    to.print(text, style="bold")
