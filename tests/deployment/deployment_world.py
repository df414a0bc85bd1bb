"""A customization's models and deployments on the simulated Bedrock, with its control table in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from lambda_handlers.deployment.retiring import Retiring
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.pointer import Pointer
from lambda_handlers.protocol.runs import close_run
from nova_constructs.emulator.simulation import Simulation
from tests.emulator import sim_support
from tests.emulator.sim_support import World, until
from tests.protocol.protocol_memory import MemoryItemStore, run_control
from tests.training.training_support import Recorder

CUSTOMIZATION = "Nova/Support"
SLUG = "support-abc123"
ROLE = "arn:aws:iam::123456789012:role/Import"


@dataclass(slots=True, kw_only=True)
class Account:
    """Runs of one customization, as far as they make, promote and retire."""

    world: World
    checkpoint: str
    control: MemoryItemStore = field(default_factory=run_control)
    ledger: Recorder = field(default_factory=Recorder)

    @property
    def bedrock(self) -> Any:
        return self.world.client("bedrock")

    @property
    def pointer(self) -> Pointer:
        return Pointer(self.control)

    def tags(self, run: str, customization: str = CUSTOMIZATION) -> list[dict[str, str]]:
        found = {"nova-constructs:customization": customization} | ({"nova-constructs:run": run} if run else {})
        return [{"key": key, "value": value} for key, value in found.items()]

    def model(self, run: str, **more: str) -> str:
        """Import the model of a run."""
        source = {"s3DataSource": {"s3Uri": self.checkpoint}}
        arn = self.bedrock.create_custom_model(
            modelName=f"{SLUG}-{run}", modelSourceConfig=source, roleArn=ROLE, modelTags=self.tags(run, **more)
        )["modelArn"]
        read = lambda: self.bedrock.get_custom_model(modelIdentifier=arn)  # noqa: E731
        until(read, lambda model: model["modelStatus"] == "Active")
        return str(arn)

    def deployment(self, run: str, model: str, *, tags: list[dict[str, str]] | None = None) -> str:
        """Deploy a model for a run."""
        arn = self.bedrock.create_custom_model_deployment(
            modelDeploymentName=f"{SLUG}-{run}", modelArn=model, tags=self.tags(run) if tags is None else tags
        )["customModelDeploymentArn"]
        read = lambda: self.bedrock.get_custom_model_deployment(customModelDeploymentIdentifier=arn)  # noqa: E731
        until(read, lambda deployment: deployment["status"] == "Active")
        return str(arn)

    def promote(self, run: str, arn: str, model: str, *, retire: dict[str, Any] | None = None) -> dict[str, Any]:
        """Move the pointer as a run of its own; where `retire` is given, retire under that configuration too."""
        lock = RunLock(self.control)
        generation = lock.acquire(run, f"arn:{run}", self.world.clock.now())
        self.pointer.move(run, generation, arn, model_arn=model, now=self.world.clock.now())
        told = self.retire(run, generation, **retire) if retire is not None else {}
        lock.release(run)
        close_run(self.control, run)
        return told

    def serve(self, run: str, **retire: Any) -> str:
        """Import, deploy and promote; return the deployment's ARN."""
        model = self.model(run)
        arn = self.deployment(run, model)
        self.promote(run, arn, model, retire=retire or None)
        return arn

    def retire(self, run: str, generation: int, **config: Any) -> dict[str, Any]:
        given = {"keep": 3, "bake_minutes": 0, "provisioned": True, **config}
        event = {"run": _run(run, generation), "config": given}
        return self.retiring(self.bedrock).retire(event)

    def retiring(self, bedrock: Any) -> Retiring:
        return Retiring(
            bedrock=bedrock, control=self.control, ledger=self.ledger, clock=self.world.clock,
            customization=CUSTOMIZATION, slug=SLUG,
        )  # fmt: skip

    def left(self) -> tuple[list[str], list[str]]:
        """Return the runs whose models and whose deployments there are."""
        models = [each["modelName"] for each in self.bedrock.list_custom_models()["modelSummaries"]]
        found = self.bedrock.list_custom_model_deployments()["modelDeploymentSummaries"]
        names = [each["customModelDeploymentName"] for each in found]
        return tuple(sorted(name.removeprefix(f"{SLUG}-") for name in each) for each in (models, names))  # type: ignore[return-value]


def _run(run: str, generation: int) -> dict[str, Any]:
    return {
        "id": run, "execution_arn": f"arn:{run}", "state_machine_arn": "arn:s", "started_at": "2026-01-01T00:00:00Z",
        "lock_generation": generation,
    }  # fmt: skip


@contextmanager
def account() -> Iterator[Account]:
    """Serve Bedrock, with one checkpoint trained."""
    fast = Simulation(training_seconds=300, import_seconds=60, deployment_seconds=60)
    with sim_support.running(fast) as world:
        sim_support.prepare(world)
        yield Account(world=world, checkpoint=sim_support.trained(world))
