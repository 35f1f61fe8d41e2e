"""The counter's contract, on a database that is well."""

from __future__ import annotations

import time

import pytest

from harness.http import Connection, get, metrics, request
from harness.process import eventually
from programs import Database, Program, in_threads, pingpong as make_pingpong, pong


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/ping", "/pingpong"])
def test_ping_counts_from_one(pingpong: Program, database: Database, method: str, path: str) -> None:
    assert [pong(request(pingpong.port, method, path)) for _ in range(3)] == [1, 2, 3]
    assert database.count() == 3


def test_ping_takes_a_query_and_a_body(pingpong: Program) -> None:
    assert pong(get(pingpong.port, "/ping?a=b")) == 1
    assert pong(request(pingpong.port, "POST", "/ping", body=b"x" * 1000)) == 2


def test_count_does_not_increment(pingpong: Program) -> None:
    assert pong(get(pingpong.port, "/count")) == 0
    get(pingpong.port, "/ping")
    assert [pong(get(pingpong.port, "/count")) for _ in range(3)] == [1, 1, 1]
    assert pong(get(pingpong.port, "/ping")) == 2


def test_count_is_what_the_database_has(pingpong: Program, database: Database) -> None:
    assert pong(get(pingpong.port, "/ping")) == 1
    database.query("UPDATE counters SET count = 41")
    assert pong(get(pingpong.port, "/count")) == 41
    assert pong(get(pingpong.port, "/ping")) == 42


def test_root_and_livez_and_healthz_say_ok(pingpong: Program) -> None:
    for path in ("/", "/livez", "/healthz"):
        answer = get(pingpong.port, path)
        assert (answer.status, answer.text) == (200, "OK")
        assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("path", ["/ping", "/pingpong"])
def test_head_never_increments(pingpong: Program, database: Database, path: str) -> None:
    answer = request(pingpong.port, "HEAD", path)
    assert answer.status == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "POST"}
    assert database.count() == 0


def test_numbers_are_unique_and_in_order_over_two_replicas(pingpong: Program, database: Database) -> None:
    """A number is larger than every one that was acknowledged before its request was sent."""
    clients, rounds = 16, 40
    with make_pingpong(database.env()) as other:
        ports = [pingpong.port, other.port]

        def client(index: int) -> list[tuple[float, float, int]]:
            seen = []
            with Connection(ports[index % 2]) as first, Connection(ports[(index + 1) % 2]) as second:
                for turn in range(rounds):
                    sent = time.monotonic()
                    number = pong((first, second)[turn % 2].request("GET", "/ping"))
                    seen.append((sent, time.monotonic(), number))
            return seen

        history = [entry for seen in in_threads(clients, client) for entry in seen]
    numbers = sorted(number for _, _, number in history)
    assert numbers == list(range(1, clients * rounds + 1))
    assert database.count() == clients * rounds

    by_number = sorted(history, key=lambda entry: entry[2])
    latest_sent = 0.0
    for sent, answered, number in by_number:
        assert answered >= latest_sent, f"{number} was answered before a smaller number's request was sent"
        latest_sent = max(latest_sent, sent)


def test_pings_that_wait_are_committed_together(pingpong: Program, database: Database) -> None:
    """While a lock holds the first one up, the rest wait, and then take one statement."""
    holder = database.cluster.connect(database.name)
    try:
        with holder.cursor() as cursor:
            cursor.execute("BEGIN; SELECT * FROM counters FOR UPDATE")
            connections = [Connection(pingpong.port) for _ in range(50)]
            for connection in connections:
                connection.send_request("GET", "/ping")
            eventually(lambda: metrics(pingpong.port)["pingpong_queue_length"] >= 49, 5, "50 pings waiting")
            cursor.execute("ROLLBACK")
        numbers = [pong(connection.read_response()) for connection in connections]
    finally:
        holder.close()
    for connection in connections:
        connection.close()
    assert sorted(numbers) == list(range(1, 51))
    batches = metrics(pingpong.port)["pingpong_batch_size_count"]
    assert batches <= 3, f"50 waiting pings took {batches} batches"


def test_acknowledged_is_on_disk_even_where_the_role_says_otherwise(database: Database) -> None:
    """synchronous_commit is on: right after an answer nothing is left to be flushed. (Now and then
    the server itself has something in between.)"""
    database.cluster.query(f'ALTER ROLE "{database.role}" SET synchronous_commit = off')
    pending = []
    with make_pingpong(database.env()) as running, Connection(running.port) as connection:
        for _ in range(20):
            pong(connection.request("GET", "/ping"))
            pending += database.cluster.query("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), pg_current_wal_flush_lsn())::bigint")
    assert len([row for row in pending if row[0] > 0]) <= 4, pending


def test_healthz_costs_at_most_a_query_a_second(pingpong: Program, database: Database) -> None:
    def statements() -> int:
        rows = database.cluster.query(
            "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = %s)",
            (database.name,),
        )
        return rows[0][0]

    seconds = 3.0
    before, started, probes = statements(), time.monotonic(), 0
    with Connection(pingpong.port) as connection:
        while time.monotonic() - started < seconds:
            assert connection.request("GET", "/healthz").status == 200
            probes += 1
    assert statements() - before <= seconds + 1
    assert probes > 100


def test_many_pings_leave_few_rows(pingpong: Program, database: Database) -> None:
    """What is kept for exactly-once grows neither with time nor with replicas that are gone."""
    for _ in range(3):
        with make_pingpong(database.env()) as other, Connection(other.port) as connection:
            for _ in range(30):
                pong(connection.request("GET", "/ping"))
    tables = database.query("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
    rows = {name: database.query(f'SELECT count(*) FROM "{name}"')[0][0] for (name,) in tables}
    assert rows["counters"] == 1
    assert max(rows.values()) <= 2, rows


def test_the_database_may_be_given_by_name(database: Database) -> None:
    """Looked up in a thread; the first of several addresses may be one where nobody listens."""
    with make_pingpong(database.env(DB_HOST="localhost")) as running:
        assert pong(get(running.port, "/ping")) == 1
