"""Prepare and validate datasets whose inputs, evaluation sets or output lie on S3; local paths may be among them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from lambda_handlers.datasets import output_folder, s3_objects, s3_output
from lambda_handlers.datasets.files import MAX_REJECT_RATIO
from lambda_handlers.datasets.forms.form import Form
from lambda_handlers.datasets.forms.media_place import MediaItem, MediaPlace
from lambda_handlers.datasets.output_folder import OutputFolder
from lambda_handlers.datasets.passes import outcome
from lambda_handlers.datasets.passes.manifest import Prepared
from lambda_handlers.datasets.preparation import Preparation
from lambda_handlers.datasets.preparing import Job, Progress, prepare_job, validate_job
from lambda_handlers.datasets.reading import local_files
from lambda_handlers.datasets.reading.path_names import check_path
from lambda_handlers.datasets.reading.rows import SourceObject
from lambda_handlers.datasets.s3_media import MediaSettings, S3Media
from lambda_handlers.datasets.s3_output import OutputPrefix, bucket_and_prefix
from lambda_handlers.protocol.errors import InvalidRequest

SCHEME: Final = "s3://"


def prepare_objects(
    s3: Any,
    inputs: str | Sequence[str],
    output: str,
    preparation: Preparation,
    *,
    evaluation_sets: Sequence[str] = (),
    max_reject_ratio: float = MAX_REJECT_RATIO,
    processes: int = 1,
    progress: Progress | None = None,
    form: Form | None = None,
    raise_rejected: bool = True,
    account: Callable[[], str] | None = None,
) -> Prepared:
    """Do what `prepare_files` does with inputs and an output that are paths or s3:// addresses; `s3` is a boto3 client.

    An input that ends in `/` is a prefix, the output always is one. Objects are read as the version that was found and
    written as streams; the outputs become visible at the end, one after the other, the manifest last. What is compared
    between rows is kept in the local temporary folder.

    Images, videos and documents that lie in another bucket than an output on S3 are copied to `media/` under it, and
    rows then name the copies. `account` tells the number of the account that owns the output's bucket; it is asked only
    when something is copied, and is by default the caller's own.

    Raises what `prepare_files` raises, InvalidRequest where several
    processes are asked for (a process of its own reads local files only), and errors of boto3.
    """
    check_path(output)
    given = [*([inputs] if isinstance(inputs, str) else inputs), *evaluation_sets]
    if output.startswith(SCHEME):
        s3_output.check_apart(output, given)
    else:
        output_folder.check_apart(Path(output), given)
    job = Job.of(
        inputs,
        preparation,
        form,
        evaluation_sets,
        processes,
        progress,
        partial(find, s3),
        _media(s3, output, processes, account),
    )
    if processes > 1 and any(uri.startswith(SCHEME) for uri in job.read):
        raise InvalidRequest("several processes read local files only: leave `processes` out for s3:// addresses")
    place = OutputPrefix if output.startswith(SCHEME) else _local_folder
    with place(s3, output, job.names, inputs=job.read) as target:
        prepared, manifest = prepare_job(job, target, max_reject_ratio=max_reject_ratio)
    if raise_rejected:
        outcome.check(prepared, manifest_uri=manifest)
    return prepared


def validate_objects(
    s3: Any,
    inputs: str | Sequence[str],
    preparation: Preparation,
    *,
    max_reject_ratio: float = MAX_REJECT_RATIO,
    progress: Progress | None = None,
    raise_rejected: bool = True,
) -> Prepared:
    """Do what `validate_files` does with inputs that are paths or s3:// addresses."""
    job = Job.of(inputs, preparation, None, (), 1, progress, find=partial(find, s3))
    prepared = validate_job(job, max_reject_ratio=max_reject_ratio)
    if raise_rejected:
        outcome.check(prepared)
    return prepared


def find(s3: Any, place: str) -> Sequence[SourceObject]:
    """Return the files or objects that a path or an s3:// address stands for."""
    check_path(place)
    return s3_objects.find(s3, place) if place.startswith(SCHEME) else local_files.find(place)


def _media(s3: Any, output: str, processes: int, account: Callable[[], str] | None) -> MediaPlace | None:
    if not output.startswith(SCHEME):
        return None
    if processes > 1:
        return _OneProcess()
    bucket, prefix = bucket_and_prefix(output)
    return S3Media(s3, MediaSettings(bucket=bucket, prefix=prefix, account=account or _own_account))


class _OneProcess:
    """What several processes are given: a client of S3 cannot be handed to another process."""

    def place(self, item: MediaItem, _owner: str) -> tuple[str, str]:
        raise InvalidRequest(f"{item.uri} has to be seen to by one process: leave `processes` out for rows with media")

    def expect(self, items: Collection[MediaItem]) -> None:
        """Wait until one is asked for."""


def _own_account() -> str:
    import boto3

    return str(boto3.client("sts").get_caller_identity()["Account"])


def _local_folder(_: Any, output: str, names: Sequence[str], *, inputs: Sequence[str]) -> OutputFolder:
    return OutputFolder(Path(output), names, inputs=inputs)
