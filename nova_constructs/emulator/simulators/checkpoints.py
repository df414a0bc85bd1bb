"""Trained checkpoints: what the service keeps in the Amazon-owned escrow bucket, and what it knows of their making."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from moto.s3.models import s3_backends

SERVICE_ACCOUNT = "999900001111"
"""Account that stands for the one of the service, which owns escrow and hub buckets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One set of trained weights and its lineage."""

    uri: str
    model_type: str
    base_model: str
    lora: bool
    data_sha256: str
    rows: int
    quality: float
    examples: tuple[tuple[str, str], ...] = field(repr=False)

    @property
    def lineage(self) -> str:
        """Digest of what the weights were made from."""
        parts = [self.base_model, self.model_type, str(self.lora), self.data_sha256]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def escrow_bucket(account: str, region: str, platform: str = "smtj") -> str:
    """Name of the escrow bucket of an account for training jobs (`smtj`) or HyperPod (`hp`)."""
    suffix = hashlib.sha256(f"{account}/{region}/{platform}".encode()).hexdigest()[:8]
    return f"customer-escrow-{account}-{platform}-{suffix}"


def split_uri(uri: str) -> tuple[str, str]:
    """Split s3://bucket/key into bucket and key."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def store_weights(account: str, region: str, checkpoint: Checkpoint) -> None:
    """Write the objects of a checkpoint into the escrow bucket, made on first use."""
    bucket, prefix = split_uri(checkpoint.uri)
    make_service_bucket(bucket, region, _readable_by(account, bucket))
    digest = bytes.fromhex(checkpoint.lineage)
    _put(bucket, f"{prefix}/config.json", json.dumps({"model_type": checkpoint.model_type}).encode())
    _put(bucket, f"{prefix}/model-00001-of-00001.safetensors", digest * 64)


def make_service_bucket(bucket: str, region: str, policy: dict[str, Any]) -> None:
    """Create a bucket owned by the service account, with a policy, unless it is there."""
    backend = s3_backends[SERVICE_ACCOUNT]["aws"]
    if bucket not in backend.buckets:
        backend.create_bucket(bucket, region)
        backend.put_bucket_policy(bucket, json.dumps(policy).encode())


def put_service_object(bucket: str, key: str, body: bytes) -> None:
    """Write an object into a bucket of the service account."""
    _put(bucket, key, body)


def _put(bucket: str, key: str, body: bytes) -> None:
    s3_backends[SERVICE_ACCOUNT]["aws"].put_object(bucket, key, body)


def _readable_by(account: str, bucket: str) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "ReadOwnModels",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
                "Action": ["s3:GetObject", "s3:ListBucket"],
                "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
            }
        ],
    }
