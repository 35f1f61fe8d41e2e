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
