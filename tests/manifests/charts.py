"""Renders the Helm chart, and what it has to be equal to: the manifests as an overlay would have them."""

import copy
import functools
import re
import subprocess

import yaml

from rendering import ROOT, Objects, customised, find, name_of, of_kind, parse, tool

CHART = ROOT / "charts/log-pong"
GENERATED = re.compile(r"-[a-z0-9]{10}$")
OURS = ("pingpong", "reader", "writer", "witness")
TAGS = {"images": {name: {"tag": "f" * 40} for name in OURS}}
# Hooks are no part of a release: what helm test makes and takes away again.
HOOK = "helm.sh/hook"
# What is another database's, or the base's own, by kind and name.
OWN_SECRET = {
    "Job postgres-secret",
    "ServiceAccount postgres-app",
    "Role postgres-secret",
    "RoleBinding postgres-secret",
    "NetworkPolicy postgres-secret",
    "ConfigMap postgres-secret-scripts",
}
STATEFUL = {"StatefulSet postgres", "Service postgres-svc", "NetworkPolicy postgres", "ConfigMap postgres-scripts"}
EXTERNAL = {
    "kind": "external",
    "existingSecret": "their-secret",
    "external": {"host": "db.example.org", "port": 6432, "sslMode": "verify-full", "cidrs": ["192.0.2.0/24"]},
}


def helm(*arguments: str, values: dict | None = None) -> subprocess.CompletedProcess:
    return subprocess.run(
        [tool("helm"), *arguments, *(["--values", "-"] if values is not None else [])],
        input=yaml.safe_dump(values) if values is not None else None,
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )


def text_of(values: dict, release: str, namespace: str, *options: str) -> str:
    done = helm("template", release, str(CHART), "--namespace", namespace, *options, values=values)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return done.stdout


@functools.cache
def _parsed(values: str, release: str, namespace: str) -> Objects:
    return parse(text_of(yaml.safe_load(values), release, namespace))


def chart(values: dict | None = None, release: str = "log-pong", namespace: str = "log-pong") -> Objects:
    """The objects of a release, without the hooks."""
    found = _parsed(yaml.safe_dump(merged(TAGS, values or {})), release, namespace)
    return copy.deepcopy([item for item in found if HOOK not in item["metadata"].get("annotations", {})])


def hooks(values: dict | None = None) -> Objects:
    found = _parsed(yaml.safe_dump(merged(TAGS, values or {})), "log-pong", "log-pong")
    return copy.deepcopy([item for item in found if HOOK in item["metadata"].get("annotations", {})])


def merged(one: dict, other: dict) -> dict:
    both = one | other
    return both | {
        key: merged(one[key], other[key])
        for key in one.keys() & other.keys()
        if isinstance(one[key], dict) and isinstance(other[key], dict)
    }


@functools.cache
def _manifests(components: tuple[str, ...], release: str, namespace: str) -> str:
    about = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    labels = {
        "app.kubernetes.io/managed-by": "Helm",
        "app.kubernetes.io/version": about["appVersion"],
        "helm.sh/chart": f"log-pong-{about['version']}",
    }
    more = {} if release == "log-pong" else {"namePrefix": f"{release}-"}
    return customised(
        components,
        namespace=namespace,
        **more,
        labels=[
            {"pairs": {"app.kubernetes.io/part-of": "log-pong"}, "includeTemplates": True},
            {"pairs": {"app.kubernetes.io/instance": release}, "includeSelectors": True},
            {"pairs": labels},
        ],
    )


def manifests(components: tuple[str, ...] = (), release: str = "log-pong", namespace: str = "log-pong") -> Objects:
    """The base with these components, and with what a chart has to do otherwise."""
    objects = [item for item in parse(_manifests(components, release, namespace)) if item["kind"] != "Namespace"]
    instance = {"app.kubernetes.io/instance": release}
    for item in of_kind(objects, "NetworkPolicy"):
        # A namespace may have other tenants: the policies without a name select the release's pods alone.
        if item["metadata"]["name"].endswith(("default-deny", "dns")):
            item["spec"]["podSelector"]["matchLabels"] = instance
    for item in of_kind(objects, "ConfigMap"):
        # By this the chart finds those of the revisions before.
        if GENERATED.search(item["metadata"]["name"]):
            name = GENERATED.sub("", item["metadata"]["name"]).removeprefix(f"{release}-")
            item["metadata"]["labels"]["log-pong/config"] = name
    for item in of_kind(objects, "Cluster"):
        item["metadata"]["annotations"] = {"helm.sh/resource-policy": "keep"}
    return objects


def selectors(value):
    """Every matchLabels within."""
    if isinstance(value, dict):
        if "matchLabels" in value:
            yield value["matchLabels"]
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from selectors(inner)


def with_secret(objects: Objects, name: str, without=frozenset(OWN_SECRET)) -> Objects:
    """Another Secret than postgres-app, by default without what makes that."""
    left = [item for item in objects if GENERATED.sub("", name_of(item)) not in without]
    return yaml.safe_load(yaml.safe_dump(left).replace(" postgres-app", f" {name}"))


def with_external_database(objects: Objects) -> Objects:
    said = EXTERNAL["external"]
    left = [item for item in with_secret(objects, EXTERNAL["existingSecret"]) if GENERATED.sub("", name_of(item)) not in STATEFUL]
    (config,) = [item for item in of_kind(left, "ConfigMap") if "DB_HOST" in item["data"]]
    config["data"] |= {"DB_HOST": said["host"], "DB_PORT": str(said["port"]), "DB_SSLMODE": said["sslMode"]}
    way = copy.deepcopy(find(left, "NetworkPolicy", "pingpong"))
    way["metadata"]["name"] = "pingpong-to-database"
    way["spec"] = {
        "podSelector": way["spec"]["podSelector"],
        "policyTypes": ["Egress"],
        "egress": [{"to": [{"ipBlock": {"cidr": said["cidrs"][0]}}], "ports": [{"protocol": "TCP", "port": said["port"]}]}],
    }
    return left + [way]


def plain(objects: Objects) -> dict[str, dict]:
    """By kind and name, the hashes of generated names left out wherever they are."""
    generated = {
        item["metadata"]["name"]: GENERATED.sub("", item["metadata"]["name"]) for item in objects if item["kind"] in ("ConfigMap", "Job")
    }

    def replaced(value):
        if isinstance(value, dict):
            return {key: replaced(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [replaced(inner) for inner in value]
        return generated.get(value, value) if isinstance(value, str) else value

    assert len({name_of(item) for item in objects}) == len(objects)
    return {name_of(item): item for item in map(replaced, objects)}
