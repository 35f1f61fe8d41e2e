"""The Helm chart installed, upgraded, taken back and removed by Helm, on a real API server."""

import base64
import json
import os
import re
import shutil
import subprocess
import time

import pytest
import yaml

import charts
import cluster as clusters
from charts import CHART, TAGS, chart, hooks, merged
from rendering import name_of, of_kind, tool

KINDS = [
    "rollouts.argoproj.io",
    "analysistemplates.argoproj.io",
    "podmonitors.monitoring.coreos.com",
    "prometheusrules.monitoring.coreos.com",
    "clusters.postgresql.cnpg.io",
]
EVERYTHING = {name: {"enabled": True} for name in ("canary", "monitoring", "traffic")} | {"database": {"kind": "cloudnativepg"}}

pytestmark = pytest.mark.skipif(bool(clusters.missing()), reason="no API server here: make manifests-apiserver-test builds it")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with clusters.Cluster(tmp_path_factory.mktemp("cluster")) as running:
        running.create_kinds(KINDS)
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The chart for any version: this server was built without one."""
    made = tmp_path_factory.mktemp("chart") / "log-pong"
    shutil.copytree(CHART, made)
    about = made / "Chart.yaml"
    text = re.sub(r"(?m)^kubeVersion: .*\n", "", about.read_text("utf-8"))
    about.write_text(text, "utf-8")
    return made


@pytest.fixture
def namespace(cluster, request):
    name = f"chart-{abs(hash(request.node.name)) % 10**8}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    status, answer = cluster.request(
        "POST", "/api/v1/namespaces", "admin-token", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    )
    assert status == 201, answer
    return name


class Release:
    def __init__(self, cluster, folder, namespace: str, name: str = "log-pong"):
        self.cluster, self.folder, self.namespace, self.name = cluster, folder, namespace, name

    def helm(self, command: str, *arguments: str, values: dict | None = None) -> subprocess.CompletedProcess:
        where = [f"--kubeconfig={self.cluster.kubeconfig}", f"--namespace={self.namespace}"]
        given = None if values is None else merged(TAGS, values)
        return charts.helm(command, self.name, *arguments, *where, values=given)

    def must(self, *arguments: str, values: dict | None = None) -> str:
        done = self.helm(*arguments, values=values)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout

    def install(self, values: dict) -> str:
        return self.must("install", str(self.folder), values=values)

    def upgrade(self, values: dict) -> str:
        return self.must("upgrade", str(self.folder), values=values)

    def get(self, kinds: str) -> dict[str, dict]:
        done = self.cluster.kubectl("get", kinds, "-n", self.namespace, "-o", "json")
        assert done.returncode == 0, done.stderr
        return {name_of(item): item for item in json.loads(done.stdout)["items"]}

    def configs(self) -> set[str]:
        return {name for name, item in self.get("configmaps").items() if "log-pong/config" in item["metadata"].get("labels", {})}


@pytest.fixture
def release(cluster, folder, namespace):
    return Release(cluster, folder, namespace)


WORKLOADS = "deployments,statefulsets,jobs,services,networkpolicies,ingresses,poddisruptionbudgets"


def wanted(objects) -> set[str]:
    return {name_of(item) for item in objects}


@pytest.mark.parametrize("values", [{}, EVERYTHING, {"database": charts.EXTERNAL}], ids=["base", "everything", "external"])
def test_it_installs_and_again_changes_nothing(release, values):
    said = release.install(values)
    assert "STATUS: deployed" in said and "helm -n" in said
    kinds = WORKLOADS + ",rollouts,podmonitors,clusters.postgresql.cnpg.io,configmaps,roles,rolebindings,serviceaccounts"
    before = release.get(kinds)
    missing = wanted(o for o in chart(values) if o["kind"] in {k["kind"] for k in before.values()}) - set(before)
    assert missing == set()
    release.upgrade(values)
    after = release.get(kinds)
    assert {n: i["metadata"].get("generation") for n, i in before.items()} == {n: i["metadata"].get("generation") for n, i in after.items()}


def secret_of(release, password: str) -> None:
    """What the Job makes; there is nobody here who runs it."""
    status, answer = release.cluster.request(
        "POST",
        f"/api/v1/namespaces/{release.namespace}/secrets",
        "admin-token",
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "postgres-app"},
            "immutable": True,
            "stringData": {"username": "pingpong", "password": password},
        },
    )
    assert status == 201, answer


def claim_of(release) -> None:
    """What the StatefulSet's controller makes."""
    status, answer = release.cluster.request(
        "POST",
        f"/api/v1/namespaces/{release.namespace}/persistentvolumeclaims",
        "admin-token",
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data-postgres-0"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        },
    )
    assert status == 201, answer


