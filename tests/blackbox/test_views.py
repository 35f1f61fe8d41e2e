"""From views to pings: those that wait travel together, and nothing that may have been counted is repeated."""

from __future__ import annotations

import itertools
import re
import socket
import struct
import threading
import time

import pytest

from harness.http import Connection, get, metrics
from harness.process import eventually, free_port
from programs import PATIENCE, Database, Program, in_threads, pingpong as make_pingpong, reader as make_reader, timed
from upstreams import Upstream, ok, upstream  # noqa: F401 - a fixture

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"


def page_of(settings: dict[str, object], server: Upstream | str, **changes: object) -> Program:
    url = server if isinstance(server, str) else server.url()
    return make_reader({**settings, "PINGPONG_URL": url, **changes})


def pong_line(text: str) -> str:
    return text.split("\n")[3]


def number(answer) -> int:
    assert answer.status == 200, answer.text
    return int(re.fullmatch(r"Ping / Pongs: (\d+)", pong_line(answer.text))[1])


class Counter:
    """Counts as pingpong does, in the order of arrival; the answers wait while ``go`` is not set."""

    def __init__(self) -> None:
        self.numbers = itertools.count(1)
        self.go = threading.Event()
        self.go.set()
        self.lock = threading.Lock()

    def take(self, count: int) -> int:
        with self.lock:
            first = [next(self.numbers) for _ in range(count)][0]
        self.go.wait(30)
        return first

    def one(self, client: socket.socket, _: bytes) -> None:
        client.sendall(ok(b'{"pong":%d}' % self.take(1)))

    def several(self, client: socket.socket, count: int) -> None:
        first = self.take(count)
        client.sendall(ok(b'{"first":%d,"last":%d}' % (first, first + count - 1)))


def wait_in_line(page: Program, count: int, headers: dict[str, str] | None = None) -> list[Connection]:
    """So many views, one after another, without reading the answers."""
    connections = []
    for _ in range(count):
        connections.append(Connection(page.port, timeout=30))
        connections[-1].send_request("GET", "/log-output", headers)
    return connections


def waiting(page: Program) -> float:
    return metrics(page.port)["log_output_upstream_queue_length"]


def test_views_that_wait_become_one_request(page_settings: dict[str, object], upstream) -> None:
    counter = Counter()
    server = upstream(counter.one, counter.several)
    with page_of(page_settings, server, UPSTREAM_CONNECTIONS_MAX=2, UPSTREAM_TIMEOUT_MS=20000) as page:
        counter.go.clear()
        first = []
        for expected in (1, 2):
            first += wait_in_line(page, 1)
            eventually(lambda: server.pings == expected, 10, "one more under way")
        later = []
        for expected in range(1, 31):
            later += wait_in_line(page, 1)
            eventually(lambda: waiting(page) == expected, 10, "one more waiting")
        counter.go.set()
        assert {number(connection.read_response()) for connection in first} == {1, 2}
        assert [number(connection.read_response()) for connection in later] == list(range(3, 33)), "not in order"
    assert server.counts == [30] and server.pings == 2


def test_a_lone_view_is_a_ping_of_its_own(page_settings: dict[str, object], upstream) -> None:
    counter = Counter()
    server = upstream(counter.one, counter.several)
    with page_of(page_settings, server) as page:
        assert [number(get(page.port, "/log-output")) for _ in range(5)] == [1, 2, 3, 4, 5]
    assert server.pings == 5 and not server.counts


def test_each_of_many_views_has_its_own_number(page_settings: dict[str, object], database: Database) -> None:
    with make_pingpong(database.env()) as running, page_of(page_settings, f"http://127.0.0.1:{running.port}/ping") as page:

        def viewer(_: int) -> list[int]:
            with Connection(page.port, timeout=30) as connection:
                return [number(connection.request("GET", "/log-output")) for _ in range(40)]

        seen = [found for one in in_threads(40, viewer) for found in one]
        asked = metrics(page.port)
        assert metrics(running.port)["pingpong_pings_total"] == 1600
    assert sorted(seen) == list(range(1, 1601)) and database.count() == 1600
    assert asked["log_output_upstream_batch_size_sum"] == 1600
    assert asked["log_output_upstream_batch_size_count"] < 1200, "hardly any views travelled together"


