"""What pingpong makes of the database it finds, and with which rights."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import Iterator

import pytest

from harness.http import get
from harness.process import BUILD, eventually
from programs import Database, in_threads, log_lines, pingpong as make_pingpong, pong, run_sanitized

ORIGINAL_TABLE = "CREATE TABLE counters (id SERIAL PRIMARY KEY, count INT NOT NULL)"


def column_type(database: Database) -> str:
    return database.query("SELECT data_type FROM information_schema.columns WHERE table_name = 'counters' AND column_name = 'count'")[0][0]


def as_owner(database: Database, sql: str) -> None:
    connection = database.cluster.connect(database.name, user=database.role)
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
        connection.commit()
    finally:
        connection.close()


def test_an_empty_database_gets_one_row_of_bigint(database: Database) -> None:
    with make_pingpong(database.env()) as running:
        assert pong(get(running.port, "/count")) == 0
    assert column_type(database) == "bigint"
    assert database.query("SELECT count(*) FROM counters") == [(1,)]


@pytest.mark.parametrize("rows, highest", [([], 0), ([0], 0), ([41], 41), ([41, 17], 41), ([3, 7, 5], 7)])
def test_the_originals_table_is_taken_over(database: Database, rows: list[int], highest: int) -> None:
    as_owner(database, ORIGINAL_TABLE)
    for count in rows:
        database.query("INSERT INTO counters (count) VALUES (%s)", (count,))
    with make_pingpong(database.env()) as running:
        assert pong(get(running.port, "/count")) == highest
        assert pong(get(running.port, "/ping")) == highest + 1
    assert database.query("SELECT count FROM counters") == [(highest + 1,)]
    assert column_type(database) == "bigint"


def test_the_count_goes_on_beyond_int(database: Database) -> None:
    as_owner(database, ORIGINAL_TABLE)
    database.query("INSERT INTO counters (count) VALUES (2147483646)")
    with make_pingpong(database.env()) as running:
        assert [pong(get(running.port, "/ping")) for _ in range(3)] == [2147483647, 2147483648, 2147483649]


def test_numbers_above_2_to_the_53_are_exact(database: Database) -> None:
    with make_pingpong(database.env()) as running:
        database.query("UPDATE counters SET count = 9007199254740993")
        assert pong(get(running.port, "/ping")) == 9007199254740994
        assert pong(get(running.port, "/count")) == 9007199254740994


def test_a_second_row_cannot_be_made(database: Database) -> None:
    with make_pingpong(database.env()):
        for statement in ("INSERT INTO counters (id, count) VALUES (2, 5)", "INSERT INTO counters (count) VALUES (5)"):
            with pytest.raises(Exception, match="violates|duplicate"):
                database.query(statement)


def test_many_replicas_that_start_together_make_one_row(database: Database) -> None:
    as_owner(database, ORIGINAL_TABLE)
    database.query("INSERT INTO counters (count) VALUES (5), (9)")
    replicas = [make_pingpong(database.env()).launch() for _ in range(6)]
    try:
        for replica in replicas:
            eventually(lambda port=replica.port: get(port, "/healthz", timeout=1).status == 200, 20, "a replica ready")
        numbers = in_threads(6, lambda index: pong(get(replicas[index].port, "/ping")))
        assert sorted(numbers) == list(range(10, 16))
        for replica in replicas:
            replica.stop()
    finally:
        for replica in replicas:
            replica.discard()
    assert database.query("SELECT count FROM counters") == [(15,)]


@contextmanager
def role_without_rights(database: Database) -> Iterator[str]:
    """Its name. It owns nothing, and nobody but the owner may make anything."""
    role = f"{database.name}_limited"
    database.cluster.create_role(role)
    database.query("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    try:
        yield role
    finally:
        database.query(f'DROP OWNED BY "{role}"')
        database.cluster.query(f'DROP ROLE "{role}"')


def test_after_the_first_start_grants_are_enough(database: Database) -> None:
    """A role that owns nothing and may make nothing."""
    with make_pingpong(database.env()) as running:
        assert pong(get(running.port, "/ping")) == 1
    tables = [
        name for (name,) in database.query("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
    ]
    with role_without_rights(database) as limited:
        for table in tables:
            database.query(f'GRANT SELECT, INSERT, UPDATE, DELETE ON "{table}" TO "{limited}"')
        with make_pingpong({**database.env(), "DB_USER": limited}) as running:
            assert pong(get(running.port, "/ping")) == 2
            assert pong(get(running.port, "/count")) == 2


def test_a_table_that_came_later_needs_no_more_than_the_right_to_make_it(database: Database) -> None:
    """As the version before left the database, and a role that owns nothing of it."""
    with make_pingpong(database.env()) as running:
        assert pong(get(running.port, "/ping")) == 1
    with role_without_rights(database) as limited:
        database.query("DROP TABLE pingpong_parked")
        database.query(f'GRANT SELECT, INSERT, UPDATE, DELETE ON counters, pingpong_writers TO "{limited}"')
        with make_pingpong({**database.env(), "DB_USER": limited}, ready="/livez") as running:
            eventually(lambda: "permission denied" in running.stderr(), 10, "the reason in the log")
            database.query(f'GRANT CREATE ON SCHEMA public TO "{limited}"')
            eventually(lambda: get(running.port, "/healthz").status == 200, 5, "ready with the right")
            assert pong(get(running.port, "/ping")) == 2


def test_no_rights_is_not_ready_and_says_why(database: Database) -> None:
    with role_without_rights(database) as stranger:
        with make_pingpong({**database.env(), "DB_USER": stranger}, ready="/livez") as running:
            eventually(lambda: "permission denied" in running.stderr(), 10, "the reason in the log")
            answer = get(running.port, "/healthz")
            assert (answer.status, answer.text) == (500, "DB Not Ready")
            assert get(running.port, "/ping").status == 503
            # Once it may, it does.
            database.query(f'GRANT CREATE ON SCHEMA public TO "{stranger}"')
            eventually(lambda: get(running.port, "/healthz").status == 200, 5, "ready with the right")
            assert pong(get(running.port, "/ping")) == 1


def test_a_table_that_is_dropped_is_made_again(database: Database) -> None:
    """The service must not stay broken, and gives no number again that it has given."""
    with make_pingpong(database.env()) as running:
        assert pong(get(running.port, "/ping")) == 1
        database.query("DROP TABLE counters")
        eventually(lambda: get(running.port, "/healthz").status == 500, 3, "not ready without its table")
        eventually(lambda: get(running.port, "/healthz").status == 200, 20, "ready again")
        assert pong(get(running.port, "/ping")) == 2


def test_a_password_from_a_file(database: Database, tmp_path) -> None:
    env = database.env()
    file = tmp_path / "password"
    file.write_text(env.pop("DB_PASSWORD") + "\n")
    with make_pingpong({**env, "DB_PASSWORD_FILE": str(file)}) as running:
        assert pong(get(running.port, "/ping")) == 1


def test_a_password_file_may_change(database: Database, tmp_path) -> None:
    """A Secret that is rotated is read with the next connection."""
    env = database.env()
    password = env.pop("DB_PASSWORD")
    file = tmp_path / "password"
    file.write_text("not this one")
    with make_pingpong({**env, "DB_PASSWORD_FILE": str(file)}, ready="/livez") as running:
        eventually(lambda: "authentication failed" in running.stderr(), 5, "the refusal in the log")
        assert get(running.port, "/healthz").status == 500
        file.write_text(password)
        eventually(lambda: get(running.port, "/healthz").status == 200, 5, "ready with the right password")
        assert "not this one" not in running.stderr() and password not in running.stderr()


def test_a_password_file_that_becomes_a_fifo_holds_nothing_up(database: Database, tmp_path) -> None:
    env = database.env()
    password = env.pop("DB_PASSWORD")
    file = tmp_path / "password"
    file.write_text("not this one")
    with make_pingpong({**env, "DB_PASSWORD_FILE": str(file)}, ready="/livez") as running:
        eventually(lambda: "authentication failed" in running.stderr(), 5, "the refusal in the log")
        file.unlink()
        os.mkfifo(file)
        eventually(lambda: "DB_PASSWORD_FILE is no readable regular file" in running.stderr(), 10, "the reason")
        assert get(running.port, "/livez").status == 200
        file.unlink()
        file.write_text(password)
        eventually(lambda: get(running.port, "/healthz").status == 200, 10, "ready with the right password")
        file.unlink()
        os.mkfifo(file)
        database.cluster.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (database.name,))
        eventually(lambda: get(running.port, "/healthz").status == 500, 10, "no connection without the password")
        # Leaving the block asserts that SIGTERM ends it in time.


@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
def test_a_password_file_that_is_no_regular_file_stops_the_start(kind: str, tmp_path) -> None:
    path = {"fifo": tmp_path / "fifo", "device": "/dev/zero", "folder": tmp_path}[kind]
    if kind == "fifo":
        os.mkfifo(path)
    done = run_sanitized([BUILD / "pingpong"], {"DB_PASSWORD_FILE": path, "PORT": 0})
    assert done.returncode == 1
    line = log_lines(done.stderr)[-1]
    assert line["setting"] == "DB_PASSWORD_FILE" and "regular file" in line["accepted"]
