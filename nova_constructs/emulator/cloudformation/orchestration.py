"""State machines, event rules, schedules, alarms and dashboards."""

from __future__ import annotations

import json
from typing import Any

from typing_extensions import override

from nova_constructs.emulator.alarms.definition import problems
from nova_constructs.emulator.cloudformation.kind import Aws, Kind, Made, Properties, only, words
from nova_constructs.emulator.stepfunctions.map_definitions import unhonoured


class StateMachine(Kind):
    type = "AWS::StepFunctions::StateMachine"
    applied = words(
        "StateMachineName StateMachineType DefinitionString Definition DefinitionSubstitutions RoleArn Tags"
    )
    recorded = words("LoggingConfiguration TracingConfiguration EncryptionConfiguration")
    replaced_by = words("StateMachineName StateMachineType")
    name_property = "StateMachineName"
    name_limit = 80

    @override
    def problems(self, properties: Properties) -> list[str]:
        kind = properties.get("StateMachineType", "STANDARD")
        wrong_kind = [] if kind == "STANDARD" else [f"StateMachineType {kind}"]
        return wrong_kind + unhonoured(_template_text(properties))

    @override
    def create(self, aws: Aws, name: str, properties: Properties) -> Made:
        tags = [{"key": tag["Key"], "value": tag["Value"]} for tag in properties.get("Tags", [])]
        arn = aws.stepfunctions.create_state_machine(
            name=name, definition=_definition(properties), roleArn=properties["RoleArn"], tags=tags
        )["stateMachineArn"]
        return Made(physical_id=arn, attributes={"Arn": arn, "Name": name})

    @override
    def update(self, aws: Aws, made: Made, properties: Properties, before: Properties) -> Made:
        aws.stepfunctions.update_state_machine(
            stateMachineArn=made.physical_id, definition=_definition(properties), roleArn=properties["RoleArn"]
        )
        return made

    @override
    def delete(self, aws: Aws, made: Made, properties: Properties) -> None:
        aws.stepfunctions.delete_state_machine(stateMachineArn=made.physical_id)


def _template_text(properties: Properties) -> str:
    """Give the definition as far as the template tells it; what is filled in later stands there as a word."""
    text = properties.get("DefinitionString", "")
    if isinstance(text, dict) and "Fn::Join" in text:
        separator, parts = text["Fn::Join"]
        return str(separator.join(part if isinstance(part, str) else "resolved" for part in parts))
    return text if isinstance(text, str) and text else json.dumps(properties.get("Definition", {}))


def _definition(properties: Properties) -> str:
    text = properties.get("DefinitionString")
    text = str(text) if text is not None else json.dumps(properties["Definition"])
    for name, value in properties.get("DefinitionSubstitutions", {}).items():
        text = text.replace("${" + name + "}", str(value))
    return text


class Rule(Kind):
    type = "AWS::Events::Rule"
    applied = words("Name EventPattern ScheduleExpression State Description Targets RoleArn EventBusName")
    recorded = words("Tags")
    replaced_by = words("Name EventBusName")
    name_property = "Name"

    @override
    def create(self, aws: Aws, name: str, properties: Properties) -> Made:
        bus = only(properties, "EventBusName")
        request = only(properties, "ScheduleExpression State Description RoleArn")
        if "EventPattern" in properties:
            request["EventPattern"] = json.dumps(properties["EventPattern"])
        arn = aws.events.put_rule(Name=name, **bus, **request)["RuleArn"]
        targets = _targets(properties)
        if targets:
            aws.events.put_targets(Rule=name, **bus, Targets=targets)
        return Made(physical_id=name, attributes={"Arn": arn})

    @override
    def update(self, aws: Aws, made: Made, properties: Properties, before: Properties) -> Made:
        gone = {target["Id"] for target in _targets(before)} - {target["Id"] for target in _targets(properties)}
        if gone:
            bus = only(before, "EventBusName")
            aws.events.remove_targets(Rule=made.physical_id, **bus, Ids=sorted(gone))
        return self.create(aws, made.physical_id, properties)

    @override
    def delete(self, aws: Aws, made: Made, properties: Properties) -> None:
        bus = only(properties, "EventBusName")
        ids = [target["Id"] for target in _targets(properties)]
        if ids:
            aws.events.remove_targets(Rule=made.physical_id, **bus, Ids=ids)
        aws.events.delete_rule(Name=made.physical_id, **bus)


def _targets(properties: Properties) -> list[dict[str, Any]]:
    return [{**target, **_retry_policy(target)} for target in properties.get("Targets", [])]


def _retry_policy(target: Properties) -> dict[str, Any]:
    given = target.get("RetryPolicy")
    return {} if given is None else {"RetryPolicy": {name: int(value) for name, value in given.items()}}


