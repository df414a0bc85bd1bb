"""The objects that a job is made of, against those of the reference launcher where it is there."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest

from lambda_handlers.hyperpod.objects import Setting, job_objects
from tests.hyperpod.hyperpod_oracle import FOLDER, Objects, by_name, oracle, payload_of, templates, without_additions

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


def made_good(theirs: Objects) -> Objects:
    """Return the launcher's objects without their known faults: the numbers of docs/hyperpod-objects.md."""
    found = deepcopy(theirs)
    for thing in found.values():
        thing["metadata"]["namespace"] = "kubeflow"
        for template in templates(thing):
            volumes = template["spec"].get("volumes", [])
            if "k8s-ca-cert" in str(template["spec"]) and "k8s-ca-cert" not in {each["name"] for each in volumes}:
                volumes.append(
                    {"name": "k8s-ca-cert", "hostPath": {"path": "/etc/kubernetes/pki/ca.crt", "type": "File"}}
                )
    return found
