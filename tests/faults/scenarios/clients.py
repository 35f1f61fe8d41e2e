"""What clients of pingpong can do: come in thousands, be slow, vanish."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import ExitStack, closing

from bed import Bed
from client import raise_descriptor_limit
from flood import dribble, one_by_one, vanish, waves
from harness import http
from harness.postgres import Cluster
from harness.process import Daemon, eventually
from history import Outcome, Request
from scenario import Result, Skip, scenario

MANY = 10_000
SLOW = {"HTTP_IDLE_TIMEOUT_MS": 1000, "HTTP_REQUEST_TIMEOUT_MS": 1000}
CUT_WITHIN_S = 2.0 + 3.0  # both timeouts, and some for a coarse clock and a busy machine
SLOW_CLIENTS = 100
GREEDY_CLIENTS = 20


@scenario("connections-10000", "10,000 connections, a ping on all of them at the same moment", replicas=(1,))
def connections_10000(cluster: Cluster, result: Result) -> None:
    if raise_descriptor_limit() < MANY + 500:
        raise Skip("fewer than 10,500 file descriptors allowed")
    env = {"HTTP_CONNECTIONS_MAX": MANY + 100, "PING_QUEUE_MAX": MANY, "PING_TIMEOUT_MS": 10000}
    with Bed(cluster, result, connections=0, env=env) as bed:
        daemon = next(iter(bed.replicas.values()))
        requests = asyncio.run(waves(daemon.port, MANY, times=3))
        result.times += 3
        bed.extra += requests
        failed = [request for request in requests if request.outcome is not Outcome.ANSWERED]
        result.require(not failed, f"{len(failed)} pings failed: {failed[:2]}")
        _all_closed(result, daemon)


@scenario("connections-over-limit", "four times as many connections as allowed: the idle ones make room", replicas=(1,))
def connections_over_limit(cluster: Cluster, result: Result) -> None:
    with Bed(cluster, result, connections=20, env={"HTTP_CONNECTIONS_MAX": 250}) as bed:
        daemon = next(iter(bed.replicas.values()))
        for _ in range(3):
            requests = asyncio.run(one_by_one(daemon.port, 1000))
            bed.extra += requests
            failed = [request for request in requests if request.outcome is not Outcome.ANSWERED]
            result.require(not failed, f"{len(failed)} pings on new connections failed: {failed[:2]}")
            result.require(daemon.descriptors() < 300, f"{daemon.descriptors()} descriptors with 250 connections allowed")
            bed.recovered(time.monotonic())


@scenario("clients-vanish", "300 clients leave while their pings wait (closed, reset)")
def clients_vanish(cluster: Cluster, result: Result) -> None:
    with Bed(cluster, result, connections=20) as bed:
        daemon = next(iter(bed.replicas.values()))
        before = daemon.descriptors()
        for reset in (False, True, False, True):
            with closing(cluster.connect(bed.database)) as blocker:
                blocker.autocommit = False
                blocker.cursor().execute("SELECT count FROM counters FOR UPDATE")
                bed.extra += asyncio.run(vanish(daemon.port, 300, lambda: _waiting(daemon) >= 250, reset))
                blocker.rollback()
            bed.recovered(time.monotonic())
            eventually(lambda: daemon.descriptors() <= before + 10, 5, "the connections of those who left are closed")


@scenario("queue-full", "more pings than the queue takes while the database waits: refused at once")
def queue_full(cluster: Cluster, result: Result) -> None:
    env = {"PING_QUEUE_MAX": 20, "PING_TIMEOUT_MS": 1500}
    with Bed(cluster, result, connections=150, env=env) as bed:
        for _ in range(8):
            began = time.monotonic()
            with closing(cluster.connect(bed.database)) as blocker:
                blocker.autocommit = False
                blocker.cursor().execute("SELECT count FROM counters FOR UPDATE")
                refused = eventually(lambda: _refused(bed, began), 5, "a ping refused by a full queue")
                blocker.rollback()
            slow = [request for request in refused if request.end - request.start - bed.load.lag(request.start, request.end) > 0.5]
            result.require(not slow, f"{len(slow)} of {len(refused)} pings were refused late: {slow[:1]}")
            bed.recovered(time.monotonic())


def _refused(bed: Bed, since: float) -> list[Request]:
    return [
        request
        for request in list(bed.load.requests)
        if request.start >= since and request.outcome is Outcome.REFUSED and "too many" in request.detail
    ]


def _waiting(daemon: Daemon) -> float:
    return http.metrics(daemon.port)["pingpong_queue_length"]


def _all_closed(result: Result, daemon: Daemon) -> None:
    began = time.monotonic()
    eventually(lambda: daemon.descriptors() < 100, 10, "the connections of those who left are closed")
    result.recoveries.append(time.monotonic() - began)


@scenario("slow-clients", "clients that send headers or bodies byte by byte, or nothing: cut off", replicas=(1,))
def slow_clients(cluster: Cluster, result: Result) -> None:
    with Bed(cluster, result, env=SLOW, connections=20, think=0.2) as bed:
        daemon = next(iter(bed.replicas.values()))
        slow_requests(result, daemon, "/ping")
        result.require(bed.failed() == 0, f"{bed.failed()} requests of other clients failed")


@scenario("slow-readers", "clients that ask and do not read the answers, or byte by byte: cut off", replicas=(1,))
def slow_readers(cluster: Cluster, result: Result) -> None:
    with Bed(cluster, result, env=SLOW, connections=20, think=0.2) as bed:
        daemon = next(iter(bed.replicas.values()))
        slow_answers(result, daemon, "/metrics")
        result.require(bed.failed() == 0, f"{bed.failed()} requests of other clients failed")


def slow_requests(result: Result, daemon: Daemon, path: str) -> None:
    """Slow in each way of sending; every one has to be closed in time. Serves the reader as well."""
    get, post = f"GET {path} HTTP/1.1\r\nHost: slow\r\n".encode(), f"POST {path} HTTP/1.1\r\nHost: slow\r\n".encode()
    for what, head, piece in (
        ("header", get + b"X-Slow: ", b"a"),
        ("header lines", get, b"X-S: 1\r\n"),
        ("body", post + b"Content-Length: 2000\r\n\r\n", b"b"),
        ("nothing", b"", b""),
    ):
        closed = asyncio.run(dribble(daemon.port, SLOW_CLIENTS, head, piece, 0.1, patience=CUT_WITHIN_S + 3))
        result.times += 1
        result.error("cut off", sum(took <= CUT_WITHIN_S for took in closed))
        result.require(
            max(closed) <= CUT_WITHIN_S,
            f"{daemon.name}, slow {what}: {sum(t > CUT_WITHIN_S for t in closed)} of "
            f"{len(closed)} clients were not cut off within {CUT_WITHIN_S} s (longest {max(closed):.2f} s)",
        )
        result.recoveries.append(max(closed))


def slow_answers(result: Result, daemon: Daemon, path: str) -> None:
    """Asks for far more than the socket buffers hold, and then reads nothing, or a byte now and then."""
    for reads in (0, 1):
        before = daemon.descriptors()
        with ExitStack() as stack:
            clients = [stack.enter_context(closing(_greedy(daemon.port, path))) for _ in range(GREEDY_CLIENTS)]
            eventually(lambda: daemon.descriptors() >= before + len(clients) // 2, 5, "the slow clients being served")
            took = _until_cut(daemon, clients, reads, before)
        result.times += 1
        result.error("cut off", len(clients))
        result.require(
            took <= CUT_WITHIN_S,
            f"{daemon.name}: clients that read {reads} bytes at a time still had connections "
            f"after {took:.2f} s ({daemon.descriptors()} descriptors, {before} before)",
        )
        result.recoveries.append(took)


def _greedy(port: int, path: str) -> socket.socket:
    """A client with a tiny receive buffer that has sent as many requests as the server takes."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    client.connect(("127.0.0.1", port))
    client.setblocking(False)
    requests = f"GET {path} HTTP/1.1\r\nHost: greedy\r\n\r\n".encode() * 1000  # some 8 MB of answers
    try:
        while requests:
            requests = requests[client.send(requests) :]
    except BlockingIOError:
        pass
    return client


def _until_cut(daemon: Daemon, clients: list[socket.socket], reads: int, before: int) -> float:
    """Seconds until the server has closed them; gives up some seconds after it should have."""
    began = time.monotonic()
    while daemon.descriptors() > before + 5 and time.monotonic() < began + CUT_WITHIN_S + 3:
        for client in clients if reads else ():
            try:
                client.recv(reads)
            except OSError:
                pass
        time.sleep(0.1)
    return time.monotonic() - began
