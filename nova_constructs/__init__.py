"""AWS CDK constructs that customize Amazon Nova models.

Names are loaded when first used, so that importing this package costs nothing where no CDK is needed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from nova_constructs.node_runtime import use_bundled_node

if TYPE_CHECKING:
    from lambda_handlers.datasets.preparation import Split as Split
    from nova_constructs.checks import ConfigurationError as ConfigurationError
    from nova_constructs.cost_ceiling import CostCeiling as CostCeiling
    from nova_constructs.customization import NovaCustomization as NovaCustomization
    from nova_constructs.data_format import DataFormat as DataFormat
    from nova_constructs.deployment import NoDeployment as NoDeployment
    from nova_constructs.deployment import OnDemand as OnDemand
    from nova_constructs.evaluation import EvaluationTask as EvaluationTask
    from nova_constructs.platforms import JobVpc as JobVpc
    from nova_constructs.platforms import TrainingJobs as TrainingJobs
    from nova_constructs.quality_gate import GateCriteria as GateCriteria
    from nova_constructs.quality_gate import GateCriterion as GateCriterion

_HOMES = {
    "ConfigurationError": "checks",
    "CostCeiling": "cost_ceiling",
    "DataFormat": "data_format",
    "EvaluationTask": "evaluation",
    "GateCriteria": "quality_gate",
    "GateCriterion": "quality_gate",
    "JobVpc": "platforms",
    "NoDeployment": "deployment",
    "NovaCustomization": "customization",
    "OnDemand": "deployment",
    "Split": "data_format",
    "TrainingJobs": "platforms",
}

__all__ = sorted(_HOMES)

# jsii looks for Node.js when aws_cdk is first imported, which happens after this.
use_bundled_node()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
