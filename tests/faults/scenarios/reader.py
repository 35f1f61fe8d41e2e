"""What can happen to the page: pingpong slow, gone or talking nonsense, slow clients."""

from __future__ import annotations

import concurrent.futures
import hashlib
import re
import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Mapping

from bed import Bed
from harness import http
from harness.postgres import Cluster
from harness.process import BUILD, Daemon, eventually
from history import Outcome, Request
from scenario import Result, scenario
from scenarios.clients import SLOW, slow_answers, slow_requests
from upstream import ENDLESS, GARBAGE, GOOD, BadUpstream

PAGE_WITHIN_S = 2.5 + 1.0  # UPSTREAM_TIMEOUT_MS, and some for a busy machine
PROBE_WITHIN_S = 1.0
GROWTH_KIB = 4096
VIEWERS = 20
RECOVERED_WITHIN_S = 2.0


class Page:
    """A writer and a reader on a directory of their own."""

    def __init__(self, result: Result, pingpong_port: int, env: Mapping[str, object] | None = None):
        self.result = result
        self.directory = Path(tempfile.mkdtemp(prefix="page-"))
        (self.directory / "information.txt").write_text("this text is from file\n")
        files = {"SHARED_FILE": self.directory / "timestamp.txt", "LOG_LEVEL": "error"}
        self.writer = Daemon([BUILD / "writer"], {**files, "INTERVAL_MS": 200}, port=0)
        self.reader = Daemon(
            [BUILD / "reader"],
            {
                **files,
                "CONFIG_FILE": self.directory / "information.txt",
                "MESSAGE": "hello world",
                "DRAIN_MS": 200,
                "STALE_AFTER_MS": 3000,
                "PINGPONG_URL": f"http://127.0.0.1:{pingpong_port}/ping",
                **(env or {}),
            },
        )
        self.history: list[Request] = []

    def __enter__(self) -> "Page":
        try:
            self.writer.start()
            self.reader.start()
            eventually(lambda: http.get(self.reader.port, "/healthz").status == 200, 5, "the reader ready")
            eventually(lambda: self.view().outcome is Outcome.ANSWERED, 5, "the page complete")
        except BaseException:
            self._discard()
            raise
        return self

    def __exit__(self, kind, value, trace) -> None:
        try:
            if kind is None:
                self.result.require(self.reader.alive, f"the reader died: {self.reader.stderr()[-700:]}")
                self.writer.stop()
                self.reader.stop()
        finally:
            self._discard()

    def _discard(self) -> None:
        self.writer.discard()
        self.reader.discard()
        shutil.rmtree(self.directory)

    def view(self) -> Request:
        """One view: the three other lines have to be right whatever pingpong does."""
        start = time.monotonic()
        response = http.get(self.reader.port, "/log-output", timeout=PAGE_WITHIN_S + 5)
        end = time.monotonic()
        lines = response.text.split("\n")
        self.result.require(end - start <= PAGE_WITHIN_S, f"a page took {end - start:.2f} s")
        self.result.require(len(lines) >= 4 and _others_right(lines), f"the page has wrong lines: {response.text!r}")
        number = re.fullmatch(r"Ping / Pongs: (\d+)", lines[3]) if len(lines) > 3 else None
        self.result.require(response.status == (200 if number else 503), f"status {response.status} with {lines[3:]!r}")
        certain = len(lines) > 3 and lines[3].endswith("this view was not counted")
        doubtful = len(lines) > 3 and lines[3].endswith("this view may have been counted")
        self.result.require(number or certain or doubtful, f"a page does not say whether it was counted: {lines[3:]!r}")
        outcome = Outcome.ANSWERED if number else Outcome.REFUSED if certain else Outcome.UNKNOWN
        request = Request(start, end, outcome, int(number[1]) if number else None)
        self.history.append(request)
        return request

    def views(self, count: int = VIEWERS) -> list[Request]:
        """That many at once, and meanwhile the probes answer at once."""
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            pending = [pool.submit(self.view) for _ in range(count)]
            for path in ("/healthz", "/livez"):
                start = time.monotonic()
                status = http.get(self.reader.port, path).status
                self.result.require(status == 200, f"{path} of the reader said {status}")
                self.result.require(
                    time.monotonic() - start <= PROBE_WITHIN_S, f"{path} of the reader took {time.monotonic() - start:.2f} s"
                )
            return [view.result() for view in pending]

    def without_pong(self) -> None:
        answered = [view for view in self.views() if view.outcome is Outcome.ANSWERED]
        self.result.require(not answered, f"{len(answered)} pages showed a number: {answered[:1]}")

    def recovered(self, since: float) -> None:
        eventually(lambda: self.view().outcome is Outcome.ANSWERED, 15, "the page complete again", 0.05)
        took = time.monotonic() - since
        self.result.require(took <= RECOVERED_WITHIN_S, f"the page was complete only after {took:.2f} s")
        self.result.recoveries.append(took)
        self.result.times += 1


