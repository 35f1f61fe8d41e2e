"""GitOps: what is in git is in the cluster."""

from __future__ import annotations

import json
import os
import shutil
import time

from ..cluster import (
    IMAGES,
    MANIFESTS,
    PINGPONG,
    WORK,
    Failed,
    answers,
    fetch,
    get,
    is_ready,
    kubectl,
    mark,
    names,
    pods,
    remove_namespace,
    run,
    until,
)
from ..judge import Judge
from . import step
from .canary import phase, promoted, reason, rollout

NEEDS = ("E2E_GIT", "applications.argoproj.io", "rollouts.argoproj.io", "podmonitors.monitoring.coreos.com")
FOLDER = WORK / "config"
OVERLAY = FOLDER / "manifests" / "overlays" / "gitops"
# The demonstration's steps, of seconds, instead of eleven minutes; Prometheus is the operator's, and has to ask as often.
QUICK = """\
- path: quick-steps.patch.yaml
  target:
    kind: Rollout
- target:
    kind: PodMonitor
  patch: |-
    - op: replace
      path: /spec/podMetricsEndpoints/0/interval
      value: 5s
    - op: replace
      path: /spec/podMetricsEndpoints/0/scrapeTimeout
      value: 2s
"""


def repository() -> str:
    return os.environ["E2E_GIT"]


def git(*words: object) -> str:
    return run("git", "-C", FOLDER, "-c", "user.name=e2e", "-c", "user.email=e2e@localhost", *words)


def commit(message: str) -> None:
    git("add", "--all")
    git("commit", "--quiet", "--message", message)


def push() -> None:
    git("push", "--quiet", "--force", repository(), "HEAD:main")


def newest() -> str:
    return git("rev-parse", "HEAD").strip()


def application() -> dict:
    return json.loads(run("kubectl", "--namespace", "argocd", "get", "application/log-pong", "--output", "json"))


def deliver() -> None:
    """The newest commit to where Argo CD looks, and word of it, instead of the three minutes until it asks by itself."""
    push()
    run("kubectl", "--namespace", "argocd", "annotate", "application/log-pong", "argocd.argoproj.io/refresh=normal", "--overwrite")


def synced() -> bool:
    status = application().get("status", {})
    return (
        status.get("sync", {}).get("status") == "Synced"
        and status["sync"].get("revision") == newest()
        and status.get("operationState", {}).get("phase") == "Succeeded"
    )


def taken_up() -> bool:
    """Whether the newest commit is being synced, or is. A sync lasts as long as its canary, as what is pruned goes last."""
    status = application().get("status", {})
    operation = status.get("operationState", {}).get("operation", {}).get("sync", {})
    return newest() in (
        operation.get("revision"),
        status.get("operationState", {}).get("syncResult", {}).get("revision"),
    )


def quick_steps() -> str:
    """The demonstration's patch of the Rollout, but for the number of pods and the address of its own Prometheus."""
    operations = (MANIFESTS / "overlays" / "demo" / "rollout.patch.yaml").read_text(encoding="utf-8").split("- op: ")
    return "".join("- op: " + one for one in operations[1:] if "prometheus" not in one and "/spec/replicas" not in one)


def first_commit() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    shutil.copytree(MANIFESTS, FOLDER / "manifests")
    run("git", "init", "--quiet", "--initial-branch", "main", FOLDER)
    file = OVERLAY / "kustomization.yaml"
    text = file.read_text(encoding="utf-8")
    text = text[: text.index("# Set by scripts/bump-image")].replace("patches:\n", "patches:\n" + QUICK)
    images = [image.split(":") for image in IMAGES]
    text += "images:\n" + "".join(f"- name: {name}\n  newTag: {tag}\n" for name, tag in images)
    text += "configMapGenerator:\n- name: pingpong-config\n  behavior: merge\n  literals:\n  - FAULTS=allowed\n"
    file.write_text(text, encoding="utf-8")
    (OVERLAY / "quick-steps.patch.yaml").write_text(quick_steps(), encoding="utf-8")
    for file in (FOLDER / "manifests" / "argocd").glob("*.yaml"):
        file.write_text(file.read_text(encoding="utf-8").replace("https://github.com/owner/log-pong.git", repository()), encoding="utf-8")
    commit("Start")
    push()


