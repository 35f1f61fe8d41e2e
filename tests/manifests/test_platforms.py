"""What platforms need beyond the base: each component renders with the others, keeps the policies
that it does not exist to change, and does what it is for."""

import re

import pytest

import policies_network
import policies_pods
from rendering import COMPONENTS, MANIFESTS, combination, containers, find, labels_of, of_kind, parse, template, workloads
from test_policies import POLICIES
from test_schemas import RELEASES, kubeconform, with_rollouts_as_deployments

PLATFORMS = ["openshift", "gke", "eks", "mesh", "prometheus-annotations", "flux", "backup"]
CHOICES = [(), ("canary", "monitoring", "traffic"), ("canary", "monitoring", "ha-database")]
# What a platform is there to do otherwise.
EXEMPT = {"openshift": {policies_pods.restricted, policies_network.storage}, "eks": {policies_network.routes}}
# Google publishes no schema of it: what is tried here is that its fields are those of its documentation.
WITHOUT_SCHEMA = {"BackendConfig"}
SERVERS = {"pingpong": 3001, "log-output": 3002, "witness": 3003}
OUTSIDE: dict = {}


def pod(name: str) -> dict:
    return {"labels": {"app.kubernetes.io/name": name}}


def rendered(platform: str, others=()) -> list[dict]:
    return parse(combination((*others, platform)))


def may(objects, source, target, port) -> bool:
    out = "labels" not in source or policies_network.allows(objects, "Egress", source["labels"], target, port)
    into = "labels" not in target or policies_network.allows(objects, "Ingress", target["labels"], source, port)
    return out and into


@pytest.mark.parametrize("others", CHOICES, ids=lambda c: "+".join(c) or "base")
@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_platform_keeps_the_policies(platform, others):
    objects = rendered(platform, others)
    for policy in POLICIES:
        if policy not in EXEMPT.get(platform, set()):
            assert list(policy(objects)) == [], policy.__name__


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_platform_is_valid(platform):
    objects = [item for others in CHOICES for item in rendered(platform, others) if item["kind"] not in WITHOUT_SCHEMA]
    for release in RELEASES:
        assert kubeconform(with_rollouts_as_deployments(objects), release) == []


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_order_of_components_does_not_matter_to_the_pods(platform):
    first, last = rendered(platform, ("canary",)), parse(combination((platform, "canary")))
    name = "pingpong-rollout"
    assert template(find(first, "Rollout", name)) == template(find(last, "Rollout", name))


def test_every_component_is_in_the_readme():
    text = (MANIFESTS / "README.md").read_text("utf-8")
    assert {path.name for path in (MANIFESTS / "components").iterdir()} >= set(PLATFORMS) | set(COMPONENTS)
    for path in (MANIFESTS / "components").iterdir():
        assert re.search(rf"`(components/)?{path.name}/?`", text), path.name


@pytest.mark.parametrize("others", CHOICES, ids=lambda c: "+".join(c) or "base")
def test_openshift_chooses_the_users(others):
    for workload in workloads(rendered("openshift", others)):
        context = template(workload)["spec"]["securityContext"]
        assert context["runAsNonRoot"] is True and context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"runAsUser", "runAsGroup", "fsGroup"} & set(context)
        for container in containers(workload):
            assert "runAsUser" not in container["securityContext"]


@pytest.mark.parametrize("client", SERVERS)
def test_names_are_found_on_openshift_and_gke(client):
    dns = {"namespace": "openshift-dns"}
    assert may(rendered("openshift"), pod(client), dns, 5353)
    assert not may(rendered("openshift"), pod(client), {"namespace": "other"}, 5353)
    assert not may(parse(combination(())), pod(client), dns, 5353)
    (policy,) = [p for p in of_kind(rendered("gke"), "NetworkPolicy") if p["metadata"]["name"] == "dns-gke"]
    (rule,) = policy["spec"]["egress"]
    assert rule["to"] == [{"ipBlock": {"cidr": "169.254.169.254/32"}}]
    # The same address has credentials at other ports.
    assert {p["port"] for p in rule["ports"]} == {53}


@pytest.mark.parametrize("platform, idle_s", [("eks", 60), ("gke", 600)])
def test_the_balancer_is_the_first_to_close_and_the_last_to_be_drained(platform, idle_s):
    objects = rendered(platform, ("canary",))
    for workload in of_kind(objects, "Deployment", "Rollout"):
        settings = policies_pods.settings(objects, containers(workload)[0])
        assert int(settings["HTTP_IDLE_TIMEOUT_MS"]) > idle_s * 1000
        assert int(settings["DRAIN_MS"]) >= 60_000
        grace_s = template(workload)["spec"]["terminationGracePeriodSeconds"]
        assert grace_s * 1000 > int(settings["DRAIN_MS"]) + policies_pods.REQUEST_TIMEOUT_MS


