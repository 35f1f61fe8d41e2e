"""Puts load on a server and measures it: wrk, /proc, pgbench, fdatasync."""

import os
import re
import resource
import statistics
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from .errors import BenchError
from .postgres import PrivatePostgres, binaries
from .processes import anonymous_bytes, cpu_seconds

UPDATE = "UPDATE counters SET count = count + 1 WHERE id = 1 RETURNING count"
# wrk keeps no latency above its timeout; a peer with 1000 connections needs seconds.
WRK_TIMEOUT_S = 10
MEMORY_PERIOD_S = 0.1
SYNC_PROBES = 300
SYNC_BYTES = 8192

_UNITS_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4, "h": 3.6e6}


@dataclass
class Sample:
    """One measurement. What does not apply stays None."""

    requests: int
    requests_per_s: float
    p50_ms: float | None = None
    p99_ms: float | None = None
    errors: int = 0
    cpu_s: float | None = None
    load_cpu_s: float | None = None
    elapsed_s: float | None = None
    anonymous_bytes: int | None = None


def parse_wrk(text: str) -> Sample:
    """Reads what `wrk --latency` prints; requests are those answered with 2xx or 3xx."""

    def latency_ms(percent: str) -> float:
        match = re.search(rf"^\s*{percent}%\s+([\d.]+)(us|ms|s|m|h)\s*$", text, re.M)
        if match is None:
            raise BenchError(f"wrk's output has no {percent}th percentile:\n{text}")
        return float(match[1]) * _UNITS_MS[match[2]]

    total = re.search(r"^\s*(\d+) requests in ([\d.]+)(us|ms|s|m|h),", text, re.M)
    if total is None:
        raise BenchError(f"wrk's output has no total:\n{text}")
    sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    bad_answers = int(refused[1]) if refused else 0
    good = int(total[1]) - bad_answers
    elapsed_s = float(total[2]) * _UNITS_MS[total[3]] / 1e3
    return Sample(
        requests=good,
        requests_per_s=good / elapsed_s,
        p50_ms=latency_ms("50"),
        p99_ms=latency_ms("99"),
        errors=bad_answers + (sum(map(int, sockets.groups())) if sockets else 0),
        elapsed_s=elapsed_s,
    )


class MemoryPeak:
    """The highest anonymous memory seen while the `with` block runs."""

    def __init__(self, pid: int):
        self.pid = pid
        self.peak = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self):
        while True:
            try:
                self.peak = max(self.peak, anonymous_bytes(self.pid))
            except FileNotFoundError:
                return
            if self._done.wait(MEMORY_PERIOD_S):
                return

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()


def wrk(url: str, connections: int, seconds: int, threads: int = 1, script: Path | None = None) -> str:
    more = ["-s", str(script)] if script else []
    done = subprocess.run(
        ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", f"--timeout={WRK_TIMEOUT_S}s", "--latency", *more, url],
        text=True,
        capture_output=True,
        timeout=seconds + 3 * WRK_TIMEOUT_S,
    )
    if done.returncode != 0:
        raise BenchError(f"wrk failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def warm_up(url: str, connections: int, seconds: int):
    if seconds > 0:
        wrk(url, connections, seconds)


def measure(url: str, pid: int, connections: int, seconds: int) -> Sample:
    load_before = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_before = cpu_seconds(pid)
    with MemoryPeak(pid) as memory:
        output = wrk(url, connections, seconds)
    cpu_after = cpu_seconds(pid)
    load_after = resource.getrusage(resource.RUSAGE_CHILDREN)
    sample = parse_wrk(output)
    sample.cpu_s = cpu_after - cpu_before
    sample.load_cpu_s = (load_after.ru_utime + load_after.ru_stime) - (load_before.ru_utime + load_before.ru_stime)
    sample.anonymous_bytes = memory.peak
    return sample


def pgbench(server: PrivatePostgres, database: str, script: Path, seconds: int) -> Sample:
    """One client, prepared, the same single-row UPDATE and nothing else."""
    script.write_text(UPDATE + ";\n")
    done = subprocess.run(
        [
            str(binaries() / "pgbench"),
            "-n",
            "-c1",
            "-j1",
            "-M",
            "prepared",
            f"-T{seconds}",
            "-f",
            str(script),
            "-h",
            "127.0.0.1",
            "-p",
            str(server.port),
            "-U",
            server.role,
            database,
        ],
        env=server.client_environment(),
        text=True,
        capture_output=True,
        timeout=seconds + 60,
    )
    rate = re.search(r"^tps = ([\d.]+) ", done.stdout, re.M)
    count = re.search(r"^number of transactions actually processed: (\d+)", done.stdout, re.M)
    failed = re.search(r"^number of failed transactions: (\d+)", done.stdout, re.M)
    if done.returncode != 0 or rate is None or count is None:
        raise BenchError(f"pgbench failed: {done.stderr.strip() or done.stdout.strip()}")
    return Sample(
        requests=int(count[1]),
        requests_per_s=float(rate[1]),
        errors=int(failed[1]) if failed else 0,
        elapsed_s=float(seconds),
    )


def sync_latency_ms(directory: Path) -> dict:
    """How long writing and syncing one database page takes where the data is."""
    path = directory / f"sync-probe-{os.getpid()}"
    page = os.urandom(SYNC_BYTES)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.pwrite(descriptor, bytes(SYNC_BYTES * 16), 0)
        os.fsync(descriptor)
        times = []
        for i in range(SYNC_PROBES):
            begin = time.perf_counter()
            os.pwrite(descriptor, page, SYNC_BYTES * (i % 16))
            os.fdatasync(descriptor)
            times.append((time.perf_counter() - begin) * 1e3)
    finally:
        os.close(descriptor)
        path.unlink()
    percentiles = statistics.quantiles(times, n=100)
    return {"p50_ms": percentiles[49], "p99_ms": percentiles[98]}
