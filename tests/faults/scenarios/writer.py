"""What can happen to the shared file: disk full, directory gone, the writer killed."""

from __future__ import annotations

import datetime
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from harness import http
from harness.postgres import Cluster
from harness.process import BUILD, Daemon, eventually, run
from scenario import Result, Skip, scenario

INTERVAL_MS = 50
STALE_MS = 600
MAX_BYTES = 1024  # some forty lines: it is cut often
FRESH_WITHIN_S = 2.0
NOTICED_WITHIN_S = 2.0
LINE = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\n")


class Watch(threading.Thread):
    """Reads the shared file all the time: once there was a line it is never empty, and what it
    shows are whole lines."""

    def __init__(self, path: Path):
        super().__init__(name="watch", daemon=True)
        self.path = path
        self.reads = 0
        self.wrong: list[bytes] = []
        self.forgiving = False  # a torn last line is allowed: the disk is full
        self._had_line = False
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.0005):
            try:
                text = self.path.read_bytes()
            except OSError:
                self._had_line = False  # the directory is away
                continue
            self.reads += 1
            whole, _, torn = text.rpartition(b"\n")
            lines = (whole + b"\n").splitlines(keepends=True) if whole else []
            right = all(LINE.fullmatch(line) for line in lines[-50:])
            if not self.forgiving and (torn or not right or (self._had_line and not lines)):
                self.wrong.append(text[-120:])
            self._had_line = self._had_line or bool(lines)

    def stop(self) -> None:
        self._ended.set()
        self.join(5)


class Shared:
    """A writer and a reader around one file."""

    def __init__(self, result: Result, directory: Path):
        self.result, self.file = result, directory / "timestamp.txt"
        self.env = {"SHARED_FILE": self.file, "STALE_AFTER_MS": STALE_MS, "SHARED_FILE_MAX_BYTES": MAX_BYTES}
        self.writer = Daemon([BUILD / "writer"], {**self.env, "INTERVAL_MS": INTERVAL_MS}, port=0)
        self.reader = Daemon(
            [BUILD / "reader"], {**self.env, "PINGPONG_URL": "http://127.0.0.1:9/ping", "LOG_LEVEL": "error", "DRAIN_MS": 100}
        )
        self.watch = Watch(self.file)

    def __enter__(self) -> "Shared":
        try:
            self.writer.start()
            self.reader.start()
            self.wait_fresh()
            self.watch.start()
        except BaseException:
            self._discard()
            raise
        return self

    def __exit__(self, kind, value, trace) -> None:
        try:
            if self.watch.is_alive():
                self.watch.stop()
            if kind is None:
                self.result.requests += self.watch.reads
                self.result.acknowledged += self.watch.reads - len(self.watch.wrong)
                self.result.require(self.watch.reads > 20, "the shared file was hardly read")
                self.result.require(
                    not self.watch.wrong, f"{len(self.watch.wrong)} reads saw an empty or torn file: {self.watch.wrong[:2]}"
                )
                self.result.require(self.writer.alive, f"the writer died: {self.writer.stderr()[-500:]}")
                self.writer.stop()
                self.reader.stop()
        finally:
            self._discard()

    def _discard(self) -> None:
        self.writer.discard()
        self.reader.discard()

    def check_passes(self) -> bool:
        return run([BUILD / "writer", "--check"], self.env).returncode == 0

    def reader_ready(self) -> bool:
        return http.get(self.reader.port, "/healthz").status == 200

    def wait_stale(self) -> None:
        """The exec probe and the reader's readiness both notice in time that no line came."""
        eventually(lambda: not self.check_passes(), 20, "writer --check failing")
        eventually(lambda: not self.reader_ready(), 5, "the reader not ready")
        late = time.time() - (self._last_line() or time.time()) - STALE_MS / 1000
        self.result.require(late <= NOTICED_WITHIN_S, f"the stale file was noticed only {late:.2f} s after it was stale")
        self.result.require(http.get(self.reader.port, "/livez").status == 200, "/livez of the reader failed")

    def _last_line(self) -> float | None:
        """The time that the last whole line says; None if there is no such file."""
        try:
            lines = self.file.read_bytes().rpartition(b"\n")[0].splitlines()
        except OSError:
            return None
        return datetime.datetime.fromisoformat(lines[-1].decode().replace("Z", "+00:00")).timestamp() if lines else None

    def log_lines(self) -> list[str]:
        return (self.writer.stdout() + self.writer.stderr()).splitlines()

    def wait_logged(self, since: int) -> None:
        eventually(lambda: len(self.log_lines()) > since, 5, "the writer logging that it cannot write")

    def wait_fresh(self) -> float:
        """Waits for a line written from now on, noticed by the probes; returns how long it took."""
        since, wall = time.monotonic(), time.time()
        eventually(lambda: self.file.stat().st_mtime > wall and self.check_passes() and self.reader_ready(), 15, "a fresh line")
        return time.monotonic() - since

    def recovered(self) -> None:
        took = self.wait_fresh()
        self.result.require(took <= FRESH_WITHIN_S, f"a fresh line came only after {took:.2f} s")
        self.result.recoveries.append(took)
        self.result.times += 1

    def logged_once(self, since: int, times: int) -> None:
        """A state that lasts for many intervals is logged when it begins and when it ends."""
        lines = self.log_lines()[since:]
        self.result.require(times <= len(lines) <= 3 * times, f"{len(lines)} log lines for {times} outages: {lines[:6]}")


