"""A TCP proxy between pingpong and PostgreSQL that breaks connections at a chosen point.

    with Proxy(cluster.port) as proxy:
        rule = proxy.arm(Point.AFTER_COMMIT, Action.BLACKHOLE)
        ... one batch is committed, its answer is never delivered, the connection hangs ...
        proxy.heal()

A rule fires on the next batch that reaches its point (or the next ``times`` of them), on whatever
connection. The proxy runs in a thread with an event loop of its own; its methods may be called
from any other thread.
"""

from __future__ import annotations

import asyncio
import collections
import socket
import struct
import threading
import time
from enum import Enum
from typing import Callable

from pgwire import Conversation, Cycle, Framer, Message


class Point(Enum):
    BEFORE_REQUEST = "before the request is forwarded"
    AFTER_REQUEST = "after the request was forwarded, before its answer"
    AFTER_COMMIT = "after the backend's whole answer, none of it delivered"
    MID_ANSWER = "after half of the backend's answer was delivered"


class Action(Enum):
    RESET = "reset both sides"
    BLACKHOLE = "keep both sockets, forward nothing more"
    HALF_OPEN = "reset the client's side, keep the server's until heal()"
    LATE = "the client's side hears nothing more, the server gets the request after a delay"
    DELAY = "forward everything, after a delay"


class Rule:
    """Fires at most ``times`` times; ``fired`` lists when (monotonic seconds)."""

    def __init__(self, point: Point, action: Action, times: int, delay: float, only_writes: bool):
        self.point, self.action, self.times, self.delay, self.only_writes = point, action, times, delay, only_writes
        self.fired: list[float] = []
        self._event = threading.Event()

    def take(self, point: Point, cycle: Cycle) -> bool:
        if point is not self.point or len(self.fired) >= self.times or (self.only_writes and not cycle.writes):
            return False
        self.fired.append(time.monotonic())
        if len(self.fired) == self.times:
            self._event.set()
        return True

    def wait(self, timeout: float) -> float:
        """Waits until it has fired as often as it may; returns when it last did."""
        assert self._event.wait(timeout), f"the proxy saw no batch to cut {self.point.value} within {timeout} s"
        return self.fired[-1]


class Proxy:
    def __init__(self, upstream_port: int, port: int = 0, latency: float = 0.0):
        """latency: seconds added to every answer."""
        self.upstream_port, self.port, self.latency = upstream_port, port, latency
        self.rules: list[Rule] = []
        self.refusing = False  # new connections are reset
        self.swallowing = False  # new connections are accepted and never answered
        self.sessions: set[Session] = set()
        self.accepted = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._server: asyncio.Server | None = None

    # -- control, from any thread ---------------------------------------------------------------

    def __enter__(self) -> "Proxy":
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def arm(self, point: Point, action: Action, *, times: int = 1, delay: float = 0.0, only_writes: bool = True) -> Rule:
        rule = Rule(point, action, times, delay, only_writes)
        self.rules.append(rule)
        return rule

    def cut_all(self, action: Action) -> None:
        """Does it to every connection there is, wherever it is in its conversation."""
        self._call(self._each(lambda session: session.act(action)))

    def heal(self) -> None:
        """Back to forwarding: rules dropped, broken connections closed, new ones served."""
        self.rules, self.refusing, self.swallowing = [], False, False
        self._call(self._each(lambda session: session.end() if session.broken else None))

    # -- on the proxy's own thread ----------------------------------------------------------------

    def _call(self, coroutine) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._server.close()
        for session in list(self.sessions):
            session.end()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _each(self, action: Callable[["Session"], None]) -> None:
        for session in list(self.sessions):
            action(session)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        session = Session(self, reader, writer)
        self.sessions.add(session)
        try:
            await session.run()
        except OSError:
            pass
        finally:
            session.end()
            self.sessions.discard(session)

    def rule_for(self, point: Point, cycle: Cycle) -> Rule | None:
        return next((rule for rule in self.rules if rule.take(point, cycle)), None)


