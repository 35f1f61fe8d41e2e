"""The programs that are measured, and how each is started, asked and stopped."""

import http.client
import os
import shlex
import signal
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from .errors import BenchError
from .postgres import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
KOA = ROOT / "bench" / "koa"
READY_TIMEOUT_S = 20
STOP_TIMEOUT_S = 10


@dataclass(frozen=True)
class Program:
    """What starts a server. `override` names the environment variable that may replace the command."""

    name: str
    command: list
    ready_path: str
    override: str
    environment: dict = field(default_factory=dict)

    def command_line(self, values: dict) -> list:
        """An override is a shell-quoted template: its {port}, {db_host}, … are filled in."""
        template = os.environ.get(self.override)
        if template:
            lowered = {name.lower(): value for name, value in values.items()}
            return [part.format(**lowered) for part in shlex.split(template)]
        return [part.format(port=values["PORT"]) for part in self.command]


# DRAIN_MS only shortens the pause between two measurements.
OURS = {"DRAIN_MS": "0"}
_NODE = {"NODE_ENV": "production"}

FLOOR = Program("floor", [str(ROOT / "build/bench/floor"), "{port}"], "/", "FLOOR")
PINGPONG = Program("pingpong", [str(ROOT / "build/pingpong")], "/healthz", "PINGPONG", OURS)
READER = Program("reader", [str(ROOT / "build/reader")], "/healthz", "READER", OURS)
WRITER = Program("writer", [str(ROOT / "build/writer")], "", "WRITER")
KOA_PINGPONG = Program("koa-pingpong", ["node", str(KOA / "pingpong.js")], "/healthz", "KOA_PINGPONG", _NODE)
KOA_PAGE = Program("koa-page", ["node", str(KOA / "page.js")], "/healthz", "KOA_PAGE", _NODE)


def get(url: str, timeout_s: float = 5) -> tuple:
    """Status and body; connection errors are raised as OSError."""
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")


def check_keeps_connection(server: "Server", path: str):
    """Two requests on one connection: a server that closes it would be measured unfairly."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    try:
        for _ in range(2):
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200 or answer.will_close:
                raise BenchError(f"{server.program.name} answered {answer.status} or closes its connections")
    finally:
        connection.close()


class Server:
    """A running program on a port of its own, stopped on exit of a `with` block."""

    def __init__(self, program: Program, settings: dict, log: Path):
        self.program = program
        self.port = free_port()
        self.log = log
        self._settings = {**program.environment, **settings, "PORT": str(self.port)}
        self._process = None

    @property
    def pid(self) -> int:
        return self._process.pid

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def __enter__(self):
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", **self._settings}
        command = self.program.command_line(self._settings)
        try:
            with open(self.log, "ab") as log:
                self._process = subprocess.Popen(
                    command,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError as error:
            raise BenchError(f"cannot start {self.program.name}: {error}") from None
        try:
            if self.program.ready_path:
                self._wait_until_ready()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def log_tail(self) -> str:
        return self.log.read_text(errors="replace")[-2000:]

    def check_alive(self):
        if self._process.poll() is not None:
            raise BenchError(f"{self.program.name} ended with {self._process.returncode}:\n{self.log_tail()}")

    def _wait_until_ready(self):
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            self.check_alive()
            try:
                if get(self.url(self.program.ready_path), 1)[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.02)
        raise BenchError(f"{self.program.name} was not ready in {READY_TIMEOUT_S} s:\n{self.log_tail()}")
