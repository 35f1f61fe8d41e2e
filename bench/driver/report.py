"""docs/bench.md from a run's medians."""

import math
from dataclasses import astuple

from . import comparison, history, plan, replicas
from .figures import Results, all_figures

INTRODUCTION = """\
# Benchmark

Made by `make bench`; nothing here is edited by hand. Every program runs on the same machine as its
load, next to the same private PostgreSQL with `fsync` and `synchronous_commit` on. Each measurement
starts its programs anew, warms them up, checks that they answer what they should, and afterwards that
the counter rose by every answer given. The measurements are interleaved; a table shows medians.

![Requests per second, latency and memory of pingpong, reader and their peers](bench.svg)
"""

EXPLANATION = """\
## What is compared

- **pingpong, reader**: this project's programs with default settings, one process each. The reader asks
  a pingpong for each view, and reads the file that the writer keeps fresh.
- **Koa + pg, Koa + axios**: the same contract as most people would write it in Node.js, in `bench/koa/`: one
  `UPDATE` per request, a pool of ten connections, one process, `NODE_ENV=production`. The page is measured as
  a whole stack: the Koa page on the Koa counter to the reader on pingpong. The Koa page on pingpong shows
  what it does when its counter is not the limit.
- **floor**: `bench/floor.c`, a constant answer of the same size and headers through libmicrohttpd with
  pingpong's settings: what a request costs on that library at least. Where the load generator is the limit
  (*wrk busy* near 100 %), that is not the most requests/s that can be had.
- **pgbench**: one client, prepared statement, the same single-row `UPDATE`: what the database itself can commit
  one after the other.

- **the version before**: this project's own programs from before views that wait were asked for together, and
  before answers said who gave them, built from the history with that version's flags. In each round both run,
  and the load goes to one, to the other, to the other and back, {slice} s each; a figure is the median of such
  pairs' ratios. *p50* is in steps of a microsecond.
- **replicas**: so many pingpongs on one database, each with its part of the same connections, from {threads} threads
  of wrk. *CPU* is theirs together; *a commit* is one of them's, waiting for the others' included.

## How to read the columns

- *Requests/s* counts answers with status 2xx; *range* is the slowest and the fastest round.
- *Errors* are all rounds' bad answers and socket errors, requests over {timeout} s included.
- *CPU s* is the user and system time of the measured program alone for 100,000 answers, without its database;
  for a page without its counter.
- *Server busy* and *wrk busy* are shares of one core. With wrk near 100 % the load generator is the limit
  and the program could do more. pingpong, wrk and PostgreSQL share the machine's cores.
- *Anonymous memory* is the highest `RssAnon` seen under load.
"""


def _number(value: float | None, digits: int = 3) -> str:
    """About three significant digits, thousands separated, never in exponents."""
    if value is None:
        return ""
    if value == 0:
        return "0"
    return f"{value:,.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value * 100:.0f} %"


def _table(header: list, rows: list, right_from: int) -> list:
    rule = ["---" if i < right_from else "---:" for i in range(len(header))]
    return ["| " + " | ".join(row) + " |" for row in [header, rule, *rows]] + [""]


def _figures(results: Results) -> list:
    rows = [[one.name, one.to_reach, one.written, one.verdict, one.note] for one in all_figures(results)]
    return ["## Figures to reach", ""] + _table(["figure", "to reach", "measured", "", ""], rows, 5)


def _measurements(results: Results, title: str, series: list) -> list:
    header = [
        "program",
        "connections",
        "requests/s",
        "range",
        "p50 ms",
        "p99 ms",
        "errors",
        "CPU s / 100,000",
        "server busy",
        "wrk busy",
        "anonymous MB",
    ]
    rows = []
    for one in series:
        for connections in one.connections:
            cell = results.row(one, connections)
            if cell is None:
                continue
            memory = cell["anonymous_bytes"]
            rows.append(
                [
                    one.label,
                    f"{connections}",
                    _number(cell["requests_per_s"]),
                    f"{_number(cell['lowest'])}–{_number(cell['highest'])}",
                    _number(cell["p50_ms"]),
                    _number(cell["p99_ms"]),
                    f"{cell['errors']}",
                    _number(cell["cpu_s_per_100k"]),
                    _percent(cell["server_busy"]),
                    _percent(cell["load_busy"]),
                    _number(memory / 1e6 if memory is not None else None),
                ]
            )
    return [f"## {title}", ""] + _table(header, rows, 1) if rows else []


