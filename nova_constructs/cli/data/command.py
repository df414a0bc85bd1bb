"""A command that, asked for JSON, prints exactly one object on stdout whatever happens."""

from __future__ import annotations

import re
from typing import Any, Final

import click

from lambda_handlers.protocol.errors import InvalidRequest, UnsupportedCombination, WorkflowError
from nova_constructs.cli import aws_errors, output
from nova_constructs.cli.errors import CommandError
from nova_constructs.cli.exits import ExitCode

# What follows --split is its value only if it can be nothing else: an input may stand there as well.
_SHARES: Final = re.compile(r"[\d.,/:;% ]+")
_REFUSED: Final = (InvalidRequest, UnsupportedCombination)


class DataCommand(click.Command):
    """Turn every error into one message and a code, or into one JSON object with `error` and `cause`."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Parse the arguments."""
        as_json = "--json" in args[: args.index("--") if "--" in args else None]
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            if not as_json:
                raise
            output.print_json(failed("InvalidRequest", error.format_message()))
            raise click.exceptions.Exit(ExitCode.BAD_INPUT) from None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give `--split` its default where what follows it is no list of shares."""
        alone = [
            index
            for index, argument in enumerate(args)
            if argument == "--split" and not _SHARES.fullmatch((*args, "")[index + 1])
        ]
        parameter = next((each for each in self.params if each.name == "split"), None)
        if isinstance(parameter, click.Option) and alone:
            args = [f"--split={parameter.flag_value}" if n in alone else each for n, each in enumerate(args)]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        as_json = ctx.params["as_json"]
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            if as_json:
                output.print_json(failed("Interrupted", "the command was interrupted"))
            raise
        except Exception as error:
            explained = _explained(error)
            if as_json:
                output.print_json(failed(_name(error), explained.message if explained else str(error)))
            if explained is None:
                raise
            if as_json:
                return explained.exit_code
            raise explained from error


def failed(name: str, cause: str) -> dict[str, Any]:
    """Return what is printed with `--json` of a command that could not do its work."""
    return {"error": name, "cause": cause}


class _RefusedError(CommandError):
    exit_code = ExitCode.BAD_INPUT


def _explained(error: Exception) -> click.ClickException | None:
    """Return the message and exit code for an error, or None for one that is a fault of ours."""
    if isinstance(error, click.ClickException):
        return error
    if isinstance(error, WorkflowError):
        return (_RefusedError if isinstance(error, _REFUSED) else CommandError)(str(error))
    if isinstance(error, OSError) and error.strerror:
        where = f" ({error.filename})" if error.filename else ""
        return CommandError(f"the work could not be finished: {error.strerror}{where}")
    return aws_errors.explain(error)


def _name(error: Exception) -> str:
    if isinstance(error, OSError):
        return "DataPreparationFailed"
    if isinstance(error, click.UsageError) or getattr(error, "exit_code", None) == ExitCode.BAD_INPUT:
        return "InvalidRequest"
    return type(error).__name__
