"""PostgreSQL's v3 protocol, as far as a proxy must understand it: where messages begin and end,
which of them close a cycle, and whether a cycle writes."""

from __future__ import annotations

import re
from dataclasses import dataclass

SSL_REQUEST = 80877103
GSS_REQUEST = 80877104
CANCEL_REQUEST = 80877102

_COUNTS = re.compile(rb"\b(UPDATE|INSERT\s+INTO|MERGE\s+INTO)\s+counters\b", re.IGNORECASE)
_PREPARE = re.compile(rb"\s*PREPARE\s+(\w+)", re.IGNORECASE)


@dataclass(frozen=True)
class Message:
    """kind is b"" for the packets a connection begins with, which have no type byte."""

    kind: bytes
    payload: bytes
    raw: bytes


class Framer:
    """Cuts a byte stream into messages. untyped: the stream begins with a startup packet."""

    def __init__(self, untyped: bool):
        self.untyped = untyped
        self.buffer = b""

    def feed(self, data: bytes) -> list[Message]:
        self.buffer += data
        messages = []
        while message := self._next():
            messages.append(message)
        return messages

    def _next(self) -> Message | None:
        start = 0 if self.untyped else 1
        if len(self.buffer) < start + 4:
            return None
        end = start + int.from_bytes(self.buffer[start : start + 4], "big")
        if len(self.buffer) < end:
            return None
        raw, self.buffer = self.buffer[:end], self.buffer[end:]
        message = Message(raw[:start], raw[start + 4 :], raw)
        if self.untyped and not self.negotiation(message):
            self.untyped = False
        return message

    @staticmethod
    def negotiation(message: Message) -> bool:
        """A request for encryption: answered by one byte, and another startup packet follows."""
        return message.kind == b"" and int.from_bytes(message.payload[:4], "big") in (SSL_REQUEST, GSS_REQUEST)


@dataclass
class Cycle:
    """What the client sends up to a Sync (or one simple Query); the server ends its answer to it
    with ReadyForQuery."""

    writes: bool = False  # to the table ``counters``


class Conversation:
    """Follows the client's messages of one connection and groups them into cycles."""

    def __init__(self) -> None:
        self.prepared: dict[bytes, bytes] = {}  # statement name -> SQL
        self.current = Cycle()

    def follow(self, message: Message) -> Cycle | None:
        """Takes a message of the client; returns the cycle if this message completes one."""
        if message.kind == b"P":
            name, sql = message.payload.split(b"\0", 2)[:2]
            self.prepared[name] = sql
        elif message.kind == b"B":
            self._runs(self.prepared.get(message.payload.split(b"\0", 2)[1], b""))
        elif message.kind == b"Q":
            self._query(message.payload)
        if message.kind in (b"S", b"Q"):
            cycle, self.current = self.current, Cycle()
            return cycle
        return None

    def _query(self, sql: bytes) -> None:
        for statement in sql.rstrip(b"\0").split(b";"):
            if prepare := _PREPARE.match(statement):
                self.prepared[prepare[1]] = statement
            else:
                self._runs(statement)

    def _runs(self, sql: bytes) -> None:
        self.current.writes = self.current.writes or _COUNTS.search(sql) is not None
