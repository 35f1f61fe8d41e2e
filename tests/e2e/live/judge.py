"""witness as the judge of a step: it pings through the ingress for as long as the step takes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from typing import Any

from . import picture
from .cluster import ROOT, TIED, URL, Failed

WITNESS = ROOT / "build" / "witness"


class Judge:
    """rate     requests a second, on their time whatever became of those before
    clients  most at the same time
    path     of the counter, or of the page
    new      a new connection for each request instead of kept ones
    drawn    what it saw is kept for a picture, with marks (mark())
    """

    def __init__(self, rate: int = 100, clients: int = 64, path: str = "/ping", new: bool = False, drawn: bool = False):
        self.drawn = drawn
        self.marks: list[tuple[float, str]] = []
        self.settings: dict[str, Any] = {
            "RATE": rate,
            "CLIENTS": clients,
            "TARGET_URL": URL + path,
            "CONNECTIONS": "new" if new else "kept",
            "TIMEOUT_MS": 30000,
            "CONNECT_TIMEOUT_MS": 10000,
            "DRAIN_MS": 0,
            "PORT": 0,
            "LOG_LEVEL": "error",
            "TELL_REQUESTS": str(drawn).lower(),
        }

    def __enter__(self) -> "Judge":
        self.output = tempfile.TemporaryFile("w+")
        environment = {**os.environ, **{name: str(value) for name, value in self.settings.items()}}
        self.process = subprocess.Popen([*TIED, WITNESS], env=environment, stdout=self.output, stderr=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        self.output.close()

    def _end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def events(self) -> list[dict]:
        """What it has said so far."""
        # Its own place in the file, as the process writes at another.
        with open(f"/proc/self/fd/{self.output.fileno()}", encoding="utf-8") as file:
            return [json.loads(line) for line in file.read().splitlines(keepends=True) if line.endswith("\n")]

    def mark(self, text: str) -> None:
        """What happened now, for the picture."""
        self.marks.append((time.time(), text))

    def verdict(self) -> dict:
        """Ends it; its last line."""
        self._end()
        verdicts = [event for event in self.events() if event["event"] == "verdict"]
        if not verdicts:
            raise Failed(f"witness gave no verdict: {self.process.stderr.read()[-300:]}")
        return verdicts[-1]

    def nothing_lost_or_doubled(self) -> dict:
        verdict = self.verdict()
        if not verdict["held"] or self.process.returncode != 0:
            raise Failed(f"violated: {verdict['violated']}; {verdict['violations']}")
        if not verdict["ok"]:
            raise Failed("no request was answered")
        events = self.events()
        longest = max((event["seconds"] for event in events if event["event"] == "outage_ended"), default=0.0)
        requests = [event for event in events if event["event"] == "request"]
        return {
            "requests": verdict["requests"],
            "failed": verdict["requests"] - verdict["ok"],
            "uncertain": verdict["may_be_counted"],
            "longest wait, ms": round(verdict["latency_ms"]["max"]),
            "longest outage, s": longest,
        } | ({picture.KEY: picture.series(requests, self.marks)} if self.drawn else {})

    def none_failed(self) -> dict:
        seen = self.nothing_lost_or_doubled()
        if seen["failed"]:
            began = [f"{event['began']} {event['failed']}" for event in self.events() if event["event"] == "outage_began"]
            raise Failed(f"{seen['failed']} of {seen['requests']} requests failed: {', '.join(began)}")
        del seen["longest outage, s"]
        return seen
