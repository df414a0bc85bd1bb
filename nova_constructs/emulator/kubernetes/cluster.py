"""HyperPod clusters on EKS, as tests, the demo and `nova emulate` make them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml
from moto.eks.models import eks_backends

from nova_constructs.emulator.aws import operator_client
from nova_constructs.emulator.kubernetes import validation
from nova_constructs.emulator.kubernetes.access import AccessEntries
from nova_constructs.emulator.kubernetes.api import Api
from nova_constructs.emulator.kubernetes.authentication import Tokens
from nova_constructs.emulator.kubernetes.certificates import make_authority
from nova_constructs.emulator.kubernetes.control_plane import ControlPlane
from nova_constructs.emulator.kubernetes.faults import ApiFaults
from nova_constructs.emulator.kubernetes.kinds import KINDS, ROLE, ROLE_BINDING, of_object
from nova_constructs.emulator.kubernetes.nodes import INSTANCE_TYPES
from nova_constructs.emulator.kubernetes.server import ApiServer
from nova_constructs.emulator.kubernetes.store import Object, ObjectStore
from nova_constructs.emulator.simulators.hyperpod_clusters import ClusterRecord, RestrictedGroup
from nova_constructs.emulator.simulators.store import Store, store_of
from nova_constructs.emulator.state import EmulatorState

_GROUP = "nova-constructs"
_SUBNETS = ["subnet-0a1b2c3d", "subnet-1b2c3d4e"]


class Cluster:
    """One cluster: its API server, its objects, its faults. `record` is SageMaker's view and may be changed."""

    def __init__(self, state: EmulatorState, simulated: Store, record: ClusterRecord, eks_name: str) -> None:
        self.record, self.eks_name = record, eks_name
        self._state = state
        self._authority = make_authority()
        self.store = ObjectStore(state.clock.now)
        entries = simulated.access.setdefault(eks_name, AccessEntries())
        tokens = Tokens(eks_name, lambda: state.endpoint, state.clock.now, entries)
        self.faults = ApiFaults(state.clock.now, tokens.expire)
        self._control_plane = ControlPlane(state, simulated, self.store, record)
        api = Api(self.store, tokens, self._control_plane.wake)
        self._server = ApiServer(api, self.faults, state.clock, self._authority)
        self._server.start()

    @property
    def endpoint(self) -> str:
        """URL of the API server."""
        return f"https://127.0.0.1:{self._server.port}"

    @property
    def ca(self) -> bytes:
        """Certificate of the authority that signed the server's certificate, in PEM."""
        return self._authority.certificate

    @property
    def execution_role(self) -> str:
        """ARN of the role of the first restricted instance group."""
        return self.record.groups[0].execution_role

    def add_namespace(self, name: str) -> None:
        """Make a namespace."""
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def grant(
        self, group: str = _GROUP, namespace: str = "kubeflow", rules: str | Sequence[Mapping[str, Any]] = ()
    ) -> None:
        """Let a Kubernetes group do what some rules say; `rules` may be YAML with a Role and a RoleBinding."""
        if isinstance(rules, str):
            self.apply(rules)
            return
        meta = {"name": f"{group}-{hashlib.sha256(json.dumps(list(rules)).encode()).hexdigest()[:8]}"}
        role = {"apiVersion": ROLE.api_version, "kind": "Role", "metadata": meta, "rules": list(rules)}
        binding = {
            "apiVersion": ROLE_BINDING.api_version,
            "kind": "RoleBinding",
            "metadata": dict(meta),
            "roleRef": {"apiGroup": ROLE.group, "kind": "Role", "name": meta["name"]},
            "subjects": [{"apiGroup": ROLE.group, "kind": "Group", "name": group}],
        }
        for body in (role, binding):
            self.apply({**body, "metadata": {**body["metadata"], "namespace": namespace}})  # type: ignore[dict-item]

    def apply(self, objects: str | Object) -> None:
        """Create objects, or replace those of the same name, as the cluster's administrator."""
        documents: Iterable[Any] = yaml.safe_load_all(objects) if isinstance(objects, str) else [objects]
        for document in documents:
            if document is None:
                continue
            kind = of_object(document)
            if kind is None:
                known = ", ".join(sorted(each.kind for each in KINDS))
                raise ValueError(f"the emulator has no kind {document.get('kind')}; it has {known}")
            namespace = (document.get("metadata") or {}).get("namespace") or "default"
            with self.store.lock:
                body, _ = validation.accepted(kind, document, namespace, "Strict")
                place = namespace if kind.namespaced else ""
                if (before := self.store.find(kind, place, body["metadata"]["name"])) is not None:
                    self.store.remove(kind, before)
                self.store.create(kind, body)
        self._control_plane.wake()

    def objects(self, namespace: str = "kubeflow") -> list[tuple[str, str]]:
        """Return kind and name of everything in a namespace but events."""
        with self.store.lock:
            return self.store.names(namespace)

    def get(self, kind: str, name: str, namespace: str = "kubeflow") -> Object | None:
        """Return a copy of an object by its kind's name, or None."""
        wanted = next(each for each in KINDS if each.kind == kind)
        with self.store.lock:
            found = self.store.find(wanted, namespace if wanted.namespaced else "", name)
            return None if found is None else dict(json.loads(json.dumps(found)))

    def stop_api(self) -> None:
        """Close the API's port: connections are refused."""
        self._server.stop()

    def start_api(self) -> None:
        """Listen again, on the same port."""
        self._server.start()

    def ca_mismatch(self, wrong: bool = True) -> None:
        """Present a certificate that another authority has signed, or the right one again."""
        self._server.present(make_authority() if wrong else self._authority)


