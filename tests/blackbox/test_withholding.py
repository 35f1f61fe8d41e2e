"""Clients that keep something back: the rest of a head, of a body, of a chunk's size, the taking of their
answers, or the end of the connection. None may keep others out, or have the daemon work while nothing is sent."""

from __future__ import annotations

import contextlib
import itertools
import resource
import socket
import time
from typing import Iterator

import pytest

from harness.http import Connection, get, metrics
from harness.process import BUILD, eventually
from programs import Program

# They take minutes under it, and what they try is the work of one thread.
not_under_tsan = pytest.mark.skipif(BUILD.name == "tsan", reason="nothing for the thread sanitizer")

MANY = 4500
SPARE_FILES = 500
# Nothing but making room lets a newcomer in: until these are up, those who withhold may stay.
PATIENT = {"HTTP_IDLE_TIMEOUT_MS": 600_000, "HTTP_REQUEST_TIMEOUT_MS": 600_000}
WORK = {"pingpong": "/ping", "reader": "/log-output"}

HOST = b" HTTP/1.1\r\nHost: x\r\n"
LIVEZ = b"GET /livez" + HOST + b"\r\n"
CHUNKED = b"POST /ping" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
HALF_BODY = b"POST /ping" + HOST + b"Content-Length: 100\r\n\r\nabc"
HALF_HEAD = b"GET /livez" + HOST + b"X-A: b"
# The library of Debian 12 asks to be run at once for ever, and does not see the end of such a connection.
STUCK = CHUNKED + b"5;" + b"1" * 6000
WITHHELD = {
    "everything": b"",
    "half a request line": b"GET /li",
    "half a head": HALF_HEAD,
    "a body": b"POST /ping" + HOST + b"Content-Length: 100\r\n\r\n",
    "half a body": HALF_BODY,
    "the body for another path": b"POST /nothing" + HOST + b"Content-Length: 9\r\n\r\n",
    "a body that was asked for": b"POST /ping" + HOST + b"Content-Length: 9\r\nExpect: 100-continue\r\n\r\n",
    "the first chunk": CHUNKED,
    "half a chunk": CHUNKED + b"3\r\nab",
    "half a chunk's size": CHUNKED + b"5;" + b"1" * 3000,
    "a chunk's size that fills the memory": CHUNKED + b"5;" + b"1" * 20_000,
    "half a trailer": CHUNKED + b"3\r\nabc\r\n0\r\nX-A: " + b"y" * 3000,
    "a trailer that fills the memory": CHUNKED + b"3\r\nabc\r\n0\r\nX-A: " + b"y" * 70_000,
    "half a second request": LIVEZ + HALF_BODY,
    "the end after an answer": LIVEZ.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
    "the taking of answers": b"GET /metrics" + HOST + b"\r\n",  # again and again
    "the end after a refusal": b"GET /livez HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
}


def like(daemon: Program, **settings: object) -> Program:
    """Another of its kind."""
    other = Program(daemon.argv, {**daemon.env, **PATIENT, **settings})
    other.env["PORT"] = str(other.port)
    return other


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def withhold(port: int, name: str) -> socket.socket:
    """A client that has sent what it sends, and now waits."""
    client = socket.socket()
    if name == "the taking of answers":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(60)
    client.connect(("127.0.0.1", port))
    client.setblocking(False)
    repeats = 200 if name == "the taking of answers" else 1
    with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
        for _ in range(repeats):
            client.send(WITHHELD[name])
    return client


@contextlib.contextmanager
def clients(port: int, names: Iterator[str]) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(withhold(port, name)) for name in names]