def _others_right(lines: list[str]) -> bool:
    timestamp, _, digest = lines[2].partition(": ")
    return (
        lines[0] == "file content: this text is from file"
        and lines[1] == "env variable: MESSAGE=hello world"
        and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", timestamp) is not None
        and digest == hashlib.sha256(timestamp.encode()).hexdigest()
    )


@scenario("reader-pingpong-hung", "the page while pingpong hangs (SIGSTOP)", replicas=(1,))
def reader_pingpong_hung(cluster: Cluster, result: Result) -> None:
    with Bed(cluster, result, connections=0, probed=False) as bed, Page(result, _first(bed).port) as page:
        for _ in range(3):
            _first(bed).sigstop()
            page.without_pong()
            _first(bed).sigcont()
            page.recovered(time.monotonic())
        bed.extra += page.history


@scenario("reader-pingpong-gone", "the page while pingpong is gone (SIGKILL)", replicas=(1,))
def reader_pingpong_gone(cluster: Cluster, result: Result) -> None:
    with Bed(cluster, result, connections=0) as bed, Page(result, _first(bed).port) as page:
        for _ in range(8):
            name, gone = next(iter(bed.replicas.items()))
            gone.kill()
            page.without_pong()
            bed.replicas.pop(name).discard()
            bed.start_replica(port=gone.port)
            page.recovered(time.monotonic())
        bed.extra += page.history


def _first(bed: Bed) -> Daemon:
    return next(iter(bed.replicas.values()))


@scenario("reader-garbage", f"the page while pingpong answers garbage ({len(GARBAGE)} kinds)", replicas=(None,))
def reader_garbage(cluster: Cluster, result: Result) -> None:
    _bad_upstream(result, tuple(GARBAGE) * 2)


@scenario("reader-endless", "the page while pingpong's answer is huge, endless, or byte by byte", replicas=(None,))
def reader_endless(cluster: Cluster, result: Result) -> None:
    _bad_upstream(result, ENDLESS)


def _bad_upstream(result: Result, modes: tuple[str, ...]) -> None:
    with ExitStack() as stack:
        upstream = stack.enter_context(BadUpstream())
        page = stack.enter_context(Page(result, upstream.port))
        page.views()
        before = page.reader.anonymous_kib()
        for mode in modes:
            upstream.mode = mode
            found = len(result.violations)
            page.without_pong()
            upstream.mode = GOOD
            page.recovered(time.monotonic())
            result.violations[found:] = [f"{mode}: {violation}" for violation in result.violations[found:]]
        growth = page.reader.anonymous_kib() - before
        result.require(growth <= GROWTH_KIB, f"the reader's memory grew by {growth} KiB")
        _count(result, page)


def _count(result: Result, page: Page) -> None:
    result.requests += len(page.history)
    result.acknowledged += sum(view.outcome is Outcome.ANSWERED for view in page.history)
    result.error("without number", len(page.history) - result.acknowledged)


@scenario("reader-slow-clients", "slow clients of the page, sending and reading: cut off", replicas=(None,))
def reader_slow_clients(cluster: Cluster, result: Result) -> None:
    with BadUpstream() as upstream, Page(result, upstream.port, SLOW) as page:
        slow_requests(result, page.reader, "/livez")
        slow_answers(result, page.reader, "/metrics")
        page.views()
        result.requests += len(page.history)
        result.acknowledged += sum(view.outcome is Outcome.ANSWERED for view in page.history)
