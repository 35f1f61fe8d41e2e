#!/usr/bin/env python3
"""Sends both daemons requests that are almost right, and some that are not requests at all.

Nothing may crash, hang or leak: after each burst /livez has to answer, at the end the daemons have
to drain and exit 0 without a word from a sanitizer, and the counter must not be smaller than the
numbers that were answered. The requests follow from --seed, which is printed.
"""

from __future__ import annotations

import argparse
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
    b"GET /log-output HTTP/1.1\r\nHost: x\r\ntraceparent: "
    b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n",
    b"GET /log-output HTTP/1.1\r\nHost: x\r\nAccept: text/html;q=0.9,application/json;x=\"a,b\",*/*;q=0\r\n\r\n",
    b"HEAD /count HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://host/healthz?x=%00%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET /metrics HTTP/1.0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /nothing HTTP/1.1\r\n" + b"X: y\r\n" * 400 + b"\r\n",
    b"POST /ping HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
]
WORDS = [b"\r\n", b"\r\n\r\n", b" ", b"\x00", b"%", b"%00", b"/ping", b"HTTP/1.1", b"Content-Length: ", b"-1",
         b"chunked", b"\xff\xfe", b"Host: ", b":", b"GET ", b"0\r\n\r\n", b"ffffffffffffffff\r\n", b"Connection: close\r\n",
         b"Accept: ", b";q=0.5,"]
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
            del data[at:at + chance.choice([1, 2, 8, 64])]
        elif what == 2 and at < len(data):
            data[at] = chance.randrange(256)
        else:
            data[at:at] = data[at:at + chance.choice([4, 32, 256])]
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


def fuzz(daemon, seconds: float, chance: random.Random, get) -> tuple[int, int, int]:
    sent = answered = highest = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(50):
            count, number = exchange(daemon.port, mutate(chance), chance)
            sent, answered, highest = sent + 1, answered + count, max(highest, number)
        assert get(daemon.port, "/livez", timeout=10).status == 200, f"{daemon.name} does not answer"
    assert answered > sent // 4, f"{daemon.name} answered only {answered} of {sent} requests"
    return sent, answered, highest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, required=True, help="folder with the daemons")
    parser.add_argument("--seconds", type=float, default=60, help="for each daemon")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=1")

    from harness.http import get
    from harness.postgres import Cluster
    from harness.process import Daemon

    print(f"seed {options.seed}")
    chance = random.Random(options.seed)
    limits = {"DRAIN_MS": 0, "HTTP_IDLE_TIMEOUT_MS": 1000, "HTTP_REQUEST_TIMEOUT_MS": 1000, "ACCESS_LOG": "true"}
    with Cluster() as cluster:
        pingpong = Daemon([options.build / "pingpong"], env={**cluster.env(), **limits}, ready="/healthz")
        with pingpong:
            reader_env = {"PINGPONG_URL": f"http://127.0.0.1:{pingpong.port}/ping", "MESSAGE": "hello world", **limits}
            with Daemon([options.build / "reader"], env=reader_env) as reader:
                highest = 0
                for daemon in (pingpong, reader):
                    sent, answered, number = fuzz(daemon, options.seconds, chance, get)
                    highest = max(highest, number)
                    print(f"  {daemon.name}: {sent} requests sent, {answered} answers")
                final = get(pingpong.port, "/count").json()["pong"]
                assert final >= highest, f"the count is {final}, but {highest} was answered"
                reader.stop()
                assert "Sanitizer" not in reader.stderr(), reader.stderr()[-4000:]
            pingpong.stop()
            assert "Sanitizer" not in pingpong.stderr(), pingpong.stderr()[-4000:]
    print("fuzzing the daemons: nothing found")


if __name__ == "__main__":
    main()
