"""Components that change what the plain system is reached by, or kept in."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
import urllib.request
from typing import Iterator

from ..cluster import (
    IMAGES,
    NAMESPACE,
    PINGPONG,
    ROOT,
    TIED,
    Failed,
    answers,
    apply,
    deploy,
    get,
    is_ready,
    kubectl,
    make_room,
    mark,
    names,
    overlay,
    ping,
    pods,
    remove_namespace,
    run,
    settled,
    uids,
    until,
)
from ..judge import Judge
from . import step
from .canary import five_ready
from .plain import whole_page

TRAEFIK = "traefik.io/gateway-controller"
VOLUME = "persistentvolumeclaim/data-postgres-0"


def gateway_class() -> dict:
    found = json.loads(run("kubectl", "get", "gatewayclasses", "--output", "json"))["items"]
    if not found:
        raise Failed("there is no GatewayClass")
    return found[0]


def gateway_patches() -> tuple[dict, ...]:
    """The class that is there. Traefik's listeners have the port of its own entry point, others' the one that clients use."""
    found = gateway_class()
    operations = [{"op": "replace", "path": "/spec/gatewayClassName", "value": found["metadata"]["name"]}]
    if found["spec"]["controllerName"] == TRAEFIK:
        operations.append({"op": "replace", "path": "/spec/listeners/0/port", "value": 8000})
    return ({"target": {"kind": "Gateway"}, "patch": json.dumps(operations)},)


def is_programmed() -> bool:
    conditions = get("gateway/log-pong").get("status", {}).get("conditions", [])
    return any(c["type"] == "Programmed" and c["status"] == "True" for c in conditions)


@step(
    "gateway-api",
    "a Gateway instead of the Ingress: page and ping, and a rolling update without a failed request",
    ("gateways.gateway.networking.k8s.io",),
)
def gateway_api() -> dict:
    with overlay("local", "gateway-api", patches=gateway_patches()) as folder:
        deploy(folder)
    until(60, "the Gateway is programmed", is_programmed)
    if get("ingresses").get("items"):
        raise Failed("there is an Ingress beside the Gateway")
    whole_page()
    with Judge() as judge:
        kubectl("rollout", "restart", "deployment/pingpong")
        settled("deployment/pingpong")
        return {"controller": gateway_class()["spec"]["controllerName"]} | judge.none_failed()


def job(name: str, cron_job: str) -> str:
    """Makes one of a CronJob; what it said."""
    kubectl("create", "job", name, f"--from=cronjob/{cron_job}")
    kubectl("wait", "--for=condition=Complete", "--timeout=3m", f"job/{name}")
    return kubectl("logs", f"job/{name}")


def lose_the_volume() -> None:
    old = get(VOLUME)["metadata"]["uid"]
    kubectl("delete", VOLUME, "--wait=false")
    kubectl("delete", "pod/postgres-0")
    until(120, "the database has a new volume", lambda: get(VOLUME).get("metadata", {}).get("uid") not in (None, old))
    settled("statefulset/postgres")


@step("backup", "the database's volume lost, the count restored from a dump: no number comes twice")
def backup() -> dict:
    with overlay("local", "backup") as folder:
        deploy(folder)
    given = [answers() for _ in range(20)]
    said = job("backup-1", "postgres-backup")
    dump = re.search(r"wrote (\S+-count-(\d+)\.dump)", said)
    if not dump or int(dump[2]) < max(given):
        raise Failed(f"{max(given)} was given, and the backup said {said!r}")
    kubectl("scale", "deployment/pingpong", "--replicas", "0")
    kubectl("wait", "--for=delete", "pod", "--selector", PINGPONG, "--timeout=2m")
    lose_the_volume()
    restored = job("restore-1", "postgres-restore")
    if f"restored {dump[1]}" not in restored:
        raise Failed(f"the restore said {restored!r}")
    kubectl("scale", "deployment/pingpong", "--replicas", "2")
    settled("deployment/pingpong")
    after = [number for number in (ping() for _ in range(20)) if number] or [answers()]
    if min(after) <= max(given) or len(set(after)) != len(after):
        raise Failed(f"{max(given)} was given before, {after} after")
    return {"given before": max(given), "first after": min(after), "the restore": restored.strip().splitlines()[-1]}


# What installations that go by annotations have, in short.
BY_ANNOTATIONS = """\
global:
  scrape_interval: 2s
  scrape_timeout: 1s
