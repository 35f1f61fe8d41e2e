"""The manifests, and the script that makes the Secret, against a real API server."""

import base64
import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

import cluster as clusters
from rendering import MANIFESTS, argocd, combination, combinations, name_of, overlay, parse, template, workloads

SCRIPT = MANIFESTS / "base/postgres/make-secret.sh"
ACCOUNT = "/api/v1/namespaces/log-pong/serviceaccounts/postgres-app/token"
SECRETS = "/api/v1/namespaces/log-pong/secrets"
ADMIN = "admin-token"
KINDS = [
    "rollouts.argoproj.io",
    "analysistemplates.argoproj.io",
    "applications.argoproj.io",
    "appprojects.argoproj.io",
    "gateways.gateway.networking.k8s.io",
    "httproutes.gateway.networking.k8s.io",
    "podmonitors.monitoring.coreos.com",
    "prometheusrules.monitoring.coreos.com",
    "clusters.postgresql.cnpg.io",
]

pytestmark = pytest.mark.skipif(bool(clusters.missing()), reason="no API server here: make manifests-apiserver-test builds it")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with clusters.Cluster(tmp_path_factory.mktemp("cluster")) as running:
        # The rest of a control plane would make this one.
        made = running.kubectl("create", "namespace", "argocd")
        assert made.returncode == 0, made.stderr
        yield running


@pytest.fixture(scope="module")
def local(cluster):
    """The one command of the README, on an empty cluster."""
    return cluster.kubectl("apply", "-k", str(MANIFESTS / "overlays/local"))


@pytest.fixture(scope="module")
def operators(cluster, local):
    cluster.create_kinds(KINDS)


def test_one_command_applies_everything_without_a_warning(local):
    assert local.returncode == 0, local.stderr
    assert local.stderr == ""
    assert len(local.stdout.splitlines()) == len(parse(overlay("local")))
    assert all(line.endswith(" created") for line in local.stdout.splitlines())


def generations(cluster):
    """Counts up with each change of what is wanted (kubectl says "configured" without one, too)."""
    kinds = "deployments,statefulsets,jobs,poddisruptionbudgets,ingresses,networkpolicies"
    done = cluster.kubectl("get", kinds, "-n", "log-pong", "-o", "json")
    found = json.loads(done.stdout)["items"]
    return {name_of(item): item["metadata"].get("generation") for item in found}


def test_a_second_time_nothing_changes(cluster, local):
    before = generations(cluster)
    assert len(before) >= 12 and set(before.values()) == {1}
    again = cluster.kubectl("apply", "-k", str(MANIFESTS / "overlays/local"))
    assert again.returncode == 0, again.stderr
    assert generations(cluster) == before
    assert " created" not in again.stdout


TEXTS = {name: (overlay, name) for name in ("gitops", "production")}
TEXTS |= {name: (argocd, name) for name in ("argocd", "argocd-production")}
TEXTS |= {"base+" + "+".join(chosen): (combination, chosen) for chosen in combinations() if chosen}


@pytest.mark.parametrize("name", TEXTS)
def test_the_server_takes_it(cluster, operators, name):
    render, argument = TEXTS[name]
    text = render(argument)
    done = cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=text)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == len(parse(text))


def pod_of(workload):
    made = template(workload)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "spec": made["spec"],
        "metadata": {"name": "probe", "namespace": "log-pong", "labels": made["metadata"]["labels"]},
    }


def create_pod(cluster, pod):
    for account in ("default", "postgres-app"):
        cluster.kubectl("create", "serviceaccount", account, "-n", "log-pong")
    return cluster.request("POST", "/api/v1/namespaces/log-pong/pods?dryRun=All", ADMIN, pod)


@pytest.mark.parametrize("workload", workloads(parse(overlay("gitops"))), ids=name_of)
def test_pod_security_admits_the_pods_and_only_them(cluster, local, workload):
    pod = pod_of(workload)
    # A StatefulSet adds the volume of its claim.
    for claim in workload["spec"].get("volumeClaimTemplates", []):
        pod["spec"]["volumes"].append({"name": claim["metadata"]["name"], "emptyDir": {}})
    status, answer = create_pod(cluster, pod)
    assert status == 201, answer
    for container in pod["spec"]["containers"]:
        container["securityContext"]["allowPrivilegeEscalation"] = True
    status, answer = create_pod(cluster, pod)
    assert status == 403 and "PodSecurity" in answer["message"], answer


@pytest.fixture
def make_secret(cluster, local, tmp_path):
    """Runs the script as the Job's container does; returns (exit status, output)."""
    access = tmp_path / "api-access"
    access.mkdir()
    (access / "ca.crt").write_bytes(cluster.authority.read_bytes())
    status, answer = cluster.request(
        "POST", ACCOUNT, ADMIN, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    )
    assert status == 201, answer
    (access / "token").write_text(answer["status"]["token"], "ascii")
    cluster.request("DELETE", f"{SECRETS}/postgres-app", ADMIN)

    def run(**changes):
        environment = {
            "PATH": "/usr/bin:/bin",
            "TMPDIR": str(tmp_path),
            "NAMESPACE": "log-pong",
            "SECRET_NAME": "postgres-app",
            "SECRET_USERNAME": "pingpong",
            "API_ACCESS": str(access),
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(cluster.port),
            **changes,
        }
        done = subprocess.run(["sh", str(SCRIPT)], env=environment, text=True, capture_output=True, timeout=120, check=False)
        assert os.listdir(tmp_path) == ["api-access"], "something was left behind"
        return done.returncode, done.stdout + done.stderr

    run.token = (access / "token").read_text("ascii")
    return run


