"""What can happen to views that travel together: pingpong gone, answers lost, connections lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from bed import Bed, ready
from harness import http
from harness.postgres import Cluster
from harness.process import eventually
from history import Outcome
from relay import Loss, Relay
from scenario import Result, Skip, scenario
from scenarios.reader import Page

VIEWERS = 40
TOGETHER_MORE = 20
LOSSES = [*Loss] * 3


@contextmanager
def viewers(page: Page) -> Iterator[None]:
    """Views without a pause, so that many wait, until the block is left."""
    end = threading.Event()

    def view() -> None:
        while not end.is_set():
            page.view()

    threads = [threading.Thread(target=view, daemon=True) for _ in range(VIEWERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        end.set()
        for thread in threads:
            thread.join(30)


def several(page: Page) -> float:
    """How many requests for more than one ping there have been."""
    found = http.metrics(page.reader.port)
    return found["log_output_upstream_batch_size_count"] - found['log_output_upstream_batch_size_bucket{le="1"}']


def await_together(page: Page) -> None:
    before = several(page)
    eventually(lambda: several(page) >= before + TOGETHER_MORE, 20, "views that travel together")


def await_numbers(page: Page, since: float) -> None:
    """Views that began after the fault have their numbers again."""
    eventually(
        lambda: [view for view in page.history[-VIEWERS:] if view.start > since and view.outcome is Outcome.ANSWERED],
        15,
        "pages with numbers again",
    )
    page.result.recoveries.append(time.monotonic() - since)
    page.result.times += 1


@scenario("views-pingpong-killed", "pingpong killed (SIGKILL) with views of the page under way together", replicas=(1,))
def views_pingpong_killed(cluster: Cluster, result: Result) -> None:
    with Bed(cluster, result, connections=0) as bed, Page(result, next(iter(bed.replicas.values())).port) as page:
        with viewers(page):
            for _ in range(10):
                await_together(page)
                name, gone = next(iter(bed.replicas.items()))
                gone.kill()
                bed.replicas.pop(name).discard()
                replica = bed.replicas[bed.start_replica(port=gone.port)]
                ready(replica)
                await_numbers(page, time.monotonic())
        bed.extra += page.history


@scenario("views-answers-lost", "answers to views under way together lost: none of it, a part of it, silence", replicas=(1,))
def views_answers_lost(cluster: Cluster, result: Result) -> None:
    with (
        Bed(cluster, result, connections=0) as bed,
        Relay(next(iter(bed.replicas.values())).port) as relay,
        Page(result, relay.port) as page,
    ):
        with viewers(page):
            for loss in LOSSES:
                await_together(page)
                relay.arm(loss, "/pings")
                assert relay.lost.wait(20), "no request for several pings came"
                await_numbers(page, time.monotonic())
        bed.extra += page.history
        result.require(any(view.outcome is Outcome.UNKNOWN for view in page.history), "no view was left in doubt")


@scenario(
    "views-connections-lost",
    "every tenth attempt to connect to one of five pingpongs lost: no page may fail, or wait for a second",
    replicas=(None,),
)
def views_connections_lost(cluster: Cluster, result: Result) -> None:
    """In a network of its own, as kube-proxy balances: see service.py."""
    if os.geteuid() != 0 or shutil.which("nft") is None or shutil.which("unshare") is None:
        raise Skip("needs root, nft and unshare")
    script = Path(__file__).resolve().parents[1] / "service.py"
    done = subprocess.run(["unshare", "--net", sys.executable, "-B", script, "lost"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    seen = json.loads(done.stdout.splitlines()[-1])
    result.times, result.requests, result.acknowledged = seen["lost"], seen["pages"], seen["pages"] - seen["failed"]
    result.recoveries.append(seen["slowest_s"])
    result.require(seen["lost"] >= 10, f"only {seen['lost']} attempts to connect were lost")
    result.require(seen["failed"] == 0, f"{seen['failed']} of {seen['pages']} pages failed: {seen['example']!r}")
    result.require(seen["slowest_s"] < 1, f"a page took {seen['slowest_s']:.2f} s")
