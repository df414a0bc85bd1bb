"""Who answers, proven by AWS: a request of sts:GetCallerIdentity, signed with the caller's own credentials.

Nothing is sent here. The function that takes the answer redeems the request; it proves one identity for one answer
about one run for a minute, and gives no access to anything.
"""

from __future__ import annotations

import os
from typing import Any

from lambda_handlers.approval.binding import LIFETIME_SECONDS, QUERY, Statement, sts_endpoint


def presign(statement: Statement, credentials: Any, endpoint: str) -> str:
    """Return the address of the presigned request; `credentials` are botocore's."""
    from botocore.auth import SigV4QueryAuth
    from botocore.awsrequest import AWSRequest

    request = AWSRequest("GET", f"{endpoint}/", params=dict(QUERY), headers=statement.headers())
    region = statement.workflow.split(":")[3]
    SigV4QueryAuth(credentials, "sts", region, expires=LIFETIME_SECONDS).add_auth(request)
    return str(request.url)


def identity(statement: Statement) -> str:
    """Return the presigned request of who runs this command, by the standard chain of credentials.

    Raises botocore's NoCredentialsError where there are none.
    """
    import boto3
    from botocore.exceptions import NoCredentialsError

    credentials = boto3.session.Session().get_credentials()
    if credentials is None:
        raise NoCredentialsError
    configured = os.environ.get("AWS_ENDPOINT_URL_STS") or os.environ.get("AWS_ENDPOINT_URL")
    endpoint = sts_endpoint(statement.workflow.split(":")[3], configured)
    return presign(statement, credentials.get_frozen_credentials(), endpoint)
