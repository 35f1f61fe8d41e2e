"""One, two and four pingpongs on one database, which share the load as behind a Service."""

import re
import statistics
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path

from . import load, plan, servers
from .processes import cpu_seconds

COUNTS = (1, 2, 4)
CONNECTIONS = 256
SECONDS = 3  # or as long as a measurement, if that is less
WARMUP_SECONDS = 1

# Each of wrk's threads has an address of its own, so each replica has as many of the connections.
THREADS = max(COUNTS)
SCRIPT = """\
local ports, thread_number = {{{ports}}}, 0
function setup(thread)
   thread.addr = wrk.lookup("127.0.0.1", ports[thread_number % #ports + 1])[1]
   thread_number = thread_number + 1
end
"""


@dataclass
class ReplicaSample:
    requests_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_s_per_100k: float
    database_cpu_s_per_100k: float
    batch: float
    commit_ms: float


def medians(samples: list) -> ReplicaSample:
    """The middle of the rounds, each figure by itself."""
    return ReplicaSample(**{one.name: statistics.median(getattr(sample, one.name) for sample in samples) for one in fields(ReplicaSample)})


def _commits(replicas: list) -> tuple[float, float]:
    """How many there were, and how long they took together."""
    seconds = count = 0.0
    for replica in replicas:
        text = servers.get(replica.url("/metrics"))[1]
        seconds += float(re.search(r"^pingpong_commit_duration_seconds_sum (\S+)$", text, re.M)[1])
        count += float(re.search(r"^pingpong_commit_duration_seconds_count (\S+)$", text, re.M)[1])
    return count, seconds


def _cpu_seconds(replicas: list) -> float:
    return sum(cpu_seconds(replica.pid) for replica in replicas)


def measure(bench: plan.Bench, number: int) -> ReplicaSample:
    with ExitStack() as stack:
        replicas = [bench.start(stack, plan.PING["disk"]).target for _ in range(number)]
        script = bench.scratch / "replicas.lua"
        script.write_text(SCRIPT.format(ports=", ".join(f'"{replica.port}"' for replica in replicas)))
        return _measure(bench, replicas, script)


def _measure(bench: plan.Bench, replicas: list, script: Path) -> ReplicaSample:
    database = bench.databases["disk"]
    url = replicas[0].url("/ping")
    load.wrk(url, CONNECTIONS, WARMUP_SECONDS, THREADS, script)
    counted = plan.count(replicas[0])
    cpu, database_cpu, (commits, commit_s) = _cpu_seconds(replicas), database.cpu_seconds(), _commits(replicas)
    sample = load.parse_wrk(load.wrk(url, CONNECTIONS, min(SECONDS, bench.seconds), THREADS, script))
    cpu, database_cpu = _cpu_seconds(replicas) - cpu, database.cpu_seconds() - database_cpu
    commits, commit_s = (after - before for after, before in zip(_commits(replicas), (commits, commit_s)))
    plan.check_counted(f"{len(replicas)} replicas", sample, CONNECTIONS, plan.count(replicas[0]) - counted - 1)
    return ReplicaSample(
        requests_per_s=sample.requests_per_s,
        p50_ms=sample.p50_ms,
        p99_ms=sample.p99_ms,
        cpu_s_per_100k=cpu / sample.requests * 1e5,
        database_cpu_s_per_100k=database_cpu / sample.requests * 1e5,
        batch=sample.requests / commits,
        commit_ms=commit_s / commits * 1e3,
    )
