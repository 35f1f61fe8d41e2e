"""The documents: what they point to is there, pictures have words, and the commands exist."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def documents():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=ROOT, text=True, capture_output=True, check=True)
    return [ROOT / line for line in listed.stdout.split()]


def prose(text):
    """Without blocks of code, in which nothing is a link."""
    return re.sub(r"^```.*?^```|^    .*?$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text):
    """As GitHub makes them of headings."""
    for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        yield re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def findings(path, text):
    for picture, words, target in LINK.findall(prose(text)):
        if picture and not words:
            yield f"{target}: a picture without words"
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        place = (path.parent / name).resolve() if name else path
        if not place.exists():
            yield f"{target}: is not there"
        elif anchor and anchor not in anchors(place.read_text("utf-8")):
            yield f"{target}: has no such heading"


def targets():
    makefiles = [ROOT / "Makefile", *ROOT.glob("*/targets.mk"), *ROOT.glob("*/*/targets.mk")]
    rules = re.findall(r"^([a-z0-9 -]+):(?!=)", "\n".join(path.read_text("utf-8") for path in makefiles), re.MULTILINE)
    return {name for rule in rules for name in rule.split()}


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_points_to_is_there(path):
    text = path.read_text("utf-8")
    assert list(findings(path, text)) == []
    commands = re.findall(r"(?:`|^\$ |^    )make ([a-z][\w/-]*)", text, re.MULTILINE)
    assert {name for name in commands if "/" not in name} - targets() == set()


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("[x](docs/none.md)", "is not there"),
        ("[x](docs/settings.md#none)", "has no such heading"),
        ("![](docs/bench.svg)", "without words"),
        ("[x](#none)", "has no such heading"),
    ],
)
def test_a_mistake_is_noticed(text, finding):
    (found,) = findings(ROOT / "README.md", text)
    assert finding in found


def test_every_document_is_reached_from_the_readme():
    seen, ahead = set(), [ROOT / "README.md"]
    while ahead:
        path = ahead.pop()
        if path in seen or path.suffix != ".md" or not path.exists():
            continue
        seen.add(path)
        names = (target.partition("#")[0] for _, _, target in LINK.findall(path.read_text("utf-8")))
        ahead += [(path.parent / name).resolve() for name in names if name and ":" not in name]
    assert {path for path in documents() if ".github" not in path.parts} - seen == set()
