"""A small blocking HTTP/1.1 client on a raw socket, for tests that care about the bytes.

get(port, "/healthz").status
with Connection(port) as connection:      # kept alive
    connection.request("GET", "/ping").json()
    connection.send(b"GET / HT")          # or anything malformed
    connection.read_response()
"""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass, field
from typing import Any, Mapping


class ProtocolError(Exception):
    """The peer closed early or did not speak HTTP."""


@dataclass
class Response:
    status: int
    reason: str
    headers: dict[str, str] = field(default_factory=dict)  # names in lower case
    body: bytes = b""

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """One TCP connection. ``timeout`` bounds each whole response (seconds)."""

    def __init__(self, port: int, host: str = "127.0.0.1", timeout: float = 10.0, source: str | None = None):
        self.timeout = timeout
        self.host = host
        self.socket = socket.create_connection((host, port), timeout, source_address=(source, 0) if source else None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def request(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> Response:
        self.send_request(method, path, headers, body)
        return self.read_response(head=method == "HEAD")

    def send_request(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> None:
        fields = {"Host": self.host}
        if body is not None:
            fields["Content-Length"] = str(len(body))
        fields.update(headers or {})
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items()) + "\r\n"
        self.send(head.encode() + (body or b""))

    def read_response(self, head: bool = False) -> Response:
        """The next final response (1xx are passed over). head: it answers HEAD and has no body."""
        deadline = time.monotonic() + self.timeout
        while True:
            response = self._read_head(deadline)
            if response.status >= 200:
                break
        if not head and response.status not in (204, 304):
            response.body = self._read_body(response, deadline)
        return response

    def closed(self, timeout: float | None = None) -> bool:
        """True if the peer closes (or resets) within timeout; bytes that come first are kept."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        try:
            while True:
                self._fill(deadline)
        except ProtocolError:
            return True
        except TimeoutError:
            return False
        except OSError:
            return True

    def _fill(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("no complete response in time")
        self.socket.settimeout(left)
        data = self.socket.recv(65536)
        if not data:
            raise ProtocolError("connection closed by the peer")
        self.buffer += data

    def _line(self, deadline: float) -> bytes:
        while b"\r\n" not in self.buffer:
            self._fill(deadline)
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def _exactly(self, count: int, deadline: float) -> bytes:
        while len(self.buffer) < count:
            self._fill(deadline)
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def _read_head(self, deadline: float) -> Response:
        parts = self._line(deadline).decode("latin-1").split(" ", 2)
        if len(parts) < 2 or not parts[0].startswith("HTTP/1.") or not parts[1].isdigit():
            raise ProtocolError(f"not a status line: {parts!r}")
        response = Response(int(parts[1]), parts[2] if len(parts) > 2 else "")
        while line := self._line(deadline):
            name, separator, value = line.decode("latin-1").partition(":")
            if not separator:
                raise ProtocolError(f"not a header: {line!r}")
            response.headers[name.strip().lower()] = value.strip()
        return response

    def _read_body(self, response: Response, deadline: float) -> bytes:
        if response.headers.get("transfer-encoding", "").lower() == "chunked":
            body = b""
            while size := int(self._line(deadline).split(b";")[0], 16):
                body += self._exactly(size, deadline)
                self._line(deadline)
            while self._line(deadline):
                pass
            return body
        if "content-length" in response.headers:
            return self._exactly(int(response.headers["content-length"]), deadline)
        try:
            while True:
                self._fill(deadline)
        except ProtocolError:
            body, self.buffer = self.buffer, b""
            return body


def read_to_end(client: socket.socket) -> bytes:
    """All that comes until the peer closes."""
    received = b""
    while data := client.recv(65536):
        received += data
    return received


def request(
    port: int,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    timeout: float = 10.0,
    host: str = "127.0.0.1",
) -> Response:
    """One request on a connection of its own."""
    with Connection(port, host, timeout) as connection:
        return connection.request(method, path, {"Connection": "close", **(headers or {})}, body)


def get(port: int, path: str, headers: Mapping[str, str] | None = None, timeout: float = 10.0, host: str = "127.0.0.1") -> Response:
    return request(port, "GET", path, headers, timeout=timeout, host=host)


def metrics(port: int, timeout: float = 10.0) -> dict[str, float]:
    """/metrics as {'name{label="value"}': value}."""
    samples: dict[str, float] = {}
    for line in get(port, "/metrics", timeout=timeout).text.splitlines():
        if line and not line.startswith("#"):
            key, _, value = line.rpartition(" ")
            samples[key] = float(value)
    return samples
