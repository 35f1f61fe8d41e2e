"""What can happen to PostgreSQL itself."""

from __future__ import annotations

import signal
import time

import psycopg2

from bed import ROLE, Bed
from harness.postgres import Cluster
from harness.process import eventually
from scenario import Result, scenario

HANG_S = 4.0  # longer than every timeout of pingpong
TIMES = 3


@scenario("postgres-killed", "PostgreSQL killed (SIGKILL), started again")
def postgres_killed(cluster: Cluster, result: Result) -> None:
    with Bed(cluster, result) as bed:
        for _ in range(TIMES):
            bed.outage(cluster.kill, cluster.start, hold=0.5)


@scenario("postgres-restarted", "PostgreSQL restarted (fast, immediate)")
def postgres_restarted(cluster: Cluster, result: Result) -> None:
    with Bed(cluster, result) as bed:
        for mode in ("fast", "immediate") * 5:
            cluster.restart(mode)
            bed.recovered(time.monotonic())


@scenario("postgres-hung", "PostgreSQL hung (SIGSTOP) for longer than the timeouts")
def postgres_hung(cluster: Cluster, result: Result) -> None:
    with Bed(cluster, result) as bed:
        for _ in range(TIMES):
            bed.outage(cluster.sigstop, cluster.sigcont, hold=HANG_S)


def _session(cluster: Cluster, bed: Bed) -> int:
    """The process id of one of pingpong's sessions."""
    return eventually(lambda: cluster.backends(f"usename = '{ROLE}'", bed.database), 5, "a session of pingpong")[0]


@scenario("backend-hung", "one PostgreSQL session hung (SIGSTOP) for longer than the timeouts")
def backend_hung(cluster: Cluster, result: Result) -> None:
    with Bed(cluster, result) as bed:
        for _ in range(TIMES):
            pid = _session(cluster, bed)
            cluster.signal_backend(pid, signal.SIGSTOP)
            time.sleep(HANG_S)
            cluster.signal_backend(pid, signal.SIGCONT)
            bed.recovered(time.monotonic())


@scenario("backend-killed", "one PostgreSQL session killed (SIGKILL: all restart; SIGTERM)")
def backend_killed(cluster: Cluster, result: Result) -> None:
    with Bed(cluster, result) as bed:
        for number in (signal.SIGKILL, signal.SIGTERM) * 6:
            pid = _session(cluster, bed)
            # After a SIGKILL the postmaster ends and replaces all of its processes.
            going = set(cluster.children()) if number == signal.SIGKILL else {pid}
            cluster.signal_backend(pid, number)
            eventually(lambda: not going & set(cluster.children()), 10, "PostgreSQL's old processes gone")
            eventually(lambda: _connects(cluster), 10, "PostgreSQL taking connections", 0.02)
            bed.recovered(time.monotonic())


def _connects(cluster: Cluster) -> bool:
    try:
        cluster.connect().close()
        return True
    except psycopg2.Error:
        return False


@scenario("max-connections", "every connection slot of PostgreSQL taken")
def max_connections(cluster: Cluster, result: Result) -> None:
    with Bed(cluster, result) as bed:
        for _ in range(TIMES):
            taken: list = []
            try:
                bed.outage(lambda: _take_all(cluster, bed, taken), lambda: _release(taken), hold=2.5)
            finally:
                _release(taken)


def _take_all(cluster: Cluster, bed: Bed, taken: list) -> None:
    """Ends pingpong's sessions and takes their places, until it has none."""

    def starved() -> bool:
        for pid in cluster.backends(f"usename = '{ROLE}'", bed.database):
            cluster.query("SELECT pg_terminate_backend(%s)", (pid,))
        try:
            while True:
                taken.append(cluster.connect(database="template1", user=ROLE))
        except psycopg2.OperationalError:
            return not cluster.backends(f"usename = '{ROLE}'", bed.database)

    eventually(starved, 10, "all connections taken")


def _release(taken: list) -> None:
    while taken:
        taken.pop().close()
