"""Heads of every size: each is served and counted, or refused as JSON and not counted, and always answered."""

from __future__ import annotations

import json
import re
import socket
from typing import Callable

import pytest

from harness.http import get, metrics, read_to_end
from harness.process import eventually
from programs import Database, Program

PATHS = {"pingpong": "/ping", "reader": "/log-output"}

# As Chrome sends them, and what nginx's ingress controller and Istio's sidecars add (names and usual lengths).
BROWSER = [
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"),
    ("Accept", "application/json,text/html;q=0.1,image/avif,image/webp,*/*;q=0.8"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Accept-Language", "en-GB,en-US;q=0.9,en;q=0.8,de;q=0.7"),
    ("Cache-Control", "max-age=0"),
    ("Sec-Ch-Ua", '"Chromium";v="142", "Google Chrome";v="142", "Not_A Brand";v="99"'),
    ("Sec-Ch-Ua-Mobile", "?0"),
    ("Sec-Ch-Ua-Platform", '"Linux"'),
    ("Sec-Fetch-Dest", "document"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Site", "none"),
    ("Sec-Fetch-User", "?1"),
    ("Upgrade-Insecure-Requests", "1"),
    ("Priority", "u=0, i"),
    ("Referer", "https://a.example/" + "r" * 150),
]
INGRESS = [
    ("X-Request-ID", "0" * 32),
    ("X-Real-IP", "203.0.113.195"),
    ("X-Forwarded-For", "203.0.113.195"),
    ("X-Forwarded-Host", "a.example"),
    ("X-Forwarded-Port", "443"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Scheme", "https"),
    ("X-Scheme", "https"),
]
MESH = [
    ("X-Envoy-Attempt-Count", "1"),
    ("X-Envoy-Decorator-Operation", "pingpong-svc.log-pong.svc.cluster.local:3001/*"),
    ("X-Envoy-Peer-Metadata-Id", "sidecar~10.0.0.1~log-output-7698f5c9f4-9w2tc.log-pong~log-pong.svc.cluster.local"),
    ("X-Envoy-Peer-Metadata", "M" * 900),
    ("X-Forwarded-Client-Cert", "C" * 700),
    ("X-B3-TraceId", "0" * 32),
    ("X-B3-SpanId", "0" * 16),
    ("X-B3-ParentSpanId", "0" * 16),
    ("X-B3-Sampled", "1"),
    ("Traceparent", f"00-{'4' * 32}-{'5' * 16}-01"),
    ("Tracestate", "a=" + "b" * 100),
]


def head(fields: list[tuple[str, str]], path: str, query: str = "") -> bytes:
    lines = [f"GET {path}{query} HTTP/1.1", "Host: a.example", "Connection: close", *(f"{name}: {value}" for name, value in fields)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def answer(port: int, sent: bytes) -> tuple[int, bytes]:
    """Status and body of the one answer; (0, …) if what comes is not one."""
    with socket.create_connection(("127.0.0.1", port), 20) as client:
        client.sendall(sent)
        received = read_to_end(client)
    first, _, body = received.partition(b"\r\n\r\n")
    if received.count(b"HTTP/1.1 ") != 1 or not re.search(rb"(?i)content-length: %d\r\n" % len(body), first + b"\r\n"):
        return 0, received
    return int(first[9:12]), body


REAL = {
    "a cookie of 4 KB behind an ingress and a mesh": (BROWSER + INGRESS + MESH + [("Cookie", "session=" + "c" * 4088)], ""),
    "100 headers": ([(f"X-Header-{number}", "some value") for number in range(100)], ""),
    "100 small cookies": ([("Cookie", "; ".join(f"name{number}=value{number}" for number in range(100)))], ""),
    "a target of 8000 bytes": ([], "?" + "q" * 7990),
}


@pytest.mark.parametrize("name", REAL)
def test_heads_of_real_clients_are_served(daemon: Program, name: str) -> None:
    fields, query = REAL[name]
    if daemon.name not in PATHS:
        pytest.skip("the witness is asked by nobody but Prometheus")
    status, body = answer(daemon.port, head(fields, PATHS[daemon.name], query))
    assert status == 200, body


def cookie(size: int) -> tuple[list[tuple[str, str]], str]:
    return [("Cookie", "a=" + "c" * size)], ""


def one_header(size: int) -> tuple[list[tuple[str, str]], str]:
    return [("X-A", "h" * size)], ""


def headers(size: int) -> tuple[list[tuple[str, str]], str]:
    return [(f"X-{number}", "hh") for number in range(size // 16)] + [("X-Y", "h" * (size % 16))], ""


def cookies(size: int) -> tuple[list[tuple[str, str]], str]:
    return [("Cookie", ";".join(["c=1"] * (size // 16 + 1)) + "d" * (size % 16))], ""


def arguments(size: int) -> tuple[list[tuple[str, str]], str]:
    return [], "?" + "&".join(["a=1"] * (size // 16 + 1)) + "b" * (size % 16)


def target(size: int) -> tuple[list[tuple[str, str]], str]:
    return [], "?" + "t" * size


DIMENSIONS = [cookie, one_header, headers, cookies, arguments, target]


def the_limit(served: Callable[[int], bool]) -> int:
    """The largest size that is served, if what is smaller is."""
    low, high = 1, 40000
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if served(middle) else (low, middle)
    return low


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=lambda dimension: dimension.__name__)
def test_each_is_answered_and_counted_or_neither(daemon: Program, database: Database, dimension: Callable) -> None:
    """Byte by byte around the limit of each dimension: the answers, the count and the metrics agree."""
    if daemon.name not in PATHS:
        pytest.skip("the witness is asked by nobody but Prometheus")
    answered = []

    def ask(size: int) -> bool:
        status, body = answer(daemon.port, head(*dimension(size)[:1], PATHS[daemon.name], dimension(size)[1]))
        assert status in (200, 414, 431), (size, status, body)
        if status != 200:
            assert set(json.loads(body)) == {"error"}, (size, body)
        answered.append(status)
        return status == 200

    limit = the_limit(ask)
    assert 2000 < limit < 30000
    for size in range(limit - 40, limit + 40):
        ask(size)
    assert database.count() == answered.count(200)
    key = f'http_requests_total{{route="{PATHS[daemon.name]}",method="GET",code="200"}}'
    eventually(lambda: metrics(daemon.port)[key] == answered.count(200), 10, "the metrics say the same")
    assert get(daemon.port, "/livez").status == 200
