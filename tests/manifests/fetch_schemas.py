#!/usr/bin/env python3
"""Writes strict JSON schemas for kubeconform: fetch_schemas.py DIR

From pinned Go modules come Kubernetes' own OpenAPI description (the oldest
release that the manifests support and the newest) and the resource definitions of the
operators. DIR/RELEASE/GROUP/KIND_VERSION.json is one schema without references
to other files; DIR/crds/ has the operators' likewise, and DIR/crd-sources/ the definitions as they came.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

KUBERNETES = {"1.34": "k8s.io/kubernetes@v1.34.4", "newest": "k8s.io/kubernetes@v1.37.2"}
OPERATORS = {
    "github.com/argoproj/argo-rollouts@v1.8.3": "manifests/crds",
    "github.com/argoproj/argo-cd/v3@v3.5.7": "manifests/crds",
    "sigs.k8s.io/gateway-api@v1.4.1": "config/crd/standard",
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": "example/prometheus-operator-crd",
    "github.com/cloudnative-pg/cloudnative-pg@v1.27.1": "config/crd/bases",
}
# The description calls these strings; the API takes numbers as well.
NUMBER_TOO = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": ["string", "integer"],
    "io.k8s.apimachinery.pkg.api.resource.Quantity": ["string", "number"],
}
REFERENCE = "#/definitions/"


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """YAML as Kubernetes reads it: a bare = is a string."""


Loader.add_constructor("tag:yaml.org,2002:value", Loader.construct_yaml_str)


def module_folder(module: str) -> Path:
    """Downloads one module (checked against the checksum database) and says where it is."""
    command = [os.environ.get("GO", "go"), "mod", "download", "-json", module]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"cannot fetch {module}: {done.stdout}{done.stderr}")
    return Path(json.loads(done.stdout)["Dir"])


def strict(schema):
    """A copy in which an object with known properties may have no others."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    copy = {key: strict(value) for key, value in schema.items()}
    if copy.get("x-kubernetes-int-or-string") is True:
        copy.pop("type", None)
        copy["type"] = ["string", "integer"]
    closed = isinstance(copy.get("properties"), dict) and "additionalProperties" not in copy
    if closed and not copy.get("x-kubernetes-preserve-unknown-fields"):
        copy["additionalProperties"] = False
    return copy


def needed(schema, definitions: dict, found: dict) -> dict:
    """All definitions that the schema refers to, directly or not."""
    if isinstance(schema, dict):
        reference = schema.get("$ref", "")
        name = reference[len(REFERENCE) :] if isinstance(reference, str) else ""
        if name and name not in found:
            found[name] = definitions[name]
            needed(definitions[name], definitions, found)
        for value in schema.values():
            needed(value, definitions, found)
    elif isinstance(schema, list):
        for value in schema:
            needed(value, definitions, found)
    return found


def write(folder: Path, group: str, kind: str, version: str, schema: dict) -> None:
    # kubeconform takes "v1" for the group of what has none.
    path = folder / (group or version) / f"{kind.lower()}_{version}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(schema), encoding="utf-8")


def write_kubernetes(folder: Path, swagger: dict) -> int:
    definitions = {name: strict(value) for name, value in swagger["definitions"].items()}
    for name, types in NUMBER_TOO.items():
        definitions[name]["type"] = types
    written = 0
    for definition in definitions.values():
        kinds = definition.get("x-kubernetes-group-version-kind", [])
        if len(kinds) != 1 or "metadata" not in definition.get("properties", {}):
            continue
        kind = kinds[0]
        schema = dict(definition, definitions=needed(definition, definitions, {}))
        write(folder, kind["group"], kind["kind"], kind["version"], schema)
        written += 1
    return written


def write_crds(folder: Path, sources: Path, crds: Path) -> int:
    written = 0
    for path in sorted(crds.glob("*.yaml")):
        for crd in yaml.load_all(path.read_text(encoding="utf-8"), Loader=Loader):
            if not crd or crd.get("kind") != "CustomResourceDefinition":
                continue
            (sources / f"{crd['metadata']['name']}.yaml").write_text(json.dumps(crd), encoding="utf-8")
            spec = crd["spec"]
            for version in spec["versions"]:
                schema = strict(version["schema"]["openAPIV3Schema"])
                # The API server knows these without being told.
                schema["properties"].update({"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}})
                write(folder, spec["group"], spec["names"]["kind"], version["name"], schema)
                written += 1
    return written


def main(target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    for release, module in KUBERNETES.items():
        source = module_folder(module) / "api/openapi-spec/swagger.json"
        count = write_kubernetes(target / release, json.loads(source.read_text("utf-8")))
        print(f"{module}: {count} kinds")
    sources = target / "crd-sources"
    sources.mkdir(parents=True)
    for module, folder in OPERATORS.items():
        print(f"{module}: {write_crds(target / 'crds', sources, module_folder(module) / folder)} kinds")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
