"""The `nova` command: loads a command group when it is named, and turns any error into one message and a code."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import click

from nova_constructs.cli import aws_errors
from nova_constructs.cli.exits import ExitCode

CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

# name: (module, attribute, short help). The help stands here so that listing commands imports none of them.
_COMMANDS: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "approve": ("nova_constructs.cli.approval", "approve", "Let a run that waits for approval deploy its model."),
        "data": ("nova_constructs.cli.data", "data", "Prepare, validate, show and convert datasets."),
        "demo": ("nova_constructs.cli.demo", "demo", "Run the whole workflow on the embedded emulator."),
        "drain": ("nova_constructs.cli.drain", "drain", "Let a customization come to rest, to delete its stack."),
        "emulate": ("nova_constructs.cli.emulate", "emulate", "Start the embedded AWS emulator by itself."),
        "recipe": ("nova_constructs.cli.recipe", "recipe", "Render recipes of the public hub."),
        "eval": ("nova_constructs.cli.eval", "evaluation", "Show the scores of a run with thresholds and verdicts."),
        "hyperpod": ("nova_constructs.cli.hyperpod", "hyperpod", "Prepare a HyperPod cluster for customizations."),
        "logs": ("nova_constructs.cli.logs", "logs", "Print the log lines and metrics of a run's training jobs."),
        "reject": ("nova_constructs.cli.approval", "reject", "End a run that waits for approval as REJECTED."),
        "orphans": ("nova_constructs.cli.orphans", "orphans", "Find and stop jobs that no run waits for, by tag."),
        "models": ("nova_constructs.cli.models", "models", "List models and deployments, and remove some."),
        "rollback": ("nova_constructs.cli.rollback", "rollback", "Go back to the deployment that served before."),
        "triggers": ("nova_constructs.cli.triggers", "triggers", "Say what starts runs, and what has arrived."),
        "run": ("nova_constructs.cli.run", "run", "Start, list, show and stop runs of a deployed customization."),
    }
)


class LazyGroup(click.Group):
    """Import a command only when it is called or its own help is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        """Return the names of the commands."""
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- click's signature
        """Import the named command."""
        if cmd_name not in _COMMANDS:
            return None
        module, attribute, _ = _COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- click's signature
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, short_help) for name, (_, _, short_help) in sorted(_COMMANDS.items())])


@click.group(
    cls=LazyGroup,
    context_settings=CONTEXT_SETTINGS,
    epilog="""\b
Examples:
  nova demo
  nova data prepare train.jsonl --model NOVA_LITE_2 --method SFT_LORA --output prepared
  nova recipe render --model NOVA_LITE_2 --method SFT_LORA
  nova run list --stack NovaSupport
  nova run show RUN --json

\b
Exit codes:
  0 succeeded   1 failed   2 bad input   3 rejected   4 skipped
""",
)
@click.version_option(package_name="nova-constructs", prog_name="nova")
def nova() -> None:
    """Customize an Amazon Nova model with an auditable workflow, and watch it run."""


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; every error has become a message on stderr."""
    try:
        result: Any = nova.main(args=list(arguments), prog_name="nova", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Abort:
        click.echo("Interrupted.", err=True)
        return ExitCode.INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:
        _silence_stdout()
        return ExitCode.OK
    except Exception as error:
        explained = aws_errors.explain(error)
        if explained is None:
            raise
        explained.show()
        return explained.exit_code
    return int(result or 0)


def _silence_stdout() -> None:
    # The reader has gone (`nova run list | head`): without this, Python reports the broken pipe again at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