class Session:
    """One connection of pingpong and the one to PostgreSQL that belongs to it."""

    #: Parts of a batch that are held back until it is complete, so that it can be dropped whole.
    HELD = frozenset((b"P", b"B", b"D", b"E", b"C"))

    def __init__(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.proxy = proxy
        self.client_in, self.client_out = reader, writer
        self.server_in: asyncio.StreamReader | None = None
        self.server_out: asyncio.StreamWriter | None = None
        self.from_client, self.from_server = Framer(untyped=True), Framer(untyped=False)
        self.conversation = Conversation()
        self.pending: collections.deque[Cycle] = collections.deque()
        self.negotiating = 0  # one-byte answers that the server still owes
        self.broken = False
        self.keeps_server = False
        self.ended = asyncio.Event()

    async def run(self) -> None:
        if self.proxy.refusing:
            reset(self.client_out)
            return
        if self.proxy.swallowing:
            self.broken = True
            await self.ended.wait()
            return
        self.server_in, self.server_out = await asyncio.open_connection("127.0.0.1", self.proxy.upstream_port)
        pumps = [asyncio.create_task(self._pump_requests()), asyncio.create_task(self._pump_answers())]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            if self.broken:
                await self.ended.wait()
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    def act(self, action: Action) -> None:
        """Breaks this connection in the given way, now."""
        self.broken = True
        if action is Action.RESET:
            reset(self.client_out)
            reset(self.server_out)
            self.ended.set()
        elif action is Action.HALF_OPEN:
            reset(self.client_out)

    def end(self) -> None:
        for writer in (self.client_out, self.server_out):
            if writer is not None:
                writer.close()
        self.ended.set()

    # -- client to server -------------------------------------------------------------------------

    async def _pump_requests(self) -> None:
        held = b""
        while data := await self.client_in.read(65536):
            if self.broken:
                return
            for message in self.from_client.feed(data):
                held += message.raw
                if Framer.negotiation(message):
                    self.negotiating += 1
                cycle = None if message.kind in (b"", b"p") else self.conversation.follow(message)
                if cycle is None and message.kind in self.HELD:
                    continue
                if not await self._forward_request(held, cycle):
                    return
                held = b""

    async def _forward_request(self, data: bytes, cycle: Cycle | None) -> bool:
        """False when the connection is broken by it."""
        rule = self.proxy.rule_for(Point.BEFORE_REQUEST, cycle) if cycle else None
        if rule and rule.action is Action.LATE:
            self.broken = True
            await asyncio.sleep(rule.delay)
        elif rule and rule.action is Action.DELAY:
            await asyncio.sleep(rule.delay)
        elif rule:
            self.act(rule.action)
            return False
        if cycle:
            self.pending.append(cycle)
        self.server_out.write(data)
        await self.server_out.drain()
        after = self.proxy.rule_for(Point.AFTER_REQUEST, cycle) if cycle and not self.broken else None
        if after:
            self.act(after.action)
        return not self.broken

    # -- server to client -------------------------------------------------------------------------

    async def _pump_answers(self) -> None:
        held: list[Message] = []
        while data := await self.server_in.read(65536):
            data = self._take_negotiation(data)
            for message in self.from_server.feed(data):
                held.append(message)
                if self.pending and message.kind != b"Z":
                    continue
                cycle = self.pending.popleft() if self.pending else None
                await self._forward_answer(held, cycle)
                held = []
        if held and not self.broken:  # a last word, such as a FATAL error
            await self._forward_answer(held, None)

    def _take_negotiation(self, data: bytes) -> bytes:
        """Passes the one-byte answers to requests for encryption on."""
        while self.negotiating and data:
            self.client_out.write(data[:1])
            data, self.negotiating = data[1:], self.negotiating - 1
        return data

    async def _forward_answer(self, messages: list[Message], cycle: Cycle | None) -> None:
        if self.broken:
            return  # read and dropped, so that the backend never blocks on its answer
        data = b"".join(message.raw for message in messages)
        rule = None
        if cycle:
            rule = self.proxy.rule_for(Point.AFTER_COMMIT, cycle) or self.proxy.rule_for(Point.MID_ANSWER, cycle)
        if self.proxy.latency or (rule and rule.action is Action.DELAY):
            await asyncio.sleep(self.proxy.latency + (rule.delay if rule else 0))
        if rule and rule.point is Point.MID_ANSWER:
            await self._deliver(data[: len(data) // 2])
        if rule and rule.action is not Action.DELAY:
            self.act(rule.action)
        elif not self.broken:
            await self._deliver(data)

    async def _deliver(self, data: bytes) -> None:
        self.client_out.write(data)
        await self.client_out.drain()


def reset(writer: asyncio.StreamWriter | None) -> None:
    """Closes with a TCP reset instead of an orderly end."""
    if writer is None:
        return
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
