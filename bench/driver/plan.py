"""What is measured, in which order, and each measurement from start to stop."""

import statistics
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from . import load, servers
from .errors import BenchError
from .load import Sample
from .postgres import PrivatePostgres
from .servers import Program, Server

CONNECTIONS = (1, 64, 256, 1000)


@dataclass(frozen=True)
class Series:
    """A row of the tables: a stack of programs on one kind of storage."""

    key: str
    label: str
    storage: str
    path: str = "/ping"
    counter: Program | None = None
    page: Program | None = None
    connections: tuple = CONNECTIONS


FLOOR = Series("floor", "floor: a constant through libmicrohttpd", "none")
PGBENCH = {storage: Series(f"pgbench-{storage}", "pgbench, 1 client", storage, connections=(1,)) for storage in ("disk", "tmpfs")}
PING = {storage: Series(f"pingpong-{storage}", "pingpong `/ping`", storage, counter=servers.PINGPONG) for storage in ("disk", "tmpfs")}
KOA_PING = {
    storage: Series(f"koa-pingpong-{storage}", "Koa + pg `/ping`", storage, counter=servers.KOA_PINGPONG) for storage in ("disk", "tmpfs")
}
PAGE = Series("page-disk", "reader's page, on pingpong", "disk", "/log-output", servers.PINGPONG, servers.READER)
KOA_PAGE = Series("koa-page-disk", "Koa + axios page, on Koa + pg", "disk", "/log-output", servers.KOA_PINGPONG, servers.KOA_PAGE)
KOA_PAGE_MIXED = Series(
    "koa-page-on-pingpong-disk",
    "Koa + axios page, on pingpong",
    "disk",
    "/log-output",
    servers.PINGPONG,
    servers.KOA_PAGE,
    connections=(64, 256),
)


def all_series(storages: list) -> list:
    series = [FLOOR]
    for storage in storages:
        series += [PGBENCH[storage], PING[storage], KOA_PING[storage]]
        if storage == "disk":
            series += [PAGE, KOA_PAGE, KOA_PAGE_MIXED]
    return series


def schedule(series: list, number: int, rounds: int):
    """Yields (connections, series) of one round; each round begins with another program, so that no one
    always has the same neighbour."""
    first = number * len(series) // max(rounds, 1)
    for connections in CONNECTIONS:
        for one in series[first:] + series[:first]:
            if connections in one.connections:
                yield connections, one


@dataclass(frozen=True)
class Running:
    """A stack that was started: the counter, and what is asked, which may be the counter itself."""

    series: Series
    counter: Server
    target: Server

    @property
    def url(self) -> str:
        return self.target.url(self.series.path)

    def warm_up(self, connections: int, seconds: int):
        load.warm_up(self.url, connections, seconds)

    def measure(self, connections: int, seconds: int) -> Sample:
        before = count(self.counter) if self.series.counter else None
        result = load.measure(self.url, self.target.pid, connections, seconds)
        self.target.check_alive()
        if before is not None:
            check_counted(self.series.label, result, connections, count(self.counter) - before - 1)
        return result


class Bench:
    """Measures on databases that are running already."""

    def __init__(self, databases: dict[str, PrivatePostgres], scratch: Path, seconds: int, warmup_seconds: int):
        self.databases = databases
        self.scratch = scratch
        self.seconds = seconds
        self.warmup_seconds = warmup_seconds
        self.shared_file = scratch / "timestamp.txt"
        self.config_file = scratch / "information.txt"
        self.config_file.write_text("this text is from file\n")
        for server in databases.values():
            for name in ("pingpong", "pingpong_before", "koa_pingpong", "pgbench"):
                server.create_database(name)
            server.sql("pgbench", "CREATE TABLE counters (id INT PRIMARY KEY, count BIGINT NOT NULL)")
            server.sql("pgbench", "INSERT INTO counters VALUES (1, 0)")
            server.sql("pgbench", f"GRANT SELECT, UPDATE ON counters TO {server.role}")

    def writer(self) -> Server:
        """Keeps the shared file fresh for both pages."""
        settings = {"SHARED_FILE": str(self.shared_file)}
        return Server(servers.WRITER, settings, self.scratch / "writer.log")

    def sample(self, series: Series, connections: int) -> Sample:
        if series.key.startswith("pgbench"):
            return load.pgbench(self.databases[series.storage], "pgbench", self.scratch / "update.sql", self.seconds)
        with ExitStack() as stack:
            running = self.start(stack, series)
            running.warm_up(connections, self.warmup_seconds)
            return running.measure(connections, self.seconds)

    def start(self, stack: ExitStack, series: Series) -> "Running":
        counter = self._start_counter(stack, series)
        target = self._start_page(stack, series, counter) if series.page else counter
        servers.check_keeps_connection(target, series.path)
        return Running(series, counter, target)

    def _start_counter(self, stack: ExitStack, series: Series) -> Server:
        program = series.counter or servers.FLOOR
        settings = {}
        if series.counter:
            settings = self.databases[series.storage].settings(program.name.replace("-", "_"))
        return stack.enter_context(Server(program, settings, self.scratch / f"{program.name}.log"))

    def _start_page(self, stack: ExitStack, series: Series, counter: Server) -> Server:
        settings = {
            "SHARED_FILE": str(self.shared_file),
            "CONFIG_FILE": str(self.config_file),
            "MESSAGE": "hello world",
            "PINGPONG_URL": counter.url("/ping"),
        }
        page = stack.enter_context(Server(series.page, settings, self.scratch / f"{series.page.name}.log"))
        _check_page(page)
        return page


def count(counter: Server) -> int:
    status, body = servers.get(counter.url("/ping"))
    prefix = '{"pong":'
    if status != 200 or not body.startswith(prefix):
        raise BenchError(f"{counter.program.name} answered {status}: {body[:200]}")
    return int(body.removeprefix(prefix).rstrip("}\n"))


def _check_page(page: Server):
    status, body = servers.get(page.url("/log-output"))
    lines = body.splitlines()
    expected = ("file content: this text is from file", "env variable: MESSAGE=hello world", "", "Ping / Pongs: ")
    if status != 200 or len(lines) != 4 or not all(map(str.startswith, lines, expected)):
        raise BenchError(f"{page.program.name} answered {status}:\n{body[:500]}")


def check_counted(label: str, sample: Sample, connections: int, counted: int):
    """Every answer must be in the database. Requests cut off when the load stops may be as well."""
    most = sample.requests + sample.errors + 2 * connections
    if not sample.requests <= counted <= most:
        raise BenchError(f"{label}: {sample.requests} good answers and {sample.errors} errors, but the count rose by {counted}")


def medians(samples: list) -> dict:
    """The middle of the rounds, each figure by itself, and the range of the throughput."""

    def middle(values: list):
        known = [value for value in values if value is not None]
        return statistics.median(known) if known else None

    rates = [sample.requests_per_s for sample in samples]
    with_cpu = [s for s in samples if s.cpu_s is not None and s.requests > 0]
    return {
        "requests_per_s": middle(rates),
        "lowest": min(rates),
        "highest": max(rates),
        "p50_ms": middle([s.p50_ms for s in samples]),
        "p99_ms": middle([s.p99_ms for s in samples]),
        "errors": sum(s.errors for s in samples),
        "cpu_s_per_100k": middle([s.cpu_s / s.requests * 1e5 for s in with_cpu]),
        "server_busy": middle([s.cpu_s / s.elapsed_s for s in with_cpu]),
        "load_busy": middle([s.load_cpu_s / s.elapsed_s for s in with_cpu]),
        "anonymous_bytes": middle([s.anonymous_bytes for s in samples]),
    }
