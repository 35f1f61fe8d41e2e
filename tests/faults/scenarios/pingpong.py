"""What can happen to pingpong's own processes."""

from __future__ import annotations

import time

from bed import Bed, ready
from harness.postgres import Cluster
from scenario import Result, scenario


@scenario("pingpong-killed", "pingpong killed (SIGKILL), started again")
def pingpong_killed(cluster: Cluster, result: Result) -> None:
    with Bed(cluster, result) as bed:
        for _ in range(15):
            bed.replace_killed()
            bed.recovered(time.monotonic())


# As many writers as are kept in the ledger, and one: SCHEMA_SLOTS_KEPT.
TOO_MANY_WRITERS = 17


def _rows(bed: Bed, table: str) -> int:
    return bed.cluster.query(f"SELECT count(*) FROM {table}", database=bed.database)[0][0]


@scenario(
    "pingpong-crash-loop", "pingpong killed (SIGKILL) again and again, then PostgreSQL: whoever comes back was parked meanwhile", (3,)
)
def pingpong_crash_loop(cluster: Cluster, result: Result) -> None:
    with Bed(cluster, result) as bed:
        for _ in range(3):
            while _rows(bed, "pingpong_writers") < TOO_MANY_WRITERS:
                ready(bed.replicas[bed.replace_killed()])
                result.times += 1
            before = _rows(bed, "pingpong_parked")
            bed.outage(cluster.kill, cluster.start, hold=0.5)
            parked = _rows(bed, "pingpong_parked") - before
            result.require(parked == TOO_MANY_WRITERS - len(bed.replicas), f"{parked} writers are parked")


@scenario("rolling-update", "replicas added and drained under load: no request may fail")
def rolling_update(cluster: Cluster, result: Result) -> None:
    with Bed(cluster, result, env={"DRAIN_MS": 1500}) as bed:
        bed.load.follow_health = True
        for _ in range(8):
            name, old = next(iter(bed.replicas.items()))
            fresh = bed.start_replica()
            ready(bed.replicas[fresh])
            bed.load.add(fresh, bed.replicas[fresh].port)
            bed.load.first_acknowledged(fresh, time.monotonic())
            began = time.monotonic()
            old.terminate()
            status = old.wait(10)
            result.require(status == 0, f"{name} exited with {status}")
            took = bed.load.first_probe(name, 500, began) - began
            result.require(took < 0.5, f"{name}: /healthz said 500 only {took:.2f} s after SIGTERM")
            bed.load.remove(name)
            bed.replicas.pop(name).discard()
            bed.recovered(time.monotonic())
        result.require(
            bed.failed() == 0, f"{bed.failed()} requests failed: {[r for r in bed.load.requests if r.outcome.value != 'answered'][:3]}"
        )
