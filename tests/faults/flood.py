"""Many raw connections at once, for what a well-behaved client would not do."""

from __future__ import annotations

import asyncio
import contextlib
import time

from client import Connection
from history import Outcome, Request

STEP = 250  # connections opened at a time: below any listen backlog


class Flood:
    """Keeps ``count`` connections to one port; each wave() sends one ping on every one at once."""

    def __init__(self, port: int):
        self.port = port
        self.connections: list[Connection] = []

    async def open(self, count: int) -> None:
        for start in range(0, count, STEP):
            opened = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", self.port) for _ in range(min(STEP, count - start))))
            self.connections += [Connection("flood", reader, writer) for reader, writer in opened]

    async def wave(self) -> list[Request]:
        answers = await asyncio.gather(*(connection.ask(read=False) for connection in self.connections))
        return [request for request, _ in answers]

    def close(self) -> None:
        for connection in self.connections:
            connection.close()


async def waves(port: int, count: int, times: int) -> list[Request]:
    """Opens that many connections and pings on all of them at the same moment, several times."""
    flood = Flood(port)
    try:
        await flood.open(count)
        return [request for _ in range(times) for request in await flood.wave()]
    finally:
        flood.close()


async def one_by_one(port: int, count: int) -> list[Request]:
    """Opens connections one after the other, a ping on each, and leaves them open."""
    flood, requests = Flood(port), []
    try:
        for _ in range(count):
            await flood.open(1)
            requests.append((await flood.connections[-1].ask(read=False))[0])
        return requests
    finally:
        flood.close()


async def vanish(port: int, count: int, waiting, reset: bool) -> list[Request]:
    """Sends ``count`` pings, calls waiting() until it is true, and leaves without the answers."""
    flood, requests = Flood(port), []
    await flood.open(count)
    start = time.monotonic()
    for connection in flood.connections:
        connection.writer.write(b"GET /ping HTTP/1.1\r\nHost: gone\r\n\r\n")
    while not await asyncio.to_thread(waiting):
        assert time.monotonic() < start + 5, "the pings never waited"
        await asyncio.sleep(0.02)
    for connection in flood.connections:
        connection.writer.transport.abort() if reset else connection.close()
        requests.append(Request(start, time.monotonic(), Outcome.LOST, detail="left"))
    return requests


async def dribble(port: int, count: int, head: bytes, piece: bytes, interval: float, patience: float) -> list[float]:
    """Opens connections that send head and then piece after piece (or nothing, if it is empty), and
    says after how many seconds each was closed by the server; patience if it was not."""

    async def one() -> float:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        start = time.monotonic()
        sender = asyncio.create_task(_send_pieces(writer, head, piece, interval))
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            await asyncio.wait_for(_until_closed(reader), patience)
        took = time.monotonic() - start
        sender.cancel()
        writer.close()
        return min(took, patience)

    return list(await asyncio.gather(*(one() for _ in range(count))))


async def _send_pieces(writer: asyncio.StreamWriter, head: bytes, piece: bytes, interval: float) -> None:
    with contextlib.suppress(OSError):
        writer.write(head)
        while piece:
            await asyncio.sleep(interval)
            writer.write(piece)
            await writer.drain()


async def _until_closed(reader: asyncio.StreamReader) -> None:
    while await reader.read(65536):
        pass
