"""Several copies: in namespaces of their own, and beside each other under another name."""

import itertools
import re

import pytest
import yaml

import policies_network
import policies_pods
from rendering import MANIFESTS, customised, find, labels_of, matches, of_kind, parse, workloads

CHOICE = ("canary", "monitoring", "traffic", "gateway-api")
COMPONENTS = [c for n in range(len(CHOICE) + 1) for c in itertools.combinations(CHOICE, n)]
COMPONENTS += [("backup",), ("ha-database",), ("ha-database", "backup"), ("backup", "ha-database"), (*CHOICE, "ha-database", "backup")]


def readme_example() -> dict:
    """The overlay of a second copy that the README shows."""
    text = (MANIFESTS / "README.md").read_text("utf-8")
    (block,) = [b for b in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "namePrefix" in b]
    return yaml.safe_load(block)


def copy(components, name: str) -> list[dict]:
    text = yaml.safe_dump({k: v for k, v in readme_example().items() if k in ("namePrefix", "labels", "namespace")})
    return parse(customised(components, nameSuffix="-blue", **yaml.safe_load(text.replace("second", name))))


def names(value):
    """Every string that could name an object."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in ("labels", "matchLabels", "annotations", "data"):
                yield from names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from names(inner)
    elif isinstance(value, str):
        yield value


def matches_all(policy: dict, labels: dict) -> bool:
    """Whether a policy selects these pods by something that they are."""
    return policy["spec"]["podSelector"] != {} and matches(policy["spec"]["podSelector"], labels)


def selectors_of(item: dict):
    spec = item.get("spec", {})
    if item["kind"] == "Service":
        yield {"matchLabels": spec["selector"]}
    for key in ("selector", "podSelector"):
        if item["kind"] != "Service" and key in spec:
            yield spec[key]


@pytest.mark.parametrize("components", COMPONENTS, ids=lambda c: "+".join(c) or "base")
def test_every_reference_follows_a_prefix_and_a_suffix(components):
    first, other = parse(customised(components)), copy(components, "second")
    old = {item["metadata"]["name"] for item in of_kind(first, "Service", "AnalysisTemplate", "Rollout", "Gateway", "ServiceAccount")}
    assert old
    for item in other:
        left = set(names(item.get("spec", {}))) & old
        # A label's value, an operator's own names and the names of ports and containers are none.
        assert left <= {"pingpong", "log-pong", "postgres"}, (item["kind"], left)
    (config,) = [c for c in of_kind(other, "ConfigMap") if "DB_HOST" in c["data"]]
    assert find(other, "Service", config["data"]["DB_HOST"])
    for cluster in of_kind(other, "Cluster"):
        initdb = {"cnpg.io/cluster": cluster["metadata"]["name"]}
        (policy,) = [p for p in of_kind(other, "NetworkPolicy") if "Egress" in p["spec"]["policyTypes"] and matches_all(p, initdb)]
        assert "443" in str(policy["spec"]["egress"])
    assert list(policies_network.settings(other)) == []
    assert list(policies_network.selectors(other)) == []
    assert list(policies_pods.configuration(other)) == []


def pods(objects):
    """The labels of each kind of pod; CloudNativePG's Jobs do not get what its instances inherit."""
    yield from (labels_of(workload) for workload in workloads(objects))
    for cluster in of_kind(objects, "Cluster"):
        yield policies_network.primary(cluster)
        yield {"cnpg.io/cluster": cluster["metadata"]["name"], "cnpg.io/jobRole": "initdb"}


def strays(one, other):
    """What selects pods of the other copy; what is closed by default may well be closed for both."""
    for item in one:
        sources = [s for rule in item.get("spec", {}).get("ingress") or [] for s in rule.get("from", [])]
        closed = item["kind"] == "NetworkPolicy" and not sources
        for selector in list(selectors_of(item)) * (not closed) + [s["podSelector"] for s in sources if "podSelector" in s]:
            if any(matches(selector, labels) for labels in pods(other)):
                yield f"{item['kind']} {item['metadata']['name']}: {selector}"


@pytest.mark.parametrize("components", COMPONENTS, ids=lambda c: "+".join(c) or "base")
def test_no_copy_selects_the_pods_of_another(components):
    first, other = copy(components, "first"), copy(components, "second")
    assert list(strays(first, other)) == [] == list(strays(other, first))
    secrets = [set(policies_pods.made_secrets(one)) for one in (first, other)]
    assert secrets == [{"first-postgres-app-blue"}, {"second-postgres-app-blue"}]
    where = [{(item["kind"], item["metadata"]["name"]) for item in one} for one in (first, other)]
    assert where[0] & where[1] == {("Namespace", "log-pong")}


def test_without_labels_they_are_mixed():
    """What the README warns of, and the test above would notice."""
    plain, other = parse(customised(())), copy((), "second")
    found = list(strays(plain, other))
    assert any(text.startswith("Service pingpong-svc") for text in found)
    assert any(text.startswith("NetworkPolicy postgres") for text in found)
    assert list(strays(other, plain)) == []


@pytest.mark.parametrize("components", [(), ("canary", "monitoring", "ha-database")], ids=["base", "all"])
def test_a_namespace_is_enough(components):
    text = customised(components, namespace="elsewhere")
    objects = parse(text)
    assert find(objects, "Namespace", "elsewhere")
    for item in objects:
        assert item["kind"] == "Namespace" or item["metadata"]["namespace"] == "elsewhere"
        for subject in item.get("subjects", []):
            assert subject["namespace"] == "elsewhere"
    assert list(policies_network.settings(objects)) == [] == list(policies_network.services(objects))
