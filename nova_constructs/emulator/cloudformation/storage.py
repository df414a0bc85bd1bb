"""Keys, buckets, tables and parameters."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from typing_extensions import override

from nova_constructs.emulator.cloudformation.kind import Aws, Kind, Made, Properties, flag, only, tag_map, words


class Key(Kind):
    type = "AWS::KMS::Key"
    applied = words("KeyPolicy Description EnableKeyRotation Enabled KeySpec KeyUsage Tags")
    recorded = words("PendingWindowInDays RotationPeriodInDays BypassPolicyLockoutSafetyCheck")
    replaced_by = words("KeySpec KeyUsage")

    @override
    def create(self, aws: Aws, name: str, properties: Properties) -> Made:
        request = only(properties, "Description KeySpec KeyUsage")
        tags = [{"TagKey": key, "TagValue": value} for key, value in tag_map(properties).items()]
        if "KeyPolicy" in properties:
            request["Policy"] = json.dumps(properties["KeyPolicy"])
        key = aws.kms.create_key(**request, Tags=tags)["KeyMetadata"]
        self._rotate(aws, key["KeyId"], properties)
        return Made(physical_id=key["KeyId"], attributes={"Arn": key["Arn"], "KeyId": key["KeyId"]})

    @override
    def update(self, aws: Aws, made: Made, properties: Properties, before: Properties) -> Made:
        aws.kms.put_key_policy(KeyId=made.physical_id, PolicyName="default", Policy=json.dumps(properties["KeyPolicy"]))
        self._rotate(aws, made.physical_id, properties)
        return made

    @override
    def delete(self, aws: Aws, made: Made, properties: Properties) -> None:
        aws.kms.schedule_key_deletion(KeyId=made.physical_id, PendingWindowInDays=7)

    def _rotate(self, aws: Aws, key_id: str, properties: Properties) -> None:
        if flag(properties.get("EnableKeyRotation")):
            aws.kms.enable_key_rotation(KeyId=key_id)
        if "Enabled" in properties and not flag(properties["Enabled"]):
            aws.kms.disable_key(KeyId=key_id)


class Alias(Kind):
    type = "AWS::KMS::Alias"
    applied = words("AliasName TargetKeyId")
    replaced_by = words("AliasName")

    @override
    def create(self, aws: Aws, name: str, properties: Properties) -> Made:
        key = properties["TargetKeyId"].rsplit("/", 1)[-1]
        aws.kms.create_alias(AliasName=properties["AliasName"], TargetKeyId=key)
        return Made(physical_id=properties["AliasName"])

    @override
    def update(self, aws: Aws, made: Made, properties: Properties, before: Properties) -> Made:
        key = properties["TargetKeyId"].rsplit("/", 1)[-1]
        aws.kms.update_alias(AliasName=made.physical_id, TargetKeyId=key)
        return made

    @override
    def delete(self, aws: Aws, made: Made, properties: Properties) -> None:
        aws.kms.delete_alias(AliasName=made.physical_id)


class Bucket(Kind):
    type = "AWS::S3::Bucket"
    applied = words(
        "BucketName BucketEncryption VersioningConfiguration PublicAccessBlockConfiguration OwnershipControls"
        " NotificationConfiguration LifecycleConfiguration ObjectLockEnabled ObjectLockConfiguration Tags"
    )
    recorded = words("LoggingConfiguration AccessControl IntelligentTieringConfigurations MetricsConfigurations")
    replaced_by = words("BucketName ObjectLockEnabled")
    name_property = "BucketName"
    name_limit = 63
    lower_case = True

    @override
    def problems(self, properties: Properties) -> list[str]:
        given = properties.get("NotificationConfiguration", {})
        return [f"NotificationConfiguration.{name}" for name in given if name != "EventBridgeConfiguration"]

    @override
    def create(self, aws: Aws, name: str, properties: Properties) -> Made:
        request: dict[str, Any] = {"Bucket": name}
        if aws.state.region != "us-east-1":
            request["CreateBucketConfiguration"] = {"LocationConstraint": aws.state.region}
        if flag(properties.get("ObjectLockEnabled")):
            request["ObjectLockEnabledForBucket"] = True
        aws.s3.create_bucket(**request)
        made = Made(
            physical_id=name,
            attributes={
                "Arn": f"arn:aws:s3:::{name}",
                "DomainName": f"{name}.s3.amazonaws.com",
                "RegionalDomainName": f"{name}.s3.{aws.state.region}.amazonaws.com",
            },
        )
        return self.update(aws, made, properties, {})

    @override
    def update(self, aws: Aws, made: Made, properties: Properties, before: Properties) -> Made:
        bucket = {"Bucket": made.physical_id}
        for name, put in _BUCKET_SETTINGS.items():
            if name in properties and properties[name] != before.get(name):
                put(aws.s3, bucket, properties[name])
        if "Tags" in properties:
            aws.s3.put_bucket_tagging(**bucket, Tagging={"TagSet": list(properties["Tags"])})
        return made

    @override
    def delete(self, aws: Aws, made: Made, properties: Properties) -> None:
        aws.s3.delete_bucket(Bucket=made.physical_id)


def _put_encryption(s3: Any, bucket: dict[str, str], value: Any) -> None:
    rules = [
        {
            "ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"],
            "BucketKeyEnabled": flag(rule.get("BucketKeyEnabled")),
        }
        for rule in value["ServerSideEncryptionConfiguration"]
    ]
    s3.put_bucket_encryption(**bucket, ServerSideEncryptionConfiguration={"Rules": rules})


def _put_notification(s3: Any, bucket: dict[str, str], value: Any) -> None:
    if "EventBridgeConfiguration" not in value:
        return
    enabled = flag(value["EventBridgeConfiguration"].get("EventBridgeEnabled", True))
    s3.put_bucket_notification_configuration(
        **bucket, NotificationConfiguration={"EventBridgeConfiguration": {}} if enabled else {}
    )


def _put_access_block(s3: Any, bucket: dict[str, str], value: Any) -> None:
    flags = {name: flag(given) for name, given in value.items()}
    s3.put_public_access_block(**bucket, PublicAccessBlockConfiguration=flags)


def _put_lifecycle(s3: Any, bucket: dict[str, str], value: Any) -> None:
    s3.put_bucket_lifecycle_configuration(
        **bucket, LifecycleConfiguration={"Rules": [_lifecycle_rule(rule) for rule in value["Rules"]]}
    )


def _lifecycle_rule(rule: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = only(rule, "Status NoncurrentVersionExpiration AbortIncompleteMultipartUpload")
    made |= {"ID": rule["Id"]} if "Id" in rule else {}
    made["Filter"] = {"Prefix": rule.get("Prefix", "")}
    if "ExpirationInDays" in rule:
        made["Expiration"] = {"Days": int(rule["ExpirationInDays"])}
    if flag(rule.get("ExpiredObjectDeleteMarker")):
        made["Expiration"] = {"ExpiredObjectDeleteMarker": True}
    if "Transitions" in rule:
        made["Transitions"] = [
            {"StorageClass": step["StorageClass"], "Days": int(step["TransitionInDays"])}
            for step in rule["Transitions"]
        ]
    return made


_BUCKET_SETTINGS: Mapping[str, Callable[[Any, dict[str, str], Any], object]] = {
    "BucketEncryption": _put_encryption,
    "VersioningConfiguration": lambda s3, bucket, value: s3.put_bucket_versioning(
        **bucket, VersioningConfiguration={"Status": value["Status"]}
    ),
    "PublicAccessBlockConfiguration": _put_access_block,
    "OwnershipControls": lambda s3, bucket, value: s3.put_bucket_ownership_controls(
        **bucket, OwnershipControls={"Rules": value["Rules"]}
    ),
    "NotificationConfiguration": _put_notification,
    "LifecycleConfiguration": _put_lifecycle,
    "ObjectLockConfiguration": lambda s3, bucket, value: s3.put_object_lock_configuration(
        **bucket, ObjectLockConfiguration=value
    ),
}


class BucketPolicy(Kind):
    type = "AWS::S3::BucketPolicy"
    applied = words("Bucket PolicyDocument")
    replaced_by = words("Bucket")

    @override
    def create(self, aws: Aws, name: str, properties: Properties) -> Made:
        made = Made(physical_id=properties["Bucket"])
        return self.update(aws, made, properties, {})

    @override
    def update(self, aws: Aws, made: Made, properties: Properties, before: Properties) -> Made:
        aws.s3.put_bucket_policy(Bucket=properties["Bucket"], Policy=json.dumps(properties["PolicyDocument"]))
        return made

    @override
    def delete(self, aws: Aws, made: Made, properties: Properties) -> None:
        aws.s3.delete_bucket_policy(Bucket=properties["Bucket"])


class Table(Kind):
    type = "AWS::DynamoDB::Table"
    applied = words(
        "TableName KeySchema AttributeDefinitions BillingMode ProvisionedThroughput GlobalSecondaryIndexes"
        " LocalSecondaryIndexes SSESpecification PointInTimeRecoverySpecification TimeToLiveSpecification"
        " DeletionProtectionEnabled StreamSpecification Tags"
    )
    recorded = words("TableClass ContributorInsightsSpecification OnDemandThroughput WarmThroughput")
    replaced_by = words("TableName KeySchema LocalSecondaryIndexes GlobalSecondaryIndexes")
    name_property = "TableName"
    name_limit = 255

    @override
    def create(self, aws: Aws, name: str, properties: Properties) -> Made:
        request = only(
            properties,
            "KeySchema AttributeDefinitions BillingMode ProvisionedThroughput GlobalSecondaryIndexes"
            " LocalSecondaryIndexes Tags",
        )
        if "SSESpecification" in properties:
            given = properties["SSESpecification"]
            request["SSESpecification"] = only(given, "KMSMasterKeyId SSEType") | {"Enabled": flag(given["SSEEnabled"])}
        if "StreamSpecification" in properties:
            request["StreamSpecification"] = {"StreamEnabled": True, **properties["StreamSpecification"]}
        table = aws.dynamodb.create_table(TableName=name, **request)["TableDescription"]
        attributes = {"Arn": table["TableArn"], "StreamArn": table.get("LatestStreamArn", "")}
        return self.update(aws, Made(physical_id=name, attributes=attributes), properties, {})

    @override
    def update(self, aws: Aws, made: Made, properties: Properties, before: Properties) -> Made:
        table = {"TableName": made.physical_id}
        protected = flag(properties.get("DeletionProtectionEnabled"))
        if protected != flag(before.get("DeletionProtectionEnabled")):
            aws.dynamodb.update_table(**table, DeletionProtectionEnabled=protected)
        recovery = properties.get("PointInTimeRecoverySpecification")
        if recovery is not None:
            enabled = flag(recovery.get("PointInTimeRecoveryEnabled"))
            aws.dynamodb.update_continuous_backups(
                **table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": enabled}
            )
        expiry = properties.get("TimeToLiveSpecification")
        if expiry is not None and expiry != before.get("TimeToLiveSpecification"):
            specification = {"AttributeName": expiry["AttributeName"], "Enabled": flag(expiry["Enabled"])}
            aws.dynamodb.update_time_to_live(**table, TimeToLiveSpecification=specification)
        stream = properties.get("StreamSpecification")
        if before and stream != before.get("StreamSpecification"):
            wanted = {"StreamEnabled": bool(stream), **(stream or {})}
            changed = aws.dynamodb.update_table(**table, StreamSpecification=wanted)["TableDescription"]
            return replace(made, attributes={**made.attributes, "StreamArn": changed.get("LatestStreamArn", "")})
        return made

    @override
    def delete(self, aws: Aws, made: Made, properties: Properties) -> None:
        aws.dynamodb.delete_table(TableName=made.physical_id)


class Parameter(Kind):
    type = "AWS::SSM::Parameter"
    applied = words("Name Type Value Description Tier AllowedPattern DataType Tags")
    replaced_by = words("Name")
    name_property = "Name"
    name_limit = 1011

    @override
    def create(self, aws: Aws, name: str, properties: Properties) -> Made:
        aws.ssm.put_parameter(Name=name, **self._settings(properties), Tags=self._tags(properties))
        return self._made(name, properties)

    @override
    def update(self, aws: Aws, made: Made, properties: Properties, before: Properties) -> Made:
        aws.ssm.put_parameter(Name=made.physical_id, Overwrite=True, **self._settings(properties))
        return self._made(made.physical_id, properties)

    @override
    def delete(self, aws: Aws, made: Made, properties: Properties) -> None:
        aws.ssm.delete_parameter(Name=made.physical_id)

    def _settings(self, properties: Properties) -> dict[str, Any]:
        return only(properties, "Type Value Description Tier AllowedPattern DataType")

    def _tags(self, properties: Properties) -> list[dict[str, str]]:
        return [{"Key": key, "Value": value} for key, value in tag_map(properties).items()]

    def _made(self, name: str, properties: Properties) -> Made:
        return Made(physical_id=name, attributes={"Type": properties["Type"], "Value": properties["Value"]})


KINDS: tuple[Kind, ...] = (Key(), Alias(), Bucket(), BucketPolicy(), Table(), Parameter())
