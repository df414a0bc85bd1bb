"""What an evaluation job left: scores, how many rows were answered, and records for TensorBoard.

Folder names differ between pages of AWS, so that files are known by their own names (aws-samples, Nova user guide).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import IO, Any, Final

from lambda_handlers.evaluation.results_file import Scores, parse_scores
from lambda_handlers.protocol.errors import EvaluationFailed
from lambda_handlers.training import output_archive
from lambda_handlers.training.job_output import JobOutput

_RESULTS_FILE: Final = re.compile(r"results_.*\.json")
_INFERENCES: Final = "inference_output.jsonl"
_TENSORBOARD: Final = re.compile(r"(eval-)?tensorboard[-_]results?")
_MOST_RESULTS: Final = 16 * 1024**2
_MOST_RECORDS: Final = 64 * 1024**2
_BLOCK: Final = 1024 * 1024

Keep = Callable[[str, bytes], None]
"""Takes the path of a file below its folder, and its content."""


@dataclass(slots=True)
class Output:
    """Collect what a job left: results by their path, and the rows that were answered, None if nothing tells."""

    results: dict[str, bytes] = field(default_factory=dict)
    answered: int | None = None


def read_output(s3: Any, output: JobOutput, task: str) -> Output:
    """Read what a job left.

    Raises EvaluationFailed naming what is missing or wrong: nothing is used of an output with links, devices or paths
    that leave it, nor of one that is cut off or holds more than the limits.
    """
    found = Output()

    def visit(name: str, content: IO[bytes], size: int) -> None:
        path = PurePosixPath(name)
        if _RESULTS_FILE.fullmatch(path.name):
            found.results[name] = output_archive.whole(name, content, size, most=_MOST_RESULTS)
        elif path.name == _INFERENCES:
            found.answered = (found.answered or 0) + _lines(content)

    _walk(s3, output, task, visit)
    if not found.results:
        raise EvaluationFailed(f"The evaluation {task} left no results: {output.uri} has no results_*.json.")
    return found


def copy_tensorboard(s3: Any, output: JobOutput, task: str, keep: Keep) -> None:
    """Give the TensorBoard records of an output to `keep`; it was read to its end and found good before."""

    def visit(name: str, content: IO[bytes], size: int) -> None:
        if below := _below_tensorboard(PurePosixPath(name)):
            keep(below, output_archive.whole(name, content, size, most=_MOST_RECORDS))

    _walk(s3, output, task, visit)


def _walk(s3: Any, output: JobOutput, task: str, visit: output_archive.Visit) -> None:
    try:
        output.walk(s3, visit)
    except output_archive.ArchiveError as error:
        raise EvaluationFailed(f"The evaluation {task} left no usable output: {error}.") from error


def scores_in(found: Output, output: JobOutput, task: str, subtask: str | None = None) -> Scores:
    """Return the scores of an evaluation out of all its results files, of which the newest counts.

    Raises EvaluationFailed if an older one has subtasks that the newest lacks: then none tells of the whole.
    """
    # File names end in a time stamp.
    newest, *older = sorted(found.results, key=lambda name: PurePosixPath(name).name, reverse=True)
    scores = parse_scores(found.results[newest], task, output.place(newest), subtask)
    for name in older:
        other = parse_scores(found.results[name], task, output.place(name), subtask)
        if missing := sorted(set(other.subtasks) - set(scores.subtasks)):
            raise EvaluationFailed(
                f"The evaluation {task} left several results, none of the whole: {newest} lacks {', '.join(missing)}, "
                f"which {name} has."
            )
    return scores


def _lines(content: IO[bytes]) -> int:
    count, last = 0, b"\n"
    while block := content.read(_BLOCK):
        count, last = count + block.count(b"\n"), block[-1:]
    return count + (last != b"\n")


def _below_tensorboard(path: PurePosixPath) -> str | None:
    for index, part in enumerate(path.parts[:-1]):
        if _TENSORBOARD.fullmatch(part):
            return "/".join(path.parts[index + 1 :])
    return None
