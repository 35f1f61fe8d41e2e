"""What stands between the reader and pingpong in these tests: a balancer, and a stand-in that lies."""

from __future__ import annotations

import itertools
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Callable, Sequence

from harness import http
from harness.http import Response

_NOT_PASSED_ON = ("connection", "date", "content-length", "transfer-encoding")


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    # Five, its usual, overflow while the machine is busy, and a connection then takes a second.
    request_queue_size = 128

    def handle_error(self, *arguments: object) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(*arguments)


class Server:
    """Answers each request with what `answer(method, path, headers, body)` returns."""

    def __init__(self) -> None:
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = _Listener(("127.0.0.1", 0), handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/ping"

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Response:
        raise NotImplementedError


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: Server

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
        headers = {name.lower(): value for name, value in self.headers.items()}
        response = self.owner.answer(self.command, self.path, headers, body)
        self.send_response_only(response.status)
        for name, value in response.headers.items():
            if name not in _NOT_PASSED_ON:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    do_GET = do_HEAD = do_POST = _handle

    def log_message(self, *_: object) -> None:
        pass


class Balancer(Server):
    """Hands each request to the next of `ports`, which may change at any time; a port that is listed more than
    once gets as many shares. A path prefix is taken away, as an Ingress may."""

    def __init__(self, ports: Sequence[int], prefix: str = ""):
        super().__init__()
        self.ports = list(ports)
        self.prefix = prefix
        self._turn = itertools.count()

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Response:
        if not path.startswith(self.prefix):
            return Response(404, "")
        ports = self.ports
        kept = {name: value for name, value in headers.items() if name in ("accept", "traceparent")}
        try:
            port = ports[next(self._turn) % len(ports)]
            return http.request(port, method, path.removeprefix(self.prefix) or "/", kept, body)
        except (OSError, http.ProtocolError):
            return Response(502, "")


class StandIn(Server):
    """Gives the numbers that `number()` returns, for each ping anew."""

    def __init__(self, number: Callable[[], int]):
        super().__init__()
        self._number = number

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Response:
        json = {"content-type": "application/json"}
        if path == "/ping":
            return Response(200, "", json, b'{"pong":%d}' % self._number())
        return Response(200 if path == "/healthz" else 404, "", {}, b"OK")
