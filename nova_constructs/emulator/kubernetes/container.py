"""What happens in the containers of a HyperPod job: those of a training job, with the places of HyperPod."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from typing_extensions import override

from nova_constructs.emulator.simulators.acting import AccessRefusedError
from nova_constructs.emulator.simulators.checkpoints import split_uri
from nova_constructs.emulator.simulators.container import Container, ContainerError, parsed_recipe
from nova_constructs.emulator.simulators.container_work import Files
from nova_constructs.emulator.simulators.hyperpod_clusters import ClusterRecord, RestrictedGroup
from nova_constructs.emulator.simulators.image_registry import NovaImage
from nova_constructs.emulator.simulators.state import SimulatorState
from nova_constructs.emulator.simulators.training_data import (
    TrainingData,
    read_chats,
    read_conversations,
    read_texts,
)
from nova_constructs.emulator.simulators.training_job import TrainingJob

STREAM_PREFIX = "SagemakerHyperPodTrainingJob"
_DOCUMENTED_FOLDERS = {"eval_results": "eval-result", "tensorboard_results": "tensorboard-results"}


class HyperPodImage(NovaImage):
    """A parsed image URI of a container that runs on HyperPod."""

    tags = ("SM-HP-", "HP-", "SMHP-")
    purpose = "HyperPod"
    repositories = frozenset(("nova-fine-tune-repo", "nova-evaluation-repo"))


class HyperPodContainer(Container):
    """The containers of one PyTorchJob on the instances of a group, acting under the group's role."""

    platform = "hp"

    def __init__(
        self,
        state: SimulatorState,
        *,
        cluster: ClusterRecord,
        group: RestrictedGroup,
        job: str,
        recipe: str,
        image: HyperPodImage,
        pods: Sequence[tuple[str, str]],
        tags: Mapping[str, str],
        created: datetime,
    ) -> None:
        """`recipe` is the text of the mounted file, `pods` are names of pods and of their nodes, the first leads."""
        self._recipe = parsed_recipe(recipe)
        self._cluster, self._group, self._pods = cluster, group, pods
        request = _request(job, self._recipe, group, len(pods), tags, image)
        described = TrainingJob(name=job, arn=cluster.arn, request=request, tags=dict(tags), created=created)
        super().__init__(state, described, image)

    @property
    def log_group(self) -> str:
        """Name of the cluster's log group."""
        return f"/aws/sagemaker/Clusters/{self._cluster.name}/{self._cluster.id}"

    @override
    def open_log(self) -> None:
        """Create the log group and the stream of each instance, which jobs share."""
        self._create("CreateLogGroup", logGroupName=self.log_group)
        for node in range(1, self.nodes + 1):
            self._create("CreateLogStream", logGroupName=self.log_group, logStreamName=self._stream(node))

    @override
    def download_inputs(self) -> None:
        """Read the data that the recipe names."""
        if uri := self._recipe["run"].get("data_s3_path"):
            self.channels["train"] = self._download(str(uri))

    @override
    def recipe(self) -> dict[str, Any]:
        return self._recipe

    @override
    def read_training_data(self) -> TrainingData:
        tag = self.image.tag
        if "CPT" in tag:
            return read_texts(self.data())
        return (read_chats if "RFT" in tag else read_conversations)(self.data())

    def publish(self, files: Files) -> None:
        """Write what the job leaves below its own folder in `run.output_s3_path`."""
        output = str(self._recipe["run"].get("output_s3_path") or "")
        if not output.startswith("s3://"):
            raise ContainerError("AlgorithmError: Recipe has no run.output_s3_path")
        bucket, prefix = split_uri(output.rstrip("/"))
        name = str(self._recipe["run"].get("name"))
        for path, body in files.items():
            key = "/".join(part for part in (prefix, name, _published(path)) if part)
            self._call("Artifact upload failed", "s3", "PutObject", Bucket=bucket, Key=key, Body=body)

    @override
    def _stream(self, node: int) -> str:
        return f"{STREAM_PREFIX}/{self._group.name}/{self._pods[node - 1][1].removeprefix('hyperpod-')}"

    @override
    def _line(self, node: int, text: str) -> str:
        return f"{self._pods[node - 1][0]} {text}"

    def _create(self, operation: str, **names: str) -> None:
        try:
            self._service.call("logs", operation, **names)
        except AccessRefusedError as error:
            if "ResourceAlreadyExistsException" not in str(error):
                raise ContainerError(f"ClientError: Log delivery failed: {error}") from error


def _published(path: str) -> str:
    """Give the place of a file on HyperPod: without the run's name, in the folders that the guide shows."""
    folder, _, rest = path.partition("/")[2].partition("/")
    return f"{_DOCUMENTED_FOLDERS[folder]}/{rest}" if folder in _DOCUMENTED_FOLDERS else path


def _request(
    job: str,
    recipe: Mapping[str, Any],
    group: RestrictedGroup,
    count: int,
    tags: Mapping[str, str],
    image: HyperPodImage,
) -> dict[str, Any]:
    """Describe the job as a training job would be, for what both platforms share."""
    run = recipe["run"]
    rewards = ((recipe.get("training_config") or {}).get("rollout") or {}).get("rewards") or {}
    reward = run.get("reward_lambda_arn") or (rewards.get("api_endpoint") or {}).get("lambda_arn")
    model = str(run.get("model_name_or_path") or "")
    hyperparameters = {
        **({"base_model_location": model} if model.startswith("s3://") else {"base_model": model}),
        **({"reward_lambda_arn": str(reward)} if reward else {}),
    }
    return {
        "TrainingJobName": job,
        "AlgorithmSpecification": {"TrainingImage": image.uri},
        "RoleArn": group.execution_role,
        "ResourceConfig": {"InstanceType": group.instance_type, "InstanceCount": count},
        "OutputDataConfig": {"S3OutputPath": str(run.get("output_s3_path") or "")},
        "HyperParameters": hyperparameters,
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }
