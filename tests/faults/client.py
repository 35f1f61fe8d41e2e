"""Clients that record everything: pings over many kept-alive connections, and probes.

    with Load({"a": 3001, "b": 3002}, connections=60) as load:
        load.wait_acknowledged(200)
        ... break something ...
    requests = load.requests            # see history.py

The clients run in one thread with an event loop of its own; the methods of Load may be called from
the thread that made it.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import threading
import time
from dataclasses import dataclass
from typing import Callable

from history import Outcome, Request

GIVE_UP_S = 8.0  # longer than any answer the contract allows
PROBE_INTERVAL_S = 0.04
PROBE_GIVE_UP_S = 1.5
LAG_STEP_S = 0.02


def raise_descriptor_limit() -> int:
    """As many file descriptors as this process may have; returns the limit."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


@dataclass(frozen=True)
class Probe:
    """One health check: status 0 means that no answer came."""

    start: float
    end: float
    status: int


@dataclass
class Answer:
    status: int
    headers: dict[bytes, bytes]
    body: bytes

    @property
    def closes(self) -> bool:
        return self.headers.get(b"connection", b"").lower() == b"close"


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
    headers = {}
    for line in head[1:-2]:
        name, _, value = line.partition(b":")
        headers[name.strip().lower()] = value.strip()
    body = await reader.readexactly(int(headers.get(b"content-length", 0)))
    return Answer(int(head[0].split(b" ", 2)[1]), headers, body)


def classify(answer: Answer, read: bool = False) -> tuple[Outcome, int | None, str]:
    """What an answer to a ping (or a read) tells its client."""
    try:
        value = json.loads(answer.body)
    except ValueError:
        value = None
    if answer.status == 200 and isinstance(value, dict) and isinstance(value.get("pong"), int):
        return Outcome.ANSWERED, value["pong"], ""
    text = answer.body.decode("utf-8", "replace")
    if answer.status == 503 and isinstance(value, dict) and isinstance(value.get("error"), str):
        if not read and b"retry-after" not in answer.headers:
            return Outcome.WRONG, None, "503 without Retry-After"
        certain = "not counted" in value["error"] or "queue" in value["error"]
        return (Outcome.REFUSED if certain else Outcome.UNKNOWN), None, value["error"]
    return Outcome.WRONG, None, f"{answer.status} {text[:120]}"


