"""Components that change what the plain system is reached by, or kept in."""

from __future__ import annotations

import json
import re
import time

from ..cluster import (
    IMAGES,
    NAMESPACE,
    PINGPONG,
    ROOT,
    Failed,
    answers,
    deploy,
    get,
    is_ready,
    kubectl,
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