def test_a_batch_has_a_limit(page_settings: dict[str, object], upstream) -> None:
    counter = Counter()
    server = upstream(counter.one, counter.several)
    with page_of(page_settings, server, UPSTREAM_CONNECTIONS_MAX=1, UPSTREAM_BATCH_MAX=4, UPSTREAM_TIMEOUT_MS=20000) as page:
        counter.go.clear()
        views = wait_in_line(page, 1)
        eventually(lambda: server.pings == 1, 10)
        views += wait_in_line(page, 10)
        eventually(lambda: waiting(page) == 10, 10)
        counter.go.set()
        assert sorted(number(view.read_response()) for view in views) == list(range(1, 12))
    assert server.counts == [4, 4, 2]


def test_one_that_knows_only_single_pings_is_asked_so(page_settings: dict[str, object], upstream) -> None:
    counter = Counter()
    server = upstream(counter.one)
    with page_of(page_settings, server, UPSTREAM_CONNECTIONS_MAX=2) as page:
        seen = [found for one in in_threads(20, lambda _: [number(get(page.port, "/log-output")) for _ in range(5)]) for found in one]
    assert sorted(seen) == list(range(1, 101))
    # Those that were under way before the first was answered, and no more.
    assert server.pings == 100 and server.asked.count("/pings") < 10


@pytest.mark.parametrize("body", [b'{"first":1,"last":1}', b'{"first":1,"last":9}', b'{"first":5,"last":1}', b'{"pong":3}', b"OK"])
def test_numbers_that_are_not_as_many_as_asked_for_are_shown_to_no_one(page_settings: dict[str, object], upstream, body: bytes) -> None:
    counter = Counter()
    server = upstream(counter.one, lambda client, _: client.sendall(ok(body)))
    with page_of(page_settings, server, UPSTREAM_CONNECTIONS_MAX=1) as page:
        counter.go.clear()
        views = wait_in_line(page, 1)
        eventually(lambda: server.pings == 1, 10)
        views += wait_in_line(page, 3)
        eventually(lambda: waiting(page) == 3, 10)
        counter.go.set()
        answers = [view.read_response() for view in views]
        assert [answer.status for answer in answers] == [200, 503, 503, 503]
        assert all("may have been counted" in pong_line(answer.text) for answer in answers[1:])
        assert number(get(page.port, "/log-output")) == 2


def test_views_whose_viewers_have_left_are_not_asked_for(page_settings: dict[str, object], upstream) -> None:
    counter = Counter()
    server = upstream(counter.one, counter.several)
    with page_of(page_settings, server, UPSTREAM_CONNECTIONS_MAX=1, UPSTREAM_TIMEOUT_MS=20000) as page:
        counter.go.clear()
        first = wait_in_line(page, 1)
        eventually(lambda: server.pings == 1, 10)
        leavers = wait_in_line(page, 5)
        stayers = wait_in_line(page, 3)
        eventually(lambda: waiting(page) == 8, 10)
        for leaver in leavers:  # with a reset: one that only ends its side may still read
            leaver.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            leaver.close()
        time.sleep(0.5)  # the HTTP library does not always notice before there is an answer
        counter.go.set()
        seen = [number(view.read_response()) for view in first + stayers]
        left = metrics(page.port)['log_output_upstream_requests_total{result="abandoned"}']
    assert len(set(seen)) == 4 and max(seen) <= 9 - left
    assert server.counts == [8 - left]


def break_off(client: socket.socket, *_: object) -> None:
    client.shutdown(socket.SHUT_RDWR)


def half_an_answer(client: socket.socket, *_: object) -> None:
    client.sendall(ok(b'{"first":1,"last":3}')[:-9])
    client.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("several", [break_off, half_an_answer])
def test_a_batch_that_breaks_off_may_have_been_counted(page_settings: dict[str, object], upstream, several) -> None:
    counter = Counter()
    server = upstream(counter.one, several)
    with page_of(page_settings, server, UPSTREAM_CONNECTIONS_MAX=1) as page:
        counter.go.clear()
        views = wait_in_line(page, 1)
        eventually(lambda: server.pings == 1, 10)
        views += wait_in_line(page, 3)
        eventually(lambda: waiting(page) == 3, 10)
        counter.go.set()
        answers = [view.read_response() for view in views]
    assert [answer.status for answer in answers] == [200, 503, 503, 503]
    assert all("may have been counted" in pong_line(answer.text) for answer in answers[1:])
    assert server.counts == [3] and server.pings == 1


