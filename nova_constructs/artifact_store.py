"""Where the data of a customization lies: one key and five buckets.

Creates a KMS key with rotation and the buckets `incoming` (datasets arrive), `prepared` (validated training data),
`quarantine` (rejected rows), `artifacts` (recipes, job output) and `audit` (ledger mirror and records). All are
versioned, encrypted with the key, TLS only and closed to the public. Kept when the stack goes, unless told otherwise.
"""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

DATASETS_PREFIX = "datasets/"
UPLOADS_PREFIX = "uploads/"
"""Where `nova run start FILE` puts a file: unlike a new object under `datasets/`, it starts no run by itself."""
EVALUATION_PREFIX = "evaluation/"
LISTS = "starts/*/objects.json"
"""In the artifacts bucket: the list of objects of each start over several."""
WORK_PREFIX = "work/"
"""Where shards of a large dataset leave what the next step needs; it expires by itself."""


class ArtifactStore(Construct):
    """The key and the buckets of one customization.

    Attributes: `key`, `incoming`, `prepared`, `quarantine`, `artifacts`, `audit`.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, removal_policy: RemovalPolicy = RemovalPolicy.RETAIN
    ) -> None:
        super().__init__(scope, construct_id)
        self._removal_policy = removal_policy
        self.key = kms.Key(
            self,
            "Key",
            description="Nova Constructs: data, tables and job output of one customization",
            enable_key_rotation=True,
            removal_policy=removal_policy,
        )
        self.incoming = self._bucket("Incoming")
        self.prepared = self._bucket("Prepared", _expire_work())
        self.quarantine = self._bucket("Quarantine", _expire_work())
        self.artifacts = self._bucket("Artifacts")
        self.audit = self._bucket("Audit")
        self._send_events(self.incoming)
        self._refuse_overwrites(self.audit)

    def _bucket(self, construct_id: str, *rules: s3.LifecycleRule) -> s3.Bucket:
        return s3.Bucket(
            self,
            construct_id,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=self.key,
            bucket_key_enabled=True,
            versioned=True,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            lifecycle_rules=[
                s3.LifecycleRule(id="AbortAbandonedUploads", abort_incomplete_multipart_upload_after=Duration.days(7)),
                *rules,
            ],
            removal_policy=self._removal_policy,
        )

    @staticmethod
    def _send_events(bucket: s3.Bucket) -> None:
        # The L2 switch brings a custom resource and its function; CloudFormation has the property itself.
        resource = bucket.node.default_child
        assert isinstance(resource, s3.CfnBucket)
        resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(event_bridge_enabled=True)
        )

    @staticmethod
    def _refuse_overwrites(bucket: s3.Bucket) -> None:
        bucket.add_to_resource_policy(
            iam.PolicyStatement(
                sid="LedgerEventsAreWrittenOnce",
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],
                actions=["s3:PutObject"],
                resources=[bucket.arn_for_objects("runs/*/ledger/*")],
                conditions={"Null": {"s3:if-none-match": "true"}},
            )
        )


def _expire_work() -> s3.LifecycleRule:
    return s3.LifecycleRule(
        id="ExpireWork",
        prefix=WORK_PREFIX,
        expiration=Duration.days(7),
        noncurrent_version_expiration=Duration.days(1),
    )
