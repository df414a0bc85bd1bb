"""boto3 clients on the emulator's own endpoint."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from nova_constructs.emulator.state import OPERATOR_ACCESS_KEY, OPERATOR_SECRET_KEY, EmulatorState

_CONFIG = Config(
    retries={"mode": "standard", "max_attempts": 2},
    connect_timeout=5,
    read_timeout=1000,  # a function may run for 15 minutes
    s3={"addressing_style": "path"},
    max_pool_connections=50,
)
_RAW = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
_lock = threading.Lock()
_clients: dict[tuple[str, ...], Any] = {}


def operator_client(state: EmulatorState, service: str) -> Any:
    """Return a client with the rights of the account's operator."""
    return client_as(state, service, (OPERATOR_ACCESS_KEY, OPERATOR_SECRET_KEY, ""))


def client_as(state: EmulatorState, service: str, keys: tuple[str, str, str], *, raw: bool = False) -> Any:
    """Return a client with an access key, secret key and session token (empty: none).

    A `raw` client neither retries nor checks parameters: the caller does.
    """
    key = (state.endpoint, state.region, service, *keys, str(raw))
    with _lock:
        if key not in _clients:
            _clients[key] = _session().client(
                service,
                region_name=state.region,
                endpoint_url=state.endpoint,
                aws_access_key_id=keys[0],
                aws_secret_access_key=keys[1],
                aws_session_token=keys[2] or None,
                config=_CONFIG.merge(_RAW) if raw else _CONFIG,
            )
        return _clients[key]


@cache
def _session() -> boto3.session.Session:
    return boto3.session.Session()


def forget_clients() -> None:
    """Close the connections of every client made so far."""
    with _lock:
        for client in _clients.values():
            client.close()
        _clients.clear()
