"""What is true of Amazon Nova: models, methods, tasks, platforms, instances, regions, images and what goes together.

Pure data with types. Names are looked up in any letter case; an unknown one raises `UnknownNameError`, which names the
nearest.
"""

from __future__ import annotations

from lambda_handlers.catalog import combinations, data_mixing, images, instances, regions
from lambda_handlers.catalog.evaluations import EVALUATION_TASKS, EvaluationTask, evaluation_task
from lambda_handlers.catalog.lookup import UnknownNameError
from lambda_handlers.catalog.methods import METHODS, Technique, TrainingMethod, method
from lambda_handlers.catalog.models import MODELS, NovaModel, model
from lambda_handlers.catalog.platforms import DeployTarget, Platform, deploy_target, platform

__all__ = [
    "EVALUATION_TASKS",
    "METHODS",
    "MODELS",
    "DeployTarget",
    "EvaluationTask",
    "NovaModel",
    "Platform",
    "Technique",
    "TrainingMethod",
    "UnknownNameError",
    "combinations",
    "data_mixing",
    "deploy_target",
    "evaluation_task",
    "images",
    "instances",
    "method",
    "model",
    "platform",
    "regions",
]
