"""Turn what an evaluation job left into the record that the gate, the ledger and later runs read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambda_handlers.evaluation import known_scores
from lambda_handlers.evaluation.gate.criteria import CANDIDATE
from lambda_handlers.evaluation.output import Output, copy_tensorboard, read_output, scores_in
from lambda_handlers.evaluation.results_file import Measured
from lambda_handlers.evaluation.stages import stage_name
from lambda_handlers.protocol.errors import EvaluationFailed, service_errors
from lambda_handlers.protocol.ledger import Ledger
from lambda_handlers.training.job_output import JobOutput


def read_evaluation(event: Mapping[str, Any], *, s3: Any, artifacts_bucket: str, ledger: Ledger) -> dict[str, Any]:
    """Return the record of one evaluation and keep it: in the ledger, and for runs that evaluate the same again.

    The payload has `run`, `task`, `submitted`, `subject` (the model that was evaluated: `model` and `model_path`) and,
    for data of one's own, `set`. Raises EvaluationFailed naming what is missing.
    """
    task, run_id = event["task"], event["run"]["id"]
    stage = stage_name(task)
    record = _record(event, s3, artifacts_bucket, f"runs/{run_id}/{stage}/tensorboard")
    known_scores.keep(s3, artifacts_bucket, known_scores.key_of(event), record)
    ledger.append(run_id=run_id, event_id=f"{stage}-read", type="evaluation_read", detail=record)
    return record


def _record(event: Mapping[str, Any], s3: Any, bucket: str, tensorboard: str) -> dict[str, Any]:
    task, submitted, frozen = event["task"], event["submitted"], event.get("set")
    left, name, subtask = JobOutput.of(submitted), task["task"], task.get("subtask")

    def copy(path: str, content: bytes) -> None:
        with service_errors():
            s3.put_object(Bucket=bucket, Key=f"{tensorboard}/{path}", Body=content)

    output = read_output(s3, left, name)
    scores = scores_in(output, left, name, subtask)
    whole = scores.whole.as_dict()
    whole["samples"] = _samples(name, scores.whole, output, frozen)
    if task.get("tensorboard"):
        copy_tensorboard(s3, left, name, copy)
    return {
        "task": name,
        "subtask": subtask,
        "model": (event.get("subject") or {}).get("model", CANDIDATE),
        **whole,
        "subtasks": {part: measured.as_dict() for part, measured in scores.subtasks.items()},
        "dataset_sha256": frozen["sha256"] if frozen else None,
        "results_uri": scores.results_uri,
        "raw_uri": left.uri,
        **({"tensorboard_uri": f"s3://{bucket}/{tensorboard}/"} if task.get("tensorboard") else {}),
        "job": submitted["job"],
    }


def _samples(task: str, whole: Measured, output: Output, frozen: Mapping[str, Any] | None) -> int | None:
    """Return on how many samples the scores rest; raise EvaluationFailed for none, or fewer than there are rows."""
    told = [count for count in (output.answered, whole.samples) if count is not None]
    if 0 in told:
        raise EvaluationFailed(f"The evaluation {task} rests on no sample: its scores say nothing.")
    if frozen is None:
        return whole.samples
    # gen_qa leaves one answer for each row; judges and reward functions may leave several lines, but not fewer.
    for count in told:
        if count < frozen["rows"] or (task == "gen_qa" and count != frozen["rows"]):
            raise EvaluationFailed(
                f"The evaluation {task} is partial: it has {count} answers to {frozen['rows']} rows of {frozen['uri']}."
            )
    return int(frozen["rows"])
