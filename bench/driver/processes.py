"""What /proc tells of a process."""

import os
import re
from pathlib import Path

from .errors import BenchError


def cpu_seconds(pid: int) -> float:
    """User and system time of all of the process's threads so far."""
    # The name in parentheses may hold anything, so count from its end.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def anonymous_bytes(pid: int) -> int:
    match = re.search(r"^RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M)
    if match is None:
        raise BenchError("this kernel does not tell RssAnon")
    return int(match[1]) * 1024
