"""compose.yaml, brought up by Docker: a project of its own, on free ports, with the images of this tree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Iterator

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests")]

from harness import http
from harness.process import eventually, free_port

ONCE, CHECKED = {"password", "initialise"}, {"postgres-svc", "writer"}
SERVICES = ONCE | CHECKED | {"pingpong-svc", "reader"}


def docker(*arguments: str, env: dict[str, str] | None = None, timeout: float = 600) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", *arguments], cwd=ROOT, env={**os.environ, **(env or {})}, text=True, capture_output=True, timeout=timeout, check=False
    )


class Project:
    def __init__(self) -> None:
        self.reader, self.pingpong = free_port(), free_port()
        self.env = {
            "COMPOSE_PROJECT_NAME": f"log-pong-test-{os.getpid()}",
            "READER_PORT": str(self.reader),
            "PINGPONG_PORT": str(self.pingpong),
        }

    def compose(self, *arguments: str) -> str:
        done = docker("compose", *arguments, env=self.env)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def up(self) -> None:
        self.compose("up", "--detach", "--no-build")

    def services(self) -> dict[str, dict]:
        lines = self.compose("ps", "--all", "--format", "json").splitlines()
        return {one["Service"]: one for one in map(json.loads, lines)}

    def volumes(self) -> set[str]:
        """Of all its containers."""
        containers = json.loads(docker("inspect", *self.compose("ps", "--all", "--quiet").split()).stdout)
        return {mount["Name"] for one in containers for mount in one["Mounts"] if mount["Type"] == "volume"}

    def page(self) -> list[str]:
        """The page's lines, once it has a number."""
        answer = eventually(lambda: (got := http.request(self.reader, "GET", "/log-output")).status == 200 and got, 60, "the page")
        return answer.body.decode().splitlines()

    def count(self) -> int:
        return json.loads(http.request(self.pingpong, "GET", "/count").body)["pong"]


@pytest.fixture
def project() -> Iterator[Project]:
    try:
        found = docker("compose", "version").returncode == 0 and docker("info").returncode == 0
    except FileNotFoundError:
        found = False
    if not found:
        pytest.skip("needs Docker with Compose, and its daemon")
    made = Project()
    names = ("pingpong", "reader", "writer")
    if any(docker("image", "inspect", f"log-pong/{name}:local").returncode for name in names):
        made.compose("build")
    try:
        made.up()
        yield made
    finally:
        docker("compose", "down", "--volumes", "--timeout", "30", env=made.env)


def test_it_comes_up_counts_and_keeps_the_count(project: Project) -> None:
    services = project.services()
    assert set(services) == SERVICES
    assert {name: (services[name]["State"], services[name]["ExitCode"]) for name in ONCE} == dict.fromkeys(ONCE, ("exited", 0))
    assert {services[name]["Health"] for name in CHECKED} == {"healthy"}
    # Each has a name: others would be left behind.
    assert project.volumes() == {f"{project.env['COMPOSE_PROJECT_NAME']}_{name}" for name in ("data", "files", "secret")}
    lines = project.page()
    assert lines[1] == "env variable: MESSAGE=hello world" and lines[3] == f"Ping / Pongs: {project.count()}"
    before = project.count()
    project.compose("stop", "pingpong-svc", "reader")
    assert {project.services()[name]["ExitCode"] for name in ("pingpong-svc", "reader")} == {0}, "drained"
    project.compose("down")
    project.up()
    assert project.page()[3] == f"Ping / Pongs: {before + 1}"
