"""The KMS key of data, volumes and output: that it is there, enabled, and of a kind that encrypts."""

from __future__ import annotations

from typing import Any

from lambda_handlers.checks.findings import Findings
from lambda_handlers.protocol.errors import error_code, service_errors

_ADVICE = {
    "Disabled": "enable it",
    "PendingDeletion": "cancel its deletion and enable it",
    "PendingImport": "import its key material",
    "Unavailable": "connect its key store",
}


def check(findings: Findings, kms: Any, key_arn: str, region: str) -> None:
    """Note why a key cannot be used by jobs of the Region; a warning where it may not be looked at."""
    try:
        with service_errors():
            key = kms.describe_key(KeyId=key_arn)["KeyMetadata"]
    except Exception as error:
        if error_code(error) == "NotFoundException":
            findings.problem(f"The KMS key {key_arn} does not exist.")
        elif error_code(error) in ("AccessDenied", "AccessDeniedException"):
            findings.warn(f"The KMS key {key_arn} was not checked: kms:DescribeKey is denied.")
        else:
            raise
        return
    state = key.get("KeyState", "Enabled")
    if state != "Enabled":
        findings.problem(f"The KMS key {key_arn} is {state}: {_ADVICE.get(state, 'wait until it is Enabled')}.")
    if key.get("KeyUsage", "ENCRYPT_DECRYPT") != "ENCRYPT_DECRYPT":
        findings.problem(f"The KMS key {key_arn} is for {key['KeyUsage']}: give one for ENCRYPT_DECRYPT.")
    elif key.get("KeySpec", "SYMMETRIC_DEFAULT") != "SYMMETRIC_DEFAULT":
        findings.problem(f"The KMS key {key_arn} is {key['KeySpec']}: give a symmetric one (SYMMETRIC_DEFAULT).")
    if key["Arn"].split(":")[3] != region:
        findings.problem(f"The KMS key {key_arn} is in another Region than the jobs: give one of {region}.")
