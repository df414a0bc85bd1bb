"""Ask the SageMaker SDK for its CreateTrainingJob requests: run by the Python of the SDK's own environment.

Reads {case: what the SDK is asked for} as JSON from standard input and writes, as JSON, {case: {"request", "recipe"}}:
what the SDK sends for it, and the recipe that it uploads. Nothing leaves the machine: requests to AWS are answered
before they are sent, and no socket may be opened.
"""

from __future__ import annotations

import io
import json
import logging
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

ACCOUNT = "111122223333"
IDENTITY = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    f"<Account>{ACCOUNT}</Account><Arn>arn:aws:iam::{ACCOUNT}:role/Exec</Arn></GetCallerIdentityResult>"
    "</GetCallerIdentityResponse>"
)


def refuse(*where: object, **_: object) -> NoReturn:
    """Stand in for whatever opens a connection."""
    raise AssertionError(f"the SDK opens a connection to {where[-1]!r}")


class Wire:
    """Answer the SDK in place of AWS, and keep the job and the recipe that it sends."""

    def __init__(self) -> None:
        self.request: dict[str, Any] = {}
        self.recipe = ""

    def answer(self, event_name: str, request: Any, **_: object) -> Any:
        """Answer one request: the hook of botocore's before-send."""
        service, operation = event_name.split(".")[1:]
        return _response(request.url, self._answers(service, operation)(request))

    def _answers(self, service: str, operation: str) -> Callable[[Any], str]:
        answers: Mapping[str, Callable[[Any], str]] = {
            "sts.GetCallerIdentity": lambda _: IDENTITY,
            "s3.ListBuckets": lambda _: "<ListAllMyBucketsResult><Buckets></Buckets></ListAllMyBucketsResult>",
            "s3.HeadBucket": lambda _: "",
            "s3.PutObject": self._uploaded,
            "sagemaker.CreateTrainingJob": self._created,
        }
        if f"{service}.{operation}" not in answers:
            raise AssertionError(f"the SDK calls {service}.{operation}, which nothing here answers")
        return answers[f"{service}.{operation}"]

    def _uploaded(self, request: Any) -> str:
        body = request.body
        self.recipe = (body if isinstance(body, bytes) else body.read()).decode()
        return ""

    def _created(self, request: Any) -> str:
        self.request = json.loads(request.body)
        return json.dumps({"TrainingJobArn": f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:training-job/x"})


def _response(url: str, text: str) -> Any:
    from botocore.awsrequest import AWSResponse

    class Raw(io.BytesIO):
        def stream(self, **_: object) -> Any:
            yield self.read()

    return AWSResponse(url, 200, {}, Raw(text.encode()))


def session(wire: Wire) -> Any:
    """Return a session of the SDK that talks to nobody but `wire`."""
    import boto3
    from sagemaker.session import Session

    boto_session = boto3.Session(region_name="us-east-1")
    boto_session.events.register("before-send", wire.answer)
    return Session(boto_session=boto_session)


def ask(wanted: Mapping[str, Any], folder: Path, wire: Wire, sagemaker_session: Any) -> dict[str, Any]:
    """Return what the SDK sends and uploads for a recipe, data channels and arguments of its estimator."""
    from sagemaker.debugger import TensorBoardOutputConfig
    from sagemaker.inputs import TrainingInput
    from sagemaker.pytorch import PyTorch

    wire.request, wire.recipe = {}, ""
    recipe = folder / "recipe.yaml"
    recipe.write_text(json.dumps(wanted["recipe"]), encoding="utf-8")  # JSON is YAML
    arguments = dict(wanted["arguments"])
    if board := arguments.pop("tensorboard_output_config", None):
        arguments["tensorboard_output_config"] = TensorBoardOutputConfig(board["s3_output_path"], board["local_path"])
    estimator = PyTorch(training_recipe=str(recipe), sagemaker_session=sagemaker_session, **arguments)
    channels = {name: TrainingInput(**channel) for name, channel in wanted["channels"].items()}
    estimator.fit(inputs=channels or None, wait=False)
    return {"request": wire.request, "recipe": wire.recipe}


def main() -> None:
    """Answer standard input's cases on standard output."""
    logging.disable(logging.WARNING)
    for name in ("connect", "connect_ex"):
        setattr(socket.socket, name, refuse)
    socket.getaddrinfo = refuse
    cases, answers = json.load(sys.stdin), sys.stdout
    sys.stdout = sys.stderr  # the SDK prints
    wire = Wire()
    only = session(wire)
    with tempfile.TemporaryDirectory() as folder:
        found = {name: ask(wanted, Path(folder), wire, only) for name, wanted in cases.items()}
    json.dump(found, answers)


if __name__ == "__main__":
    main()
