"""The bearer token of a cluster's Kubernetes API: a presigned call that tells Amazon EKS who the caller is."""

from __future__ import annotations

import base64
from collections.abc import MutableMapping
from functools import cache
from typing import Any, Final

_PREFIX: Final = "k8s-aws-v1."
_HEADER: Final = "x-k8s-aws-id"
_PARAMETER: Final = "EksClusterName"
_URL_SECONDS: Final = 60
LIFE_SECONDS: Final = 10 * 60
"""How long a token is used: Amazon EKS takes one for 14 minutes after it was signed (aws-iam-authenticator)."""


def bearer_token(eks_cluster_name: str) -> str:
    """Return a new token for the caller's own identity, which needs an access entry of the EKS cluster.

    It is a presigned GetCallerIdentity of the Region's STS with the cluster's name among the signed headers. Signing
    calls nothing and needs no permission.
    """
    url = _signer().generate_presigned_url(
        "get_caller_identity", Params={_PARAMETER: eks_cluster_name}, ExpiresIn=_URL_SECONDS, HttpMethod="GET"
    )
    return _PREFIX + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


@cache
def _signer() -> Any:
    """Return a client of STS that signs the name of a cluster as a header: a client of its own, for its handlers."""
    import boto3

    sts = boto3.client("sts")
    sts.meta.events.register("provide-client-params.sts.GetCallerIdentity", _keep_name)
    sts.meta.events.register("before-sign.sts.GetCallerIdentity", _add_header)
    return sts


def _keep_name(params: MutableMapping[str, Any], context: MutableMapping[str, Any], **_: Any) -> None:
    if _PARAMETER in params:
        context[_PARAMETER] = params.pop(_PARAMETER)


def _add_header(request: Any, **_: Any) -> None:
    if _PARAMETER in request.context:
        request.headers[_HEADER] = request.context[_PARAMETER]
