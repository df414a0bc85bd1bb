"""Where the calls that prepare one dataset leave things for each other."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from lambda_handlers.datasets import s3_objects
from lambda_handlers.datasets.passes.manifest import ReadObject
from lambda_handlers.datasets.s3_objects import S3Object, S3Sink
from lambda_handlers.datasets.shards import Piece, Shard
from lambda_handlers.protocol.errors import DataPreparationFailed, error_code
from lambda_handlers.protocol.failures import explain

ROWS: Final = "rows.jsonl"
INDEX: Final = "index"
SUMMARY: Final = "summary.json"
ASSIGNMENT: Final = "assignment"
BASES: Final = "bases.json"
_MISSING: Final = ("NoSuchKey", "404")


@dataclass(frozen=True, kw_only=True, slots=True)
class Buckets:
    """Where prepared and rejected rows go."""

    prepared: str
    quarantine: str


@dataclass(frozen=True, kw_only=True)
class ShardObjects:
    """The objects of one dataset of a run: `work/<place>/` holds what is between the calls, in both buckets.

    `place` is the run's id, followed by the name of the training stage where the data is for a further one.
    """

    s3: Any
    buckets: Buckets
    place: str

    @classmethod
    def of_environment(cls, s3: Any, place: str) -> Self:
        """Read the names of the buckets from the function's environment."""
        return cls(
            s3=s3,
            buckets=Buckets(prepared=os.environ["PREPARED_BUCKET"], quarantine=os.environ["QUARANTINE_BUCKET"]),
            place=place,
        )

    @property
    def list_key(self) -> str:
        """Return the key of the list of shards, in the bucket of prepared data."""
        return f"work/{self.place}/shards.json"

    def key(self, shard: int, name: str) -> str:
        """Return the key of one object of a shard."""
        return f"work/{self.place}/{shard:04}/{name}"

    def sink(self, shard: int, name: str, *, rejected: bool = False) -> S3Sink:
        """Return what takes one object of a shard; rejected rows stay in the bucket of quarantine."""
        return S3Sink(self.s3, bucket=self._bucket(rejected), key=self.key(shard, name))

    def output(self, name: str, *, rejected: bool = False) -> tuple[str, str]:
        """Return bucket and key of an output."""
        return self._bucket(rejected), f"runs/{self.place}/{name}"

    def blocks(self, shard: int, name: str, *, rejected: bool = False) -> Iterator[bytes]:
        """Yield the bytes of one object of a shard.

        Raises DataPreparationFailed when it is not there: then the call that had to make it did not end well.
        """
        bucket, key = self._bucket(rejected), self.key(shard, name)
        try:
            yield from s3_objects.chunks(self.s3, bucket=bucket, key=key, version_id=None)
        except Exception as error:
            if error_code(error) not in _MISSING:
                raise
            raise DataPreparationFailed(f"shard {shard + 1} of the dataset left no {name}: it was lost") from error

    def read(self, shard: int, name: str, *, rejected: bool = False) -> bytes:
        """Return the content of a small object of a shard; raise what `blocks` raises."""
        return b"".join(self.blocks(shard, name, rejected=rejected))

    def write(self, shard: int, name: str, content: bytes) -> None:
        """Write a small object of a shard, in the bucket of prepared data."""
        self.s3.put_object(Bucket=self.buckets.prepared, Key=self.key(shard, name), Body=content)

    def write_list(self, shards: Sequence[Shard]) -> dict[str, Any]:
        """Write the list that a Map reads, and return where it is."""
        content = json.dumps([shard.as_dict() for shard in shards]).encode()
        self.s3.put_object(Bucket=self.buckets.prepared, Key=self.list_key, Body=content)
        return {"key": self.list_key, "count": len(shards)}

    def read_list(self) -> list[Shard]:
        """Read the list of shards."""
        found = s3_objects.chunks(self.s3, bucket=self.buckets.prepared, key=self.list_key, version_id=None)
        return [Shard.parse(document) for document in json.loads(b"".join(found))]

    def _bucket(self, rejected: bool) -> str:
        return self.buckets.quarantine if rejected else self.buckets.prepared


def pinned(s3: Any, item: ReadObject | Piece) -> S3Object:
    """Return what reads an object at the version that a run was planned with."""
    bucket, _, key = item.uri.removeprefix("s3://").partition("/")
    return S3Object(s3=s3, bucket=bucket, key=key, version_id=item.version_id, size=item.bytes)


def check_done(done: Sequence[Any], shards: int) -> None:
    """Raise DataPreparationFailed, with the first reason, unless a Map reports every shard as done.

    A child reports its shard's number, or `{"shard": number, "error": {"Error": …, "Cause": …}}`.
    """
    lost = [each for each in done if isinstance(each, dict)]
    if lost:
        first = lost[0]
        failure = explain(first.get("error"), ())
        others = f" ({len(lost)} shards were lost)" if len(lost) > 1 else ""
        raise DataPreparationFailed(
            f"shard {first['shard'] + 1} of {shards} could not be prepared{others}: "
            + (f"{failure.error}: {failure.cause[:500]}" if failure else "no reason was given")
        )
    if sorted(done) != list(range(shards)):
        raise DataPreparationFailed(f"of {shards} shards only {len(set(done))} were prepared")
