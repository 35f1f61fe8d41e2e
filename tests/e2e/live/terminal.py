"""A shell at a terminal of its own, to which commands are given one by one."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import termios
import time
from pathlib import Path
from typing import Mapping

from .cluster import Failed

# Separates what commands print; no program prints this character.
MARK = "\x1e"
LOOP = f"""
set -m
while IFS= read -r -d '' command <&$1; do
    eval "$command"
    printf '{MARK}%d{MARK}' "$?"
done
"""
COLOUR = re.compile(r"\x1b\[[0-9;]*[mK]")
# What a shell says of its background jobs is no command's.
JOB = re.compile(r"(\[\d+\][-+ ]? .*|.*: line \d+: +\d+ (Terminated|Killed) .*)")


class Terminal:
    def __init__(self, folder: Path, environment: Mapping[str, str]):
        read_end, self.commands = os.pipe()
        self.process, self.screen = pty.fork()
        if self.process == 0:
            os.chdir(folder)
            os.set_inheritable(read_end, True)
            plain = {"PAGER": "cat", "GIT_PAGER": "cat", "TERM": "dumb", "LC_ALL": "C.UTF-8"}
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "-c", LOOP, "bash", str(read_end)], {**environment, **plain})
        os.close(read_end)
        # Neither an echo nor carriage returns.
        modes = termios.tcgetattr(self.screen)
        modes[1] &= ~termios.OPOST
        modes[3] &= ~termios.ECHO
        termios.tcsetattr(self.screen, termios.TCSANOW, modes)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the shell and what it has begun."""
        for process in self._session():
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass
        os.waitpid(self.process, 0)
        os.close(self.commands)
        os.close(self.screen)

    def _session(self) -> list[int]:
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if os.getsid(int(folder.name)) == self.process:
                    found.append(int(folder.name))
            except (ProcessLookupError, PermissionError):
                pass
        return found

    def run(self, command: str, seconds: float) -> tuple[list[str], int]:
        """The lines that a command prints, and its exit status."""
        os.write(self.commands, command.encode() + b"\0")
        end = time.monotonic() + seconds
        printed = b""
        while printed.count(MARK.encode()) < 2:
            ready, _, _ = select.select([self.screen], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise Failed(f"not done after {seconds:g} s: {command}\n{printed.decode(errors='replace')}")
            try:
                printed += os.read(self.screen, 65536)
            except OSError as error:
                raise Failed(f"the shell ended: {command}") from error
        text, status, _ = printed.decode(errors="replace").split(MARK)
        lines = [line.rstrip() for line in COLOUR.sub("", text).splitlines()]
        while lines and not lines[-1]:
            lines.pop()
        return [line for line in lines if not JOB.fullmatch(line)], int(status)
