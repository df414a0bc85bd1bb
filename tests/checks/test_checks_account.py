"""Role, key, quota and job settings: each fault is named, and what cannot be looked at is a warning."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from lambda_handlers.checks import job_settings, key, quota, role
from lambda_handlers.checks.findings import ORDER, Findings
from lambda_handlers.checks.role_needs import Need, training_job_needs
from lambda_handlers.protocol.errors import InvalidRequest, JobFailed, QuotaExceeded, RecipeInvalid
from tests.checks.checks_support import ACCOUNT, KEY, REGION, ROLE, TRUST, Iam, Kms, Quotas, refusal

READ = Need(purpose="read s3://b/k", actions=("s3:GetObject",), resource="arn:aws:s3:::b/k")
USAGE = "ml.p5.48xlarge for training job usage"


@pytest.fixture
def findings() -> Findings:
    return Findings()


@pytest.fixture
def iam() -> Iam:
    return Iam()


def check_role(findings: Findings, iam: Iam, *needs: Need) -> None:
    role.check(findings, iam, role_arn=ROLE, needs=needs or (READ,))


def trust(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(TRUST), **changes}


def test_a_role_that_is_as_it_should_be_leaves_nothing(findings: Findings, iam: Iam) -> None:
    check_role(findings, iam)
    assert (findings.problems, findings.warnings) == ((), [])
    assert iam.asked == [("s3:GetObject", "arn:aws:s3:::b/k")]


@pytest.mark.parametrize(
    "statements",
    [
        [trust(Principal={"Service": ["ec2.amazonaws.com", "sagemaker.amazonaws.com"]})],
        [trust(Action=["sts:TagSession", "sts:*"])],
        [trust(Condition={"ArnLike": {"aws:SourceArn": f"arn:aws:sagemaker:*:{ACCOUNT}:training-job/*"}})],
        [trust(Condition={"StringLike": {"aws:SourceAccount": ["1", ACCOUNT]}})],
        [trust(), trust(Effect="Deny", Condition={"StringNotEquals": {"aws:SourceAccount": ACCOUNT}})],
        [trust(), trust(Effect="Deny", Principal={"AWS": "*"})],
    ],
)
def test_a_trust_that_lets_sagemaker_in_is_found(findings: Findings, iam: Iam, statements: list[Any]) -> None:
    iam.trust = statements
    check_role(findings, iam)
    assert findings.problems == ()


@pytest.mark.parametrize(
    ("condition", "limited"),
    [
        ({"StringEquals": {"aws:SourceAccount": ACCOUNT}}, True),
        ({"StringLike": {"AWS:sourceaccount": [ACCOUNT, "111122223333"]}}, True),
        ({"ArnLike": {"aws:SourceArn": f"arn:aws:sagemaker:*:{ACCOUNT}:*"}}, True),
        (None, False),
        ({"StringLike": {"aws:SourceAccount": "*"}}, False),
        ({"StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT}}, False),
        ({"StringNotEquals": {"aws:SourceAccount": "999999999999"}}, False),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:sagemaker:*:*:training-job/*"}}, False),
        ({"StringEquals": {"aws:PrincipalTag/team": "x"}}, False),
    ],
)
def test_a_trust_that_other_accounts_could_use_is_a_warning(
    findings: Findings, iam: Iam, condition: dict[str, Any] | None, limited: bool
) -> None:
    iam.trust = [trust(Condition=condition)]
    check_role(findings, iam)
    assert findings.problems == ()
    said = f"The execution role {ROLE} can be taken by sagemaker.amazonaws.com for jobs of any account: "
    assert [warning.startswith(said) for warning in findings.warnings] == ([] if limited else [True])


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        ([], "cannot be taken"),
        ([trust(Principal={"Service": "bedrock.amazonaws.com"})], "cannot be taken"),
        ([trust(Action="sts:TagSession")], "cannot be taken"),
        ([trust(Condition={"StringEquals": {"aws:SourceAccount": "999999999999"}})], "cannot be taken"),
        ([trust(Condition={"StringNotEquals": {"aws:SourceAccount": ACCOUNT}})], "cannot be taken"),
        ([trust(Condition={"ArnLike": {"aws:SourceArn": "arn:aws:sagemaker:*:999999999999:*"}})], "cannot be taken"),
        ([trust(), trust(Effect="Deny", Condition={})], "denies"),
        ([trust(), trust(Effect="Deny", Principal="*")], "denies"),
    ],
)
def test_a_trust_that_keeps_sagemaker_out_is_a_problem(
    findings: Findings, iam: Iam, statements: list[Any], words: str
) -> None:
    iam.trust = statements
    check_role(findings, iam)
    [problem] = findings.problems
    assert problem.startswith(f"The execution role {ROLE} {words}")


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ({"EvalDecision": "implicitDeny"}, "is not allowed: add it to the role's policies."),
        (
            {"EvalDecision": "explicitDeny", "MatchedStatements": [{"SourcePolicyId": "no-reading"}]},
            "is denied by no-reading: remove the Deny.",
        ),
        (
            {"EvalDecision": "implicitDeny", "OrganizationsDecisionDetail": {"AllowedByOrganizations": False}},
            "is not allowed by a policy of the organization.",
        ),
        (
            {
                "EvalDecision": "implicitDeny",
                "PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": False},
            },
            "is not allowed by the role's permissions boundary.",
        ),
    ],
)
def test_a_missing_permission_is_a_problem_that_says_what_for(
    findings: Findings, iam: Iam, result: dict[str, Any], words: str
) -> None:
    iam.decide = lambda *_asked: result
    check_role(findings, iam)
    what = f"The execution role {ROLE} cannot read s3://b/k: s3:GetObject on arn:aws:s3:::b/k"
    assert findings.problems == (f"{what} {words}",)


def test_every_page_of_an_answer_is_read(findings: Findings, iam: Iam) -> None:
    iam.page = 1
    iam.decide = lambda action, *_rest: {"EvalDecision": "implicitDeny"} if action == "kms:Encrypt" else {}
    check_role(findings, iam, Need(purpose="use the key", actions=("kms:Decrypt", "kms:Encrypt"), resource=KEY))
    [problem] = findings.problems
    assert "kms:Encrypt" in problem


def test_what_iam_does_not_say_is_a_warning_and_never_a_pass(findings: Findings, iam: Iam) -> None:
    iam.decide = lambda *_asked: {"EvalDecision": "implicitDeny", "MissingContextValues": ["aws:SourceVpce"]}
    check_role(findings, iam)
    iam.decide = lambda *_asked: {"EvalActionName": "s3:Other"}
    check_role(findings, iam)
    assert findings.problems == ()
    assert "depends on aws:SourceVpce, which only the service knows" in findings.warnings[0]
    assert "did not say whether" in findings.warnings[1]


def test_a_role_that_may_not_be_looked_at_is_a_warning(findings: Findings, iam: Iam) -> None:
    iam.errors = {name: refusal("AccessDenied", name, 403) for name in ("GetRole", "SimulatePrincipalPolicy")}
    check_role(findings, iam)
    assert findings.problems == ()
    assert ["iam:GetRole" in findings.warnings[0], "iam:SimulatePrincipalPolicy" in findings.warnings[1]] == [True] * 2


def test_a_role_that_does_not_exist_is_a_problem(findings: Findings, iam: Iam) -> None:
    iam.arn = ROLE.replace("demo-jobs", "other")
    check_role(findings, iam)
    iam.arn = ROLE.replace("demo-jobs", "path/demo-jobs")
    check_role(findings, iam)
    assert findings.problems == (
        f"The execution role {ROLE} does not exist.",
        f"The execution role {ROLE} does not exist; there is {iam.arn}.",
    )


def test_other_errors_of_iam_are_not_swallowed(findings: Findings, iam: Iam) -> None:
    iam.errors["SimulatePrincipalPolicy"] = refusal("PolicyEvaluation", "SimulatePrincipalPolicy")
    with pytest.raises(type(iam.errors["SimulatePrincipalPolicy"])):
        check_role(findings, iam)


def test_the_needs_follow_method_and_platform() -> None:
    image = "708977205387.dkr.ecr.us-east-1.amazonaws.com/nova-fine-tune-repo:SM-TJ-RFT-V2-latest"
    reward = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:reward"
    given: dict[str, Any] = {
        "role_arn": ROLE, "region": REGION, "inputs": ["s3://data/a/b.jsonl", "s3://data/a/c.jsonl"],
        "output_uri": "s3://out/runs/r/jobs", "images": [image, image], "key_arn": KEY,
    }  # fmt: skip
    plain = training_job_needs(**given)
    assert [(need.actions[0], need.resource) for need in plain] == [
        ("s3:GetObject", "arn:aws:s3:::data/a/b.jsonl"),
        ("s3:GetObject", "arn:aws:s3:::data/a/c.jsonl"),
        ("s3:ListBucket", "arn:aws:s3:::data"),
        ("s3:PutObject", "arn:aws:s3:::out/runs/r/jobs/output.tar.gz"),
        ("kms:Decrypt", KEY),
        ("ecr:BatchCheckLayerAvailability", f"arn:aws:ecr:{REGION}:708977205387:repository/nova-fine-tune-repo"),
        ("ecr:GetAuthorizationToken", "*"),
        (
            "logs:CreateLogStream",
            f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/sagemaker/TrainingJobs:log-stream:algo-1",
        ),
        ("cloudwatch:PutMetricData", "*"),
    ]
    assert plain[2].context == {"s3:prefix": "a/"}
    vpc, volumes = {"subnets": ["subnet-1"], "security_groups": ["sg-1"]}, f"{KEY}-volumes"
    more = training_job_needs(**given, functions=[reward], vpcs=[vpc], volume_key_arns=[volumes])
    ec2 = f"arn:aws:ec2:{REGION}:{ACCOUNT}"
    assert [(need.actions[0], need.resource, dict(need.context)) for need in more[len(plain) :]] == [
        ("lambda:InvokeFunction", reward, {}),
        ("ec2:CreateNetworkInterface", f"{ec2}:subnet/subnet-1", {}),
        ("ec2:CreateNetworkInterface", f"{ec2}:security-group/sg-1", {}),
        ("ec2:CreateNetworkInterface", f"{ec2}:network-interface/eni-00000000000000000", {}),
        (
            "ec2:CreateNetworkInterfacePermission",
            f"{ec2}:network-interface/eni-00000000000000000",
            {"ec2:Subnet": f"{ec2}:subnet/subnet-1"},
        ),
        ("ec2:DeleteNetworkInterfacePermission", "*", {}),
        ("kms:CreateGrant", volumes, {"kms:GrantIsForAWSResource": "true"}),
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"KeyState": "Disabled"}, "is Disabled: enable it."),
        ({"KeyState": "PendingDeletion"}, "is PendingDeletion: cancel its deletion and enable it."),
        ({"KeyState": "Creating"}, "is Creating: wait until it is Enabled."),
        ({"KeyUsage": "SIGN_VERIFY", "KeySpec": "RSA_2048"}, "is for SIGN_VERIFY: give one for ENCRYPT_DECRYPT."),
        ({"KeySpec": "RSA_2048"}, "is RSA_2048: give a symmetric one (SYMMETRIC_DEFAULT)."),
        ({"Arn": KEY.replace(REGION, "us-west-2")}, f"is in another Region than the jobs: give one of {REGION}."),
    ],
)
def test_a_key_that_jobs_cannot_use_is_a_problem(findings: Findings, changes: dict[str, str], words: str) -> None:
    kms = Kms()
    key.check(findings, kms, KEY, REGION)
    assert findings.problems == ()
    kms.metadata |= changes
    key.check(findings, kms, KEY, REGION)
    assert findings.problems == (f"The KMS key {KEY} {words}",)


def test_a_key_that_is_not_there_or_not_shown(findings: Findings) -> None:
    kms = Kms()
    key.check(findings, kms, f"{KEY}-other", REGION)
    kms.error = refusal("AccessDeniedException", "DescribeKey")
    key.check(findings, kms, KEY, REGION)
    assert findings.problems == (f"The KMS key {KEY}-other does not exist.",)
    assert findings.warnings == [f"The KMS key {KEY} was not checked: kms:DescribeKey is denied."]


def test_a_quota_is_found_by_name_on_any_page_and_says_how_to_raise_it(findings: Findings) -> None:
    quotas = Quotas()
    quota.check(findings, quotas, {USAGE: 8})
    assert (findings.problems, findings.warnings) == ((), [])
    quota.check(findings, quotas, {USAGE: 9})
    [problem] = findings.problems
    assert problem.startswith(f'The quota "{USAGE}" (L-2) of this account is 8, and the run needs 9 instances at once.')
    assert problem.endswith("--service-code sagemaker --quota-code L-2 --desired-value 9")
    with pytest.raises(QuotaExceeded):
        findings.raise_all()


def test_a_quota_below_what_an_alternative_needs_is_a_warning(findings: Findings) -> None:
    quota.check(findings, Quotas(), {USAGE: 8}, {USAGE: 9, "another": 1, "none of that name": 1})
    assert findings.problems == ()
    assert findings.warnings == [
        'An alternative will be passed over. The quota "another" (L-1) of this account is 0, and the run needs 1 '
        "instances at once. Ask for more: aws service-quotas request-service-quota-increase --service-code sagemaker "
        "--quota-code L-1 --desired-value 1",
        f'An alternative will be passed over. The quota "{USAGE}" (L-2) of this account is 8, and the run needs 9 '
        "instances at once. Ask for more: aws service-quotas request-service-quota-increase --service-code sagemaker "
        "--quota-code L-2 --desired-value 9",
        'The quota "none of that name" was not checked: Service Quotas lists none of that name.',
    ]


@pytest.mark.parametrize("code", ["AccessDeniedException", "TooManyRequestsException", "NoSuchResourceException"])
def test_quotas_that_are_not_told_are_a_warning(findings: Findings, code: str) -> None:
    quotas = Quotas()
    quotas.error = refusal(code, "ListServiceQuotas")
    quota.check(findings, quotas, {USAGE: 8})
    assert findings.problems == ()
    assert findings.warnings[0].startswith(f"Quotas were not checked ({USAGE}):")


def test_a_fault_of_our_own_is_no_warning(findings: Findings) -> None:
    quotas = Quotas()
    quotas.error = KeyError("q")
    with pytest.raises(KeyError):
        quota.check(findings, quotas, {USAGE: 8})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"instance_count": 0}, "instance_count is 0; allowed: 1 to"),
        ({"instance_count": True}, "instance_count is True; allowed: a whole number"),
        ({"max_runtime_seconds": 28 * 86400 + 1}, "max_runtime_seconds is 2419201; allowed: 1 to 2419200 seconds"),
        ({"max_pending_seconds": 1799}, "max_pending_seconds is 1799; allowed: 1800 to 2419200 seconds"),
        ({"volume_size_gb": 16385}, "volume_size_gb is 16385; allowed: 1 to 16384 GB"),
        ({"keep_alive_seconds": 21601}, "keep_alive_seconds is 21601; allowed: 1 to 21600 seconds"),
        ({"vpc": {"subnets": ["subnet-1"], "security_groups": []}}, "vpc.security_groups has 0 ids; allowed: 1 to 5"),
        ({"vpc": {"subnets": ["sub-1"], "security_groups": ["sg-1"]}}, "vpc.subnets names 'sub-1'; allowed: an id"),
    ],
)
def test_settings_that_the_service_refuses_are_problems(
    findings: Findings, changes: dict[str, Any], words: str
) -> None:
    vpc = {"subnets": ["subnet-1"], "security_groups": ["sg-1"]}
    good = {"instance_count": 1, "max_runtime_seconds": 1, "max_pending_seconds": 1800, "volume_size_gb": 1, "vpc": vpc}
    job_settings.check(findings, good, "training")
    assert findings.problems == ()
    job_settings.check(findings, {**good, **changes}, "training")
    [problem] = findings.problems
    assert problem.startswith(f"training: {words}")


NAMES = {"a": True, "a-B-9": True, "a" * 63: True, "a" * 64: False, "-a": False, "a-": False, "a_b": False, "": False}


@pytest.mark.parametrize(("name", "fine"), [*NAMES.items(), ("a\n", False)])
def test_job_names_follow_the_service(findings: Findings, name: str, fine: bool) -> None:
    job_settings.check_name(findings, name)
    assert (findings.problems == ()) is fine


def test_the_first_class_in_order_names_the_error_and_other_errors_pass(findings: Findings) -> None:
    findings.raise_all()
    findings.problem("too few", QuotaExceeded)
    with findings.checking("training"):
        raise RecipeInvalid("The recipe cannot be used.", problems=["lr: no.", "lr: no."])
    with pytest.raises(RecipeInvalid) as caught:
        findings.raise_all()
    assert caught.value.problems == ("training: lr: no.", "too few")
    with findings.checking():
        raise InvalidRequest("Bad.")
    with pytest.raises(InvalidRequest, match=r"- Bad\.\n- training: lr: no\.\n- too few$"):
        findings.raise_all()
    with pytest.raises(JobFailed), findings.checking():
        raise JobFailed("x")
    assert JobFailed not in ORDER
