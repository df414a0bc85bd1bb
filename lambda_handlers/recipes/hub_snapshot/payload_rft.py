"""The objects of reinforcement fine-tuning on HyperPod, as the hub's payloads have them: 21, seven with a recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lambda_handlers.hyperpod import messaging
from lambda_handlers.recipes.hub_snapshot import payload_parts as parts
from lambda_handlers.recipes.hub_snapshot.payload_parts import Object

CONFIGS: Final[Mapping[str, str]] = {
    "training-config": "omega_rl_train",
    "vllm-generation-config": "storm_gen_vllm",
    "hub-config": "storm_hub",
    "nats-bootstrap-config": "storm_nats_bootstrap",
    "prompter-config": "storm_prompt_loader",
    "rbs-config": "storm_rbs",
}
"""What each part finds as `training_config.task_type` in its own recipe, by the end of its ConfigMap's name."""

_CPU, _GPU = "cpu-only-{{name}}", "gpu-intensive-{{name}}"
_STORM_NOTES: Final = {"job_type": "stormrl"}
_SCRAPED: Final = {
    "prometheus.io/path": "/metrics",
    "prometheus.io/port": "9090",
    "prometheus.io/scrape": "true",
    **_STORM_NOTES,
}
_DEVICES: Final = {"nvidia.com/gpu": "8", "vpc.amazonaws.com/efa": 32}


def objects(image: str, images: Mapping[str, str]) -> dict[str, list[Object]]:
    """Return the objects by the template that each is from, those with recipes left out."""
    storm, servers = images["rft_storm_container_image"], f"{{{{name}}}}{messaging.SUFFIX}"
    return {
        "hub.yaml": [
            parts.service("{{name}}-hubcli", clusterIP="None", selector={"app": "{{name}}-hubcli"}),
            _hub(storm),
            _bootstrap(storm),
        ],
        "nats-server.yaml": [*messaging.objects("{{name}}", "{{namespace}}"), _servers(servers, images)],
        "prompt-rbs.yaml": [
            *(
                parts.service(f"{{{{name}}}}-{name}", clusterIP="None", selector={"app": f"{{{{name}}}}-{name}"})
                for name in ("prompter", "rbs")
            ),
            _worker("prompter", "promptcli", "5", storm, init_image=images["init_container_image"]),
            _worker("rbs", "rbscli", "85", storm),
        ],
        "training.yaml": [_training(image)],
        "vllm-generation.yaml": [
            parts.service(
                "{{name}}-vllm",
                selector={"app": "{{name}}-vllm"},
                type="ClusterIP",
                ports=[{"name": "sg", "port": 8000, "targetPort": 7000}],
            ),
            _generation(images["rft_generation_container_image"]),
        ],
    }


def _affinity(ours: str, others: str) -> Object:
    """Return the affinity of a pod: rather near its own sort, never near the other, on restricted nodes only."""

    def near(sort: str) -> Object:
        rules = [{"key": "workload-type", "operator": "In", "values": [sort]}]
        return {"labelSelector": {"matchExpressions": rules}, "topologyKey": "kubernetes.io/hostname"}

    preferred = [{"weight": 100, "podAffinityTerm": near(ours)}]
    return {
        "podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred},
        "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [near(others)]},
        **parts.on_restricted_nodes(),
    }


def _pod(sort: str, containers: Sequence[Object], volumes: Sequence[str], config: str, **more: Any) -> Object:
    other = _GPU if sort == _CPU else _CPU
    return {
        "serviceAccountName": None,
        "affinity": _affinity(sort, other),
        "tolerations": list(parts.TOLERATIONS),
        **more,
        "containers": list(containers),
        "volumes": parts.volumes(volumes, f"{{{{name}}}}-{config}"),
    }


def _container(name: str, image: str, env: Sequence[Object], mounts: Sequence[str], **more: Any) -> Object:
    pulled = {"imagePullPolicy": "Always"}
    return {"name": name, "image": image, **pulled, "env": list(env), **more, "volumeMounts": parts.mounts(*mounts)}


def _workload(kind: str, name: str, spec: Object, **metadata: Any) -> Object:
    version = "batch/v1" if kind == "Job" else "apps/v1"
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "namespace": "{{namespace}}", **metadata},
        "spec": spec,
    }


