"""A server with the simulated services on a fast clock, without policy evaluation, for tests of the services alone."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.core.base_backend import BackendDict

from nova_constructs.emulator import server, simulators
from nova_constructs.emulator.clock import SimulatedClock
from nova_constructs.emulator.iam.errors import AccessDeniedError
from nova_constructs.emulator.simulation import Simulation
from nova_constructs.emulator.simulators.faults import Faults
from nova_constructs.emulator.state import EmulatorState

_SESSION = boto3.session.Session()
ACCOUNT, REGION = "123456789012", "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/Execution"
IMAGE = "708977205387.dkr.ecr.us-east-1.amazonaws.com/nova-fine-tune-repo:SM-TJ-SFT-V2-latest"
EVALUATION_IMAGE = "708977205387.dkr.ecr.us-east-1.amazonaws.com/nova-evaluation-repo:SM-TJ-Eval-V2-latest"
RECIPE = """
run: {name: demo, model_type: "amazon.nova-2-lite-v1:0:256k", model_name_or_path: nova-lite-2/prod, replicas: 4}
training_config: {max_steps: 40, global_batch_size: 32, peft: {peft_scheme: lora}}
"""


@dataclass(slots=True, kw_only=True)
class World(EmulatorState):
    """Emulator state that keeps events and the calls made under roles; `refuse` makes such calls fail."""

    events: list[dict[str, Any]] = field(default_factory=list)
    acted: list[tuple[str, str, str]] = field(default_factory=list)
    refuse: set[str] = field(default_factory=set)

    def boto_client_as(self, role_arn: str, service_principal: str, service: str, source_arn: str) -> Any:
        """Return a client that notes each call."""
        if "sts:AssumeRole" in self.refuse:
            raise AccessDeniedError("the trust policy does not allow it")
        client = self.client(service)
        client.meta.events.register("before-call", lambda model, **_: self._note(role_arn, service, model.name))
        return client

    def client(self, service: str) -> Any:
        """Return the operator's client."""
        return _SESSION.client(
            service,
            region_name=REGION,
            endpoint_url=self.endpoint,
            aws_access_key_id="AKIAOPERATOR00000000",
            aws_secret_access_key="secret",
            config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
        )

    def _note(self, role_arn: str, service: str, operation: str) -> None:
        self.acted.append((role_arn, service, operation))
        if f"{service}:{operation}" in self.refuse:
            error = {"Code": "AccessDeniedException", "Message": f"{role_arn} is not authorized"}
            raise ClientError({"Error": error}, operation)


@contextmanager
def running(simulation: Simulation | None = None, speed: float = 20_000.0) -> Iterator[World]:
    """Serve the simulated services."""
    BackendDict.reset()
    world = World(
        account=ACCOUNT,
        region=REGION,
        clock=SimulatedClock(speed),
        faults=Faults(),
        simulation=simulation or Simulation(),
    )
    world.put_service_event = lambda source, kind, detail, resources=(): world.events.append(
        {"source": source, "detail-type": kind, "detail": dict(detail), "resources": list(resources)}
    )
    undo_services = simulators.install(world)
    undo_server = server.install(world, server.listen(0))
    try:
        yield world
    finally:
        undo_services()
        undo_server()
        world.clock.stop()


def conversation(question: str, answer: str) -> bytes:
    """Return one line in the Converse format."""
    turns = [{"role": role, "content": [{"text": text}]} for role, text in (("user", question), ("assistant", answer))]
    return json.dumps({"schemaVersion": "bedrock-conversation-2024", "messages": turns}).encode() + b"\n"


def dataset(rows: int = 10) -> bytes:
    """Return rows of questions about numbers."""
    return b"".join(conversation(f"What is {number} plus {number}?", f"It is {2 * number}.") for number in range(rows))


def prepare(world: World, data: bytes | None = None, recipe: str = RECIPE) -> Any:
    """Make the bucket `work` with data and recipe; return the S3 client."""
    s3 = world.client("s3")
    s3.create_bucket(Bucket="work")
    s3.put_object(Bucket="work", Key="run/train.jsonl", Body=dataset() if data is None else data)
    s3.put_object(Bucket="work", Key="run/recipe/recipe.yaml", Body=recipe.encode())
    return s3


