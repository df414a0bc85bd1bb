"""Which model packages a run in mode deploy may import, told before anything is spent."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambda_handlers.checks.findings import Findings
from lambda_handlers.planning.deployment_checks import find_measured
from lambda_handlers.planning.execution_input import ExecutionInput
from lambda_handlers.protocol.errors import InvalidRequest
from tests.planning.test_planning_deployment import CONFIG

PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/support-models/3"
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:Demo"
DEPLOYMENT = {**CONFIG["deployment"], "model_package_groups": ["Support-Models"]}
USABLE = {"ModelPackageStatus": "Completed", "ModelApprovalStatus": "Approved", "ManagedStorageType": "Restricted"}


class Registry:
    """Answers DescribeModelPackage."""

    def __init__(self, answer: dict[str, Any] | str) -> None:
        self.answer, self.asked = answer, list[str]()

    def describe_model_package(self, ModelPackageName: str) -> dict[str, Any]:  # noqa: N803
        self.asked.append(ModelPackageName)
        if isinstance(self.answer, str):
            raise ClientError({"Error": {"Code": self.answer, "Message": "no"}}, "DescribeModelPackage")
        return self.answer


def context(answer: dict[str, Any] | str = USABLE, deployment: dict[str, Any] = DEPLOYMENT) -> Any:
    return SimpleNamespace(
        config={**CONFIG, "deployment": deployment},
        findings=Findings(),
        history=SimpleNamespace(events=None, control=None),
        account=SimpleNamespace(sagemaker=Registry(answer)),
        places=SimpleNamespace(region="us-east-1"),
        execution={"state_machine": MACHINE},
    )


def asked(arn: str = PACKAGE, *, force: bool = True) -> ExecutionInput:
    return ExecutionInput(mode="deploy", model_package=arn, force=force)


def test_a_package_of_a_group_that_is_permitted_is_deployed_by_force() -> None:
    here = context()
    found = find_measured(here, asked())
    assert found is not None
    assert (found.model.kind, found.model.model_path, found.model.run_id) == ("package", PACKAGE, None)
    assert found.origin["verdict"] is None
    here.findings.raise_all()
    told = " ".join(here.findings.warnings)
    assert f"model_package: no run is known that has measured {PACKAGE}; it is deployed by force." in told
    assert "has to be NOVA_LITE_2, LoRA" in told


def test_without_force_it_is_refused() -> None:
    here = context()
    find_measured(here, asked(force=False))
    with pytest.raises(InvalidRequest, match=r"model_package: no run is known .* Set force"):
        here.findings.raise_all()


@pytest.mark.parametrize(
    ("arn", "answer", "told"),
    [
        (PACKAGE.replace("us-east-1", "us-west-2"), USABLE, "of account 123456789012 in us-west-2; allowed: one of"),
        (PACKAGE.replace("123456789012", "999999999999"), USABLE, "of account 999999999999 in us-east-1; allowed"),
        (PACKAGE.replace("support-models", "others"), USABLE, "group others; allowed: Support-Models; add the group"),
        (PACKAGE.replace("/3", ""), USABLE, "allowed: arn:aws:sagemaker:REGION:ACCOUNT:model-package/GROUP/VERSION"),
        (PACKAGE, "ValidationException", "does not exist; list those of its group"),
        (PACKAGE, "AccessDeniedException", "sagemaker:DescribeModelPackage on it is denied"),
        (PACKAGE, {**USABLE, "ModelPackageStatus": "InProgress"}, "is InProgress; only a package that is Completed"),
        (PACKAGE, {**USABLE, "ModelApprovalStatus": "Rejected"}, "was rejected in the model registry"),
        (PACKAGE, {**USABLE, "ManagedStorageType": None}, "is not of the restricted type"),
    ],
)
def test_what_cannot_be_imported_is_told_even_by_force(arn: str, answer: Any, told: str) -> None:
    here = context(answer)
    assert find_measured(here, asked(arn)) is None
    with pytest.raises(InvalidRequest) as raised:
        here.findings.raise_all()
    assert told in str(raised.value)
    assert str(raised.value).count("model_package:") == 1


def test_no_group_is_permitted_unless_it_is_given() -> None:
    here = context(deployment=CONFIG["deployment"])
    find_measured(here, asked())
    assert here.account.sagemaker.asked == []
    with pytest.raises(InvalidRequest, match="group support-models; allowed: none; add the group to model_package_gr"):
        here.findings.raise_all()


@pytest.mark.parametrize("arn", ["support-models/3", PACKAGE.replace("/3", ""), PACKAGE.replace("sagemaker", "s3")])
def test_an_arn_of_another_form_is_refused_by_the_schema(arn: str) -> None:
    _, problems = ExecutionInput.understand({"mode": "deploy", "model_package": arn})
    assert any(problem.startswith("model_package: received ") for problem in problems)


def test_only_mode_deploy_takes_one_and_only_one_model() -> None:
    assert ExecutionInput.parse({"mode": "deploy", "model_package": PACKAGE}).model_package == PACKAGE
    _, problems = ExecutionInput.understand({"mode": "evaluate", "model_package": PACKAGE})
    assert problems == ['model_package: mode "evaluate" does not use it; remove the key, or use mode deploy']
    _, problems = ExecutionInput.understand({"mode": "deploy", "model_package": PACKAGE, "base_run": "r"})
    assert problems == ["model_package and base_run: received 2 models; give one of them"]
