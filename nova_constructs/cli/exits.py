"""Exit codes, and the run status behind each."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType


class ExitCode(IntEnum):
    """Name the exit codes of `nova`."""

    OK = 0
    FAILED = 1
    BAD_INPUT = 2
    REJECTED = 3
    SKIPPED = 4
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143


_BY_STATUS: Mapping[str, ExitCode] = MappingProxyType(
    {
        "SUCCEEDED": ExitCode.OK,
        "DRY_RUN": ExitCode.OK,
        "RUNNING": ExitCode.OK,
        "QUEUED": ExitCode.OK,
        "AWAITING_APPROVAL": ExitCode.OK,
        "FAILED": ExitCode.FAILED,
        "ABORTED": ExitCode.FAILED,
        "TIMED_OUT": ExitCode.FAILED,
        "REJECTED": ExitCode.REJECTED,
        "SKIPPED": ExitCode.SKIPPED,
    }
)


def exit_code(status: str) -> ExitCode:
    """Return the exit code of a run status; a status that is not known counts as a failure."""
    return _BY_STATUS.get(status, ExitCode.FAILED)
