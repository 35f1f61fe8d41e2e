"""Makes the picture of the dashboard: a canary that is slow and fails, taken back, and a database that restarts.

    dashboard.py FILE

Real programs, asked by a real witness and watched by a real Prometheus, on this machine.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/blackbox"), str(ROOT / "tests/browser")]

import panels
from balancer import Balancer
from harness.postgres import Cluster
from harness.process import BUILD, Daemon, die_with_parent, eventually, free_port
from pictures import CANARY, STABLE
from programs import Database, Program, pingpong, witness

STEP_S = 2
RATE = 40
# How long each part of it lasts.
STEADY_S, CANARY_S, RECOVERY_S = 60, 60, 50
LABEL = "The dashboard while a canary fails pings and is taken back, and while PostgreSQL restarts: pings by version, errors, times, and what the witness saw"


def targets(programs: list[tuple[str, Daemon]]) -> str:
    """As Prometheus' file_sd_configs want them; the labels are those of the PodMonitors."""
    return json.dumps(
        [
            {
                "targets": [f"127.0.0.1:{program.port}"],
                "labels": {"namespace": "log-pong", "job": job, "pod": str(program.env["POD_NAME"])},
            }
            for job, program in programs
        ]
    )


@contextlib.contextmanager
def prometheus(folder: Path):
    """Its address; it asks what is in FOLDER/targets.json."""
    scrape = {"job_name": "pods", "file_sd_configs": [{"files": [str(folder / "targets.json")], "refresh_interval": "1s"}]}
    config = {"global": {"scrape_interval": f"{STEP_S}s", "scrape_timeout": "1s"}, "scrape_configs": [scrape]}
    (folder / "prometheus.yml").write_text(json.dumps(config), "utf-8")
    program = subprocess.run([ROOT / "scripts/fetch-prometheus", "prometheus"], check=True, text=True, capture_output=True).stdout.strip()
    address = f"127.0.0.1:{free_port()}"
    with open(folder / "log", "wb") as log:
        server = subprocess.Popen(
            [
                program,
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address={address}",
            ],
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent,
        )
    try:
        eventually(lambda: urllib.request.urlopen(f"http://{address}/-/ready", timeout=2).status == 200, 60, "Prometheus ready", 0.2)
        yield f"http://{address}"
    finally:
        server.terminate()
        server.wait(30)


def play(stack: contextlib.ExitStack, cluster: Cluster, folder: Path) -> str:
    """The drawing of what happened."""
    database = Database(cluster)
    stack.callback(database.drop)
    stable = [stack.enter_context(pingpong(database.env(POD_NAME=pod))) for pod in STABLE]
    # A ping is slower in it, and one in five fails.
    faults = {"FAULTS": "allowed", "FAULT_DELAY_MS": 60, "FAULT_ERROR_SHARE": 0.2}
    canary = stack.enter_context(Program([BUILD / "next" / "pingpong"], database.env(POD_NAME=CANARY, **faults), ready="/healthz"))
    balancer = stack.enter_context(Balancer([one.port for one in stable]))
    asking = stack.enter_context(witness(balancer.url, RATE=RATE, POD_NAME="witness-ping-6d5f7c9b8-x2v7k"))
    watched = [*(("pingpong", one) for one in stable), ("witness", asking)]
    listed = folder / "targets.json"
    listed.write_text(targets(watched), "utf-8")
    url = stack.enter_context(prometheus(folder))
    time.sleep(4 * STEP_S)  # The first rates need as many scrapes.
    began = time.time()
    time.sleep(STEADY_S)
    listed.write_text(targets([*watched, ("pingpong", canary)]), "utf-8")
    balancer.ports = [*(one.port for one in stable), canary.port]
    time.sleep(CANARY_S)
    balancer.ports = [one.port for one in stable]
    time.sleep(RECOVERY_S / 2)
    cluster.restart()
    time.sleep(RECOVERY_S / 2)
    found = panels.Prometheus(url, began, time.time(), STEP_S)
    with urllib.request.urlopen(f"{url}/api/v1/status/buildinfo", timeout=10) as answer:
        version = json.load(answer)["data"]["version"]
    footer = (
        f"What Prometheus {version} answered to the dashboard's queries on {datetime.date.today().isoformat()}, drawn by make pictures: "
        f"{RATE} pings a second, four pods, a fifth from {STEADY_S} s to {STEADY_S + CANARY_S} s"
    )
    return panels.drawing(("pingpong", "witness"), found, LABEL, footer)


def main(path: Path) -> None:
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(Cluster())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        path.write_text(play(stack, cluster, folder), "utf-8")
    print(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
