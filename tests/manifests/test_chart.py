"""The Helm chart: what it renders is what the manifests render, in every combination that it supports."""

import copy
import difflib
import itertools
import json
import re
import shutil
import subprocess
import tarfile

import pytest
import yaml

import charts
import policies_delivery
import policies_network
import policies_pods
from charts import CHART, EXTERNAL, chart, helm, hooks, manifests, merged, plain
from rendering import ROOT, find, name_of, of_kind, overlay, parse, template, workloads
from test_copies import strays
from test_schemas import RELEASES, kubeconform, with_rollouts_as_deployments

SWITCHES = ("canary", "monitoring", "traffic")
DATABASES = {
    "statefulset": ((), {}, lambda objects: objects),
    "statefulset with a Secret": ((), {"existingSecret": "theirs"}, lambda objects: charts.with_secret(objects, "theirs")),
    "cloudnativepg": (("ha-database",), {"kind": "cloudnativepg"}, lambda objects: objects),
    "external": ((), EXTERNAL, charts.with_external_database),
}
COMBINATIONS = [(chosen, database) for n in range(4) for chosen in itertools.combinations(SWITCHES, n) for database in DATABASES]


def values_of(chosen, database="statefulset") -> dict:
    return {name: {"enabled": True} for name in chosen} | {"database": DATABASES[database][1]}


def named(combination) -> str:
    return "+".join((*combination[0], combination[1]))


def differences(wanted, found) -> str:
    """As a person would like to read them; empty where there are none."""
    wanted, found, said = plain(wanted), plain(found), []
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            texts = [yaml.safe_dump(side.get(name, "absent")).splitlines() for side in (wanted, found)]
            said += [name, *difflib.unified_diff(*texts, "manifests", "chart", lineterm="")]
    return "\n".join(said)