class Load:
    """Clients in a closed loop, spread over the replicas that are in rotation.

    replicas     name -> port of those in rotation at first
    connections  how many clients; each has one connection, and thinks up to ``think`` seconds
                 between two requests
    reads        the share of requests that are GET /count
    """

    def __init__(self, replicas: dict[str, int], connections: int = 60, think: float = 0.02, reads: float = 0.05):
        self.replicas = dict(replicas)
        self.connections, self.think, self.reads = connections, think, reads
        self.requests: list[Request] = []
        self.probes: dict[str, list[Probe]] = {name: [] for name in replicas}
        self.unhealthy: set[str] = set()
        self.follow_health = False  # leave replicas whose /healthz fails, as Kubernetes does
        self._stopping = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._main(),), name="clients", daemon=True)
        self._clients: list[asyncio.Task] = []
        self._probers: dict[str, asyncio.Task] = {}
        self._lags: list[tuple[float, float]] = []
        self._stopped = asyncio.Event()

    # -- from the thread that made it -----------------------------------------------------------

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """No new requests; returns when the last is answered or given up."""
        if self._thread.is_alive():
            self._stopping = True
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join(GIVE_UP_S + 5)
            assert not self._thread.is_alive(), "clients did not stop"

    def add(self, name: str, port: int) -> None:
        """Puts a replica into rotation."""
        self.probes.setdefault(name, [])

        def put() -> None:
            self.replicas[name] = port
            self._probers[name] = self._loop.create_task(self._prober(name, port))

        self._loop.call_soon_threadsafe(put)

    def remove(self, name: str) -> None:
        """Takes a replica out of rotation; its probes go on."""
        self._loop.call_soon_threadsafe(self.replicas.pop, name, None)

    def wait_acknowledged(self, more: int, timeout: float = 20.0) -> None:
        """Waits until ``more`` further pings have been acknowledged."""
        seen, found = len(self.requests), 0
        deadline = time.monotonic() + timeout
        while found < more:
            assert time.monotonic() < deadline, f"only {found} of {more} pings acknowledged within {timeout} s"
            time.sleep(0.01)
            fresh = self.requests[seen:]
            seen += len(fresh)
            found += sum(1 for request in fresh if request.outcome is Outcome.ANSWERED and not request.read)

    def first_acknowledged(self, name: str, after: float, timeout: float = 15.0) -> float:
        """When that replica first acknowledged a ping sent at ``after`` or later."""
        return self._first(
            lambda: [
                request.end
                for request in list(self.requests)
                if request.start >= after and request.replica == name and request.outcome is Outcome.ANSWERED and not request.read
            ],
            f"{name} acknowledged no ping within {timeout} s",
            timeout,
        )

    def first_probe(self, name: str, status: int, after: float, timeout: float = 15.0) -> float:
        """When /healthz of that replica, asked at ``after`` or later, first answered ``status``."""
        return self._first(
            lambda: [probe.end for probe in list(self.probes[name]) if probe.start >= after and probe.status == status],
            f"/healthz of {name} was not {status} within {timeout} s",
            timeout,
        )

    def lag(self, start: float, end: float) -> float:
        """For how much of that time these clients themselves were kept from running: what a busy
        machine adds to every time measured here."""
        return sum(lag for moment, lag in list(self._lags) if start <= moment <= end + LAG_STEP_S)

    @staticmethod
    def _first(moments: Callable[[], list[float]], what: str, timeout: float) -> float:
        deadline = time.monotonic() + timeout
        while not (found := moments()):
            assert time.monotonic() < deadline, what
            time.sleep(0.02)
        return min(found)

    # -- in the clients' thread -----------------------------------------------------------------

    async def _main(self) -> None:
        self._probers = {name: asyncio.create_task(self._prober(name, port)) for name, port in self.replicas.items()}
        self._clients = [asyncio.create_task(self._client(index)) for index in range(self.connections)]
        meter = asyncio.create_task(self._measure_lag())
        await self._stopped.wait()
        await asyncio.gather(*self._clients)
        meter.cancel()
        for prober in self._probers.values():
            prober.cancel()
        await asyncio.gather(*self._probers.values(), return_exceptions=True)

    async def _measure_lag(self) -> None:
        while True:
            start = time.monotonic()
            await asyncio.sleep(LAG_STEP_S)
            end = time.monotonic()
            self._lags.append((end, end - start - LAG_STEP_S))

    def _choose(self, index: int) -> str | None:
        names = [name for name in self.replicas if not (self.follow_health and name in self.unhealthy)]
        return names[index % len(names)] if names else None

    async def _client(self, index: int) -> None:
        generator = random.Random(index)
        connection: Connection | None = None
        while not self._stopping:
            name = self._choose(index)
            if name is None:
                await asyncio.sleep(0.02)
                continue
            if connection is not None and connection.replica != name:
                connection.close()
                connection = None
            if connection is None:
                connection = await self._connect(name)
                if connection is None:
                    await asyncio.sleep(0.05)
                    continue
            request, usable = await connection.ask(generator.random() < self.reads)
            self.requests.append(request)
            if not usable:
                connection.close()
                connection = None
            failed = request.outcome is not Outcome.ANSWERED
            await asyncio.sleep(generator.uniform(0.02, 0.1) if failed else generator.uniform(0, self.think))
        if connection is not None:
            connection.close()

    async def _connect(self, name: str) -> "Connection | None":
        start = time.monotonic()
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", self.replicas[name]), GIVE_UP_S)
        except (OSError, asyncio.TimeoutError) as error:
            self.requests.append(Request(start, time.monotonic(), Outcome.UNSENT, replica=name, detail=repr(error)))
            return None
        return Connection(name, reader, writer)

    async def _prober(self, name: str, port: int) -> None:
        """Asks /healthz again and again, each time on a connection of its own, as a kubelet does."""
        while True:
            probe = await probe_once(port)
            self.probes[name].append(probe)
            (self.unhealthy.discard if probe.status == 200 else self.unhealthy.add)(name)
            await asyncio.sleep(PROBE_INTERVAL_S)


async def probe_once(port: int, path: str = "/healthz") -> Probe:
    start, status, writer = time.monotonic(), 0, None
    try:
        async with asyncio.timeout(PROBE_GIVE_UP_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET %s HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n" % path.encode())
            status = (await read_answer(reader)).status
    except (OSError, EOFError, ValueError, asyncio.TimeoutError):
        pass
    finally:
        if writer is not None:
            writer.close()
    return Probe(start, time.monotonic(), status)


class Connection:
    """One kept-alive connection of a client."""

    def __init__(self, replica: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.replica, self.reader, self.writer = replica, reader, writer

    async def ask(self, read: bool) -> tuple[Request, bool]:
        """One ping (or GET /count); also says whether the connection may be used again."""
        path = b"/count" if read else b"/ping"
        start = time.monotonic()
        try:
            self.writer.write(b"GET " + path + b" HTTP/1.1\r\nHost: pingpong\r\n\r\n")
            answer = await asyncio.wait_for(read_answer(self.reader), GIVE_UP_S)
        except (OSError, EOFError, asyncio.TimeoutError) as error:
            return Request(start, time.monotonic(), Outcome.LOST, None, read, self.replica, repr(error)), False
        except ValueError as error:
            return Request(start, time.monotonic(), Outcome.WRONG, None, read, self.replica, repr(error)), False
        end = time.monotonic()
        outcome, number, detail = classify(answer, read)
        return Request(start, end, outcome, number, read, self.replica, detail), not answer.closes

    def close(self) -> None:
        self.writer.close()
