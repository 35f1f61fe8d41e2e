"""The drawings in docs/: in both colour schemes every text can be read, and is where it belongs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from chromium import Chromium

DOCS = Path(__file__).resolve().parents[2] / "docs"
DRAWINGS = sorted(DOCS.rglob("*.svg"))
LEAST_CONTRAST = 4.5  # WCAG 2.2, 1.4.3

# Each text with its place, its colour, and the smallest surface that its middle is on.
_TEXTS = """
const place = (element) => {
  const {left, top, right, bottom} = element.getBoundingClientRect();
  return {left, top, right, bottom};
};
const surfaces = [...document.querySelectorAll('rect')].map((rect) =>
  ({...place(rect), colour: getComputedStyle(rect).fill, card: rect.classList.contains('card')}));
return [...document.querySelectorAll('text')].map((text) => {
  const own = place(text), x = (own.left + own.right) / 2, y = (own.top + own.bottom) / 2;
  const under = surfaces.filter((s) => s.left <= x && x <= s.right && s.top <= y && y <= s.bottom);
  under.sort((a, b) => (a.right - a.left) * (a.bottom - a.top) - (b.right - b.left) * (b.bottom - b.top));
  return {...own, words: text.textContent, colour: getComputedStyle(text).fill, on: under[0]};
})"""


def luminance(colour: str) -> float:
    def linear(value: float) -> float:
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(part) / 255) for part in re.findall(r"\d+", colour)[:3])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def findings(texts: list[dict[str, Any]]) -> list[str]:
    found = []
    for number, text in enumerate(texts):
        on, words = text["on"], text["words"]
        if not on:
            found.append(f"{words}: outside")
            continue
        if not (
            on["left"] <= text["left"] and text["right"] <= on["right"] and on["top"] <= text["top"] and text["bottom"] <= on["bottom"]
        ):
            found.append(f"{words}: sticks out")
        if contrast(text["colour"], on["colour"]) < LEAST_CONTRAST:
            found.append(f"{words}: {text['colour']} on {on['colour']}")
        # Lines of text may touch; a pixel more is on top of each other.
        for other in texts[number + 1 :]:
            across = min(text["right"], other["right"]) - max(text["left"], other["left"])
            down = min(text["bottom"], other["bottom"]) - max(text["top"], other["top"])
            if across > 1 and down > 3:
                found.append(f"{words}: over {other['words']}")
    return found


def look(browser: Chromium, drawing: Path, dark: bool) -> list[dict[str, Any]]:
    browser.look((1000, 1000), dark)
    browser.driver.get(drawing.as_uri())
    return browser.run(_TEXTS)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("drawing", DRAWINGS, ids=lambda path: path.stem)
def test_a_drawing_can_be_read(browser: Chromium, drawing: Path, dark: bool) -> None:
    texts = look(browser, drawing, dark)
    assert len(texts) > 10
    assert findings(texts) == []
    assert browser.run("return [...document.querySelectorAll('[role=img]')].length") == 1


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        (">reader<", ">reader, the one that serves the page<", "sticks out"),
        ("text { fill: #f0f6fc", "text { fill: #1f2328", " on "),
        ('y="193"', 'y="180"', ": over "),
        ('<text x="80" y="222"', '<text x="80" y="-9"', "outside"),
    ],
)
def test_a_mistake_in_one_is_noticed(browser: Chromium, tmp_path: Path, old: str, new: str, finding: str) -> None:
    text = (DOCS / "pictures/architecture.svg").read_text("utf-8")
    assert old in text
    spoilt = tmp_path / "spoilt.svg"
    spoilt.write_text(text.replace(old, new), "utf-8")
    assert any(finding in one for one in findings(look(browser, spoilt, dark=True)))
