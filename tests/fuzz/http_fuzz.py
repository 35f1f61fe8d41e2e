#!/usr/bin/env python3
"""Sends both daemons requests that are almost right, and some that are not requests at all.

Nothing may crash, hang, spin or leak. After each batch, whose clients have all left, the daemon has to
come to rest within a second of its own processor time, and, once the time for what was cut off is up,
to hold no request and no connection; over all batches its memory may not grow. At the end the daemons
have to drain in their usual time and exit 0 without a word from a sanitizer, and the counter must not be
smaller than the numbers that were answered. The requests follow from --seed, which is printed; those that
once did harm come first, each in a batch of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

SEEDS = [
    b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /pingpong HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
    b"POST /ping HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"GET /log-output HTTP/1.1\r\nHost: x\r\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n",
    b'GET /log-output HTTP/1.1\r\nHost: x\r\nAccept: text/html;q=0.9,application/json;x="a,b",*/*;q=0\r\n\r\n',
    b"HEAD /count HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://host/healthz?x=%00%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET /metrics HTTP/1.0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /nothing HTTP/1.1\r\n" + b"X: y\r\n" * 400 + b"\r\n",
    b"POST /ping HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
]
# What did harm once: see each name.
KNOWN = {
    "a chunk-size line that fills the connection's memory": b"POST /ping HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;"
    + b"1" * 15200,
    "one that would fill a larger memory": b"POST /ping HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;" + b"1" * 70000,
    "one of zeros, to a path that does not exist": b"POST /nothing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"0" * 70000,
    "a chunk, and then such a line": b"POST /ping HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n5;" + b"1" * 70000,
    "a trailer that fills it": b"POST /ping HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"y" * 70000,
    "many trailers": b"POST /ping HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * 12000,
    "a trailer that just leaves no room for the answer": b"POST /ping HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\nX: "
    + b"y" * 14700
    + b"\r\n\r\n",
    "empty lines before a request that fill it": b"\r\n" * 7497 + b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n",
    "a method that fills it": b"A" * 100000 + b" / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a body that is cut off": b"POST /ping HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc",
    "a chunk that is cut off": b"POST /ping HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nabc",
}
SEEDS += [data[:9000] for data in KNOWN.values()]

TIMEOUT_S = 2
REST_WINDOW_S = 0.1
REST_SHARE = 0.1  # of the window that a daemon at rest may use
REST_MAX_S = 1.0  # of its own time, so that a busy machine does not count against it
BATCH = 100
WARM_UP_BATCHES = 2
# What the allocator and the sanitizer may keep over all batches; a request that is kept is in the metrics.
GROWTH_MAX_KIB = 4096
STOP_MAX_S = 10.0  # far less than it was when a request was kept, and room for a busy machine

WORDS = [
    b"\r\n",
    b"\r\n\r\n",
    b" ",
    b"\x00",
    b"%",
    b"%00",
    b"/ping",
    b"HTTP/1.1",
    b"Content-Length: ",
    b"-1",
    b"chunked",
    b"\xff\xfe",
    b"Host: ",
    b":",
    b"GET ",
    b"0\r\n\r\n",
    b"ffffffffffffffff\r\n",
    b"Connection: close\r\n",
    b"Accept: ",
    b";q=0.5,",
]
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
PONG = re.compile(rb'\{"pong":(\d+)\}|Ping / Pongs: (\d+)')


def mutate(chance: random.Random) -> bytes:
    data = bytearray(b"".join(chance.choice(SEEDS) for _ in range(chance.choice([1, 1, 1, 2, 5]))))
    for _ in range(chance.choice([0, 1, 1, 2, 4, 16])):
        at = chance.randrange(len(data) + 1)
        what = chance.randrange(4)
        if what == 0:
            data[at:at] = chance.choice(WORDS)
        elif what == 1:
            del data[at : at + chance.choice([1, 2, 8, 64])]
        elif what == 2 and at < len(data):
            data[at] = chance.randrange(256)
        else:
            data[at:at] = data[at : at + chance.choice([4, 32, 256])]
    return bytes(data)


def exchange(port: int, data: bytes, chance: random.Random) -> tuple[int, int]:
    """Sends the bytes in pieces and reads for a moment. Returns how many answers came and the
    largest number among them."""
    answers = b""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        try:
            while data:
                size = chance.choice([1, 7, 100, 100000])
                connection.sendall(data[:size])
                data = data[size:]
            if chance.random() < 0.5:
                connection.shutdown(socket.SHUT_WR)
            connection.settimeout(chance.choice([0.0, 0.01, 0.05]))
            while True:
                piece = connection.recv(65536)
                if not piece:
                    break
                answers += piece
        except OSError:
            # A daemon may close, or have nothing to say, at any point of what is no request.
            pass
    numbers = [int(a or b) for a, b in PONG.findall(answers)]
    return len(STATUS.findall(answers)), max(numbers, default=0)


def run_time(pid: int) -> float:
    """Seconds of processor time, to the nanosecond, of all threads that there are."""
    total = 0
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):
            total += int(path.read_text().split()[0])
    return total / 1e9


def wait_for_rest(daemon, what: str) -> None:
    began, deadline = run_time(daemon.pid), time.monotonic() + 20
    before = began
    while True:
        time.sleep(REST_WINDOW_S)
        now = run_time(daemon.pid)
        if now - before <= REST_SHARE * REST_WINDOW_S:
            return
        assert now - began < REST_MAX_S and time.monotonic() < deadline, (
            f"{daemon.name} is not at rest after {what}: {now - began:.2f} s of processor time, and no client is there"
        )
        before = now


def held(daemon, metrics) -> tuple[int, int]:
    """Requests and connections, without the question itself."""
    values = metrics(daemon.port)
    return int(values["http_requests_active"]) - 1, int(values["http_connections"]) - 1


def check_after(daemon, what: str, metrics) -> None:
    from harness.process import eventually

    wait_for_rest(daemon, what)
    with contextlib.suppress(AssertionError):
        eventually(lambda: held(daemon, metrics) == (0, 0), 3 * TIMEOUT_S + 2, interval=0.05)
    requests, connections = held(daemon, metrics)
    assert (requests, connections) == (0, 0), f"{daemon.name} still holds {requests} requests and {connections} connections after {what}"


def replay_known(daemon, chance: random.Random, metrics) -> None:
    """Each input that once did harm: the client leaves at once, and after a moment."""
    for what, data in KNOWN.items():
        for pause in (0, 0.2):
            for _ in range(20):
                exchange(daemon.port, data, chance)
                time.sleep(pause / 20)
            check_after(daemon, what, metrics)


def fuzz(daemon, seconds: float, chance: random.Random, metrics) -> int:
    """Returns the largest number that was answered."""
    sent = answered = highest = batches = memory = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end or batches <= WARM_UP_BATCHES:
        for _ in range(BATCH):
            count, number = exchange(daemon.port, mutate(chance), chance)
            sent, answered, highest = sent + 1, answered + count, max(highest, number)
        check_after(daemon, f"batch {batches}", metrics)
        batches += 1
        if batches == WARM_UP_BATCHES:
            memory = daemon.anonymous_kib()
    grown = daemon.anonymous_kib() - memory
    assert grown <= GROWTH_MAX_KIB, f"{daemon.name} has grown by {grown} KiB over {batches} batches"
    assert answered > sent // 4, f"{daemon.name} answered only {answered} of {sent} requests"
    print(f"  {daemon.name}: {sent} requests sent, {answered} answers, {grown} KiB grown, at rest after each batch")
    return highest


def attack(daemon, seconds: float, chance: random.Random, metrics) -> int:
    replay_known(daemon, chance, metrics)
    return fuzz(daemon, seconds, chance, metrics)


def stop(daemon) -> None:
    started = time.monotonic()
    daemon.stop()
    took = time.monotonic() - started
    assert took <= STOP_MAX_S, f"{daemon.name} took {took:.1f} s to end"
    assert "Sanitizer" not in daemon.stderr(), daemon.stderr()[-4000:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, required=True, help="folder with the daemons")
    parser.add_argument("--seconds", type=float, default=60, help="for each daemon")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    # What the sanitizer keeps of freed memory must not look like memory that is held.
    os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=1:quarantine_size_mb=1")

    from harness.http import get, metrics
    from harness.postgres import Cluster
    from harness.process import Daemon

    print(f"seed {options.seed}")
    chance = random.Random(options.seed)
    limits = {"DRAIN_MS": 0, "HTTP_IDLE_TIMEOUT_MS": TIMEOUT_S * 1000, "HTTP_REQUEST_TIMEOUT_MS": TIMEOUT_S * 1000, "ACCESS_LOG": "true"}
    with Cluster() as cluster:
        with Daemon([options.build / "pingpong"], env={**cluster.env(), **limits}, ready="/healthz") as pingpong:
            # The reader, with connections of its own, comes later.
            highest = attack(pingpong, options.seconds, chance, metrics)
            reader_env = {"PINGPONG_URL": f"http://127.0.0.1:{pingpong.port}/ping", "MESSAGE": "hello world", **limits}
            with Daemon([options.build / "reader"], env=reader_env) as reader:
                highest = max(highest, attack(reader, options.seconds, chance, metrics))
                final = get(pingpong.port, "/count").json()["pong"]
                assert final >= highest, f"the count is {final}, but {highest} was answered"
                stop(reader)
            stop(pingpong)
    print("fuzzing the daemons: nothing found")


if __name__ == "__main__":
    main()