def test_what_is_made_from_the_manifests_is_up_to_date():
    done = subprocess.run([ROOT / "scripts/chart", "--check"], text=True, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("combination", COMBINATIONS, ids=named)
def test_it_renders_what_the_manifests_render(combination):
    chosen, database = combination
    components, _, changed = DATABASES[database]
    assert differences(changed(manifests((*chosen, *components))), chart(values_of(chosen, database))) == ""


@pytest.mark.parametrize("chosen", [(), SWITCHES], ids=["base", "all"])
def test_another_release_is_another_copy(chosen):
    wanted = manifests(chosen, "second", "elsewhere")
    assert differences(wanted, chart(values_of(chosen), "second", "elsewhere")) == ""


def test_a_difference_would_be_found():
    found = chart()
    find(found, "Deployment", "pingpong")["spec"]["template"]["spec"]["enableServiceLinks"] = True
    assert "+      enableServiceLinks: true" in differences(manifests(), found)
    assert "absent" in differences(manifests(), found[1:])


def images(objects) -> dict:
    return {container["name"]: container["image"] for item in workloads(objects) for container in template(item)["spec"]["containers"]}


def test_its_images_are_those_of_the_release():
    assert images(parse(charts.text_of({}, "log-pong", "log-pong"))) == images(parse(overlay("release")))


def in_a_namespace(objects):
    """As the policies know them: in a namespace of their own, where a release's name selects nobody else."""
    objects = copy.deepcopy(objects)
    for selector in charts.selectors(objects):
        selector.pop("app.kubernetes.io/instance", None)
    return [find(parse(overlay("local")), "Namespace", "log-pong"), *objects]


POLICIES = policies_pods.POLICIES + policies_network.POLICIES + policies_delivery.POLICIES
# About a database in the namespace, and the Secret of its name.
DATABASE_POLICIES = [policies_network.services, policies_network.storage, policies_network.network, policies_pods.configuration]


@pytest.mark.parametrize("combination", [c for c in COMBINATIONS if "Secret" not in c[1]], ids=named)
def test_it_keeps_the_policies(combination):
    objects = in_a_namespace(chart(values_of(*combination)))
    left = DATABASE_POLICIES if combination[1] == "external" else []
    found = [f"{policy.__name__}: {text}" for policy in POLICIES if policy not in left for text in policy(objects)]
    assert found == []


@pytest.mark.parametrize("release", RELEASES)
def test_it_is_valid(release):
    objects = [item for combination in COMBINATIONS for item in chart(values_of(*combination))]
    objects += hooks() + chart(OTHER_VALUES)
    assert {"Rollout", "AnalysisTemplate", "Cluster", "PodMonitor", "PrometheusRule", "Pod"} <= {o["kind"] for o in objects}
    unique = {json.dumps(item, sort_keys=True): item for item in objects}
    assert kubeconform(with_rollouts_as_deployments(list(unique.values())), release) == []


# Every value that is none of the switches above, other than it is by default.
OTHER_VALUES = {
    "images": {"pingpong": {"repository": "registry.example.org/ping", "tag": "1", "digest": "sha256:" + "a" * 64}},
    "imagePullSecrets": [{"name": "registry"}],
    "pingpong": {
        "replicas": 3,
        "resources": {"limits": {"memory": "256Mi"}},
        "settings": {"DRAIN_MS": 60000, "HTTP_IDLE_TIMEOUT_MS": 3600000, "ACCESS_LOG": True, "LOG_LEVEL": "debug"},
    },
    "logOutput": {
        "replicas": 4,
        "message": "hei: #maailma",
        "information": "other\ntext\n",
        "reader": {"resources": {"limits": {"memory": "257Mi"}}, "settings": {"ACCESS_LOG": True}},
        "writer": {"resources": {"limits": {"memory": "33Mi"}}},
    },
    "ingress": {
        "className": "nginx",
        "hosts": ["a.example.org", "*.b.example.org"],
        "annotations": {"x/y": "true"},
        "tls": [{"secretName": "tls", "hosts": ["a.example.org"]}],
    },
    "database": {
        "name": "counts",
        "user": "counter",
        "statefulset": {"storage": {"size": "5Gi", "className": "fast"}, "resources": {"requests": {"memory": "129Mi"}}},
    },
    "canary": {"enabled": True, "prometheus": "http://prometheus.other:9090", "minReplicas": 10, "maxReplicas": 15},
    "monitoring": {"enabled": True, "labels": {"release": "prometheus"}},
    "traffic": {"enabled": True, "pingsPerSecond": 20, "pagesPerSecond": 1, "resources": {"limits": {"memory": "65Mi"}}},
}


AMOUNTS = iter(range(1001, 1100))


def amounts() -> dict:
    return {
        "resources": {
            side: {what: f"{next(AMOUNTS)}{unit}" for what, unit in (("cpu", "m"), ("memory", "Mi"))} for side in ("requests", "limits")
        }
    }


# The rest, each value another.
ALTERED = merged(
    OTHER_VALUES,
    {
        "images": {
            name: {"repository": f"registry.example.org/{name}", "tag": f"tag-{name}", "digest": "sha256:" + digit * 64}
            for name, digit in zip((*charts.OURS, "postgres", "cloudnativepg", "curl"), "1234567", strict=True)
        },
        "pingpong": {**amounts(), "settings": {"DRAIN_MS": 60001}},
        "logOutput": {"information": "another", "reader": {**amounts(), "settings": {"DRAIN_MS": 60002}}, "writer": amounts()},
        "database": {
            "statefulset": amounts(),
            "cloudnativepg": {"instances": 5, "storage": {"size": "7Gi", "className": "ha"}, **amounts()},
        },
        "traffic": amounts(),
        "test": {"seconds": 61},
    },
)


def config(objects, name: str) -> dict:
    (found,) = [item["data"] for item in of_kind(objects, "ConfigMap") if charts.GENERATED.sub("", item["metadata"]["name"]) == name]
    return found


def test_each_value_gets_where_it_belongs():
    objects = chart(OTHER_VALUES)
    rollout, reader = find(objects, "Rollout", "pingpong-rollout"), find(objects, "Deployment", "log-output")
    pod = template(rollout)["spec"]
    assert pod["containers"][0]["image"] == "registry.example.org/ping:1@sha256:" + "a" * 64
    assert pod["terminationGracePeriodSeconds"] == 85
    waiting = template(find(chart({"pingpong": {"settings": {"PING_TIMEOUT_MS": 30000}}}), "Deployment", "pingpong"))["spec"]
    assert waiting["containers"][0]["readinessProbe"]["failureThreshold"] == 17
    assert pod["containers"][0]["resources"]["limits"] == {"cpu": "1", "memory": "256Mi"}
    assert all(template(item)["spec"]["imagePullSecrets"] == [{"name": "registry"}] for item in workloads(objects))
    assert config(objects, "pingpong-config") == {
        "ACCESS_LOG": "true",
        "DB_HOST": "postgres-svc",
        "DB_PORT": "5432",
        "DB_SSLMODE": "prefer",
        "DRAIN_MS": "60000",
        "HTTP_IDLE_TIMEOUT_MS": "3600000",
        "LOG_LEVEL": "debug",
    }
    assert config(objects, "database-config") == {"DB_NAME": "counts", "DB_USER": "counter"}
    assert config(objects, "reader-config") == {"ACCESS_LOG": "true", "DRAIN_MS": "10000"}
    assert config(objects, "log-output-config") == {"MESSAGE": "hei: #maailma", "information.txt": "other\ntext\n"}
    assert find(objects, "ConfigMap", "postgres-secret-scripts")["data"]["USERNAME"] == "counter"
    assert reader["spec"]["replicas"] == 4 and "replicas" not in rollout["spec"]
    assert [c["resources"]["limits"]["memory"] for c in template(reader)["spec"]["containers"]] == ["257Mi", "33Mi"]
    ingress = find(objects, "Ingress", "log-pong")
    assert ingress["metadata"]["annotations"] == {"x/y": "true"} and ingress["spec"]["ingressClassName"] == "nginx"
    assert [rule["host"] for rule in ingress["spec"]["rules"]] == ["a.example.org", "*.b.example.org"]
    assert all(len(rule["http"]["paths"]) == 3 for rule in ingress["spec"]["rules"])
    assert ingress["spec"]["tls"] == OTHER_VALUES["ingress"]["tls"]
    (claim,) = find(objects, "StatefulSet", "postgres")["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["storageClassName"] == "fast" and claim["spec"]["resources"]["requests"] == {"storage": "5Gi"}
    assert find(objects, "AnalysisTemplate", "cpu-usage-analysis")["spec"]["args"][3]["value"] == "http://prometheus.other:9090"
    scaler = find(objects, "HorizontalPodAutoscaler", "pingpong")["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (10, 15)
    for item in of_kind(objects, "PodMonitor", "PrometheusRule"):
        assert item["metadata"]["labels"]["release"] == "prometheus"
    rates = [
        e["value"]
        for name in ("witness-ping", "witness-page")
        for e in template(find(objects, "Deployment", name))["spec"]["containers"][0]["env"]
        if e["name"] == "RATE"
    ]
    assert rates == ["20", "1"]
    assert chart({"pingpong": {"replicas": 3}}) != chart()
    assert of_kind(chart({"networkPolicies": False, "traffic": {"enabled": True}}), "NetworkPolicy") == []
    assert of_kind(chart({"ingress": {"enabled": False}}), "Ingress") == []


def leaves(value, way=()):
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*way, key))
    else:
        yield ".".join(way), value


def test_every_value_of_the_list_does_something():
    """Each is changed below, and what it is changed to can be seen; an on and off is seen by the others."""
    default = dict(leaves(yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))))
    text, changed = "", set()
    for database in DATABASES.values():
        values = merged(ALTERED, {"database": database[1]})
        text += charts.text_of(values, "log-pong", "log-pong")
        changed |= {name for name, value in leaves(values) if default.get(name) != value}
    assert [
        name
        for name in default
        if not name.endswith((".enabled", "networkPolicies"))
        and not any(other == name or other.startswith(f"{name}.") for other in changed)
    ] == []
    said = {name: str(value) for name, value in leaves(ALTERED) if isinstance(value, str | int) and value is not True}
    assert len(set(said.values())) == len(said)
    assert [name for name, value in said.items() if value not in text] == []