def secret(cluster):
    status, found = cluster.request("GET", f"{SECRETS}/postgres-app", ADMIN)
    assert status == 200, found
    return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}, found


def test_the_secret_is_made_once_and_never_replaced(cluster, make_secret):
    status, output = make_secret()
    assert (status, output) == (0, "made Secret postgres-app\n")
    data, found = secret(cluster)
    assert set(data) == {"username", "password"} and data["username"] == "pingpong"
    assert len(data["password"]) == 32 and data["password"] not in output
    assert found["immutable"] is True and found["type"] == "kubernetes.io/basic-auth"
    assert make_secret() == (0, "Secret postgres-app is there already and stays as it is\n")
    assert secret(cluster)[0] == data


def test_a_proxy_for_the_rest_of_the_world_is_not_asked(make_secret):
    (port,) = clusters.free_ports(1)
    proxies = dict.fromkeys(("https_proxy", "HTTPS_PROXY", "ALL_PROXY"), f"http://127.0.0.1:{port}")
    assert make_secret(**proxies) == (0, "made Secret postgres-app\n")


def test_each_password_is_another(cluster, make_secret):
    seen = set()
    for _ in range(5):
        assert make_secret()[0] == 0
        seen.add(secret(cluster)[0]["password"])
        cluster.request("DELETE", f"{SECRETS}/postgres-app", ADMIN)
    assert len(seen) == 5


def test_many_at_once_make_one(cluster, make_secret, tmp_path):
    def run(number):
        folder = tmp_path / "api-access" / str(number)
        folder.mkdir()
        environment = {
            "PATH": "/usr/bin:/bin",
            "TMPDIR": str(folder),
            "NAMESPACE": "log-pong",
            "SECRET_NAME": "postgres-app",
            "SECRET_USERNAME": "pingpong",
            "API_ACCESS": str(tmp_path / "api-access"),
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(cluster.port),
        }
        return subprocess.run(["sh", str(SCRIPT)], env=environment, text=True, capture_output=True, timeout=120, check=True).stdout

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(run, range(8)))
    assert sorted(text.startswith("made") for text in said) == [False] * 7 + [True]


def test_the_job_may_only_create(cluster, make_secret):
    assert make_secret()[0] == 0
    one = f"{SECRETS}/postgres-app"
    for method, path, body in (
        ("GET", one, None),
        ("GET", SECRETS, None),
        ("DELETE", one, None),
        ("PATCH", one, {"stringData": {"password": "x"}}),
        ("GET", "/api/v1/namespaces/log-pong/configmaps", None),
        ("POST", "/api/v1/namespaces/default/secrets", {}),
    ):
        status, _ = cluster.request(method, path, make_secret.token, body)
        assert status == 403, (method, path)
    status, answer = cluster.request("PATCH", one, ADMIN, {"data": {"password": "eA=="}})
    assert status == 422 and "immutable" in answer["message"]


def test_a_failure_is_told_and_tried_again(cluster, make_secret):
    status, output = make_secret(NAMESPACE="default")
    assert status == 1 and "HTTP 403" in output and "forbidden" in output
    assert make_secret.token not in output and "stringData" not in output
    (port,) = clusters.free_ports(1)
    status, output = make_secret(KUBERNETES_SERVICE_PORT=str(port))
    assert status != 0


def test_the_autoscaler_finds_the_scale_of_the_rollout(cluster, operators):
    """The Rollout's scale is what the autoscaler reads and writes."""
    done = cluster.kubectl("apply", "-f", "-", stdin=overlay("gitops"))
    assert done.returncode == 0, done.stderr
    # Argo Rollouts writes the default when nothing is there.
    path = "/apis/argoproj.io/v1alpha1/namespaces/log-pong/rollouts/pingpong-rollout"
    status, answer = cluster.request("PATCH", path, ADMIN, {"spec": {"replicas": 1}})
    assert status == 200, answer
    status, answer = cluster.request("GET", f"{path}/scale", ADMIN)
    assert status == 200 and answer["spec"]["replicas"] == 1, answer
    # A sync that does not mention the number leaves it as it is.
    status, _ = cluster.request("PATCH", f"{path}/scale", ADMIN, {"spec": {"replicas": 7}})
    assert status == 200
    done = cluster.kubectl("apply", "-f", "-", stdin=overlay("gitops"))
    assert done.returncode == 0, done.stderr
    status, answer = cluster.request("GET", path, ADMIN)
    assert json.dumps(answer["spec"]["replicas"]) == "7"