def deploy_by_git() -> dict:
    """The Application on what is in the repository, synced and healthy; what is there already stays."""
    if (FOLDER / ".git").exists() and mark() == "argocd":
        return {}
    remove_namespace()
    first_commit()
    started = time.monotonic()
    run("kubectl", "apply", "--kustomize", FOLDER / "manifests" / "argocd")
    until(300, "the first sync", synced)
    seconds = time.monotonic() - started
    until(300, "everything is healthy", lambda: application()["status"].get("health", {}).get("status") == "Healthy")
    healthy = time.monotonic() - started
    until(120, "the Rollout is healthy", lambda: phase() == "Healthy")
    mark("argocd")
    answers()
    return {
        "synced after s": round(seconds, 1),
        "healthy after s": round(healthy, 1),
        "retries": application()["status"]["operationState"].get("retryCount", 0),
    }


def change_setting(name: str, value: str) -> None:
    """A new version by one line in git."""
    file = OVERLAY / "kustomization.yaml"
    file.write_text(file.read_text(encoding="utf-8") + f"  - {name}={value}\n", encoding="utf-8")
    commit(f"Set {name} to {value}")
    deliver()


@step("argocd-first", "Argo CD: the first sync, without a retry, to Healthy", NEEDS)
def argocd_first() -> dict:
    shutil.rmtree(FOLDER, ignore_errors=True)
    seen = deploy_by_git()
    if seen["retries"]:
        raise Failed(f"the first sync needed {seen['retries']} retries")
    return seen


@step("argocd-good", "Argo CD: a commit is synced, goes through the canary and is promoted, and no request fails", NEEDS)
def argocd_good() -> dict:
    deploy_by_git()
    stable = rollout()["status"]["stableRS"]
    with Judge() as judge:
        started = time.monotonic()
        change_setting("HTTP_CONNECTIONS_MAX", str(4000 + time.time_ns() % 90))
        until(120, "the commit is taken up", taken_up)
        seconds = time.monotonic() - started
        until(900, "the new version is promoted", lambda: promoted(stable), 1)
        whole = time.monotonic() - started
        until(120, "the commit is synced", synced)
        return judge.none_failed() | {
            "taken up after s": round(seconds, 1),
            "promoted after s": round(whole, 1),
            "synced after s": round(time.monotonic() - started, 1),
        }


@step("argocd-bad", "Argo CD: a bad commit is taken back, `git revert` makes it Healthy; only the bad version's own pings fail", NEEDS)
def argocd_bad() -> dict:
    deploy_by_git()
    with Judge() as judge:
        started = time.monotonic()
        change_setting("FAULT_ERROR_SHARE", "0.2")
        until(600, "the bad version is taken back", lambda: rollout().get("status", {}).get("abort"))
        aborted, why = time.monotonic() - started, reason()
        git("revert", "--no-edit", "HEAD")
        reverted = time.monotonic()
        deliver()
        until(300, "it is healthy again", lambda: synced() and phase() == "Healthy")
        return judge.nothing_lost_or_doubled() | {
            "aborted after s": round(aborted, 1),
            "reason": why,
            "healthy s after the revert": round(time.monotonic() - reverted, 1),
        }


@step("argocd-drift", "Argo CD: what is deleted by hand is put back", NEEDS)
def argocd_drift() -> dict:
    deploy_by_git()
    old = get("service/log-output-svc")["metadata"]["uid"]
    started = time.monotonic()
    kubectl("delete", "service/log-output-svc", "--wait=false")
    until(300, "the Service is there again", lambda: get("service/log-output-svc").get("metadata", {}).get("uid") not in (None, old))
    seconds = time.monotonic() - started
    until(60, "the page comes again", lambda: fetch("/log-output")[0] == 200)
    return {"back after s": round(seconds, 1)}


