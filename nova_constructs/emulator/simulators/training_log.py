"""What the training and evaluation containers write to their logs, and when.

The lines that report steps have the form of lines of real Nova training jobs (docs/logs.md); all others are made up.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_REPORTED_STEPS = 50
"""Most steps that are reported; a longer training reports every so many."""
_FIRST, _LAST = 0.02, 0.98
_DEFAULT_RATE = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedLine:
    """One line: written by an instance (1 and up) after a share of the job's time in Training."""

    share: float
    text: str
    node: int = 1


Script = Sequence[ScriptedLine]


def training_script(
    config: Mapping[str, Any], *, rows: int, steps: int, seconds: float, nodes: int, platform: str
) -> Script:
    """Return the lines of a training, in the order of time; `config` is the recipe's training_config.

    `platform` is that of the container: on HyperPod, `hp`, reinforcement writes the lines of the others and its score.
    """
    report = _loss_step
    if "rollout" in config:
        report = _scored_step if platform == "hp" else _reward_step
    lines = [ScriptedLine(share=0.0, text=f"Loaded {rows} training samples", node=node) for node in _nodes(nodes)]
    every = math.ceil(steps / _REPORTED_STEPS)
    for step in sorted({*range(0, steps, every), steps - 1}):
        done = (step + 1) / steps
        values = _values(config, rows=rows, step=step, steps=steps, seconds=seconds)
        lines.append(ScriptedLine(share=_FIRST + (_LAST - _FIRST) * done, text=report(values)))
    for node in range(2, nodes + 1):
        lines.append(ScriptedLine(share=0.5, text=f"Node {node} of {nodes} is in step with node 1", node=node))
    lines += [ScriptedLine(share=1.0, text="Training completed", node=node) for node in _nodes(nodes)]
    return sorted(lines, key=lambda line: line.share)


def evaluation_script(model: str, task: object) -> Script:
    """Return the lines of an evaluation."""
    return [
        ScriptedLine(share=0.0, text=f"Evaluating {model} on {task}"),
        ScriptedLine(share=1.0, text="Evaluation completed"),
    ]


def _nodes(count: int) -> Iterator[int]:
    yield from range(1, count + 1)


def _values(config: Mapping[str, Any], *, rows: int, step: int, steps: int, seconds: float) -> dict[str, float]:
    done = (step + 1) / steps
    batch = int(config.get("global_batch_size") or 1)
    rate = _learning_rate(config) or _DEFAULT_RATE
    return {
        "step": step,
        "steps": steps,
        "epoch": step * batch // max(1, rows),
        "batch": batch,
        "rate": rate * min(1.0, (step + 1) / max(1.0, steps / 10)),
        "loss": 2.0 * math.exp(-2.0 * done),
        "reward": 1.0 - math.exp(-2.0 * done),
        "seconds": seconds * (_LAST - _FIRST) / steps,
        "samples": (step + 1) * batch,
    }


def _loss_step(values: Mapping[str, float]) -> str:
    return (
        "Training epoch {epoch}, iteration {step}/{last} | lr: {rate:.4g} | global_batch_size: {batch} | "
        "global_step: {step} | reduced_train_loss: {loss:.4g} | train_step_timing in s: {seconds:.4g} | "
        "consumed_samples: {samples}"
    ).format(**values, last=int(values["steps"]) - 1)


def _scored_step(values: Mapping[str, float]) -> str:
    return _loss_step(values) + f" | train_rm_score: {values['reward']:.4g}"


def _reward_step(values: Mapping[str, float]) -> str:
    return (
        "\x1b[36m(TaskRunner pid=12647)\x1b[0m step:{number} - actor/pg_loss:0.0 - actor/lr:{rate:.4g} - "
        "training/global_step:{number} - training/epoch:{epoch} - critic/score/mean:{reward:.6g} - "
        "critic/rewards/mean:{reward:.6g} - critic/rewards/max:1.0 - critic/rewards/min:-1.0"
    ).format(**values, number=int(values["step"]) + 1)


def _learning_rate(section: Mapping[str, Any]) -> float | None:
    """Return the learning rate from wherever the recipe's family keeps it."""
    for key, value in section.items():
        if key == "lr" and isinstance(value, (int, float)):
            return float(value)
        if isinstance(value, Mapping) and (found := _learning_rate(value)) is not None:
            return found
    return None
