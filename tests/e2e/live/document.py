"""A document whose commands are run: what it says they print is compared with what they print.

A block of ```console has commands, each after "$ " (a line that ends in a backslash goes on in the next), and below each
what it prints. A line of "…" stands for any number of lines. A block after `<!-- not run: REASON -->` is only read.
A heading "## N. TITLE" begins chapter N.

What nobody can know before is compared by its kind: times, ages, addresses, hashes, endings of names, how often.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from typing import Iterator

PROMPT = "$ "
MORE = "…"
FENCE = "```"
CHAPTER = re.compile(r"## (\d+)\. ")
NOT_RUN = re.compile(r"<!-- not run: (.+) -->")

# The letters and digits that Kubernetes makes names of.
LETTER = "[bcdfghjklmnpqrstvwxz2456789]"
KINDS = [
    (re.compile(pattern), kind)
    for pattern, kind in (
        (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?", "<time>"),
        (r"\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", "<time>"),
        (r"\b\d{1,3}(\.\d{1,3}){3}\b", "<address>"),
        (r"\b[0-9a-f]{64}\b|\b[0-9a-f]{40}\b|\b[0-9a-f]{12}\b", "<hash>"),
        (r"\bindex [0-9a-f]{7,}\.\.[0-9a-f]{7,}", "index <hashes>"),
        (r"^@@ \S+ \S+ @@", "@@ <lines> @@"),
        (rf"-{LETTER}{{6,10}}(-{LETTER}{{5}})?(?![\w-])", "-<ending>"),
        (rf"-{LETTER}{{5}}(?![\w-])", "-<ending>"),
        (rf"-{LETTER}{{8,10}}(?=-\d+ )", "-<ending>"),
        (rf"(?<![\w-]){LETTER}{{8,10}}(?![\w-])", "<ending>"),
        (r"(?<![\w.-])(\d+d)?(\d+h)?(\d+m)?(\d+(\.\d+)?s)(?!\w)|(?<![\w.-])(\d+d)?(\d+h)?(\d+m)(?!\w)", "<age>"),
        (r'^Context ".+" modified', "Context <name> modified"),
        (r" \(x\d+ over \S+\)", ""),
        (r"([✔✖⚠]) \d+", r"\1 <count>"),
        (r'"requests": ?[1-9]\d*', '"requests": <count>'),
        (r"Content-Length: \d+", "Content-Length: <count>"),
        # The last branch of a tree, where the order is one of names.
        ("└", "├"),
        # Which, depends on whether a connection was kept.
        (r"cannot connect to pingpong|pingpong answered with status 503", "<pingpong is away>"),
        (r"\s+", " "),
    )
]


class Mistake(Exception):
    """The document is not one that can be run."""


@dataclass
class Command:
    chapter: int
    line: int  # of its prompt, from 1
    text: str  # as the shell gets it
    shown: list[str]  # what the document says it prints
    end: int  # the line behind that, from 1
    reason: str = ""  # why it is not run

    def differs(self, printed: list[str]) -> str:
        """How the document differs from what was printed, or nothing."""
        wanted, got = [kind_of(line) for line in self.shown], [kind_of(line) for line in printed]
        pattern = "".join("(?:.*\n)*" if line == MORE else re.escape(line) + "\n" for line in wanted)
        if re.fullmatch(pattern, "".join(line + "\n" for line in got)):
            return ""
        return "\n".join(difflib.unified_diff(wanted, got, f"line {self.line}: {self.text}", "printed", lineterm=""))

    def shortened(self, printed: list[str]) -> list[str]:
        """What was printed, with lines left out where the document leaves some out."""
        if MORE not in self.shown:
            return printed
        head = self.shown.index(MORE)
        tail = self.shown[::-1].index(MORE)
        if len(printed) <= head + tail:
            return printed
        return [*printed[:head], MORE, *printed[len(printed) - tail :]]


def kind_of(line: str) -> str:
    for pattern, kind in KINDS:
        line = pattern.sub(kind, line)
    return line.strip()


@dataclass
class Document:
    lines: list[str]
    commands: list[Command] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.commands = list(read(self.lines))

    def chapter(self, number: int) -> list[Command]:
        return [command for command in self.commands if command.chapter == number]

    def with_printed(self, printed: dict[int, list[str]]) -> str:
        """The text with what was printed, by the commands' lines; the rest stays as it is."""
        lines = list(self.lines)
        for command in reversed(self.commands):
            if command.line in printed:
                begin = command.end - 1 - len(command.shown)
                lines[begin : command.end - 1] = command.shortened(printed[command.line])
        return "\n".join(lines) + "\n"


def parse(text: str) -> Document:
    return Document(text.splitlines())


def read(lines: list[str]) -> Iterator[Command]:
    chapter, reason, at = -1, "", 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if found := CHAPTER.match(line):
            chapter = int(found[1])
        elif found := NOT_RUN.fullmatch(line):
            reason = found[1]
        elif line == FENCE + "console":
            end = closing(lines, at)
            yield from read_block(lines, at, end, chapter, reason)
            reason, at = "", end + 1
        elif line.startswith(FENCE):
            at = closing(lines, at) + 1
        elif line and reason:
            raise Mistake(f"line {at}: what is not run? A block of console has to follow")


def closing(lines: list[str], at: int) -> int:
    for end in range(at, len(lines)):
        if lines[end] == FENCE:
            return end
    raise Mistake(f"line {at}: a block without an end")


def read_block(lines: list[str], at: int, end: int, chapter: int, reason: str) -> Iterator[Command]:
    while at < end:
        first = at
        if not lines[at].startswith(PROMPT):
            raise Mistake(f"line {at + 1}: {lines[at]!r}: a block of console begins with a command")
        while lines[at].endswith("\\") and at + 1 < end:
            at += 1
        at += 1
        text = "\n".join(lines[first:at]).removeprefix(PROMPT)
        begin = at
        while at < end and not lines[at].startswith(PROMPT):
            at += 1
        yield Command(chapter, first + 1, text, lines[begin:at], at + 1, reason)