def _notes(name: str, image: str, **more: str) -> Object:
    return {"job": name, "region": None, "image": image, **more, "worker_replicas": "1"}


def _storage(cpu: str, memory: str, disk: str) -> Object:
    return parts.amounts(**{"cpu": cpu, "ephemeral-storage": disk, "memory": memory})


def _hub(image: str) -> Object:
    name = "{{name}}-hubcli"
    env = parts.environment(parts.named("NAMESPACE", "{{namespace}}"))
    mounts, resources = (*parts.WORK_MOUNTS, parts.CA), _storage("90", "720Gi", "80Gi")
    container = _container("hubcli", image, env, mounts, resources=resources, securityContext={})
    pod = _pod(
        _CPU,
        [container],
        (*parts.WORK_VOLUMES, parts.CA),
        "hub-config",
        enableServiceLinks=False,
        shareProcessNamespace=True,
        **parts.HOST_NETWORK,
        restartPolicy="Always",
        schedulerName="default-scheduler",
        terminationGracePeriodSeconds=30,
    )
    metadata = {
        "labels": {"app": name, "user": None, "run_id": "{{name}}", "workload-type": _CPU},
        "annotations": {"prom_label": "{{name}}", **_STORM_NOTES, "alias": None},
    }
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": {"metadata": metadata, "spec": pod}}
    return _workload("Deployment", name, spec, annotations=_notes(name, image))


def _bootstrap(image: str) -> Object:
    container = _container("bootstrap", image, parts.environment(), parts.WORK_MOUNTS)
    more = {"enableServiceLinks": False, "shareProcessNamespace": True, "restartPolicy": "OnFailure"}
    pod = _pod(_CPU, [container], parts.WORK_VOLUMES, "nats-bootstrap-config", **more)
    metadata = {"annotations": dict(_STORM_NOTES), "labels": {"workload-type": _CPU}}
    template = {"metadata": metadata, "spec": pod}
    return _workload("Job", f"{{{{name}}}}{messaging.SUFFIX}-bootstrap", {"template": template})


def _servers(name: str, images: Mapping[str, str]) -> Object:
    env = parts.environment(parts.from_field("MY_POD_NAME", "metadata.name"))
    mounts = ("config", "pid", "fsx-path-main", "dshm", "logs", "fsx-path-output-artifacts")
    ports = (("nats", 4222), ("cluster", 6222), ("monitor", 8222))
    server = {
        "name": "nats",
        "image": images["rft_nats_server_container_image"],
        "env": env,
        "resources": _storage("30", "256Gi", "20Gi"),
        "ports": [{"containerPort": port, "name": port_name} for port_name, port in ports],
        "livenessProbe": _probe("/healthz?js-enabled-only=true", 3, 30),
        "readinessProbe": _probe("/healthz?js-server-only=true", 3, 10),
        "startupProbe": _probe("/healthz", 90, 10),
        "volumeMounts": parts.mounts(*mounts),
    }
    reloader_image = images["rft_nats_reloader_container_image"]
    reloader = {"name": "reloader", "image": reloader_image, "volumeMounts": parts.mounts("pid", "config")}
    volumes = ("config", "pid", "fsx-path-main", "fsx-path-init", "dshm", "logs", "fsx-path-output-artifacts")
    more = {"enableServiceLinks": False, "shareProcessNamespace": True, "terminationGracePeriodSeconds": 60}
    notes = {
        "prom_label": "{{name}}",
        "alias": None,
        **{key: value for key, value in _SCRAPED.items() if not key.endswith("scrape")},
    }
    labels = messaging.labels(name)
    metadata = {"annotations": notes, "labels": {"run_id": "{{name}}", "workload-type": _CPU, **labels}}
    pod = _pod(_CPU, [server, reloader], volumes, f"{messaging.SUFFIX.lstrip('-')}-config", **more)
    spec = {
        "podManagementPolicy": "Parallel",
        "replicas": messaging.SERVERS,
        "selector": {"matchLabels": messaging.selector(name)},
        "serviceName": f"{name}-headless",
        "template": {"metadata": metadata, "spec": pod},
    }
    return _workload("StatefulSet", name, spec, labels=labels)