scrape_configs:
  - job_name: pods
    kubernetes_sd_configs:
      - role: pod
        namespaces:
          own_namespace: true
    relabel_configs:
      - source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]
        regex: "true"
        action: keep
      - source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_path]
        target_label: __metrics_path__
      - source_labels: [__meta_kubernetes_pod_ip, __meta_kubernetes_pod_annotation_prometheus_io_port]
        separator: ":"
        target_label: __address__
      - source_labels: [__meta_kubernetes_pod_name]
        target_label: pod
"""


@contextlib.contextmanager
def forwarded(what: str, port: int) -> Iterator[str]:
    """Its address on this machine's loopback."""
    command = [*TIED, "kubectl", "--namespace", NAMESPACE, "port-forward", what, f":{port}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            said = re.match(r"Forwarding from (127\.0\.0\.1:\d+) ", process.stdout.readline())
            if not said:
                raise Failed(f"{what} cannot be reached")
            yield said[1]
        finally:
            process.kill()


def scraped(address: str) -> dict[str, str]:
    """The pods that Prometheus asks, and whether they answer."""
    with urllib.request.urlopen(f"http://{address}/api/v1/query?query=up", timeout=10) as answer:
        return {one["metric"]["pod"]: one["value"][1] for one in json.load(answer)["data"]["result"]}


@step("annotations", "a Prometheus that goes by annotations finds every pod that has metrics, and no other", ("rollouts.argoproj.io",))
def annotations() -> dict:
    with overlay("demo", "prometheus-annotations") as folder:
        (folder.parent / "demo" / "prometheus.yml").write_text(BY_ANNOTATIONS, encoding="utf-8")
        make_room(folder.name)
        apply(folder)
        mark(folder.name)
    settled("deployment/prometheus")
    settled("deployment/log-output")
    until(300, "five pods of the rollout are ready", five_ready)
    wanted = "app.kubernetes.io/name in (pingpong, log-output, witness)"
    with forwarded("deployment/prometheus", 9090) as address:
        until(60, "all are scraped", lambda: scraped(address) == dict.fromkeys(names(pods(wanted)), "1"))
        return {"pods": len(scraped(address))}


CHART = ROOT / "charts" / "log-pong"
RELEASE = ("log-pong", "--namespace", NAMESPACE)


def helm(command: str, *words: object) -> str:
    return run("helm", command, *RELEASE, *words)


def own_images() -> list[str]:
    """Instead of a release's."""
    options = []
    for image in IMAGES:
        name, tag = image.split(":")
        key = f"images.{name.rpartition('/')[2]}"
        options += ["--set", f"{key}.repository={name},{key}.tag={tag}"]
    return options


@step("chart", "the Helm chart: installed, tested, upgraded and rolled back without a failed request, uninstalled", ("helm",))
def chart() -> dict:
    remove_namespace()
    started = time.monotonic()
    run("helm", "install", "log-pong", CHART, "--namespace", NAMESPACE, "--create-namespace", "--wait", *own_images())
    mark("chart")
    answers()
    seen = {"whole after s": round(time.monotonic() - started, 1)}
    whole_page()
    seen["helm test"] = "Succeeded" if "Succeeded" in helm("test") else "not succeeded"
    with Judge() as judge:
        for change in (("upgrade", CHART, "--reuse-values", "--set-string", "pingpong.settings.HTTP_CONNECTIONS_MAX=4000"), ("rollback",)):
            before = uids(PINGPONG)
            helm(*change, "--wait")
            until(60, f"{change[0]}: only new pods", lambda: not before & uids(PINGPONG) and all(map(is_ready, pods(PINGPONG))))
        time.sleep(8)
        seen |= judge.none_failed()
    helm("uninstall", "--wait")
    left = names(get("deployments,statefulsets,services,ingresses").get("items", []))
    remove_namespace()
    if left or seen["helm test"] != "Succeeded":
        raise Failed(f"helm test: {seen['helm test']}; after helm uninstall: {left}")
    return seen
