"""The table, for the terminal and for docs/faults.md."""

from __future__ import annotations

import datetime
import os
import platform
from pathlib import Path
from typing import Sequence

from harness.postgres import binaries
from harness.process import BUILD, run
from scenario import Result

README_BEGIN, README_END = "<!-- written by make test-faults -->", "<!-- so far -->"
COLUMNS = ("fault", "times", "replicas", "requests", "acknowledged", "errors", "recovery", "verdict")


def row(result: Result) -> tuple[str, ...]:
    if result.skipped:
        return (result.title, "-", _replicas(result), "-", "-", "-", "-", f"skipped: {result.skipped}")
    errors = ", ".join(f"{number} {kind}" for kind, number in result.errors.items()) or "none"
    recovery = f"{max(result.recoveries):.2f} s" if result.recoveries else "-"
    return (
        result.title,
        str(result.times),
        _replicas(result),
        str(result.requests),
        str(result.acknowledged),
        errors,
        recovery,
        result.verdict,
    )


def _replicas(result: Result) -> str:
    return "-" if result.replicas is None else str(result.replicas)


def text_table(results: Sequence[Result]) -> str:
    rows = [COLUMNS, *(row(result) for result in results)]
    widths = [max(len(line[index]) for line in rows) for index in range(len(COLUMNS))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in rows)


def markdown(results: Sequence[Result], seconds: float) -> str:
    lines = [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
    lines += [f"| {' | '.join(cell.replace('|', '/') for cell in row(result))} |" for result in results]
    return f"""# What happens when things break

Made by `make test-faults`. {summary(results, seconds)}
{_versions()}

Clients on many connections record every request with its start, its end and its number or error while
the fault happens, several times in a row. A checker then proves from that history that every number was
given once, that a ping sent after another's answer has the larger number, and that the final count is
what was acknowledged plus at most those whose client was told "unknown", or told nothing. The checker is
tested with wrong histories, and the scenarios with services that make the usual mistakes. What is promised, and on
what it stands, is in [promise.md](promise.md).

*Recovery* is the longest time from the end of the fault (a cut connection: from the cut) to an acknowledged
ping, page or line that was asked for after it; with several replicas, on the slowest of them. For slow clients it
is how long the slowest was let be. In the last rows, on the shared file, a request is one reading of the file,
acknowledged if it held whole lines.

Errors: *unknown*: 503, it may have been counted; *refused*: 503, it was not; *lost*: the connection broke or the
client left; *unsent*: no connection could be made; *without number*: the page came, and said what is missing;
*cut off*: a slow client's connection, closed as it should be; *given again*: an acknowledged number that another
replica had given before, while the server that was promoted since then knew nothing of it. Where the title says that
nothing may fail, an error is a violation.

In each outage of the database `/healthz` has to say 500 within 2 s of its begin and 200 within 2 s of its end (5 s of
a promotion), and to answer within 1 s all the time; pings have to be answered within 5 s. What the clients themselves
were kept waiting for the processor is left out of these times. `/livez` has to answer, and the process to end with
status 0 when told to.

{chr(10).join(lines)}
"""


def _versions() -> str:
    def first_line(*argv: object) -> str:
        return run(argv).stdout.split("\n", 1)[0]

    system = platform.freedesktop_os_release().get("PRETTY_NAME", "") if hasattr(platform, "freedesktop_os_release") else ""
    return (
        f"{first_line(BUILD / 'pingpong', '--version')}; {first_line(binaries() / 'postgres', '--version')}; "
        f"{system}, Linux {platform.release()}, {os.cpu_count()} cores."
    )


def kinds(results: Sequence[Result]) -> dict[str, list[Result]]:
    """The results by what was broken, with however many replicas."""
    found: dict[str, list[Result]] = {}
    for result in results:
        found.setdefault(result.title, []).append(result)
    return found


def summary(results: Sequence[Result], seconds: float) -> str:
    held = sum(result.verdict == "held" for result in results)
    return (
        f"On {datetime.date.today().isoformat()}: {sum(result.times for result in results)} faults of {len(kinds(results))} kinds in "
        f"{seconds / 60:.0f} minutes, {sum(result.requests for result in results):,} requests; {held} of {len(results)} runs held."
    )


def into_readme(text: str, results: Sequence[Result], seconds: float) -> str:
    """The README with what stands between its two marks replaced."""
    head, _, rest = text.partition(README_BEGIN)
    _, mark, tail = rest.partition(README_END)
    assert mark, f"README.md lacks {README_BEGIN} or {README_END}"
    return f"{head}{README_BEGIN}\n{summary(results, seconds)}\n{README_END}{tail}"


def write(path: Path, readme: Path, results: Sequence[Result], seconds: float) -> None:
    path.write_text(markdown(results, seconds), encoding="utf-8")
    readme.write_text(into_readme(readme.read_text(encoding="utf-8"), results, seconds), encoding="utf-8")
