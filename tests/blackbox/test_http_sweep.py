"""Requests of every size in every dimension: each is answered whole, or was never handed on. The answer, the
count in PostgreSQL, the metrics and the log have to say the same.

Each dimension is walked in steps over its whole range; wherever the outcome changes between two steps, the place
is found, and every value around it is tried. Nothing here is random."""

from __future__ import annotations

import bisect
import collections
import json
import re
import socket
from dataclasses import dataclass, field
from typing import Callable, Iterator

import pytest

from harness.http import metrics, read_to_end
from harness.postgres import Cluster
from harness.process import BUILD, eventually
from programs import Database, Program, log_lines, pingpong as make_pingpong, reader as make_reader

# They take minutes under it, and what they try is the work of one thread.
pytestmark = pytest.mark.skipif(BUILD.name == "tsan", reason="nothing for the thread sanitizer")

AROUND = 8  # values on each side of a place where the outcome changes
TOO_LARGE = (413, 414, 431)
HEAD = b"%s HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n"


@dataclass
class Dimension:
    name: str
    request: Callable[[bytes, int], bytes]  # of a path and a size
    end: int = 40_000
    steps: int = 14
    paths: tuple[str, ...] = ("/ping", "/count", "/log-output")
    known: tuple[int, ...] = ()  # values around which every one is tried in any case
    outcomes: tuple[int, ...] = (200, 414, 431)


def head(path: bytes, *lines: bytes, query: bytes = b"", method: bytes = b"GET ") -> bytes:
    return HEAD % (method + path + query) + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def post(path: bytes, *lines: bytes, body: bytes = b"") -> bytes:
    return head(path, *lines, method=b"POST ") + body


def in_chunks(body: bytes, size: int) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


TRACEPARENT = b"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
PASSED_ON = (b"baggage: a=", b"tracestate: a=", b"x-request-id: ", b"b3: ", b"x-b3-traceid: ")
LENGTH = b"Content-Length: %d"
CHUNKED = b"Transfer-Encoding: chunked"
COUNTED = ("/ping",)

HEADS = [
    Dimension("a path", lambda path, size: head(path + b"/" * size), outcomes=(200, 404, 414, 431)),
    Dimension("a query", lambda path, size: head(path, query=b"?" + size * b"q")),
    Dimension("an escaped query", lambda path, size: head(path, query=b"?a=" + size * b"%41"), end=14_000),
    Dimension("arguments", lambda path, size: head(path, query=b"?" + size * b"a=1&"), end=10_000),
    Dimension("arguments without value", lambda path, size: head(path, query=b"?" + size * b"a&"), end=20_000),
    Dimension("a whole URL", lambda path, size: head(b"http://" + size * b"h" + path)),
    Dimension("a value", lambda path, size: head(path, b"X-A: " + size * b"v")),
    Dimension("blanks before a value", lambda path, size: head(path, b"X-A:" + size * b" " + b"v")),
    Dimension("a name", lambda path, size: head(path, b"X-" + size * b"N" + b": v")),
    Dimension("short headers", lambda path, size: head(path, *[b"X: y"] * size), end=4_000),
    Dimension("longer headers", lambda path, size: head(path, *[b"X-Header-%d: some value" % at for at in range(size)]), end=1_000),
    Dimension("a cookie", lambda path, size: head(path, b"Cookie: a=" + size * b"c")),
    Dimension("a cookie in quotes", lambda path, size: head(path, b'Cookie: a="' + size * b"c" + b'"')),
    Dimension("cookies", lambda path, size: head(path, b"Cookie: " + b"; ".join([b"c=1"] * size)), end=8_000),
    Dimension("lines of cookies", lambda path, size: head(path, *[b"Cookie: c=1"] * size), end=3_000),
    Dimension("a cookie, beside a query", lambda path, size: head(path, b"Cookie: a=" + 1500 * b"c", query=b"?" + size * b"q")),
    Dimension("a method", lambda path, size: head(path, method=size * b"M" + b" "), outcomes=(405, 400, 414, 431, 501)),
    Dimension("what is passed on", lambda path, size: head(path, TRACEPARENT, *[name + size * b"1" for name in PASSED_ON]), end=9_000),
    Dimension("empty lines before", lambda path, size: size * b"\r\n" + head(path), end=20_000, outcomes=(200, 400, 414, 431)),
]
BODIES = [
    Dimension(
        "a body",
        lambda path, size: post(path, LENGTH % size, body=size * b"b"),
        end=1_200_000,
        steps=10,
        paths=COUNTED,
        known=(65536,),
        outcomes=(200, 413),
    ),
    Dimension(
        "a body in one chunk",
        lambda path, size: post(path, CHUNKED, body=in_chunks(size * b"b", 1 << 30)),
        end=1_200_000,
        steps=10,
        paths=COUNTED,
        known=(65536,),
        outcomes=(200, 413),
    ),
    Dimension(
        "a body in small chunks",
        lambda path, size: post(path, CHUNKED, body=in_chunks(size * b"b", 512)),
        end=200_000,
        steps=10,
        paths=COUNTED,
        known=(65536,),
        outcomes=(200, 413),
    ),
    Dimension(
        "a cookie and a body",
        lambda path, size: post(path, b"Cookie: a=" + size * b"c", LENGTH % 60_000, body=60_000 * b"b"),
        paths=COUNTED,
    ),
    Dimension(
        "a value and a chunked body",
        lambda path, size: post(path, b"X-A: " + size * b"v", CHUNKED, body=in_chunks(9_000 * b"b", 700)),
        paths=COUNTED,
    ),
    Dimension(
        "a trailer",
        lambda path, size: post(path, CHUNKED, body=b"1\r\nb\r\n0\r\nX-A: " + size * b"v" + b"\r\n\r\n"),
        paths=COUNTED,
        outcomes=(200, 400, 413, 431),
    ),
]


