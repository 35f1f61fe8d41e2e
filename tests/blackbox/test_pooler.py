"""PgBouncer between: in session mode all works; in another mode nothing is counted, and the log says what to do."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import Any, Iterator

import pytest

from harness.http import get, metrics
from harness.pgbouncer import Pooler, version
from harness.process import eventually
from programs import Database, Program, in_threads, log_lines, pingpong as make_pingpong, pong

REFUSAL = "a pooler in transaction or statement mode is between"
MENDED_IN_S = 60


@contextmanager
def pooled(database: Database, mode: str, **settings: object) -> Iterator[Pooler]:
    with Pooler(database.cluster, mode, roles=(database.role,), **settings) as pooler:
        yield pooler


def errors(program: Program, message: str) -> list[str]:
    return [line["error"] for line in log_lines(program.stderr()) if line["message"] == message]


def await_refusal(program: Program) -> None:
    eventually(lambda: any(REFUSAL in error for error in errors(program, "database not available")), 30, "the refusal in the log")
    eventually(lambda: get(program.port, "/healthz").status == 500, 30, "not ready")


def counted_on_by(programs: list[Program], first: int) -> int:
    """Clients of all at once: each number from `first` on comes once."""
    got = in_threads(8, lambda index: [pong(get(programs[index % len(programs)].port, "/ping", timeout=30)) for _ in range(20)])
    assert sorted(number for numbers in got for number in numbers) == list(range(first, first + 160))
    return first + 160


VARIANTS: list[dict[str, Any]] = [{}, {"server_reset_query": ""}, {"server_round_robin": 1}]
# From 1.21 on, PgBouncer can follow prepared statements in the other modes: ours it then knows nothing of.
FOLLOWED, NOT_FOLLOWED = {}, {}
if version() >= (1, 21):
    FOLLOWED, NOT_FOLLOWED = {"max_prepared_statements": 100}, {"max_prepared_statements": 0}
    VARIANTS += [FOLLOWED, NOT_FOLLOWED]


@pytest.mark.parametrize("settings", VARIANTS, ids=json.dumps)
def test_in_session_mode_all_is_as_without(database: Database, settings: dict[str, Any]) -> None:
    """Also on sessions that others have left behind, and after a loss of the server's connections."""
    with pooled(database, "session", **settings) as pooler:
        env = database.env(DB_PORT=pooler.port)
        with make_pingpong(env) as first:
            next_number = counted_on_by([first], 1)
        with make_pingpong(env) as first, make_pingpong(env) as second:
            next_number = counted_on_by([first, second], next_number)
            for pid in database.cluster.backends(database=database.name):
                database.query("SELECT pg_terminate_backend(%s)", (pid,))
            for program in (first, second):
                eventually(
                    lambda: metrics(program.port)["pingpong_database_reconnects_total"] > 0 and get(program.port, "/healthz").status == 200,
                    MENDED_IN_S,
                    "connected anew",
                )
            next_number = counted_on_by([first, second], next_number)
            assert not any(REFUSAL in program.stderr() for program in (first, second))
        assert database.count() == next_number - 1


def test_in_session_mode_one_session_is_enough(database: Database) -> None:
    """No second one is to be had, on which it could be seen that the first is kept."""
    with pooled(database, "session", default_pool_size=1) as pooler:
        with make_pingpong(database.env(DB_PORT=pooler.port), start_timeout=30) as running:
            counted_on_by([running], 1)


@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_in_another_mode_nothing_is_counted_until_it_is_mended(database: Database, mode: str) -> None:
    with pooled(database, mode) as pooler, make_pingpong(database.env(DB_PORT=pooler.port), ready="/livez") as running:
        await_refusal(running)
        for path in ("/ping", "/count"):
            answer = get(running.port, path, timeout=30)
            assert answer.status == 503
        assert metrics(running.port)["pingpong_database_up"] == 0
        assert database.query("SELECT to_regclass('counters')") == [(None,)], "nothing was made or written"
        (told,) = set(errors(running, "database not available"))
        assert f"127.0.0.1 port {pooler.port}: {REFUSAL}" in told
        assert "pool_mode = session" in told and "the server itself" in told
        pooler.configure(pool_mode="session")
        eventually(lambda: get(running.port, "/healthz").status == 200, MENDED_IN_S, "ready, without a new start")
        counted_on_by([running], 1)


