"""What cannot work on HyperPod fails at synth, in the words of whoever wrote the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from nova_constructs import BatchInference, ConfigurationError, DataMixing, EvaluationTask, HyperPod, JobVpc
from nova_constructs.app import props
from nova_constructs.settings import SettingsError, read_settings
from tests.constructs.conftest import ENTRY
from tests.constructs.test_execution_role import MINE, demo, new_stack, training
from tests.constructs.test_hyperpod_template import hyperpod

MIXED = DataMixing(customer_percent=50, nova={"code": 100})


def refusals(**changes: Any) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        demo(new_stack(), **{"platform": hyperpod(), **changes})
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cluster_name": "_hp"}, "cluster_name is '_hp': use 2 to 101 letters"),
        ({"cluster_name": "h"}, "cluster_name is 'h': use 2 to 101 letters"),
        ({"namespace": "Kube"}, "namespace is 'Kube': use 1 to 63 of a-z, 0-9 and -"),
        ({"namespace": "kube-"}, "namespace is 'kube-'"),
        ({"eks_cluster_name": "a b"}, "eks_cluster_name is 'a b'"),
        ({"kubernetes_group": "system:masters"}, "kubernetes_group is 'system:masters'"),
        ({"instance_count": 0}, "instance_count is 0: use 1 or more"),
        ({"instance_role": "hp-role"}, "instance_role is 'hp-role': use a role or its ARN"),
        ({"vpc": JobVpc(subnets=[], security_groups=["sg-1"])}, "vpc.subnets has 0 ids"),
        ({"data_mixing": DataMixing(customer_percent=101)}, "customer_percent is 101: use a number from 0 to 100"),
        ({"data_mixing": DataMixing(customer_percent=50, nova={"code": -1})}, "nova.code is -1: use a number from 0"),
        ({"data_mixing": DataMixing(customer_percent=50)}, "data_mixing.nova adds up to 0 (none)"),
        (
            {"data_mixing": DataMixing(customer_percent=50, nova={"code": 30, "general": 60})},
            "adds up to 90 (code 30 +",
        ),
        ({"data_mixing": DataMixing(customer_percent=100, nova={"code": 5})}, "is 100, and the Nova categories have 5"),
    ],
)
def test_a_platform_says_what_cannot_work(change: dict[str, Any], message: str) -> None:
    [found] = refusals(platform=hyperpod(**change))
    assert message in found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"execution_role": MINE}, "execution_role is given, but every job runs on HyperPod"),
        (
            {"evaluation": [EvaluationTask(task="mmlu", platform=training(instance_count=1))]},
            "evaluation 'mmlu': platform is SMTJ, and training runs on SMHP",
        ),
        (
            {"platform": training(), "evaluation": [EvaluationTask(task="mmlu", platform=hyperpod(instance_count=1))]},
            "evaluation 'mmlu': platform is SMHP, and training runs on SMTJ",
        ),
        (
            {"evaluation": [EvaluationTask(task="mmlu", platform=hyperpod(data_mixing=MIXED, instance_count=1))]},
            "its platform has data_mixing, which is for training alone",
        ),
        (
            {"batch_inference": BatchInference(dataset="datasets/a.jsonl", platform=training(instance_count=1))},
            "batch_inference: platform is SMTJ, and training runs on SMHP",
        ),
        (
            {"evaluation": [EvaluationTask(task="mmlu", platform=hyperpod(
                instance_count=1, vpc=JobVpc(subnets=["subnet-1"], security_groups=["sg-1"])))]},
            "the HyperPod platforms have different vpc",
        ),
        ({"platform": training(), "method": "CPT"}, "CPT runs only on SageMaker HyperPod; use platform SMHP"),
        ({"method": "RFT_LORA", "model": "NOVA_PRO", "reward_function": MINE}, "RFT_LORA needs a Nova 2 model"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_told(changes: dict[str, Any], message: str) -> None:
    assert any(message in found for found in refusals(**changes))


def test_reinforcement_mixes_no_data() -> None:
    scorer = "arn:aws:lambda:us-east-1:111122223333:function:SageMaker-score"
    mixed = hyperpod(instance_count=2, data_mixing=MIXED)
    [found] = refusals(platform=mixed, method="RFT_LORA", reward_function=scorer)
    assert found == "training: data_mixing goes with CPT and SFT, not with RFT_LORA: leave it out"


SETTINGS: dict[str, Any] = {
    "type": "SMHP",
    "cluster_name": "hp",
    "namespace": "kubeflow",
    "instance_type": "ml.p5.48xlarge",
    "instance_count": 4,
}


def read(tmp_path: Path, platform: dict[str, Any]) -> HyperPod:
    path = tmp_path / "customizations.yaml"
    path.write_text(yaml.safe_dump({"customizations": [{**ENTRY, "platform": platform}]}))
    [entry] = read_settings(path)
    found = props(entry.props)["platform"]
    assert isinstance(found, HyperPod)
    return found


def test_a_settings_file_says_everything_of_the_platform(tmp_path: Path) -> None:
    more = {
        "eks_cluster_name": "eks",
        "kubernetes_group": "nova",
        "access_entry": False,
        "instance_role_arn": MINE,
        "vpc": {"subnets": ["subnet-1"], "security_groups": ["sg-1"]},
        "data_mixing": {"customer_percent": 60, "nova": {"code": 100}},
        "max_runtime_hours": 12,
        "max_pending_hours": 1,
    }
    found = read(tmp_path, SETTINGS | more)
    assert found.config() == {
        "platform": "SMHP",
        "cluster_name": "hp",
        "eks_cluster_name": "eks",
        "namespace": "kubeflow",
        "instance_type": "ml.p5.48xlarge",
        "instance_count": 4,
        "max_runtime_seconds": 43200,
        "max_pending_seconds": 3600,
        "data_mixing": {"customer_data_percent": 60.0, "nova": {"code": 100.0}},
    }
    assert (found.kubernetes_group, found.access_entry, found.instance_role) == ("nova", False, MINE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keep_alive_minutes": 5}, "'keep_alive_minutes' was unexpected"),
        ({"mlflow": {}}, "'mlflow' was unexpected"),
        ({"type": "SMXX"}, "'SMXX' is not one of ['SMTJ', 'SMHP']"),
        ({"data_mixing": {"nova": {"code": 100}}}, "'customer_percent' is a required property"),
        ({"data_mixing": {"customer_percent": 50, "dataset_catalog": "mine"}}, "'dataset_catalog' was unexpected"),
    ],
)
def test_options_of_training_jobs_and_unknown_ones_are_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, SETTINGS | change)
    assert message in str(caught.value)
