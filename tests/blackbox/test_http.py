"""What is common to both daemons' HTTP: paths, methods, limits, and many connections at once."""

from __future__ import annotations

import socket
import time
from email.utils import parsedate_to_datetime

import pytest

from harness.http import Connection, Response, get, request
from harness.process import eventually
from programs import Program, ask_all_at_once

PLAIN_PATHS = ["/livez", "/healthz", "/metrics"]


def assert_json_error(answer: Response, status: int) -> None:
    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"error"} and isinstance(body["error"], str) and body["error"]


@pytest.mark.parametrize("path", ["/favicon.ico", "/ping/", "//", "/pingpong/x", "/healthz%20", "/LIVEZ", "/metrics/.."])
def test_other_paths_are_404(daemon: Program, path: str) -> None:
    assert_json_error(get(daemon.port, path), 404)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "BREW"])
def test_other_methods_are_405_with_allow(daemon: Program, method: str) -> None:
    for path in [*PLAIN_PATHS, "/"]:
        answer = request(daemon.port, method, path)
        assert_json_error(answer, 405)
        assert "GET" in answer.headers["allow"].split(", ")


def test_post_is_405_where_nothing_is_posted(daemon: Program) -> None:
    for path in PLAIN_PATHS:
        answer = request(daemon.port, "POST", path, body=b"")
        assert_json_error(answer, 405)
        assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", PLAIN_PATHS)
def test_head_is_get_without_the_body(daemon: Program, path: str) -> None:
    with Connection(daemon.port) as connection:
        head = connection.request("HEAD", path)
        assert head.status == 200 and head.body == b""
        answer = connection.request("GET", path)  # the connection is still in step
        assert answer.status == 200 and answer.body
        assert head.headers["content-type"] == answer.headers["content-type"]
        assert int(head.headers["content-length"]) > 0


def test_each_answer_has_one_date_and_it_is_now(daemon: Program) -> None:
    with Connection(daemon.port) as connection:
        seconds = set()

        def asked() -> bool:
            before = int(time.time())
            date = parsedate_to_datetime(connection.request("GET", "/livez").headers["date"]).timestamp()
            assert before - 1 <= date <= time.time()  # the kernel's clock of seconds may be a tick behind
            seconds.add(date)
            return len(seconds) == 3

        eventually(asked, timeout=10)
        connection.send(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: connection.socket.recv(4096), b""))
    assert answer.lower().count(b"\r\ndate: ") == 1


def test_head_of_what_does_not_exist_is_404(daemon: Program) -> None:
    with Connection(daemon.port) as connection:
        assert connection.request("HEAD", "/nothing").status == 404
        assert connection.request("GET", "/livez").status == 200


def test_nothing_is_cached(daemon: Program) -> None:
    for path in [*PLAIN_PATHS, "/nothing"]:
        answer = get(daemon.port, path)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_query_does_not_change_the_path(daemon: Program) -> None:
    assert get(daemon.port, "/livez?verbose=1&x=/ping").status == 200


