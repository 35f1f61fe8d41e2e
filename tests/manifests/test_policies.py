"""Every overlay and every choice of components renders and keeps the policies,
and each policy notices when it is broken."""

import copy

import pytest

import breakages
import policies_delivery
import policies_network
import policies_pods
from rendering import LOCAL, MANIFESTS, OVERLAYS, argocd, combination, combinations, find, of_kind, overlay, parse

POLICIES = policies_pods.POLICIES + policies_network.POLICIES + policies_delivery.POLICIES


def findings(objects, local=False):
    found = []
    for policy in POLICIES:
        extra = {"local": local} if policy is policies_pods.images else {}
        found += [f"{policy.__name__}: {text}" for text in policy(objects, **extra)]
    return found


@pytest.mark.parametrize("name", OVERLAYS)
def test_overlay_keeps_the_policies(name):
    assert findings(parse(overlay(name)), local=name in LOCAL) == []


@pytest.mark.parametrize("components", combinations(), ids=lambda c: "+".join(c) or "base")
def test_every_choice_of_components_keeps_the_policies(components):
    assert findings(parse(combination(components))) == []


@pytest.mark.parametrize("variant, name", [("argocd", "gitops"), ("argocd-production", "production")])
def test_argocd_syncs_its_overlay_and_leaves_replicas_and_data_alone(variant, name):
    argo = parse(argocd(variant))
    assert list(policies_delivery.argocd(parse(overlay(name)), argo)) == []
    path = find(argo, "Application", "log-pong")["spec"]["source"]["path"]
    assert path == f"manifests/overlays/{name}"
    assert (MANIFESTS.parent / path / "kustomization.yaml").is_file()


@pytest.mark.parametrize("components", combinations(), ids=lambda c: "+".join(c) or "base")
def test_the_project_may_sync_every_choice(components):
    found = policies_delivery.argocd(parse(combination(components)), parse(argocd()))
    assert [text for text in found if "may not sync" in text] == []


def test_local_needs_no_custom_resources():
    groups = {item["apiVersion"].partition("/")[0] for item in parse(overlay("local"))}
    assert groups <= {"v1", "apps", "batch", "policy", "networking.k8s.io", "rbac.authorization.k8s.io"}


def test_an_edit_of_a_configuration_reaches_the_pods_of_the_rollout():
    """The generated name is the same in the ConfigMap and in the Rollout, and changes with it."""
    names = set()
    for components in (("canary",), ("canary", "ha-database")):
        objects = parse(combination(components))
        (config,) = [c["metadata"]["name"] for c in of_kind(objects, "ConfigMap") if c["metadata"]["name"].startswith("pingpong-config-")]
        rollout = find(objects, "Rollout", "pingpong-rollout")
        container = rollout["spec"]["template"]["spec"]["containers"][0]
        assert container["envFrom"][0]["configMapRef"]["name"] == config
        names.add(config)
    assert len(names) == 2


def test_only_the_pod_template_is_shared_by_deployment_and_rollout():
    plain = find(parse(combination(())), "Deployment", "pingpong")
    canary = find(parse(combination(("canary",))), "Rollout", "pingpong-rollout")
    assert plain["spec"]["template"] == canary["spec"]["template"]


@pytest.mark.parametrize("breakage", breakages.ALL, ids=lambda b: b.__name__)
def test_a_breakage_is_noticed(breakage):
    policy, name = breakage.policy, breakage.overlay
    objects, argo = copy.deepcopy(parse(overlay(name))), copy.deepcopy(parse(argocd()))
    arguments = [argo] if policy is policies_delivery.argocd else []
    assert list(policy(objects, *arguments)) == [], "the policy fails before anything is broken"
    breakage(*([objects, argo] if arguments else [objects]))
    assert list(policy(objects, *arguments)) != [], f"{policy.__name__} did not notice"


def test_every_policy_has_a_breakage():
    tried = {breakage.policy for breakage in breakages.ALL}
    assert set(POLICIES) | {policies_delivery.argocd} == tried
