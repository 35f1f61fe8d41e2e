"""What the steps saw, kept from run to run and written as a document."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from . import picture
from .cluster import ROOT, WORK, nodes, run

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
TAIL = """
These nodes are on one machine of two cores. So this shows no load balancer of a cloud, no way between machines that is slow
or breaks, no machine that fails by itself, not many nodes, and not arm64. The components `eks`, `gke`, `openshift`, `mesh` and
`flux` want what is not here: only [their tests](../tests/manifests) look at them.
"""
GROUPS = {
    "database": "the one PostgreSQL killed, deleted, scaled to none: its outage is what fails",
    "canary": "new versions, good and bad: only what a bad one answers itself fails",
    "failover": "CloudNativePG's primary deleted, killed, switched, drained",
    "argocd": "Argo CD: synced, promoted, taken back, `git revert`, drift",
    "journey": "[the journey](docs/journey.md), command by command",
    "autoscaler": "the autoscaler up and down, also during a canary",
}
OTHERS = "applies, edits, deletions, updates, drains, network, Gateway API, Helm chart, Prometheus, backup"
README = ROOT / "README.md"
README_BEGIN, README_END = "<!-- written by make e2e -->", "<!-- seen so far -->"
COUNTS = ("requests", "failed", "uncertain")


def load() -> dict:
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}


def commit() -> str:
    return run("git", "-C", ROOT, "rev-parse", "--short=12", "HEAD").strip()


def keep(name: str, row: dict) -> None:
    save(load() | {name: row | {"commit": commit(), "nodes": len(nodes())}})


def forget(name: str) -> None:
    """What failed now is not to be read as it was once."""
    save({other: row for other, row in load().items() if other != name})


def save(rows: dict) -> None:
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(json.dumps(rows, indent=1), encoding="utf-8")


def versions(rows: dict) -> str:
    server = json.loads(run("kubectl", "version", "--output", "json"))["serverVersion"]["gitVersion"]
    commits = sorted({row["commit"] for row in rows.values()})
    sizes = sorted({row["nodes"] for row in rows.values()})
    runtime = {node["status"]["nodeInfo"]["containerRuntimeVersion"] for node in nodes()}
    return (
        f"{time.strftime('%Y-%m-%d')}, commit{'s' * (len(commits) > 1)} {', '.join(commits)}, "
        f"Kubernetes {server}, {' or '.join(map(str, sizes))} node{'s' * (sizes != [1])}, {', '.join(sorted(runtime))}"
    )


def cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def document(rows: dict, shows: dict[str, str], drawn: bool) -> str:
    lines = [
        HEAD,
        f"{versions(rows)}.",
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
    lacking = [f"`{name}`" for name in shows if name not in rows]
    if lacking:
        lines += ["", f"Without a row, as they did not run or did not pass: {', '.join(lacking)}."]
    return "\n".join(lines) + "\n" + TAIL


def short(rows: dict) -> str:
    """A line for what belongs together: steps, requests, and those that failed."""
    groups: dict[str, list[dict]] = {}
    for name, row in rows.items():
        groups.setdefault(GROUPS.get(name.split("-")[0], OTHERS), []).append(row["seen"])
    lines = ["| steps | | requests | failed |", "|---:|---|---:|---:|"]
    for group, seen in groups.items():
        requests, failed = (sum(one.get(key, 0) for one in seen) for key in ("requests", "failed"))
        counts = f"{requests:,} | {failed:,}" if requests else " | "
        lines.append(f"| {len(seen)} | {group} | {counts} |")
    return "\n".join(lines)


def write(rows: dict, shows: dict[str, str]) -> None:
    """docs/live.md, the picture beside it, and its short form in the README."""
    drawn = [(f"{name}: {shows[name]}", rows[name][picture.KEY]) for name in DRAWN if picture.KEY in rows.get(name, {})]
    DOCUMENT.write_text(document(rows, shows, bool(drawn)), encoding="utf-8")
    if drawn:
        PICTURE.write_text(picture.svg(drawn), encoding="utf-8")
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(README_BEGIN)
    after = rest.split(README_END)[1]
    README.write_text(f"{before}{README_BEGIN}\n\n{short(rows)}\n\n{README_END}{after}", encoding="utf-8")
