"""Strict validation against the schemas of Kubernetes (oldest supported and newest
release) and of the operators."""

import copy
import json
import subprocess

import pytest

from rendering import OVERLAYS, argocd, combination, combinations, find, of_kind, overlay, parse, tool

RELEASES = ["1.34", "newest"]


def kubeconform(objects, release):
    """Returns what is wrong; an object without a schema is wrong, too."""
    pattern = "{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json"
    done = subprocess.run(
        [
            tool("kubeconform"),
            "-strict",
            "-output",
            "json",
            "-schema-location",
            f"{tool('schemas')}/{release}/{pattern}",
            "-schema-location",
            f"{tool('schemas')}/crds/{pattern}",
            "-",
        ],
        input="\n---\n".join(json.dumps(item) for item in objects),
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert not done.stderr, done.stderr
    return [f"{r['kind']} {r['name']}: {r['msg']}" for r in json.loads(done.stdout).get("resources", [])]


def with_rollouts_as_deployments(objects):
    """A Rollout's own schema is loose about the pod; a Deployment's is not."""
    shadows = []
    for rollout in of_kind(objects, "Rollout"):
        spec = {key: rollout["spec"][key] for key in ("selector", "template")}
        shadows.append({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": rollout["metadata"], "spec": spec})
    return objects + shadows


def everything():
    texts = [overlay(name) for name in OVERLAYS]
    texts += [argocd(), argocd("argocd-production")]
    texts += [combination(components) for components in combinations()]
    return [item for text in texts for item in with_rollouts_as_deployments(parse(text))]


@pytest.mark.parametrize("release", RELEASES)
def test_everything_is_valid(release):
    objects = everything()
    kinds = {item["kind"] for item in objects}
    assert {
        "Rollout",
        "AnalysisTemplate",
        "Application",
        "AppProject",
        "HTTPRoute",
        "Gateway",
        "Cluster",
        "PodMonitor",
        "PrometheusRule",
        "StatefulSet",
        "NetworkPolicy",
    } <= kinds
    assert kubeconform(objects, release) == []


MISTAKES = {
    ("Deployment", "log-output"): ("template", "spec", "terminationGracePeriod"),
    ("Rollout", "pingpong-rollout"): ("progressDeadlineAbbort",),
    ("AnalysisTemplate", "cpu-usage-analysis"): ("metric",),
    ("PodMonitor", "pingpong"): ("podTargetLabel",),
    ("PrometheusRule", "log-pong"): ("group",),
    ("NetworkPolicy", "dns"): ("egres",),
    ("HTTPRoute", "log-pong"): ("parentRef",),
    ("Cluster", "postgres"): ("instance",),
    ("HorizontalPodAutoscaler", "pingpong"): ("targetCPUUtilizationPercentage",),
}


@pytest.mark.parametrize("which", MISTAKES, ids=lambda w: w[0])
def test_a_misspelt_field_is_found(which):
    objects = parse(combination(("canary", "monitoring", "gateway-api", "ha-database")))
    item = copy.deepcopy(find(objects, *which))
    assert kubeconform([item], "1.34") == []
    *way, field = MISTAKES[which]
    place = item["spec"]
    for step in way:
        place = place[step]
    place[field] = 1
    (found,) = kubeconform([item], "1.34")
    assert field in found


def test_an_unknown_kind_is_found():
    stranger = {"apiVersion": "example.org/v1", "kind": "Stranger", "metadata": {"name": "x"}}
    assert len(kubeconform([stranger], "1.34")) == 1
