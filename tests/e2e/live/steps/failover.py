"""A database that fails over by itself (components/ha-database): it costs time, and no request."""

from __future__ import annotations

import json
import time
from typing import Callable

from ..cluster import PINGPONG, Failed, answers, apply, drain, get, is_ready, kubectl, nodes, make_room, mark, overlay, pods, until
from ..judge import Judge
from . import step
from .plain import both_settled

NEEDS = ("clusters.postgresql.cnpg.io",)
INSTANCES = "cnpg.io/cluster=postgres"


def primary() -> str:
    return get("clusters.postgresql.cnpg.io/postgres").get("status", {}).get("currentPrimary", "")


def healthy() -> bool:
    status = get("clusters.postgresql.cnpg.io/postgres").get("status", {})
    return status.get("readyInstances") == 3 and status.get("currentPrimary") == status.get("targetPrimary")


def deploy_failover() -> None:
    """Three instances, all ready; what is there already stays."""
    with overlay("local", "ha-database") as folder:
        make_room(folder.name)
        apply(folder)
        mark(folder.name)
    until(600, "three instances of the database are ready", healthy, 2)
    both_settled()
    until(60, "pingpong is ready", lambda: all(map(is_ready, pods(PINGPONG))))
    answers()


def failover(cause: Callable[[str], None], changes: bool = True) -> dict:
    """200 pings a second, half of them on kept connections and half on new ones, and 20 pages, while the primary goes."""
    deploy_failover()
    old = primary()
    with (
        Judge(rate=100, clients=1024, drawn=True) as kept,
        Judge(rate=100, clients=1024, new=True) as fresh,
        Judge(rate=20, clients=1024, path="/log-output", new=True) as pages,
    ):
        time.sleep(3)
        started = time.monotonic()
        kept.mark("cause")
        cause(old)
        if changes:
            until(120, "another instance is the primary", lambda: primary() not in ("", old), 0.1)
        took = time.monotonic() - started
        if changes:
            kept.mark("new primary")
        until(600, "three instances are ready again", healthy, 2)
        answers()
        time.sleep(5)
        seen, others = kept.none_failed(), [judge.none_failed() for judge in (fresh, pages)]
    seen["requests"] += sum(other["requests"] for other in others)
    seen["longest wait, ms"] = max(one["longest wait, ms"] for one in (seen, *others))
    return seen | {"pages": others[1]["requests"]} | ({"new primary after s": round(took, 1)} if changes else {})


@step("failover-deleted", "CloudNativePG: the primary's pod deleted: pings and pages wait, and none fails", NEEDS)
def failover_deleted() -> dict:
    return failover(lambda name: kubectl("delete", "pod", name, "--wait=false"))


@step("failover-forced", "CloudNativePG: the primary's pod deleted by force: pings and pages wait, and none fails", NEEDS)
def failover_forced() -> dict:
    return failover(lambda name: kubectl("delete", "pod", name, "--grace-period", "0", "--force"))


@step("failover-killed", "CloudNativePG: the primary's postmaster killed: pings and pages wait, and none fails", NEEDS)
def failover_killed() -> dict:
    return failover(
        lambda name: kubectl("exec", name, "--container", "postgres", "--", "sh", "-c", "kill -9 $(head -n 1 $PGDATA/postmaster.pid)"),
        changes=False,
    )


@step("failover-switched", "CloudNativePG: a switchover: pings and pages wait, and none fails", NEEDS)
def failover_switched() -> dict:
    def switch(old: str) -> None:
        other = next(pod["metadata"]["name"] for pod in pods(INSTANCES) if pod["metadata"]["name"] != old)
        kubectl(
            "patch",
            "clusters.postgresql.cnpg.io/postgres",
            "--subresource",
            "status",
            "--type",
            "merge",
            "--patch",
            json.dumps(
                {"status": {"targetPrimary": other, "phase": "Switchover in progress", "phaseReason": f"Switching over to {other}"}}
            ),
        )

    return failover(switch)


@step("failover-drained", "CloudNativePG: the primary's node drained of it: pings and pages wait, and none fails", NEEDS)
def failover_drained() -> dict:
    if len(nodes()) < 2:
        raise Failed("needs two nodes")
    selector = f"{INSTANCES},cnpg.io/instanceRole=primary"
    return failover(lambda name: drain(get("pod", name)["spec"]["nodeName"], selector))
