"""What the commands take, and the preparation that it describes."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from typing import Any, Final, ParamSpec, TypeVar

import click

from lambda_handlers.datasets.preparation import Operations, Split
from nova_constructs.cli.errors import BadInputError

P = ParamSpec("P")
R = TypeVar("R")

DEFAULT_SPLIT: Final = "0.8,0.1,0.1"
_SYNTAX: Final = "NAME=COLUMN[,NAME=COLUMN…]"

_TARGET = (
    click.option("--model", required=True, help="Model that the data is for, such as NOVA_LITE_2."),
    click.option("--method", required=True, help="SFT_LORA, SFT_FULL, RFT_LORA, RFT_FULL, CPT or EVALUATION."),
    click.option("--eval-task", metavar="TASK", help="With EVALUATION: gen_qa (default), llm_judge, rft_eval, …"),
)
_OPERATIONS = (
    click.option("--split", is_flag=False, flag_value=DEFAULT_SPLIT, metavar="[TRAIN,VALIDATION,TEST]",
                 help=f"Split by these shares; alone: {DEFAULT_SPLIT}."),
    click.option("--split-by", type=click.Choice(["rows", "content"]),
                 help="Exact counts by a seed (rows, the default), or by a hash of each row (content), so that test "
                 "rows stay test rows when data is added."),
    click.option("--seed", type=int, default=42, show_default=True, help="Decides who goes where."),
    click.option("--dedupe", is_flag=True, help="Keep the first of equal rows."),
    click.option("--no-leak", is_flag=True, help="Take training rows away whose prompt stands in the test rows."),
    click.option("--no-leak-with", metavar="FILE", multiple=True,
                 help="The same for the prompts of an evaluation set. Repeatable; implies --no-leak."),
    click.option("--limit", type=click.IntRange(min=1), help="Keep the first so many good rows."),
)  # fmt: skip


def target_options(command: Callable[P, R]) -> Callable[P, R]:
    """Add model, method and evaluation task to a command."""
    return _with(command, _TARGET)


def operation_options(command: Callable[P, R]) -> Callable[P, R]:
    """Add what is done with all rows together to a command."""
    return _with(command, _OPERATIONS)


def reject_ratio_option(default: float) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make the option of how many rows may be rejected."""
    return click.option(
        "--max-reject-ratio",
        type=_Share(0, 1),
        default=default,
        show_default=True,
        help="Share of rows that may be rejected before the dataset is.",
    )


class _Share(click.FloatRange):
    """A number in a range; NaN, which is in every range for `FloatRange`, is in none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not in the range {self._describe_range()}.", param, ctx)
        return number


def parse_columns(given: Iterable[str]) -> dict[str, str]:
    """Read `question=q,answer=a`, given once or several times; a pair that contains a comma stands in quotes."""
    columns: dict[str, str] = {}
    for text in given:
        for pair in _pairs(text):
            name, separator, column = (part.strip() for part in pair.partition("="))
            if not separator or not name or not column:
                raise _bad_columns(pair or text)
            if name in columns:
                raise BadInputError(f"--columns gives {name} twice", received=text, do="keep one of the two")
            columns[name] = column
    return columns


def parse_split(shares: str | None, by: str | None) -> Split | None:
    """Read the three shares of a split; None where none is asked for."""
    if shares is None:
        if by is not None:
            raise BadInputError("--split-by goes with --split", received=f"--split-by {by}", do="add --split")
        return None
    try:
        train, validation, test = map(float, shares.split(","))
    except ValueError:
        raise _bad_split("--split needs three shares", shares) from None
    split = Split(train=train, validation=validation, test=test, by="content" if by == "content" else "rows")
    if problems := split.problems():
        raise _bad_split(f"--split cannot be used: {'; '.join(problems)}", shares)
    return split


def parse_operations(
    *,
    split: str | None,
    split_by: str | None,
    seed: int,
    dedupe: bool,
    no_leak: bool,
    no_leak_with: tuple[str, ...],
    limit: int | None,
) -> Operations:
    """Put the operations together; raise BadInputError where an option would do nothing."""
    parts = parse_split(split, split_by)
    if no_leak and not no_leak_with and not (parts and parts.test):
        raise BadInputError(
            "--no-leak has nothing to compare the training rows with",
            do="add --split, which makes test rows, or name an evaluation set with --no-leak-with FILE",
        )
    return Operations(split=parts, seed=seed, dedupe=dedupe, limit=limit, no_leak=no_leak or bool(no_leak_with))


def _with(command: Callable[P, R], options: Iterable[Callable[[Callable[P, R]], Callable[P, R]]]) -> Callable[P, R]:
    return reduce(lambda made, option: option(made), reversed(tuple(options)), command)


def _pairs(text: str) -> Iterator[str]:
    try:
        yield from (pair for record in csv.reader([text], skipinitialspace=True) for pair in record)
    except csv.Error:
        raise _bad_columns(text) from None


def _bad_columns(given: str) -> BadInputError:
    return BadInputError(
        "--columns cannot be read",
        received=given,
        allowed=f"{_SYNTAX}, a pair with a comma or a line end in quotes",
        do="try --columns question=q,answer=a",
    )


def _bad_split(what: str, shares: str) -> BadInputError:
    return BadInputError(
        what,
        received=shares,
        allowed="three numbers from 0 to 1 that add up to 1: train,validation,test",
        do=f"try --split {DEFAULT_SPLIT}, or --split alone, which is the same",
    )