@dataclass
class Judge:
    """Asks, and knows what has to have been counted and told."""

    port: int
    path: str
    last: int  # number that was given
    told: collections.Counter = field(default_factory=collections.Counter)

    def ask(self, dimension: Dimension, size: int) -> int:
        received = exchange(self.port, dimension.request(self.path.encode(), size))
        first, _, body = received.partition(b"\r\n\r\n")
        where = f"{dimension.name} of {size}: {received[:300]!r}"
        assert received.count(b"HTTP/1.1 ") == 1 and received.startswith(b"HTTP/1.1 "), where
        assert re.search(rb"(?i)\r\ncontent-length: *%d\r\n" % len(body), first + b"\r\n"), where
        status = int(first[9:12])
        assert status in dimension.outcomes, where
        if status != 200:
            assert set(json.loads(body)) == {"error"}, where
        elif self.path != "/count":
            self.last += 1
            assert re.search(rb'(?:"pong":|Ping / Pongs: )%d\b' % self.last, body), f"{self.last} is next; {where}"
        self.told[status] += 1
        return status


def exchange(port: int, data: bytes) -> bytes:
    """All that comes until the server closes."""
    with socket.create_connection(("127.0.0.1", port), 60) as client:
        try:
            client.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before all was sent; the answer is there all the same
        return read_to_end(client)


def sweep(dimension: Dimension, ask: Callable[[int], int]) -> None:
    sizes = sorted({1, *range(dimension.end // dimension.steps, dimension.end + 1, dimension.end // dimension.steps)})
    outcomes = [ask(size) for size in sizes]
    for low, high, before in [
        (*pair, outcome) for pair, outcome, after in zip(zip(sizes, sizes[1:]), outcomes, outcomes[1:]) if outcome != after
    ]:
        edge = low + bisect.bisect_left(range(low, high), True, key=lambda size: ask(size) != before)
        for size in range(max(1, edge - AROUND), edge + AROUND):
            ask(size)
    for known in dimension.known:
        for size in range(known - AROUND, known + AROUND):
            ask(size)


PROBES = ("/metrics", "/livez", "/healthz")


def in_the_log(program: Program) -> collections.Counter:
    return collections.Counter(
        line["status"] for line in log_lines(program.stderr()) if line["message"] == "request" and line["route"] not in PROBES
    )


def in_the_metrics(program: Program) -> collections.Counter:
    found: collections.Counter = collections.Counter()
    for key, value in metrics(program.port).items():
        match = re.fullmatch(r'http_requests_total\{route="([^"]*)",.*code="(\d+)"\}', key)
        if match and match[1] not in PROBES:
            found[int(match[2])] += int(value)
    return found


@dataclass
class Servers:
    database: Database
    of: dict[str, Program]  # by path


@pytest.fixture(scope="module")
def servers(cluster: Cluster) -> Iterator[Servers]:
    """Each with a log of its requests, for all dimensions."""
    database = Database(cluster)
    with make_pingpong(database.env(ACCESS_LOG="true")) as pingpong:
        url = f"http://127.0.0.1:{pingpong.port}/ping"
        with make_reader({"PINGPONG_URL": url, "ACCESS_LOG": "true"}) as reader:
            yield Servers(database, {"/ping": pingpong, "/count": pingpong, "/log-output": reader})
    database.drop()


@pytest.mark.parametrize(
    "dimension, path",
    [(dimension, path) for dimension in [*HEADS, *BODIES] for path in dimension.paths],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_answered_whole_or_never_handed_on(servers: Servers, dimension: Dimension, path: str) -> None:
    server, count = servers.of[path], servers.database.count
    before, noted, logged = count(), in_the_metrics(server), in_the_log(server)
    judge = Judge(server.port, path, before)
    sweep(dimension, lambda size: judge.ask(dimension, size))
    assert count() == judge.last
    assert len(judge.told) > 1, f"no limit was met: {judge.told}"
    eventually(lambda: in_the_metrics(server) - noted == judge.told, 10, f"the metrics say {judge.told}")
    eventually(lambda: in_the_log(server) - logged == judge.told, 10, f"the log says {judge.told}")