REFUSED = [
    ({"pingpong": {"replica": 3}}, "at '/pingpong': additional properties 'replica' not allowed"),
    ({"replicas": 3}, "at '': additional properties 'replicas' not allowed"),
    ({"images": {"ping": {}}}, "at '/images': additional properties 'ping' not allowed"),
    ({"pingpong": {"replicas": "two"}}, "at '/pingpong/replicas': got string, want integer"),
    ({"pingpong": {"resources": {"limit": {}}}}, "additional properties 'limit' not allowed"),
    ({"pingpong": {"settings": {"drain": 1}}}, "at '/pingpong/settings': additional properties 'drain' not allowed"),
    ({"pingpong": {"settings": {"DB_PASSWORD": "x"}}}, "pingpong.settings.DB_PASSWORD is not taken from there: it would be readable"),
    ({"pingpong": {"settings": {"DB_HOST": "x"}}}, "pingpong.settings.DB_HOST is not taken from there: database.external.host"),
    ({"logOutput": {"reader": {"settings": {"PINGPONG_URL": "x"}}}}, "logOutput.reader.settings.PINGPONG_URL is not taken from there"),
    ({"database": {"kind": "mysql"}}, "at '/database/kind': value must be one of 'statefulset', 'cloudnativepg', 'external'"),
    ({"database": {"kind": "external"}}, "database.external.host has to say where it is"),
    ({"database": EXTERNAL | {"existingSecret": ""}}, "database.existingSecret has to name a Secret"),
    ({"database": {"external": {"host": "db"}}}, "database.external.host is set, but database.kind is statefulset"),
    ({"database": {"user": "postgres"}}, "database.user is postgres: the application does not connect as the superuser"),
    ({"database": {"cloudnativepg": {"instances": 2}}}, "at '/database/cloudnativepg/instances': minimum: got 2, want 3"),
    ({"canary": {"minReplicas": 6}}, "at '/canary/minReplicas': multipleOf: got 6, want 5"),
    ({"canary": {"minReplicas": 20}}, "canary.minReplicas, 20, is more than canary.maxReplicas, 10"),
    ({"ingress": {"hosts": ["https://a.example.org/"]}}, "at '/ingress/hosts/0'"),
]


