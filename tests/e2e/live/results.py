"""What the steps saw, kept from run to run and written as a document."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from . import picture
from .cluster import ROOT, WORK, run

FILE = Path(os.environ.get("E2E_RESULTS") or WORK / "results.json")
DOCUMENT = ROOT / "docs" / "live.md"
HEAD = """# Seen on a live cluster

Written by `make e2e`, a row a step; nothing here is edited by hand. Requests come through the ingress meanwhile, from
[witness](witness.md), which judges every answer: *failed* got no number, *uncertain* of these may have been counted all the
same, and a number that comes twice, or goes back, fails the step.
"""
PICTURE = ROOT / "docs" / "live.svg"
PICTURE_TEXT = "![Answers a second by version, failures, and the longest wait, while steps ran](live.svg)"
# More would be no picture any more.
DRAWN = ("canary-good", "canary-failing", "failover-deleted")
COUNTS = ("requests", "failed", "uncertain")


def load() -> dict:
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}


def keep(name: str, row: dict) -> None:
    rows = load()
    rows[name] = row
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(json.dumps(rows, indent=1), encoding="utf-8")


def versions() -> str:
    server = json.loads(run("kubectl", "version", "--output", "json"))["serverVersion"]["gitVersion"]
    nodes = json.loads(run("kubectl", "get", "nodes", "--output", "json"))["items"]
    runtime = {node["status"]["nodeInfo"]["containerRuntimeVersion"] for node in nodes}
    return (
        f"{time.strftime('%Y-%m-%d')}, commit {run('git', '-C', ROOT, 'rev-parse', '--short=12', 'HEAD').strip()}, "
        f"Kubernetes {server}, {len(nodes)} node{'s' * (len(nodes) != 1)}, {', '.join(sorted(runtime))}"
    )


def cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def write(rows: dict, shows: dict[str, str]) -> None:
    """docs/live.md, and beside it the picture."""
    drawn = [(f"{name}: {shows[name]}", rows[name][picture.KEY]) for name in DRAWN if picture.KEY in rows.get(name, {})]
    DOCUMENT.write_text(document(rows, shows, bool(drawn)), encoding="utf-8")
    if drawn:
        PICTURE.write_text(picture.svg(drawn), encoding="utf-8")


def document(rows: dict, shows: dict[str, str], drawn: bool) -> str:
    lines = [
        HEAD,
        f"{versions()}.",
        "",
        *([PICTURE_TEXT, ""] if drawn else []),
        "| step | shows | s | requests | failed | uncertain | seen |",
        "|---|---|---:|---:|---:|---:|---|",
    ]
    for name, row in rows.items():
        seen = row["seen"]
        others = ", ".join(f"{key}: {value}" for key, value in seen.items() if key not in COUNTS)
        numbers = " | ".join(f"{seen[key]:,}" if key in seen else "" for key in COUNTS)
        lines.append(f"| `{name}` | {cell(shows[name])} | {row['seconds']:.0f} | {numbers} | {cell(others)} |")
    return "\n".join(lines) + "\n"
