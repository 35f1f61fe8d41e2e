"""Memory and time to start, of the plain build: sanitizers have a price of their own."""

from __future__ import annotations

import subprocess
import threading
import time

import pytest

from harness.http import Connection, get
from harness.process import free_port
from programs import SANITIZED, Program

pytestmark = [pytest.mark.footprint, pytest.mark.skipif(SANITIZED, reason="of the plain build")]

CONNECTIONS = 256


def load(program: Program, path: str, seconds: float) -> tuple[int, int]:
    """256 connections, one request on each after another. Returns how many requests were answered and
    the most anonymous memory in KiB that was seen meanwhile."""
    connections = [Connection(program.port, timeout=30) for _ in range(CONNECTIONS)]
    end = time.monotonic() + seconds
    answered = [0] * 4
    failures: list[str] = []

    def client(index: int) -> None:
        mine = connections[index::4]
        while time.monotonic() < end:
            for connection in mine:
                connection.send_request("GET", path)
            for connection in mine:
                status = connection.read_response().status
                answered[index] += status == 200
                if status != 200:
                    failures.append(f"{path}: {status}")

    threads = [threading.Thread(target=client, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    peak = 0
    while any(thread.is_alive() for thread in threads):
        peak = max(peak, program.anonymous_kib())
        time.sleep(0.05)
    for connection in connections:
        connection.close()
    assert not failures, failures[0]
    return sum(answered), peak


@pytest.mark.parametrize("path", ["work", "/livez", "/metrics"])
def test_anonymous_memory_under_load_is_at_most_8_mib(daemon: Program, path: str) -> None:
    if path == "work":
        path = "/ping" if daemon.name == "pingpong" else "/log-output"
    answered, peak = load(daemon, path, 3.0)
    print(f"{daemon.name} {path}: {answered} requests, {peak} KiB")
    assert answered > CONNECTIONS
    assert peak <= 8 * 1024


@pytest.mark.parametrize("name", ["pingpong", "reader"])
def test_livez_answers_within_50_ms_of_exec(name: str, request: pytest.FixtureRequest) -> None:
    """The best of several, for the machine may be busy with something else."""
    original = request.getfixturevalue(name)
    best = float("inf")
    for _ in range(10):
        port = free_port()
        started = time.monotonic()
        process = subprocess.Popen(original.argv, env={**original.env, "PORT": str(port)}, stderr=subprocess.DEVNULL)
        try:
            while time.monotonic() < started + 5:
                try:
                    if get(port, "/livez", timeout=1).status == 200:
                        break
                except OSError:
                    time.sleep(0.0005)
            best = min(best, time.monotonic() - started)
        finally:
            process.terminate()
            process.wait(20)
    print(f"{name}: {best * 1000:.1f} ms")
    assert best <= 0.050
