"""A primary that breaks while pingpong knows its standby, too; and a primary that comes back."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import Iterator

from bed import ANSWERED_WITHIN_S, ROLE, Bed, ready
from checker import Loss
from harness.failover import Break, Pair
from harness.network import available, own_network
from harness.postgres import Cluster
from harness.process import eventually
from scenario import Result, Skip, scenario
from scenarios.history import SETTLED_WITHIN_S, histories_lost

AWAY_S = 0.3


@contextmanager
def pair_and_bed(result: Result, *, synchronous: bool) -> Iterator[tuple[Pair, Bed]]:
    if not available():
        raise Skip("needs root, nft and ip")
    with own_network() as network, Pair(synchronous=synchronous, network=network) as pair, Bed(pair.primary, result, env=pair.hosts) as bed:
        yield pair, bed


def fail_over(pair: Pair, bed: Bed, how: Break, *, standby_away: bool = False) -> None:
    """One repetition. standby_away: it is down when the primary breaks, and started only then."""

    def promote() -> None:
        if standby_away:
            pair.standby.start()
        if not pair.synchronous:
            kept = pair.standby.query("SELECT count FROM counters", database=bed.database)[0][0]
            bed.losses.append(Loss(time.monotonic(), kept))
        pair.promote()
        bed.cluster = pair.primary

    if standby_away:
        pair.standby.stop()
        time.sleep(AWAY_S)  # for pings that nobody can confirm
    bed.outage(lambda: pair.break_primary(how), promote, hold=0, within=ANSWERED_WITHIN_S)


def fail_over_twice(result: Result, how: Break) -> None:
    with pair_and_bed(result, synchronous=True) as (pair, bed):
        fail_over(pair, bed, how)
        pair.renew()
        fail_over(pair, bed, how, standby_away=True)
        result.require(histories_lost(bed) == 0, "a loss was told, and nothing was lost")


@scenario("failover-killed", "the primary killed (SIGKILL), its synchronous standby promoted")
def failover_killed(_: Cluster, result: Result) -> None:
    fail_over_twice(result, Break.KILLED)


@scenario("failover-stopped", "the primary hung (SIGSTOP), its synchronous standby promoted")
def failover_stopped(_: Cluster, result: Result) -> None:
    fail_over_twice(result, Break.STOPPED)


@scenario("failover-cut-off", "the primary cut off from all others, its synchronous standby promoted")
def failover_cut_off(_: Cluster, result: Result) -> None:
    fail_over_twice(result, Break.CUT_OFF)


@scenario("failover-asynchronous", "the primary killed, hung, cut off, its asynchronous standby promoted")
def failover_asynchronous(_: Cluster, result: Result) -> None:
    with pair_and_bed(result, synchronous=False) as (pair, bed):
        for how in Break:
            fail_over(pair, bed, how)
            pair.renew()
        before = histories_lost(bed)
        fail_over(pair, bed, Break.KILLED, standby_away=True)
        result.require(histories_lost(bed) > before, "numbers were lost, and it was not told")


def await_former(pair: Pair) -> None:
    """The former primary takes statements, and takes itself for the primary."""
    eventually(lambda: pair.former.query("SELECT pg_is_in_recovery()") == [(False,)], 10, "the former primary is back")


def cut_sessions(bed: Bed) -> None:
    bed.cluster.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (ROLE,))
    bed.recovered(time.monotonic())


def live_with_former(pair: Pair, bed: Bed) -> None:
    """The former primary is back, and replicas look for a server again."""
    pair.bring_back()
    await_former(pair)
    for _ in range(3):
        cut_sessions(bed)
    ready(bed.replicas[bed.replace_killed()], SETTLED_WITHIN_S)
    bed.recovered(time.monotonic())


@scenario("primary-back", "a synchronous primary back after a failover, not fenced; sessions cut, replicas killed and started again")
def primary_back(_: Cluster, result: Result) -> None:
    """Nothing is confirmed by it, so whoever comes to it goes on to the other."""
    with pair_and_bed(result, synchronous=True) as (pair, bed):
        for how in Break:
            fail_over(pair, bed, how)
            live_with_former(pair, bed)
            if how is not Break.CUT_OFF:
                pair.renew()
        result.require(histories_lost(bed) == 0, "a loss was told, and nothing was lost")


@scenario(
    "primary-back-asynchronous", "an asynchronous primary back after a failover, not fenced; sessions cut: running replicas leave it alone"
)
def primary_back_asynchronous(_: Cluster, result: Result) -> None:
    """What docs/promise.md excludes is a replica that is started now, or one that finds the other gone."""
    with pair_and_bed(result, synchronous=False) as (pair, bed):
        fail_over(pair, bed, Break.KILLED)
        pair.bring_back()
        await_former(pair)
        before = pair.former.query("SELECT count FROM counters", database=bed.database)
        for _ in range(5):
            cut_sessions(bed)
        result.require(
            pair.former.query("SELECT count FROM counters", database=bed.database) == before,
            "a running replica counted with the former primary",
        )
