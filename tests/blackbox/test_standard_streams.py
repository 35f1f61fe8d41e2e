"""Descriptors 0 to 2 as a careless parent leaves them: closed, full, or with no one at the other end."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import socket
import subprocess
import termios
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from harness.http import Connection, get, metrics
from harness.process import eventually
from programs import Database, Program, log_lines, pingpong as make_pingpong, reader as make_reader, writer as make_writer

LOG_REQUESTS = 1500  # their lines are more than a pipe, a terminal or a socket holds


@pytest.fixture(params=["pingpong", "reader", "writer"])
def program(request: pytest.FixtureRequest, tmp_path: Path) -> Program:
    """Each program, with all it needs and not started; it logs as much as it can."""
    if request.param == "pingpong":
        return make_pingpong(request.getfixturevalue("database").env(ACCESS_LOG="true"))
    if request.param == "writer":
        return make_writer(tmp_path / "timestamp.txt", INTERVAL_MS=50)
    return make_reader({"ACCESS_LOG": "true", "PINGPONG_URL": "http://127.0.0.1:1/ping"})


def works(program: Program) -> bool:
    if program.port:
        return get(program.port, "/livez").status == 200
    return Path(program.env["SHARED_FILE"]).exists()


@contextlib.contextmanager
def started(program: Program, **streams: Any) -> Iterator[subprocess.Popen]:
    """Ends it as Kubernetes would; it has to end well."""
    process = subprocess.Popen(program.argv, env=program.env, **{"stdin": subprocess.DEVNULL, **streams})
    try:
        eventually(lambda: process.poll() is not None or works(program), 10, f"{program.name} at work")
        yield process
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        program.discard()


def ask(program: Program, count: int) -> None:
    with Connection(program.port) as connection:
        for _ in range(count):
            assert connection.request("GET", "/livez").status == 200


def dropped(program: Program) -> float:
    return metrics(program.port)["log_lines_dropped_total"]


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)], ids=str)
def test_descriptors_that_are_closed_become_the_null_device(program: Program, closed: tuple[int, ...]) -> None:
    def close() -> None:
        for number in closed:
            os.close(number)

    with started(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=close) as process:
        for number in range(3):
            assert os.readlink(f"/proc/{process.pid}/fd/{number}") == "/dev/null"


def test_a_reader_of_the_log_that_has_gone_ends_nothing(program: Program) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with started(program, stdout=write_end, stderr=write_end):
        os.close(write_end)
        if program.port:
            ask(program, 50)
            assert dropped(program) >= 50


def full_pipe() -> tuple[int, int]:
    return os.pipe()


def full_socket() -> tuple[int, int]:
    ours, theirs = socket.socketpair()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    return ours.detach(), theirs.detach()


def stopped_terminal() -> tuple[int, int]:
    """As after Ctrl-S."""
    ours, theirs = pty.openpty()
    attributes = termios.tcgetattr(theirs)
    attributes[1] &= ~termios.OPOST
    termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    termios.tcflow(theirs, termios.TCOOFF)
    return ours, theirs


def read_available(fd: int) -> str:
    fcntl.fcntl(fd, fcntl.F_SETFL, os.O_NONBLOCK)
    data = b""
    with contextlib.suppress(BlockingIOError):
        while chunk := os.read(fd, 65536):
            data += chunk
    return data.decode()


@pytest.mark.parametrize("name", ["pingpong", "reader"])
@pytest.mark.parametrize("make", [full_pipe, full_socket, stopped_terminal])
def test_a_log_that_no_one_reads_stalls_nothing(name: str, make: Callable[[], tuple[int, int]], database: Database) -> None:
    """Lines are dropped and counted, and once there is room the log says how many. What comes out is
    whole lines; only the last before a gap may be cut."""
    running = (
        make_pingpong(database.env(ACCESS_LOG="true"))
        if name == "pingpong"
        else make_reader({"ACCESS_LOG": "true", "PINGPONG_URL": "http://127.0.0.1:1/ping"})
    )
    ours, theirs = make()
    with started(running, stderr=theirs):
        ask(running, LOG_REQUESTS)
        missing = dropped(running)
        assert missing > 0
        if make is stopped_terminal:
            termios.tcflow(theirs, termios.TCOON)
        text = read_available(ours)
        ask(running, 1)
        text += eventually(lambda: read_available(ours), 5, "a line after the gap")
    os.close(theirs)
    os.close(ours)
    lines = text.splitlines()
    gap = next(index for index, line in enumerate(lines) if "log lines were dropped" in line)
    told = log_lines(lines[gap])[0]
    # Between the question for the metric and the next line, the question itself was logged.
    assert told["level"] == "warning" and missing <= told["lines"] <= missing + 1
    log_lines("\n".join(lines[: gap - 1] + lines[gap:]))


def test_other_users_of_a_terminal_are_left_alone() -> None:
    """A terminal or pipe is shared with the shell; only our own use of it does not wait."""
    read_end, write_end = os.pipe()
    program = make_reader({"PINGPONG_URL": "http://127.0.0.1:1/ping"})
    with started(program, stderr=write_end) as process:
        assert not fcntl.fcntl(write_end, fcntl.F_GETFL) & os.O_NONBLOCK
        flags = Path(f"/proc/{process.pid}/fdinfo/2").read_text()
        assert int(re.search(r"^flags:\s+(\d+)$", flags, re.MULTILINE).group(1), 8) & os.O_NONBLOCK
    os.close(read_end)
    os.close(write_end)
