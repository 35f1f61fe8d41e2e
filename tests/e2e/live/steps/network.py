"""What may reach what, asked from inside."""

from __future__ import annotations

import json
from typing import Callable

from ..cluster import LOG_OUTPUT, NAMESPACE, PINGPONG, POSTGRES, Failed, deploy, get, kubectl, nodes, run, until
from . import step
from .plain import LOCAL

PROBE_IMAGE = "docker.io/curlimages/curl:8.17.0"  # the Secret's Job has it, so the nodes do
OUTSIDE = "log-pong-e2e-outside"
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
# What is spoken there does not matter: a connection is all that is asked for.
CURL = ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{time_connect}", "--connect-timeout", "3", "--max-time", "5"]

Reaches = Callable[[str, int], bool]


def probe_pod(name: str, namespace: str, labels: dict[str, str], node: str) -> dict:
    # Never ready: no Service may send it what is meant for those whose label it wears.
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels | {"e2e": "probe"}},
        "spec": {
            "nodeName": node,
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "readinessGates": [{"conditionType": "log-pong.e2e/never"}],
            "containers": [
                {
                    "name": "probe",
                    "image": PROBE_IMAGE,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["sleep", "600"],
                    "securityContext": RESTRICTED,
                }
            ],
        },
    }


def by_curl(namespace: str, pod: str) -> Reaches:
    def reaches(host: str, port: int) -> bool:
        connected = run("kubectl", "--namespace", namespace, "exec", pod, "--", *CURL, f"http://{host}:{port}/", check=False)
        return float(connected or 0) > 0

    return reaches


def from_the_database(host: str, port: int) -> bool:
    """By its own shell, as another pod with its label would be a second database to its Service."""
    said = kubectl(
        "exec",
        "postgres-0",
        "--container",
        "postgres",
        "--",
        "timeout",
        "3",
        "bash",
        "-c",
        f"exec 3<>/dev/tcp/{host}/{port} && echo connected",
        check=False,
    )
    return "connected" in said


def make_probes(node: str) -> dict[str, Reaches]:
    run("kubectl", "create", "namespace", OUTSIDE)
    made = {
        name: probe_pod(f"e2e-{name}", NAMESPACE, {"app.kubernetes.io/name": name}, node)
        for name in ("pingpong", "log-output", "postgres-secret", "stranger")
    }
    made["outside"] = probe_pod("e2e-outside", OUTSIDE, {}, node)
    for pod in made.values():
        run("kubectl", "apply", "--filename", "-", text=json.dumps(pod))
    for pod in made.values():
        run(
            "kubectl",
            "--namespace",
            pod["metadata"]["namespace"],
            "wait",
            f"pod/{pod['metadata']['name']}",
            "--for",
            "condition=ContainersReady",
            "--timeout",
            "2m",
        )
    found = {name: by_curl(pod["metadata"]["namespace"], pod["metadata"]["name"]) for name, pod in made.items()}
    return found | {"postgres": from_the_database}


def remove_probes() -> None:
    kubectl("delete", "pods", "--selector", "e2e=probe", "--ignore-not-found")
    run("kubectl", "delete", "namespace", OUTSIDE, "--ignore-not-found", "--timeout", "2m")


def address(selector: str) -> str:
    found = get("pods", "--selector", f"{selector},!e2e")["items"]
    return next(pod["status"]["podIP"] for pod in found if pod["status"].get("podIP"))


def node_of(selector: str) -> str:
    return get("pods", "--selector", f"{selector},!e2e")["items"][0]["spec"]["nodeName"]


def api_server() -> tuple[str, int]:
    found = json.loads(
        run(
            "kubectl",
            "--namespace",
            "default",
            "get",
            "endpointslices",
            "--selector",
            "kubernetes.io/service-name=kubernetes",
            "--output",
            "json",
        )
    )["items"][0]
    return found["endpoints"][0]["addresses"][0], found["ports"][0]["port"]


def addresses_of(node: dict) -> list[str]:
    return [item["address"] for item in node["status"]["addresses"]]


def a_far_node(api: str) -> str:
    """One that has neither the database nor the API server, if there is one: what comes from a pod's own node, and goes there, may
    always."""
    names = {node["metadata"]["name"] for node in nodes()}
    better = names - {node["metadata"]["name"] for node in nodes() if api in addresses_of(node)}
    best = better - {node_of(POSTGRES)}
    return sorted(best or better or names)[0]


def flows() -> list[tuple[str, str, str, int, bool]]:
    """(who, to what, address, port, may it?)"""
    pingpong, reader, database = (address(selector) for selector in (PINGPONG, LOG_OUTPUT, POSTGRES))
    api, api_port = api_server()
    dns = json.loads(run("kubectl", "--namespace", "kube-system", "get", "service/kube-dns", "--output", "json"))["spec"]["clusterIP"]
    targets = {
        "pingpong": (pingpong, 3001),
        "log-output": (reader, 3002),
        "postgres": (database, 5432),
        "the API server": (api, api_port),
        "the DNS": (dns, 53),
    }
    may = {
        "pingpong": {"postgres", "the DNS"},
        "log-output": {"pingpong", "the DNS"},
        "postgres": set(),
        "postgres-secret": {"the API server"},
        "stranger": set(),
        "outside": {"pingpong", "log-output", "the DNS", "the API server"},
    }
    found = [(who, what, *targets[what], what in allowed) for who, allowed in may.items() for what in targets if what != who]
    mine = [node["metadata"]["name"] for node in nodes() if api in addresses_of(node)]
    # To its own node a pod may always.
    return [flow for flow in found if flow[:2] != ("postgres", "the API server") or node_of(POSTGRES) not in mine]


@step("network", "every allowed and every forbidden network flow, tried from pods")
def network() -> dict:
    deploy(LOCAL)
    wanted = flows()
    try:
        probes = make_probes(a_far_node(api_server()[0]))
        # Who enforces the policies hears of new pods a moment after they start.
        until(60, "every allowed flow is open", lambda: all(probes[who](host, port) for who, _, host, port, may in wanted if may))
        opened = [f"{who} to {what}" for who, what, host, port, may in wanted if not may and probes[who](host, port)]
    finally:
        remove_probes()
    if opened:
        raise Failed(f"open: {'; '.join(opened)}")
    return {"allowed": sum(may for *_, may in wanted), "forbidden": sum(not may for *_, may in wanted)}
