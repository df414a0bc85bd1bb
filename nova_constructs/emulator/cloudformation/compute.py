"""Functions, their versions, layers and permissions, and log groups."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from typing_extensions import override

from nova_constructs.emulator.cloudformation.kind import Aws, Kind, Made, Properties, only, tag_map, words

_SETTINGS = "Handler Role Runtime Description Environment MemorySize Timeout Layers LoggingConfig EphemeralStorage"


class Function(Kind):
    type = "AWS::Lambda::Function"
    applied = words(
        f"FunctionName Code Architectures ReservedConcurrentExecutions Tags PackageType DeadLetterConfig {_SETTINGS}"
    )
    recorded = words("TracingConfig KmsKeyArn VpcConfig RecursiveLoop RuntimeManagementConfig")
    replaced_by = words("FunctionName PackageType")
    name_property = "FunctionName"

    @override
    def problems(self, properties: Properties) -> list[str]:
        """Refuse code that is not a zip for Python."""
        runtime = properties.get("Runtime", "")
        found = [] if not isinstance(runtime, str) or runtime.startswith("python") else [f"Runtime {runtime}"]
        code = properties.get("Code", {})
        return found + [f"Code.{name}" for name in code if name not in {"S3Bucket", "S3Key", "ZipFile"}]

    @override
    def create(self, aws: Aws, name: str, properties: Properties) -> Made:
        request = only(properties, f"{_SETTINGS} Architectures DeadLetterConfig")
        arn = aws.client("lambda").create_function(
            FunctionName=name, Code=_code(properties["Code"]), Tags=tag_map(properties), **request
        )["FunctionArn"]
        self._reserve(aws, name, properties)
        return Made(physical_id=name, attributes={"Arn": arn})

    @override
    def update(self, aws: Aws, made: Made, properties: Properties, before: Properties) -> Made:
        client = aws.client("lambda")
        if properties["Code"] != before["Code"]:
            client.update_function_code(FunctionName=made.physical_id, **_code(properties["Code"]))
        settings, had = only(properties, _SETTINGS), only(before, _SETTINGS)
        if settings != had:
            cleared: dict[str, Any] = {"Environment": {"Variables": {}}, "Layers": [], "Description": ""}
            gone = {name: cleared[name] for name in had if name not in settings and name in cleared}
            client.update_function_configuration(FunctionName=made.physical_id, **settings, **gone)
        self._reserve(aws, made.physical_id, properties)
        return made

    @override
    def delete(self, aws: Aws, made: Made, properties: Properties) -> None:
        aws.client("lambda").delete_function(FunctionName=made.physical_id)

    def _reserve(self, aws: Aws, name: str, properties: Properties) -> None:
        reserved = properties.get("ReservedConcurrentExecutions")
        if reserved is not None:
            aws.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=int(reserved))


def _code(given: Properties) -> dict[str, Any]:
    if "ZipFile" not in given:
        return only(given, "S3Bucket S3Key")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", given["ZipFile"])
    return {"ZipFile": buffer.getvalue()}


class Version(Kind):
    type = "AWS::Lambda::Version"
    applied = words("FunctionName Description")
    recorded = words("CodeSha256 RuntimePolicy")
    replaced_by = words("FunctionName Description")

    @override
    def create(self, aws: Aws, name: str, properties: Properties) -> Made:
        published = aws.client("lambda").publish_version(
            FunctionName=properties["FunctionName"], **only(properties, "Description")
        )
        function, version = published["FunctionArn"], published["Version"]
        arn = function if function.endswith(f":{version}") else f"{function}:{version}"
        return Made(physical_id=arn, attributes={"Version": version, "FunctionArn": arn})

    @override
    def update(self, aws: Aws, made: Made, properties: Properties, before: Properties) -> Made:
        return made

    @override
    def delete(self, aws: Aws, made: Made, properties: Properties) -> None:
        aws.client("lambda").delete_function(
            FunctionName=properties["FunctionName"], Qualifier=made.attributes["Version"]
        )


class FunctionAlias(Kind):
    type = "AWS::Lambda::Alias"
    applied = words("FunctionName FunctionVersion Name Description")
    replaced_by = words("FunctionName Name")

    @override
    def create(self, aws: Aws, name: str, properties: Properties) -> Made:
        request = only(properties, "FunctionName FunctionVersion Name Description")
        arn = aws.client("lambda").create_alias(**request)["AliasArn"]
        return Made(physical_id=arn, attributes={"AliasArn": arn})

    @override
    def update(self, aws: Aws, made: Made, properties: Properties, before: Properties) -> Made:
        request = only(properties, "FunctionName FunctionVersion Name Description")
        aws.client("lambda").update_alias(**request)
        return made

    @override
    def delete(self, aws: Aws, made: Made, properties: Properties) -> None:
        aws.client("lambda").delete_alias(**only(properties, "FunctionName Name"))


class Permission(Kind):
    type = "AWS::Lambda::Permission"
    applied = words("FunctionName Action Principal SourceArn SourceAccount")
    recorded = words("")
    replaced_by = applied

    @override
    def create(self, aws: Aws, name: str, properties: Properties) -> Made:
        request = only(properties, "Action Principal SourceArn SourceAccount")
        aws.client("lambda").add_permission(**_qualified(properties), StatementId=name[-100:], **request)
        return Made(physical_id=name[-100:])

    @override
    def update(self, aws: Aws, made: Made, properties: Properties, before: Properties) -> Made:
        return made

    @override
    def delete(self, aws: Aws, made: Made, properties: Properties) -> None:
        aws.client("lambda").remove_permission(**_qualified(properties), StatementId=made.physical_id)


def _qualified(properties: Properties) -> dict[str, str]:
    """Split a function's name or ARN from its version."""
    name = properties["FunctionName"]
    base, _, qualifier = name.rpartition(":")
    if name.startswith("arn:"):
        return {"FunctionName": base, "Qualifier": qualifier} if name.count(":") == 7 else {"FunctionName": name}
    return {"FunctionName": base, "Qualifier": qualifier} if base else {"FunctionName": name}


