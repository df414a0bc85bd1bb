"""Where the media of a run lie: with its rows, in the bucket of prepared data."""

from __future__ import annotations

from lambda_handlers.datasets.s3_media import MediaSettings, S3Media
from lambda_handlers.datasets.stage.request import StageRequest
from lambda_handlers.datasets.stage.shard_objects import ShardObjects


def run_media(request: StageRequest, objects: ShardObjects) -> S3Media:
    """Return what copies media to `media/` beside the outputs of the run.

    Media of any run stay where they are: the role of the jobs reads these. Without `media_buckets` nothing is read, for
    then the functions have no permission to.
    """
    bucket, prefix = objects.output("")
    settings = MediaSettings(
        bucket=bucket,
        prefix=prefix,
        account=lambda: request.account,
        stays="runs/",
        readable=frozenset((*request.media_buckets, bucket) if request.media_buckets else ()),
    )
    return S3Media(objects.s3, settings)