def test_what_surely_was_not_counted_is_asked_again(page_settings: dict[str, object], upstream) -> None:
    counter = Counter()
    refused = b'{"error":"the database did not answer in time; this ping was not counted"}'

    def sometimes(client: socket.socket, head: bytes) -> None:
        if server.pings % 3 != 0:
            client.sendall(ok(refused, b"HTTP/1.1 503 Service Unavailable"))
        else:
            counter.one(client, head)

    server = upstream(sometimes)
    with page_of(page_settings, server) as page:
        assert [number(get(page.port, "/log-output")) for _ in range(4)] == [1, 2, 3, 4]
        assert metrics(page.port)["log_output_upstream_repeated_total"] == 8
    assert server.pings == 12


@pytest.mark.parametrize(
    "status,body,counted",
    [
        (b"503 Service Unavailable", b'{"error":"...; this ping may have been counted"}', "may have been counted"),
        (b"503 Service Unavailable", b"upstream connect error", "may have been counted"),
        (b"500 Internal Server Error", b"", "may have been counted"),
        (b"404 Not Found", b"", "was not counted"),
    ],
)
def test_another_answer_is_not_asked_for_again(
    page_settings: dict[str, object], upstream, status: bytes, body: bytes, counted: str
) -> None:
    server = upstream(lambda client, _: client.sendall(ok(body, b"HTTP/1.1 " + status)))
    with page_of(page_settings, server) as page:
        answer = get(page.port, "/log-output")
        assert answer.status == 503 and counted in pong_line(answer.text)
    assert server.pings == 1


def test_a_refused_connection_is_made_anew(page_settings: dict[str, object], database: Database) -> None:
    """For a moment; a page for which there is no pingpong does not wait for its whole time."""
    port = free_port()
    with page_of(page_settings, f"http://127.0.0.1:{port}/ping", UPSTREAM_TIMEOUT_MS=30000) as page:
        answer, took = timed(lambda: get(page.port, "/log-output"))
        assert answer.status == 503 and "was not counted" in pong_line(answer.text) and took < PATIENCE
        assert metrics(page.port)["log_output_upstream_repeated_total"] == 4


def test_a_number_up_to_the_end_of_bigint_is_shown(page_settings: dict[str, object], upstream) -> None:
    for last in (2**53 + 1, 2**63 - 1):
        with page_of(page_settings, upstream(b'{"pong":%d}' % last)) as page:
            assert number(get(page.port, "/log-output")) == last


def test_a_connection_that_its_server_may_be_closing_is_not_used(page_settings: dict[str, object], upstream) -> None:
    """Node.js closes after 5 s and says so; another server says 2 s."""
    for keep, pause in ((b"", 4.2), (b"\r\nKeep-Alive: timeout=2", 1.2)):
        server = upstream(lambda client, _: client.sendall(ok(b'{"pong":7}', b"HTTP/1.1 200 OK" + keep)))
        with page_of(page_settings, server) as page:
            assert number(get(page.port, "/log-output")) == 7
            eventually(lambda: "/healthz" in server.asked, 10)
            before = server.connections
            time.sleep(pause)
            assert number(get(page.port, "/log-output")) == 7
            assert server.connections > before, keep


def pings_heads(server: Upstream) -> list[str]:
    return [head for head in server.heads if head.split(" ")[1] in ("/ping", "/pings")]


def field(head: str, name: str) -> str | None:
    found = re.findall(rf"(?im)^{name}: (.*?)\r?$", head)
    assert len(found) <= 1, head
    return found[0] if found else None


