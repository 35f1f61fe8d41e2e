"""How many connections there is room for: open files, and the memory limit of the control group."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Callable, Iterator

import pytest

from harness.http import Connection, get, metrics
from harness.process import eventually
from programs import SANITIZED, Program, log_lines

MIB = 1024 * 1024
ALL = 4096  # HTTP_CONNECTIONS_MAX unless set
LEAST = 8


@pytest.fixture(params=["pingpong", "reader", "witness"])
def daemon(request: pytest.FixtureRequest) -> Program:
    return request.getfixturevalue(request.param)


def under(before: list[object], daemon: Program, **settings: object) -> Program:
    """Another of its kind, started by a command that limits it first."""
    other = Program([*before, *daemon.argv], {**daemon.env, **settings}, name=daemon.name)
    other.env["PORT"] = str(other.port)
    return other


def with_files(daemon: Program, soft: int, hard: int, **settings: object) -> Program:
    return under(["prlimit", f"--nofile={soft}:{hard}"], daemon, **settings)


def room(program: Program) -> int:
    return int(metrics(program.port)["http_connections_max"])


def line_of(program: Program, level: str) -> dict[str, object]:
    return next(line for line in log_lines(program.stderr()) if line["level"] == level)


def refusal(program: Program) -> dict[str, object]:
    """The line that says why it did not start."""
    program.launch()
    try:
        assert program.wait(20) == 1
        return line_of(program, "error")
    finally:
        program.discard()


def test_too_few_files_refuse_to_start(daemon: Program) -> None:
    line = refusal(with_files(daemon, 16, 16))
    least, wanted = line["open_files_least"], line["open_files_for_HTTP_CONNECTIONS_MAX"]
    assert "files" in line["message"] and "ulimit -n" in line["message"] and line["open_files"] == 16
    assert 16 < least < wanted and wanted - least == ALL - LEAST
    assert refusal(with_files(daemon, 16, least - 1))["open_files_least"] == least
    # What it named does: all that are let in are served, and so is a newcomer.
    with with_files(daemon, 16, least) as tight, contextlib.ExitStack() as stack:
        assert room(tight) == LEAST
        clients = [stack.enter_context(Connection(tight.port)) for _ in range(3 * LEAST)]
        for client in clients:
            client.send_request("GET", "/livez")
        assert get(tight.port, "/livez").status == 200
        eventually(lambda: get(tight.port, "/healthz").status == 200, 10, "the work done too")
    with with_files(daemon, 16, wanted) as ample:
        assert room(ample) == ALL
        assert not [line for line in log_lines(ample.stderr()) if line["level"] == "warning"]


def test_few_files_mean_fewer_connections(daemon: Program) -> None:
    with with_files(daemon, 512, 2048) as limited:
        line = line_of(limited, "warning")
        assert "HTTP_CONNECTIONS_MAX" in line["message"] and line["open_files"] == 2048
        assert room(limited) == line["connections"] == 2048 - (line["open_files_for_HTTP_CONNECTIONS_MAX"] - ALL)


STAND_IN = """
mount --bind "$1/membership" /proc/$$/cgroup && mount --bind "$1/groups" /sys/fs/cgroup || exit 77
shift
exec "$@"
"""


@pytest.fixture
def with_memory(tmp_path: Path) -> Callable[..., Program]:
    """Starts a program in a control group of version 2 that is a stand-in: it says a limit and keeps none."""
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    (tmp_path / "membership").write_text("0::/pod/container\n")
    (tmp_path / "groups" / "pod" / "container").mkdir(parents=True)
    (tmp_path / "groups" / "pod" / "container" / "memory.max").write_text("max\n")
    before = [*unshare, "sh", "-c", STAND_IN, "sh", tmp_path]
    tried = subprocess.run([*before, "true"], capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"may not mount here, even in a namespace: {tried.stderr.strip()}")

    def make(daemon: Program, limit: object, **settings: object) -> Program:
        (tmp_path / "groups" / "pod" / "memory.max").write_text(f"{limit}\n")
        return under(before, daemon, **settings)

    return make


def test_connections_fit_the_memory_limit(daemon: Program, with_memory: Callable[..., Program]) -> None:
    with with_memory(daemon, 32 * MIB) as limited:
        line = line_of(limited, "warning")
        assert "HTTP_CONNECTIONS_MAX" in line["message"] and line["memory_limit_bytes"] == 32 * MIB
        assert room(limited) == line["connections"]
        assert room(limited) * line["connection_bytes"] <= 32 * MIB * 3 // 4
    with with_memory(daemon, 32 * MIB, HTTP_CONNECTION_BYTES=65536) as roomier:
        assert LEAST < room(roomier) < line["connections"]
    # One that was set lower stays.
    with with_memory(daemon, 32 * MIB, HTTP_CONNECTIONS_MAX=50) as set_lower:
        assert room(set_lower) == 50


@pytest.mark.parametrize("limit", ["max", 128 * MIB], ids=str)
def test_enough_memory_changes_nothing(daemon: Program, with_memory: Callable[..., Program], limit: object) -> None:
    """128 MiB is what the manifests give."""
    with with_memory(daemon, limit) as ample:
        assert room(ample) == ALL
        assert not [line for line in log_lines(ample.stderr()) if line["level"] == "warning"]


def test_too_little_memory_refuses_to_start(daemon: Program, with_memory: Callable[..., Program]) -> None:
    line = refusal(with_memory(daemon, 100_000))
    assert "memory limit" in line["message"] and "HTTP_CONNECTION_BYTES" in line["message"]
    assert line["memory_limit_bytes"] == 100_000


def memory_group() -> Path | None:
    """A control group that one can be made in, with what limits memory."""
    first, second = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    if (first / "memory.limit_in_bytes").exists():
        return first
    controllers = second / "cgroup.subtree_control"
    if controllers.exists() and "memory" in controllers.read_text().split():
        return second
    return None


@pytest.fixture
def real_group() -> Iterator[Path]:
    """With 32 MiB."""
    parent = memory_group()
    group = (parent or Path("/nonexistent")) / f"log-pong-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    try:
        limit = "memory.max" if (group / "memory.max").exists() else "memory.limit_in_bytes"
        (group / limit).write_text(str(32 * MIB))
        yield group
    finally:
        group.rmdir()


@pytest.mark.skipif(SANITIZED, reason="a sanitizer needs more memory than is given")
@pytest.mark.parametrize("name", ["pingpong", "reader"])
def test_all_that_are_let_in_fit_into_the_memory(name: str, real_group: Path, request: pytest.FixtureRequest) -> None:
    """Every connection uses what it may, more come, and the kernel has no reason to kill."""
    original = request.getfixturevalue(name)
    enter = ["sh", "-c", 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"', "sh", real_group]
    full = under(enter, original)
    with full, contextlib.ExitStack() as stack:
        most = room(full)
        assert LEAST < most < ALL
        for _ in range(most + 100):
            client = stack.enter_context(Connection(full.port, timeout=30))
            assert client.request("GET", "/livez", {"Cookie": 2000 * "a"}).status == 200
        eventually(lambda: most <= metrics(full.port)["http_connections"] <= most + 32, 30, "as many as may be")
        assert get(full.port, "/livez", timeout=30).status == 200
        assert full.anonymous_kib() > 4096