class Layer(Kind):
    type = "AWS::Lambda::LayerVersion"
    applied = words("LayerName Content Description CompatibleRuntimes LicenseInfo")
    recorded = words("CompatibleArchitectures")
    replaced_by = applied
    name_property = "LayerName"

    @override
    def create(self, aws: Aws, name: str, properties: Properties) -> Made:
        request = only(properties, "Content Description CompatibleRuntimes LicenseInfo")
        arn = aws.client("lambda").publish_layer_version(LayerName=name, **request)["LayerVersionArn"]
        return Made(physical_id=arn, attributes={"LayerVersionArn": arn})

    @override
    def update(self, aws: Aws, made: Made, properties: Properties, before: Properties) -> Made:
        return made

    @override
    def delete(self, aws: Aws, made: Made, properties: Properties) -> None:
        name, version = made.physical_id.rsplit(":", 2)[-2:]
        aws.client("lambda").delete_layer_version(LayerName=name, VersionNumber=int(version))


class EventInvokeConfig(Kind):
    type = "AWS::Lambda::EventInvokeConfig"
    applied = words("FunctionName Qualifier MaximumEventAgeInSeconds MaximumRetryAttempts DestinationConfig")
    replaced_by = words("FunctionName Qualifier")

    @override
    def create(self, aws: Aws, name: str, properties: Properties) -> Made:
        aws.client("lambda").put_function_event_invoke_config(**properties)
        return Made(physical_id=name)

    @override
    def update(self, aws: Aws, made: Made, properties: Properties, before: Properties) -> Made:
        self.delete(aws, made, before)
        aws.client("lambda").put_function_event_invoke_config(**properties)
        return made

    @override
    def delete(self, aws: Aws, made: Made, properties: Properties) -> None:
        aws.client("lambda").delete_function_event_invoke_config(**only(properties, "FunctionName Qualifier"))


class LogGroup(Kind):
    type = "AWS::Logs::LogGroup"
    applied = words("LogGroupName RetentionInDays KmsKeyId Tags")
    recorded = words("LogGroupClass DataProtectionPolicy DeletionProtectionEnabled")
    replaced_by = words("LogGroupName")
    name_property = "LogGroupName"
    name_limit = 512

    @override
    def create(self, aws: Aws, name: str, properties: Properties) -> Made:
        request = {"kmsKeyId": properties["KmsKeyId"]} if "KmsKeyId" in properties else {}
        aws.logs.create_log_group(logGroupName=name, tags=tag_map(properties), **request)
        made = Made(physical_id=name, attributes={"Arn": aws.arn("logs", f"log-group:{name}:*")})
        return self.update(aws, made, properties, {})

    @override
    def update(self, aws: Aws, made: Made, properties: Properties, before: Properties) -> Made:
        days = properties.get("RetentionInDays")
        if days is not None:
            aws.logs.put_retention_policy(logGroupName=made.physical_id, retentionInDays=int(days))
        return made

    @override
    def delete(self, aws: Aws, made: Made, properties: Properties) -> None:
        aws.logs.delete_log_group(logGroupName=made.physical_id)


class EventSourceMapping(Kind):
    type = "AWS::Lambda::EventSourceMapping"
    applied = words(
        "EventSourceArn FunctionName BatchSize StartingPosition Enabled FilterCriteria MaximumRetryAttempts"
        " MaximumRecordAgeInSeconds DestinationConfig"
    )
    replaced_by = words("EventSourceArn StartingPosition")

    @override
    def problems(self, properties: Properties) -> list[str]:
        """Refuse what is read otherwise than from the beginning of a DynamoDB stream."""
        start = properties.get("StartingPosition")
        return [] if start == "TRIM_HORIZON" else [f"StartingPosition {start}"]

    @override
    def create(self, aws: Aws, name: str, properties: Properties) -> Made:
        uuid = aws.client("lambda").create_event_source_mapping(**properties)["UUID"]
        return Made(physical_id=uuid, attributes={"Id": uuid})

    @override
    def update(self, aws: Aws, made: Made, properties: Properties, before: Properties) -> Made:
        changed = {name: value for name, value in properties.items() if name not in self.replaced_by}
        aws.client("lambda").update_event_source_mapping(UUID=made.physical_id, **changed)
        return made

    @override
    def delete(self, aws: Aws, made: Made, properties: Properties) -> None:
        aws.client("lambda").delete_event_source_mapping(UUID=made.physical_id)


KINDS: tuple[Kind, ...] = (
    Function(),
    Version(),
    FunctionAlias(),
    Permission(),
    Layer(),
    EventInvokeConfig(),
    EventSourceMapping(),
    LogGroup(),
)