def channel(name: str, uri: str, kind: str = "S3Prefix") -> dict[str, Any]:
    """Return one input channel."""
    source = {"S3DataType": kind, "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


def training_request(name: str = "demo-train", **changes: Any) -> dict[str, Any]:
    """Return the request of a small training job; changes replace members, None removes them."""
    request: dict[str, Any] = {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingInputMode": "File", "TrainingImage": IMAGE},
        "RoleArn": ROLE,
        "OutputDataConfig": {"S3OutputPath": "s3://work/jobs"},
        "ResourceConfig": {"InstanceType": "ml.p5.48xlarge", "InstanceCount": 4, "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
        "InputDataConfig": [
            channel("train", "s3://work/run/train.jsonl", "Converse"),
            channel("recipe", "s3://work/run/recipe/"),
        ],
        "HyperParameters": {
            "base_model": "nova-lite-2/prod",
            "model_type": "amazon.nova-2-lite-v1:0:256k",
            "sagemaker_recipe_local_path": "/opt/ml/input/data/recipe/recipe.yaml",
        },
        "Tags": [{"Key": "nova-constructs:stage", "Value": "training"}],
    } | changes
    return {key: value for key, value in request.items() if value is not None}


def evaluation_request(
    world: World, name: str, evaluation: Mapping[str, Any], location: str | None = None, **changes: Any
) -> dict[str, Any]:
    """Write the recipe of an evaluation and return the request of its job."""
    recipe = {"run": {"name": "exam", "model_name_or_path": "nova-lite-2/prod"}, "evaluation": evaluation}
    world.client("s3").put_object(Bucket="work", Key=f"{name}/recipe.yaml", Body=json.dumps(recipe).encode())
    parameters = {
        "base_model": "nova-lite-2/prod",
        "sagemaker_recipe_local_path": "/opt/ml/input/data/recipe/recipe.yaml",
    } | ({"base_model_location": location} if location else {})
    return training_request(
        name,
        AlgorithmSpecification={"TrainingInputMode": "File", "TrainingImage": EVALUATION_IMAGE},
        HyperParameters=parameters,
        **({"InputDataConfig": [channel("recipe", f"s3://work/{name}/")]} | changes),
    )


def finish(sagemaker: Any, name: str = "demo-train") -> dict[str, Any]:
    """Wait until a job is over and return its description."""
    return until(
        lambda: sagemaker.describe_training_job(TrainingJobName=name),
        lambda job: job["TrainingJobStatus"] in {"Completed", "Failed", "Stopped"},
    )


def until(read: Callable[[], Any], done: Callable[[Any], bool]) -> Any:
    """Read until the answer is as wanted, at most ten real seconds."""
    deadline = time.monotonic() + 10
    while not done(answer := read()):
        assert time.monotonic() < deadline, f"still {answer}"
        time.sleep(0.04)
    return answer


def archive(s3: Any, name: str) -> dict[str, bytes]:
    """Return the members of a job's output archive."""
    body = s3.get_object(Bucket="work", Key=f"jobs/{name}/output/output.tar.gz")["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body), mode="r:gz") as tar:
        return {member.name: tar.extractfile(member).read() for member in tar.getmembers()}  # type: ignore[union-attr]


def trained(world: World, name: str = "demo-train", **changes: Any) -> str:
    """Run a training job and return the URI of its checkpoint."""
    sagemaker = world.client("sagemaker")
    sagemaker.create_training_job(**training_request(name, **changes))
    assert finish(sagemaker, name)["TrainingJobStatus"] == "Completed"
    manifest = json.loads(archive(world.client("s3"), name)["manifest.json"])
    return str(manifest["checkpoint_s3_bucket"])


def sha256(body: bytes) -> str:
    """Return the SHA-256 of a body in hexadecimal."""
    return hashlib.sha256(body).hexdigest()


def codes(events: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the secondary statuses of state-change events."""
    return [event["detail"]["SecondaryStatus"] for event in events]