def _comparisons(results: Results) -> list:
    header = ["what", "connections", "requests/s", "before", "p50 ms", "before", "CPU s / 100,000", "before"]
    rows = []
    for one in comparison.ALL:
        pairs = results.pairs.get(one.key)
        if pairs:
            now, before = (plan.medians(list(samples)) for samples in zip(*pairs))
            rows.append(
                [one.now.label, f"{one.connections}"]
                + [_number(side[metric]) for metric in ("requests_per_s", "p50_ms", "cpu_s_per_100k") for side in (now, before)]
            )
    title = f"## Beside the version before (commit {history.COMMIT[:12]}), data on disk"
    return [title, ""] + (_table(header, rows, 1) if rows else [results.left_out or "not measured", ""])


def _replicas(results: Results) -> list:
    header = ["replicas", "requests/s", "p50 ms", "p99 ms", "CPU s / 100,000", "the database's", "pings in a commit", "commit ms"]
    rows = [[f"{count}"] + [_number(value) for value in astuple(one)] for count, one in sorted(results.replicas.items())]
    title = f"## Replicas on one database, {replicas.CONNECTIONS} connections, data on disk"
    return [title, ""] + _table(header, rows, 0) if rows else []


def _machine(facts: dict) -> list:
    rows = [
        ["date", facts["date"]],
        ["machine", facts["machine"]],
        ["system", facts["system"]],
        ["pingpong", facts["pingpong"]],
        ["reader", facts["reader"]],
        ["floor", facts["floor"]],
        ["peer", facts["peer"]],
        ["database", facts["PostgreSQL"]],
        ["load", f"{facts['wrk']}, 1 thread"],
    ]
    for storage, sync in facts["sync"].items():
        place = f"{facts['data']} on disk" if storage == "disk" else "tmpfs"
        rows.append([f"commit, {storage}", f"{place}: 8 KiB written and synced in {sync['p50_ms']:.3f} ms (p99 {sync['p99_ms']:.3f} ms)"])
    rows.append(["run", f"rounds: {facts['rounds']}; each measurement {facts['seconds']} s after {facts['warmup']} s of warm-up"])
    rows.append(
        [
            "quiet",
            f"load average {facts['load_before']:.2f} before the run, "
            f"{facts['stolen'] * 100:.1f} % of processor time stolen by the hypervisor during it",
        ]
    )
    return ["## Machine and versions", ""] + _table(["", ""], rows, 2)


def markdown(results: Results, facts: dict) -> str:
    disk = [plan.FLOOR, plan.PING["disk"], plan.KOA_PING["disk"], plan.PGBENCH["disk"]]
    tmpfs = [plan.PING["tmpfs"], plan.KOA_PING["tmpfs"], plan.PGBENCH["tmpfs"]]
    pages = [plan.PAGE, plan.KOA_PAGE, plan.KOA_PAGE_MIXED]
    lines = [INTRODUCTION]
    lines += _figures(results)
    lines += _machine(facts)
    lines += _measurements(results, "The counter, data on disk", disk)
    lines += _measurements(results, "The counter, data on tmpfs", tmpfs)
    lines += _measurements(results, "The page, data on disk", pages)
    lines += _comparisons(results)
    lines += _replicas(results)
    lines.append(EXPLANATION.format(timeout=facts["timeout"], slice=comparison.SLICE_SECONDS, threads=replicas.THREADS))
    return "\n".join(lines)