def test_sessions_that_change_between_statements_are_noticed(database: Database) -> None:
    """Each transaction gets another session in turn, so the second connection does not get the first one's."""
    with pooled(database, "transaction", server_round_robin=1) as pooler:
        others = [own_transaction(database, pooler) for _ in range(5)]
        for connection, _ in others:
            with connection.cursor() as cursor:
                cursor.execute("COMMIT")  # otherwise PgBouncer would not keep the session
            connection.close()
        assert len(database.cluster.backends(database=database.name)) == 5
        with make_pingpong(database.env(DB_PORT=pooler.port), ready="/livez") as running:
            await_refusal(running)
            assert get(running.port, "/ping", timeout=30).status == 503
            assert "database ready" not in running.stderr()
        assert database.query("SELECT to_regclass('counters')") == [(None,)] or database.count() == 0


def own_transaction(database: Database, pooler: Pooler) -> tuple[Any, int]:
    """Another client's connection with an open transaction, and the session that it has for this."""
    connection = database.cluster.connect(database.name, database.role, port=pooler.port, options="")
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT pg_backend_pid()")
        return connection, cursor.fetchone()[0]


def take_session(database: Database, pooler: Pooler) -> Any:
    """Waits until another client is given the session of pingpong; its transaction is open."""
    (wanted,) = database.cluster.backends("application_name = 'pingpong'", database.name)

    def attempt() -> Any:
        connection, pid = own_transaction(database, pooler)
        if pid == wanted:
            return connection
        connection.close()
        return None

    return eventually(attempt, 30, "another client in pingpong's session", 0.1)


def test_a_mode_changed_in_use_counts_nothing_elsewhere(database: Database) -> None:
    """Another client has the session with what was prepared; the next statement comes to one without."""
    with pooled(database, "session", **NOT_FOLLOWED) as pooler, make_pingpong(database.env(DB_PORT=pooler.port)) as running:
        assert pong(get(running.port, "/ping")) == 1
        pooler.configure(pool_mode="transaction")
        taken = take_session(database, pooler)
        await_refusal(running)
        taken.close()
        assert get(running.port, "/ping", timeout=30).status == 503
        assert database.count() == 1
        pooler.configure(pool_mode="session")
        eventually(lambda: get(running.port, "/healthz").status == 200, MENDED_IN_S, "ready again")
        assert pong(get(running.port, "/ping")) == 2
        assert metrics(running.port)["pingpong_history_lost_total"] == 0


@pytest.mark.skipif(not FOLLOWED, reason="needs PgBouncer 1.21")
def test_a_mode_changed_in_use_is_noticed_where_statements_are_followed(database: Database) -> None:
    with pooled(database, "session", **FOLLOWED) as pooler, make_pingpong(database.env(DB_PORT=pooler.port)) as running:
        assert pong(get(running.port, "/ping")) == 1
        pooler.configure(pool_mode="transaction")
        await_refusal(running)
        assert get(running.port, "/ping", timeout=30).status == 503
        assert database.count() == 1


def make_commits_not_wait(database: Database, pooler: Pooler) -> None:
    """Until it has hit the session of pingpong: another client is given it for one statement, and leaves it so."""
    (wanted,) = database.cluster.backends("application_name = 'pingpong'", database.name)
    connection = database.cluster.connect(database.name, database.role, port=pooler.port, options="")

    def attempt() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid(), set_config('synchronous_commit', 'off', false)")
            return cursor.fetchone()[0] == wanted

    eventually(attempt, 30, "another client in pingpong's session", 0.1)
    connection.close()


def test_nothing_is_counted_in_a_session_whose_commits_do_not_wait(database: Database) -> None:
    with pooled(database, "session", **NOT_FOLLOWED) as pooler, make_pingpong(database.env(DB_PORT=pooler.port)) as running:
        assert pong(get(running.port, "/ping")) == 1
        pooler.configure(pool_mode="transaction")
        make_commits_not_wait(database, pooler)
        assert get(running.port, "/ping", timeout=30).status == 503
        await_refusal(running)
        assert database.count() == 1
