"""The README's table of figures, and the day they are of."""

import os
import re
from pathlib import Path

from .errors import BenchError
from .figures import Results, all_figures

HEADER = "| figure | to reach | measured | |\n|---|---|---|---|\n"


def _replace(pattern: str, replacement: str, text: str) -> str:
    changed, count = re.subn(pattern, lambda _: replacement, text)
    if count != 1:
        raise BenchError(f"README.md has {count} places for the figures, not one: {pattern}")
    return changed


def rewritten(text: str, results: Results, facts: dict, cores: int) -> str:
    rows = "".join(f"| {one.name} | {one.to_reach} | {one.written} | {one.verdict} |\n" for one in all_figures(results))
    text = _replace(re.escape(HEADER) + r"(?:\|.*\n)*", HEADER + rows, text)
    return _replace(r"Medians of \d{4}-\d\d-\d\d on \d+ cores", f"Medians of {facts['date'][:10]} on {cores} cores", text)


def update(path: Path, results: Results, facts: dict):
    path.write_text(rewritten(path.read_text(encoding="utf-8"), results, facts, os.cpu_count()), encoding="utf-8")
