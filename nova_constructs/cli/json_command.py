"""A command that, asked for JSON, prints exactly one object on stdout whatever happens."""

from __future__ import annotations

from typing import Any, ClassVar

import click

from lambda_handlers.protocol.errors import InvalidRequest, RecipeInvalid, UnsupportedCombination, WorkflowError
from nova_constructs.cli import aws_errors, output
from nova_constructs.cli.errors import CommandError
from nova_constructs.cli.exits import ExitCode

_REFUSED = (InvalidRequest, RecipeInvalid, UnsupportedCombination)


class JsonCommand(click.Command):
    """Turn every error into one message and a code, or into one JSON object with `error` and `cause`.

    The command has `output.json_option`.
    """

    os_error_name: ClassVar[str] = "OSError"
    """What `error` says where a file could not be read or written."""

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
                output.print_json(failed(self._name(error), explained.message if explained else str(error)))
            if explained is None:
                raise
            if as_json:
                return explained.exit_code
            raise explained from error

    def _name(self, error: Exception) -> str:
        if isinstance(error, OSError):
            return self.os_error_name
        if isinstance(error, click.UsageError) or getattr(error, "exit_code", None) == ExitCode.BAD_INPUT:
            return "InvalidRequest"
        return type(error).__name__


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