@contextmanager
def small_disk() -> Iterator[Path]:
    """A file system of 64 KiB of its own."""
    if os.geteuid() != 0:
        raise Skip("mounting a small file system needs root")
    path = Path(tempfile.mkdtemp(prefix="disk-"))
    try:
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", path], capture_output=True).returncode:
            raise Skip("this machine does not let us mount a file system")
        try:
            yield path
        finally:
            subprocess.run(["umount", "-l", path], check=True)
    finally:
        path.rmdir()


@scenario("writer-disk-full", "disk full under the writer", replicas=(None,))
def writer_disk_full(cluster: Cluster, result: Result) -> None:
    with small_disk() as disk, Shared(result, disk) as shared:
        before = len(shared.log_lines())
        for _ in range(3):
            shared.watch.forgiving = True
            _fill(disk / "filler")
            shared.wait_stale()
            (disk / "filler").unlink()
            shared.recovered()
            shared.watch.forgiving = False
        shared.logged_once(before, 3)


def _fill(path: Path) -> None:
    """Takes what is free, and again what becomes free, until nothing does."""
    with open(path, "ab", buffering=0) as filler:
        for _ in range(50):
            try:
                while True:
                    filler.write(b"\0" * 4096)
            except OSError:
                time.sleep(0.005)


@scenario("writer-directory-gone", "shared directory removed and made again", replicas=(None,))
def writer_directory_gone(cluster: Cluster, result: Result) -> None:
    parent = Path(tempfile.mkdtemp(prefix="shared-"))
    directory = parent / "files"
    directory.mkdir()
    try:
        with Shared(result, directory) as shared:
            before = len(shared.log_lines())
            for index in range(4):
                away = parent / f"away-{index}"
                logged = len(shared.log_lines())
                directory.rename(away)
                shared.wait_logged(logged)
                shared.wait_stale()
                time.sleep(5 * INTERVAL_MS / 1000)  # still away at the next tries
                if index % 2:
                    directory.mkdir()
                else:
                    away.rename(directory)
                shared.recovered()
            shared.logged_once(before, 4)
    finally:
        shutil.rmtree(parent)


@scenario("writer-killed", "writer killed (SIGKILL) while it writes, started again", replicas=(None,))
def writer_killed(cluster: Cluster, result: Result) -> None:
    directory = Path(tempfile.mkdtemp(prefix="shared-"))
    try:
        with Shared(result, directory) as shared:
            shared.writer.env["INTERVAL_MS"] = "10"  # to be hit while it writes or cuts the file
            for index in range(50):
                shared.writer.kill()
                if index < 2:
                    shared.wait_stale()
                shared.writer.start()
                shared.recovered()
            eventually(lambda: shared.file.stat().st_size <= MAX_BYTES, 1, "the file within its bound")
    finally:
        shutil.rmtree(directory)
