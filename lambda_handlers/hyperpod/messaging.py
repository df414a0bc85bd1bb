"""The message servers' objects of a reinforcement job: what their StatefulSet needs besides itself.

Source: the public launcher of aws/sagemaker-hyperpod-recipes, chart nats 1.3.6, with its values for Nova.
"""

from __future__ import annotations

from typing import Any, Final

SUFFIX: Final = "-nats-server"
SERVERS: Final = 3
_PORTS: Final = {"nats": 4222, "cluster": 6222, "monitor": 8222, "prom": 9090}
_HTTP: Final = ("monitor", "prom")

Object = dict[str, Any]


def labels(servers: str, component: str = "nats") -> dict[str, str]:
    """Return the labels of the chart's objects; `servers` is the name of the StatefulSet."""
    return {
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/instance": servers,
        "app.kubernetes.io/managed-by": "Helm",
        "app.kubernetes.io/name": "nats",
        "app.kubernetes.io/version": "2.11.3",
        "helm.sh/chart": "nats-1.3.6",
    }


def selector(servers: str) -> dict[str, str]:
    """Return the labels by which the servers' pods are found."""
    return {name: labels(servers)[name] for name in _SELECTED}


_SELECTED: Final = ("app.kubernetes.io/component", "app.kubernetes.io/instance", "app.kubernetes.io/name")


def objects(job: str, namespace: str) -> list[Object]:
    """Return the secret, the configuration and the two services of a job's message servers."""
    servers = f"{job}{SUFFIX}"
    contexts = _object("Secret", f"{servers}-box-contexts", namespace, labels(servers, "nats-box"))
    config = _object("ConfigMap", f"{servers}-config", namespace, labels(servers))
    headless = _object("Service", f"{servers}-headless", namespace, labels(servers))
    service = _object("Service", servers, namespace, labels(servers))
    return [
        {**contexts, "stringData": {"default.json": f'{{\n  "url": "nats://{servers}"\n}}\n'}, "type": "Opaque"},
        {**config, "data": {"nats.conf": _configuration(servers)}},
        {
            **headless,
            "spec": {
                "clusterIP": "None",
                "ports": [_port(name) for name in _PORTS],
                "publishNotReadyAddresses": True,
                "selector": selector(servers),
            },
        },
        {**service, "spec": {"ports": [_port("nats"), _port("monitor")], "selector": selector(servers)}},
    ]


def _object(kind: str, name: str, namespace: str, labelled: dict[str, str]) -> Object:
    return {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"labels": labelled, "name": name, "namespace": namespace},
    }


def _port(name: str) -> Object:
    protocol = "http" if name in _HTTP else "tcp"
    return {"appProtocol": protocol, "name": name, "port": _PORTS[name], "targetPort": name}


def _configuration(servers: str) -> str:
    hosts = (f"{servers}-{number}.{servers}-headless" for number in range(SERVERS))
    routes = ",\n".join(f"      nats://{host}:{_PORTS['cluster']}" for host in hosts)
    lines = (
        '"accounts": {\n    $SYS { users = [ { user: "nats", pass: "pass" } ] }\n  }',
        f'"cluster": {{\n    "name": {servers},\n    "no_advertise": true,\n    "port": {_PORTS["cluster"]},\n'
        f'    "routes": [\n{routes}\n    ]\n  }}',
        '"write_deadline": "1200s"',
        '"max_pending": 536870912',
        '"max_payload": 50331648',
        f'"http_port": {_PORTS["monitor"]}',
        '"prof_port": 65432',
        '"jetstream": {\n    "enabled": true,\n    "max_buffered_msgs": 50000,\n    "max_buffered_size": 4096mib,\n'
        '    "max_memory_store": 185220464640\n  }',
        '"lame_duck_duration": "30s"',
        '"lame_duck_grace_period": "10s"',
        '"pid_file": "/var/run/nats/nats.pid"',
        f'"port": {_PORTS["nats"]}',
        '"server_name": $SERVER_NAME',
        '"debug": false',
    )
    return "{\n" + ",\n".join(f"  {line}" for line in lines) + "\n}\n"
