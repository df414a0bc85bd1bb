"""What the answers and the silence of a cluster's Kubernetes API mean, in words for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lambda_handlers.hyperpod.access import ClusterAccess
from lambda_handlers.hyperpod.kinds import KINDS
from lambda_handlers.protocol.errors import InvalidRequest, QuotaExceeded, TransientServiceError, WorkflowError


class ObjectExists(Exception):  # noqa: N818 - a finding, not a fault
    """Report that an object of that kind and name exists already."""


def refusal(access: ClusterAccess, verb: str, kind: str, namespace: str, status: int, body: bytes) -> Exception:
    """Return the error for an answer of 400 and above; `body` is a Kubernetes Status, or whatever a proxy sent."""
    told = _status(body)
    message = str(told.get("message") or body[:300].decode(errors="replace") or "no reason was given")
    what = f"{KINDS[kind].plural} in namespace {namespace}" if kind in KINDS else kind
    cluster = f"HyperPod cluster {access.cluster_name} (EKS cluster {access.eks_cluster_name})"
    if status == 409 and told.get("reason", "AlreadyExists") == "AlreadyExists":
        return ObjectExists(message)
    if status == 429 or status >= 500 or status == 409:
        return TransientServiceError(f"The Kubernetes API of {cluster} answered {status}: {message}")
    if status == 401:
        return InvalidRequest(
            f"{cluster} does not know the role of this function (401): it has no access entry there. Deploy the "
            "customization's access entries, HyperPod(access_entry=True), or have the cluster's admin create one for "
            "the role, with the Kubernetes group that `nova hyperpod rbac` names; the cluster's authentication mode "
            "has to be API or API_AND_CONFIG_MAP."
        )
    if status == 403:
        return _forbidden(cluster, verb, what, namespace, message)
    if status == 404:
        return _missing(cluster, kind, namespace, message)
    return InvalidRequest(f"{cluster} refused to {verb} {what} ({status}): {message}")


def unreachable(access: ClusterAccess, error: Exception) -> WorkflowError:
    """Return the error for an API that gave no answer: a certificate of another authority, or nobody there."""
    where = f"the Kubernetes API of HyperPod cluster {access.cluster_name} at {access.endpoint}"
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return InvalidRequest(
            f"The certificate of {where} is not of the authority that Amazon EKS names for it, so that nothing was "
            "sent: something between this function and the cluster answers in its place, or the cluster was made anew. "
            f"({_short(error)})"
        )
    return TransientServiceError(
        f"{where[0].upper()}{where[1:]} cannot be reached: {_short(error)}. If its endpoint is private, the functions "
        "have to be in the cluster's VPC: give HyperPod a vpc, and let its security group in on port 443."
    )


def _forbidden(cluster: str, verb: str, what: str, namespace: str, message: str) -> WorkflowError:
    if "exceeded quota" in message:
        return QuotaExceeded(f"The resource quota of namespace {namespace} of {cluster} does not allow it: {message}")
    if "admission webhook" in message:
        return InvalidRequest(f"{cluster} does not take {what} as they are: {message}")
    if "because it is being terminated" in message:
        return InvalidRequest(f"Namespace {namespace} of {cluster} is being deleted: name another one.")
    return InvalidRequest(
        f"The role of this function may not {verb} {what} of {cluster} (403): have its admin apply what "
        f"`nova hyperpod rbac` prints. ({message})"
    )


def _missing(cluster: str, kind: str, namespace: str, message: str) -> WorkflowError:
    if message.startswith("namespaces "):
        return InvalidRequest(
            f"{cluster} has no namespace {namespace} (404): create it, or name another in HyperPod(namespace=…)."
        )
    return InvalidRequest(
        f"{cluster} does not have the kind {kind} (404): install the HyperPod dependencies for Nova, with the training "
        f"operator, in it. ({message})"
    )


def _status(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and found.get("kind") == "Status" else {}


def _short(error: Exception) -> str:
    return " ".join(str(getattr(error, "reason", None) or error).split())[:300]
