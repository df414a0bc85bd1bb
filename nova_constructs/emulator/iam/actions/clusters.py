"""Amazon EKS: clusters and who may enter them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from nova_constructs.emulator.iam.actions.call import ApiCall, Need, Row, as_mapping, on, request_tags

# EKS makes up the last part of an access entry's ARN, so a policy can only name it by wildcard.
_ID = "00000000-0000-0000-0000-000000000000"


def _cluster_arn(call: ApiCall) -> str:
    return call.arn(f"cluster/{call.params.get('clusterName') or call.text('name')}")


def _create_entry(call: ApiCall) -> Iterator[Need]:
    tags = request_tags(as_mapping(call.params.get("tags")))
    keys = {
        "eks:principalArn": call.text("principalArn"),
        "eks:kubernetesGroups": tuple(call.params.get("kubernetesGroups") or ()) or None,
        "eks:username": call.params.get("username"),
        "eks:accessEntryType": call.params.get("type", "STANDARD"),
    }
    yield Need(action="eks:CreateAccessEntry", resource=_cluster_arn(call), context={**tags, **keys})
    if tags:
        yield Need(action="eks:TagResource", resource=_entry_arn(call), context=tags)


def _entry_arn(call: ApiCall) -> str:
    principal = call.text("principalArn").split(":")
    kind, _, name = principal[5].partition("/")
    return call.arn(f"access-entry/{call.text('clusterName')}/{kind}/{principal[4]}/{name}/{_ID}")


_cluster, _entry = on(_cluster_arn), on(_entry_arn)
EKS: Final[Mapping[str, Row]] = {
    "DescribeCluster": _cluster,
    "CreateAccessEntry": _create_entry,
    "ListAccessEntries": _cluster,
    "DescribeAccessEntry": _entry,
    "UpdateAccessEntry": _entry,
    "DeleteAccessEntry": _entry,
}
