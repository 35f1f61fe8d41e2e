"""What the figures were taken on, and with."""

import datetime
import json
import os
import platform
import re
import subprocess
from pathlib import Path

from . import servers
from .postgres import binaries

NODE_PACKAGES = ("koa", "@koa/router", "pg", "axios")


def _first_line(command: list) -> str:
    """wrk tells its version with exit status 1, so the status does not matter."""
    try:
        done = subprocess.run(command, text=True, capture_output=True, timeout=10)
    except OSError:
        return "not installed"
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0] if lines else "unknown"


def _processor() -> str:
    match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    return match[1].strip() if match else platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30


def _filesystem(directory: Path) -> str:
    """The type of the file system that holds the directory: the longest mount point wins."""
    best = ("", "unknown")
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount_point, kind = line.split()[:3]
        if directory.resolve().is_relative_to(mount_point) and len(mount_point) >= len(best[0]):
            best = (mount_point, kind)
    return best[1]


def is_memory(directory: Path) -> bool:
    return _filesystem(directory) in ("tmpfs", "ramfs")


def _locked_versions() -> str:
    lock = json.loads((servers.KOA / "package-lock.json").read_text())
    return ", ".join(f"{name} {lock['packages'][f'node_modules/{name}']['version']}" for name in NODE_PACKAGES)


def _our_version(program: servers.Program) -> str:
    replaced = os.environ.get(program.override)
    return f"replaced by: {replaced}" if replaced else _first_line([*program.command, "--version"])


def describe(data_directory: Path) -> dict:
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "unknown")
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{os.cpu_count()} × {_processor()}, {_memory_gib():.0f} GiB of memory",
        "system": f"{system}, Linux {platform.release().partition('-')[0]}, {platform.machine()}",
        "data": f"{_filesystem(data_directory)}",
        "pingpong": _our_version(servers.PINGPONG),
        "reader": _our_version(servers.READER),
        "floor": _first_line([servers.FLOOR.command[0], "--version"]),
        "PostgreSQL": _first_line([str(binaries() / "postgres"), "--version"]),
        "peer": f"Node.js {_first_line(['node', '--version'])}, {_locked_versions()}",
        "wrk": _first_line(["wrk", "--version"]).partition(" Copyright")[0],
        "load_before": os.getloadavg()[0],
    }


def processor_ticks() -> dict:
    names = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
    values = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    return dict(zip(names, map(int, values)))


def stolen_share(before: dict, after: dict) -> float:
    """How much of the run's processor time a hypervisor gave to others."""
    total = sum(after.values()) - sum(before.values())
    return (after["steal"] - before["steal"]) / total if total else 0.0
