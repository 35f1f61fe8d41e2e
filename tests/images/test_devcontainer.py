"""The devcontainer, as far as it can be seen without an editor: its image is built, its commands are run, and so is `make run`."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Iterator

import pytest

from container import buildah
from harness.process import ROOT, free_port

DEV = ROOT / ".devcontainer"
WORKSPACE = "/workspaces/log-pong"


def configuration() -> dict:
    return json.loads((DEV / "devcontainer.json").read_text("utf-8"))


def run_in(container: str, tree: Path, command: str, timeout: float) -> str:
    done = subprocess.run(
        [
            "buildah",
            "run",
            "--isolation",
            "chroot",
            "--user",
            configuration()["remoteUser"],
            "--volume",
            f"{tree}:{WORKSPACE}",
            "--workingdir",
            WORKSPACE,
            container,
            "--",
            "bash",
            "-c",
            command,
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


@pytest.fixture
def container() -> Iterator[str]:
    base = subprocess.run([ROOT / "scripts/images/base-image"], capture_output=True, text=True, check=True).stdout.strip()
    image = subprocess.run(
        [
            "buildah",
            "bud",
            "--isolation",
            "chroot",
            "--quiet",
            "--build-arg",
            f"BASE_IMAGE={base}",
            "--file",
            DEV / configuration()["build"]["dockerfile"],
            DEV,
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    ).stdout.split()[-1]
    made = buildah("from", image)
    yield made
    buildah("rm", made)
    buildah("rmi", image)


@pytest.fixture
def tree(container: str, tmp_path: Path) -> Path:
    """A copy that belongs to the container's user, as an editor would mount it."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    copy = tmp_path / "tree"
    for name in filter(None, names):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)
    user, group = map(int, run_in(container, copy, "id -u; id -g", 60).split())
    subprocess.run(["chown", "-R", f"{user}:{group}", copy], check=True)
    return copy


def test_make_run_works_in_the_devcontainer(container: str, tree: Path) -> None:
    for name in ("updateContentCommand", "postCreateCommand"):
        run_in(container, tree, configuration()[name], 900)
    pingpong, reader = free_port(), free_port()
    said = run_in(
        container,
        tree,
        f"""
        PINGPONG_PORT={pingpong} READER_PORT={reader} make run >run.log 2>&1 & run=$!
        for _ in $(seq 1500); do grep -q Ctrl-C run.log && break; sleep 0.2; done
        curl --silent --fail http://localhost:{reader}/log-output || {{ cat run.log; exit 1; }}
        kill $(cat .run/lock)
        wait $run || true""",
        600,
    )
    assert "Ping / Pongs: 2" in said, said
