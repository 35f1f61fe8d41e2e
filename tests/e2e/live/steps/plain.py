"""The base, by hand: deployed, edited, and everything taken away from it once."""

from __future__ import annotations

import datetime
import hashlib
import re
import shutil
import tempfile
import time
from pathlib import Path

from ..cluster import (
    LOG_OUTPUT,
    MANIFESTS,
    PINGPONG,
    POSTGRES,
    Failed,
    answers,
    apply,
    deploy,
    drain,
    fetch,
    get,
    is_ready,
    kubectl,
    names,
    nodes,
    pods,
    restarts,
    settled,
    uids,
    until,
)
from ..judge import Judge
from ..readiness import Readiness
from ..results import COUNTS
from . import step

LOCAL = MANIFESTS / "overlays" / "local"


def whole_page() -> dict[str, str]:
    status, body = fetch("/log-output")
    lines = re.fullmatch(
        r"file content: (?P<file>.*)\nenv variable: MESSAGE=(?P<message>.*)\n"
        r"(?P<time>\S+): (?P<hash>[0-9a-f]{64})\nPing / Pongs: (?P<pong>\d+)\n?",
        body,
    )
    if status != 200 or not lines:
        raise Failed(f"the page is {status}: {body!r}")
    if hashlib.sha256(lines["time"].encode()).hexdigest() != lines["hash"]:
        raise Failed(f"the page's hash: {body!r}")
    return lines.groupdict()


@step("local", "one apply, then the page and the ping through the ingress")
def local() -> dict:
    started = time.monotonic()
    deploy(LOCAL)
    seconds = time.monotonic() - started
    page = whole_page()
    if (page["file"], page["message"]) != ("this text is from file", "hello world"):
        raise Failed(f"the page says {page}")
    first, second = answers(), answers()
    if not int(page["pong"]) < first < second:
        raise Failed(f"the counter does not count: {page['pong']}, {first}, {second}")
    if fetch("/elsewhere")[0] != 404:
        raise Failed("a path that is not in the Ingress is answered")
    return {"whole after s": round(seconds, 1)}


def generations() -> dict[str, int]:
    """How often what is asked for was changed, of everything that makes pods or leads to them."""
    found = get("deployments,statefulsets,services,ingresses,networkpolicies,poddisruptionbudgets")["items"]
    return {f"{item['kind']} {item['metadata']['name']}": item["metadata"].get("generation", 0) for item in found}


@step("again", "a second apply changes nothing, and the password stays")
def again() -> dict:
    deploy(LOCAL)

    def state() -> tuple:
        return (
            get("secret", "postgres-app")["data"]["password"],
            generations(),
            [uids(selector) for selector in (PINGPONG, LOG_OUTPUT, POSTGRES)],
        )

    before = state()
    printed = apply(LOCAL)
    kubectl("wait", "job", "--selector", "app.kubernetes.io/name=postgres-secret", "--for", "condition=Complete", "--timeout", "2m")
    after = state()
    if before != after:
        raise Failed(f"changed by a second apply: {before}, then {after}")
    return {"objects": len(printed.splitlines())}


def edited(folder: Path, old: str, new: str, name: str) -> Path:
    """A copy of the manifests with one edit; the overlay `local` of it."""
    shutil.copytree(MANIFESTS, folder / "manifests")
    target = folder / "manifests" / name
    text = target.read_text(encoding="utf-8")
    if old not in text:
        raise Failed(f"{name} has no {old!r}")
    target.write_text(text.replace(old, new), encoding="utf-8")
    return folder / "manifests" / "overlays" / "local"


def both_settled() -> None:
    settled("deployment/pingpong")
    settled("deployment/log-output")


def apply_and_settle(overlay: Path) -> None:
    apply(overlay)
    both_settled()


@step("edits", "an edited text, message and setting: who restarts, and when it shows")
def edits() -> dict:
    deploy(LOCAL)
    base = "base/kustomization.yaml"
    cases = [
        ("text", "this text is from file", "this text was edited", "base/config/information.txt", LOG_OUTPUT),
        ("message", "MESSAGE=hello world", "MESSAGE=hello again", base, LOG_OUTPUT),
        ("setting", "DB_SSLMODE=prefer", "DB_SSLMODE=allow", base, PINGPONG),
    ]
    seen: dict[str, float] = {}
    for what, old, new, name, mine in cases:
        apply_and_settle(LOCAL)
        before = {selector: uids(selector) for selector in (PINGPONG, LOG_OUTPUT, POSTGRES)}
        with tempfile.TemporaryDirectory() as folder, Judge() as judge:
            started = time.monotonic()
            apply_and_settle(edited(Path(folder), old, new, name))
            until(60, "the old pods are gone", lambda: not before[mine] & uids(mine))
            if what != "setting":
                until(60, f"the edited {what} is on the page", lambda: new.removeprefix("MESSAGE=") in fetch("/log-output")[1])
            seen[f"{what}, s"] = round(time.monotonic() - started, 1)
            for count, value in judge.none_failed().items():
                if count in COUNTS:
                    seen[count] = seen.get(count, 0) + value
        others = [selector for selector in before if selector != mine and before[selector] != uids(selector)]
        if others:
            raise Failed(f"an edit of the {what} restarts {others}")
    apply_and_settle(LOCAL)
    return seen


