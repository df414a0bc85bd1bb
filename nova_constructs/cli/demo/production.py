"""Asks what is in production, found as any caller finds it: through the pointer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from nova_constructs.cli.runs import Runs


@dataclass(frozen=True, kw_only=True, slots=True)
class Production:
    """Hold what the pointer shows, and whether it answered; `said` is the answer, or the error instead of one."""

    arn: str
    answers: bool
    said: str

    def as_dict(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return asdict(self)


def ask_production(runs: Runs, prompt: str) -> Production | None:
    """Ask what the pointer shows now; return None where there is nothing in production."""
    from botocore.exceptions import ClientError

    arn = pointed_at(runs)
    if arn is None:
        return None
    try:
        answered = runs.client("bedrock-runtime").converse(
            modelId=arn, messages=[{"role": "user", "content": [{"text": prompt}]}]
        )
    except ClientError as error:
        return Production(arn=arn, answers=False, said=str(error))
    said = "".join(block.get("text", "") for block in answered["output"]["message"]["content"])
    return Production(arn=arn, answers=bool(said.strip()), said=said)


def pointed_at(runs: Runs) -> str | None:
    """Return what the pointer shows, or None where nothing is in production."""
    client = runs.client("ssm")
    try:
        found = client.get_parameter(Name=runs.customization.outputs["PointerParameterName"])
    except client.exceptions.ParameterNotFound:
        return None
    return str(found["Parameter"]["Value"])
