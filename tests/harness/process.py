"""Daemons under test: started on a free port, watched, stopped by their own process id.

    with Daemon([BUILD / "pingpong"], env=cluster.env()) as pingpong:
        get(pingpong.port, "/ping")

Leaving the ``with`` block drains the daemon (SIGTERM) and asserts exit status 0.
"""

from __future__ import annotations

import ctypes
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Callable, Mapping, Sequence, TypeVar

from . import http

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BUILD_DIR", ROOT / "build"))

T = TypeVar("T")

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """For ``preexec_fn``: the child is killed when the thread that made it ends.

    A test that is itself killed leaves nothing running. Start processes from the main thread."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


# How much longer things may take on a machine that has other work.
BUSY = 6


def eventually(probe: Callable[[], T], timeout: float = 5.0, what: str = "", interval: float = 0.01) -> T:
    """Calls probe() until it returns something true, and returns that. Exceptions of the kinds a
    starting or dying peer causes count as false. ``timeout`` is in seconds on an idle machine; AssertionError when hope
    is given up on a busy one."""
    timeout = max(timeout, min(BUSY * timeout, 120))
    deadline = time.monotonic() + timeout
    last: object = None
    while True:
        try:
            last = probe()
            if last:
                return last  # type: ignore[return-value]
        except (OSError, http.ProtocolError) as error:
            last = error
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {timeout} s: {what or probe!r} (last: {last!r})")
        time.sleep(interval)


def free_port() -> int:
    """A TCP port nobody listens on, outside the range the kernel hands to outgoing connections
    (so that no client of a parallel run takes it between this call and the bind)."""
    for _ in range(200):
        port = random.randrange(15000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port found")


class Daemon:
    """One process that serves HTTP on ``port``.

    argv      program and arguments
    env       added to a small clean environment (PATH, LANG and sanitizer options only);
              PORT is set to ``port`` unless given
    port      None: a free one;  0: it does not serve (the writer), nothing is waited for
    ready     path that must answer 200 before start() returns
    cwd       working directory, for tests that drop files

    Standard output and error go to files; read them with stdout() and stderr().
    """

    def __init__(
        self,
        argv: Sequence[object],
        env: Mapping[str, object] | None = None,
        *,
        name: str | None = None,
        port: int | None = None,
        ready: str = "/livez",
        start_timeout: float = 10.0,
        cwd: str | os.PathLike | None = None,
    ):
        self.argv = [str(arg) for arg in argv]
        self.name = name or Path(self.argv[0]).name
        self.port = free_port() if port is None else port
        self.ready = ready
        self.start_timeout = start_timeout
        self.cwd = cwd
        self.env = clean_environment()
        if self.port:
            self.env["PORT"] = str(self.port)
        self.env.update({key: str(value) for key, value in (env or {}).items()})
        self.directory = Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
        self.process: subprocess.Popen | None = None

    # -- life ---------------------------------------------------------------------------------

    def launch(self) -> "Daemon":
        """Starts the process and returns at once."""
        with open(self.directory / "stdout", "ab") as out, open(self.directory / "stderr", "ab") as err:
            self.process = subprocess.Popen(
                self.argv, env=self.env, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=self.cwd, preexec_fn=die_with_parent
            )
        return self

    def start(self) -> "Daemon":
        """Starts the process and waits until ``ready`` answers 200."""
        self.launch()
        if not self.port:
            return self
        try:
            eventually(self._answers, self.start_timeout, f"{self.name} answering {self.ready}", 0.005)
        except BaseException:
            output = self.stderr()
            self.kill()
            raise AssertionError(f"{self.name} did not start; standard error:\n{output}") from None
        return self

    def _answers(self) -> bool:
        status = self.process.poll()
        if status is not None:
            raise AssertionError(f"{self.name} exited with status {status}")
        return http.get(self.port, self.ready, timeout=1.0).status == 200

    @property
    def pid(self) -> int:
        assert self.process is not None, f"{self.name} was not started"
        return self.process.pid

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def signal(self, number: int) -> None:
        """Sends a signal, if the process still is there."""
        if self.alive:
            self.process.send_signal(number)

    def terminate(self) -> None:
        """SIGTERM: it begins to drain. Returns at once; follow with wait()."""
        self.signal(signal.SIGTERM)

    def sigstop(self) -> None:
        self.signal(signal.SIGSTOP)

    def sigcont(self) -> None:
        self.signal(signal.SIGCONT)

    def wait(self, timeout: float = 20.0) -> int:
        """The exit status (negative: the signal that ended it). AssertionError if it still runs."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} still runs after {timeout} s") from None

    def kill(self) -> None:
        """SIGKILL and reap; does nothing when it is gone already."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self, timeout: float = 20.0, expect: int = 0) -> None:
        """SIGTERM, then asserts that it ends within timeout with the expected exit status."""
        self.terminate()
        try:
            status = self.wait(timeout)
        except AssertionError:
            output = self.stderr()
            self.kill()
            raise AssertionError(f"{self.name} did not stop within {timeout} s:\n{output[-2000:]}") from None
        assert status == expect, f"{self.name} exited with {status}, expected {expect}:\n{self.stderr()[-4000:]}"

    def discard(self) -> None:
        """Kills what is left and removes the files. Safe to call twice."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> "Daemon":
        return self if self.alive else self.start()

    def __exit__(self, kind, value, trace) -> None:
        try:
            if kind is None and self.alive:
                self.stop()
        finally:
            self.discard()

    # -- what it says and uses -----------------------------------------------------------------

    def stdout(self) -> str:
        return self._written("stdout")

    def stderr(self) -> str:
        return self._written("stderr")

    def _written(self, name: str) -> str:
        """While it runs, whole lines only: the last one may be under way."""
        alive = self.alive
        text = (self.directory / name).read_text(errors="replace")
        return text[: text.rfind("\n") + 1] if alive else text

    def descriptors(self) -> int:
        """How many file descriptors it holds."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def anonymous_kib(self) -> int:
        """Resident anonymous memory."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1])
        raise AssertionError("no RssAnon in /proc")

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def clean_environment() -> dict[str, str]:
    """Nothing of the caller's settings leaks into a daemon, apart from sanitizer options."""
    kept = ("PATH", "LANG", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS")
    return {key: os.environ[key] for key in kept if key in os.environ}


def run(argv: Sequence[object], env: Mapping[str, object] | None = None, timeout: float = 20.0) -> subprocess.CompletedProcess:
    """Runs a program to its end in a clean environment; text output captured, status not checked."""
    environment = clean_environment()
    environment.update({key: str(value) for key, value in (env or {}).items()})
    return subprocess.run(
        [str(arg) for arg in argv], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout
    )