@pytest.mark.parametrize("values, said", REFUSED, ids=lambda part: part if isinstance(part, str) else "")
def test_a_wrong_value_is_refused_with_a_word(values, said):
    done = helm("template", "log-pong", str(CHART), values=values)
    assert done.returncode != 0 and said in done.stderr
    assert done.stdout == ""


def test_a_release_with_too_long_a_name_is_refused():
    assert charts.text_of({}, "a" * 30, "log-pong")
    done = helm("template", "a" * 31, str(CHART))
    assert done.returncode != 0 and "has 31 characters: names that are made of it have room for 30" in done.stderr
    longest = {
        name_of(item): len(item["metadata"]["name"])
        for item in chart(values_of(SWITCHES), "a" * 30)
        if item["kind"] in ("Service", "Job", "StatefulSet")
    }
    # A StatefulSet's and a Rollout's are part of labels, with a dash and ten characters more.
    assert max(longest.values()) <= 63 and max(n for name, n in longest.items() if name.startswith("Stateful")) <= 52


@pytest.mark.parametrize("database", ["statefulset", "cloudnativepg"])
def test_two_releases_in_one_namespace_share_nothing(database):
    first, other = (chart(values_of(SWITCHES, database), release) for release in ("log-pong", "second"))
    assert not {name_of(item) for item in first} & {name_of(item) for item in other}
    for one, two in ((first, other), (other, first)):
        assert list(strays(one, two)) == []
        # Nor do the policies that are closed or open for all of a release: they are of that release.
        for item in of_kind(one, "NetworkPolicy"):
            selector = item["spec"]["podSelector"]
            own = item["metadata"]["labels"]["app.kubernetes.io/instance"]
            of_a_cluster = [term["values"] for term in selector.get("matchExpressions", []) if term["key"] == "cnpg.io/cluster"]
            assert selector.get("matchLabels", {}).get("app.kubernetes.io/instance") == own or of_a_cluster in (
                [["postgres"]],
                [["second-postgres"]],
            )
    secrets = [
        {
            volume["secret"]["secretName"]
            for item in workloads(objects)
            for volume in template(item)["spec"].get("volumes", [])
            if "secret" in volume
        }
        for objects in (first, other)
    ]
    assert secrets == [{"postgres-app"}, {"second-postgres-app"}]


def test_the_next_version_of_the_chart_starts_no_pod_anew(tmp_path):
    """Nor does it change what cannot be changed: selectors, and the forms of claims."""
    folder = tmp_path / "log-pong"
    shutil.copytree(CHART, folder)
    about = folder / "Chart.yaml"
    about.write_text(re.sub(r"(?m)^(version|appVersion): .*$", r'\1: "9.9.9"', about.read_text("utf-8")), "utf-8")
    values = merged(charts.TAGS, values_of(SWITCHES))
    texts = [helm("template", "log-pong", str(where), values=values).stdout for where in (CHART, folder)]
    old, new = ({name_of(item): item for item in parse(text)} for text in texts)
    assert set(old) == set(new) and "chart: log-pong-9.9.9" in texts[1]
    for name, item in new.items():
        if item["kind"] != "Pod":
            assert item.get("spec") == old[name].get("spec"), name
    assert [d for d in new.values() if d["metadata"]["labels"]["app.kubernetes.io/version"] != "9.9.9"] == []


READERS = [
    ({"pingpong": {"settings": {"ACCESS_LOG": True}}}, {"Deployment pingpong"}),
    ({"logOutput": {"reader": {"settings": {"ACCESS_LOG": True}}}}, {"Deployment log-output"}),
    ({"logOutput": {"message": "other"}}, {"Deployment log-output"}),
    ({"database": {"user": "other"}}, {"Deployment pingpong", "StatefulSet postgres"}),
    ({"imagePullSecrets": [{"name": "x"}]}, {"Deployment pingpong", "Deployment log-output", "StatefulSet postgres", "Job"}),
]


