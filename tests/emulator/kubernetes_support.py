"""A HyperPod cluster on the emulator, and a small client of its API that knows nothing of ours."""

from __future__ import annotations

import base64
import copy
import http.client
import json
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from nova_constructs.emulator import Emulator
from nova_constructs.emulator.kubernetes.cluster import Cluster

GROUP = "nova-constructs"
JOBS = "/apis/kubeflow.org/v1/namespaces/kubeflow/pytorchjobs"
CORE = "/api/v1/namespaces/kubeflow"
APPS = "/apis/apps/v1/namespaces/kubeflow"
BATCH = "/apis/batch/v1/namespaces/kubeflow"
REGISTRY = "708977205387.dkr.ecr.us-east-1.amazonaws.com"
EVERYTHING = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
BUCKET = "hyperpod-data"


@dataclass(slots=True, kw_only=True)
class Kube:
    """A client of one cluster's API under one set of keys."""

    cluster: Cluster
    emulator: Emulator
    keys: tuple[str, str, str]
    name: str = ""
    token: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def bearer(self) -> str:
        """Return the token that was set, or else a new one: 15 simulated minutes are over soon."""
        return self.token or token(self.emulator, self.keys, self.name or self.cluster.eks_name)

    def call(
        self, method: str, path: str, body: Any = None, *, timeout: float = 10.0, ca: bytes | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Send one request and return status and object."""
        context = ssl.create_default_context(cadata=(ca or self.cluster.ca).decode())
        port = int(self.cluster.endpoint.rsplit(":", 1)[1])
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=timeout)
        headers = {"Authorization": f"Bearer {self.bearer()}", "Content-Type": "application/json", **self.headers}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def create(self, path: str, body: Mapping[str, Any], **query: str) -> tuple[int, dict[str, Any]]:
        """Create an object with strict validation, unless the query says otherwise."""
        given = {"fieldValidation": "Strict", **query}
        return self.call("POST", f"{path}?{'&'.join(f'{name}={value}' for name, value in given.items())}", body)

    def get(self, path: str) -> dict[str, Any]:
        """Return an object that is there."""
        code, body = self.call("GET", path)
        assert code == 200, body
        return body


def token(emulator: Emulator, keys: tuple[str, str, str], cluster: str, *, service: str = "sts") -> str:
    """Presign GetCallerIdentity for a cluster as `aws eks get-token` does."""
    url = f"{emulator.endpoint}/?Action=GetCallerIdentity&Version=2011-06-15"
    request = AWSRequest("GET", url, headers={"x-k8s-aws-id": cluster})
    SigV4QueryAuth(Credentials(*(key or None for key in keys)), service, "us-east-1", expires=60).add_auth(request)
    return "k8s-aws-v1." + base64.urlsafe_b64encode(str(request.url).encode()).decode().rstrip("=")


def role_keys(emulator: Emulator, name: str) -> tuple[str, tuple[str, str, str]]:
    """Make a role and a session of it; return its ARN and the session's keys."""
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = emulator.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    keys = emulator.client("sts").assume_role(RoleArn=arn, RoleSessionName="function")["Credentials"]
    return arn, (keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


def submitter(emulator: Emulator, cluster: Cluster, rules: Sequence[Mapping[str, Any]] = EVERYTHING) -> Kube:
    """Make a role with an access entry, whose group may do what the rules say."""
    arn, keys = role_keys(emulator, f"{cluster.eks_name}-submitter")
    emulator.client("eks").create_access_entry(clusterName=cluster.eks_name, principalArn=arn, kubernetesGroups=[GROUP])
    if rules:
        cluster.grant(GROUP, "kubeflow", rules)
    return Kube(cluster=cluster, emulator=emulator, keys=keys)


def allow_s3(emulator: Emulator, cluster: Cluster) -> None:
    """Make the bucket of the tests with training data, and let the cluster's instances use it."""
    s3 = emulator.client("s3")
    if BUCKET not in {each["Name"] for each in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket=BUCKET)
        s3.put_object(Bucket=BUCKET, Key="train.jsonl", Body=conversations())
    statement = {
        "Effect": "Allow",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"],
    }
    role = cluster.execution_role.rsplit("/", 1)[-1]
    emulator.client("iam").put_role_policy(
        RoleName=role, PolicyName="data", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )


def conversations(rows: int = 10) -> bytes:
    """Return training data of supervised fine-tuning."""
    lines = []
    for number in range(rows):
        turns = [
            {"role": "user", "content": [{"text": f"What is {number} plus {number}?"}]},
            {"role": "assistant", "content": [{"text": f"It is {2 * number}."}]},
        ]
        lines.append(json.dumps({"schemaVersion": "bedrock-conversation-2024", "messages": turns}))
    return "\n".join(lines).encode()


def recipe(name: str, **run: Any) -> str:
    """Return the text of a recipe of supervised fine-tuning."""
    return yaml.safe_dump(
        {
            "run": {
                "name": name,
                "model_type": "amazon.nova-2-lite-v1:0:256k",
                "model_name_or_path": "nova-lite-2/prod",
                "data_s3_path": f"s3://{BUCKET}/train.jsonl",
                "output_s3_path": f"s3://{BUCKET}/out/",
                "replicas": 2,
                **run,
            },
            "training_config": {"max_steps": 40, "global_batch_size": 32, "peft": {"peft_scheme": "lora"}},
        }
    )


def config_map(name: str, text: str | None = None) -> dict[str, Any]:
    """Return the ConfigMap that a job mounts."""
    meta = {"name": f"training-config-{name}"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"config.yaml": text or recipe(name)}}


def pytorch_job(
    name: str,
    *,
    replicas: int = 2,
    image: str = "nova-fine-tune-repo:SM-HP-SFT-V2-latest",
    instance_type: str = "ml.p5.48xlarge",
    run_policy: Mapping[str, Any] | None = None,
    **replica: Any,
) -> dict[str, Any]:
    """Return a PyTorchJob as the payloads of the hub have it, shortened."""
    shares = {"nvidia.com/gpu": 8, "vpc.amazonaws.com/efa": 32}
    selector = [
        {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": [instance_type]},
        {"key": "sagemaker.amazonaws.com/instance-group-type", "operator": "In", "values": ["Restricted"]},
    ]
    spec = {
        "tolerations": [
            {
                "key": "sagemaker.amazonaws.com/RestrictedNode",
                "operator": "Equal",
                "value": "Worker",
                "effect": "NoSchedule",
            }
        ],
        "containers": [
            {
                "name": "pytorch",
                "image": f"{REGISTRY}/{image}",
                "resources": {"limits": dict(shares), "requests": dict(shares)},
                "volumeMounts": [{"mountPath": "/config", "name": "training-config"}],
            }
        ],
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": selector}]
                }
            }
        },
        "volumes": [{"name": "training-config", "configMap": {"name": f"training-config-{name}"}}],
    }
    part = {"restartPolicy": "OnFailure", "template": {"spec": spec}, **replica}
    parts = {"Master": {"replicas": 1, **copy.deepcopy(part)}}
    if replicas > 1:
        parts["Worker"] = {"replicas": replicas - 1, **copy.deepcopy(part)}
    return {
        "apiVersion": "kubeflow.org/v1",
        "kind": "PyTorchJob",
        "metadata": {"name": name, "namespace": "kubeflow", "labels": {"app": name}},
        "spec": {**({"runPolicy": dict(run_policy)} if run_policy else {}), "pytorchReplicaSpecs": parts},
    }


def submit(kube: Kube, name: str, **job: Any) -> dict[str, Any]:
    """Create ConfigMap and PyTorchJob and return the latter."""
    code, made = kube.create(f"{CORE}/configmaps", config_map(name))
    assert code == 201, made
    code, made = kube.create(JOBS, pytorch_job(name, **job))
    assert code == 201, made
    return made


def until(happened: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Wait, at most some real seconds, until something is true, and return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if result := happened():
            return result
        time.sleep(0.02)
    raise AssertionError(f"did not happen within {seconds} s")


def ended(kube: Kube, name: str, kind: str = "Succeeded") -> dict[str, Any]:
    """Wait for a condition of a job and return the job."""
    return dict(until(lambda: _with(kube.get(f"{JOBS}/{name}"), kind)))


def _with(job: dict[str, Any], kind: str) -> dict[str, Any] | None:
    found = [each for each in job.get("status", {}).get("conditions", ()) if each["type"] == kind]
    return job if found and found[0]["status"] == "True" else None
