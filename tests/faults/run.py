#!/usr/bin/python3
"""Runs the fault scenarios, prints the table and, after a whole run, writes it to docs/faults.md.

usage: run.py [--list] [SCENARIO...]        (no name: all of them)
"""

from __future__ import annotations

import argparse
import atexit
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

PROGRAMS = ("pingpong", "reader", "writer")


def use_copies() -> None:
    """The run tests copies of the programs, so that a build meanwhile does not change them."""
    build = Path(os.environ.get("BUILD_DIR", HERE.parents[1] / "build"))
    missing = [name for name in PROGRAMS if not (build / name).exists()]
    if missing:
        sys.exit(f"not built: {', '.join(missing)}; run make first")
    copies = tempfile.mkdtemp(prefix="faults-")
    atexit.register(shutil.rmtree, copies, ignore_errors=True)
    for name in PROGRAMS:
        shutil.copy2(build / name, copies)
    os.environ["BUILD_DIR"] = copies


use_copies()  # before the harness looks for them

import report
import scenarios  # noqa: F401
from client import raise_descriptor_limit
from harness.postgres import Cluster
from harness.process import ROOT
from scenario import SCENARIOS, Result

DOCUMENT = ROOT / "docs" / "faults.md"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--list", action="store_true", help="print the names and stop")
    parser.add_argument("--replicas", type=int, help="only with this number of pingpong replicas")
    parser.add_argument("names", nargs="*", metavar="SCENARIO", help="only these")
    options = parser.parse_args()
    unknown = set(options.names) - {scenario.name for scenario in SCENARIOS}
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}; --list names them")
    return options


def run_all(options: argparse.Namespace) -> list[Result]:
    chosen = [scenario for scenario in SCENARIOS if not options.names or scenario.name in options.names]
    results = []
    with Cluster() as cluster:
        for scenario in chosen:
            for replicas in scenario.replicas:
                if options.replicas and replicas not in (None, options.replicas):
                    continue
                print(f"{scenario.name} ({replicas or '-'}) ... ", end="", flush=True)
                result = scenario.execute(cluster, replicas)
                print(f"{result.verdict} ({result.seconds:.1f} s)", flush=True)
                for violation in result.violations:
                    print(f"    {violation}", flush=True)
                results.append(result)
                cluster.sigcont()  # as the next scenario expects to find it
                if not cluster.alive:
                    cluster.start()
    return results


def main() -> int:
    options = arguments()
    if options.list:
        print("\n".join(f"{scenario.name:24} {scenario.title}" for scenario in SCENARIOS))
        return 0
    raise_descriptor_limit()
    began = time.monotonic()
    results = run_all(options)
    seconds = time.monotonic() - began
    print("\n" + report.text_table(results))
    violated = sum(result.verdict == "violated" for result in results)
    print(f"\n{len(results)} runs in {seconds:.0f} s, {violated} violated")
    if not options.names and not options.replicas:
        report.write(DOCUMENT, ROOT / "README.md", results, seconds)
    return 1 if violated or not results else 0


if __name__ == "__main__":
    sys.exit(main())
