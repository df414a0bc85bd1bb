"""AWS CDK constructs that customize Amazon Nova models.

Names are loaded when first used, so that importing this package costs nothing where no CDK is needed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from nova_constructs.node_runtime import use_bundled_node

if TYPE_CHECKING:
    from lambda_handlers.datasets.preparation import Split as Split
    from lambda_handlers.protocol.turns import Concurrency as Concurrency
    from nova_constructs.approval import Approval as Approval
    from nova_constructs.batch_inference import BatchInference as BatchInference
    from nova_constructs.checks import ConfigurationError as ConfigurationError
    from nova_constructs.cost_ceiling import CostCeiling as CostCeiling
    from nova_constructs.customization import NovaCustomization as NovaCustomization
    from nova_constructs.data_format import DataFormat as DataFormat
    from nova_constructs.dataset_arrives import DatasetArrives as DatasetArrives
    from nova_constructs.deployment_targets import NoDeployment as NoDeployment
    from nova_constructs.deployment_targets import OnDemand as OnDemand
    from nova_constructs.deployment_targets import ProvisionedThroughput as ProvisionedThroughput
    from nova_constructs.deployment_targets import SmokePrompt as SmokePrompt
    from nova_constructs.evaluation_task import HELD_OUT as HELD_OUT
    from nova_constructs.evaluation_task import EvaluationTask as EvaluationTask
    from nova_constructs.evaluation_task import Processor as Processor
    from nova_constructs.hyperpod import DataMixing as DataMixing
    from nova_constructs.hyperpod import HyperPod as HyperPod
    from nova_constructs.instance_choice import InstanceChoice as InstanceChoice
    from nova_constructs.mlflow_tracking import MlflowTracking as MlflowTracking
    from nova_constructs.notifications import Notifications as Notifications
    from nova_constructs.platforms import JobVpc as JobVpc
    from nova_constructs.platforms import TrainingJobs as TrainingJobs
    from nova_constructs.quality_gate import BetterThanBase as BetterThanBase
    from nova_constructs.quality_gate import Floor as Floor
    from nova_constructs.quality_gate import GeneralAbilityFloor as GeneralAbilityFloor
    from nova_constructs.quality_gate import MinimumSamples as MinimumSamples
    from nova_constructs.quality_gate import NotWorseThanProduction as NotWorseThanProduction
    from nova_constructs.quality_gate import QualityGate as QualityGate
    from nova_constructs.training_stage import TrainingStage as TrainingStage
    from nova_constructs.triggers import AfterSuccess as AfterSuccess
    from nova_constructs.triggers import OnAlarm as OnAlarm
    from nova_constructs.triggers import OnEvent as OnEvent
    from nova_constructs.triggers import OnSchedule as OnSchedule

_HOMES = {
    "AfterSuccess": "triggers",
    "Approval": "approval",
    "BatchInference": "batch_inference",
    "BetterThanBase": "quality_gate",
    "Concurrency": "run_rules",
    "ConfigurationError": "checks",
    "CostCeiling": "cost_ceiling",
    "DataFormat": "data_format",
    "DataMixing": "hyperpod",
    "DatasetArrives": "dataset_arrives",
    "EvaluationTask": "evaluation_task",
    "Floor": "quality_gate",
    "GeneralAbilityFloor": "quality_gate",
    "HELD_OUT": "evaluation_task",
    "HyperPod": "hyperpod",
    "InstanceChoice": "instance_choice",
    "JobVpc": "platforms",
    "MinimumSamples": "quality_gate",
    "MlflowTracking": "mlflow_tracking",
    "Notifications": "notifications",
    "NoDeployment": "deployment_targets",
    "NotWorseThanProduction": "quality_gate",
    "NovaCustomization": "customization",
    "OnAlarm": "triggers",
    "OnDemand": "deployment_targets",
    "OnEvent": "triggers",
    "OnSchedule": "triggers",
    "Processor": "evaluation_task",
    "ProvisionedThroughput": "deployment_targets",
    "QualityGate": "quality_gate",
    "SmokePrompt": "deployment_targets",
    "Split": "data_format",
    "TrainingJobs": "platforms",
    "TrainingStage": "training_stage",
}

__all__ = sorted(_HOMES)

# jsii looks for Node.js when aws_cdk is first imported, which happens after this.
use_bundled_node()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
