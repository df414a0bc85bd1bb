"""What the API server refuses, with its codes and words."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from nova_constructs.emulator import Emulator
from nova_constructs.emulator.kubernetes.kinds import KINDS, ROLE, ROLE_BINDING
from tests.emulator.kubernetes_support import APPS, BATCH, CORE, JOBS, Kube, config_map, pytorch_job, submitter

TEMPLATE = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "main", "image": "image:1"}]}}


@pytest.fixture(scope="module")
def running() -> Iterator[Kube]:
    with Emulator() as emulator:
        yield submitter(emulator, emulator.hyperpod.create_cluster("hp", count=1))


@pytest.fixture
def kube(running: Kube) -> Kube:
    store = running.cluster.store
    with store.lock:
        for kind in KINDS:
            if kind not in (ROLE, ROLE_BINDING):
                for body in store.all(kind, "kubeflow"):
                    store.remove(kind, body)
    return running


def changed(body: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return an object with another value at a path such as spec.containers.0.name; `...` takes the field away."""
    result: Any = copy.deepcopy(dict(body))
    place, *parts = result, *path.split(".")
    for part in parts[:-1]:
        place = place[int(part)] if part.isdigit() else place[part]
    last = int(parts[-1]) if parts[-1].isdigit() else parts[-1]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return dict(result)


def pod() -> dict[str, Any]:
    """Return a pod that is accepted."""
    spec = {**TEMPLATE["spec"], "volumes": [{"name": "v", "emptyDir": {}}]}
    container = {
        "name": "main",
        "image": "image:1",
        "volumeMounts": [{"name": "v", "mountPath": "/v"}],
        "resources": {
            "limits": {"nvidia.com/gpu": "8", "cpu": "2"},
            "requests": {"nvidia.com/gpu": "8", "cpu": "500m"},
        },
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {**spec, "containers": [container]}}


def deployment() -> dict[str, Any]:
    """Return a deployment that is accepted."""
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "a"}}, "template": TEMPLATE}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}


def job() -> dict[str, Any]:
    """Return a batch job that is accepted."""
    template = {"spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {"template": template}}


def service() -> dict[str, Any]:
    """Return a service that is accepted."""
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}


PATHS = {
    "Pod": f"{CORE}/pods",
    "ConfigMap": f"{CORE}/configmaps",
    "Secret": f"{CORE}/secrets",
    "Service": f"{CORE}/services",
    "Deployment": f"{APPS}/deployments",
    "StatefulSet": f"{APPS}/statefulsets",
    "Job": f"{BATCH}/jobs",
    "PyTorchJob": JOBS,
}


@pytest.mark.parametrize(
    "body", [pod(), deployment(), job(), service(), config_map("c"), pytorch_job("t")], ids=lambda body: body["kind"]
)
def test_good_objects_are_kept_with_their_metadata(kube: Kube, body: dict[str, Any]) -> None:
    code, made = kube.create(PATHS[body["kind"]], body)
    assert code == 201, made
    found = kube.get(f"{PATHS[body['kind']]}/{body['metadata']['name']}")
    assert found["metadata"]["uid"] == made["metadata"]["uid"]
    assert found["metadata"]["namespace"] == "kubeflow"
    assert {name: value for name, value in found.items() if name not in ("metadata", "status")} == {
        name: value for name, value in body.items() if name != "metadata"
    }


