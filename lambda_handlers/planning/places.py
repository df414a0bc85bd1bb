"""Where a run keeps what: names of the infrastructure that a plan refers to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lambda_handlers.evaluation.stages import set_key
from lambda_handlers.inference.stages import BATCH_INFERENCE, ROWS_FILE
from lambda_handlers.training.job import output_uri


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Buckets of the customization, the role of its jobs, the key of its data.

    `import_role_arn` is the role of imports, if it deploys; `batch_role_arn` that of Bedrock's jobs, if they answer
    rows; `tracking_probes` are the functions that ask a server from the VPC of jobs, as TrackingProbes has them.
    """

    slug: str
    region: str
    prepared_bucket: str
    artifacts_bucket: str
    role_arn: str
    key_arn: str
    import_role_arn: str = ""
    tracking_probes: Sequence[Mapping[str, Any]] = ()
    batch_role_arn: str = ""

    def train_uri(self, run_id: str, further: str | None = None) -> str:
        """Return where the prepared training data of a run will be, or that of its further stage of this name."""
        return f"{self._prepared(run_id, further)}train.jsonl"

    def evaluation_set_uri(self, run_id: str, task: str) -> str:
        """Return where the rows of an evaluation with data of one's own will be, as they are frozen for the run."""
        return f"s3://{self.prepared_bucket}/{set_key(run_id, task)}"

    def inference_rows_uri(self, run_id: str) -> str:
        """Return where the rows of a batch inference will be, once they are prepared."""
        return f"{self._prepared(run_id, BATCH_INFERENCE)}{ROWS_FILE}"

    def validation_uri(self, run_id: str, config: Mapping[str, Any], further: str | None = None) -> str | None:
        """Return where the rows for validation will be, if the settings of the customization or stage put any aside."""
        shares = config.get("split") or {}
        return f"{self._prepared(run_id, further)}validation.jsonl" if shares.get("validation") else None

    def _prepared(self, run_id: str, further: str | None) -> str:
        return f"s3://{self.prepared_bucket}/runs/{run_id}/{f'{further}/' if further else ''}"

    def output_uri(self, run_id: str) -> str:
        """Return where the jobs of a run write."""
        return output_uri(self.artifacts_bucket, run_id)

    def hub_prefix(self, run_id: str) -> str:
        """Return the prefix of the keys, in the artifacts bucket, of what the hub gave a run."""
        return f"runs/{run_id}/hub/"

    def hub_uri(self, run_id: str) -> str:
        """Return the folder of what the hub gave a run."""
        return f"s3://{self.artifacts_bucket}/{self.hub_prefix(run_id)}"

    def recipe_prefix_uri(self, run_id: str, stage: str) -> str:
        """Return the folder of a stage's recipe."""
        return f"s3://{self.artifacts_bucket}/runs/{run_id}/{stage}/recipe/"
