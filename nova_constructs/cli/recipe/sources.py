"""The hub that recipes come from: AWS, or the snapshot that comes with the library."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final, Literal

from lambda_handlers.recipes.hub import HubApi
from lambda_handlers.recipes.places import ObjectApi

HubName = Literal["aws", "bundled"]
_ENDPOINTS: Final = ("AWS_ENDPOINT_URL_SAGEMAKER", "AWS_ENDPOINT_URL")


@dataclass(frozen=True, kw_only=True, slots=True)
class HubSource:
    """A hub that can be read, and why it is this one."""

    name: HubName
    why: str
    sagemaker: HubApi
    s3: ObjectApi


def open_hub(asked: HubName | None) -> HubSource:
    """Return the hub asked for; where none was, AWS if credentials or an endpoint resolve, else the snapshot."""
    if asked is None:
        return (
            _aws("credentials or an endpoint are set")
            if _aws_is_configured()
            else _bundled("no credentials or endpoint are set")
        )
    return _aws("asked for") if asked == "aws" else _bundled("asked for")


def _aws(why: str) -> HubSource:
    from nova_constructs.cli.aws import client

    return HubSource(name="aws", why=why, sagemaker=client("sagemaker"), s3=client("s3"))


def _bundled(why: str) -> HubSource:
    from lambda_handlers.recipes.hub_snapshot.client import SnapshotClient

    snapshot = SnapshotClient()
    return HubSource(name="bundled", why=why, sagemaker=snapshot, s3=snapshot)


def _aws_is_configured() -> bool:
    if any(os.environ.get(name) for name in _ENDPOINTS):
        return True
    import botocore.session

    session = botocore.session.get_session()
    return bool(session.get_scoped_config().get("endpoint_url")) or session.get_credentials() is not None
