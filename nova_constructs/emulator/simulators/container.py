"""What happens on the instances of a training job: image pull, download of inputs, work, upload of results."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import yaml

from nova_constructs.emulator.simulators.acting import AccessRefusedError, ActingService
from nova_constructs.emulator.simulators.checkpoints import split_uri
from nova_constructs.emulator.simulators.image_registry import NovaImage, layer_digest
from nova_constructs.emulator.simulators.state import SimulatorState
from nova_constructs.emulator.simulators.training_data import TrainingData, read_chats, read_conversations
from nova_constructs.emulator.simulators.training_job import TrainingJob

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
_INPUT = "/opt/ml/input/data/"
_LOGGING = "Log delivery failed"


class ContainerError(Exception):
    """The job cannot go on; the message is its failure reason, in the service's form `<class>: <text>`."""


class Container:
    """One job's instances, acting under the job's role."""

    platform = "smtj"
    """What the names of the platform's escrow buckets contain."""

    def __init__(self, state: SimulatorState, job: TrainingJob, image: NovaImage) -> None:
        self.job = job
        self.image = image
        self.channels: dict[str, dict[str, bytes]] = {}
        self._state = state
        self.nodes = int(job.request["ResourceConfig"]["InstanceCount"])
        self._service = ActingService(
            state, role_arn=job.role_arn, service_principal="sagemaker.amazonaws.com", source_arn=job.arn
        )

    @property
    def log_group(self) -> str:
        """Name of the log group that the job writes to."""
        return LOG_GROUP

    def pull_image(self) -> None:
        """Pull the image's manifest and layer."""
        image = {"registryId": self.image.registry, "repositoryName": self.image.repository}
        digest = layer_digest(self.image.repository)
        self._call("Image pull failed", "ecr", "GetAuthorizationToken")
        self._call("Image pull failed", "ecr", "BatchGetImage", **image, imageIds=[{"imageTag": self.image.tag}])
        self._call("Image pull failed", "ecr", "BatchCheckLayerAvailability", **image, layerDigests=[digest])
        self._call("Image pull failed", "ecr", "GetDownloadUrlForLayer", **image, layerDigest=digest)

    def open_log(self) -> None:
        """Create the log group and the stream of each instance."""
        try:
            self._service.call("logs", "CreateLogGroup", logGroupName=LOG_GROUP)
        except AccessRefusedError as error:
            if "ResourceAlreadyExistsException" not in str(error):
                raise ContainerError(f"ClientError: Log delivery failed: {error}") from error
        for node in range(1, self.nodes + 1):
            self._call(_LOGGING, "logs", "CreateLogStream", logGroupName=LOG_GROUP, logStreamName=self._stream(node))
        prefix = {"logGroupName": LOG_GROUP, "logStreamNamePrefix": self.job.name}
        self._call(_LOGGING, "logs", "DescribeLogStreams", **prefix)

    def log(self, lines: Sequence[tuple[datetime, int, str]], level: str = "INFO") -> None:
        """Write lines, each with its moment and the number of the instance that writes it, to the streams."""
        events: dict[int, list[dict[str, Any]]] = {}
        for moment, node, text in lines:
            stamp = f"{moment:%Y-%m-%d %H:%M:%S},{moment.microsecond // 1000:03d}"
            event = {
                "timestamp": int(moment.timestamp() * 1000),
                "message": f"[{stamp}] [{level}] {self._line(node, text)}",
            }
            events.setdefault(node, []).append(event)
        for node, batch in events.items():
            stream = {"logGroupName": self.log_group, "logStreamName": self._stream(node)}
            self._call(_LOGGING, "logs", "PutLogEvents", **stream, logEvents=batch)

    def download_inputs(self) -> None:
        """Read every object of every channel."""
        for channel in self.job.request.get("InputDataConfig") or []:
            uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
            self.channels[channel["ChannelName"]] = self._download(uri)

    def recipe(self) -> dict[str, Any]:
        """Return the recipe that the hyperparameter points to."""
        path = self.job.hyperparameters.get("sagemaker_recipe_local_path", "")
        channel, _, name = path.removeprefix(_INPUT).partition("/")
        body = self.channels.get(channel, {}).get(name)
        if not path.startswith(_INPUT) or body is None:
            raise ContainerError(f"AlgorithmError: Recipe file not found: {path or 'sagemaker_recipe_local_path'}")
        return parsed_recipe(body)

    def read_training_data(self) -> TrainingData:
        """Read the rows of the training data; raises DataRefusedError for what cannot be trained on."""
        channels = self.job.request.get("InputDataConfig") or []
        source: Mapping[str, Any] = next(
            (each["DataSource"]["S3DataSource"] for each in channels if each["ChannelName"] == "train"), {}
        )
        read = read_conversations if source.get("S3DataType") == "Converse" else read_chats
        return read(self.data())

    def data(self, channel: str = "train") -> Mapping[str, bytes]:
        """Return the files of a data channel."""
        if channel not in self.channels:
            raise ContainerError(f"AlgorithmError: Input channel '{channel}' is required")
        return self.channels[channel]

    def invoke(self, function_arn: str, payload: bytes) -> bytes:
        """Call a function and return what it answers."""
        doing = "Reward function failed"
        answer = self._call(doing, "lambda", "Invoke", FunctionName=function_arn, Payload=payload)
        body = bytes(answer["Payload"].read())
        if "FunctionError" in answer:
            raise ContainerError(f"AlgorithmError: {doing}: {body.decode(errors='replace')[:500]}")
        return body

    def upload(self, files: Mapping[str, bytes], archive: bytes | None = None) -> None:
        """Write the archive of the job's output directory, or the one that is given."""
        bucket, key = split_uri(f"{self.job.output_prefix}/output/output.tar.gz")
        encryption = {}
        if key_id := self.job.request["OutputDataConfig"].get("KmsKeyId"):
            encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_id}
        body = _archive(files, int(self._state.clock.now().timestamp())) if archive is None else archive
        self._call("Artifact upload failed", "s3", "PutObject", Bucket=bucket, Key=key, Body=body, **encryption)

    def _stream(self, node: int) -> str:
        return f"{self.job.name}/algo-{node}-{int(self.job.created.timestamp())}"

    def _line(self, node: int, text: str) -> str:  # noqa: ARG002  # other platforms say which instance writes
        return text

    def _download(self, uri: str) -> dict[str, bytes]:
        bucket, prefix = split_uri(uri)
        files: dict[str, bytes] = {}
        token: dict[str, str] = {}
        while True:
            page = self._call("Data download failed", "s3", "ListObjectsV2", Bucket=bucket, Prefix=prefix, **token)
            for entry in page.get("Contents", []):
                answer = self._call("Data download failed", "s3", "GetObject", Bucket=bucket, Key=entry["Key"])
                files[_file_name(prefix, entry["Key"])] = answer["Body"].read()
            if not page.get("IsTruncated"):
                break
            token = {"ContinuationToken": page["NextContinuationToken"]}
        if not files:
            raise ContainerError(f"ClientError: Data download failed: No S3 objects found under S3 URL {uri!r}")
        return files

    def _call(self, doing: str, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        try:
            return self._service.call(service, operation, **parameters)
        except AccessRefusedError as error:
            raise ContainerError(f"ClientError: {doing}: {error}") from error


def parsed_recipe(body: bytes | str) -> dict[str, Any]:
    """Read the text of a recipe; raises ContainerError for what is none."""
    try:
        recipe = yaml.safe_load(body)
    except yaml.YAMLError as error:
        raise ContainerError(f"AlgorithmError: Recipe is not valid YAML: {error}") from error
    if not isinstance(recipe, dict) or not isinstance(recipe.get("run"), dict):
        raise ContainerError("AlgorithmError: Recipe has no section 'run'")
    return recipe


def _file_name(prefix: str, key: str) -> str:
    """Return the path below the channel's directory: what follows the last slash of the prefix."""
    folder = prefix if prefix.endswith("/") else f"{prefix}/"
    return key.removeprefix(folder) if key.startswith(folder) else key.rsplit("/", 1)[-1]


def _archive(files: Mapping[str, bytes], moment: int) -> bytes:
    target = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=target, mode="wb", mtime=moment) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for name, body in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(body), moment
            tar.addfile(member, io.BytesIO(body))
    return target.getvalue()
