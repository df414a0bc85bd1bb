"""Builds the CDK app of a settings file: one stack per `stack` of its entries.

python -m nova_constructs.app customizations.yaml --output cdk.out
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aws_cdk import App, Duration, RemovalPolicy, Size, Stack

from lambda_handlers.datasets.preparation import Split
from lambda_handlers.protocol.errors import InvalidRequest
from nova_constructs.approval import Approval
from nova_constructs.batch_inference import BatchInference
from nova_constructs.checks import ConfigurationError
from nova_constructs.cost_ceiling import CostCeiling
from nova_constructs.customization import NovaCustomization
from nova_constructs.data_format import DataFormat
from nova_constructs.deployment_targets import target_from_settings
from nova_constructs.evaluation_task import HELD_OUT, EvaluationTask, Processor
from nova_constructs.handler_assets import AssetBuildError
from nova_constructs.hyperpod import DataMixing, HyperPod, Runtime
from nova_constructs.instance_choice import InstanceChoice
from nova_constructs.mlflow_tracking import MlflowTracking
from nova_constructs.notifications import Notifications
from nova_constructs.platforms import JobVpc, TrainingJobs
from nova_constructs.quality_gate import QualityGate
from nova_constructs.settings import SettingsError, read_settings
from nova_constructs.training_stage import TrainingStage
from nova_constructs.trigger_settings import trigger_from_settings

# Set here and not in cdk.json, so that `cdk synth`, `python app.py` and the tests make the same template.
FEATURE_FLAGS = {
    "@aws-cdk/aws-iam:minimizePolicies": True,
    "@aws-cdk/aws-lambda:recognizeLayerVersion": True,
    "@aws-cdk/aws-lambda:recognizeVersionProps": True,
    "@aws-cdk/aws-s3:createDefaultLoggingPolicy": True,
    "@aws-cdk/core:checkSecretUsage": True,
    "@aws-cdk/core:enablePartitionLiterals": True,
    "@aws-cdk/core:target-partitions": ["aws"],
}


def build(settings_file: Path | str, outdir: str | None = None) -> App:
    """Return the app of a settings file, not yet synthesized."""
    app = App(outdir=outdir, context=FEATURE_FLAGS, analytics_reporting=False)
    entries = read_settings(Path(settings_file))
    made = {
        (entry.stack, entry.name): NovaCustomization(_stack(app, entry.stack), entry.name, **props(entry.props))
        for entry in entries
    }
    for entry in entries:
        # Last, since one may start after the success of any other.
        for settings in entry.props.get("triggers", ()):
            name, trigger = trigger_from_settings(settings, entry.stack, made)
            made[entry.stack, entry.name].add_trigger(name, trigger)
    return app


def _stack(app: App, name: str) -> Stack:
    found = app.node.try_find_child(name)
    return found if isinstance(found, Stack) else Stack(app, name)


def props(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Turn the words of a settings file into the props of NovaCustomization."""
    given = {key: value for key, value in settings.items() if key != "triggers"}
    given["platform"] = _platform(given["platform"])
    given["evaluation"] = [_task(task) for task in given["evaluation"]]
    given["gate"] = _gate(given["gate"])
    if "data" in given:
        given["data"] = _data_format(given["data"])
    if "further_training" in given:
        given["further_training"] = [_training_stage(stage) for stage in given["further_training"]]
    if "batch_inference" in given:
        given["batch_inference"] = _batch_inference(given["batch_inference"])
    if "cost_ceiling" in given:
        given["cost_ceiling"] = CostCeiling(**given["cost_ceiling"])
    if "deployment" in given:
        given["deployment"] = target_from_settings(given["deployment"])
    if "approval" in given:
        given["approval"] = Approval.from_settings(given["approval"])
    if "notifications" in given:
        given["notifications"] = Notifications.from_settings(given["notifications"])
    if "execution_role_arn" in given:
        given["execution_role"] = given.pop("execution_role_arn")
    if "import_role_arn" in given:
        given["import_role"] = given.pop("import_role_arn")
    if "reconcile_interval_minutes" in given:
        given["reconcile_interval"] = Duration.minutes(given.pop("reconcile_interval_minutes"))
    for name in ("queue_deadline", "max_run_age"):
        if f"{name}_hours" in given:
            given[name] = Duration.seconds(round(given.pop(f"{name}_hours") * 3600))
    if "removal_policy" in given:
        given["removal_policy"] = RemovalPolicy[given["removal_policy"].upper()]
    return given


