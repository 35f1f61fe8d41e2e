"""An HTTP relay between the reader and pingpong that loses answers after the request was served.

with Relay(pingpong.port) as relay:
    relay.arm(Loss.HALF, "/pings")
    ... one request for several pings is served, and part of its answer is delivered ...
"""

from __future__ import annotations

import re
import socket
import threading
from contextlib import suppress
from enum import Enum


class Loss(Enum):
    WHOLE = "the connection ends without a byte of the answer"
    HALF = "the connection ends within the answer"
    SILENCE = "the connection stays, and nothing comes"


class Relay:
    def __init__(self, upstream_port: int):
        self.upstream_port = upstream_port
        self.lost = threading.Event()  # the armed loss has happened
        self._armed: tuple[Loss, str] | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listener.getsockname()[1]

    def __enter__(self) -> "Relay":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._listener.close()

    def arm(self, loss: Loss, path: str) -> None:
        """The answer to the next request for path is lost."""
        self.lost.clear()
        with self._lock:
            self._armed = (loss, path)

    def _take(self, path: str) -> Loss | None:
        with self._lock:
            if self._armed is None or self._armed[1] != path:
                return None
            loss, self._armed = self._armed[0], None
            return loss

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError, EOFError), client, socket.create_connection(("127.0.0.1", self.upstream_port)) as upstream:
            for peer in (client, upstream):
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while request := _message(client):
                upstream.sendall(request)
                answer = _message(upstream)
                loss = self._take(request.split(b" ")[1].decode())
                if loss is None:
                    client.sendall(answer)
                    continue
                if loss is Loss.HALF:
                    client.sendall(answer[:-9])  # within the body
                self.lost.set()
                if loss is Loss.SILENCE:
                    self._ended.wait(10)
                return


def _message(source: socket.socket) -> bytes:
    """The next request or answer, whole; b"" at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (piece := source.recv(65536)):
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\nContent-Length: (\d+)", head)
    while length and len(body) < int(length[1]):
        if not (piece := source.recv(65536)):
            raise EOFError
        body += piece
    return head + b"\r\n\r\n" + body
