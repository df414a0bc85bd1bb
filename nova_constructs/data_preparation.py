"""The data stage: a dataset becomes validated training data, nothing lost.

Input: `$.plan.dataset`. Output: `$.data` with the location of the training file, the six counts and the manifest.
Errors: `DatasetRejected`, `DataPreparationFailed`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aws_cdk import Duration
from constructs import Construct

from nova_constructs.artifact_store import DATASETS_PREFIX, UPLOADS_PREFIX
from nova_constructs.handler_function import HandlerFunction
from nova_constructs.lambda_task import RUN, lambda_task
from nova_constructs.stage import Stage, Workshop


@dataclass(frozen=True, kw_only=True, slots=True)
class DataFormat:
    """How rows are read.

    `columns` maps the standard names (`question`, `answer`, `system`) to those of the file; equal names need
    no mapping. `system_prompt` is added to every row when given. `max_reject_ratio` (default 0.01) is the share of rows
    that may be faulty before the run is refused.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    system_prompt: str | None = None
    max_reject_ratio: float = 0.01

    def problems(self) -> list[str]:
        """Return what cannot work."""
        if 0 <= self.max_reject_ratio <= 1:
            return []
        return [f"max_reject_ratio is {self.max_reject_ratio}: use a share between 0 and 1"]

    def config(self) -> dict[str, Any]:
        """Return the format as the functions read it."""
        return {
            "columns": dict(self.columns),
            "system_prompt": self.system_prompt,
            "max_reject_ratio": self.max_reject_ratio,
        }


class DataPreparation(Stage):
    """Transforms and validates the dataset. Attribute: `prepare`."""

    def __init__(
        self, scope: Construct, construct_id: str, *, workshop: Workshop, model: str, method: str, data: DataFormat
    ) -> None:
        super().__init__(scope, construct_id)
        store = workshop.store
        self.prepare = HandlerFunction(
            self,
            "Prepare",
            handler="prepare_data",
            third_party=True,
            timeout=Duration.minutes(15),
            memory_mib=1769,  # one whole vCPU
            environment={
                **workshop.ledger.environment,
                "PREPARED_BUCKET": store.prepared.bucket_name,
                "QUARANTINE_BUCKET": store.quarantine.bucket_name,
            },
        )
        datasets = (f"{DATASETS_PREFIX}*", f"{UPLOADS_PREFIX}*")
        self.prepare.read_objects("ReadDataset", store.incoming, *datasets, action="s3:GetObjectVersion")
        self.prepare.write_objects("WritePreparedData", store.prepared, "runs/*", multipart=True)
        self.prepare.write_objects("WriteQuarantine", store.quarantine, "runs/*", multipart=True)
        workshop.ledger.grant_append(self.prepare)
        config = {"model": model, "method": method, **data.config()}
        self.run_in_order(
            lambda_task(
                self,
                "PrepareData",
                function=self.prepare,
                payload={**RUN, "dataset.$": "$.plan.dataset", "config": config},
                result_path="$.data",
            )
        )
