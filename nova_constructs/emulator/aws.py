"""boto3 clients on the emulator's own endpoint."""

from __future__ import annotations

import threading
from collections import OrderedDict
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
_lock = threading.Lock()
_clients: OrderedDict[tuple[str, ...], Any] = OrderedDict()
KEPT = 128
"""Clients kept for their next use; each takes a quarter of a megabyte, and each job has a few of its own."""


def operator_client(state: EmulatorState, service: str) -> Any:
    """Return a client with the rights of the account's operator."""
    return client_as(state, service, (OPERATOR_ACCESS_KEY, OPERATOR_SECRET_KEY, ""))


def client_as(
    state: EmulatorState, service: str, keys: tuple[str, str, str], *, retries: bool = True, checks: bool = True
) -> Any:
    """Return a client with an access key, secret key and session token (empty: none).

    Without `retries` every call is made once; without `checks` parameters go to the server as they are.
    """
    key = (state.endpoint, state.region, service, *keys, str(retries), str(checks))
    with _lock:
        if key in _clients:
            _clients.move_to_end(key)
        else:
            _clients[key] = _session().client(
                service,
                region_name=state.region,
                endpoint_url=state.endpoint,
                aws_access_key_id=keys[0],
                aws_secret_access_key=keys[1],
                aws_session_token=keys[2] or None,
                config=_config(retries, checks),
            )
            if len(_clients) > KEPT:
                _clients.popitem(last=False)  # whoever still uses it goes on; its connections go with it
        return _clients[key]


def _config(retries: bool, checks: bool) -> Config:
    attempts = {} if retries else {"retries": {"total_max_attempts": 1}}
    return _CONFIG.merge(Config(parameter_validation=checks, **attempts))


@cache
def _session() -> boto3.session.Session:
    return boto3.session.Session()


def forget_clients() -> None:
    """Close the connections of every client made so far."""
    with _lock:
        for client in _clients.values():
            client.close()
        _clients.clear()
