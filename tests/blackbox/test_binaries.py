"""What the linker and the compiler were told, read from the programs themselves."""

from __future__ import annotations

import platform
import re
import subprocess
from pathlib import Path

import pytest

from harness.process import BUILD
from programs import PROGRAMS, SANITIZED

pytestmark = [pytest.mark.footprint, pytest.mark.skipif(SANITIZED, reason="of the plain build")]

# Of each there is a checked form, which is called instead wherever a format is given.
FORTIFIED = {"printf", "fprintf", "vfprintf"}


def tool(*argv: object) -> str:
    return subprocess.run([str(arg) for arg in argv], capture_output=True, text=True, check=True).stdout


def imports(program: str) -> set[str]:
    return set(re.findall(r" UND ([A-Za-z_0-9]+)", tool("readelf", "--wide", "--dyn-syms", BUILD / program)))


def features(file: object) -> set[str]:
    """IBT and SHSTK (x86), BTI and PAC (ARM): protection of jumps and returns by the processor."""
    found = re.search(r"(?:x86|AArch64) feature: (.*)", tool("readelf", "--wide", "--notes", file))
    return set(found.group(1).split(", ")) if found else set()


@pytest.mark.parametrize("program", PROGRAMS)
def test_addresses_are_random_and_tables_read_only(program: str) -> None:
    header = tool("readelf", "--wide", "--file-header", BUILD / program)
    dynamic = tool("readelf", "--wide", "--dynamic", BUILD / program)
    assert re.search(r"Type:\s+DYN", header)
    assert re.search(r"\(FLAGS_1\).*\bNOW\b.*\bPIE\b", dynamic)
    assert "BIND_NOW" in dynamic and "TEXTREL" not in dynamic
    assert "RPATH" not in dynamic and "RUNPATH" not in dynamic


@pytest.mark.parametrize("program", PROGRAMS)
def test_nothing_is_both_writable_and_executable(program: str) -> None:
    text = tool("readelf", "--wide", "--program-headers", BUILD / program)
    segments = re.findall(r"^\s+([A-Z_]+)(?:\s+0x[0-9a-f]+){5} ([R ][W ][E ])", text, re.MULTILINE)
    kinds = [kind for kind, _ in segments]
    assert "GNU_RELRO" in kinds and "GNU_STACK" in kinds
    assert not [segment for segment in segments if "W" in segment[1] and "E" in segment[1]]
    # The headers and constants are in a segment of their own, apart from the code.
    assert [access for kind, access in segments if kind == "LOAD"][0] == "R  "


@pytest.mark.parametrize("program", PROGRAMS)
def test_stacks_and_buffers_are_checked(program: str) -> None:
    found = imports(program)
    assert "__stack_chk_fail" in found
    assert {"__snprintf_chk", "__fprintf_chk"} <= found
    assert not FORTIFIED & found


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="not on this processor")
@pytest.mark.parametrize("program", PROGRAMS)
def test_jumps_and_returns_are_protected(program: str) -> None:
    """The program as a whole says so only where the system's own start files do, as Debian 13's."""
    expected = {"IBT", "SHSTK"} if platform.machine() == "x86_64" else {"BTI", "PAC"}
    objects = sorted((BUILD / f"{program}.objects").rglob("*.o"))
    assert objects
    assert [str(path) for path in objects if not expected <= features(path)] == []
    start_file = Path(tool("cc", "-print-file-name=Scrt1.o").strip())
    assert features(BUILD / program) == features(start_file) & expected


@pytest.mark.skipif(platform.machine() != "x86_64", reason="looks for instructions")
@pytest.mark.parametrize("program", PROGRAMS)
def test_large_frames_touch_every_page(program: str) -> None:
    """A line of the log is a frame of more than a page; without the option it is taken in one step."""
    assert re.search(r"sub\s+\$0x1000,%rsp", tool("objdump", "--disassemble", BUILD / program))