class Schedule(Kind):
    type = "AWS::Scheduler::Schedule"
    applied = words(
        "Name GroupName ScheduleExpression ScheduleExpressionTimezone State Description Target FlexibleTimeWindow"
        " StartDate EndDate"
    )
    recorded = words("KmsKeyArn")
    replaced_by = words("Name GroupName")
    name_property = "Name"

    @override
    def create(self, aws: Aws, name: str, properties: Properties) -> Made:
        arn = aws.scheduler.create_schedule(Name=name, **self._settings(properties))["ScheduleArn"]
        return Made(physical_id=name, attributes={"Arn": arn})

    @override
    def update(self, aws: Aws, made: Made, properties: Properties, before: Properties) -> Made:
        aws.scheduler.update_schedule(Name=made.physical_id, **self._settings(properties))
        return made

    @override
    def delete(self, aws: Aws, made: Made, properties: Properties) -> None:
        aws.scheduler.delete_schedule(Name=made.physical_id, **only(properties, "GroupName"))

    def _settings(self, properties: Properties) -> dict[str, Any]:
        request = only(properties, " ".join(self.applied - {"Name"}))
        request["Target"] = request["Target"] | _retry_policy(request["Target"])
        return request


class ScheduleGroup(Kind):
    type = "AWS::Scheduler::ScheduleGroup"
    applied = words("Name Tags")
    replaced_by = words("Name")
    name_property = "Name"

    @override
    def create(self, aws: Aws, name: str, properties: Properties) -> Made:
        arn = aws.scheduler.create_schedule_group(Name=name, **only(properties, "Tags"))["ScheduleGroupArn"]
        return Made(physical_id=name, attributes={"Arn": arn})

    @override
    def update(self, aws: Aws, made: Made, properties: Properties, before: Properties) -> Made:
        return made

    @override
    def delete(self, aws: Aws, made: Made, properties: Properties) -> None:
        aws.scheduler.delete_schedule_group(Name=made.physical_id)


class Alarm(Kind):
    type = "AWS::CloudWatch::Alarm"
    applied = words(
        "AlarmName AlarmDescription ActionsEnabled OKActions AlarmActions InsufficientDataActions MetricName Namespace"
        " Statistic ExtendedStatistic Dimensions Period Unit EvaluationPeriods DatapointsToAlarm Threshold"
        " ComparisonOperator TreatMissingData EvaluateLowSampleCountPercentile Metrics ThresholdMetricId Tags"
    )
    replaced_by = words("AlarmName")
    name_property = "AlarmName"
    name_limit = 255

    @override
    def problems(self, properties: Properties) -> list[str]:
        return list(problems(properties))

    @override
    def create(self, aws: Aws, name: str, properties: Properties) -> Made:
        request = {key: value for key, value in properties.items() if key != "AlarmName"}
        aws.cloudwatch.put_metric_alarm(AlarmName=name, **request)
        return Made(physical_id=name, attributes={"Arn": aws.arn("cloudwatch", f"alarm:{name}")})

    @override
    def update(self, aws: Aws, made: Made, properties: Properties, before: Properties) -> Made:
        return self.create(aws, made.physical_id, properties)

    @override
    def delete(self, aws: Aws, made: Made, properties: Properties) -> None:
        aws.cloudwatch.delete_alarms(AlarmNames=[made.physical_id])


class Dashboard(Kind):
    type = "AWS::CloudWatch::Dashboard"
    applied = words("DashboardName DashboardBody")
    replaced_by = words("DashboardName")
    name_property = "DashboardName"
    name_limit = 255

    @override
    def create(self, aws: Aws, name: str, properties: Properties) -> Made:
        aws.cloudwatch.put_dashboard(DashboardName=name, DashboardBody=properties["DashboardBody"])
        return Made(physical_id=name)

    @override
    def update(self, aws: Aws, made: Made, properties: Properties, before: Properties) -> Made:
        return self.create(aws, made.physical_id, properties)

    @override
    def delete(self, aws: Aws, made: Made, properties: Properties) -> None:
        aws.cloudwatch.delete_dashboards(DashboardNames=[made.physical_id])


class Metadata(Kind):
    type = "AWS::CDK::Metadata"
    applied = words("")
    recorded = words("Analytics")

    @override
    def create(self, aws: Aws, name: str, properties: Properties) -> Made:
        return Made(physical_id=name)

    @override
    def update(self, aws: Aws, made: Made, properties: Properties, before: Properties) -> Made:
        return made

    @override
    def delete(self, aws: Aws, made: Made, properties: Properties) -> None:
        return None


KINDS: tuple[Kind, ...] = (
    StateMachine(),
    Rule(),
    Schedule(),
    ScheduleGroup(),
    Alarm(),
    Dashboard(),
    Metadata(),
)
