#!/usr/bin/python3
"""Five pingpongs behind one address, balanced as kube-proxy does with nftables, and a page that asks them.

usage: unshare --net service.py lost        every tenth attempt to connect is lost
       unshare --net service.py shares      how the views spread at 5, 50 and 1000 a second, from one reader and two
       unshare --net service.py spread      how as many views spread as it takes to find every pod, and how the next do
       unshare --net service.py check       whether such a network can be made here

To be run as root in a network of its own, which ends with it. Prints JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from harness import http
from harness.postgres import Cluster
from harness.process import BUILD, Daemon

PODS = 5
FIRST_PORT = 3101
SERVICE = "10.96.0.1"
VIEWS = 2000
ROUNDS_MAX = 8
LOST = f"ip daddr {SERVICE} tcp dport 3001 tcp flags & (syn | ack) == syn numgen inc mod 10 == 0 counter drop;"


def make_service(rule: str) -> None:
    """The Service's address leads to a pod by chance, decided for each connection."""
    for command in ("ip link set lo up", f"ip address add {SERVICE}/32 dev lo"):
        subprocess.run(command.split(), check=True)
    pods = ", ".join(f"{index} : {FIRST_PORT + index}" for index in range(PODS))
    table = f"""table ip service {{
        chain balance {{ type nat hook output priority -100;
            ip daddr {SERVICE} tcp dport 3001 dnat to 127.0.0.1 : numgen random mod {PODS} map {{ {pods} }}; }}
        chain lose {{ type filter hook output priority -200; {rule} }}
    }}"""
    subprocess.run(["nft", "-f", "-"], input=table, text=True, check=True)


def lost_packets() -> int:
    listing = subprocess.run(["nft", "-j", "list", "chain", "ip", "service", "lose"], capture_output=True, text=True, check=True)
    return sum(
        expression["counter"]["packets"]
        for entry in json.loads(listing.stdout)["nftables"]
        for expression in entry.get("rule", {}).get("expr", [])
        if "counter" in expression
    )


def is_fair(counts: list[float]) -> bool:
    """Each has between half and one and a half of an equal share."""
    return all(0.5 < count * len(counts) / sum(counts) < 1.5 for count in counts)


class Stand:
    """The pods, a writer, and readers."""

    def __init__(self, stack: ExitStack, **settings: object):
        self.stack = stack
        cluster = stack.enter_context(Cluster())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "information.txt").write_text("this text is from file\n")
        self.files = {"SHARED_FILE": folder / "timestamp.txt", "CONFIG_FILE": folder / "information.txt"}
        self.pods = [
            stack.enter_context(
                Daemon(
                    [BUILD / "pingpong"],
                    {**cluster.env(), "POD_NAME": f"pod-{index}", "DRAIN_MS": 0, **settings},
                    port=FIRST_PORT + index,
                    ready="/healthz",
                )
            )
            for index in range(PODS)
        ]
        stack.enter_context(Daemon([BUILD / "writer"], {"SHARED_FILE": self.files["SHARED_FILE"]}, port=0))

    def reader(self) -> Daemon:
        return self.stack.enter_context(
            Daemon(
                [BUILD / "reader"],
                {**self.files, "DRAIN_MS": 0, "LOG_LEVEL": "error", "PINGPONG_URL": f"http://{SERVICE}:3001/ping"},
                ready="/livez",
            )
        )

    def counted(self) -> list[float]:
        return [http.metrics(pod.port)["pingpong_pings_total"] for pod in self.pods]


def in_clients(count: int, views: int, ports: list[int], rate: float = 0) -> list[tuple[float, str]]:
    """Seconds and text of each view (the text only if it failed); with a rate, that many begin each second."""
    seen: list[tuple[float, str]] = []
    lock = threading.Lock()
    turns = iter(range(views))
    began = time.monotonic() + 0.1

    def client() -> None:
        connections = [http.Connection(port) for port in ports]
        while True:
            with lock:
                turn = next(turns, None)
            if turn is None:
                return
            if rate:
                time.sleep(max(0.0, began + turn / rate - time.monotonic()))
            start = time.monotonic()
            answer = connections[turn % len(ports)].request("GET", "/log-output")
            seen.append((time.monotonic() - start, "" if answer.status == 200 else answer.text))

    threads = [threading.Thread(target=client) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


def lost() -> None:
    make_service(LOST)
    with ExitStack() as stack:
        stand = Stand(stack, SHOW_IDENTITY="false")  # not told apart, so many connections are made
        seen = in_clients(8, 10_000, [stand.reader().port])
        failed = [text for _, text in seen if text]
        print(
            json.dumps(
                {
                    "pages": len(seen),
                    "failed": len(failed),
                    "example": failed[:1],
                    "lost": lost_packets(),
                    "slowest_s": max(took for took, _ in seen),
                }
            )
        )


def shares() -> None:
    make_service("")
    with ExitStack() as stack:
        stand = Stand(stack)
        for readers in (1, 2):
            for rate in (5, 50, 1000):
                ports = [stand.reader().port for _ in range(readers)]
                before = stand.counted()
                seen = in_clients(max(2, rate // 20), rate * 10, ports, rate)
                counts = [after - earlier for after, earlier in zip(stand.counted(), before)]
                print(
                    json.dumps(
                        {
                            "readers": readers,
                            "rate": rate,
                            "views": len(seen),
                            "failed": sum(bool(text) for _, text in seen),
                            "pods": counts,
                            "farthest": max(abs(count * PODS / sum(counts) - 1) for count in counts),
                        }
                    ),
                    flush=True,
                )


def views(stand: Stand, ports: list[int], count: int) -> list[float]:
    """So many, each of which has to be answered. Returns how many each pod counted."""
    before = stand.counted()
    failed = [text for _, text in in_clients(8, count, ports) if text]
    counts = [after - earlier for after, earlier in zip(stand.counted(), before)]
    assert not failed and sum(counts) == count, (failed[:1], counts)
    return counts


def spread() -> None:
    """By counts alone: a machine that is slow, or stands still for a while, changes nothing that is judged."""
    make_service("")
    with ExitStack() as stack:
        stand = Stand(stack)
        for readers in (1, 2):
            ports = [stand.reader().port for _ in range(readers)]
            rounds = []
            while len(rounds) < ROUNDS_MAX and not (rounds and is_fair(rounds[-1])):
                rounds.append(views(stand, ports, VIEWS))
            print(json.dumps({"readers": readers, "rounds": rounds, "fair": is_fair(rounds[-1])}), flush=True)


if __name__ == "__main__":
    {"lost": lost, "shares": shares, "spread": spread, "check": lambda: make_service("")}[sys.argv[1]]()
