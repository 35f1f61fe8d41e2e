"""The test bed of the pingpong scenarios: a fresh database, replicas, clients, and the verdict.

    with Bed(cluster, result) as bed:
        bed.outage(cluster.sigstop, cluster.sigcont, hold=4)

Leaving the block stops the clients, drains the replicas, reads the final count and has the checker
judge the history; whatever is wrong goes to result.violations.
"""

from __future__ import annotations

import itertools
import time
from contextlib import ExitStack, suppress
from typing import Callable, Mapping

import psycopg2

import checker
from client import Load
from harness import http
from harness.postgres import Cluster
from harness.process import BUILD, Daemon, eventually
from history import Outcome, Request, tally
from proxy import Proxy
from scenario import Result

PROGRAM: list[object] = [BUILD / "pingpong"]
ROLE = "pong"
NOTICED_WITHIN_S = 2.0
READY_WITHIN_S = 2.0
ANSWERED_WITHIN_S = 5.0
PROBE_WITHIN_S = 1.0

_databases = itertools.count(1)


class Bed:
    """proxied      pingpong reaches the database through ``proxy``
    env          settings of every replica, over DRAIN_MS=500
    connections  clients of the load; 0: no load
    probed       whether /healthz has to answer all the time (not if pingpong itself is stopped)
    """

    def __init__(
        self,
        cluster: Cluster,
        result: Result,
        *,
        proxied: bool = False,
        env: Mapping[str, object] | None = None,
        connections: int = 60,
        think: float = 0.02,
        probed: bool = True,
    ):
        self.cluster, self.result = cluster, result
        self.database = f"faults_{next(_databases)}"
        self.env = {"DRAIN_MS": 500, "LOG_LEVEL": "warning", **(env or {})}
        self.proxied, self.connections, self.think, self.probed = proxied, connections, think, probed
        self.proxy: Proxy | None = None
        self.replicas: dict[str, Daemon] = {}
        self.names = itertools.count(1)
        self.extra: list = []  # requests recorded outside the load
        self.losses: list[checker.Loss] = []
        self.initial = 0
        self._stack = ExitStack()

    def __enter__(self) -> "Bed":
        with ExitStack() as stack:
            self._prepare_database()
            stack.callback(self._discard)
            if self.proxied:
                self.proxy = stack.enter_context(Proxy(self.cluster.port))
            for _ in range(self.result.replicas or 1):
                self.start_replica()
            for daemon in self.replicas.values():
                ready(daemon)
            self.initial = self.count()
            self.load = Load({name: daemon.port for name, daemon in self.replicas.items()}, self.connections, self.think)
            stack.enter_context(self.load)
            if self.connections:
                self.load.wait_acknowledged(200)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind, value, trace) -> bool:
        with self._stack:
            if kind is not None and issubclass(kind, AssertionError):
                self.result.violations.append(str(value))
            if kind is None or issubclass(kind, AssertionError):
                self._judge(complete=kind is None)
        return kind is not None and issubclass(kind, AssertionError)

    def _prepare_database(self) -> None:
        if not self.cluster.query("SELECT 1 FROM pg_roles WHERE rolname = %s", (ROLE,)):
            self.cluster.create_role(ROLE)
        self.cluster.create_database(self.database, ROLE)

    def _discard(self) -> None:
        for daemon in self.replicas.values():
            daemon.discard()
        with suppress(psycopg2.Error):  # what is wrong with the server was said by then
            self.cluster.drop_database(self.database)

    # -- replicas -----------------------------------------------------------------------------------

    def start_replica(self, port: int | None = None) -> str:
        """Starts one more replica and returns its name; it is not in rotation yet."""
        name = f"pingpong-{next(self.names)}"
        env = {**self.cluster.env(self.database, ROLE, port=self.proxy.port if self.proxy else None), **self.env}
        if self.proxied:
            env["DB_SSLMODE"] = "disable"
        self.replicas[name] = daemon = Daemon(PROGRAM, env, name=name, port=port)
        daemon.start()
        return name

    def replace_killed(self) -> str:
        """The first replica is killed, and another takes its place, in rotation at once; returns its name."""
        name, victim = next(iter(self.replicas.items()))
        victim.kill()
        self.load.remove(name)
        self.replicas.pop(name).discard()
        fresh = self.start_replica()
        self.load.add(fresh, self.replicas[fresh].port)
        return fresh

    def count(self) -> int:
        """The count as the database has it."""
        rows = self.cluster.query("SELECT count FROM counters", database=self.database)
        assert len(rows) == 1, f"the counter has {len(rows)} rows"
        return rows[0][0]

    # -- faults ---------------------------------------------------------------------------------------

    def outage(self, begin: Callable[[], object], end: Callable[[], object], hold: float, within: float = READY_WITHIN_S) -> None:
        """The database is away between begin() and end(), for hold seconds at least: readiness says
        so in time, the processes live, and all of it ends in time. One repetition."""
        began = time.monotonic()
        begin()
        for name, daemon in self.replicas.items():
            noticed = self.load.first_probe(name, 500, began)
            took = noticed - began - self.load.lag(began, noticed)
            self.result.require(took <= NOTICED_WITHIN_S, f"{name}: /healthz said 500 only after {took:.2f} s")
            self.result.require(http.get(daemon.port, "/livez", timeout=2).status == 200, f"{name}: /livez failed in the outage")
        time.sleep(max(0.0, began + hold - time.monotonic()))
        end()
        self.recovered(time.monotonic(), within=within)

    def recovered(self, since: float, more: int = 100, within: float = READY_WITHIN_S) -> None:
        """Every replica is ready in time and acknowledges again; the slowest gives the recovery time."""
        slowest = 0.0
        for name in self.replicas:
            healthy = self.load.first_probe(name, 200, since)
            took = healthy - since - self.load.lag(since, healthy)
            self.result.require(took <= within, f"{name}: /healthz said 200 only after {took:.2f} s")
            acknowledged = self.load.first_acknowledged(name, since)
            took = acknowledged - since - self.load.lag(since, acknowledged)
            self.result.require(took <= ANSWERED_WITHIN_S, f"{name} acknowledged a ping only after {took:.2f} s")
            slowest = max(slowest, acknowledged - since)
        self.result.recoveries.append(slowest)
        self.result.times += 1
        self.load.wait_acknowledged(more)

    # -- verdict ----------------------------------------------------------------------------------------

    def _judge(self, complete: bool) -> None:
        """complete: the scenario ran to its end, so the daemons owe an orderly exit."""
        self.load.stop()
        if self.proxy:
            self.proxy.heal()
        requests = [*self.load.requests, *self.extra]
        self.result.count(tally(requests))
        for name, daemon in self.replicas.items():
            self.result.require(daemon.alive, f"{name} died: {daemon.stderr()[-500:]}")
            if self.probed:
                self._judge_probes(name)
            self._end(daemon, complete)
        self._judge_history(requests)
        if again := sum(not request.read for request in checker.excluded(requests, self.losses)):
            self.result.error("given again", again)
        if self.result.violations:
            self.result.violations += [f"{name} logged: {daemon.stderr()[-700:]}" for name, daemon in self.replicas.items()]

    def _judge_history(self, requests: list[Request]) -> None:
        """A scenario that failed may have left no database that answers: then that is only one more thing to say."""
        try:
            eventually(lambda: not self.cluster.backends(database=self.database), 10, "no session left in the database")
            final = self.count()
        except (AssertionError, psycopg2.Error) as error:
            self.result.violations.append(f"the final count cannot be read: {error}")
            return
        self.result.violations += checker.check(requests, self.initial, final, self.losses)

    def _end(self, daemon: Daemon, complete: bool) -> None:
        try:
            if complete and daemon.alive:
                daemon.stop()
        except AssertionError as error:
            self.result.violations.append(str(error))
        daemon.kill()

    def _judge_probes(self, name: str) -> None:
        """/healthz answers within a second whatever the database does."""
        probes = self.load.probes.get(name, [])
        slow = [probe for probe in probes if probe.end - probe.start - self.load.lag(probe.start, probe.end) > PROBE_WITHIN_S]
        slow += [probe for probe in probes if probe.status == 0 and probe.end - probe.start <= PROBE_WITHIN_S]  # refused
        if slow:
            longest = max(probe.end - probe.start for probe in slow)
            self.result.violations.append(
                f"{name}: {len(slow)} of {len(probes)} health checks had no answer within {PROBE_WITHIN_S} s (longest {longest:.2f} s)"
            )

    def failed(self) -> int:
        """How many pings and reads had no proper answer so far."""
        return sum(1 for request in self.load.requests if request.outcome is not Outcome.ANSWERED)


def ready(daemon: Daemon, timeout: float = 10.0) -> None:
    eventually(lambda: http.get(daemon.port, "/healthz", timeout=2).status == 200, timeout, f"{daemon.name} ready")
