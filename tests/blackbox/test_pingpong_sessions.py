"""What an administrator's defaults may be, or become, without a number being given twice."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import Iterable, Iterator

import pytest

from harness import hostile
from harness.http import get, metrics
from harness.postgres import Cluster
from harness.process import eventually
from programs import Database, Program, in_background, in_threads, pingpong as make_pingpong, pong


def turn_against(database: Database, level: str) -> None:
    known = {row[0] for row in database.query("SELECT name FROM pg_settings")}
    for sql in hostile.statements(level, database.name, database.role, known):
        database.query(sql)


def count_on(programs: list[Program], first: int) -> int:
    """Pings by several clients of all programs at once: each number from `first` on comes once."""

    def client(index: int) -> list[int]:
        return [pong(get(programs[index % len(programs)].port, "/ping")) for _ in range(20)]

    numbers = sorted(number for got in in_threads(8, client) for number in got)
    assert numbers == list(range(first, first + 160))
    return first + 160


def wait_longer_than_any_timeout(database: Database, program: Program, number: int) -> None:
    """The counter's row is locked by another for longer than a hostile time-out allows, and the ping waits."""
    connection = database.cluster.connect(database.name)
    with connection.cursor() as cursor:
        cursor.execute(hostile.NO_TIMEOUTS)
        cursor.execute("BEGIN")
        cursor.execute("SELECT FROM public.counters FOR UPDATE")
        ping, answers = in_background(lambda: get(program.port, "/ping", timeout=60))
        eventually(lambda: database.cluster.backends("wait_event_type = 'Lock'", database.name), 20, "a ping waiting for the lock")
        time.sleep(2 * hostile.TIMEOUT_MS / 1000)
    connection.close()
    ping.join(60)
    assert [pong(answer) for answer in answers] == [number]


def let_through(database: Database) -> None:
    """Row security that a policy opens for everybody: with row_security off it would be an error."""
    for table in ("public.counters", "public.pingpong_writers", "public.pingpong_parked"):
        database.query(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
        database.query(f"CREATE POLICY everybody ON {table} USING (true) WITH CHECK (true)")


def crowd(database: Database) -> None:
    """More writers than stay in the ledger, so that the next registration parks them."""
    database.query(
        "INSERT INTO public.pingpong_writers (slot, writer) SELECT max(slot) + s, gen_random_uuid()"
        " FROM public.pingpong_writers, generate_series(1, 20) s GROUP BY s"
    )
    database.query("UPDATE public.counters SET ledger = ledger || array_fill(7::bigint, ARRAY[60])")


def reconnect(database: Database, program: Program) -> None:
    before = metrics(program.port)["pingpong_database_reconnects_total"]
    database.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()", (database.name,)
    )
    eventually(
        lambda: metrics(program.port)["pingpong_database_reconnects_total"] > before and get(program.port, "/healthz").status == 200,
        20,
        "connected anew",
    )


@pytest.mark.parametrize("level", hostile.LEVELS)
def test_hostile_defaults_change_nothing(own_cluster: Cluster, level: str) -> None:
    """Set while connected, then found on new connections, by old processes and by new ones."""
    database = Database(own_cluster)
    env = database.env(DB_TIMEOUT_MS=30000, PING_TIMEOUT_MS=30000)
    with make_pingpong(env) as first, make_pingpong(env) as second:
        next_number = count_on([first, second], 1)
        for sql in hostile.shadow(database.role):
            database.query(sql)
        let_through(database)
        turn_against(database, level)
        next_number = count_on([first, second], next_number)
        crowd(database)
        reconnect(database, first)
        assert database.query("SELECT count(*) >= 20 FROM public.pingpong_parked") == [(True,)]
        next_number = count_on([first, second], next_number)
        wait_longer_than_any_timeout(database, first, next_number)
        next_number += 1
        with make_pingpong(env) as third:
            next_number = count_on([first, second, third], next_number)
        assert metrics(first.port)["pingpong_history_lost_total"] == 0
    assert database.query("SELECT count FROM public.counters") == [(next_number - 1,)]
    assert database.query("SELECT count FROM elsewhere.counters") == [(0,)]


