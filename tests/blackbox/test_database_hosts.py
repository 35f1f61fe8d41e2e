"""Several database servers: DB_HOST as a list, names with several addresses, standbys."""

from __future__ import annotations

import os
import re
import socket
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import pytest

from harness.http import get
from harness.postgres import PASSWORD, Cluster, Standby
from harness.process import BUILD, eventually, free_port
from programs import Database, Program, in_background, log_lines, pingpong as make_pingpong, pong, run_sanitized


@contextmanager
def silent(port: int = 0, host: str = "127.0.0.1", family: int = socket.AF_INET) -> Iterator[int]:
    """A port whose connections are taken and never answered, as those of a server that hangs."""
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(64)
        yield listener.getsockname()[1]


@pytest.fixture
def pair() -> Iterator[tuple[Cluster, Standby]]:
    """A primary, and a standby without which it confirms nothing."""
    with Cluster() as primary, Standby(primary) as standby:
        primary.replicate_to(standby)
        yield primary, standby


def env_of(*clusters: Cluster, **settings: object) -> dict[str, str]:
    hosts = {"DB_HOST": ",".join("127.0.0.1" for _ in clusters), "DB_PORT": ",".join(str(c.port) for c in clusters)}
    values = {**clusters[0].env(), "DRAIN_MS": 0, **hosts, **settings}
    return {name: str(value) for name, value in values.items()}


def messages(program: Program, message: str) -> list[str]:
    return [line["error"] for line in log_lines(program.stderr()) if line["message"] == message]


def test_the_server_that_takes_writes_is_used(pair: tuple[Cluster, Standby]) -> None:
    primary, standby = pair
    with make_pingpong(env_of(standby, primary)) as running:
        assert pong(get(running.port, "/ping")) == 1
        assert primary.query("SELECT count FROM counters") == [(1,)]
        assert messages(running, "database servers passed over") == [f"127.0.0.1 port {standby.port}: a standby, which takes no writes"]


def test_a_server_that_is_to_be_read_only_is_not_used(database: Database) -> None:
    with Cluster({"default_transaction_read_only": "on"}) as other:
        env = database.env(DB_HOST="127.0.0.1,127.0.0.1", DB_PORT=f"{other.port},{database.cluster.port}")
        connection = other.connect()
        with connection.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only = off")
            cursor.execute(f'CREATE ROLE "{database.role}" LOGIN PASSWORD %s', (PASSWORD,))
            cursor.execute(f'CREATE DATABASE "{database.name}" OWNER "{database.role}"')
        connection.close()
        with make_pingpong(env) as running:
            assert pong(get(running.port, "/ping")) == 1
            assert database.count() == 1
            assert messages(running, "database servers passed over") == [
                f"127.0.0.1 port {other.port}: takes no writes: default_transaction_read_only is on"
            ]


def test_sockets_names_and_addresses_may_be_mixed(database: Database) -> None:
    """One port for all; the good one is the third, or the first."""
    nowhere = ["/no/such/directory", "nowhere.invalid"]
    for hosts in ([*nowhere, "127.0.0.1"], [str(database.cluster.directory), *nowhere], [*nowhere, "localhost", "127.0.0.1"]):
        with make_pingpong(database.env(DB_HOST=",".join(hosts))) as running:
            pong(get(running.port, "/ping"))


