"""SIGTERM and SIGINT: readiness fails at once, requests are served, then the end."""

from __future__ import annotations

import signal
import time

import pytest

from harness.http import Connection, get
from harness.process import eventually
from programs import DRAIN_MS, PATIENCE, Database, Program, log_lines, pingpong as make_pingpong, pong, timed


@pytest.fixture(params=["pingpong", "reader", "witness"])
def daemon(request: pytest.FixtureRequest) -> Program:
    return request.getfixturevalue(request.param)


def draining_copy(daemon: Program, drain_ms: int) -> Program:
    """The same daemon once more, with a drain of its own."""
    copy = Program(daemon.argv, {**daemon.env, "DRAIN_MS": drain_ms}, ready="/healthz")
    copy.env["PORT"] = str(copy.port)
    return copy


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_drains(daemon: Program, number: int) -> None:
    drain_ms = DRAIN_MS
    with draining_copy(daemon, drain_ms) as copy, Connection(copy.port) as kept:
        assert kept.request("GET", "/livez").headers.get("connection", "").lower() != "close"
        started = time.monotonic()
        copy.signal(number)
        eventually(lambda: get(copy.port, "/healthz").status == 500, 0.5 * PATIENCE, "readiness failing at once")
        assert get(copy.port, "/livez").status == 200
        served = get(copy.port, {"pingpong": "/ping", "reader": "/log-output", "witness": "/verdict"}[copy.name])
        assert served.status == 200
        assert served.headers["connection"].lower() == "close"
        last = kept.request("GET", "/livez")
        assert last.status == 200 and last.headers["connection"].lower() == "close"
        assert kept.closed(5)
        assert copy.wait(20) == 0
        assert drain_ms / 1000 - 0.1 <= time.monotonic() - started
        log_lines(copy.stderr())


def test_without_drain_time_it_ends_soon(daemon: Program) -> None:
    with draining_copy(daemon, 0) as copy:
        copy.terminate()
        status, took = timed(lambda: copy.wait(20))
        assert status == 0
        assert took < 2 * PATIENCE


def test_a_second_signal_ends_it_at_once(daemon: Program) -> None:
    copy = draining_copy(daemon, 60000).start()
    try:
        copy.terminate()
        eventually(lambda: get(copy.port, "/healthz").status == 500, 5, "draining")
        copy.terminate()
        _, took = timed(lambda: copy.wait(20))
        assert took < 2 * PATIENCE
    finally:
        copy.discard()


def test_a_request_in_flight_is_answered(database: Database) -> None:
    """A ping that waits for the database when the drain ends still gets its number."""
    holder = database.cluster.connect(database.name)
    with make_pingpong(database.env(DB_TIMEOUT_MS=20000, PING_TIMEOUT_MS=20000)) as running:
        with holder.cursor() as cursor, Connection(running.port, timeout=30) as connection:
            cursor.execute("BEGIN; SELECT * FROM counters FOR UPDATE")
            connection.send_request("GET", "/ping")
            eventually(lambda: database.cluster.backends("wait_event_type = 'Lock'", database.name), 10, "the ping waiting")
            running.terminate()
            with pytest.raises(AssertionError, match="still runs"):
                running.wait(0.5)
            cursor.execute("ROLLBACK")
            answer = connection.read_response()
            assert pong(answer) == 1
            assert running.wait(20) == 0
    holder.close()


def test_an_idle_connection_does_not_keep_it(daemon: Program) -> None:
    with draining_copy(daemon, 0) as copy, Connection(copy.port) as idle, Connection(copy.port) as half:
        assert idle.request("GET", "/livez").status == 200
        half.send(b"GET /livez HT")
        eventually(lambda: copy.descriptors() > 0, 1)
        copy.terminate()
        assert copy.wait(30) in (0, 1)


def test_it_ends_without_a_database(cluster) -> None:
    env = {"DB_HOST": "127.0.0.1", "DB_PORT": "1", "DRAIN_MS": "0"}
    with make_pingpong(env, ready="/livez") as running:
        running.terminate()
        assert running.wait(20) == 0


def test_the_writer_ends_at_once(shared_file, tmp_path) -> None:
    from programs import writer

    running = writer(tmp_path / "other.txt").start()
    try:
        eventually((tmp_path / "other.txt").exists, 10, "a line")
        running.terminate()
        status, took = timed(lambda: running.wait(20))
        assert status == 0
        assert took < 2 * PATIENCE
    finally:
        running.discard()
