"""Scores that are known already: the same model, asked the same by the same recipe, is not evaluated again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from lambda_handlers.checks.function import code_of
from lambda_handlers.protocol.errors import error_code, service_errors
from lambda_handlers.protocol.names import canonical, sha256

PREFIX: Final = "evaluations/"
"""Where records lie in the bucket of artifacts."""
# What of a task's settings decides on its scores; where the job runs does not.
_DECIDING: Final = ("task", "subtask", "overrides", "processor", "reward_function")


def key_of(event: Mapping[str, Any]) -> str | None:
    """Return the key of a record: by the model's path, the task's settings, the content of its set, and the recipes.

    None where scores cannot be taken for known: a function of one's own scores, and its code may be another by now.
    The payload has `task`, `subject`, `hub_content_version`, `config` (`model`; `code_version` where the recipe comes
    with our code) and, for data of one's own, `set`.
    """
    found = contents(event)
    if found["functions"] is None:
        return None
    dataset = (event.get("set") or {}).get("sha256")
    identity = {**found["recipe"], "model_path": found["model"], "dataset_sha256": dataset}
    return f"{PREFIX}{sha256(identity)}.json"


def contents(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides on scores, by parts; `functions` is None where a function's code may be another by now.

    The payload is that of `key_of`.
    """
    settings, config, own = event["task"], event["config"], event.get("set")
    return {
        "recipe": {
            **{name: settings.get(name) for name in _DECIDING},
            "model": config["model"],
            "code_version": config.get("code_version"),
            "hub_content_version": event.get("hub_content_version"),
        },
        "model": event["subject"]["model_path"],
        "data": own.get("sha256") if own else "the task's",
        "functions": code_of(settings),
    }


def keep(s3: Any, bucket: str, key: str | None, record: Mapping[str, Any]) -> None:
    """Write a record, where it has a key."""
    if key is None:
        return
    with service_errors():
        s3.put_object(Bucket=bucket, Key=key, Body=canonical(record).encode())


def find(s3: Any, bucket: str, key: str | None) -> dict[str, Any] | None:
    """Return a record, or None where nobody has measured that yet."""
    if key is None:
        return None
    try:
        with service_errors():
            return dict(json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read()))
    except Exception as error:
        if error_code(error) != "NoSuchKey":
            raise
        return None