def page_settings() -> set[str]:
    return {name for name in names(get("configmaps")["items"]) if name.startswith("log-output-config-")}


@step("argocd-pruned", "Argo CD: an edited text is a new ConfigMap; the old one goes when nothing needs it, and no page fails", NEEDS)
def argocd_pruned() -> dict:
    deploy_by_git()
    before = page_settings()
    with Judge(path="/log-output") as judge:
        file = FOLDER / "manifests" / "base" / "config" / "information.txt"
        file.write_text(f"edited {time.time_ns()}\n", encoding="utf-8")
        commit("Edit the text")
        deliver()
        until(300, "the edit is synced and the old ConfigMap gone", lambda: synced() and page_settings() and not before & page_settings())
        until(60, "the edit is on the page", lambda: file.read_text(encoding="utf-8").strip() in fetch("/log-output")[1])
        seen = judge.none_failed()
    if not all(map(is_ready, pods(PINGPONG))):
        raise Failed("pods miss their ConfigMap")
    return seen


SCALED = ("horizontalpodautoscalers.autoscaling", "pods.metrics.k8s.io", *NEEDS)
# Of a processor, a pod: one that a machine of two cores reaches, and the one that is set.
BUSY, USUAL = "10m", "300m"


def available() -> int:
    return rollout()["status"].get("availableReplicas", 0)


def scale_down() -> float:
    """Seconds until there are five pods again."""
    set_autoscaler(USUAL)
    started = time.monotonic()
    until(600, "there are five pods again", lambda: available() == 5, 1)
    return time.monotonic() - started


@step("autoscaler", "the autoscaler adds pods under load and takes them away again, and no request fails", SCALED, slow=True)
def autoscaler() -> dict:
    deploy_by_git()
    with Judge() as judge, Judge(rate=2000, clients=256):
        started = time.monotonic()
        set_autoscaler(BUSY)
        until(300, "six pods are ready", lambda: available() > 5, 1)
        up = time.monotonic() - started
        down = scale_down()
        time.sleep(8)
        return judge.none_failed() | {"sixth pod after s": round(up, 1), "five pods again after s": round(down, 1)}


@step(
    "autoscaler-canary",
    "the autoscaler adds pods while a canary is under way; the canary goes all the way, and no request fails",
    SCALED,
    slow=True,
)
def autoscaler_canary() -> dict:
    deploy_by_git()
    stable = rollout()["status"]["stableRS"]
    with Judge() as judge, Judge(rate=2000, clients=256):
        started = time.monotonic()
        change_setting("HTTP_CONNECTIONS_MAX", str(3000 + time.time_ns() % 90))
        until(120, "the canary has its first step", lambda: phase() in ("Progressing", "Paused"))
        set_autoscaler(BUSY)
        until(300, "more pods are asked for during the canary", lambda: rollout()["spec"]["replicas"] > 5 and not promoted(stable))
        more = time.monotonic() - started
        until(900, "the new version is promoted", lambda: promoted(stable), 1)
        whole = time.monotonic() - started
        scale_down()
        time.sleep(8)
        return judge.none_failed() | {"more pods after s": round(more, 1), "promoted after s": round(whole, 1)}


def set_autoscaler(target: str) -> None:
    """In git, as Argo CD would take anything else back. Pods go after half a minute."""
    file = FOLDER / "manifests" / "components" / "canary" / "autoscaler.yaml"
    lines = [
        f"          averageValue: {target}"
        if "averageValue:" in line
        else "      stabilizationWindowSeconds: 30"
        if "stabilizationWindowSeconds" in line
        else line
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    commit(f"Scale at {target}")
    deliver()