def test_headers_to_be_followed_by_are_passed_on(page_settings: dict[str, object], upstream) -> None:
    server = upstream(b'{"pong":7}')
    sent = {
        "traceparent": PARENT,
        "tracestate": "a=1,b@c=2",
        "baggage": "user=alice",
        "x-request-id": "r-1",
        "b3": "0",
        "x-b3-traceid": "a" * 32,
        "x-b3-spanid": "b" * 16,
        "x-b3-parentspanid": "c" * 16,
        "x-b3-sampled": "1",
        "x-b3-flags": "0",
    }
    with page_of(page_settings, server) as page:
        get(page.port, "/log-output", sent)
        get(page.port, "/log-output")
    first, second = pings_heads(server)
    for name, value in sent.items():
        if name != "traceparent":
            assert field(first, name) == value and field(second, name) is None
    assert re.fullmatch(rf"00-{TRACE_ID}-(?!b7ad6b7169203331)[0-9a-f]{{16}}-01", field(first, "traceparent"))
    assert TRACE_ID not in field(second, "traceparent")


@pytest.mark.parametrize(
    "name,value",
    [
        ("tracestate", "a=" + "x" * 1023),
        ("tracestate", "no equals"),
        ("tracestate", "A=1"),
        ("baggage", "a=" + "x" * 1023),
        ("x-request-id", "x" * 257),
        ("b3", "x" * 257),
        ("x-b3-traceid", "x" * 65),
        ("x-b3-flags", "x" * 17),
    ],
)
def test_one_that_is_too_long_or_malformed_is_left_out(page_settings: dict[str, object], upstream, name: str, value: str) -> None:
    server = upstream(b'{"pong":7}')
    with page_of(page_settings, server) as page:
        assert number(get(page.port, "/log-output", {"traceparent": PARENT, name: value})) == 7
    (head,) = pings_heads(server)
    assert field(head, name) is None and TRACE_ID in field(head, "traceparent")


@pytest.mark.parametrize("before,after", [(" ", ""), ("\t", ""), ("", " "), ("", "\t"), ("\t ", " \t")])
def test_space_around_a_header_is_no_part_of_it(page_settings: dict[str, object], upstream, before: str, after: str) -> None:
    server = upstream(b'{"pong":7}')
    with page_of(page_settings, server) as page, Connection(page.port) as connection:
        connection.send(
            f"GET /log-output HTTP/1.1\r\nHost: a\r\ntraceparent:{before}{PARENT}{after}\r\n"
            f"tracestate:{before}a=1{after}\r\ntracestate:{before}b@=2{after}\r\n\r\n".encode()
        )
        assert number(connection.read_response()) == 7
    (head,) = pings_heads(server)
    assert TRACE_ID in field(head, "traceparent") and field(head, "tracestate") == "a=1,b@=2"


def test_two_traceparents_are_none(page_settings: dict[str, object], upstream) -> None:
    server = upstream(b'{"pong":7}')
    other = PARENT.replace("0af7", "1af7")
    with page_of(page_settings, server, ACCESS_LOG="true") as page:
        with Connection(page.port) as connection:
            connection.send(
                f"GET /log-output HTTP/1.1\r\nHost: a\r\ntraceparent: {PARENT}\r\ntraceparent: {other}\r\ntracestate: a=1\r\n\r\n".encode()
            )
            assert number(connection.read_response()) == 7
        log = page.stderr()
    (head,) = pings_heads(server)
    assert TRACE_ID[4:] not in head and field(head, "tracestate") is None and TRACE_ID[4:] not in log


def test_views_with_a_trace_travel_alone(page_settings: dict[str, object], upstream) -> None:
    counter = Counter()
    server = upstream(counter.one, counter.several)
    with page_of(page_settings, server, UPSTREAM_CONNECTIONS_MAX=1, UPSTREAM_TIMEOUT_MS=20000) as page:
        counter.go.clear()
        views = wait_in_line(page, 1)
        eventually(lambda: server.pings == 1, 10)
        for index in range(4):
            views += wait_in_line(page, 1, {"traceparent": PARENT.replace("0af7", f"{index:04x}")})
            views += wait_in_line(page, 1)
        eventually(lambda: waiting(page) == 8, 10)
        counter.go.set()
        assert sorted(number(view.read_response()) for view in views) == list(range(1, 10))
    assert server.counts == [4]
    traced = [field(head, "traceparent") for head in pings_heads(server) if TRACE_ID[4:] in head]
    assert [parent[3:7] for parent in traced] == ["0000", "0001", "0002", "0003"]
