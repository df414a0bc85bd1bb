"""What an error of boto3 means to the person at the command line. Imports botocore only if it is already loaded."""

from __future__ import annotations

import sys

from nova_constructs.cli.errors import BadInputError, CommandError

_SET_CREDENTIALS = (
    "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or export what `nova emulate` prints"
)


def explain(error: Exception) -> CommandError | None:
    """Return the message for an AWS error, or None for an error that is not one."""
    botocore = sys.modules.get("botocore.exceptions")
    if botocore is None:
        return None
    if isinstance(error, (botocore.NoCredentialsError, botocore.PartialCredentialsError, botocore.ProfileNotFound)):
        return BadInputError(f"there are no AWS credentials to use: {error}", do=_SET_CREDENTIALS)
    if isinstance(error, botocore.NoRegionError):
        return BadInputError("no AWS region is set", do="set AWS_REGION, for example AWS_REGION=us-east-1")
    if isinstance(error, (botocore.ConnectionError, botocore.HTTPClientError)):
        return BadInputError(
            f"AWS cannot be reached: {error}",
            do="check the network and AWS_ENDPOINT_URL; with the emulator, check that `nova emulate` is running",
        )
    if isinstance(error, botocore.ClientError):
        code = error.response.get("Error", {}).get("Code", "Unknown")
        return CommandError(f"AWS refused {error.operation_name} with {code}: {_message(error)}")
    return None


def _message(error: Exception) -> str:
    response: dict[str, dict[str, str]] = getattr(error, "response", {})
    return response.get("Error", {}).get("Message", str(error))