def _probe(path: str, failures: int, period: int) -> Object:
    return {
        "failureThreshold": failures,
        "httpGet": {"path": path, "port": "monitor"},
        "initialDelaySeconds": 10,
        "periodSeconds": period,
        "successThreshold": 1,
        "timeoutSeconds": 5,
    }


def _worker(role: str, container_name: str, cpu: str, image: str, init_image: str = "") -> Object:
    name = f"{{{{name}}}}-{role}"
    resources = _storage(cpu, "369Gi", "50Gi")
    container = _container(container_name, image, parts.environment(), parts.WORK_MOUNTS, resources=resources)
    more: Object = {
        "enableServiceLinks": False,
        "dnsPolicy": "ClusterFirst",
        "restartPolicy": "OnFailure",
        "schedulerName": "default-scheduler",
        "terminationGracePeriodSeconds": 30,
    }
    volumes: tuple[str, ...] = parts.WORK_VOLUMES
    if init_image:
        more["initContainers"], volumes = [parts.init_container(init_image)], (*volumes, parts.CA)
    labels = {"app": name, "user": None, "workload-type": _CPU}
    own = dict(labels) if not init_image else {key: value for key, value in labels.items() if key != "user"}
    template = {
        "metadata": {"labels": {**labels, "run_id": "{{name}}"}, "annotations": dict(_SCRAPED)},
        "spec": _pod(_CPU, [container], volumes, f"{role}-config", **more),
    }
    notes = _notes(name, image, discover_hosts="/config/discover_hosts.sh")
    return _workload("Job", name, {"template": template}, labels=own, annotations=notes)


def _training(image: str) -> Object:
    env = parts.environment(
        parts.from_field("SVC_NAME", "metadata.labels['training.kubeflow.org/job-name']"),
        parts.from_field("NAMESPACE", "metadata.namespace"),
    )

    def role(**more: Any) -> Object:
        resources = parts.amounts(**_DEVICES)
        container = _container("pytorch", image, env, parts.WORK_MOUNTS, resources=resources, **more)
        template = {
            "metadata": {"labels": {"workload-type": _GPU}},
            "spec": _pod(_GPU, [container], parts.WORK_VOLUMES, "training-config"),
        }
        return {"replicas": 1, "restartPolicy": "OnFailure", "template": template}

    locked = {"capabilities": {"add": ["IPC_LOCK"]}}
    roles = {"Master": role(), "Worker": {**role(securityContext=locked), "replicas": "{{replicas}}"}}
    return {
        "apiVersion": "kubeflow.org/v1",
        "kind": "PyTorchJob",
        "metadata": {"name": "{{name}}", "namespace": "{{namespace}}"},
        "spec": {"runPolicy": {"cleanPodPolicy": "None"}, "pytorchReplicaSpecs": roles},
    }


def _generation(image: str) -> Object:
    name = "{{name}}-vllm"
    fields = (("MY_POD_NAME", "metadata.name"), ("POD_IP", "status.podIP"), ("NAMESPACE", "metadata.namespace"))
    env = parts.environment(*(parts.from_field(variable, path) for variable, path in fields))
    health = {"httpGet": {"path": "/health", "port": 8000}}
    container = _container(
        "vllm",
        image,
        env,
        (*parts.WORK_MOUNTS, parts.CA),
        resources=parts.amounts(**{"hugepages-2Mi": "20000Mi", "memory": "1600Gi", **_DEVICES}),
        securityContext={},
        ports=[{"containerPort": 8000}],
        startupProbe={"periodSeconds": 10, "failureThreshold": 720, **health},
        livenessProbe={
            "failureThreshold": 30,
            **health,
            "initialDelaySeconds": 900,
            "periodSeconds": 30,
            "successThreshold": 1,
            "timeoutSeconds": 5,
        },
    )
    volumes = (*parts.WORK_VOLUMES, parts.CA)
    more = {"enableServiceLinks": False, **parts.HOST_NETWORK, "restartPolicy": "Always", "securityContext": {}}
    template = {
        "metadata": {"labels": {"app": name, "workload-type": _GPU}},
        "spec": _pod(_GPU, [container], volumes, "vllm-generation-config", **more),
    }
    spec = {
        "replicas": 2,
        "serviceName": name,
        "podManagementPolicy": "Parallel",
        "selector": {"matchLabels": {"app": name}},
        "template": template,
    }
    return _workload("StatefulSet", name, spec)
