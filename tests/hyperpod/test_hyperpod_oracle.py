"""The objects that a job is made of, against those of the reference launcher where it is there."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest

from lambda_handlers.hyperpod.objects import Setting, job_objects
from lambda_handlers.recipes import render
from tests.hyperpod.hyperpod_oracle import (
    FOLDER,
    Objects,
    by_name,
    oracle,
    payload_of,
    snapshot_texts,
    templates,
    without_additions,
)

JOB = "demo-abcdefghijklmnopqrs"
SETTING = Setting(name=JOB, region="us-east-1", account="111122223333", tags={})
IMAGE = "708977205387.dkr.ecr.us-east-1.amazonaws.com/nova-fine-tune-repo:"

needs_oracle = pytest.mark.skipif(not FOLDER.is_dir(), reason="the reference objects are not part of the repository")


def _request(payload: list[dict[str, Any]], recipe: Mapping[str, Any], count: int, image: str) -> dict[str, Any]:
    return {
        "cluster_name": "hp",
        "namespace": "kubeflow",
        "instance_type": "ml.p5.48xlarge",
        "instance_count": count,
        "max_seconds": 86400,
        "payload": payload,
        "recipe": recipe,
        "image_uri": image,
        "output_uri": "s3://my-out/prefix",
    }


def _recipe_of(theirs: Objects) -> Mapping[str, Any]:
    roots = (("ConfigMap", f"training-config-{JOB}"), ("ConfigMap", f"{JOB}-training-config"))
    found: Mapping[str, Any] = next(theirs[each] for each in roots if each in theirs)["data"]["config.yaml"]
    return found


@needs_oracle
@pytest.mark.parametrize(
    ("payload", "expected", "count", "image"),
    [
        ("launch-json-k8s-sft-v2-lora.json", "sft-v2-lora-4nodes.yaml", 4, "SM-HP-SFT-V2-latest"),
        ("launch-json-k8s-rft-lora.json", "rft-lora.yaml", 2, "SM-HP-RFT-TRAIN-V2-latest"),
    ],
)
def test_the_launcher_s_own_templates_give_the_launcher_s_objects(
    payload: str, expected: str, count: int, image: str
) -> None:
    theirs = oracle(expected, job=JOB)
    request = _request(payload_of(payload), _recipe_of(theirs), count, f"{IMAGE}{image}")
    ours = without_additions(by_name(job_objects(request, SETTING)))
    assert set(ours) == set(theirs)
    for each, thing in ours.items():
        assert thing == made_good(theirs)[each], each


_WORK = {
    "sft-v2-lora-4nodes.yaml": ("nova_lite_2_0_p5_gpu_lora_sft", 4, {"max_steps": 100, "save_steps": 100}),
    "cpt-v2.yaml": ("nova_lite_2_0_p5x8_gpu_pretrain", 8, {}),
    "eval-byod.yaml": ("nova_lite_2_0_p5_48xl_gpu_bring_your_own_dataset_eval", 1, {}),
    "rft-lora.yaml": ("nova_lite_2_0_p5_gpu_lora_rft", 2, {"max_steps": 100, "save_steps": 100}),
}


@needs_oracle
@pytest.mark.parametrize("expected", _WORK)
def test_the_hub_s_payloads_give_the_launcher_s_objects(expected: str) -> None:
    theirs, (name, count, overrides) = oracle(expected, job=JOB), _WORK[expected]
    run = _recipe_of(theirs)["run"]
    texts = snapshot_texts(name)
    arguments = {
        key: run[key]
        for key in ("data_s3_path", "output_s3_path", "replicas", "reward_lambda_arn", "mlflow_experiment_name")
        if run.get(key)
    }
    recipe = render(*texts.template, {"name": "any", **arguments}, overrides).values
    ours = without_additions(by_name(job_objects(_request(texts.payload, recipe, count, ""), SETTING)))
    assert set(ours) == set(theirs)
    for each, thing in ours.items():
        assert thing == made_good(theirs)[each], each


def made_good(theirs: Objects) -> Objects:
    """Return the launcher's objects without their known faults: the numbers of docs/hyperpod-objects.md."""
    found = deepcopy(theirs)
    for thing in found.values():
        thing["metadata"]["namespace"] = "kubeflow"
        for template in templates(thing):
            template.get("metadata", {}).get("annotations", {}).pop("checksum/config", None)
            volumes = template["spec"].get("volumes", [])
            if "k8s-ca-cert" in str(template["spec"]) and "k8s-ca-cert" not in {each["name"] for each in volumes}:
                ca = {"name": "k8s-ca-cert", "hostPath": {"path": "/etc/kubernetes/pki/ca.crt", "type": "File"}}
                volumes.append(ca)
                volumes.sort(key=lambda each: str(each["name"]))
    return found
