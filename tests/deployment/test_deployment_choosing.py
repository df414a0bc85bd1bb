"""What becomes of a deployment that has the name already: kept, updated, removed, waited for, or a run's end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambda_handlers.deployment.choosing import choose, problem_of
from lambda_handlers.deployment.existing import serving
from lambda_handlers.deployment.stages import DEPLOYMENT
from lambda_handlers.protocol.errors import DeploymentExists, DeploymentFailed, LockLost, TransientServiceError
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.pointer import Pointer
from lambda_handlers.protocol.registry import JobRegistry, JobRow, RowStatus
from tests.deployment.test_deployment_canary import NOW
from tests.protocol.protocol_memory import MemoryItemStore, job_registry, run_control
from tests.training.training_support import Recorder

CUSTOMIZATION = "Nova/Support"
NAME = "support-abc123"
ARN = "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/abcdefghijkl"
OLD, NEW = "arn:model/old", "arn:model/new"
UPDATE, FAIL = "UPDATE_IF_EXISTS", "FAIL_IF_EXISTS"


@dataclass(slots=True)
class Bedrock:
    """What has the name, if anything, and what was deleted."""

    status: str = ""
    model: str = OLD
    tags: dict[str, str] | None = field(default_factory=lambda: {"nova-constructs:customization": CUSTOMIZATION})
    name: str = NAME
    deleted: list[str] = field(default_factory=list)
    lingers: bool = False
    """Whether it is listed after its deletion was asked for."""

    def list_custom_model_deployments(self, **_asked: Any) -> dict[str, Any]:
        return {"modelDeploymentSummaries": self._found("customModelDeploymentName", "customModelDeploymentArn")}

    def list_provisioned_model_throughputs(self, **_asked: Any) -> dict[str, Any]:
        return {"provisionedModelSummaries": self._found("provisionedModelName", "provisionedModelArn")}

    def list_tags_for_resource(self, **_asked: Any) -> dict[str, Any]:
        if self.tags is None:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not yours"}}, "ListTags")
        return {"tags": [{"key": key, "value": value} for key, value in self.tags.items()]}

    def delete_custom_model_deployment(self, **asked: str) -> None:
        self.deleted += asked.values()

    def delete_provisioned_model_throughput(self, **asked: str) -> None:
        self.deleted += asked.values()

    def _found(self, name: str, arn: str) -> list[dict[str, str]]:
        found = {name: self.name, arn: ARN, "modelArn": self.model, "status": self.status, "failureMessage": "why"}
        return [found] if self.status and (self.lingers or not self.deleted) else []


@dataclass(slots=True)
class Case:
    """A run that holds the lock and has a model."""

    control: MemoryItemStore = field(default_factory=run_control)
    registry: MemoryItemStore = field(default_factory=job_registry)
    ledger: Recorder = field(default_factory=Recorder)

    def choose(self, bedrock: Bedrock, *, mode: str = UPDATE, target: str = "BEDROCK_OD", later: int = 0) -> Any:
        generation = RunLock(self.control).acquire("r2", "arn:r2", NOW)
        event = {
            "run": {
                "id": "r2", "execution_arn": "e", "state_machine_arn": "s", "started_at": "t",
                "lock_generation": generation + later,
            },
            "config": {"target": target, "name": NAME, "mode": mode},
            "model": {"model_arn": NEW, "reused_from": None},
            "checkpoint_uri": "s3://checkpoint",
        }  # fmt: skip
        return choose(
            event, bedrock=bedrock, control=self.control, registry=JobRegistry(self.registry), ledger=self.ledger,
            customization=CUSTOMIZATION,
        )  # fmt: skip

    def in_production(self) -> None:
        generation = RunLock(self.control).acquire("r1", "arn:r1", NOW)
        Pointer(self.control).move("r1", generation, ARN, model_arn=OLD, now=NOW)
        RunLock(self.control).release("r1")

    def made(self, status: RowStatus) -> None:
        """Let the run r1 have made what is there, in a stage that now has this status."""
        row = JobRow(
            run_id="r1", stage=DEPLOYMENT, kind="CustomModelDeployment", job_name=NAME, attempt=1,
            execution_arn="arn:r1", digest="d", deadline=0, submission=0, submitted_at=0, status=status,
        )  # fmt: skip
        JobRegistry(self.registry).save(row, replacing=None)


@pytest.fixture
def case() -> Case:
    return Case()


def test_with_nothing_there_it_is_made(case: Case) -> None:
    assert case.choose(Bedrock()) == {"name": NAME, "mode": UPDATE, "existing": False, "action": "CREATE"}
    # A name that only begins the same is another's.
    assert case.choose(Bedrock("Active", name=f"{NAME}-2"))["action"] == "CREATE"


@pytest.mark.parametrize("target", ["BEDROCK_OD", "BEDROCK_PT"])
@pytest.mark.parametrize(("model", "action"), [(OLD, "UPDATE"), (NEW, "KEEP")])
def test_what_is_there_is_updated_or_kept(case: Case, target: str, model: str, action: str) -> None:
    chosen = case.choose(Bedrock("Active", model=model), target=target)
    assert (chosen["action"], chosen["existing"]) == (action, True)
    assert (chosen["deployment_arn"], chosen["previous_model_arn"]) == (ARN, model)
    assert [(event["type"], event["run_id"]) for event in case.ledger.events] == [
        ("model_imported", "r2"),
        ("deployment_chosen", "r2"),
    ]
    assert case.ledger.events[0]["detail"]["checkpoint_uri"] == "s3://checkpoint"
    assert case.ledger.events[1]["detail"] == chosen


def test_a_run_that_lost_its_lock_looks_at_nothing(case: Case) -> None:
    with pytest.raises(LockLost):
        case.choose(Bedrock("Active"), later=1)
    assert case.ledger.events == []


@pytest.mark.parametrize("tags", [None, {}, {"nova-constructs:customization": "Nova/Other"}])
@pytest.mark.parametrize("status", ["Active", "Failed"])
@pytest.mark.parametrize("mode", [UPDATE, FAIL])
def test_what_is_somebody_elses_is_left_alone(case: Case, mode: str, status: str, tags: dict[str, str] | None) -> None:
    bedrock = Bedrock(status, tags=tags)
    with pytest.raises(DeploymentExists, match=f"{ARN} has the name {NAME} and is not this customization's; give"):
        case.choose(bedrock, mode=mode)
    assert bedrock.deleted == []


def test_what_may_only_be_made_exists(case: Case) -> None:
    with pytest.raises(DeploymentExists, match=r"mode FAIL_IF_EXISTS creates it only. Delete it, give another name"):
        case.choose(Bedrock("Active"), mode=FAIL)


@pytest.mark.parametrize("target", ["BEDROCK_OD", "BEDROCK_PT"])
@pytest.mark.parametrize("mode", [UPDATE, FAIL])
def test_what_failed_makes_room(case: Case, mode: str, target: str) -> None:
    bedrock = Bedrock("Failed")
    assert case.choose(bedrock, mode=mode, target=target)["action"] == "CREATE"
    assert bedrock.deleted == [ARN]


def test_the_name_is_waited_for_until_what_failed_is_gone(case: Case) -> None:
    with pytest.raises(TransientServiceError, match=f"{ARN} is deleted and has the name {NAME} until it is gone"):
        case.choose(Bedrock("Failed", lingers=True))


def test_what_failed_and_is_in_production_stays(case: Case) -> None:
    case.in_production()
    bedrock = Bedrock("Failed")
    assert case.choose(bedrock)["action"] == "UPDATE"
    with pytest.raises(DeploymentFailed, match=r"has failed: why. Production is there: delete it by hand"):
        case.choose(bedrock, mode=FAIL)
    assert bedrock.deleted == []


def test_what_is_being_made_is_waited_for(case: Case) -> None:
    with pytest.raises(TransientServiceError, match="is being made or removed"):
        case.choose(Bedrock("Creating"))


@pytest.mark.parametrize("status", [RowStatus.CANCELLED, RowStatus.STOPPING, RowStatus.HELD, RowStatus.CLOSED])
def test_what_its_run_is_about_to_remove_is_waited_for(case: Case, status: RowStatus) -> None:
    tags = {"nova-constructs:customization": CUSTOMIZATION, "nova-constructs:run": "r1"}
    case.made(status)
    if status in (RowStatus.CANCELLED, RowStatus.STOPPING):
        with pytest.raises(TransientServiceError, match="is being made or removed"):
            case.choose(Bedrock("Active", tags=tags))
    else:
        # Throughput under commitment is paid for: it may as well serve the next model.
        assert case.choose(Bedrock("Active", tags=tags))["action"] == "UPDATE"


@pytest.mark.parametrize(
    ("bedrock", "mode", "says"),
    [
        (Bedrock(), FAIL, ""),
        (Bedrock("Active"), UPDATE, ""),
        (Bedrock("Failed"), FAIL, ""),
        (Bedrock("Active"), FAIL, "creates it only"),
        (Bedrock("Failed", tags=None), UPDATE, "is not this customization's"),
    ],
)
def test_the_plan_tells_the_same_before_anything_is_bought(bedrock: Bedrock, mode: str, says: str) -> None:
    told = problem_of(serving(bedrock, "BEDROCK_OD", NAME), {"mode": mode}, CUSTOMIZATION)
    assert (says in told) if says else (told == "")
