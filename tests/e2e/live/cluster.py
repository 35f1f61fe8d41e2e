"""The cluster: what is asked of it, and waiting for what it does."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Callable, Iterator, TypeVar

ROOT = Path(__file__).resolve().parents[3]
MANIFESTS = ROOT / "manifests"
WORK = ROOT / "build" / "e2e"
NAMESPACE = "log-pong"
MARK = "log-pong.e2e/overlay"
URL = os.environ.get("E2E_URL") or "http://127.0.0.1:8080"
IMAGES = [f"log-pong/{name}:local" for name in ("pingpong", "reader", "writer", "witness")]
PINGPONG, LOG_OUTPUT, POSTGRES = (f"app.kubernetes.io/name={name}" for name in ("pingpong", "log-output", "postgres"))

T = TypeVar("T")


class Failed(Exception):
    """What a step was to show is not so."""


# Before a command that is not to go on for ever where this program is ended by force.
TIED = ("setpriv", "--pdeathsig", "KILL")


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}     {text}", flush=True)


def run(*command: object, text: str | None = None, timeout: float = 600, check: bool = True) -> str:
    done = subprocess.run([str(word) for word in command], input=text, text=True, capture_output=True, timeout=timeout, check=False)
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}: {(done.stderr or done.stdout).strip()[-600:]}")
    return done.stdout


def kubectl(*words: object, **options: Any) -> str:
    return run("kubectl", "--namespace", NAMESPACE, *words, **options)


def get(*words: str, **options: Any) -> dict:
    """Objects as JSON; an empty dictionary if there is none."""
    return json.loads(kubectl("get", *words, "--output", "json", "--ignore-not-found", **options) or "{}")


def has(resource: str) -> bool:
    """Whether the API server knows a kind, as in rollouts.argoproj.io."""
    return resource in run("kubectl", "api-resources", "--output", "name", "--no-headers").split()


def until(seconds: float, what: str, probe: Callable[[], T], interval: float = 0.5) -> T:
    """probe()'s first true value; Failed if none comes in time."""
    end = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > end:
            raise Failed(f"not within {seconds:g} s: {what}")
        time.sleep(interval)


def nodes() -> list[dict]:
    return json.loads(run("kubectl", "get", "nodes", "--output", "json"))["items"]


def pods(selector: str) -> list[dict]:
    return [pod for pod in get("pods", "--selector", selector)["items"] if "deletionTimestamp" not in pod["metadata"]]


def is_ready(pod: dict) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))


def names(found: list[dict]) -> list[str]:
    return [item["metadata"]["name"] for item in found]


def uids(selector: str) -> set[str]:
    return {pod["metadata"]["uid"] for pod in pods(selector)}


def restarts(selector: str = "app.kubernetes.io/name in (pingpong, log-output)") -> int:
    return sum(status["restartCount"] for pod in pods(selector) for status in pod["status"].get("containerStatuses", []))


def settled(workload: str, timeout: str = "5m") -> None:
    kubectl("rollout", "status", workload, "--timeout", timeout)


def apply(folder: Path, *words: object) -> str:
    return run("kubectl", "apply", "--kustomize", folder, *words)


@contextlib.contextmanager
def overlay(base: str, *components: str, patches: tuple[dict, ...] = ()) -> Iterator[Path]:
    """A copy of the manifests with one overlay more, named after its last component: an existing one, components and patches."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(MANIFESTS, Path(folder) / "manifests")
        made = Path(folder) / "manifests" / "overlays" / components[-1]
        made.mkdir()
        (made / "kustomization.yaml").write_text(
            json.dumps(
                {
                    "apiVersion": "kustomize.config.k8s.io/v1beta1",
                    "kind": "Kustomization",
                    "namespace": NAMESPACE,
                    "resources": [f"../{base}"],
                    "components": [f"../../components/{name}" for name in components],
                    "patches": list(patches),
                }
            ),
            encoding="utf-8",
        )
        yield made


APPLICATION = "applications.argoproj.io"


def remove_namespace() -> None:
    """And first what Argo CD has, which would put everything back, beside what comes next."""
    if run("kubectl", "get", "customresourcedefinitions", APPLICATION, "--ignore-not-found"):
        for kind in (APPLICATION, "appprojects.argoproj.io"):
            run("kubectl", "--namespace", "argocd", "delete", f"{kind}/log-pong", "--ignore-not-found", "--timeout", "5m")
    run("kubectl", "delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout", "5m")


def fetch(path: str, timeout: float = 5) -> tuple[int, str]:
    """Status and body through the ingress; 0 and the reason if there is no answer."""
    try:
        with urllib.request.urlopen(URL + path, timeout=timeout) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except OSError as error:
        return 0, str(error)


def ping() -> int:
    """A number, or 0."""
    status, body = fetch("/ping")
    return json.loads(body)["pong"] if status == 200 else 0


def answers(seconds: float = 60) -> int:
    return until(seconds, "pings are answered through the ingress", ping)


def mark(overlay_name: str = "") -> str:
    """Which overlay the namespace has, as an earlier step has said; sets it if one is given."""
    if overlay_name:
        run("kubectl", "annotate", "namespace", NAMESPACE, f"{MARK}={overlay_name}", "--overwrite")
    found = json.loads(run("kubectl", "get", "namespace", NAMESPACE, "--output", "json", "--ignore-not-found") or "{}")
    return found.get("metadata", {}).get("annotations", {}).get(MARK, "")


def make_room(overlay_name: str) -> None:
    """Another overlay's objects would stay beside this one's."""
    if mark() != overlay_name:
        remove_namespace()


def deploy(folder: Path) -> None:
    """The system as an overlay has it, until the page is whole; what is there already stays."""
    make_room(folder.name)
    apply(folder)
    mark(folder.name)
    settled("statefulset/postgres")
    until(300, "pingpong is ready", lambda: pods(PINGPONG) and all(map(is_ready, pods(PINGPONG))))
    settled("deployment/log-output")
    until(60, "the page comes through the ingress", lambda: fetch("/log-output")[0] == 200)


def drain(node: str, selector: str, then: Callable[[], object] = lambda: None) -> None:
    """Evicts those pods from a node; it takes pods again after then()."""
    options = ("--ignore-daemonsets", "--delete-emptydir-data", "--timeout", "3m", "--pod-selector", selector)
    try:
        run("kubectl", "drain", node, *options)
        then()
    finally:
        run("kubectl", "uncordon", node)


def patch(resource: str, operations: list[dict]) -> None:
    kubectl("patch", resource, "--type", "json", "--patch", json.dumps(operations))
