"""How many instances a job on a cluster takes, by its recipe and while that is not known."""

from __future__ import annotations

from lambda_handlers.catalog import clusters
from lambda_handlers.recipes import render
from tests.hyperpod.hyperpod_oracle import snapshot_texts


def test_reinforcement_takes_what_the_public_metadata_count() -> None:
    texts = snapshot_texts("nova_lite_2_0_p5_gpu_lora_rft")
    recipe = render(*texts.template, {"name": "x", "replicas": 2, "reward_lambda_arn": "arn"}, {}).values
    assert clusters.replicas_of(recipe, 2) == 5
    # InstanceCount of that recipe's metadata.
    assert clusters.footprint(recipe, 2) == 11
    assert 2 + clusters.RFT_EXTRA_INSTANCES == 11


def test_other_work_takes_the_instances_that_it_names() -> None:
    texts = snapshot_texts("nova_lite_2_0_p5_gpu_lora_sft")
    recipe = render(*texts.template, {"name": "x", "replicas": 4}, {}).values
    assert (clusters.replicas_of(recipe, 4), clusters.footprint(recipe, 4)) == (4, 4)