def test_balancers_ask_for_readiness_and_never_for_a_page():
    (ingress,) = of_kind(rendered("eks"), "Ingress")
    notes = ingress["metadata"]["annotations"]
    assert notes["alb.ingress.kubernetes.io/healthcheck-path"] == "/healthz"
    assert notes["alb.ingress.kubernetes.io/target-type"] == "ip"
    assert ingress["spec"]["ingressClassName"] == "alb"
    objects = rendered("gke")
    (config,) = of_kind(objects, "BackendConfig")
    assert config["spec"]["healthCheck"]["requestPath"] == "/healthz"
    for name in ("pingpong-svc", "log-output-svc"):
        notes = find(objects, "Service", name)["metadata"]["annotations"]
        assert config["metadata"]["name"] in notes["cloud.google.com/backend-config"]


@pytest.mark.parametrize("port", [15008, 4143])
def test_a_mesh_lets_through_whom_the_base_lets_through(port):
    objects = rendered("mesh")
    assert may(objects, pod("log-output"), pod("pingpong"), port)
    assert may(objects, pod("pingpong"), pod("postgres"), port)
    assert may(objects, OUTSIDE, pod("pingpong"), port) and may(objects, OUTSIDE, pod("log-output"), port)
    for page in ("pingpong", "log-output"):
        assert may(objects, pod("witness"), pod(page), port)
    for other in ("log-output", "witness"):
        assert not may(objects, pod(other), pod("postgres"), port)
    assert not may(objects, OUTSIDE, pod("postgres"), port)
    assert not may(objects, pod("pingpong"), OUTSIDE, port)


@pytest.mark.parametrize("name", [*SERVERS, "postgres"])
def test_a_proxy_reaches_its_control_plane(name):
    objects = rendered("mesh", ("traffic",))
    assert may(objects, pod(name), {"namespace": "istio-system"}, 15012)
    for port in (8080, 8086, 8090):
        assert may(objects, pod(name), {"namespace": "linkerd"}, port)
        assert not may(objects, pod(name), {"namespace": "default"}, port)
    assert may(objects, pod(name), {"namespace": "kube-system"}, 53)


def test_the_job_stays_out_of_the_mesh():
    (job,) = of_kind(rendered("mesh"), "Job")
    assert labels_of(job)["sidecar.istio.io/inject"] == "false"
    assert labels_of(job)["istio.io/dataplane-mode"] == "none"
    assert template(job)["metadata"]["annotations"]["linkerd.io/inject"] == "disabled"


def test_only_backups_reach_the_database_beside_pingpong():
    objects = rendered("backup")
    assert policies_network.allows(objects, "Ingress", {"app.kubernetes.io/name": "postgres"}, pod("postgres-backup"), "postgres")
    assert policies_network.allows(objects, "Egress", {"app.kubernetes.io/name": "postgres-backup"}, pod("postgres"), 5432)
    assert not policies_network.allows(objects, "Egress", {"app.kubernetes.io/name": "postgres-backup"}, OUTSIDE, 443)
    assert not policies_network.allows(objects, "Ingress", {"app.kubernetes.io/name": "postgres"}, pod("log-output"), "postgres")


def test_the_restore_never_runs_by_itself():
    suspended = {item["metadata"]["name"]: item["spec"]["suspend"] for item in of_kind(rendered("backup"), "CronJob")}
    assert suspended == {"postgres-backup": False, "postgres-restore": True}


def test_prometheus_is_told_where_the_metrics_are():
    for others in ((), ("canary", "traffic")):
        for workload in of_kind(rendered("prometheus-annotations", others), "Deployment", "Rollout"):
            notes = template(workload)["metadata"]["annotations"]
            (port,) = {p["containerPort"] for c in containers(workload) for p in c.get("ports", [])}
            assert notes == {"prometheus.io/scrape": "true", "prometheus.io/path": "/metrics", "prometheus.io/port": str(port)}


def test_flux_prunes_no_data_and_no_configuration():
    for others in CHOICES:
        kept = of_kind(rendered("flux", others), "ConfigMap", "Namespace", "StatefulSet", "Cluster")
        assert len(kept) > 3
        for item in kept:
            assert item["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/prune"] == "disabled"