def test_what_must_be_kept_is_kept(release):
    release.install({})
    secret_of(release, "drawn-once")
    claim_of(release)
    kept = release.get("secrets,persistentvolumeclaims")
    release.upgrade({"pingpong": {"settings": {"ACCESS_LOG": True}}})
    release.must("rollback", "1")
    release.must("uninstall")
    assert release.get(WORKLOADS + ",configmaps").keys() <= {"ConfigMap kube-root-ca.crt"}
    release.install({})
    left = release.get("secrets,persistentvolumeclaims")
    for name in ("Secret postgres-app", "PersistentVolumeClaim data-postgres-0"):
        assert left[name]["metadata"]["uid"] == kept[name]["metadata"]["uid"]
    assert base64.b64decode(left["Secret postgres-app"]["data"]["password"]) == b"drawn-once"


def test_the_cluster_of_the_database_is_left_and_found_again(release):
    release.install(EVERYTHING)
    before = release.get("clusters.postgresql.cnpg.io")
    done = release.helm("uninstall")
    assert done.returncode == 0 and "[Cluster] postgres" in done.stdout + done.stderr
    assert {n: i["metadata"]["uid"] for n, i in release.get("clusters.postgresql.cnpg.io").items()} == {
        n: i["metadata"]["uid"] for n, i in before.items()
    }
    release.install(EVERYTHING)
    assert release.get("rollouts").keys() == {"Rollout pingpong-rollout"}


def test_configmaps_of_the_revisions_before_stay_for_some_time(release):
    release.install({})
    first = release.configs()
    # As many as Helm remembers.
    for number in range(9):
        release.upgrade({"pingpong": {"settings": {"DRAIN_MS": 1000 + number}}})
        if number == 0:
            assert release.configs() > first
    # Five that are used, and eight before.
    assert len(release.configs()) == 13
    release.must("rollback", "1")
    assert release.configs() >= first
    release.must("rollback", "3")
    release.must("uninstall")
    assert release.configs() == set()


def test_an_upgrade_starts_only_what_it_concerns(release):
    release.install({})
    before = release.get("deployments,statefulsets")
    release.upgrade({"pingpong": {"settings": {"ACCESS_LOG": True}}})
    after = release.get("deployments,statefulsets")
    changed = {n for n in after if after[n]["spec"]["template"] != before[n]["spec"]["template"]}
    assert changed == {"Deployment pingpong"}
    # And another Job beside one that may still run.
    release.upgrade({"imagePullSecrets": [{"name": "registry"}]})
    assert len(of_kind(list(release.get("jobs").values()), "Job")) == 1


def test_two_releases_in_one_namespace(release):
    other = Release(release.cluster, release.folder, release.namespace, "second")
    release.install({})
    other.install({})
    found = release.get(WORKLOADS)
    assert {"Deployment pingpong", "Deployment second-pingpong"} <= found.keys()
    other.must("uninstall")
    assert {n: i["metadata"]["uid"] for n, i in release.get("deployments").items()} == {
        n: i["metadata"]["uid"] for n, i in found.items() if n in ("Deployment pingpong", "Deployment log-output")
    }


def test_what_kubectl_has_applied_is_not_taken_over(release, cluster):
    """A clear refusal, and nothing is half done."""
    text = yaml.safe_dump_all(item for item in chart({}, namespace=release.namespace) if item["kind"] == "Deployment")
    assert cluster.kubectl("apply", "-f", "-", stdin=text.replace("app.kubernetes.io/managed-by: Helm", "x: z")).returncode == 0
    done = release.helm("install", str(release.folder), values={})
    assert done.returncode != 0 and "exists and cannot be imported into the current release" in done.stderr
    assert release.configs() == set()


def test_the_pod_of_helm_test_is_admitted_and_its_verdict_is_told(release, cluster, tmp_path):
    """Pod Security takes it; what it ends with is what helm test says."""
    release.install({})
    pod = next(item for item in hooks() if item["kind"] == "Pod")
    pod["metadata"]["namespace"] = release.namespace
    path = f"/api/v1/namespaces/{release.namespace}"
    cluster.request("POST", f"{path}/serviceaccounts", "admin-token", {"metadata": {"name": "default"}})
    status, answer = cluster.request("POST", f"{path}/pods?dryRun=All", "admin-token", pod)
    assert status == 201, answer
    for phase, expected in (("Succeeded", 0), ("Failed", 1)):
        log = (tmp_path / phase).open("w+")
        running = subprocess.Popen(
            [tool("helm"), "test", "log-pong", f"--namespace={release.namespace}", "--timeout=60s", f"--kubeconfig={cluster.kubeconfig}"],
            stdout=log,
            stderr=log,
            cwd=os.sep,
        )
        try:
            deadline = time.monotonic() + 60
            while cluster.request("PATCH", f"{path}/pods/log-pong-test/status", "admin-token", {"status": {"phase": phase}})[0] != 200:
                assert time.monotonic() < deadline and running.poll() is None
                time.sleep(0.1)
            assert (running.wait(timeout=90) != 0) == expected
        finally:
            running.kill()
            running.wait(timeout=30)
            log.seek(0)
            said = log.read()
            log.close()
        assert f"Phase:          {phase}" in said or "failed" in said
