"""What a training job may be asked, as the service's own model has it, so that it is not the create call that says so.

Source: SageMaker API reference, CreateTrainingJob, StoppingCondition, ResourceConfig and VpcConfig. Synth says the same
of values that it knows; of tokens it knows nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from lambda_handlers.checks.findings import Findings

_DAY: Final = 86400
_LIMITS: Final[tuple[tuple[str, int, int, str], ...]] = (
    ("instance_count", 1, 2**31 - 1, ""),
    ("max_runtime_seconds", 1, 28 * _DAY, " seconds"),
    ("max_pending_seconds", 1800, 28 * _DAY, " seconds"),
    ("volume_size_gb", 1, 16384, " GB"),
    ("keep_alive_seconds", 1, 6 * 3600, " seconds"),
)
_JOB_NAME: Final = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
_VPC_IDS: Final[tuple[tuple[str, int, str], ...]] = (("subnets", 16, "subnet-"), ("security_groups", 5, "sg-"))


def check(findings: Findings, settings: Mapping[str, Any], subject: str) -> None:
    """Note the settings of a job that the service would refuse, each under its subject ("training")."""
    for text in (*_numbers(settings), *_vpc(settings.get("vpc") or {})):
        findings.problem(f"{subject}: {text}")


def check_name(findings: Findings, name: str) -> None:
    """Note a job name that the service would refuse."""
    if not _JOB_NAME.fullmatch(name):
        rule = "1 to 63 letters, digits and inner hyphens"
        findings.problem(
            f'The jobs would be called "{name}"; allowed: {rule}. Shorten or change the customization\'s name.'
        )


def _numbers(settings: Mapping[str, Any]) -> Iterator[str]:
    for name, least, most, unit in _LIMITS:
        value = settings.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            yield f"{name} is {value!r}; allowed: a whole number"
        elif not least <= value <= most:
            yield f"{name} is {value}; allowed: {least} to {most}{unit}"


def _vpc(vpc: Mapping[str, Any]) -> Iterator[str]:
    for name, most, prefix in _VPC_IDS if vpc else ():
        given = vpc.get(name) or ()
        if not 1 <= len(given) <= most:
            yield f"vpc.{name} has {len(given)} ids; allowed: 1 to {most}"
        for each in given:
            if not str(each).startswith(prefix):
                yield f"vpc.{name} names {each!r}; allowed: an id such as {prefix}0123456789abcdef0"
