"""Canaries, good and bad, with the quick steps of overlays/demo; each judged by the cluster alone."""

from __future__ import annotations

import statistics
import time

from ..cluster import (
    MANIFESTS,
    PINGPONG,
    answers,
    apply,
    get,
    is_ready,
    kubectl,
    mark,
    patch,
    pods,
    remove_namespace,
    settled,
    until,
)
from ..judge import Judge
from ..results import COUNTS
from . import step

DEMO = MANIFESTS / "overlays" / "demo"
ROLLOUT = "rollout/pingpong-rollout"
BEFORE = 3  # seconds in which the picture shows what was there
NEEDS = ("rollouts.argoproj.io",)


def rollout() -> dict:
    return get(ROLLOUT)


def phase() -> str:
    """Of the generation that is asked for; empty while an older one is meant."""
    found = rollout()
    status = found.get("status", {})
    if status.get("observedGeneration") != str(found.get("metadata", {}).get("generation")):
        return ""
    return status.get("phase", "")


def promoted(stable: str) -> bool:
    """Whether another version than that has gone all the way."""
    return phase() == "Healthy" and rollout()["status"]["stableRS"] != stable


def pod_hashes() -> set[str]:
    return {pod["metadata"]["labels"]["rollouts-pod-template-hash"] for pod in pods(PINGPONG)}


def five_ready() -> bool:
    return phase() == "Healthy" and len(list(filter(is_ready, pods(PINGPONG)))) == 5


def deploy_demo() -> None:
    """The demonstration, healthy. What is there and healthy stays as it is: to apply it again would roll back what a
    step before has promoted."""
    if mark() == "demo" and five_ready():
        return
    remove_namespace()
    apply(DEMO)
    mark("demo")
    settled("statefulset/postgres")
    settled("deployment/log-output")
    settled("deployment/prometheus")
    until(300, "five pods of the rollout are ready", five_ready)
    answers()


def set_env(**values: str) -> None:
    patch(
        ROLLOUT,
        [
            {"op": "add", "path": "/spec/template/spec/containers/0/env/-", "value": {"name": name, "value": value}}
            for name, value in values.items()
        ],
    )


def template_env() -> list[dict]:
    return rollout()["spec"]["template"]["spec"]["containers"][0]["env"]


def restore(env: list[dict]) -> float:
    """Back to what was asked for before, as `git revert` does it. Returns the seconds until it is healthy."""
    started = time.monotonic()
    patch(ROLLOUT, [{"op": "replace", "path": "/spec/template/spec/containers/0/env", "value": env}])
    until(120, "the good version is healthy again", lambda: phase() == "Healthy")
    return time.monotonic() - started


def reason() -> str:
    found = rollout()["status"]
    return found.get("message", "") or "no message"


def good() -> dict:
    """A version that differs in a setting without effect goes all the way."""
    deploy_demo()
    stable = rollout()["status"]["stableRS"]
    with Judge(drawn=True) as judge:
        time.sleep(BEFORE)
        started = time.monotonic()
        judge.mark("asked for")
        set_env(E2E_VERSION=str(time.time_ns()))
        until(600, "the good version is everywhere", lambda: promoted(stable))
        seconds = time.monotonic() - started
        judge.mark("everywhere")
        time.sleep(8)
        return judge.none_failed() | {"promoted after s": round(seconds, 1)}


def bad(harmless: bool, **faults: str) -> dict:
    """A version with faults is taken back by itself. `harmless`: and no request fails meanwhile."""
    deploy_demo()
    env, stable = template_env(), rollout()["status"]["stableRS"]
    with Judge(drawn=True) as judge:
        time.sleep(BEFORE)
        started = time.monotonic()
        judge.mark("asked for")
        set_env(**faults)
        try:
            until(600, "the bad version is taken back", lambda: rollout()["status"].get("abort"), 0.2)
            aborted = time.monotonic() - started
            judge.mark("taken back")
            why = reason()
            until(120, "only pods of the stable version are left", lambda: pod_hashes() == {stable}, 0.2)
            restored = time.monotonic() - started
            judge.mark("gone")
            time.sleep(8)
            seen = judge.none_failed() if harmless else judge.nothing_lost_or_doubled()
        finally:
            restore(env)
    return seen | {"aborted after s": round(aborted, 1), "restored after s": round(restored, 1), "reason": why}


@step("canary-good", "a good version goes all the way, and no request fails", NEEDS)
def canary_good() -> dict:
    return good()


@step("canary-burning", "a version that burns processor time is taken back, and no request fails", NEEDS)
def canary_burning() -> dict:
    return bad(True, FAULT_CPU_SHARE="0.5")


@step("canary-failing", "a version that fails one ping in five is taken back; only its own pings fail", NEEDS)
def canary_failing() -> dict:
    return bad(False, FAULT_ERROR_SHARE="0.2")


@step("canary-slow", "a version that takes 300 ms longer for every ping is taken back, and no request fails", NEEDS)
def canary_slow() -> dict:
    return bad(True, FAULT_DELAY_MS="300")


@step("canary-crashing", "a version that crashes soon after each start is taken back", NEEDS)
def canary_crashing() -> dict:
    return bad(False, FAULT_CRASH_AFTER_MS="2000")


@step("canary-flapping", "a version that comes and goes, as it crashes every fifteen seconds, is taken back", NEEDS)
def canary_flapping() -> dict:
    return bad(False, FAULT_CRASH_AFTER_MS="15000")


@step("canary-leaking", "a version that takes 8 MB more each second until it is killed is taken back", NEEDS)
def canary_leaking() -> dict:
    return bad(False, FAULT_LEAK_BYTES_PER_S=str(8 << 20))


@step("canary-unasked", "a version that nobody asks is not released", NEEDS)
def canary_unasked() -> dict:
    deploy_demo()
    env, stable = template_env(), rollout()["status"]["stableRS"]
    kubectl("scale", "deployment/witness-ping", "deployment/witness-page", "--replicas", "0")
    try:
        started = time.monotonic()
        set_env(E2E_VERSION=str(time.time_ns()))
        until(600, "the version is taken back", lambda: rollout()["status"].get("abort"))
        aborted, why = time.monotonic() - started, reason()
        until(120, "only pods of the stable version are left", lambda: pod_hashes() == {stable}, 0.2)
        return {"aborted after s": round(aborted, 1), "restored after s": round(time.monotonic() - started, 1), "reason": why}
    finally:
        kubectl("scale", "deployment/witness-ping", "deployment/witness-page", "--replicas", "1")
        settled("deployment/witness-ping")
        settled("deployment/witness-page")
        restore(env)


@step("canary-unready", "a version that never becomes ready is taken back, and no request fails", NEEDS)
def canary_unready() -> dict:
    return bad(True, FAULT_NOT_READY="true")


@step("canary-repeated", "ten good and ten bad versions, one after another", NEEDS, slow=True)
def canary_repeated() -> dict:
    found: dict[str, list[float]] = {"promoted": [], "aborted": [], "restored": []}
    counts = dict.fromkeys(COUNTS, 0)
    for _ in range(10):
        for seen in (good(), bad(False, FAULT_ERROR_SHARE="0.2")):
            for count in COUNTS:
                counts[count] += seen[count]
            for what, times in found.items():
                times += [seen[key] for key in seen if key == f"{what} after s"]
    return counts | {
        f"{what} after s, median (range)": f"{statistics.median(times):.1f} ({min(times)} to {max(times)})" for what, times in found.items()
    }
