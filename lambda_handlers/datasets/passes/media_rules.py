"""The same-bucket rule: a job reads images, videos and documents only from the bucket in which its dataset lies.

Source: AWS, data preparation pages of Nova.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lambda_handlers.datasets.passes.dataset_rules import first_rows
from lambda_handlers.datasets.passes.manifest import ReadObject
from lambda_handlers.datasets.passes.summary import MAX_BUCKETS, ShardSummary
from lambda_handlers.datasets.preparation import Preparation
from lambda_handlers.datasets.writers import WrittenObject

_SCHEME: Final = "s3://"


def place_of(preparation: Preparation, inputs: Sequence[ReadObject], outputs: Sequence[WrittenObject]) -> str | None:
    """Return the bucket in which the dataset lies: that of the outputs, or of rows that are checked as they are.

    None where it is not known: local files have still to be uploaded somewhere.
    """
    written = [output.uri for output in outputs[:1]]
    read = [source.uri for source in inputs] if preparation.as_is else []
    buckets = {_bucket(uri) for uri in written or read}
    return buckets.pop() if len(buckets) == 1 else None


def errors(summary: ShardSummary, place: str | None) -> list[str]:
    """Return what is wrong with where the media of all good rows lie."""
    found = summary.buckets.rows
    if not (len(found) > 1 or (place and found.keys() - {place})):
        return []
    rows = "; ".join(
        f"{kind.count} rows have media in {bucket}, first {first_rows(kind, summary)}"
        for bucket, kind in sorted(found.items())
    )
    more = f" (no more than {MAX_BUCKETS} buckets are told)" if len(found) == MAX_BUCKETS else ""
    where = f"the dataset lies in {place}" if place else "these lie in several buckets"
    return [
        f"a job reads media only from the bucket of its dataset, and {where}: {rows}{more}. "
        "Prepare into an s3:// output, which copies media there, or copy them to one bucket yourself"
    ]


def warnings(summary: ShardSummary, place: str | None) -> list[str]:
    """Return where data with media has to be uploaded, if it lies nowhere yet."""
    found = summary.buckets.rows
    if place or len(found) != 1:
        return []
    [(bucket, kind)] = found.items()
    return [
        f"{kind.count} rows have media in the bucket {bucket}: a job reads media only from the bucket of its dataset, "
        f"so upload the data to {bucket}"
    ]


def _bucket(uri: str) -> str | None:
    return uri.removeprefix(_SCHEME).partition("/")[0] if uri.startswith(_SCHEME) else None
