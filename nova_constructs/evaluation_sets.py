"""The evaluation sets of a run: rows of your own, checked and frozen before anything is bought.

Input: `$.plan`; the run's own rows, where they are the set. Output: `$.evaluation_sets`, for each task with data of
your own where its rows are, their SHA-256 and their number. Errors: `EvaluationFailed`.

The candidate and the models it is compared with are asked these rows and no others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aws_cdk import Duration
from constructs import Construct

from nova_constructs.artifact_store import EVALUATION_PREFIX
from nova_constructs.data_format import DataFormat
from nova_constructs.evaluation_branch import settings_of
from nova_constructs.evaluation_task import EvaluationTask
from nova_constructs.handler_function import HandlerFunction
from nova_constructs.lambda_task import RUN, lambda_task
from nova_constructs.stage import Stage, Workshop


class EvaluationSets(Stage):
    """Freezes the sets. Attribute: `freeze`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        workshop: Workshop,
        model: str,
        tasks: Sequence[EvaluationTask],
        data: DataFormat,
    ) -> None:
        """Create the stage; `tasks` are those with data of your own, one at least."""
        super().__init__(scope, construct_id)
        self.freeze = self._freezer(workshop)
        self.run_in_order(
            lambda_task(
                self,
                "FreezeEvaluationSets",
                function=self.freeze,
                payload={
                    **RUN,
                    "plan.$": "$.plan",
                    "tasks": [settings_of(task, workshop.store) for task in tasks],
                    "config": {"model": model, "max_reject_ratio": data.max_reject_ratio},
                },
                result_path="$.evaluation_sets",
            )
        )

    def _freezer(self, workshop: Workshop) -> HandlerFunction:
        store = workshop.store
        function = looking_back(
            self,
            "Freeze",
            "freeze_evaluation_sets",
            workshop,
            {"PREPARED_BUCKET": store.prepared.bucket_name},
            third_party=True,
            timeout=Duration.minutes(15),
            memory_mib=1769,  # one whole vCPU
        )
        for sid, bucket, pattern in (
            ("EvaluationSets", store.incoming, f"{EVALUATION_PREFIX}*"),
            ("PreparedData", store.prepared, "runs/*"),
        ):
            function.read_objects(f"Find{sid}", bucket, pattern)
            function.read_objects(f"Read{sid}", bucket, pattern, action="s3:GetObjectVersion")
        function.write_objects("WriteEvaluationSets", store.prepared, "runs/*/evaluation-sets/*")
        return function


def looking_back(
    scope: Construct,
    construct_id: str,
    handler: str,
    workshop: Workshop,
    environment: dict[str, str],
    **settings: Any,
) -> HandlerFunction:
    """Return a function that sees which run made production, and what runs have left in the ledger."""
    control, ledger = workshop.control, workshop.ledger
    known = {**environment, **control.environment, **ledger.environment}
    known["RUN_LEDGER_TABLE"] = ledger.table.table_name
    function = HandlerFunction(scope, construct_id, handler=handler, environment=known, **settings)
    function.use_table("ReadPointer", control.table, "GetItem")
    function.use_table("ReadRuns", ledger.table, "Query")
    ledger.grant_append(function)
    return function
