"""The programs under test, with what is common to their tests."""

from __future__ import annotations

import itertools
import json
import os
import re
import threading
import time
from pathlib import Path
from typing import Any, Callable, Sequence

from harness.http import Connection, Response
from harness.postgres import Cluster
from harness.process import BUILD, Daemon, run

PROGRAMS = ("pingpong", "writer", "reader", "witness")

# A sanitizer costs time, and a busy machine too, so what is a limit for a user is a wider one there.
SANITIZED = BUILD.name in ("asan", "tsan")
PATIENCE = 8.0 if SANITIZED else 4.0
# A drain that is long enough to be looked at.
DRAIN_MS = 4500 if SANITIZED else 2000

_REPORT = re.compile(r"(Address|Leak|Thread|UndefinedBehavior)Sanitizer|: runtime error: ")

_serial = itertools.count(1)


class Program(Daemon):
    """A daemon whose standard error is searched for a sanitizer's report when it is discarded."""

    def discard(self) -> None:
        self.kill()
        text = self.stderr() if (self.directory / "stderr").exists() else ""
        super().discard()
        assert not _REPORT.search(text), f"a sanitizer's report of {self.name}:\n{text}"


class Database:
    """A database of its own in a cluster, and the role that owns it."""

    def __init__(self, cluster: Cluster):
        self.cluster = cluster
        self.name = f"test_{os.getpid()}_{next(_serial)}"
        self.role = f"{self.name}_owner"
        cluster.create_role(self.role)
        cluster.create_database(self.name, owner=self.role)

    def query(self, sql: str, arguments: Sequence[Any] | None = None) -> list[tuple]:
        return self.cluster.query(sql, arguments, database=self.name)

    def env(self, **settings: object) -> dict[str, str]:
        """pingpong's settings, with a short drain."""
        values = {**self.cluster.env(self.name, self.role), "DRAIN_MS": 0, **settings}
        return {name: str(value) for name, value in values.items()}

    def count(self) -> int:
        return self.query("SELECT count FROM counters")[0][0]

    def drop(self) -> None:
        self.cluster.drop_database(self.name)
        self.cluster.query(f'DROP ROLE IF EXISTS "{self.role}"')


def pingpong(env: dict[str, str], **options: Any) -> Program:
    """Not started yet. Ready means: the database can do the work."""
    options.setdefault("ready", "/healthz")
    return Program([BUILD / "pingpong"], env, **options)


def writer(shared_file: Path, **settings: object) -> Program:
    return Program([BUILD / "writer"], {"SHARED_FILE": shared_file, **settings}, port=0)


def reader(env: dict[str, object], **options: Any) -> Program:
    options.setdefault("ready", "/livez")
    return Program([BUILD / "reader"], {"DRAIN_MS": 0, **env}, **options)


def witness(url: str, **settings: object) -> Program:
    """Begins at once; its lines are witness_lines() of it."""
    return Program([BUILD / "witness"], {"TARGET_URL": url, "DRAIN_MS": 0, **settings})


def run_sanitized(argv: Sequence[object], env: dict[str, object] | None = None, **options: Any):
    """Runs a program to its end; its output must hold no sanitizer's report."""
    done = run(argv, env, **options)
    assert not _REPORT.search(done.stderr), done.stderr
    return done


def in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Results of work(0) to work(count - 1), each in a thread, all begun at the same moment. An
    exception in one is raised here."""
    results: list[Any] = [None] * count
    failures: list[BaseException] = []
    barrier = threading.Barrier(count)

    def body(index: int) -> None:
        try:
            barrier.wait()
            results[index] = work(index)
        except BaseException as failure:  # noqa: B902 - raised again below
            failures.append(failure)

    threads = [threading.Thread(target=body, args=(index,), daemon=True) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a client got no answer"
    if failures:
        raise failures[0]
    return results


def in_background(work: Callable[[], object]) -> tuple[threading.Thread, list]:
    """The thread, and where the result of work() will be."""
    results: list = []
    thread = threading.Thread(target=lambda: results.append(work()), daemon=True)
    thread.start()
    return thread, results


def ask_all_at_once(port: int, path: str, count: int, timeout: float) -> list[Response]:
    """One request on each of `count` kept-alive connections that have been idle, all sent before
    any answer is read."""
    connections: list[Connection] = []
    try:
        for _ in range(count):
            connections.append(Connection(port, timeout=timeout))
        for connection in connections:
            assert connection.request("GET", "/livez").status == 200
        for connection in connections:
            connection.send_request("GET", path)
        return [connection.read_response() for connection in connections]
    finally:
        for connection in connections:
            connection.close()


def log_lines(text: str) -> list[dict[str, Any]]:
    """The JSON objects of a log; every line has to be one."""
    return [json.loads(line) for line in text.splitlines()]


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.monotonic()
    return work(), time.monotonic() - started


def settings_of(program: str) -> dict[str, tuple[str, str, str]]:
    """--help's table: name -> (default, accepted, description)."""
    text = run([BUILD / program, "--help"]).stdout
    rows = re.findall(r"^  ([A-Z_]+) \(default: (.*?); (.*)\)\n +(.*)$", text, re.MULTILINE)
    return {name: (default, accepted, about) for name, default, accepted, about in rows}


def pong(response: Response) -> int:
    """The number of an answer that is exactly what the contract says."""
    assert response.status == 200, (response.status, response.body)
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    match = re.fullmatch(rb'\{"pong":(\d+)\}', response.body)
    assert match, response.body
    return int(match.group(1))
