"""A pingpong that answers nonsense, for the reader: each mode is one way to be a bad peer."""

from __future__ import annotations

import asyncio
import contextlib
import threading

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_BLOCK = b"x" * 65536


def _answer(body: bytes, head: bytes = OK) -> bytes:
    return head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


#: mode -> what is sent at once in answer to any request
GARBAGE = {
    "not HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "binary": bytes(range(256)) * 16,
    "not JSON": _answer(b"<p>42</p>"),
    "no pong": _answer(b'{"ping":1}'),
    "pong is text": _answer(b'{"pong":"1"}'),
    "pong is negative": _answer(b'{"pong":-1}'),
    "pong is a fraction": _answer(b'{"pong":1.5}'),
    "pong is too large": _answer(b'{"pong":1e300}'),
    "unfinished JSON": _answer(b'{"pong":1'),
    "deeply nested": _answer(b"[" * 4000),
    "empty": _answer(b""),
    "cut short": OK + b'Content-Length: 100\r\n\r\n{"pong":1}',
    "error page": _answer(b"oops", b"HTTP/1.1 500 Internal Server Error\r\n"),
    "error with a pong": _answer(b'{"pong":1}', b"HTTP/1.1 500 Internal Server Error\r\n"),
    "redirect": _answer(b"", b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n"),
    "closes at once": b"",
}
ENDLESS = ("huge body", "endless body", "endless headers", "byte by byte", "silence")
GOOD = "good"


class BadUpstream:
    """Serves on 127.0.0.1 in a thread of its own; ``mode`` may be changed at any time."""

    def __init__(self) -> None:
        self.mode = GOOD
        self.number = 0
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="upstream", daemon=True)

    def __enter__(self) -> "BadUpstream":
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _listen(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError, ValueError, asyncio.CancelledError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                if self.mode != GOOD:
                    await self._misbehave(writer)
                    break
                self.number += 1
                writer.write(_answer(b'{"pong":%d}' % self.number))
        writer.close()

    async def _misbehave(self, writer: asyncio.StreamWriter) -> None:
        if self.mode in GARBAGE:
            writer.write(GARBAGE[self.mode])
            await writer.drain()
        elif self.mode == "huge body":
            writer.write(OK + b"Content-Length: 8000000000\r\n\r\n")
            await self._endlessly(writer, _BLOCK)
        elif self.mode == "endless body":
            writer.write(OK + b"Transfer-Encoding: chunked\r\n\r\n")
            await self._endlessly(writer, b"10000\r\n" + _BLOCK + b"\r\n")
        elif self.mode == "endless headers":
            writer.write(OK)
            await self._endlessly(writer, b"X-More: " + b"y" * 1000 + b"\r\n")
        elif self.mode == "byte by byte":
            writer.write(OK + b"Content-Length: 1000\r\n\r\n")
            await self._endlessly(writer, b" ", 0.05)
        else:
            await asyncio.sleep(60)

    @staticmethod
    async def _endlessly(writer: asyncio.StreamWriter, piece: bytes, pause: float = 0.0) -> None:
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