def test_a_crash_loses_nothing_although_commits_were_told_not_to_wait(own_cluster: Cluster) -> None:
    """Whoever does not wait for the disk loses what the WAL writer has not written yet."""
    own_cluster.query("ALTER SYSTEM SET wal_writer_delay = '10s'")
    own_cluster.restart()
    database = Database(own_cluster)
    with make_pingpong(database.env()) as running:
        assert pong(get(running.port, "/ping")) == 1
        own_cluster.query("ALTER SYSTEM SET synchronous_commit = off")
        own_cluster.query("SELECT pg_reload_conf()")
        assert [pong(get(running.port, "/ping")) for _ in range(20)] == list(range(2, 22))
        own_cluster.kill()
        own_cluster.start()
        eventually(lambda: get(running.port, "/healthz").status == 200, 30, "ready again")
        assert pong(get(running.port, "/ping")) == 22
        assert metrics(running.port)["pingpong_history_lost_total"] == 0


@contextmanager
def session_settings(database: Database, names: Iterable[str]) -> Iterator[dict[str, str]]:
    """What a session of the daemon has: pg_stat_activity does not show it, so a trigger of the owner's writes it down."""
    found: dict[str, str] = {}
    with make_pingpong(database.env()) as running:
        database.query("CREATE TABLE seen (name TEXT, value TEXT)")
        database.query(f'GRANT INSERT ON seen TO "{database.role}"')
        database.query(
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen"
            " SELECT name, setting FROM pg_settings WHERE name = ANY (string_to_array(TG_ARGV[0], ' ')); RETURN NULL; END $$"
        )
        database.query(f"CREATE TRIGGER note AFTER UPDATE ON counters EXECUTE FUNCTION note('{' '.join(names)}')")
        database.query("ALTER TABLE counters ENABLE ALWAYS TRIGGER note")  # whatever session_replication_role is
        assert pong(get(running.port, "/ping")) == 1
        found.update(database.query("SELECT name, value FROM seen"))
        yield found


@pytest.mark.parametrize(
    "chosen, kept", [("off", "on"), ("local", "on"), ("remote_write", "on"), ("on", "on"), ("remote_apply", "remote_apply")]
)
def test_a_stricter_commit_is_left(database: Database, chosen: str, kept: str) -> None:
    database.query(f'ALTER ROLE "{database.role}" SET synchronous_commit = {chosen}')
    with session_settings(database, ["synchronous_commit"]) as found:
        assert found == {"synchronous_commit": kept}


PINNED = {
    "synchronous_commit": "on",
    "default_transaction_isolation": "read committed",
    "transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    "client_min_messages": "warning",
    "lock_timeout": "0",
    "transaction_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "row_security": "on",
    "search_path": '"public", pg_temp',  # in the quotes that quote_all_identifiers asks for
}


def test_each_setting_is_pinned(database: Database) -> None:
    """Also where pings would succeed without: what a serializable transaction fails on is tried again."""
    known = {row[0] for row in database.query("SELECT name FROM pg_settings")}
    for sql in hostile.statements("role", database.name, database.role, known):
        database.query(sql)
    with session_settings(database, [*PINNED, "statement_timeout"]) as found:
        assert found.pop("statement_timeout") != hostile.SETTINGS["statement_timeout"]
        assert found == {name: value for name, value in PINNED.items() if name in known}


def test_an_operator_may_stop_the_writing(own_cluster: Cluster) -> None:
    """default_transaction_read_only is obeyed: nothing is counted, and it says so, until it is taken back."""
    database = Database(own_cluster)
    with make_pingpong(database.env()) as running:
        assert pong(get(running.port, "/ping")) == 1
        database.query(f'ALTER DATABASE "{database.name}" SET default_transaction_read_only = on')
        database.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()", (database.name,)
        )
        eventually(lambda: get(running.port, "/healthz").status == 500, 20, "not ready")
        answer = get(running.port, "/ping")
        assert answer.status == 503 and answer.json()["error"].endswith("this ping was not counted")
        own_cluster.query(f'ALTER DATABASE "{database.name}" RESET default_transaction_read_only')
        eventually(lambda: get(running.port, "/healthz").status == 200, 20, "ready again")
        assert pong(get(running.port, "/ping")) == 2
