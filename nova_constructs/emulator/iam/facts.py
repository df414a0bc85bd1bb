"""What authorization has to know about resources, read from moto's back ends and the simulated services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.dynamodb.models import dynamodb_backends
from moto.kms.models import kms_backends
from moto.s3.models import s3_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from nova_constructs.emulator.iam.actions import Encryption
from nova_constructs.emulator.iam.tags import Tags
from nova_constructs.emulator.simulators.store import Store

_PARTITION = "aws"


class MotoFacts:
    """Facts of one account and Region."""

    def __init__(self, account: str, region: str, tags: Tags, store: Store) -> None:
        self._account = account
        self._region = region
        self._tags = tags
        self._store = store

    def tags(self, arn: str) -> Mapping[str, str]:
        """Give the tags of a resource; raises EvaluationError for a kind whose tags are not known here."""
        return self._tags.of(arn)

    def key_arn(self, key: str) -> str | None:
        """Resolve a KMS key id, alias or ARN to the ARN of a customer-managed key."""
        found = self._key(key)
        return None if found is None else str(found.arn)

    def key_policy(self, key_arn: str) -> str | None:
        """Give a key's policy document."""
        found = self._key(key_arn)
        return None if found is None else found.policy

    def bucket(self, name: str) -> Any:
        """Give moto's bucket, None if there is none."""
        return s3_backends[self._account][_PARTITION].buckets.get(name)

    def bucket_encryption(self, bucket: str) -> Encryption | None:
        """Give the default encryption of a bucket."""
        rule = ((getattr(self.bucket(bucket), "encryption", None) or {}).get("Rule")) or {}
        applied = rule.get("ApplyServerSideEncryptionByDefault") or {}
        return self._encryption(applied.get("KMSMasterKeyID"), rule.get("BucketKeyEnabled"))

    def object_encryption(self, bucket: str, key: str, version_id: str | None) -> Encryption | None:
        """Give the encryption of an object as it was written."""
        found = self._object(bucket, key, version_id)
        return self._encryption(getattr(found, "kms_key_id", None), getattr(found, "bucket_key_enabled", None))

    def upload_encryption(self, bucket: str, upload_id: str) -> Encryption | None:
        """Give the encryption with which a multipart upload was started, else the bucket's."""
        upload = getattr(self.bucket(bucket), "multiparts", {}).get(upload_id)
        return self._encryption(getattr(upload, "kms_key_id", None), None) or self.bucket_encryption(bucket)

    def object_exists(self, bucket: str, key: str) -> bool:
        """Tell whether a bucket has a current object of this name."""
        return self._object(bucket, key, None) is not None

    def table_encryption(self, table: str) -> Encryption | None:
        """Give the encryption of a DynamoDB table."""
        found = dynamodb_backends[self._account][self._region].tables.get(table)
        return self._encryption((getattr(found, "sse_specification", None) or {}).get("KMSMasterKeyId"), None)

    def partition_key(self, table: str, index: str | None) -> str | None:
        """Give the name of the partition key of a table or of one of its indexes."""
        found = dynamodb_backends[self._account][self._region].tables.get(table)
        if found is None or index is None:
            return getattr(found, "hash_key_attr", None)
        schemas = [each.schema for each in found.all_indexes() if each.name == index]
        return next((key["AttributeName"] for schema in schemas for key in schema if key["KeyType"] == "HASH"), None)

    def queue_encryption(self, queue_arn: str) -> Encryption | None:
        """Give the encryption of an SQS queue."""
        queue = sqs_backends[self._account][self._region].queues.get(queue_arn.rsplit(":", 1)[-1])
        return self._encryption(getattr(queue, "kms_master_key_id", None), None)

    def topic_encryption(self, topic_arn: str) -> Encryption | None:
        """Give the encryption of an SNS topic."""
        topic = sns_backends[self._account][self._region].topics.get(topic_arn)
        return self._encryption(getattr(topic, "kms_master_key_id", None), None)

    def custom_model_arn(self, identifier: str) -> str | None:
        """Give the ARN of a Bedrock custom model that a call names by ARN or by name."""
        return _identified(self._store.models, identifier)

    def deployment_arn(self, identifier: str) -> str | None:
        """Give the ARN of a custom model deployment that a call names by ARN or by name."""
        return _identified(self._store.deployments, identifier)

    def throughput_arn(self, identifier: str) -> str | None:
        """Give the ARN of provisioned throughput that a call names by ARN or by name."""
        return _identified(self._store.throughputs, identifier)

    def model_key_arn(self, serving: str) -> str | None:
        """Give the KMS key of the model behind a deployment or provisioned throughput (ARN), where it has its own."""
        found = self._store.deployments.get(serving) or self._store.throughputs.get(serving)
        model = self._store.models.get(found.model_arn) if found else None
        return model.kms_key_arn if model else None

    def invocation_job_arn(self, identifier: str) -> str | None:
        """Give the ARN of a batch inference job that a call names by ARN, None if there is none."""
        return identifier if identifier in self._store.invocations else None

    def cluster_arn(self, identifier: str) -> str | None:
        """Give the ARN of a HyperPod cluster that a call names by ARN or by name."""
        found = self._store.cluster(identifier)
        return found.arn if found else None

    def state_machine_of_token(self, token: str) -> str | None:
        """Give the ARN of the state machine that handed out a task token."""
        for execution in stepfunctions_parser_backends[self._account][self._region]._get_executions():
            worker = execution.exec_worker
            if worker is not None and worker.env.callback_pool_manager.get(token) is not None:
                return str(execution.state_machine_arn)
        return None

    def _encryption(self, key: str | None, bucket_key: Any) -> Encryption | None:
        key_arn = self.key_arn(key) if key else None
        return Encryption(key_arn=key_arn, bucket_key=str(bucket_key).lower() == "true") if key_arn else None

    def _key(self, key: str) -> Any:
        """Find a customer-managed key; those that AWS manages need no permission of the caller's."""
        backend = kms_backends[self._account][self._region]
        name = backend.get_alias_name(key)
        if not name.startswith("alias/"):
            return backend.keys.get(backend.get_key_id(name))
        if name.startswith("alias/aws/"):
            return None
        return next((each for each in list(backend.keys.values()) if name in each.aliases), None)

    def _object(self, bucket: str, key: str, version_id: str | None) -> Any:
        # A bucket of the service (hub, escrow) lies in another account than the caller's.
        _, owner = s3_backends.bucket_accounts.get(bucket, (_PARTITION, self._account))
        found = s3_backends[owner][_PARTITION].buckets.get(bucket)
        if found is None:
            return None
        versions = found.keys.getlist(key, default=[])
        wanted = [each for each in versions if version_id is None or str(each.version_id) == version_id]
        latest = wanted[-1] if wanted else None
        return latest if hasattr(latest, "etag") else None


def _identified(known: Mapping[str, Any], identifier: str) -> str | None:
    return next((arn for arn, each in list(known.items()) if identifier in (arn, each.name)), None)
