"""A release names what was delivered, and nothing else; the owner is set in one place."""

import re
import shutil
import subprocess

import pytest
import yaml
from bumping import ROOT, environment, git

DIGESTS = {name: "sha256:" + str(number) * 64 for number, name in enumerate(("pingpong", "reader", "writer", "witness"), 1)}


@pytest.fixture
def project(tmp_path):
    """The project's own files, with what the delivery would have written into overlays/gitops."""
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("manifests", "Makefile", "CHANGELOG.md", "scripts", "README.md", "SECURITY.md", "tests", "charts", ".github"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    for name in ("Dockerfile.pingpong", "Dockerfile.log-output", "Dockerfile.witness"):
        shutil.copy(ROOT / name, folder / name)
    text = (folder / "Makefile").read_text("utf-8")
    (folder / "Makefile").write_text(re.sub(r"VERSION \?= .*", "VERSION ?= 1.1.0", text), "utf-8")
    changes = (folder / "CHANGELOG.md").read_text("utf-8")
    (folder / "CHANGELOG.md").write_text(
        changes.replace("## [1.0.0]", "## [1.1.0] - 2026-12-01\n\n### Added\n\n- A thing.\n\n## [1.0.0]"), "utf-8"
    )
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(folder))
    deliver(folder, DIGESTS)
    return folder


def deliver(folder, digests):
    path = folder / "manifests/overlays/gitops/kustomization.yaml"
    head, _, _ = path.read_text("utf-8").partition("images:\n")
    images = [
        {
            "name": f"log-pong/{name}",
            "newName": f"ghcr.io/owner/log-pong-{name}",
            "newTag": "a" * 40,
            **({"digest": digest} if digest else {}),
        }
        for name, digest in digests.items()
    ]
    path.write_text(f"{head}images:\n{yaml.safe_dump(images)}", "utf-8")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Deliver")


def run(folder, *command):
    done = subprocess.run(command, cwd=folder, env=environment(), text=True, capture_output=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def release(folder, *arguments):
    return run(folder, "scripts/release", *arguments)


def released(folder):
    text = (folder / "manifests/overlays/release/kustomization.yaml").read_text("utf-8")
    return {image["name"]: image for image in yaml.safe_load(text)["images"]}


def test_it_pins_what_was_delivered_and_tags_it(project):
    status, said = release(project, "prepare", "1.1.0")
    assert status == 0, said
    for name, digest in DIGESTS.items():
        assert released(project)[f"log-pong/{name}"]["digest"] == digest
    assert git(project, "describe", "--exact-match").strip() == "v1.1.0"
    assert git(project, "show", "--name-only", "--format=", "HEAD").split() == [
        "charts/log-pong/Chart.yaml",
        "charts/log-pong/values.yaml",
        "manifests/overlays/release/kustomization.yaml",
    ]
    about = yaml.safe_load((project / "charts/log-pong/Chart.yaml").read_text("utf-8"))
    assert (about["version"], about["appVersion"]) == ("1.1.0", "1.1.0")
    values = yaml.safe_load((project / "charts/log-pong/values.yaml").read_text("utf-8"))
    assert {name: values["images"][name]["digest"] for name in DIGESTS} == DIGESTS
    assert release(project, "check", "v1.1.0")[0] == 0


def test_the_notes_are_those_of_the_version_alone(project):
    assert release(project, "notes", "1.1.0") == (0, "### Added\n\n- A thing.\n")


@pytest.mark.parametrize(
    "version, reason", [("1.2.0", "the Makefile says VERSION 1.1.0, not 1.2.0"), ("v1.1.0", "no version"), ("1.1", "no version")]
)
def test_a_wrong_version_is_refused(project, version, reason):
    status, said = release(project, "prepare", version)
    assert status == 1 and reason in said
    assert git(project, "tag") == ""


def test_what_was_never_delivered_is_not_released(project):
    deliver(project, dict.fromkeys(DIGESTS))
    status, said = release(project, "prepare", "1.1.0")
    assert status == 1 and "nothing was delivered yet" in said
    assert git(project, "tag") == ""


def test_a_version_without_notes_is_not_released(project):
    text = (project / "CHANGELOG.md").read_text("utf-8").replace("- A thing.", "").replace("### Added\n\n\n", "")
    (project / "CHANGELOG.md").write_text(text, "utf-8")
    git(project, "commit", "--quiet", "--all", "--message", "Forget the notes")
    status, said = release(project, "prepare", "1.1.0")
    assert status == 1 and "CHANGELOG.md has no section" in said


def test_a_tag_without_pinned_images_is_refused(project):
    status, said = release(project, "check", "v1.1.0")
    assert status == 1 and "pinned to no digest" in said


def test_uncommitted_changes_stop_it(project):
    (project / "README.md").write_text("other", "utf-8")
    status, said = release(project, "prepare", "1.1.0")
    assert status == 1 and "not committed" in said


def test_the_owner_is_set_everywhere_by_one_command(project):
    status, said = run(project, "make", "owner", "OWNER=Ada-Lovelace")
    assert status == 0, said
    left = subprocess.run(
        [
            "grep",
            "-rnE",
            r"(github\.com|ghcr\.io)/owner\b",
            "manifests",
            "charts",
            "README.md",
            "Dockerfile.pingpong",
            "Dockerfile.log-output",
            "Dockerfile.witness",
            "SECURITY.md",
            ".github/ISSUE_TEMPLATE",
        ],
        cwd=project,
        text=True,
        capture_output=True,
        check=False,
    )
    assert left.stdout == ""
    for overlay in ("gitops", "release"):
        text = (project / f"manifests/overlays/{overlay}/kustomization.yaml").read_text("utf-8")
        assert text.count("ghcr.io/ada-lovelace/log-pong-") == 4
    assert (project / "charts/log-pong/values.yaml").read_text("utf-8").count("ghcr.io/ada-lovelace/log-pong-") == 4
    # The fixture's VERSION is another; of the owner it finds nothing to write.
    assert run(project, "scripts/chart") == (0, "wrote charts/log-pong/Chart.yaml\n")
    assert "https://github.com/Ada-Lovelace/log-pong.git" in (project / "manifests/argocd/project.yaml").read_text("utf-8")
    # Again, to another name.
    assert run(project, "make", "owner", "OWNER=bob")[0] == 0
    changed = git(project, "diff", "--name-only").split()
    assert not any("lovelace" in (project / name).read_text("utf-8").lower() for name in changed)


@pytest.mark.parametrize("owner", ["", "a/b", "-a", "a b", "$(id)"])
def test_what_is_no_owner_is_refused(project, owner):
    status, said = run(project, "scripts/set-owner", owner)
    assert status == 2 and "expected the name of a GitHub account" in said
    assert git(project, "status", "--porcelain") == ""
