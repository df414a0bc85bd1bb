"""Where training reports its metrics by MLflow, as a value object."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aws_cdk import Token

from lambda_handlers.catalog import mlflow


@dataclass(frozen=True, kw_only=True, slots=True)
class MlflowTracking:
    """Track training in MLflow.

    `resource_arn` is the ARN of a SageMaker tracking server or app; by default the plan of each run finds the app
    DefaultMLFlowApp, else the account's only tracking server, and refuses the run where there is neither. `uri` is
    instead the https:// address of a server that is not SageMaker's, which the recipe alone names; in a VPC the jobs
    reach it from there. `experiment` defaults to the customization, `run` to the run's id; 1 to 256 characters each.
    Source: CreateTrainingJob, MlflowConfig.
    """

    resource_arn: str | None = None
    uri: str | None = None
    experiment: str | None = None
    run: str | None = None

    def problems(self) -> Iterable[str]:
        """Yield what cannot work, with the value received and what is allowed."""
        if self.resource_arn is not None and self.uri is not None:
            yield "mlflow has a resource_arn and a uri: give one, since a job reports to one place"
        checks = (
            (self.resource_arn, mlflow.arn_problem),
            (self.uri, mlflow.uri_problem),
            (self.experiment, lambda name: mlflow.name_problem("experiment", name)),
            (self.run, lambda name: mlflow.name_problem("run", name)),
        )
        for value, problem in checks:
            if value is not None and not Token.is_unresolved(value) and (found := problem(value)):
                yield found

    def config(self) -> dict[str, str | None]:
        """Return it as the functions read it; a `resource_arn` of null without a `uri` is found when a run is planned.

        `experiment` and `run` of null are the customization's name and the run's id.
        """
        return {"resource_arn": self.resource_arn, "uri": self.uri, "experiment": self.experiment, "run": self.run}
