"""Apply, edit, apply: whatever is edited, the API server takes it at once, and only the pods that it
concerns start anew."""

import copy
import shutil
from pathlib import Path

import pytest
import yaml

import cluster as clusters
from rendering import MANIFESTS, build, name_of, of_kind, parse, template, workloads

pytestmark = pytest.mark.skipif(bool(clusters.missing()), reason="no API server here: make manifests-apiserver-test builds it")

# Who reads what; the Job reads its script once, and is left as it is.
READERS = {
    "log-output-config": {"Deployment log-output"},
    "reader-config": {"Deployment log-output"},
    "pingpong-config": {"Deployment pingpong"},
    "database-config": {"Deployment pingpong", "StatefulSet postgres"},
    "postgres-scripts": {"StatefulSet postgres"},
    "postgres-secret-scripts": set(),
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with clusters.Cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
def copy_of_manifests(tmp_path):
    folder = tmp_path / "manifests"
    shutil.copytree(MANIFESTS, folder)
    return folder


def generators():
    text = (MANIFESTS / "base/kustomization.yaml").read_text("utf-8")
    return yaml.safe_load(text)["configMapGenerator"]


def edits():
    """Every literal and every file of every generated ConfigMap."""
    for generator in generators():
        for literal in generator.get("literals", []):
            yield generator["name"], "literals", literal
        for file in generator.get("files", []):
            yield generator["name"], "files", file


def edit(manifests: Path, name: str, field: str, value: str):
    where = manifests / "base"
    if field == "files":
        path = where / value.rpartition("=")[2]
        path.write_text(path.read_text("utf-8") + "# edited\n", "utf-8")
        return
    path = where / "kustomization.yaml"
    # Two generators may have the same literal.
    before, start, block = path.read_text("utf-8").partition(f"  - name: {name}\n")
    assert block.count(f"- {value}\n") >= 1
    path.write_text(before + start + block.replace(f"- {value}\n", f"- {value}1\n", 1), "utf-8")


def test_every_generated_configmap_has_known_readers():
    assert {generator["name"] for generator in generators()} == set(READERS)
    assert len(list(edits())) >= 9


def templates(text: str) -> dict:
    return {name_of(item): template(item) for item in workloads(parse(text))}


def apply(cluster, text: str):
    done = cluster.kubectl("apply", "-f", "-", stdin=text)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("name, field, value", list(edits()), ids=lambda part: part.partition("=")[0])
def test_an_edit_is_taken_and_touches_only_its_readers(cluster, copy_of_manifests, name, field, value):
    overlay = copy_of_manifests / "overlays/local"
    before = build(overlay)
    apply(cluster, before)
    edit(copy_of_manifests, name, field, value)
    after = build(overlay)
    assert after != before
    apply(cluster, after)
    old, new = templates(before), templates(after)
    assert set(old) == set(new)
    assert {which for which in new if old[which] != new[which]} == READERS[name]
    # What the cluster has is what was asked for, and stays so.
    assert cluster.kubectl("diff", "-f", "-", stdin=after).stdout == ""
    assert cluster.kubectl("diff", "-f", "-", stdin=after).returncode == 0


def test_another_job_is_made_while_the_first_still_hangs(cluster, copy_of_manifests):
    base = copy_of_manifests / "base/kustomization.yaml"
    apply(cluster, build(copy_of_manifests / "overlays/local"))
    images = "images:\n- name: docker.io/curlimages/curl\n  newName: registry.example.org/curl\n"
    base.write_text(base.read_text("utf-8") + images, "utf-8")
    said = apply(cluster, build(copy_of_manifests / "overlays/local"))
    (created,) = [line for line in said.splitlines() if line.endswith(" created")]
    assert created.startswith("job.batch/postgres-secret-")


def test_the_name_of_the_job_is_the_same_wherever_it_is_rendered(copy_of_manifests):
    here, there = MANIFESTS / "overlays/local", copy_of_manifests / "overlays/local"
    names = [of_kind(parse(build(folder)), "Job")[0]["metadata"]["name"] for folder in (here, there)]
    assert names[0] == names[1]


def test_a_refused_edit_would_be_seen(cluster):
    """The server does refuse another template under the same name."""
    objects = parse(build(MANIFESTS / "overlays/local"))
    (job,) = of_kind(objects, "Job")
    apply(cluster, yaml.safe_dump_all(objects))
    edited = copy.deepcopy(job)
    edited["spec"]["template"]["spec"]["containers"][0]["image"] += "-other"
    done = cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(edited))
    assert done.returncode != 0 and "field is immutable" in done.stderr
