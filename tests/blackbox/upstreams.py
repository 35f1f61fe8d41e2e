"""A pingpong that answers what a test tells it to."""

from __future__ import annotations

import json
import re
import socket
import threading
from typing import Callable, Iterator

import pytest


def ok(body: bytes, head: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return head + b"\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


class Upstream:
    """A pingpong that answers what a test tells it to; counts what it was asked. Without ``several`` it
    does not know /pings, as the original does not."""

    def __init__(self, answer: Callable[[socket.socket, bytes], None], several: Callable[[socket.socket, int], None] | None = None):
        self.answer = answer
        self.several = several
        self.asked: list[str] = []
        self.heads: list[str] = []
        self.counts: list[int] = []
        self.connections = 0
        self.open: set[socket.socket] = set()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self.open.add(client)
        try:
            self._answer(client)
        finally:
            self.open.discard(client)

    def _answer(self, client: socket.socket) -> None:
        with client:
            head = b""
            try:
                while True:
                    while b"\r\n\r\n" not in head:
                        data = client.recv(65536)
                        if not data:
                            return
                        head += data
                    first, _, head = head.partition(b"\r\n\r\n")
                    path = first.split(b" ")[1].decode()
                    self.asked.append(path)
                    self.heads.append(first.decode("latin-1"))
                    length = re.search(rb"\r\nContent-Length: (\d+)", first)
                    while length and len(head) < int(length[1]):
                        head += client.recv(65536)
                    body, head = (head[: int(length[1])], head[int(length[1]) :]) if length else (b"", head)
                    if path == "/ping":
                        self.answer(client, first)
                    elif path == "/pings" and self.several is None:
                        client.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nNot Found")
                    elif path == "/pings":
                        self.counts.append(json.loads(body)["count"])
                        self.several(client, self.counts[-1])
                    else:
                        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK")
            except OSError:
                return

    @property
    def pings(self) -> int:
        return self.asked.count("/ping")

    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/ping"

    def close(self) -> None:
        self.listener.close()


@pytest.fixture
def upstream() -> Iterator[Callable[..., Upstream]]:
    """Makes them; a body in bytes stands for a 200 with it."""
    made: list[Upstream] = []

    def make(
        answer: Callable[[socket.socket, bytes], None] | bytes, several: Callable[[socket.socket, int], None] | None = None
    ) -> Upstream:
        if isinstance(answer, bytes):
            body = answer
            answer = lambda client, _: client.sendall(ok(body))  # noqa: E731
        made.append(Upstream(answer, several))
        return made[-1]

    yield make
    for server in made:
        server.close()