def test_a_body_that_is_too_large_is_413(daemon: Program) -> None:
    for path in ("/ping", "/livez"):
        assert_json_error(request(daemon.port, "POST", path, body=b"x" * 200_000), 413)
    # Announced, and never sent.
    with Connection(daemon.port) as connection:
        connection.send(b"POST /ping HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
        assert_json_error(connection.read_response(), 413)
    # Of unknown length.
    with Connection(daemon.port) as connection:
        connection.send(b"POST /ping HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(20):
            connection.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        connection.send(b"0\r\n\r\n")
        assert_json_error(connection.read_response(), 413)
    assert get(daemon.port, "/livez").status == 200


def test_a_head_that_is_too_large_is_431(daemon: Program) -> None:
    answer = get(daemon.port, "/livez", {"X-Large": "x" * 20_000})
    assert answer.status == 431
    assert get(daemon.port, "/livez", {"X-Large": "x" * 4_500}).status == 200


def test_the_room_for_a_head_can_be_set(daemon: Program) -> None:
    """HTTP_CONNECTION_BYTES: large cookies are common behind a proxy that authenticates."""
    roomy = Program(daemon.argv, {**daemon.env, "PORT": 0, "HTTP_CONNECTION_BYTES": 16384})
    roomy.env["PORT"] = str(roomy.port)
    with roomy:
        assert get(roomy.port, "/livez", {"Cookie": "x" * 7_000}).status == 200
        assert get(roomy.port, "/livez", {"X-Large": "x" * 14_000}).status == 200


def test_a_target_that_is_too_long_is_refused(daemon: Program) -> None:
    assert get(daemon.port, "/" + "x" * 20_000).status in (414, 431)


@pytest.mark.parametrize(
    "text",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /ping HTTP/1.1\r\nHost: x\r\nContent-Length: nonsense\r\n\r\n",
        b"GET /livez HTTP/9.9\r\nHost: x\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused(daemon: Program, text: bytes) -> None:
    with Connection(daemon.port) as connection:
        connection.send(text)
        assert_json_error(connection.read_response(), 505 if b"9.9" in text else 400)
    assert get(daemon.port, "/livez").status == 200


def test_an_absolute_target_is_understood(daemon: Program) -> None:
    assert get(daemon.port, f"http://127.0.0.1:{daemon.port}/livez").status == 200


def test_http_1_0_closes(daemon: Program) -> None:
    with Connection(daemon.port) as connection:
        connection.send(b"GET /livez HTTP/1.0\r\n\r\n")
        assert connection.read_response().status == 200
        assert connection.closed(5)


def test_requests_in_one_packet_are_answered_in_order(daemon: Program) -> None:
    with Connection(daemon.port) as connection:
        connection.send(
            b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        assert [connection.read_response().status for _ in range(3)] == [200, 404, 200]


def test_a_request_may_come_byte_by_byte(daemon: Program) -> None:
    with Connection(daemon.port) as connection:
        for byte in b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n":
            connection.send(bytes([byte]))
            time.sleep(0.001)
        assert connection.read_response().status == 200


def test_ipv6_and_ipv4_are_served(daemon: Program) -> None:
    assert get(daemon.port, "/livez", host="127.0.0.1").status == 200
    try:
        socket.create_connection(("::1", daemon.port), 2).close()
    except OSError:
        pytest.skip("no IPv6 on this machine")
    assert get(daemon.port, "/livez", host="::1").status == 200


@pytest.mark.parametrize("count", [128, 256, 384])
@pytest.mark.parametrize("path", ["/livez", "work"])
def test_idle_connections_that_all_ask_at_the_same_moment_are_answered(daemon: Program, count: int, path: str) -> None:
    """The library misses what is ready at once in multiples of 128 when it waits by itself."""
    if path == "work":
        path = "/ping" if daemon.name == "pingpong" else "/log-output"
    answers = ask_all_at_once(daemon.port, path, count, timeout=30)
    assert {answer.status for answer in answers} == {200}
    if path != "/livez":
        assert len({answer.text.rsplit("}")[0].rsplit(":")[-1] for answer in answers}) == count


def test_connections_over_the_limit_push_out_the_idle_ones(daemon: Program) -> None:
    """HTTP_CONNECTIONS_MAX: whoever comes is served, the connection that was idle longest goes."""
    limited = Program(daemon.argv, {**daemon.env, "PORT": 0, "HTTP_CONNECTIONS_MAX": 8})
    limited.env["PORT"] = str(limited.port)
    with limited:
        connections = []
        try:
            for _ in range(30):
                connection = Connection(limited.port)
                assert connection.request("GET", "/livez").status == 200
                connections.append(connection)
            eventually(lambda: sum(not connection.closed(0.01) for connection in connections) <= 8, 5, "the idle ones closed")
            assert connections[-1].request("GET", "/livez").status == 200
        finally:
            for connection in connections:
                connection.close()


def test_a_connection_that_completes_nothing_is_closed(daemon: Program) -> None:
    """Also one on which a byte comes now and then."""
    impatient = Program(daemon.argv, {**daemon.env, "HTTP_IDLE_TIMEOUT_MS": 1000, "HTTP_REQUEST_TIMEOUT_MS": 1000})
    impatient.env["PORT"] = str(impatient.port)
    with impatient, Connection(impatient.port) as silent, Connection(impatient.port) as dripping:
        started = time.monotonic()
        dripping.send(b"GET /livez HTTP/1.1\r\n")
        while not dripping.closed(0.2):
            assert time.monotonic() - started < 60
            try:
                dripping.send(b"X-A: b\r\n")
            except OSError:
                break
        assert silent.closed(15)


def test_the_port_being_taken_is_a_clear_error(daemon: Program) -> None:
    second = Program(daemon.argv, {**daemon.env, "PORT": daemon.port}, port=daemon.port)
    second.launch()
    try:
        assert second.wait(20) == 1
        assert "taken" in second.stderr() and str(daemon.port) in second.stderr()
    finally:
        second.discard()


SPECULATIVE = [
    ("Sec-Purpose", "prefetch"),
    ("Sec-Purpose", "prefetch;prerender"),
    ("sec-purpose", "Prefetch ; x"),
    ("Sec-Purpose", "prefetch;anonymous-client-ip"),
    ("Purpose", "prefetch"),
    ("X-Purpose", "preview"),
    ("X-moz", "prefetch"),
]


@pytest.mark.parametrize("header", SPECULATIVE, ids=": ".join)
def test_a_request_ahead_of_a_view_does_not_count(reader: Program, pingpong: Program, header: tuple[str, str]) -> None:
    """Browsers fetch pages that may be wanted next; refused, they ask again when the view comes."""
    before = get(pingpong.port, "/count").json()["pong"]
    for port, path in ((pingpong.port, "/ping"), (pingpong.port, "/pingpong"), (reader.port, "/log-output")):
        answer = get(port, path, dict([header]))
        assert_json_error(answer, 403)
        assert answer.headers["cache-control"] == "no-store"
    # What counts nothing may be fetched ahead.
    for path in ("/livez", "/"):
        assert get(reader.port, path, dict([header])).status == 200
    assert get(pingpong.port, "/count", dict([header])).json()["pong"] == before


@pytest.mark.parametrize(
    "header", [("Sec-Purpose", ""), ("Sec-Purpose", "prefetched"), ("Purpose", "x prefetch"), ("Sec-Fetch-Dest", "prefetch")], ids=": ".join
)
def test_other_purposes_count(pingpong: Program, header: tuple[str, str]) -> None:
    before = get(pingpong.port, "/count").json()["pong"]
    assert get(pingpong.port, "/ping", dict([header])).json()["pong"] == before + 1
