"""Makes the pictures of the page: still, in a canary, and when that has been taken back.

    pictures.py DIRECTORY

Real programs answer: five pods' worth of pingpong, of which one is a newer build that is slow.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "blackbox"), str(TESTS / "browser")]

from chromium import Chromium
from harness.postgres import Cluster
from harness.process import BUILD, eventually
from programs import Database, Program, pingpong, reader, writer
from balancer import Balancer

STABLE = [f"pingpong-rollout-59c8f9b6c4-{pod}" for pod in ("2xkqv", "6fzqt", "d7rjm", "tq9sl")]
CANARY = "pingpong-rollout-7bd4d6f5f9-hm4pc"
SIZE = (1280, 720)
RATE = 20


def shoot(browser: Chromium, directory: Path, name: str) -> None:
    path = directory / f"page-{name}.png"
    browser.driver.save_screenshot(str(path))
    subprocess.run(["pngquant", "--force", "--ext", ".png", "--strip", "64", str(path)], check=True)
    print(path)


def answers(browser: Chromium, count: int) -> None:
    """Waits for so many more."""
    browser.wait("answered", browser.number("answered") + count, 120)


def play(browser: Chromium, page: Program, balancer: Balancer, stable: list[int], canary: int, directory: Path) -> None:
    balancer.ports = stable
    browser.open(page.port)
    browser.click("once")
    browser.wait("answered", 1)
    shoot(browser, directory, "still")
    browser.rate(RATE)
    answers(browser, 30 * RATE)
    balancer.ports = [*stable, canary]
    answers(browser, 25 * RATE)
    shoot(browser, directory, "canary")
    balancer.ports = stable
    answers(browser, 15 * RATE)
    shoot(browser, directory, "rollback")
    browser.rate(0)


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        database = Database(stack.enter_context(Cluster()))
        stack.callback(database.drop)
        files = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (files / "information.txt").write_text("this text is from file\n")
        shared = files / "timestamp.txt"
        stack.enter_context(writer(shared, INTERVAL_MS=1000))
        stable = [stack.enter_context(pingpong(database.env(POD_NAME=pod))).port for pod in STABLE]
        bad = database.env(POD_NAME=CANARY, FAULTS="allowed", FAULT_DELAY_MS=250)
        canary = stack.enter_context(Program([BUILD / "next" / "pingpong"], bad, ready="/healthz")).port
        balancer = stack.enter_context(Balancer(stable))
        page = stack.enter_context(
            reader(
                {
                    "SHARED_FILE": shared,
                    "CONFIG_FILE": files / "information.txt",
                    "MESSAGE": "hello world",
                    "PINGPONG_URL": balancer.url,
                    "POD_NAME": "log-output-7c9f6d5b8-4kq2p",
                }
            )
        )
        eventually(shared.exists, 10, "the writer's first line")
        play(stack.enter_context(Chromium(SIZE, still=True)), page, balancer, stable, canary, directory)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
