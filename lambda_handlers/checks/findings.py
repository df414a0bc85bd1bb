"""Everything that is wrong with a run, collected check by check and told at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from lambda_handlers.protocol.errors import (
    CostCeilingExceeded,
    DeploymentExists,
    InvalidRequest,
    QuotaExceeded,
    RecipeInvalid,
    TransientServiceError,
    UnsupportedCombination,
    WorkflowError,
)

ORDER: Final[tuple[type[WorkflowError], ...]] = (
    InvalidRequest,
    UnsupportedCombination,
    RecipeInvalid,
    DeploymentExists,
    CostCeilingExceeded,
    QuotaExceeded,
)
"""The classes that are collected. Of several, the first in this order names the error; problems are listed in it.

What has to be put right by whoever started the run comes before what has to be put right in the customization, and that
before what has to be asked of AWS.
"""


class Findings:
    """Problems, for which a run cannot start, and warnings, with which it can. Attribute: `warnings`.

    What gave no answer is told with the problems; alone, it is worth another try and no problem of the run.
    """

    def __init__(self) -> None:
        self._problems: list[tuple[type[WorkflowError], str]] = []
        self._unanswered: list[str] = []
        self.warnings: list[str] = []

    @property
    def problems(self) -> tuple[str, ...]:
        """Every problem once, in the order of `ORDER`, and within a class as they were found."""
        found = sorted(self._problems, key=lambda problem: ORDER.index(problem[0]))
        return tuple(dict.fromkeys(text for _, text in found))

    def problem(self, text: str, kind: type[WorkflowError] = InvalidRequest) -> None:
        """Note one problem."""
        self._problems.append((kind, text))

    def warn(self, text: str, *, unless_told: str = "") -> None:
        """Note what somebody should know, once, and not if the same is told in these other words."""
        if text not in self.warnings and unless_told not in self.warnings:
            self.warnings.append(text)

    @contextmanager
    def checking(self, subject: str = "", *, unless_told_of: str = "") -> Iterator[None]:
        """Note the problems of an error of `ORDER` that leaves the block, each under its subject; pass on any other.

        A problem that is told of the subject `unless_told_of` already is left out.
        """
        try:
            yield
        except ORDER as error:
            told = self.problems
            for text in error.problems or (error.message,):
                if unless_told_of and f"{unless_told_of}: {text}" in told:
                    continue
                self.problem(f"{subject}: {text}" if subject else text, type(error))

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Keep a TransientServiceError that leaves the block for `raise_all`; pass on any other error."""
        try:
            yield
        except TransientServiceError as error:
            self._unanswered.append(error.message)

    def raise_all(self) -> None:
        """Raise one error with every problem, if there is any; TransientServiceError if all is that nobody answered."""
        unanswered = tuple(dict.fromkeys(self._unanswered))
        if self._problems:
            kind = min((found for found, _ in self._problems), key=ORDER.index)
            raise kind("The run cannot start; nothing was spent.", problems=(*self.problems, *unanswered))
        if unanswered:
            raise TransientServiceError("; ".join(unanswered))