class HyperPodClusters:
    """The clusters of one emulator."""

    def __init__(self, state: EmulatorState) -> None:
        self._state, self._store = state, store_of(state)
        self._clusters: dict[str, Cluster] = {}

    def create_cluster(
        self,
        name: str = "hp",
        instance_type: str = "ml.p5.48xlarge",
        count: int = 16,
        namespaces: Sequence[str] = ("kubeflow",),
        eks_name: str | None = None,
        *,
        execution_role: str | None = None,
        groups: Sequence[tuple[str, int]] = (),
        output_uri: str = "",
    ) -> Cluster:
        """Make a HyperPod cluster in service with one restricted instance group, and its EKS cluster.

        `groups` are further groups as (instance type, count). `execution_role` is the ARN of the role of the groups'
        instances; without one a role `NAME-execution` is made, which may pull images, write the cluster's logs and do
        nothing else: what it reads and writes in S3 has to be granted to it. `eks_name` is `name` unless given.
        """
        types = [(instance_type, count), *groups]
        if unknown := sorted({each for each, _ in types} - INSTANCE_TYPES):
            raise ValueError(
                f"the emulator has no instances {', '.join(unknown)}; it has {', '.join(sorted(INSTANCE_TYPES))}"
            )
        eks_name = eks_name or name
        role = execution_role or self._make_role(name)
        eks_arn = self._make_eks(eks_name, role)
        record = self._record(name, eks_arn, role, types, output_uri)
        cluster = Cluster(self._state, self._store, record, eks_name)
        self._clusters[name] = cluster
        backend = eks_backends[self._state.account][self._state.region].clusters[eks_name]
        backend.endpoint = cluster.endpoint
        backend.certificate_authority = {"data": base64.b64encode(cluster.ca).decode()}
        for namespace in ("default", *namespaces):
            cluster.add_namespace(namespace)
        self._store.clusters[name] = record
        return cluster

    def __getitem__(self, name: str) -> Cluster:
        return self._clusters[name]

    def stop(self) -> None:
        """Close every API server and forget the clusters."""
        for cluster in self._clusters.values():
            cluster.stop_api()
        self._clusters.clear()

    def _record(
        self, name: str, eks_arn: str, role: str, types: Sequence[tuple[str, int]], output_uri: str
    ) -> ClusterRecord:
        region, account = self._state.region, self._state.account
        identifier = hashlib.sha256(f"{account}/{region}/{name}".encode()).hexdigest()[:12]
        return ClusterRecord(
            name=name,
            arn=f"arn:aws:sagemaker:{region}:{account}:cluster/{identifier}",
            eks_arn=eks_arn,
            created=self._state.clock.now(),
            groups=[
                RestrictedGroup(
                    name=f"restricted-{place}",
                    instance_type=each,
                    count=count,
                    execution_role=role,
                    output_uri=output_uri or f"s3://sagemaker-{region}-{account}/hyperpod",
                )
                for place, (each, count) in enumerate(types, start=1)
            ],
        )

    def _make_eks(self, name: str, role: str) -> str:
        made = operator_client(self._state, "eks").create_cluster(
            name=name, version="1.33", roleArn=role, resourcesVpcConfig={"subnetIds": _SUBNETS}
        )
        return str(made["cluster"]["arn"])

    def _make_role(self, cluster: str) -> str:
        iam, name = operator_client(self._state, "iam"), f"{cluster}-execution"
        trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="HyperPod", PolicyDocument=json.dumps(_instance_policy()))
        return str(arn)


def _instance_policy() -> Mapping[str, Any]:
    """Return what the role of instances needs whatever they do (after AmazonSageMakerClusterInstanceRolePolicy)."""
    pull = ["BatchCheckLayerAvailability", "BatchGetImage", "GetAuthorizationToken", "GetDownloadUrlForLayer"]
    write = ["CreateLogGroup", "CreateLogStream", "DescribeLogStreams", "PutLogEvents"]
    statements = [
        {"Effect": "Allow", "Action": [f"ecr:{action}" for action in pull], "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": [f"logs:{action}" for action in write],
            "Resource": "arn:aws:logs:*:*:log-group:/aws/sagemaker/Clusters/*",
        },
    ]
    return {"Version": "2012-10-17", "Statement": statements}
