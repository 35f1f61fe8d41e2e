"""A database that forgets, or confirms what it does not have, and administrators who set it against us."""

from __future__ import annotations

import shutil
import time
from contextlib import ExitStack, contextmanager
from typing import Iterator

from bed import ROLE, Bed, ready
from harness import hostile, http
from harness.postgres import Cluster, Standby
from harness.process import eventually
from scenario import Result, scenario

TIMES = 3
SETTLED_WITHIN_S = 30  # replicas wait for each other before they count on


def counted_on(bed: Bed, since: float) -> None:
    """Every replica is ready and acknowledges again; the numbers are the checker's to judge."""
    for daemon in bed.replicas.values():
        ready(daemon, SETTLED_WITHIN_S)
    slowest = max(bed.load.first_acknowledged(name, since) - since for name in bed.replicas)
    bed.result.recoveries.append(slowest)
    bed.result.times += 1
    bed.load.wait_acknowledged(100)


def histories_lost(bed: Bed) -> float:
    return sum(http.metrics(daemon.port)["pingpong_history_lost_total"] for daemon in bed.replicas.values())


@contextmanager
def forgetting(bed: Bed) -> Iterator[None]:
    """The database forgets in the block: it is noticed, and counting goes on."""
    before = histories_lost(bed)
    yield
    since = time.monotonic()
    eventually(lambda: histories_lost(bed) > before, SETTLED_WITHIN_S, "the loss is noticed", 0.1)
    counted_on(bed, since)


@scenario("count-set-back", "the count set back by hand")
def count_set_back(cluster: Cluster, result: Result) -> None:
    with Bed(cluster, result) as bed:
        for _ in range(TIMES):
            with forgetting(bed):
                cluster.query("UPDATE counters SET count = count - 150", database=bed.database)


@scenario("tables-made-anew", "the tables dropped and made anew")
def tables_made_anew(cluster: Cluster, result: Result) -> None:
    with Bed(cluster, result) as bed:
        for tables in ("counters", "counters, pingpong_writers", "counters"):
            with forgetting(bed):
                cluster.query(f"DROP TABLE {tables}", database=bed.database)


@scenario("backup-restored", "PostgreSQL's files replaced by an older backup")
def backup_restored(_: Cluster, result: Result) -> None:
    with Cluster() as cluster, Bed(cluster, result) as bed:
        for number in range(TIMES):
            backup = cluster.directory / f"backup-{number}"
            cluster.stop()
            shutil.copytree(cluster.data, backup, copy_function=shutil.copy2)
            cluster.start()
            for daemon in bed.replicas.values():
                ready(daemon, SETTLED_WITHIN_S)
            bed.load.wait_acknowledged(200)
            with forgetting(bed):
                cluster.kill()
                shutil.rmtree(cluster.data)
                backup.rename(cluster.data)
                cluster.own(cluster.data, *cluster.data.rglob("*"))
                cluster.start()


def take_place_of(primary: Cluster, standby: Standby) -> None:
    """The primary dies, and the standby is promoted at its address."""
    primary.kill()
    standby.stop()
    standby.configure({"port": primary.port})
    standby.port = primary.port
    standby.start()
    standby.promote()


@scenario("standby-behind", "an asynchronous standby that was behind is promoted")
def standby_behind(_: Cluster, result: Result) -> None:
    with ExitStack() as stack:
        primary = stack.enter_context(Cluster())
        with Bed(primary, result) as bed:
            for _ in range(TIMES):
                standby = stack.enter_context(Standby(bed.cluster))
                eventually(standby.streams, 30, "the standby streaming")
                standby.stop()
                bed.load.wait_acknowledged(200)
                with forgetting(bed):
                    take_place_of(bed.cluster, standby)
                    bed.cluster = standby


def cancel_waits(cluster: Cluster, database: str) -> bool:
    return bool(
        cluster.query("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND datname = %s", (database,))
    )


@scenario("standby-wait-cancelled", "the wait for a synchronous standby cancelled, then a failover to it")
def standby_wait_cancelled(_: Cluster, result: Result) -> None:
    with ExitStack() as stack:
        primary = stack.enter_context(Cluster())
        standby = stack.enter_context(Standby(primary))
        with Bed(primary, result) as bed:
            primary.replicate_to(standby)
            for _ in range(TIMES):
                standby.sigstop()
                _cancel_for_a_second(primary, bed)
                standby.sigcont()
                counted_on(bed, time.monotonic())
            # The last cancelled ones never reach it, and it is promoted.
            standby.stop()
            _cancel_for_a_second(primary, bed)
            take_place_of(primary, standby)
            bed.cluster = standby
            counted_on(bed, time.monotonic())


def _cancel_for_a_second(cluster: Cluster, bed: Bed) -> None:
    eventually(lambda: cancel_waits(cluster, bed.database), 10, "a wait is cancelled")
    until = time.monotonic() + 1
    while time.monotonic() < until:
        cancel_waits(cluster, bed.database)
        time.sleep(0.02)


@scenario("hostile-settings", "server, database and role set against it, connections cut")
def hostile_settings(_: Cluster, result: Result) -> None:
    with Cluster() as cluster, Bed(cluster, result) as bed:
        known = {row[0] for row in cluster.query("SELECT name FROM pg_settings")}
        for sql in hostile.shadow(ROLE):
            cluster.query(sql, database=bed.database)
        for level in hostile.LEVELS:
            for sql in hostile.statements(level, bed.database, ROLE, known):
                cluster.query(sql, database=bed.database)
            bed.load.wait_acknowledged(100)
            began = time.monotonic()
            cluster.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (ROLE,))
            counted_on(bed, began)
        result.require(
            cluster.query("SELECT count FROM elsewhere.counters", database=bed.database) == [(0,)], "the tables of another schema were used"
        )
        # The judge reads the count as anybody does.
        cluster.query("SET lock_timeout = 0; DROP SCHEMA elsewhere CASCADE", database=bed.database)
