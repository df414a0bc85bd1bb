"""An MLflow server that is not SageMaker's, asked whether it is there: by the plan, or from the VPC of the jobs."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException, HTTPSConnection
from typing import Any, Final
from urllib.parse import urlsplit

from lambda_handlers.catalog import mlflow
from lambda_handlers.protocol.errors import InvalidRequest

SECONDS: Final = 10.0
"""For everything from the look-up of the name to the answer; the plan waits 20 for the function that asks."""


def health(uri: str) -> str:
    """Return the address that is asked; MLflow answers it without credentials."""
    return f"{uri.rstrip('/')}/health"


def answers(uri: str, seconds: float = 5.0) -> int:
    """Return the HTTP status that a server answers with: its certificate is verified, no redirect is followed.

    `seconds` bounds each step. Raises OSError or HTTPException where there is no answer.
    """
    found = urlsplit(health(uri))
    context = ssl.create_default_context()
    connection = HTTPSConnection(found.hostname or "", found.port, timeout=seconds, context=context)
    try:
        connection.request("GET", found.path)
        return connection.getresponse().status
    finally:
        connection.close()


def probe(
    event: Mapping[str, Any], *, ask: Callable[[str], int] = answers, seconds: float = SECONDS
) -> dict[str, int | str]:
    """Return the `status` that the server at `event["uri"]` answers with, or the `error` for which it does not.

    Raises InvalidRequest for what is no address of a server, so that nothing but https is ever spoken.
    """
    uri = event["uri"]
    if problem := mlflow.uri_problem(uri):
        raise InvalidRequest(problem)
    # A name that is looked up, or addresses that are tried one by one, know no common limit: hence the thread.
    pool = ThreadPoolExecutor(max_workers=1)
    try:
        return {"status": pool.submit(ask, uri).result(timeout=seconds)}
    except (OSError, HTTPException) as error:
        return {"error": str(error) or f"no answer within {seconds:g} seconds"}
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