WRONG: list[tuple[dict[str, Any], str, Any, int, str]] = [
    (pod(), "metadata.name", "Has_Capitals", 422, "a lowercase RFC 1123 subdomain must consist of"),
    (pod(), "metadata.name", ..., 422, "name or generateName is required"),
    (pod(), "metadata.labels", {"a": "not allowed!"}, 422, "a valid label must be an empty string or consist of"),
    (pod(), "metadata.labels", {"a": "x" * 64}, 422, "must be no more than 63 characters"),
    (pod(), "metadata.labels", {"a": 1}, 400, "json: cannot unmarshal number into Go struct field"),
    (pod(), "metadata.namespace", "other", 400, "does not match the namespace sent on the request"),
    (pod(), "metadata.ownerReferences", [{"apiVersion": "v1", "kind": "K", "name": "n", "uid": ""}], 422, "uid must"),
    (pod(), "spec.containers", [], 422, "spec.containers: Required value"),
    (pod(), "spec.containers.0.image", ..., 422, "spec.containers[0].image: Required value"),
    (pod(), "spec.containers.0.name", "A B", 422, "a lowercase RFC 1123 label must consist of"),
    (pod(), "spec.containers.0.volumeMounts.0.name", "w", 422, 'volumeMounts[0].name: Not found: "w"'),
    (pod(), "spec.volumes.0.hostPath", {"path": "/"}, 422, "may not specify more than 1 volume type"),
    (pod(), "spec.volumes.0", {"name": "v", "hostPath": {"path": "/", "type": "Folder"}}, 422, "Unsupported value"),
    (pod(), "spec.containers.0.resources.limits.cpu", "2 cores", 400, "quantities must match"),
    (pod(), "spec.containers.0.resources.requests.cpu", "3", 422, "must be less than or equal to cpu limit of 2"),
    (
        pod(),
        "spec.containers.0.resources.requests",
        {"nvidia.com/gpu": 4},
        422,
        "must be equal to nvidia.com/gpu limit",
    ),
    (pod(), "spec.containers.0.resources", {"requests": {"nvidia.com/gpu": 4}}, 422, "Limit must be set for non"),
    (pod(), "spec.containers.0.resources", {"limits": {"nvidia.com/gpu": "0.5"}}, 422, "must be an integer"),
    (pod(), "spec.containers.0.imagePullPolicy", "Sometimes", 422, 'Unsupported value: "Sometimes"'),
    (pod(), "spec.restartPolicy", "Later", 422, 'Unsupported value: "Later"'),
    (pod(), "spec.tolerations", [{"key": "a", "operator": "Exists", "value": "b"}], 422, "value must be empty when"),
    (pod(), "spec.hostNetwork", "true", 400, "cannot unmarshal string into Go struct field spec.hostNetwork"),
    (pod(), "spec.nodes", 3, 400, 'strict decoding error: unknown field "spec.nodes"'),
    (deployment(), "spec.selector", ..., 422, "spec.selector: Required value"),
    (deployment(), "spec.selector.matchLabels", {"app": "b"}, 422, "`selector` does not match template `labels`"),
    (deployment(), "spec.template.spec.restartPolicy", "Never", 422, 'supported values: "Always"'),
    (job(), "spec.template.spec.restartPolicy", ..., 422, 'valid values: "OnFailure", "Never"'),
    (service(), "metadata.name", "1-service", 422, "a DNS-1035 label must consist of"),
    (service(), "spec.ports", [], 422, "spec.ports: Required value"),
    (service(), "spec.ports.0.port", 99999, 422, "must be between 1 and 65535, inclusive"),
    (config_map("c"), "data", {"a key": "b"}, 422, "a valid config key must consist of"),
    (config_map("c"), "data", {"a": 1}, 400, "cannot unmarshal number"),
    (config_map("c"), "data", {"a": "x" * 1_100_000}, 422, "may not be more than 1048576 bytes"),
    (config_map("c"), "apiVersion", "v2", 400, "must be of type ConfigMap"),
]


@pytest.mark.parametrize(("body", "path", "value", "code", "words"), WRONG)
def test_bad_objects_are_refused(
    kube: Kube, body: dict[str, Any], path: str, value: Any, code: int, words: str
) -> None:
    given, answer = kube.create(PATHS[body["kind"]], changed(body, path, value))
    assert (given, answer["reason"]) == (code, {400: "BadRequest", 422: "Invalid"}[code])
    assert words in answer["message"]
    assert not [each for each in kube.cluster.objects() if each[0] == body["kind"]]


MASTER = "spec.pytorchReplicaSpecs.Master"


@pytest.mark.parametrize(
    ("path", "value", "code", "words"),
    [
        (f"{MASTER}.replicas", "1", 422, 'replicas in body must be of type integer: "1"'),
        (f"{MASTER}.replicas", 2, 403, "Master].replicas: Forbidden: must be 1"),
        (f"{MASTER}.template.spec.containers.0.name", "main", 403, "at least one container with name pytorch"),
        (f"{MASTER}.template.spec.containers.0.name", ..., 422, "containers[0].name: Required value"),
        (f"{MASTER}.template.spec.nodes", 1, 400, "unknown field"),
        (f"{MASTER}.template.metadata", {"generateName": "x"}, 400, "unknown field"),
        ("spec.pytorchReplicaSpecs", ..., 422, "spec.pytorchReplicaSpecs: Required value"),
        ("spec.pytorchReplicaSpecs", {"Chief": {}}, 403, 'supported values: "Master", "Worker"'),
        ("spec.runPolicy", {"activeDeadlineSeconds": "3600"}, 422, "must be of type integer"),
        (
            "metadata.name",
            "1-job",
            403,
            'admission webhook "validator.pytorchjob.training-operator.kubeflow.org" denied',
        ),
    ],
)
def test_bad_pytorch_jobs_are_refused(kube: Kube, path: str, value: Any, code: int, words: str) -> None:
    given, answer = kube.create(JOBS, changed(pytorch_job("t"), path, value))
    assert given == code, answer
    assert words in answer["message"]


