"""Queries and alerts, tried with promtool on made-up series."""

import functools
import json
import subprocess
from pathlib import Path

import yaml


ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def _program() -> str:
    return subprocess.run([ROOT / "scripts" / "fetch-prometheus"], check=True, text=True, capture_output=True).stdout.strip()


def promtool(*arguments, cwd):
    return subprocess.run([_program(), *arguments], cwd=cwd, text=True, capture_output=True, timeout=120, check=False)


def run_rule_tests(folder: Path, groups: list, tests: list) -> str:
    """Runs promtool test rules; returns what it complains about, or nothing."""
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}), encoding="utf-8")
    # JSON is YAML, without surprises in long lines.
    (folder / "tests.yaml").write_text(
        json.dumps({"rule_files": ["rules.yaml"], "evaluation_interval": "15s", "tests": tests}), encoding="utf-8"
    )
    done = promtool("test", "rules", "tests.yaml", cwd=folder)
    return "" if done.returncode == 0 else done.stdout + done.stderr