@pytest.mark.parametrize("values, readers", READERS, ids=lambda part: next(iter(part)) if isinstance(part, dict) else "")
def test_an_edit_starts_only_the_pods_that_read_it(values, readers):
    old, new = ({name_of(item): template(item) for item in workloads(chart(v))} for v in ({}, values))
    changed = {name for name in new if new[name] != old.get(name)}
    assert {re.sub("^Job .*", "Job", name) for name in changed} == readers
    # A Job that is another has another name.
    assert ("Job" in readers) == (not {n for n in old if n.startswith("Job")} & set(new))


def test_helm_test_is_a_locked_down_witness_that_reaches_what_it_asks():
    pod, policy = (find(hooks(), kind, "log-pong-test") for kind in ("Pod", "NetworkPolicy"))
    shadow = {"kind": "Job", "metadata": pod["metadata"], "spec": {"template": {"metadata": pod["metadata"], "spec": pod["spec"]}}}
    namespace = find(parse(overlay("local")), "Namespace", "log-pong")
    for check in (policies_pods.restricted, policies_pods.resources, policies_pods.images, policies_pods.tokens):
        assert list(check([namespace, shadow])) == []
    settings = (ROOT / "docs/settings.md").read_text("utf-8").partition("## witness: settings")[2]
    targets = []
    for container in pod["spec"]["containers"]:
        values = {entry["name"]: entry["value"] for entry in container["env"]}
        assert all(f"| `{name}` |" in settings for name in values)
        assert int(values["DURATION_S"]) < pod["spec"]["activeDeadlineSeconds"]
        targets.append(values["TARGET_URL"])
    assert sorted(targets) == ["http://log-output-svc:3002/log-output", "http://pingpong-svc:3001/ping"]
    assert not policies_network.matches(
        find(chart(values_of(SWITCHES)), "PodMonitor", "witness")["spec"]["selector"], pod["metadata"]["labels"]
    )
    labels, objects = pod["metadata"]["labels"], [*chart(), policy]
    for name, port, may in (("pingpong", 3001, True), ("log-output", 3002, True), ("postgres", 5432, False)):
        peer = {"labels": template(find(chart(), "StatefulSet" if name == "postgres" else "Deployment", name))["metadata"]["labels"]}
        assert policies_network.allows(objects, "Egress", labels, peer, port) is may
    assert policies_network.allows(objects, "Egress", labels, {"namespace": "kube-system"}, 53)
    assert not policies_network.allows(objects, "Egress", labels, {}, 443)


def test_an_external_database_is_reached_and_nothing_else():
    objects = chart({"database": EXTERNAL})
    labels = template(find(objects, "Deployment", "pingpong"))["metadata"]["labels"]
    (way,) = find(objects, "NetworkPolicy", "pingpong-to-database")["spec"]["egress"]
    assert way == {"ports": [{"protocol": "TCP", "port": 6432}], "to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}
    anywhere = chart({"database": merged(EXTERNAL, {"external": {"cidrs": []}})})
    assert policies_network.allows(anywhere, "Egress", labels, {}, 6432)
    assert not policies_network.allows(anywhere, "Egress", labels, {}, 443)


def test_lint_finds_nothing():
    for values in ({}, OTHER_VALUES, values_of(SWITCHES, "external")):
        done = helm("lint", "--strict", str(CHART), values=values)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "[ERROR]" not in done.stdout and "[WARNING]" not in done.stdout


def test_a_package_has_what_the_folder_has(tmp_path):
    done = helm("package", str(CHART), "--destination", str(tmp_path))
    assert done.returncode == 0, done.stderr
    (package,) = tmp_path.iterdir()
    version = re.search(r"(?m)^VERSION \?= *(\S+)", (ROOT / "Makefile").read_text("utf-8"))[1]
    assert package.name == f"log-pong-{version}.tgz"
    with tarfile.open(package) as archive:
        packed = set(archive.getnames())
    assert packed == {f"log-pong/{path.relative_to(CHART)}" for path in CHART.rglob("*") if path.is_file()}
    same = helm("template", "log-pong", str(package), "--namespace", "log-pong", values=charts.TAGS).stdout
    assert parse(same) == parse(charts.text_of(charts.TAGS, "log-pong", "log-pong"))