@step("database-away", "the database scaled to none and back: not ready, not dead, and the page says why")
def database_away() -> dict:
    deploy(LOCAL)
    before, counted = restarts(), answers()
    started = time.monotonic()
    kubectl("scale", "statefulset/postgres", "--replicas", "0")
    until(60, "pingpong is not ready without its database", lambda: not any(map(is_ready, pods(PINGPONG))))
    unready = time.monotonic() - started
    status, body = fetch("/log-output")
    if status != 503 or "Ping / Pongs: not available" not in body:
        raise Failed(f"the page without a database is {status}: {body!r}")
    if "Readiness probe failed" not in kubectl("describe", "pods", "--selector", PINGPONG):
        raise Failed("kubectl describe pod does not say so")
    kubectl("scale", "statefulset/postgres", "--replicas", "1")
    started = time.monotonic()
    after = answers(120)
    back = time.monotonic() - started
    settled("statefulset/postgres")
    if after <= counted or restarts() != before:
        raise Failed(f"count {counted}, then {after}; restarts {before}, then {restarts()}")
    return {"unready after s": round(unready, 1), "answers s after scaling up": round(back, 1)}


def database_ready_at(after: float) -> float:
    """When PostgreSQL last said that it takes connections, in seconds since 1970; 0 while it has not, after that time."""
    said = kubectl("logs", "postgres-0", "--container", "postgres", "--timestamps", check=False)
    # Nanoseconds are more than Python reads.
    times = re.findall(r"^(\S+T\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d) .*ready to accept connections", said, re.MULTILINE)
    if not times:
        return 0
    whole, fraction, zone = times[-1]
    found = datetime.datetime.fromisoformat(whole + zone.replace("Z", "+00:00")).timestamp() + float(fraction or 0)
    return found if found > after else 0


def outage(cause: list[str], what: str) -> dict:
    """Its pods may be unready for two seconds longer than the database is away, and no longer."""
    deploy(LOCAL)
    before = restarts()
    with Judge() as judge, Readiness(PINGPONG) as watched:
        began = time.time()
        kubectl(*cause)
        back = until(120, "PostgreSQL takes connections again", lambda: database_ready_at(began))
        answers(120)
        settled("statefulset/postgres")
        time.sleep(3)
        away, unready = back - began, watched.longest_unready()
        seen = judge.nothing_lost_or_doubled()
    if restarts() != before:
        raise Failed(f"{what} has restarted pods")
    if unready > away + 2:
        raise Failed(f"a pod was not ready for {unready:.1f} s, the database was away for {away:.1f} s")
    return seen | {"database away, s": round(away, 1), "unready, s": round(unready, 1)}


@step(
    "database-killed",
    "PostgreSQL killed in its pod: nothing lost, nothing doubled, no pod restarts, none unready 2 s longer than the database",
)
def database_killed() -> dict:
    return outage(["exec", "postgres-0", "--container", "postgres", "--", "sh", "-c", "kill -9 -1; true"], "killing the database")


@step("database-deleted", "the database's pod deleted by force: nothing lost, nothing doubled, no pod unready 2 s longer than the database")
def database_deleted() -> dict:
    return outage(["delete", "pod/postgres-0", "--grace-period", "0", "--force"], "deleting the database's pod")


def delete_one_by_one(selector: str, path: str, times: int) -> dict:
    deploy(LOCAL)
    with Judge(path=path) as judge:
        for _ in range(times):
            pod = names([pod for pod in pods(selector) if is_ready(pod)])[0]
            kubectl("delete", "pod", pod)
            until(60, "there are two ready pods again", lambda: len(list(filter(is_ready, pods(selector)))) == 2)
        return judge.none_failed() | {"deleted": times}


@step("deletions-pingpong", "20 pods of pingpong deleted, one after another: no request fails")
def deletions_pingpong() -> dict:
    return delete_one_by_one(PINGPONG, "/ping", 20)


@step("deletions-log-output", "20 pods of log-output deleted, one after another: no page fails")
def deletions_log_output() -> dict:
    return delete_one_by_one(LOG_OUTPUT, "/log-output", 20)


def update(workload: str, path: str) -> dict:
    deploy(LOCAL)
    with Judge(path=path) as judge:
        started = time.monotonic()
        kubectl("rollout", "restart", workload)
        settled(workload)
        seconds = time.monotonic() - started
        # What was stopped drains a while longer.
        time.sleep(8)
        return judge.none_failed() | {"update s": round(seconds, 1)}


@step("update-pingpong", "a rolling update of pingpong: no request fails")
def update_pingpong() -> dict:
    return update("deployment/pingpong", "/ping")


@step("update-log-output", "a rolling update of log-output: no page fails")
def update_log_output() -> dict:
    return update("deployment/log-output", "/log-output")


@step("drains", "each node drained in turn of everything but the ingress and the one database: no page fails")
def drains() -> dict:
    deploy(LOCAL)
    with Judge(path="/log-output") as judge:
        # Elsewhere, where there is an elsewhere; else they wait for this node.
        elsewhere = both_settled if len(nodes()) > 1 else lambda: None
        for node in names(nodes()):
            drain(node, "app.kubernetes.io/name in (pingpong, log-output)", elsewhere)
        return judge.none_failed() | {"nodes": len(nodes())}
