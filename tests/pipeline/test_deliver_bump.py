"""The step of the delivery that calls the bump, run as the workflow runs it.

The configuration repository is a file here, so that `gh`, which only hands out
credentials there, has nothing to do.
"""

import json
import shutil
import subprocess

import pytest
from bumping import OVERLAY, ROOT, SERVICES, SourceRepository, digest, environment, git


@pytest.fixture
def checkout(tmp_path):
    repository = SourceRepository(tmp_path / "checkout", 6)
    git(repository.path, "checkout", "--quiet", "main")
    (repository.path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "bump-image", repository.path / "scripts")
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "gh").write_text("#!/bin/sh\n", encoding="utf-8")
    (tools / "gh").chmod(0o755)
    return repository


def deliver(checkout, config, service, commit, **more):
    digests = {image.split("/")[1]: digest(commit, image) for images in SERVICES.values() for image in images}
    env = environment(
        SERVICE=service,
        DIGESTS=json.dumps(digests),
        GITHUB_SHA=commit,
        GITHUB_REPOSITORY="Log-Pong/Log-Pong",
        CONFIG_REPOSITORY=config.path.name,
        GITHUB_SERVER_URL=f"file://{config.path.parent}",
        **more,
    )
    env["PATH"] = f"{checkout.path.parent / 'bin'}:{env['PATH']}"
    return subprocess.run(
        [ROOT / ".github" / "scripts" / "bump"], cwd=checkout.path, env=env, text=True, capture_output=True, timeout=60, check=False
    )


@pytest.mark.parametrize("service", SERVICES)
def test_it_deploys_the_digests_under_the_lower_case_name(checkout, config, service):
    commit = checkout.line[0]
    done = deliver(checkout, config, service, commit)
    assert done.returncode == 0, done.stderr
    for image in SERVICES[service]:
        assert config.images()[image] == {
            "name": image,
            "newName": f"ghcr.io/log-pong/log-pong-{image.split('/')[1]}",
            "newTag": commit,
            "digest": digest(commit, image),
        }
    author = git(config.path, "log", "-1", "--format=%an", "main").strip()
    assert author == "github-actions[bot]"


def test_a_service_whose_sources_are_the_same_stays(checkout, config):
    deliver(checkout, config, "pingpong", checkout.line[1])
    head = config.head()
    done = deliver(checkout, config, "pingpong", checkout.line[2])
    assert done.returncode == 0 and "nothing to do" in done.stdout
    assert config.head() == head
    done = deliver(checkout, config, "pingpong", checkout.line[2], ALWAYS="true")
    assert done.returncode == 0 and config.head() != head


def test_a_run_that_was_overtaken_ends_well_and_changes_nothing(checkout, config):
    deliver(checkout, config, "pingpong", checkout.line[5])
    head = config.head()
    done = deliver(checkout, config, "pingpong", checkout.line[1])
    assert done.returncode == 0 and "::notice::" in done.stdout, done.stderr
    assert config.head() == head


def test_any_other_stop_fails_the_run(checkout, config):
    done = deliver(checkout, config, "pingpong", checkout.line[0])
    assert done.returncode == 0
    config.change(lambda tree: (tree / OVERLAY / "kustomization.yaml").unlink(), "Remove")
    assert deliver(checkout, config, "pingpong", checkout.line[1]).returncode == 5
