"""The page: four lines, each of which says so itself when something is missing."""

from __future__ import annotations

import hashlib
import re
import socket
import threading
import time
from pathlib import Path

import pytest

from harness.http import Connection, get, metrics, request
from harness.process import eventually, free_port
from programs import PATIENCE, Database, Program, in_threads, log_lines, pingpong as make_pingpong, reader as make_reader, timed
from upstreams import upstream  # noqa: F401 - a fixture

STAMP = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def page_of(settings: dict[str, object], **changes: object) -> Program:
    env = {name: value for name, value in {**settings, **changes}.items() if value is not None}
    return make_reader(env)


def lines(port: int, status: int = 200, timeout: float = 10.0) -> list[str]:
    answer = get(port, "/log-output", timeout=timeout)
    assert answer.status == status, answer.text
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.text.endswith("\n")
    found = answer.text.split("\n")[:-1]
    assert len(found) == 4, answer.text
    return found


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_the_page_is_exact(reader: Program, shared_file: Path) -> None:
    for number in (1, 2, 3):
        before = shared_file.read_bytes()
        body = get(reader.port, "/log-output").body
        found = re.fullmatch(
            rb"file content: this text is from file\nenv variable: MESSAGE=hello world\n"
            rb"(" + STAMP + rb"): ([0-9a-f]{64})\nPing / Pongs: (\d+)\n",
            body,
        )
        assert found, body
        stamp, digest, pongs = found.groups()
        assert digest.decode() == sha256(stamp.decode())
        assert int(pongs) == number
        assert stamp >= before.split(b"\n")[-2]
        assert stamp + b"\n" in shared_file.read_bytes()


def test_each_view_is_one_ping_and_nothing_else_is(reader: Program, database: Database) -> None:
    for path in ("/", "/?x=y", "/version", "/healthz", "/livez", "/metrics", "/favicon.ico", "/nothing", "/page"):
        get(reader.port, path)
    for method in ("HEAD", "POST", "OPTIONS", "PUT"):
        request(reader.port, method, "/")
        request(reader.port, method, "/log-output")
    assert database.count() == 0
    get(reader.port, "/log-output")
    get(reader.port, "/log-output?x=y")
    assert database.count() == 2


def test_a_config_edit_shows_without_a_restart(reader: Program, page_settings: dict[str, object], tmp_path: Path) -> None:
    """Also by the swap of a link, as Kubernetes does with a ConfigMap."""
    config = Path(str(page_settings["CONFIG_FILE"]))
    config.write_text("edited\n")
    assert lines(reader.port)[0] == "file content: edited"
    (tmp_path / "next").write_text("swapped")
    (tmp_path / "link").symlink_to(tmp_path / "next")
    (tmp_path / "link").rename(config)
    assert lines(reader.port)[0] == "file content: swapped"


def test_a_missing_config_is_named(reader: Program, page_settings: dict[str, object]) -> None:
    config = Path(str(page_settings["CONFIG_FILE"]))
    config.unlink()
    found = lines(reader.port)
    assert str(config) in found[0] and "No such file" in found[0]
    assert found[1] == "env variable: MESSAGE=hello world" and found[3] == "Ping / Pongs: 1"


def test_a_missing_message_is_named(page_settings: dict[str, object], upstream) -> None:
    with page_of(page_settings, MESSAGE=None, PINGPONG_URL=upstream(b'{"pong":7}').url()) as page:
        found = lines(page.port)
    assert found[1].startswith("env variable: ") and "MESSAGE is not set" in found[1]
    assert found[3] == "Ping / Pongs: 7"


def test_whatever_the_texts_hold_the_page_has_four_lines_of_utf8(page_settings: dict[str, object], upstream) -> None:
    config = Path(str(page_settings["CONFIG_FILE"]))
    with page_of(page_settings, MESSAGE="two\nlines \t\x01 Grüße", PINGPONG_URL=upstream(b'{"pong":7}').url()) as page:
        for content in (b"a\nb\r\nc", b"", b"\xff\xfe\x00", b"x" * 1_000_000, b"\n\n\n", "größer €".encode()):
            config.write_bytes(content)
            answer = get(page.port, "/log-output")
            assert answer.status == 200
            text = answer.body.decode("utf-8")  # strictly
            assert text.count("\n") == 4 and text.endswith("Ping / Pongs: 7\n")
            assert "Grüße" in text


