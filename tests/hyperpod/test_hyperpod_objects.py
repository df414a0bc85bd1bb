"""What is made good in the hub's payloads, and what cannot be: docs/hyperpod-objects.md."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest

from lambda_handlers.hyperpod.objects import Setting, job_objects
from lambda_handlers.protocol.errors import InvalidRequest
from lambda_handlers.recipes import documents
from tests.hyperpod.hyperpod_oracle import Objects, by_name, templates
from tests.hyperpod.test_hyperpod_jobs import RFT, SFT, request

JOB = "demo-abcdefghijklmnopqrs"
SETTING = Setting(name=JOB, region="eu-central-1", account="999988887777", tags={})
BYOD = "nova_lite_2_0_p5_48xl_gpu_bring_your_own_dataset_eval"


def _objects(given: Mapping[str, Any]) -> Objects:
    return by_name(job_objects(given, SETTING))


def _job(given: Mapping[str, Any]) -> dict[str, Any]:
    return _objects(given)["PyTorchJob", JOB]


def _containers(objects: Objects) -> list[dict[str, Any]]:
    pods = [template["spec"] for thing in objects.values() for template in templates(thing)]
    return [each for pod in pods for each in (*pod.get("initContainers", ()), *pod["containers"])]


@pytest.mark.parametrize(("name", "count"), [(SFT, 1), (SFT, 4), (RFT, 2), (RFT, 8)])
def test_workers_are_the_instances_without_the_master_s(name: str, count: int) -> None:
    allowed = request(name)
    allowed["instance_count"] = count
    roles = _job(allowed)["spec"]["pytorchReplicaSpecs"]
    assert roles["Master"]["replicas"] == 1
    assert roles.get("Worker", {}).get("replicas", 0) == count - 1


@pytest.mark.parametrize("name", [SFT, BYOD, RFT])
def test_every_volume_that_is_mounted_exists(name: str) -> None:
    for thing in _objects(request(name, 1 if name == BYOD else 4)).values():
        for template in templates(thing):
            pod = template["spec"]
            mounted = {
                mount["name"]
                for each in (*pod.get("initContainers", ()), *pod["containers"])
                for mount in each.get("volumeMounts", ())
            }
            assert mounted <= {volume["name"] for volume in pod["volumes"]}, thing["metadata"]["name"]


def test_the_environment_is_that_of_the_cluster() -> None:
    found = _containers(_objects(request(RFT)))
    values = {
        (each["name"], variable["name"]): variable.get("value")
        for each in found
        for variable in each.get("env", ())
        if "value" in variable
    }
    assert {value for (_, name), value in values.items() if name == "AWS_REGION"} == {"eu-central-1"}
    assert {value for (_, name), value in values.items() if name == "X_AMZ_SOURCE_ACCOUNT"} == {"999988887777"}
    assert {value for (_, name), value in values.items() if name == "NAMESPACE"} == {"kubeflow"}
    with_type = {container for container, name in values if name == "INSTANCE_TYPE"}
    assert with_type == {container for container, name in values if name == "X_AMZ_SOURCE_ACCOUNT"}


def test_every_object_has_the_namespace_and_no_member_without_a_value() -> None:
    for name in (SFT, RFT):
        given = {**request(name), "namespace": "team"}
        for thing in job_objects(given, SETTING):
            assert thing["metadata"]["namespace"] == "team"
            assert "None" not in str({key: value for key, value in thing.items() if key not in ("data", "spec")})


@pytest.mark.parametrize(
    ("instance_type", "gpus", "interfaces"),
    [("ml.p5.48xlarge", 8, 32), ("ml.p5en.48xlarge", 8, 16), ("ml.g5.12xlarge", 4, 1), ("ml.g5.4xlarge", 1, None)],
)
def test_devices_are_those_of_the_instance_type(instance_type: str, gpus: int, interfaces: int | None) -> None:
    given = {**request(BYOD, 1), "instance_type": instance_type}
    pod = _job(given)["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]
    for amounts in pod["containers"][0]["resources"].values():
        assert amounts.get("nvidia.com/gpu") == gpus
        assert amounts.get("vpc.amazonaws.com/efa") == interfaces
    assert instance_type in str(pod["affinity"])


def test_devices_of_an_unknown_instance_type_stay_as_they_are() -> None:
    pod = _job({**request(), "instance_type": "ml.p9.48xlarge"})["spec"]["pytorchReplicaSpecs"]["Master"]["template"]
    assert pod["spec"]["containers"][0]["resources"]["limits"] == {"nvidia.com/gpu": 8, "vpc.amazonaws.com/efa": 32}


def test_placeholders_are_filled_with_values_of_their_types() -> None:
    given = request()
    given["payload"] = deepcopy(given["payload"])
    job = next(each for each in given["payload"] if each["kind"] == "PyTorchJob")
    job["metadata"]["labels"]["steps"] = "at-{{max_steps}}"
    job["spec"]["runPolicy"] = {"ttlSecondsAfterFinished": "{{max_steps}}"}
    found = _job(given)
    assert found["metadata"]["labels"]["steps"] == "at-10"
    assert found["spec"]["runPolicy"]["ttlSecondsAfterFinished"] == 10
    config = _objects(given)["ConfigMap", f"training-config-{JOB}"]["data"]["config.yaml"]
    assert config["run"]["name"] == JOB
    assert config["training_config"]["max_steps"] == 10


def test_each_part_of_a_reinforcement_job_has_a_recipe_that_names_it() -> None:
    objects = _objects(request(RFT))
    tasks = {
        name: thing["data"]["config.yaml"]["training_config"].pop("task_type")
        for (kind, name), thing in objects.items()
        if kind == "ConfigMap" and "config.yaml" in thing["data"]
    }
    assert len(tasks) == len(set(tasks.values())) == 6
    configs = [thing["data"]["config.yaml"] for thing in objects.values() if "config.yaml" in thing.get("data", {})]
    assert all(each == configs[0] for each in configs)


def test_generating_replicas_are_the_recipe_s() -> None:
    given = request(RFT)
    given["recipe"] = {**given["recipe"], "run": {**given["recipe"]["run"], "generation_replicas": 5}}
    assert _objects(given)["StatefulSet", f"{JOB}-vllm"]["spec"]["replicas"] == 5


def test_message_servers_that_a_payload_lacks_are_added_once() -> None:
    given = request(RFT)
    whole = _objects(given)
    lacking = {
        "{{name}}-nats-server-config",
        "{{name}}-nats-server-headless",
        "{{name}}-nats-server-box-contexts",
    }
    given["payload"] = [each for each in given["payload"] if each["metadata"]["name"] not in lacking]
    assert len(given["payload"]) == 18
    assert _objects(given).keys() == whole.keys()


def _changed(**parts: Any) -> dict[str, Any]:
    given = request()
    given["payload"] = [deepcopy(each) for each in given["payload"]]
    config, job = given["payload"]
    if "image" in parts:
        job["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]["containers"][0]["image"] = parts["image"]
    if "mount" in parts:
        pod = job["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]
        pod["containers"][0]["volumeMounts"].append({"name": parts["mount"], "mountPath": "/x"})
    if "kind" in parts:
        given["payload"].append({"apiVersion": "v1", "kind": parts["kind"], "metadata": {"name": "x"}})
    if "config" in parts:
        config["metadata"]["name"] = parts["config"]
    if "without" in parts:
        given["payload"] = [each for each in given["payload"] if each["kind"] != parts["without"]]
    return given


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"image": "{{container_image}}"},
            "nothing fills: container_image. Give the request the container's image_uri",
        ),
        ({"image": "{{what}}"}, r"has placeholders that nothing fills: what\.$"),
        ({"mount": "scratch"}, f"PyTorchJob {JOB} of the hub's payload mounts scratch, which it has no volume of"),
        ({"kind": "DaemonSet"}, "The hub's payload has DaemonSet, which no Nova job is made of"),
        ({"without": "PyTorchJob"}, "The hub's payload has 0 PyTorchJobs"),
        ({"config": "config-{{name}}"}, "has no ConfigMap training-config"),
    ],
)
def test_a_payload_that_cannot_be_used_is_refused(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        job_objects(_changed(**parts), SETTING)


def test_an_image_that_the_payload_leaves_open_is_the_request_s() -> None:
    given = {**_changed(image="{{container_image}}"), "image_uri": "registry/x:1"}
    master = _job(given)["spec"]["pytorchReplicaSpecs"]["Master"]
    assert master["template"]["spec"]["containers"][0]["image"] == "registry/x:1"


def test_the_recipe_is_written_as_every_yaml_reader_takes_it() -> None:
    root = job_objects(request(), SETTING)[0]
    assert "lr: 1.0e-05" in root["data"]["config.yaml"]
    assert documents.load(root["data"]["config.yaml"])["run"]["replicas"] == 4
