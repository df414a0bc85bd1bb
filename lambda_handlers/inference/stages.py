"""What batch inference is called, and where what it reads and leaves lies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lambda_handlers.catalog import evaluation_task

BATCH_INFERENCE: Final = "batch-inference"
"""The stage of its job, and the folder of its rows below those of the run."""
BEDROCK: Final = "bedrock"
"""What `through` is where Amazon Bedrock answers, instead of a training job of the evaluation container."""
TASK: Final = "gen_qa"
"""The evaluation by which the container answers rows of one's own (aws-samples; the SDK has no recipe for it alone)."""
ROWS_FILE: Final = evaluation_task(TASK).data_file
RESULTS_FILE: Final = "inference_results.jsonl"
NAMED_PREFIX: Final = "inference/"
"""Below this, in the bucket of artifacts, an execution's input may name a place for results."""


def default_prefix(run_id: str) -> str:
    """Return where the results of a run go in the bucket of artifacts, unless its input names a place."""
    return f"runs/{run_id}/inference/"


def as_task(settings: Mapping[str, Any], data_uri: str) -> dict[str, Any]:
    """Return batch inference as settings of the evaluation that does it, on the rows at `data_uri`."""
    own = ("data", "dataset_uri", "output_buckets", "through")
    kept = {name: value for name, value in settings.items() if name not in own}
    return {"task": TASK, "subtask": None, **kept, "dataset_uri": data_uri}