def test_the_originals_shared_file_is_read(page_settings: dict[str, object], tmp_path: Path, upstream) -> None:
    """One timestamp, no newline."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.123Z", time.gmtime())
    original = tmp_path / "original.txt"
    original.write_text(stamp)
    with page_of(page_settings, SHARED_FILE=original, PINGPONG_URL=upstream(b'{"pong":7}').url()) as page:
        assert lines(page.port)[2] == f"{stamp}: {sha256(stamp)}"
        assert get(page.port, "/healthz").status == 200


def test_the_last_complete_line_counts(page_settings: dict[str, object], tmp_path: Path, upstream) -> None:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.999Z", time.gmtime())
    file = tmp_path / "torn.txt"
    file.write_text(f"2025-07-21T10:30:00.123Z\n{stamp}\n2025-07-2")
    with page_of(page_settings, SHARED_FILE=file, PINGPONG_URL=upstream(b'{"pong":7}').url()) as page:
        assert lines(page.port)[2] == f"{stamp}: {sha256(stamp)}"


def test_a_missing_or_stale_file_is_named_and_not_ready(page_settings: dict[str, object], tmp_path: Path, upstream) -> None:
    file = tmp_path / "shared.txt"
    with page_of(page_settings, SHARED_FILE=file, PINGPONG_URL=upstream(b'{"pong":7}').url()) as page:
        for content, word in ((None, "No such file"), (b"2025-07-21T10:30:00.123Z\n", "stale"), (b"nonsense\n", "")):
            if content is not None:
                file.write_bytes(content)
            found = lines(page.port)
            assert word in found[2]
            assert re.fullmatch(STAMP.decode() + ": [0-9a-f]{64}", found[2]) is None
            assert found[3] == "Ping / Pongs: 7"
            health = get(page.port, "/healthz")
            assert health.status == 500 and word in health.text
            assert get(page.port, "/livez").status == 200


def test_healthz_says_whether_pingpong_is_ready_and_does_not_count(page_settings: dict[str, object], upstream) -> None:
    away = upstream(b'{"pong":7}')
    with page_of(page_settings, PINGPONG_URL=away.url()) as page:
        eventually(lambda: get(page.port, "/healthz").json()["pingpong"] == "ready", 10)
        assert get(page.port, "/healthz").status == 200
        assert away.pings == 0
    with page_of(page_settings, PINGPONG_URL=f"http://127.0.0.1:{free_port()}/ping") as page:
        eventually(lambda: "refused" in get(page.port, "/healthz").text.lower() or "connect" in get(page.port, "/healthz").text.lower(), 10)
        assert get(page.port, "/healthz").status == 200


def test_ready_may_require_pingpong(page_settings: dict[str, object], upstream, database: Database) -> None:
    port = free_port()
    with page_of(page_settings, PINGPONG_URL=f"http://127.0.0.1:{port}/ping", READY_REQUIRES_PINGPONG="true") as page:
        assert get(page.port, "/healthz").status == 500
        with make_pingpong(database.env(), port=port):
            eventually(lambda: get(page.port, "/healthz").status == 200, 10, "ready with pingpong")
        eventually(lambda: get(page.port, "/healthz").status == 500, 10, "not ready without it")
        assert database.count() == 0


def test_without_pingpong_the_page_is_503_and_says_so(page_settings: dict[str, object]) -> None:
    with page_of(page_settings, PINGPONG_URL=f"http://127.0.0.1:{free_port()}/ping") as page:
        answer, took = timed(lambda: get(page.port, "/log-output"))
        assert answer.status == 503 and answer.headers["retry-after"] == "1"
        found = answer.text.split("\n")
        assert found[0] == "file content: this text is from file"
        assert found[3].startswith("Ping / Pongs: ") and not re.search(r": \d", found[3])
        assert took < 2 * PATIENCE


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"OK",
        b"{}",
        b"[]",
        b"42",
        b"null",
        b'{"pong":}',
        b'{"pong":"7"}',
        b'{"pong":-1}',
        b'{"pong":1.5}',
        b'{"pong":1e99}',
        b'{"pong":99999999999999999999}',
        b'{"pong":7}garbage',
        b'{"pong":7',
        b'{"ping":7}',
        b'{"pong":null}',
        b"\xff\xfe",
        b"{" * 2000,
        b'{"pong":7}' + b" " * 2_000_000,
    ],
)
def test_nonsense_is_not_a_number(page_settings: dict[str, object], upstream, body: bytes) -> None:
    with page_of(page_settings, PINGPONG_URL=upstream(body).url()) as page:
        found = lines(page.port, 503)
        assert found[3].startswith("Ping / Pongs: ") and not re.search(r"Pongs: [\d-]", found[3])


@pytest.mark.parametrize(
    "reply",
    [
        b'HTTP/1.1 500 Internal Server Error\r\nContent-Length: 10\r\n\r\n{"pong":7}',
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"pong":7}',
        b"nonsense\r\n\r\n",
        b"",
    ],
)
def test_other_answers_are_not_a_number(page_settings: dict[str, object], upstream, reply: bytes) -> None:
    def answer(client: socket.socket, _: bytes) -> None:
        client.sendall(reply)
        client.shutdown(socket.SHUT_RDWR)

    with page_of(page_settings, PINGPONG_URL=upstream(answer).url()) as page:
        found = lines(page.port, 503)
        assert not re.search(r"Pongs: \d", found[3])


def test_a_ping_is_not_sent_twice(page_settings: dict[str, object], upstream) -> None:
    """One that broke off may have been counted: the page says so, and does not try again."""

    def break_off(client: socket.socket, _: bytes) -> None:
        client.shutdown(socket.SHUT_RDWR)

    server = upstream(break_off)
    with page_of(page_settings, PINGPONG_URL=server.url()) as page:
        for _ in range(5):
            lines(page.port, 503)
    assert server.pings <= 5


def test_a_slow_pingpong_blocks_neither_probes_nor_others(page_settings: dict[str, object], upstream) -> None:
    release = threading.Event()

    def answer(client: socket.socket, _: bytes) -> None:
        release.wait(20)
        client.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"pong":7}')

    server = upstream(answer)
    with page_of(page_settings, PINGPONG_URL=server.url(), UPSTREAM_TIMEOUT_MS=15000) as page:
        waiting = [Connection(page.port, timeout=30) for _ in range(20)]
        for connection in waiting:
            connection.send_request("GET", "/log-output")
        eventually(lambda: server.pings == 20, 10, "20 pages waiting")
        for path in ("/livez", "/healthz", "/metrics"):
            _, took = timed(lambda: get(page.port, path))
            assert took < 0.5 * PATIENCE, path
        release.set()
        assert [connection.read_response().status for connection in waiting] == [200] * 20
        for connection in waiting:
            connection.close()


def test_a_pingpong_that_does_not_answer_is_given_up_in_time(page_settings: dict[str, object], upstream) -> None:
    server = upstream(lambda client, _: time.sleep(10))
    with page_of(page_settings, PINGPONG_URL=server.url(), UPSTREAM_TIMEOUT_MS=500) as page:
        answer, took = timed(lambda: get(page.port, "/log-output"))
        assert answer.status == 503
        assert 0.45 <= took < 0.5 + PATIENCE
        assert "500 ms" in answer.text or "0.5 s" in answer.text or "time" in answer.text


def test_an_answer_without_end_is_given_up_in_time(page_settings: dict[str, object], upstream) -> None:
    def drip(client: socket.socket, _: bytes) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(600):
            client.sendall(b"1\r\n \r\n")
            time.sleep(0.05)

    with page_of(page_settings, PINGPONG_URL=upstream(drip).url(), UPSTREAM_TIMEOUT_MS=600) as page:
        answer, took = timed(lambda: get(page.port, "/log-output"))
        assert answer.status == 503 and took < 0.6 + PATIENCE


def test_connections_are_kept_and_bounded(page_settings: dict[str, object], upstream) -> None:
    server = upstream(b'{"pong":7}')
    with page_of(page_settings, PINGPONG_URL=server.url(), UPSTREAM_CONNECTIONS_MAX=4) as page:
        with Connection(page.port) as connection:
            for _ in range(200):
                assert connection.request("GET", "/log-output").status == 200
        # New ones are made now and then, to meet every replica; how often depends on the machine.
        assert server.connections <= 100, "a connection for each page"
        answers = in_threads(30, lambda _: get(page.port, "/log-output").status)
        assert answers == [200] * 30
        assert len(server.open) <= 4 + 1, "four for pages, one to see whether it is ready"


def test_a_ping_that_may_have_been_counted_is_not_asked_again(page_settings: dict[str, object], upstream) -> None:
    """A kept-alive connection that ends where its answer should be: the ping has been seen all the same."""

    def answer(client: socket.socket, _: bytes) -> None:
        if server.pings % 2 == 0:
            client.shutdown(socket.SHUT_RDWR)
            raise OSError("closed on purpose")
        client.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"pong":7}')

    server = upstream(answer)
    with page_of(page_settings, PINGPONG_URL=server.url()) as page:
        for views in range(1, 11):
            assert get(page.port, "/log-output").status == (200 if views % 2 else 503)
            assert server.pings == views


def test_connections_age(page_settings: dict[str, object], upstream) -> None:
    """So that a new version of pingpong gets its share behind a Service."""
    server = upstream(b'{"pong":7}')
    with page_of(page_settings, PINGPONG_URL=server.url(), UPSTREAM_CONNECTION_AGE_MS=1000) as page:
        with Connection(page.port) as connection:
            end = time.monotonic() + 4.5
            while time.monotonic() < end:
                assert connection.request("GET", "/log-output").status == 200
                time.sleep(0.1)
    assert 3 <= server.connections <= 12


def test_a_full_queue_is_503_at_once(page_settings: dict[str, object], upstream) -> None:
    release = threading.Event()

    def answer(client: socket.socket, _: bytes) -> None:
        release.wait(20)
        client.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"pong":7}')

    server = upstream(answer)
    with page_of(
        page_settings, PINGPONG_URL=server.url(), UPSTREAM_TIMEOUT_MS=15000, UPSTREAM_CONNECTIONS_MAX=2, UPSTREAM_QUEUE_MAX=3
    ) as page:
        waiting = [Connection(page.port, timeout=30) for _ in range(10)]
        for expected, connection in enumerate(waiting, 1):
            connection.send_request("GET", "/log-output")
            # Views that arrive together would travel as one request and leave room in the queue.
            eventually(lambda: server.pings == min(expected, 2), 10, "two requests under way")
        turned_away = 'http_requests_total{route="/log-output",method="GET",code="503"}'
        eventually(lambda: metrics(page.port).get(turned_away, 0) == 5, 10, "five turned away")
        release.set()
        statuses = sorted(connection.read_response().status for connection in waiting)
        assert statuses == [200] * 5 + [503] * 5
        for connection in waiting:
            connection.close()


def test_it_recovers_when_pingpong_comes_back(page_settings: dict[str, object], database: Database) -> None:
    port = free_port()
    with page_of(page_settings, PINGPONG_URL=f"http://127.0.0.1:{port}/ping") as page:
        lines(page.port, 503)
        for expected in (1, 2):
            with make_pingpong(database.env(), port=port):
                assert lines(page.port)[3] == f"Ping / Pongs: {expected}"
            lines(page.port, 503)


def test_upstream_metrics(page_settings: dict[str, object], upstream) -> None:
    with page_of(page_settings, PINGPONG_URL=upstream(b'{"pong":7}').url()) as page:
        for _ in range(3):
            lines(page.port)
        found = metrics(page.port)
        assert sum(value for key, value in found.items() if key.startswith("log_output_upstream_requests_total")) == 3
        assert found["log_output_upstream_duration_seconds_count"] == 3
        assert found["log_output_upstream_queue_length"] == 0
        assert 0 <= found["log_output_shared_file_age_seconds"] < 5
        eventually(lambda: metrics(page.port)["log_output_pingpong_ready"] == 1, 10)


def test_a_name_that_does_not_resolve_is_named(page_settings: dict[str, object]) -> None:
    with page_of(page_settings, PINGPONG_URL="http://no-such-host.invalid:3001/ping") as page:
        found = lines(page.port, 503)
        assert not re.search(r"Pongs: \d", found[3])
        assert get(page.port, "/livez").status == 200
        log_lines(page.stderr())
