"""Checks of files that the user names."""

from __future__ import annotations

from pathlib import Path

from nova_constructs.cli.errors import BadInputError


def require_readable(path: Path) -> Path:
    """Return the path of a file that exists, can be read and is not empty; raise BadInputError otherwise."""
    if not path.exists():
        raise BadInputError("there is no such file", received=path, do="check the path; for S3, write s3://BUCKET/KEY")
    if not path.is_file():
        raise BadInputError("this is not a file", received=path, do="name one file of JSON lines")
    try:
        with path.open("rb") as file:
            start = file.read(1)
    except OSError as error:
        raise BadInputError(
            f"the file cannot be read: {error.strerror}", received=path, do="check its permissions"
        ) from None
    if not start:
        raise BadInputError("the dataset is empty", received=path, do="name a file with one JSON object per line")
    return path
