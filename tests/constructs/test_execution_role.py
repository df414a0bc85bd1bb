"""The role of jobs: ours is limited to what jobs use, one of the user's own is left as it is and told what it needs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk import aws_iam as iam
from aws_cdk.assertions import Template

from lambda_handlers.catalog.mlflow import APP_ACTIONS, SERVER_ACTIONS
from nova_constructs import (
    ConfigurationError,
    EvaluationTask,
    Floor,
    JobVpc,
    MlflowTracking,
    NoDeployment,
    NovaCustomization,
    Processor,
    QualityGate,
    TrainingJobs,
)
from nova_constructs.app import FEATURE_FLAGS

ACCOUNT, REGION = "111122223333", "us-east-1"
MINE = f"arn:aws:iam::{ACCOUNT}:role/teams/nova-jobs"
SCORER = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:score-answers"
VOLUMES = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/volumes"
SERVER = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:mlflow-tracking-server/mine"
APP = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:mlflow-app/app-ABC123"
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "execution-role.md"


def new_stack(*, placed: bool = True) -> Stack:
    app = App(context=FEATURE_FLAGS, analytics_reporting=False)
    return Stack(app, "Nova-Demo", env=Environment(account=ACCOUNT, region=REGION) if placed else None)


def demo(stack: Stack, **changes: Any) -> NovaCustomization:
    given: dict[str, Any] = {
        "model": "NOVA_LITE_2",
        "method": "SFT_LORA",
        "platform": training(),
        "evaluation": [EvaluationTask(task="mmlu")],
        "gate": QualityGate(criteria=[Floor(task="mmlu", floor=0.2)]),
        **changes,
    }
    return NovaCustomization(stack, "Demo", **given)


def training(**changes: Any) -> TrainingJobs:
    return TrainingJobs(**{"instance_type": "ml.p5.48xlarge", "instance_count": 4, **changes})


def statements(demo: NovaCustomization) -> dict[str, dict[str, Any]]:
    return {each["Sid"]: each for each in map(resolved, demo.execution_role.statements)}


def resolved(statement: iam.PolicyStatement) -> dict[str, Any]:
    return dict(statement.to_statement_json())


@pytest.mark.parametrize(
    ("role", "words"),
    [
        ("nova-jobs", "execution_role is 'nova-jobs': use a role or its ARN, such as arn:aws:iam::"),
        (f"arn:aws:iam::{ACCOUNT}:user/me", "use a role or its ARN"),
        (MINE.replace(ACCOUNT, "999999999999"), "execution_role is of account 999999999999, the stack of 111122223333"),
    ],
)
def test_a_role_that_cannot_be_taken_is_refused(role: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        demo(new_stack(), execution_role=role)
    [problem] = caught.value.problems
    assert words in problem


@pytest.mark.parametrize("imported", [True, False])
def test_nothing_is_attached_to_a_role_of_ones_own_and_it_alone_is_passed(imported: bool) -> None:
    stack = new_stack()
    demo(stack, execution_role=MINE if not imported else iam.Role.from_role_arn(stack, "Mine", MINE, mutable=True))
    template = Template.from_stack(stack).to_json()["Resources"]
    policies = {name: each["Properties"] for name, each in template.items() if each["Type"] == "AWS::IAM::Policy"}
    assert [name for name in template if "ExecutionRole" in name] == []
    assert [each for each in policies.values() if "nova-jobs" in json.dumps(each["Roles"])] == []
    passed = [s for each in policies.values() for s in each["PolicyDocument"]["Statement"] if s["Sid"] == "PassRole"]
    sagemakers = [s["Resource"] for s in passed if "sagemaker" in json.dumps(s["Condition"])]
    assert set(sagemakers) == {MINE}
    seen = [
        s for each in policies.values() for s in each["PolicyDocument"]["Statement"] if s["Sid"].startswith("SeeExe")
    ]
    assert [s["Resource"] for s in seen] == [MINE]
    roles = {
        value
        for each in template.values()
        if each["Type"] == "AWS::Lambda::Function"
        for name, value in each["Properties"].get("Environment", {}).get("Variables", {}).items()
        if name == "TRAINING_ROLE_ARN"
    }
    assert roles == {MINE}


def test_a_role_of_the_stack_is_left_alone_too() -> None:
    stack = new_stack()
    mine = iam.Role(stack, "Mine", assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"))
    made = demo(stack, execution_role=mine)
    template = Template.from_stack(stack).to_json()["Resources"]
    [name] = [name for name, each in template.items() if each["Type"] == "AWS::IAM::Role" and name.startswith("Mine")]
    policies = [each["Properties"]["Roles"] for each in template.values() if each["Type"] == "AWS::IAM::Policy"]
    assert {"Ref": name} not in [role for roles in policies for role in roles]
    assert {"ReadInputs", "WriteOutput", "UseKey", "PullImages"} <= set(statements(made))


@pytest.mark.parametrize(
    ("tracking", "granted"),
    [
        (MlflowTracking(resource_arn=SERVER), {"TrackInServer": (SERVER_ACTIONS, SERVER)}),
        (MlflowTracking(resource_arn=APP), {"TrackInApp": (APP_ACTIONS, APP)}),
        (
            MlflowTracking(),
            {
                "TrackInServer": (SERVER_ACTIONS, f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:mlflow-tracking-server/*"),
                "TrackInApp": (APP_ACTIONS, f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:mlflow-app/*"),
            },
        ),
        (MlflowTracking(uri="https://mlflow.example.com"), {}),
        (None, {}),
    ],
)
def test_the_role_may_track_where_the_platform_says(tracking: MlflowTracking | None, granted: dict[str, Any]) -> None:
    stack = new_stack()
    found = statements(demo(stack, platform=training(mlflow=tracking)))
    made = {sid: stack.resolve(each) for sid, each in found.items() if sid.startswith("Track")}
    assert {
        sid: (each["Action"] if isinstance(each["Action"], list) else [each["Action"]], partitioned(each["Resource"]))
        for sid, each in made.items()
    } == {sid: (list(actions), arn) for sid, (actions, arn) in granted.items()}


def partitioned(resource: Any) -> Any:
    return text(resource).replace("REGION", REGION).replace("ACCOUNT", ACCOUNT)


@pytest.mark.parametrize(
    ("tracking", "words"),
    [
        ({"resource_arn": "mine"}, "mlflow.resource_arn is 'mine': use the ARN of a tracking server"),
        ({"resource_arn": ""}, "mlflow.resource_arn is ''"),
        ({"uri": "http://mlflow"}, "mlflow.uri is 'http://mlflow': use https://"),
        ({"experiment": ""}, "mlflow.experiment is '': use 1 to 256 characters"),
        ({"run": "x" * 257}, "mlflow.run is 'xxx"),
        ({"resource_arn": SERVER, "uri": "https://mlflow"}, "mlflow has a resource_arn and a uri: give one"),
    ],
)
def test_tracking_that_cannot_work_is_refused(tracking: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        demo(new_stack(), platform=training(mlflow=MlflowTracking(**tracking)))
    [problem] = caught.value.problems
    assert problem.startswith(words)


def test_an_evaluation_is_not_tracked() -> None:
    platform = TrainingJobs(instance_type="ml.p5.48xlarge", instance_count=1, mlflow=MlflowTracking())
    with pytest.raises(ConfigurationError, match="evaluation 'mmlu' has mlflow, which tracks training alone"):
        demo(new_stack(), evaluation=[EvaluationTask(task="mmlu", platform=platform)])


@pytest.mark.parametrize("changes", [{"aggregation": "median"}, {"lambda_type": "mine"}])
def test_a_processor_that_the_container_would_refuse_is_refused(changes: dict[str, str]) -> None:
    [(name, value)] = changes.items()
    task = EvaluationTask(task="gen_qa", dataset="gen_qa.jsonl", processor=Processor(function=SCORER, **changes))
    with pytest.raises(ConfigurationError, match=f"{name} is '{value}': use"):
        demo(new_stack(), evaluation=[EvaluationTask(task="mmlu"), task])
    with pytest.raises(TypeError, match="function"):
        Processor(aggregation="min")  # type: ignore[call-arg]


def test_the_plan_sees_what_jobs_use_and_nothing_where_they_use_nothing() -> None:
    vpc = JobVpc(subnets=["subnet-1"], security_groups=["sg-1"])
    scored = EvaluationTask(task="gen_qa", dataset="gen_qa.jsonl", processor=Processor(function=SCORER))
    plain = seen_by_the_plan()
    assert plain == {}
    more = seen_by_the_plan(
        platform=training(vpc=vpc, mlflow=MlflowTracking(resource_arn=APP)),
        evaluation=[EvaluationTask(task="mmlu"), scored],
    )
    assert more == {
        "SeeFunctions": ("lambda:GetFunctionConfiguration", SCORER),
        "SeeVpc": (["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets"], "*"),
        "SeeMlflowApp": ("sagemaker:DescribeMlflowApp", APP),
    }
    found = seen_by_the_plan(platform=training(mlflow=MlflowTracking()))
    assert found == {"FindMlflow": (["sagemaker:ListMlflowApps", "sagemaker:ListMlflowTrackingServers"], "*")}


def seen_by_the_plan(**changes: Any) -> dict[str, Any]:
    stack = new_stack()
    demo(stack, **changes)
    resources = Template.from_stack(stack).to_json()["Resources"].values()
    listed = [
        each["Properties"]["PolicyDocument"]["Statement"] for each in resources if each["Type"].endswith("Policy")
    ]
    names = ("SeeFunctions", "SeeVpc", "SeeMlflowServer", "SeeMlflowApp", "FindMlflow")
    return {s["Sid"]: (s["Action"], s["Resource"]) for found in listed for s in found if s.get("Sid") in names}


def test_without_a_deployment_no_function_may_touch_bedrock() -> None:
    stack = new_stack()
    demo(stack, deployment=NoDeployment())
    assert "bedrock:" not in json.dumps(Template.from_stack(stack).to_json())
    other = new_stack()
    demo(other)
    assert "bedrock:DeleteCustomModel" in json.dumps(Template.from_stack(other).to_json())


def test_the_document_lists_the_statements_of_the_construct() -> None:
    written = DOCUMENT.read_text(encoding="utf-8")
    assert table() == "\n".join(re.findall(r"^\|.*\|$", written.split("## Statements")[1], flags=re.MULTILINE))


def table() -> str:
    """Return the statements of a customization that uses everything, as a table."""
    stack = new_stack(placed=False)
    scored = EvaluationTask(task="gen_qa", dataset="gen_qa.jsonl", processor=Processor(function=SCORER))
    tracked = training(vpc=JobVpc(subnets=["subnet-SUBNET"], security_groups=["sg-GROUP"]), mlflow=MlflowTracking())
    # An instance type without disks of its own takes a key for its volumes.
    keyed = TrainingJobs(instance_type="ml.p3.16xlarge", instance_count=1, volume_key_arn=VOLUMES)
    made = demo(stack, platform=tracked, evaluation=[EvaluationTask(task="mmlu", platform=keyed), scored])
    rows = ["| Sid | actions | resources | condition |", "|---|---|---|---|"]
    for sid, each in statements(made).items():
        found = stack.resolve(each)
        actions, resources = (listed(found[name]) for name in ("Action", "Resource"))
        cells = (
            sid,
            ", ".join(f"`{action}`" for action in actions),
            ", ".join(f"`{text(resource)}`" for resource in resources),
            condition(found.get("Condition")),
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def condition(found: Any) -> str:
    if not found:
        return ""
    plain = {
        operator: {key: [text(value) for value in listed(values)] for key, values in keys.items()}
        for operator, keys in found.items()
    }
    return f"`{json.dumps(plain)}`"


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def text(value: Any) -> str:
    """Return a value of a template as words: names of buckets and of the key in capitals."""
    if isinstance(value, str):
        return value
    [(name, inner)] = value.items()
    if name == "Fn::Join":
        return str(inner[0]).join(text(each) for each in inner[1])
    if name == "Ref":
        return {"AWS::Partition": "aws", "AWS::Region": "REGION", "AWS::AccountId": "ACCOUNT"}[inner]
    assert name == "Fn::GetAtt", value
    place = next(each for each in ("Prepared", "Artifacts", "Incoming", "Key") if f"Store{each}" in inner[0])
    return "KEY" if place == "Key" else f"arn:aws:s3:::{place.upper()}"