@contextlib.contextmanager
def senders(port: int, count: int, data: bytes) -> Iterator[None]:
    """Clients that have sent all of it."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(Connection(port)).send(data)
        yield


def held(port: int) -> tuple[int, int]:
    """Requests and connections, without the question itself."""
    values = metrics(port)
    return int(values["http_requests_active"]) - 1, int(values["http_connections"]) - 1


def rests(program: Program, seconds: float = 1) -> bool:
    """Uses next to no processor time for so long."""
    before = program.cpu_seconds()
    time.sleep(seconds)
    return program.cpu_seconds() - before < 0.2 * seconds


@not_under_tsan
@pytest.mark.parametrize("name", WITHHELD)
def test_a_newcomer_is_answered_and_the_daemon_rests(daemon: Program, name: str) -> None:
    """Three times as many withhold as may stay."""
    with like(daemon, HTTP_CONNECTIONS_MAX=32) as full, clients(full.port, itertools.repeat(name, 96)):
        assert get(full.port, "/livez", timeout=240).status == 200
        assert get(full.port, WORK[full.name], timeout=240).status == 200
        eventually(lambda: rests(full), 30, f"{full.name} at rest while clients withhold {name}", interval=0)
        assert get(full.port, "/livez", timeout=240).status == 200


@not_under_tsan
def test_4500_that_withhold_anything_keep_nobody_out(daemon: Program) -> None:
    """Of all kinds, beyond the default of HTTP_CONNECTIONS_MAX; then some of them send a byte now and then."""
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < MANY + SPARE_FILES:
        pytest.skip("this machine lets nobody open as many files")
    names = itertools.islice(itertools.cycle(WITHHELD), MANY)
    with like(daemon) as full, clients(full.port, names) as crowd:
        for _ in range(3):
            for _ in range(5):
                assert get(full.port, "/livez", timeout=240).status == 200
                assert get(full.port, WORK[full.name], timeout=240).status == 200
            for client in crowd[::5]:
                with contextlib.suppress(OSError):
                    client.send(b"1")
        eventually(lambda: rests(full), 60, f"{full.name} at rest", interval=0)
        assert get(full.port, "/livez", timeout=240).status == 200


@pytest.mark.parametrize(
    "data",
    [
        HALF_BODY,
        HALF_HEAD,
        b"",
        CHUNKED,
        CHUNKED + b"3\r\nab",
        STUCK,
        b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n",
        LIVEZ + HALF_BODY,
    ],
    ids=["half a body", "half a head", "silence", "a chunk", "half a chunk", "a chunk's size", "a body", "a second body"],
)
def test_whatever_others_withhold_a_newcomer_is_answered(daemon: Program, data: bytes) -> None:
    """At once, not when a deadline makes room: these are far."""
    with like(daemon, HTTP_CONNECTIONS_MAX=32) as full, senders(full.port, 32, data):
        with senders(full.port, 60, data):
            assert get(full.port, "/livez", timeout=30).status == 200


@pytest.mark.parametrize("first", [b"", LIVEZ], ids=["new", "used"])
def test_a_body_that_does_not_come_is_awaited_for_the_request_timeout(daemon: Program, first: bytes) -> None:
    """However long a connection may be silent between requests: the one that is stays open."""
    with like(daemon, HTTP_REQUEST_TIMEOUT_MS=2000) as running:
        with Connection(running.port) as idle, Connection(running.port) as owing:
            assert idle.request("GET", "/livez").status == 200
            if first:
                assert owing.request("GET", "/livez").status == 200
            owing.send(HALF_BODY)
            assert owing.closed(15)
            assert idle.request("GET", "/livez").status == 200


def test_an_answer_that_is_not_taken_is_given_up(daemon: Program) -> None:
    with like(daemon, HTTP_REQUEST_TIMEOUT_MS=1000) as running:
        with Connection(running.port) as lazy:
            with contextlib.suppress(OSError):
                lazy.socket.settimeout(2)
                for _ in range(4000):  # until nothing is taken any more
                    lazy.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            eventually(lambda: held(running.port) == (0, 0), 15, "the request given up")


@pytest.mark.parametrize(
    "data",
    [
        HALF_BODY,
        HALF_HEAD,
        CHUNKED + b"3\r\nab",
        STUCK,
        CHUNKED + b"5;" + b"1" * 70000,
        CHUNKED + b"0\r\nX: " + b"y" * 70000,
    ],
    ids=["half a body", "half a head", "half a chunk", "a chunk's size", "a longer one", "a trailer"],
)
def test_nothing_is_kept_of_clients_that_have_gone(daemon: Program, data: bytes) -> None:
    """Their end is enough, whatever the HTTP library says or does about it. Then SIGTERM takes no longer
    than usual, and the exit status is 0, which leaving the block asserts."""
    with like(daemon, DRAIN_MS=0) as running:
        with contextlib.suppress(OSError), senders(running.port, 20, data):
            pass
        eventually(lambda: held(running.port) == (0, 0), 20, "nothing held")


@pytest.mark.parametrize("size", [5500, 6000, 70000])
def test_a_chunk_size_that_never_ends_costs_no_time(daemon: Program, size: int) -> None:
    """The library of Debian 12 asks to be run at once, for ever."""
    with like(daemon) as running:
        with contextlib.suppress(OSError), senders(running.port, 5, CHUNKED + b"5;" + b"1" * size):
            eventually(lambda: rests(running, 0.5), 10, "at rest", interval=0)