def test_every_cause_is_named(kube: Kube) -> None:
    body = changed(changed(pod(), "spec.restartPolicy", "Later"), "spec.containers.0.image", ...)
    code, answer = kube.create(PATHS["Pod"], body)
    assert code == 422
    assert {each["field"] for each in answer["details"]["causes"]} == {"spec.restartPolicy", "spec.containers[0].image"}


def test_unknown_fields_are_dropped_with_a_warning_unless_checked_strictly(kube: Kube) -> None:
    body = changed(pod(), "spec.nodes", 3)
    code, made = kube.create(PATHS["Pod"], body, fieldValidation="Warn")
    assert code == 201
    assert "nodes" not in made["spec"]


def test_nothing_is_made_in_a_namespace_that_is_not_there(kube: Kube) -> None:
    kube.cluster.apply(
        """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: all, namespace: absent}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: all, namespace: absent}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: all}
subjects: [{kind: Group, name: nova-constructs}]
"""
    )
    code, answer = kube.create("/api/v1/namespaces/absent/configmaps", config_map("c"))
    assert (code, answer["message"]) == (404, 'namespaces "absent" not found')


def test_only_custom_objects_have_to_say_what_they_are(kube: Kube) -> None:
    body = {name: value for name, value in config_map("c").items() if name in ("metadata", "data")}
    code, made = kube.create(PATHS["ConfigMap"], body)
    assert (code, made["kind"], made["apiVersion"]) == (201, "ConfigMap", "v1")
    assert kube.create(JOBS, changed(pytorch_job("t"), "kind", ...))[0] == 400


def test_quantities_of_built_in_kinds_are_texts(kube: Kube) -> None:
    body = changed(pod(), "spec.containers.0.resources", {"limits": {"nvidia.com/gpu": 8}})
    _, made = kube.create(PATHS["Pod"], body)
    assert made["spec"]["containers"][0]["resources"] == {"limits": {"nvidia.com/gpu": "8"}}
    _, made = kube.create(JOBS, pytorch_job("t"))
    container = made["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 8


def test_a_taken_name_is_said_so(kube: Kube) -> None:
    assert kube.create(JOBS, pytorch_job("t"))[0] == 201
    code, answer = kube.create(JOBS, pytorch_job("t"))
    assert (code, answer["reason"]) == (409, "AlreadyExists")
    assert answer["message"] == 'pytorchjobs.kubeflow.org "t" already exists'


def test_a_dry_run_keeps_nothing(kube: Kube) -> None:
    assert kube.create(JOBS, pytorch_job("t"), dryRun="All")[0] == 201
    assert kube.call("GET", f"{JOBS}/t")[0] == 404


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("job%3Da", ["one"]),
        ("job!%3Da", ["three", "two"]),
        ("job%20in%20(a,b)", ["one", "two"]),
        ("!job", ["three"]),
        ("job,stage%3Dx", ["two"]),
    ],
)
def test_lists_are_narrowed_by_labels(kube: Kube, selector: str, names: list[str]) -> None:
    for name, labels in (("one", {"job": "a"}), ("two", {"job": "b", "stage": "x"}), ("three", {})):
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}}
        assert kube.create(PATHS["ConfigMap"], body)[0] == 201
    listed = kube.get(f"{PATHS['ConfigMap']}?labelSelector={selector}")
    assert (listed["kind"], [each["metadata"]["name"] for each in listed["items"]]) == ("ConfigMapList", names)


def test_a_selector_that_is_none_is_refused(kube: Kube) -> None:
    assert kube.call("GET", f"{PATHS['ConfigMap']}?labelSelector=a%20b")[0] == 400


def test_long_lists_come_in_pages(kube: Kube) -> None:
    for number in range(5):
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c{number}"}}
        kube.create(PATHS["ConfigMap"], body)
    first = kube.get(f"{PATHS['ConfigMap']}?limit=3")
    rest = kube.get(f"{PATHS['ConfigMap']}?limit=3&continue={first['metadata']['continue']}")
    assert [each["metadata"]["name"] for each in first["items"] + rest["items"]] == ["c0", "c1", "c2", "c3", "c4"]
    assert "continue" not in rest["metadata"]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_what_is_not_emulated_says_so(kube: Kube, method: str) -> None:
    code, answer = kube.call(method, f"{JOBS}/t", {})
    assert code == 405
    assert "the emulator does not" in answer["message"]
