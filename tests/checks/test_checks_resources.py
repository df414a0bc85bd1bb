"""Functions, VPC and MLflow: each fault is named, and what cannot be looked at is a warning."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_handlers.catalog.addresses import addresses
from lambda_handlers.catalog.mlflow import (
    APP_ACTIONS,
    SERVER_ACTIONS,
    arn_problem,
    mlflow_resource,
    name_problem,
    uri_problem,
)
from lambda_handlers.checks import function, mlflow, network
from lambda_handlers.checks.findings import Findings
from lambda_handlers.checks.role_needs import training_job_needs
from lambda_handlers.checks.tracking_probe import TrackingProbes
from tests.checks.checks_support import ACCOUNT, FUNCTION, KEY, REGION, ROLE, Ec2, Functions, Mlflow, refusal

SERVER = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:mlflow-tracking-server/mine"
APP = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:mlflow-app/app-ABC123"
URI = "https://mlflow.example.com:8443/team"
VPC: dict[str, list[str]] = {"subnets": ["subnet-a", "subnet-b"], "security_groups": ["sg-a", "sg-b"]}
DENIED = refusal("AccessDeniedException", "Any", 403)
NO_PROBES = TrackingProbes(functions=None)


@pytest.fixture
def findings() -> Findings:
    return Findings()


def test_a_function_that_is_active_leaves_nothing(findings: Findings) -> None:
    functions = Functions()
    function.check(findings, functions, FUNCTION, REGION)
    assert (findings.problems, findings.warnings, functions.asked) == ((), [], [FUNCTION])


@pytest.mark.parametrize(
    ("arn", "words"),
    [
        (f"{FUNCTION}-other", f"The function {FUNCTION}-other does not exist."),
        (FUNCTION.replace(REGION, "us-west-2"), f"is in another Region than the jobs: give one of {REGION}."),
        ("score", "The function 'score' has no ARN of a Lambda function: use one such as arn:aws:lambda:"),
        (f"{FUNCTION}\n", "has no ARN of a Lambda function"),
    ],
)
def test_a_function_that_cannot_be_called_is_a_problem_that_names_it(findings: Findings, arn: str, words: str) -> None:
    function.check(findings, Functions(), arn, REGION)
    [problem] = findings.problems
    assert words in problem
    assert arn in problem or repr(arn) in problem


@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        ("Pending", None, "is Pending: wait until it is Active."),
        ("Failed", "no image", "is Failed (no image): put it right."),
    ],
)
def test_a_function_that_is_not_ready_is_a_problem(
    findings: Findings, state: str, reason: str | None, words: str
) -> None:
    functions = Functions()
    functions.configuration = {"State": state, "StateReason": reason}
    function.check(findings, functions, FUNCTION, REGION)
    assert findings.problems == (f"The function {FUNCTION} {words}",)


def test_a_function_that_sleeps_or_is_not_shown_is_a_warning(findings: Findings) -> None:
    functions = Functions()
    functions.configuration = {"State": "Inactive"}
    function.check(findings, functions, FUNCTION, REGION)
    functions.error = DENIED
    function.check(findings, functions, FUNCTION, REGION)
    assert findings.problems == ()
    assert "is Inactive: call it once" in findings.warnings[0]
    assert findings.warnings[1] == (
        f"The function {FUNCTION} was not checked: lambda:GetFunctionConfiguration is denied."
    )


def test_the_functions_of_a_job_are_those_that_reward_and_those_that_score() -> None:
    assert function.functions_called({"reward_function": "a", "processor": {"function_arn": "b"}}) == ["a", "b"]
    assert function.functions_called({"processor": None}) == []


def test_a_vpc_that_fits_leaves_nothing(findings: Findings) -> None:
    network.check(findings, Ec2(), VPC, 40)
    assert (findings.problems, findings.warnings) == ((), [])


def test_what_is_missing_of_a_vpc_is_named_one_by_one(findings: Findings) -> None:
    vpc = {"subnets": ["subnet-a", "subnet-x", "subnet-y"], "security_groups": ["sg-z"]}
    network.check(findings, Ec2(), vpc, 1)
    assert findings.problems == (
        "The subnet subnet-x does not exist in this account and Region.",
        "The subnet subnet-y does not exist in this account and Region.",
        "The security group sg-z does not exist in this account and Region.",
    )


def test_subnets_and_groups_of_several_vpcs_are_a_problem(findings: Findings) -> None:
    ec2 = Ec2()
    ec2.groups["sg-b"]["VpcId"] = "vpc-2"
    network.check(findings, ec2, VPC, 1)
    [problem] = findings.problems
    assert problem.startswith("The subnets and security groups of the jobs are of several VPCs (subnet-a of vpc-1, ")
    assert "sg-b of vpc-2" in problem


def test_too_few_addresses_are_a_problem_with_both_figures(findings: Findings) -> None:
    network.check(findings, Ec2(), VPC, 41)
    [problem] = findings.problems
    assert "subnet-a, subnet-b have 40 free addresses, and the jobs of the run need 41 at once" in problem


@pytest.mark.parametrize("code", ["UnauthorizedOperation", "RequestLimitExceeded", "InternalError"])
def test_an_ec2_that_does_not_tell_is_a_warning(findings: Findings, code: str) -> None:
    ec2 = Ec2()
    ec2.error = refusal(code, "DescribeSubnets", 403)
    network.check(findings, ec2, VPC, 1)
    assert findings.problems == ()
    [warning] = findings.warnings
    assert warning.startswith("The VPC of the jobs was not checked (subnet-a, subnet-b, sg-a, sg-b): ")
    ec2.error = KeyError("x")
    with pytest.raises(KeyError):
        network.check(findings, ec2, VPC, 1)


def test_instances_with_a_fabric_adapter_take_five_addresses() -> None:
    assert [addresses(f"ml.{name}") for name in ("p5.48xlarge", "p4d.24xlarge", "g5.12xlarge")] == [5, 5, 2]


@pytest.mark.parametrize(
    ("arn", "fine"),
    [
        (SERVER, True),
        (APP, True),
        (SERVER.replace("arn:aws:", "arn:aws-cn:"), True),
        (APP.replace("app-ABC123", "app-xyz"), False),
        (APP.replace(ACCOUNT, "123456"), False),
        (f"{SERVER}-", False),
        (f"{SERVER}\n", False),
        (URI, False),
        ("", False),
    ],
)
def test_the_forms_of_arns(arn: str, fine: bool) -> None:
    assert (arn_problem(arn) is None) is fine
    assert (mlflow_resource(arn) is not None) is fine
    assert fine or repr(arn) in str(arn_problem(arn))


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        (URI, None),
        ("https://localhost", None),
        ("http://mlflow.example.com", "use https:// with a host"),
        ("https://", "use https:// with a host"),
        ("https://host:99999", "use https:// with a host"),
        ("https://a b", "use https:// with a host"),
        ("https://me:secret@host", "holds a user or a password"),
        ("https://host/?key=1", "leave out the query"),
        (SERVER, "use https:// with a host"),
        ("", "use https:// with a host"),
    ],
)
def test_the_forms_of_addresses(uri: str, words: str | None) -> None:
    found = uri_problem(uri)
    assert found is None if words is None else words in str(found)
    assert "secret" not in str(found)


@pytest.mark.parametrize("name", ["", " ", "x" * 257, "a\nb"])
def test_names_of_experiments_and_runs(name: str) -> None:
    assert repr(name) in str(name_problem("experiment", name))
    assert name_problem("run", "x" * 256) is None


def resolve(findings: Findings, sagemaker: Mlflow, **named: str | None) -> Any:
    return mlflow.resolve(
        findings, sagemaker, {"mlflow": named}, role_arn=ROLE, region=REGION, probes=NO_PROBES, ask=unreachable
    )


def unreachable(uri: str) -> int:
    raise ConnectionRefusedError(f"nobody at {uri}")


def test_a_job_that_does_not_track_asks_nothing(findings: Findings) -> None:
    sagemaker = Mlflow()
    assert mlflow.resolve(findings, sagemaker, {}, role_arn=ROLE, region=REGION, probes=NO_PROBES) is None
    assert (findings.problems, findings.warnings, sagemaker.asked) == ((), [], [])


@pytest.mark.parametrize("arn", [SERVER, APP])
def test_a_named_server_or_app_is_looked_at_by_name(findings: Findings, arn: str) -> None:
    sagemaker = Mlflow()
    sagemaker.servers, sagemaker.apps = {SERVER: "Created"}, {APP: ("mine", "Updated")}
    assert resolve(findings, sagemaker, resource_arn=arn) == {"resource_arn": arn}
    assert (findings.problems, findings.warnings, len(sagemaker.asked)) == ((), [], 1)


@pytest.mark.parametrize("arn", [SERVER, APP])
def test_a_named_server_or_app_that_is_not_there_is_a_problem(findings: Findings, arn: str) -> None:
    resolve(findings, Mlflow(), resource_arn=arn)
    assert findings.problems == (f"mlflow.resource_arn names {arn}, which does not exist.",)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("Stopped", "which is Stopped: start it."),
        ("CreateFailed", "which is CreateFailed: name another."),
        ("Deleting", "which is Deleting: name another."),
    ],
)
def test_a_server_that_takes_nothing_is_a_problem(findings: Findings, status: str, words: str) -> None:
    sagemaker = Mlflow()
    sagemaker.servers = {SERVER: status}
    resolve(findings, sagemaker, resource_arn=SERVER)
    [problem] = findings.problems
    assert problem.endswith(words)


def test_what_is_not_ready_denied_or_elsewhere_is_a_warning(findings: Findings) -> None:
    sagemaker = Mlflow()
    sagemaker.servers = {SERVER: "Creating"}
    resolve(findings, sagemaker, resource_arn=SERVER)
    sagemaker.error = DENIED
    elsewhere = APP.replace(ACCOUNT, "999999999999")
    for arn in (SERVER, APP, elsewhere):
        assert resolve(findings, sagemaker, resource_arn=arn) == {"resource_arn": arn}
    assert findings.problems == ()
    assert findings.warnings == [
        f"{SERVER} is Creating: what a job tells it before it is ready is lost.",
        f"{SERVER} was not checked: sagemaker:DescribeMlflowTrackingServer is denied.",
        f"{APP} was not checked: sagemaker:DescribeMlflowApp is denied.",
        f"{elsewhere} was not checked: it is of another account or Region than the jobs.",
    ]


def test_the_default_is_the_default_app_on_any_page_before_a_server(findings: Findings) -> None:
    sagemaker = Mlflow()
    sagemaker.apps = {APP.replace("ABC", "XYZ"): ("other", "Created"), APP: ("DefaultMLFlowApp", "Created")}
    sagemaker.servers = {SERVER: "Created"}
    assert resolve(findings, sagemaker) == {"resource_arn": APP}


def test_else_it_is_the_only_tracking_server_that_is_there(findings: Findings) -> None:
    sagemaker = Mlflow()
    sagemaker.apps = {APP: ("DefaultMLFlowApp", "Deleting")}
    sagemaker.servers = {f"{SERVER}-old": "Stopped", SERVER: "Started"}
    assert resolve(findings, sagemaker) == {"resource_arn": SERVER}
    assert findings.problems == ()


@pytest.mark.parametrize(
    ("servers", "words"),
    [
        ({}, "no usable app DefaultMLFlowApp and no tracking server: name one as mlflow.resource_arn"),
        ({SERVER: "Created", f"{SERVER}2": "Created"}, "and 2 tracking servers, none of which is the default"),
    ],
)
def test_without_a_default_the_run_is_refused_and_never_left_untracked(
    findings: Findings, servers: dict[str, str], words: str
) -> None:
    sagemaker = Mlflow()
    sagemaker.servers = servers
    assert resolve(findings, sagemaker) is None
    [problem] = findings.problems
    assert words in problem


def test_a_default_that_may_not_be_looked_for_is_a_problem(findings: Findings) -> None:
    sagemaker = Mlflow()
    sagemaker.error = DENIED
    assert resolve(findings, sagemaker) is None
    [problem] = findings.problems
    assert "the default may not be looked for: name one as mlflow.resource_arn" in problem


def test_a_server_of_ones_own_is_asked(findings: Findings) -> None:
    assert resolve(findings, Mlflow(), uri=URI) == {"uri": URI}
    assert resolve(findings, Mlflow(), uri="http://host") is None
    [warning] = findings.warnings
    assert "nobody at" in warning
    assert len(findings.problems) == 1


def test_tracking_needs_what_is_documented_for_the_kind() -> None:
    needs = training_job_needs(
        role_arn=ROLE, region=REGION, inputs=[], output_uri="s3://out/jobs", images=[], key_arn=KEY,
        mlflow_arns=[SERVER, APP, SERVER],
    )  # fmt: skip
    found = [(need.resource, need.actions) for need in needs if need.purpose == "track in MLflow"]
    assert found == [(SERVER, SERVER_ACTIONS), (APP, APP_ACTIONS)]
    assert APP_ACTIONS == ("sagemaker:CallMlflowAppApi",)
    assert not any("Delete" in action or "*" in action for action in SERVER_ACTIONS)


def test_code_and_settings_of_a_function_are_known_by_what_changes_with_them() -> None:
    functions, found = Functions(), Findings()
    assert function.check(found, functions, FUNCTION, REGION) is None
    functions.configuration |= {"CodeSha256": "c1", "LastModified": "t1", "Version": "$LATEST"}
    first = function.check(found, functions, FUNCTION, REGION)
    assert first
    for change in ({"CodeSha256": "c2"}, {"LastModified": "t2"}, {"Version": "2"}):
        other = Functions()
        other.configuration |= functions.configuration | change
        assert function.check(found, other, FUNCTION, REGION) != first