@pytest.mark.skipif(os.geteuid() != 0, reason="a name of the test's own needs a mount, and so root")
@pytest.mark.parametrize("first, family", [("127.0.0.2", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_an_address_that_hangs_hides_no_other_of_its_name(database: Database, tmp_path: Path, first: str, family: int) -> None:
    """The first of two addresses takes connections and is silent; it may be of another family."""
    hosts = tmp_path / "hosts"
    hosts.write_text(f"{first} database.example\n127.0.0.1 database.example\n")
    argv = ["unshare", "--mount", "sh", "-c", f"mount --bind {hosts} /etc/hosts && exec {BUILD / 'pingpong'}"]
    env = database.env(DB_HOST="database.example", DB_CONNECT_TIMEOUT_MS=400)
    with silent(database.cluster.port, first, family):
        with Program(argv, env, ready="/healthz") as running:
            pong(get(running.port, "/ping"))
            passed = messages(running, "database servers passed over")
    assert passed in ([], [f"database.example ({first}) port {database.cluster.port}: no connection in time"])


def test_hosts_that_hang_hide_no_other(database: Database) -> None:
    with silent() as first, silent() as second:
        env = database.env(
            DB_HOST="127.0.0.1,127.0.0.1,127.0.0.1", DB_PORT=f"{first},{second},{database.cluster.port}", DB_CONNECT_TIMEOUT_MS=400
        )
        with make_pingpong(env) as running:
            pong(get(running.port, "/ping"))


def test_each_server_that_fails_is_named_with_its_reason_once(database: Database) -> None:
    """No server works: one line says of each why, again only if that changes; the password is not in it."""
    dead = free_port()
    with silent() as hung:
        env = database.env(
            DB_HOST="127.0.0.1,nowhere.invalid,localhost,127.0.0.1",
            DB_PORT=f"{hung},5432,{dead},{database.cluster.port}",
            DB_PASSWORD="not-the-password",
            DB_CONNECT_TIMEOUT_MS=300,
        )
        with make_pingpong(env, ready="/livez") as running:
            eventually(
                lambda: "password authentication" in "".join(messages(running, "database not available")),
                10,
                "the log saying what is wrong",
            )
            time.sleep(2)
            assert get(running.port, "/healthz").status == 500
            lines, log = messages(running, "database not available"), running.stderr()
    assert all(one != other for one, other in zip(lines, lines[1:])), lines
    hang, name, *refused, password = next(line for line in lines if "password authentication" in line).split("; ")
    assert hang == f"127.0.0.1 port {hung}: no connection in time"
    assert name.startswith("DB_HOST nowhere.invalid: ")
    assert refused and all(re.match(rf"localhost \(.+\) port {dead}: Connection refused", reason) for reason in refused)
    assert re.match(rf"127.0.0.1 port {database.cluster.port}: FATAL: +password authentication failed", password)
    assert "not-the-password" not in log


@pytest.mark.parametrize("ports", ["5432,5433", "5432,5433,5434,5435"])
def test_as_many_ports_as_hosts_or_one(ports: str) -> None:
    done = run_sanitized([BUILD / "pingpong"], {"DB_HOST": "a,b,c", "DB_PORT": ports})
    assert done.returncode == 1
    line = log_lines(done.stderr)[-1]
    assert (line["setting"], line["value"]) == ("DB_PORT", ports) and "one for each" in line["accepted"]


@pytest.mark.parametrize(
    "name, value",
    [("DB_HOST", "a,,b"), ("DB_HOST", "a,"), ("DB_HOST", "a, b"), ("DB_PORT", "1,"), ("DB_PORT", "5432,65536"), ("DB_PORT", "5432, 5433")],
)
def test_lists_with_holes_are_not_accepted(name: str, value: str) -> None:
    done = run_sanitized([BUILD / "pingpong"], {name: value})
    assert done.returncode == 1
    assert [line["setting"] for line in log_lines(done.stderr)] == [name]


def read_until_refused(program: Program, got: list[int]) -> None:
    """Readings of the count, one after another, until one gets no answer."""
    while (answer := get(program.port, "/count", timeout=60)).status == 200:
        got.append(pong(answer))
    assert answer.status == 503


def waiting_checks(cluster: Cluster) -> list[tuple]:
    """Those who wait for the standby and have changed no table: neither a batch, nor a touch or a registration."""
    return cluster.query(
        "SELECT pid FROM pg_stat_activity a WHERE wait_event = 'SyncRep' AND application_name = 'pingpong'"
        " AND NOT EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND mode = 'RowExclusiveLock')"
    )


def test_a_primary_that_can_confirm_nothing_is_not_ready_and_not_read(pair: tuple[Cluster, Standby]) -> None:
    """Whatever it still has may be history. Nobody pings it, and it may learn of its standbys while in use."""
    primary, standby = pair
    primary.replicate_to(None)
    with make_pingpong(env_of(primary)) as idle, make_pingpong(env_of(primary)) as read:
        assert pong(get(idle.port, "/ping")) == 1
        primary.replicate_to(standby)
        got: list[int] = []
        reading, _ = in_background(lambda: read_until_refused(read, got))
        eventually(lambda: len(got) > 10, 20, "the count being read")
        standby.sigstop()
        eventually(lambda: len(waiting_checks(primary)) == 2, 30, "both asking whether the standby follows")
        reading.join(120)
        assert not reading.is_alive() and set(got) == {1}
        for program in (idle, read):
            eventually(lambda: get(program.port, "/healthz").status == 500, 20, "not ready")
            answer = get(program.port, "/count", timeout=60)
            assert answer.status == 503 and "database" in answer.json()["error"]
        standby.sigcont()
        for program in (idle, read):
            eventually(lambda: get(program.port, "/healthz").status == 200, 60, "ready again")
            assert pong(get(program.port, "/count")) == 1
        assert pong(get(read.port, "/ping")) == 2


def test_checks_commit_nothing_where_no_standby_is_waited_for() -> None:
    """An idle database is left idle: no transaction number is taken, and no log written."""
    with Cluster({"autovacuum": "off"}) as alone, make_pingpong(env_of(alone)):

        def seen() -> list[tuple]:
            return alone.query("SELECT state_change FROM pg_stat_activity WHERE application_name = 'pingpong' AND state = 'idle'")

        def used() -> list[tuple]:
            return alone.query("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")

        before, times = used(), set(seen())
        eventually(lambda: times.update(seen()) or len(times) > 3, 30, "some checks")
        assert used() == before
