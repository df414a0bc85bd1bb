"""What came of a demo, as one object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nova_constructs.cli.demo.production import Production
from nova_constructs.cli.run.details import RunDetails
from nova_constructs.iam_evidence import Permission, PermissionUse

COUNTS = ("in", "out", "rejected", "duplicate", "leaked", "over_limit")


@dataclass(frozen=True, kw_only=True, slots=True)
class IamUse:
    """Hold what the stack's roles were granted, what the run used, and what was denied to anyone."""

    denied: tuple[Mapping[str, str], ...]
    granted: tuple[Permission, ...]
    use: PermissionUse

    def as_dict(self) -> dict[str, Any]:
        """Return the denied calls, the permissions nobody accounts for, and how many there are of each kind."""
        return {
            "denied": list(self.denied),
            "unused": [str(permission) for permission in self.use.unused],
            "granted": len(self.granted),
            "used": len(self.use.used),
            "proven_elsewhere": len(self.use.proven),
            "required_by_aws": len(self.use.required_by_aws),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoResult:
    """Hold everything that the report and `--json` print. `seconds` are real ones."""

    details: RunDetails
    status: str
    platform: str
    model_arn: str | None
    deployment_arn: str | None
    pointer: Mapping[str, Any] | None
    rows: Mapping[str, int]
    prompt: str
    production: Production | None
    iam: IamUse
    seconds: float
    speed: float
    injected: str | None = None
    """What the emulator was told to do wrong in a second run."""
    executions: int = 1

    @property
    def objects(self) -> int:
        """How many objects the dataset of the run has."""
        return len((self.details.summary.get("dataset") or {}).get("objects", ()))

    @property
    def answer(self) -> str | None:
        """What the model of this run answers, if it is the one in production."""
        live = self.production if self.status == "SUCCEEDED" and self.pointer else None
        return live.said if live and live.answers else None

    def as_dict(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return {
            "status": self.status,
            "run_id": self.details.run_id,
            "error": self.details.error,
            "cause": self.details.cause,
            "platform": self.platform,
            "model_arn": self.model_arn,
            "deployment_arn": self.deployment_arn,
            "pointer": _pointer(self.pointer),
            "rows": dict(self.rows),
            "objects": self.objects,
            "executions": self.executions,
            "jobs": [dict(job) for job in self.details.jobs],
            "transitions": self.details.transitions,
            "scores": self.details.summary.get("scores"),
            "gate": self.details.summary.get("gate"),
            "prompt": self.prompt,
            "answer": self.answer,
            "production": self.production.as_dict() if self.production else None,
            "injected": self.injected,
            "seconds": round(self.seconds, 2),
            "iam": self.iam.as_dict(),
        }


def build_result(
    details: RunDetails,
    *,
    platform: str,
    prompt: str,
    production: Production | None,
    iam: IamUse,
    seconds: float,
    speed: float,
    pointer: Mapping[str, Any] | None = None,
    injected: str | None = None,
    executions: int = 1,
) -> DemoResult:
    """Put the parts together; what the run never came to is None, and its counts are 0.

    `pointer` is what production was before and after a run that does not tell, because it moved nothing.
    """
    told = details.summary
    rows = told.get("rows") or {}
    return DemoResult(
        details=details,
        status=details.status,
        platform=platform,
        model_arn=told.get("model_arn"),
        deployment_arn=told.get("deployment_arn"),
        pointer=told.get("pointer") or pointer,
        rows={name: int(rows.get(name, 0)) for name in COUNTS},
        prompt=prompt,
        production=production,
        iam=iam,
        seconds=seconds,
        speed=speed,
        injected=injected,
        executions=executions,
    )


def _pointer(pointer: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return {key: pointer.get(key) for key in ("name", "before", "after")} if pointer else None
