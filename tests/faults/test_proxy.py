"""The proxy against a real PostgreSQL: each point and action does what its name says."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import psycopg2
import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]

from harness.postgres import Cluster
from harness.process import eventually
from pgwire import Conversation, Framer, Message
from proxy import Action, Point, Proxy

UPDATE = "UPDATE counters SET n = n + 1 RETURNING n"


@pytest.fixture(scope="module")
def cluster():
    with Cluster() as cluster:
        cluster.query("CREATE TABLE counters (n bigint)")
        cluster.query("INSERT INTO counters VALUES (0)")
        yield cluster


@pytest.fixture
def proxy(cluster):
    with Proxy(cluster.port) as proxy:
        yield proxy


def count(cluster: Cluster) -> int:
    return cluster.query("SELECT n FROM counters")[0][0]


class Attempt:
    """One UPDATE through the proxy in a thread: it may hang."""

    def __init__(self, cluster: Cluster, proxy: Proxy):
        self.connection = cluster.connect(port=proxy.port, sslmode="disable")
        self.result: object = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(UPDATE)
                self.result = cursor.fetchone()[0]
        except psycopg2.Error as error:
            self.result = error

    def hangs(self) -> bool:
        self.thread.join(0.3)
        return self.thread.is_alive()

    def failed(self) -> bool:
        self.thread.join(5)
        return isinstance(self.result, psycopg2.Error)


def test_it_forwards(cluster, proxy) -> None:
    before = count(cluster)
    attempt = Attempt(cluster, proxy)
    attempt.thread.join(5)
    assert attempt.result == before + 1 == count(cluster)


@pytest.mark.parametrize("point, counted", [(Point.BEFORE_REQUEST, 0), (Point.AFTER_COMMIT, 1), (Point.MID_ANSWER, 1)])
def test_reset(cluster, proxy, point, counted) -> None:
    before = count(cluster)
    rule = proxy.arm(point, Action.RESET)
    assert Attempt(cluster, proxy).failed()
    rule.wait(1)
    assert count(cluster) == before + counted


@pytest.mark.parametrize("point, counted", [(Point.BEFORE_REQUEST, 0), (Point.AFTER_COMMIT, 1), (Point.MID_ANSWER, 1)])
def test_black_hole(cluster, proxy, point, counted) -> None:
    before = count(cluster)
    proxy.arm(point, Action.BLACKHOLE)
    attempt = Attempt(cluster, proxy)
    assert attempt.hangs() and count(cluster) == before + counted
    proxy.heal()
    assert attempt.failed()


def test_half_open_leaves_the_backend_running(cluster, proxy) -> None:
    before = count(cluster)
    blocker = cluster.connect()
    blocker.autocommit = False
    blocker.cursor().execute("SELECT n FROM counters FOR UPDATE")
    proxy.arm(Point.AFTER_REQUEST, Action.HALF_OPEN)
    assert Attempt(cluster, proxy).failed()
    eventually(lambda: cluster.backends("wait_event_type = 'Lock'"), 5, "the lost statement waiting for the lock")
    assert count(cluster) == before
    blocker.rollback()
    blocker.close()
    eventually(lambda: count(cluster) == before + 1, 5, "the lost statement counted after all")


def test_late_request_arrives_after_its_client_left(cluster, proxy) -> None:
    before = count(cluster)
    proxy.arm(Point.BEFORE_REQUEST, Action.LATE, delay=0.6)
    attempt = Attempt(cluster, proxy)
    assert attempt.hangs() and count(cluster) == before
    eventually(lambda: count(cluster) == before + 1, 5, "the late request counted")
    assert attempt.thread.is_alive()


def test_delay(cluster, proxy) -> None:
    rule = proxy.arm(Point.AFTER_COMMIT, Action.DELAY, delay=0.5)
    attempt = Attempt(cluster, proxy)
    assert attempt.hangs()
    attempt.thread.join(5)
    assert isinstance(attempt.result, int) and time.monotonic() - rule.wait(1) >= 0.5


def test_only_writes_are_cut_unless_told_otherwise(cluster, proxy) -> None:
    connection = cluster.connect(port=proxy.port, sslmode="disable")
    proxy.arm(Point.BEFORE_REQUEST, Action.RESET)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        proxy.heal()
        proxy.arm(Point.BEFORE_REQUEST, Action.RESET, only_writes=False)
        with pytest.raises(psycopg2.Error):
            cursor.execute("SELECT 1")


def test_refusing_and_swallowing_new_connections(cluster, proxy) -> None:
    proxy.refusing = True
    with pytest.raises(psycopg2.OperationalError):
        cluster.connect(port=proxy.port)
    proxy.refusing, proxy.swallowing = False, True
    with pytest.raises(psycopg2.OperationalError, match="timeout"):
        cluster.connect(port=proxy.port, connect_timeout=2)
    proxy.heal()
    cluster.connect(port=proxy.port).close()


def typed(kind: bytes, payload: bytes = b"") -> bytes:
    return kind + (len(payload) + 4).to_bytes(4, "big") + payload


def test_framing_byte_by_byte() -> None:
    startup = (12).to_bytes(4, "big") + (196608).to_bytes(4, "big") + b"u\0x\0"
    encryption = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")
    stream = encryption + startup + typed(b"S") + typed(b"Q", b"SELECT 1\0")
    framer, messages = Framer(untyped=True), []
    for index in range(len(stream)):
        messages += framer.feed(stream[index : index + 1])
    assert [message.kind for message in messages] == [b"", b"", b"S", b"Q"]
    assert b"".join(message.raw for message in messages) == stream


def test_a_pipelined_batch_is_one_cycle_that_writes() -> None:
    conversation = Conversation()

    def follow(kind: bytes, payload: bytes = b""):
        return conversation.follow(Message(kind, payload, typed(kind, payload)))

    assert follow(b"P", b"u\0UPDATE counters SET count = count + $1\0\0\0") is None
    assert not follow(b"S").writes  # prepared is not yet run
    follow(b"B", b"\0u\0\0\0")
    follow(b"E", b"\0\0\0\0\0")
    assert follow(b"S").writes
    assert not follow(b"Q", b"SELECT 1\0").writes


def test_statements_prepared_by_sql_are_known() -> None:
    conversation = Conversation()

    def follow(kind: bytes, payload: bytes = b""):
        return conversation.follow(Message(kind, payload, typed(kind, payload)))

    assert not follow(b"Q", b"PREPARE add (bigint) AS UPDATE counters SET count = $1; PREPARE get AS SELECT 1\0").writes
    follow(b"B", b"\0get\0\0\0")
    assert not follow(b"S").writes
    follow(b"B", b"\0add\0\0\0")
    assert follow(b"S").writes