def _data_format(settings: Mapping[str, Any]) -> DataFormat:
    given = dict(settings)
    if "split" in given:
        given["split"] = Split(**given["split"])
    return DataFormat(**given)


def _training_stage(settings: Mapping[str, Any]) -> TrainingStage:
    given = dict(settings)
    if "data" in given:
        given["data"] = _data_format(given["data"])
    if "platform" in given:
        given["platform"] = _platform(given["platform"])
    return TrainingStage(**given)


def _batch_inference(settings: Mapping[str, Any]) -> BatchInference:
    given = dict(settings)
    if "data" in given:
        # Not what DataFormat itself is by default: no faulty row is borne.
        given["data"] = _data_format({"max_reject_ratio": 0, **given["data"]})
    if "platform" in given:
        given["platform"] = _platform(given["platform"])
    return BatchInference(**given)


def _platform(settings: Mapping[str, Any]) -> Runtime:
    given = {name: settings[name] for name in ("instance_type", "instance_count")}
    for name in ("max_runtime", "max_pending"):
        if f"{name}_hours" in settings:
            given[name] = Duration.seconds(round(settings[f"{name}_hours"] * 3600))
    if "vpc" in settings:
        given["vpc"] = JobVpc(**settings["vpc"])
    return _training_jobs(settings, given) if settings["type"] == TrainingJobs.kind else _hyperpod(settings, given)


def _hyperpod(settings: Mapping[str, Any], given: dict[str, Any]) -> HyperPod:
    for name in ("cluster_name", "namespace", "eks_cluster_name", "kubernetes_group", "access_entry"):
        if name in settings:
            given[name] = settings[name]
    if "instance_role_arn" in settings:
        given["instance_role"] = settings["instance_role_arn"]
    if "data_mixing" in settings:
        given["data_mixing"] = DataMixing(**settings["data_mixing"])
    return HyperPod(**given)


def _training_jobs(settings: Mapping[str, Any], given: dict[str, Any]) -> TrainingJobs:
    if "volume_size_gib" in settings:
        given["volume_size"] = Size.gibibytes(settings["volume_size_gib"])
    if "keep_alive_minutes" in settings:
        given["keep_alive"] = Duration.seconds(round(settings["keep_alive_minutes"] * 60))
    if "alternatives" in settings:
        given["alternatives"] = [InstanceChoice(**choice) for choice in settings["alternatives"]]
    if "mlflow" in settings:
        given["mlflow"] = MlflowTracking(**settings["mlflow"])
    for name in ("volume_key_arn", "encrypt_traffic", "environment", "tags", "tensorboard"):
        if name in settings:
            given[name] = settings[name]
    return TrainingJobs(**given)


def _task(settings: Mapping[str, Any]) -> EvaluationTask:
    given = dict(settings)
    if "platform" in given:
        given["platform"] = _platform(given["platform"])
    if "processor" in given:
        given["processor"] = Processor(**given["processor"])
    if given.get("dataset") == HELD_OUT.value:
        given["dataset"] = HELD_OUT
    return EvaluationTask(**given)


def _gate(settings: Mapping[str, Any]) -> QualityGate:
    try:
        return QualityGate.from_settings(settings)
    except InvalidRequest as error:
        raise SettingsError(f"gate cannot be used: {error}") from None


def main(arguments: list[str] | None = None) -> int:
    """Synthesize a settings file; exit code 2 and one message where it cannot be."""
    parser = argparse.ArgumentParser(description="Synthesize the CDK app of a settings file.")
    parser.add_argument("settings", nargs="?", default="customizations.yaml")
    parser.add_argument("--output", default=None, help="folder of the cloud assembly; default cdk.out")
    options = parser.parse_args(arguments)
    try:
        build(options.settings, options.output or "cdk.out").synth()
    except (SettingsError, ConfigurationError, AssetBuildError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
