"""How others have the intake look for what is due (lambda:InvokeFunction, dynamodb:Query)."""

from __future__ import annotations

import json

from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.errors import service_errors
from lambda_handlers.protocol.store import ItemStore
from lambda_handlers.starting.arrivals import Arrivals


def have_dispatched(function_name: str, store: ItemStore) -> bool:
    """Call the function if anything has arrived that is not settled; return whether it has."""
    if not Arrivals(store).triggers():
        return False
    with service_errors():
        client("lambda").invoke(
            FunctionName=function_name, InvocationType="Event", Payload=json.dumps({"dispatch": True}).encode()
        )
    return True
