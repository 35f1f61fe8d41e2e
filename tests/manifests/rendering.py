"""Renders the manifests and finds things in what comes out."""

import functools
import itertools
import os
import subprocess
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = ROOT / "manifests"
OVERLAYS = ["local", "release", "demo", "gitops", "production"]
# With images of this machine.
LOCAL = {"local", "demo"}
COMPONENTS = ["canary", "monitoring", "traffic", "gateway-api", "ha-database"]
WORKLOADS = {"Deployment", "Rollout", "StatefulSet", "Job", "CronJob"}

Objects = list[dict]


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """YAML that refuses what Kubernetes would misread: a key given twice."""


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict:
    keys = [loader.construct_object(key) for key, _ in node.value]
    twice = {key for key in keys if keys.count(key) > 1}
    if twice:
        raise ValueError(f"{node.start_mark}: given twice: {', '.join(sorted(twice))}")
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def tool(name: str) -> str:
    return str(Path(os.environ.get("MANIFESTS_TOOLS", ROOT / "build/tools/manifests")) / name)


def build(folder: Path) -> str:
    done = subprocess.run([tool("kustomize"), "build", str(folder)], text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, f"kustomize build {folder}: {done.stderr}"
    # Deprecated fields are announced here, and nowhere else.
    assert not done.stderr, f"kustomize build {folder}: {done.stderr}"
    return done.stdout


def parse(text: str) -> Objects:
    return [item for item in yaml.load_all(text, Loader=Loader) if item]


@functools.cache
def overlay(name: str) -> str:
    return build(MANIFESTS / "overlays" / name)


@functools.cache
def argocd(variant: str = "argocd") -> str:
    return build(MANIFESTS / variant)


@functools.cache
def combination(components: tuple[str, ...]) -> str:
    return customised(components)


def customised(components: tuple[str, ...], resource: str = "base", **more) -> str:
    """The base with these components, as an overlay of one's own would have it, with more of its fields."""
    # kustomize takes relative paths only, and no file from outside a root.
    with tempfile.TemporaryDirectory() as folder:

        def relative(path: Path) -> str:
            return os.path.relpath(path, os.path.realpath(folder))

        text = yaml.safe_dump(
            {
                "apiVersion": "kustomize.config.k8s.io/v1beta1",
                "kind": "Kustomization",
                "namespace": "log-pong",
                "resources": [relative(MANIFESTS / resource)],
                "components": [relative(MANIFESTS / "components" / name) for name in components],
                "images": [
                    {"name": f"log-pong/{name}", "newTag": "f" * 40, "newName": f"ghcr.io/owner/log-pong-{name}"}
                    for name in ("pingpong", "reader", "writer", "witness")
                ],
                **more,
            }
        )
        Path(folder, "kustomization.yaml").write_text(text, encoding="utf-8")
        return build(Path(folder))


def combinations() -> list[tuple[str, ...]]:
    """Every choice of components, and the whole choice in the other order too; but traffic says that it
    comes after the canary whose analysis it adds to."""
    chosen = [c for n in range(len(COMPONENTS) + 1) for c in itertools.combinations(COMPONENTS, n)]
    others = [name for name in reversed(COMPONENTS) if name != "traffic"]
    return chosen + [(*others, "traffic")]


def of_kind(objects: Objects, *kinds: str) -> Objects:
    return [item for item in objects if item["kind"] in kinds]


def name_of(item: dict) -> str:
    return f"{item['kind']} {item['metadata']['name']}"


def find(objects: Objects, kind: str, name: str) -> dict | None:
    for item in of_kind(objects, kind):
        if item["metadata"]["name"] == name:
            return item
    return None


def workloads(objects: Objects) -> Objects:
    return of_kind(objects, *WORKLOADS)


def template(workload: dict) -> dict:
    spec = workload["spec"]
    return spec["jobTemplate"]["spec"]["template"] if workload["kind"] == "CronJob" else spec["template"]


def containers(workload: dict, init: bool = True) -> list[dict]:
    spec = template(workload)["spec"]
    return (spec.get("initContainers", []) if init else []) + spec["containers"]


def matches(selector: dict | None, labels: dict) -> bool:
    """A LabelSelector; an empty one selects everything."""
    for key, value in (selector or {}).get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    for term in (selector or {}).get("matchExpressions", []):
        operator, values = term["operator"], term.get("values", [])
        holds = {
            "In": labels.get(term["key"]) in values,
            "NotIn": labels.get(term["key"]) not in values,
            "Exists": term["key"] in labels,
            "DoesNotExist": term["key"] not in labels,
        }[operator]
        if not holds:
            return False
    return True


def labels_of(workload: dict) -> dict:
    return template(workload)["metadata"]["labels"]


def strings(value, path: str = ""):
    """Every string within, with the way to it."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from strings(inner, f"{path}/{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from strings(inner, f"{path}/{index}")
