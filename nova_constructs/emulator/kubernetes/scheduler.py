"""Put pods on nodes, or say why that cannot be, in the words of kube-scheduler."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from nova_constructs.emulator.kubernetes import selectors
from nova_constructs.emulator.kubernetes.nodes import TAINT_KEY, TAINT_VALUE, Node
from nova_constructs.emulator.kubernetes.schema import quantity

Pod = dict[str, Any]
_TAINTED = f"node(s) had untolerated taint {{{TAINT_KEY}: {TAINT_VALUE}}}"


def place(pod: Pod, nodes: Sequence[Node], others: Mapping[str, Sequence[Pod]]) -> tuple[Node | None, str]:
    """Return a node for a pod, or None and why; `others` are the pods on each node."""
    refusals: Counter[str] = Counter()
    for node in nodes:
        reason = _refusal(pod, node, others.get(node.name, ()))
        if not reason:
            return node, ""
        refusals[reason] += 1
    total = len(nodes)
    if not total:
        return None, "no nodes available to schedule pods"
    listed = ", ".join(sorted(f"{count} {reason}" for reason, count in refusals.items()))
    preemption = f"preemption: 0/{total} nodes are available: {total} Preemption is not helpful for scheduling."
    return None, f"0/{total} nodes are available: {listed}. {preemption}"


def requests_of(pod: Pod) -> dict[str, float]:
    """Return what a pod takes of its node."""
    total = defaultdict(float, pods=1.0)
    for container in pod["spec"]["containers"]:
        resources = container.get("resources") or {}
        wanted = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
        for name, value in wanted.items():
            total[name] += quantity(value) or 0.0
    return total


def _refusal(pod: Pod, node: Node, others: Sequence[Pod]) -> str:
    spec = pod["spec"]
    if not any(_tolerates(each) for each in spec.get("tolerations") or ()):
        return _TAINTED
    if not _wants(spec, node):
        return "node(s) didn't match Pod's node affinity/selector"
    if _repelled(pod, others):
        return "node(s) didn't match pod anti-affinity rules"
    taken: dict[str, float] = defaultdict(float)
    for other in others:
        for name, value in requests_of(other).items():
            taken[name] += value
    for name, wanted in requests_of(pod).items():
        if wanted > node.capacity.get(name, 0.0) - taken[name]:
            return "Too many pods" if name == "pods" else f"Insufficient {name}"
    return ""


def _tolerates(toleration: Mapping[str, Any]) -> bool:
    key_fits = toleration.get("key") in (TAINT_KEY, None, "")
    value_fits = toleration.get("operator") == "Exists" or toleration.get("value") == TAINT_VALUE
    return key_fits and value_fits and toleration.get("effect") in ("NoSchedule", None, "")


def _wants(spec: Mapping[str, Any], node: Node) -> bool:
    if any(node.labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if not required:
        return True
    return any(
        bool(term.get("matchExpressions"))
        and selectors.of_object({"matchExpressions": term["matchExpressions"]})(node.labels)
        for term in required["nodeSelectorTerms"]
    )


def _repelled(pod: Pod, others: Sequence[Pod]) -> bool:
    """Tell whether the pod keeps away from one that is there, or the other way round."""
    return any(_keeps_away(pod, other) or _keeps_away(other, pod) for other in others)


def _keeps_away(pod: Pod, other: Pod) -> bool:
    terms = (pod["spec"].get("affinity") or {}).get("podAntiAffinity") or {}
    labels = other["metadata"].get("labels") or {}
    same = pod["metadata"]["namespace"] == other["metadata"]["namespace"]
    return same and any(
        selectors.of_object(term.get("labelSelector") or {})(labels)
        for term in terms.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
    )
