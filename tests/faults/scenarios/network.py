"""What can happen between pingpong and PostgreSQL."""

from __future__ import annotations

import time

from bed import Bed
from harness.postgres import Cluster
from harness.process import eventually
from proxy import Action, Point
from scenario import Result, scenario

CUTS = (Point.AFTER_COMMIT, Point.BEFORE_REQUEST, Point.AFTER_REQUEST, Point.MID_ANSWER)


@scenario("tcp-reset", "connection reset around COMMIT (before, during, after, half an answer)")
def tcp_reset(cluster: Cluster, result: Result) -> None:
    with Bed(cluster, result, proxied=True) as bed:
        for point in CUTS * 15:
            cut = bed.proxy.arm(point, Action.RESET).wait(5)
            bed.recovered(cut, more=60)


@scenario("tcp-black-hole", "connection black-holed around COMMIT (before, during, after, half an answer)")
def tcp_black_hole(cluster: Cluster, result: Result) -> None:
    with Bed(cluster, result, proxied=True) as bed:
        for point in CUTS * 2:
            # Only this connection is dead: pingpong has to give it up and make another by itself.
            bed.recovered(bed.proxy.arm(point, Action.BLACKHOLE).wait(5), more=60)
            bed.proxy.heal()


@scenario("reset-while-recovering", "answer of COMMIT lost, and the next connections cut too")
def reset_while_recovering(cluster: Cluster, result: Result) -> None:
    with Bed(cluster, result, proxied=True) as bed:
        for again in (1, 2, 3) * 4:
            first = bed.proxy.arm(Point.AFTER_COMMIT, Action.RESET)
            first.wait(5)
            last = bed.proxy.arm(Point.AFTER_COMMIT, Action.RESET, times=again, only_writes=False)
            bed.recovered(last.wait(8), more=60)
            bed.proxy.heal()


@scenario("late-request", "request held in the network, delivered after pingpong gave up")
def late_request(cluster: Cluster, result: Result) -> None:
    with Bed(cluster, result, proxied=True) as bed:
        for delay in (1.6, 2.2, 3.5):
            cut = bed.proxy.arm(Point.BEFORE_REQUEST, Action.LATE, delay=delay).wait(5)
            bed.recovered(cut, more=60)
            time.sleep(max(0.0, cut + delay - time.monotonic()))
            bed.load.wait_acknowledged(60)  # with the late request among them
            bed.proxy.heal()


@scenario("lost-statement-runs", "connection cut while the old backend still waits to run the statement")
def lost_statement_runs(cluster: Cluster, result: Result) -> None:
    with Bed(cluster, result, proxied=True) as bed:
        for held in (0.3, 1.0, 2.5):
            blocker = cluster.connect(bed.database)
            try:
                blocker.autocommit = False
                with blocker.cursor() as cursor:
                    cursor.execute("SELECT count FROM counters FOR UPDATE")
                bed.proxy.arm(Point.AFTER_REQUEST, Action.HALF_OPEN).wait(10)
                eventually(lambda: cluster.backends("wait_event_type = 'Lock'", bed.database), 5, "the lost statement waiting")
                time.sleep(held)
                blocker.rollback()
            finally:
                blocker.close()
            bed.recovered(time.monotonic(), more=60)
            bed.proxy.heal()


@scenario("partition", "no packet between pingpong and PostgreSQL")
def partition(cluster: Cluster, result: Result) -> None:
    def begin() -> None:
        bed.proxy.swallowing = True
        bed.proxy.cut_all(Action.BLACKHOLE)

    with Bed(cluster, result, proxied=True) as bed:
        for _ in range(3):
            bed.outage(begin, bed.proxy.heal, hold=4.0)


@scenario("slow-network", "answers 50 ms late, some 800 ms: nothing may fail")
def slow_network(cluster: Cluster, result: Result) -> None:
    with Bed(cluster, result, proxied=True) as bed:
        bed.proxy.latency = 0.05
        for _ in range(8):
            late = bed.proxy.arm(Point.AFTER_COMMIT, Action.DELAY, delay=0.8).wait(5)
            bed.recovered(late, more=60)
        result.require(bed.failed() == 0, f"{bed.failed()} requests failed although nothing was lost")
