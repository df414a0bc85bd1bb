"""The command and its order of steps."""

from __future__ import annotations

import time
from pathlib import Path

import click

from lambda_handlers.catalog import Platform
from lambda_handlers.planning.dataset import MOST_OBJECTS
from nova_constructs.cli import output
from nova_constructs.cli.demo.checks import PLATFORM, DemoRequest, check
from nova_constructs.cli.demo.second_run import Second
from nova_constructs.cli.embedded import require_installed
from nova_constructs.cli.errors import BadInputError
from nova_constructs.cli.exits import exit_code
from nova_constructs.cli.interrupts import Interrupts


@click.command(
    epilog="""\b
Examples:
  nova demo
  nova demo --data train.jsonl --columns question=prompt,answer=completion
  nova demo --model NOVA_MICRO --method SFT_LORA --json | jq .pointer
  nova demo --platform SMHP --json | jq '.jobs[].kind'
  nova demo --worse
  nova demo --uploads 50 --json | jq '{rows, objects, executions}'
  nova demo --fail-smoke --json | jq '{error, pointer, production}'

\b
Exit codes: 0 succeeded, 1 failed, 2 bad input, 3 rejected by the gate, 4 skipped.
"""
)
@click.option("--data", type=click.Path(path_type=Path), metavar="FILE", help="JSON lines. Default: the example's.")
@click.option(
    "--columns",
    metavar="question=NAME,answer=NAME[,system=NAME]",
    help="Which columns of the file hold what. Default: question=question,answer=answer.",
)
@click.option("--model", default="NOVA_LITE_2", show_default=True, help="Model to customize.")
@click.option("--method", default="SFT_LORA", show_default=True, help="How to customize it.")
@click.option(
    "--platform",
    type=click.Choice([platform.value for platform in Platform], case_sensitive=False),
    default=PLATFORM,
    show_default=True,
    help="Where jobs run: SMTJ, SageMaker training jobs; SMHP, a HyperPod cluster.",
)
@click.option("--worse", is_flag=True, help="Bring a model into production, then train a worse one: it is rejected.")
@click.option(
    "--fail-smoke",
    is_flag=True,
    help="Bring a model into production, then deploy one that does not answer: the run fails, production stays.",
)
@click.option(
    "--uploads",
    type=click.IntRange(1, MOST_OBJECTS),
    default=1,
    metavar="N",
    help="Cut the data into N objects and upload them in one burst: one run over all of them. Default: 1.",
)
@output.json_option
def demo(
    data: Path | None,
    columns: str | None,
    model: str,
    method: str,
    platform: str,
    worse: bool,
    fail_smoke: bool,
    uploads: int,
    as_json: bool,
) -> int:
    """Run the whole workflow on this machine: synthesize, deploy on the embedded emulator, train, gate, serve.

    Needs no AWS account and no network. Training, scores, hosting and time are simulated, and the report says so.
    """
    began = time.monotonic()
    second = _second(worse=worse, fail_smoke=fail_smoke)
    require_installed()
    request = check(
        data=data, columns=columns, model=model, method=method, platform=platform, second=second, uploads=uploads
    )
    return _run(request, began, as_json=as_json)


def _second(*, worse: bool, fail_smoke: bool) -> Second | None:
    if worse and fail_smoke:
        raise BadInputError(
            "a demo has one second run at most",
            received=f"{Second.WORSE} and {Second.FAIL_SMOKE}",
            do="run nova demo once with each",
        )
    if worse:
        return Second.WORSE
    return Second.FAIL_SMOKE if fail_smoke else None


def _run(request: DemoRequest, began: float, *, as_json: bool) -> int:
    # Imported after the checks: bad input is answered at once, the emulator takes a second to load.
    from nova_constructs.cli.demo.report import print_report
    from nova_constructs.cli.demo.session import run_demo

    with Interrupts() as interrupts:
        result = run_demo(request, interrupts, began)
        interrupts.check()
    if as_json:
        output.print_json(result.as_dict())
    else:
        print_report(output.console(), result)
    return exit_code(result.status)
