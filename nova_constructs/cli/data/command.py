"""The command class of `nova data`."""

from __future__ import annotations

import re
from typing import Any, Final

import click

from nova_constructs.cli.interrupts import breaking_in
from nova_constructs.cli.json_command import JsonCommand

# What follows --split is its value only if it can be nothing else: an input may stand there as well.
_SHARES: Final = re.compile(r"[\d.,/:;% ]+")


class DataCommand(JsonCommand):
    """Let `--split` stand without a value before an input, and clean up on SIGTERM and SIGHUP as on Ctrl-C.

    All else is as in `JsonCommand`.
    """

    os_error_name = "DataPreparationFailed"

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
        """Run the command; nothing unfinished is left when it is stopped."""
        with breaking_in():
            return super().invoke(ctx)
