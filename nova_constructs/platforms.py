"""Where training and evaluation run, as value objects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from aws_cdk import Duration, Size, Token

from lambda_handlers.catalog import instances
from nova_constructs.instance_choice import InstanceChoice, alternative_problems
from nova_constructs.mlflow_tracking import MlflowTracking

MAX_RUNTIME = Duration.days(28)
MAX_KEEP_ALIVE = Duration.hours(6)
# A job takes 50; four are the workflow's own, and the tags of stacks are not among them.
MOST_TAGS: Final = 46
_OUR_TAGS: Final = "nova-constructs:"
_TAG: Final = re.compile(r"[\w .:/=+\-@]*")
_VARIABLE: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
KEY_ARN: Final = re.compile(r"arn:[\w-]+:kms:[a-z0-9-]+:\d{12}:key/[\w-]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class JobVpc:
    """A VPC of yours in which training jobs run, or functions that speak with a HyperPod cluster: the ids of 1 to 16
    subnets and of 1 to 5 security groups.

    Jobs reach S3, the logs and the image registry through it, so that it needs endpoints or a NAT. Two jobs side by
    side need addresses for all their instances. Source: CreateTrainingJob, VpcConfig.
    """

    subnets: Sequence[str]
    security_groups: Sequence[str]

    def problems(self) -> Iterable[str]:
        """Yield what cannot work."""
        yield from _ids("subnets", self.subnets, 16, "subnet-")
        yield from _ids("security_groups", self.security_groups, 5, "sg-")

    def config(self) -> dict[str, list[str]]:
        """Return the VPC as the functions read it."""
        return {"subnets": list(self.subnets), "security_groups": list(self.security_groups)}


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingJobs:
    """SageMaker Training Jobs (SMTJ).

    `alternatives` are up to four other instances, tried in this order where there is no capacity for those before;
    each gets `max_pending` and `max_runtime` anew. `max_runtime` (default 1 day, at most 28) bounds the job itself,
    `max_pending` (default 1 day, 30 minutes to 28 days) the wait for capacity; the deadline is their sum.
    `volume_size` defaults to 30 GiB, as the seed SDK sends.

    Off unless given: `vpc`; `volume_key_arn`, a KMS key for the volumes of instances without disks of their own;
    `encrypt_traffic` between the containers of a job; `environment` and `tags` of the job; `keep_alive` (1 second to 6
    hours) keeps the instances, and their bill, for the next job; `mlflow` tracks training; `tensorboard` keeps what a
    container writes to /opt/ml/output/tensorboard beside the output of its job. Job output is always encrypted with the
    key of the artifact store. Source: CreateTrainingJob, StoppingCondition and ResourceConfig.
    """

    instance_type: str
    instance_count: int
    max_runtime: Duration = field(default_factory=lambda: Duration.days(1))
    max_pending: Duration = field(default_factory=lambda: Duration.days(1))
    volume_size: Size = field(default_factory=lambda: Size.gibibytes(30))
    vpc: JobVpc | None = None
    volume_key_arn: str | None = None
    encrypt_traffic: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    keep_alive: Duration | None = None
    mlflow: MlflowTracking | None = None
    tensorboard: bool = False
    alternatives: Sequence[InstanceChoice] = ()

    kind = "SMTJ"

    @property
    def choices(self) -> Sequence[InstanceChoice]:
        """The instances that a job may run on, those it asks for first before the alternatives."""
        first = InstanceChoice(instance_type=self.instance_type, instance_count=self.instance_count)
        return [first, *self.alternatives]

    @property
    def deadline(self) -> Duration:
        """How long a job may take from submission to its end; every attempt has it anew, on whichever instances."""
        return self.max_runtime.plus(self.max_pending)

    def protected_as(self, other: TrainingJobs) -> TrainingJobs:
        """Return this platform in the VPC of another, with its traffic encryption and tags."""
        return replace(self, vpc=other.vpc, encrypt_traffic=other.encrypt_traffic, tags=other.tags)

    def problems(self) -> list[str]:
        """Return what cannot work, each with the value received and what is allowed."""
        found = list(limit_problems(self))
        if self.instance_count < 1:
            found.append(f"instance_count is {self.instance_count}: use 1 or more")
        if self.keep_alive and not 1 <= self.keep_alive.to_seconds() <= MAX_KEEP_ALIVE.to_seconds():
            found.append(f"keep_alive is {self.keep_alive.to_human_string()}: use 1 second to 6 hours, or leave it out")
        vpc = self.vpc.problems() if self.vpc else ()
        found += alternative_problems(self.choices[0], self.alternatives)
        tracking = self.mlflow.problems() if self.mlflow else ()
        return [*found, *vpc, *tracking, *self._key_problems(), *_environment(self.environment), *_tags(self.tags)]

    def _key_problems(self) -> Iterable[str]:
        if self.volume_key_arn is None:
            return
        if not Token.is_unresolved(self.volume_key_arn) and not KEY_ARN.fullmatch(self.volume_key_arn):
            yield f"volume_key_arn is {self.volume_key_arn!r}: use the ARN of a KMS key, not of an alias"
        for name in dict.fromkeys(each.instance_type for each in self.choices):
            if instances.has_local_storage(name):
                yield (
                    f"volume_key_arn is given, but {name} keeps data on disks of its own, which its hardware "
                    "encrypts, and SageMaker refuses a key for them: leave it out"
                )

    def config(self) -> dict[str, Any]:
        """Return the platform as the functions read it, times in seconds and sizes in GiB; what is off is left out."""
        options = {
            "vpc": self.vpc.config() if self.vpc else None,
            "volume_key_arn": self.volume_key_arn,
            "encrypt_traffic": self.encrypt_traffic,
            "environment": dict(self.environment),
            "tags": dict(self.tags),
            "keep_alive_seconds": self.keep_alive.to_seconds() if self.keep_alive else None,
            "mlflow": self.mlflow.config() if self.mlflow else None,
            "tensorboard": self.tensorboard,
            "alternatives": [each.config() for each in self.alternatives],
        }
        return {
            "platform": self.kind,
            "instance_type": self.instance_type,
            "instance_count": self.instance_count,
            "max_runtime_seconds": self.max_runtime.to_seconds(),
            "max_pending_seconds": self.max_pending.to_seconds(),
            "volume_size_gb": self.volume_size.to_gibibytes(),
            **{name: value for name, value in options.items() if value},
        }


class _Limited(Protocol):
    @property
    def max_runtime(self) -> Duration: ...
    @property
    def max_pending(self) -> Duration: ...


def limit_problems(platform: _Limited) -> Iterable[str]:
    """Yield what is wrong with the time limits of a platform."""
    if not 1 <= platform.max_runtime.to_seconds() <= MAX_RUNTIME.to_seconds():
        yield f"max_runtime is {platform.max_runtime.to_human_string()}: use 1 second to 28 days"
    if not 1800 <= platform.max_pending.to_seconds() <= MAX_RUNTIME.to_seconds():
        yield f"max_pending is {platform.max_pending.to_human_string()}: use 30 minutes to 28 days"


def one_p5() -> TrainingJobs:
    """Return what evaluates and infers unless another platform is given: one ml.p5.48xlarge."""
    return TrainingJobs(instance_type="ml.p5.48xlarge", instance_count=1)


def _ids(name: str, given: Sequence[str], most: int, prefix: str) -> Iterable[str]:
    if not 1 <= len(given) <= most:
        yield f"vpc.{name} has {len(given)} ids: use 1 to {most}"
    for value in given:
        if not Token.is_unresolved(value) and not value.startswith(prefix):
            yield f"vpc.{name} names {value!r}: use an id such as {prefix}0123456789abcdef0"


def _environment(given: Mapping[str, str]) -> Iterable[str]:
    if len(given) > 100:
        yield f"environment has {len(given)} variables: use at most 100"
    for name, value in given.items():
        if not _VARIABLE.fullmatch(name) or len(name) > 512:
            yield f"environment names {name!r}: use letters, digits and underscores, not beginning with a digit"
        if len(value) > 512:
            yield f"environment variable {name} has {len(value)} characters: use at most 512"


def _tags(given: Mapping[str, str]) -> Iterable[str]:
    if len(given) > MOST_TAGS:
        yield f"tags has {len(given)} entries: use at most {MOST_TAGS}, since the workflow adds its own"
    for key, value in given.items():
        if key.lower().startswith(("aws:", _OUR_TAGS)):
            yield f"tags names {key!r}: keys that begin with aws: or {_OUR_TAGS} are taken"
        if not 1 <= len(key) <= 128 or len(value) > 256 or not (_TAG.fullmatch(key) and _TAG.fullmatch(value)):
            yield (
                f"tags has {key!r}: {value!r}: use keys of 1 to 128 and values of up to 256 characters, letters, "
                "digits, spaces and _.:/=+-@"
            )
