"""Clients that keep something back: the rest of a head, of a body, of a chunk's size, the taking of an
answer, or the end of the connection. None may cost others anything, or the daemon work."""

from __future__ import annotations

import contextlib
import time
from typing import Iterator

import pytest

from harness.http import Connection, get, metrics
from harness.process import eventually
from programs import Program

CHUNKED = b"POST /ping HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
HALF_BODY = b"POST /ping HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc"
HALF_HEAD = b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: b"
# The library of Debian 12 asks to be run at once for ever, and does not see the end of such a connection.
STUCK = CHUNKED + b"5;" + b"1" * 6000
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


def like(daemon: Program, **settings: object) -> Program:
    """Another of its kind."""
    other = Program(daemon.argv, {**daemon.env, **settings})
    other.env["PORT"] = str(other.port)
    return other


@contextlib.contextmanager
def clients(port: int, count: int, data: bytes) -> Iterator[list[Connection]]:
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(count):
            opened.append(stack.enter_context(Connection(port)))
            opened[-1].send(data)
        yield opened


def held(port: int) -> tuple[int, int]:
    """Requests and connections, without the question itself."""
    values = metrics(port)
    return int(values["http_requests_active"]) - 1, int(values["http_connections"]) - 1


@pytest.mark.parametrize("data", [
    HALF_BODY, HALF_HEAD, b"", CHUNKED, CHUNKED + b"3\r\nab", STUCK,
    b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", LIVEZ + HALF_BODY,
], ids=["half a body", "half a head", "silence", "a chunk", "half a chunk", "a chunk's size", "a body", "a second body"])
def test_whatever_others_withhold_a_newcomer_is_answered(daemon: Program, data: bytes) -> None:
    """At once, not when a deadline makes room: these are far."""
    settings = {"HTTP_CONNECTIONS_MAX": 32, "HTTP_IDLE_TIMEOUT_MS": 600000, "HTTP_REQUEST_TIMEOUT_MS": 600000}
    with like(daemon, **settings) as full, clients(full.port, 32, data):
        with clients(full.port, 60, data):
            assert get(full.port, "/livez", timeout=30).status == 200


@pytest.mark.parametrize("first", [b"", LIVEZ], ids=["new", "used"])
def test_a_body_that_does_not_come_is_awaited_for_the_request_timeout(daemon: Program, first: bytes) -> None:
    """However long a connection may be silent between requests: the one that is stays open."""
    with like(daemon, HTTP_IDLE_TIMEOUT_MS=600000, HTTP_REQUEST_TIMEOUT_MS=2000) as running:
        with Connection(running.port) as idle, Connection(running.port) as owing:
            assert idle.request("GET", "/livez").status == 200
            if first:
                assert owing.request("GET", "/livez").status == 200
            owing.send(HALF_BODY)
            assert owing.closed(15)
            assert idle.request("GET", "/livez").status == 200


def test_an_answer_that_is_not_taken_is_given_up(daemon: Program) -> None:
    with like(daemon, HTTP_IDLE_TIMEOUT_MS=600000, HTTP_REQUEST_TIMEOUT_MS=1000) as running:
        with Connection(running.port) as lazy:
            with contextlib.suppress(OSError):
                lazy.socket.settimeout(2)
                for _ in range(4000):  # until nothing is taken any more
                    lazy.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            eventually(lambda: held(running.port) == (0, 0), 15, "the request given up")


@pytest.mark.parametrize("data", [
    HALF_BODY, HALF_HEAD, CHUNKED + b"3\r\nab", STUCK, CHUNKED + b"5;" + b"1" * 70000,
    CHUNKED + b"0\r\nX: " + b"y" * 70000,
], ids=["half a body", "half a head", "half a chunk", "a chunk's size", "a longer one", "a trailer"])
def test_nothing_is_kept_of_clients_that_have_gone(daemon: Program, data: bytes) -> None:
    """Their end is enough, whatever the HTTP library says or does about it. Then SIGTERM takes no longer
    than usual, and the exit status is 0, which leaving the block asserts."""
    with like(daemon, HTTP_IDLE_TIMEOUT_MS=600000, HTTP_REQUEST_TIMEOUT_MS=600000, DRAIN_MS=0) as running:
        with contextlib.suppress(OSError), clients(running.port, 20, data):
            pass
        eventually(lambda: held(running.port) == (0, 0), 20, "nothing held")


@pytest.mark.parametrize("size", [5500, 6000, 70000])
def test_a_chunk_size_that_never_ends_costs_no_time(daemon: Program, size: int) -> None:
    """The library of Debian 12 asks to be run at once, for ever."""
    with like(daemon, HTTP_IDLE_TIMEOUT_MS=600000, HTTP_REQUEST_TIMEOUT_MS=600000) as running:
        with contextlib.suppress(OSError), clients(running.port, 5, CHUNKED + b"5;" + b"1" * size):
            eventually(lambda: rests(running), 10, "at rest", interval=0)


def rests(program: Program) -> bool:
    before = program.cpu_seconds()
    time.sleep(0.5)
    return program.cpu_seconds() - before < 0.1
