"""axe-core finds nothing serious: still, at work and while it shouts; in light and dark; large and small."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Callable

import pytest

from chromium import DESKTOP, PHONE, Chromium
from programs import Program
from balancer import StandIn

AXE = Path(os.environ.get("AXE", "build/browser/node_modules/axe-core/axe.min.js"))


def findings(browser: Chromium) -> list[str]:
    """Serious ones and worse. axe runs in the page's own world, where the policy lets the driver in."""
    browser.run(AXE.read_text() + "; window.axe = axe;")
    report = browser.driver.execute_async_script("const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then(done)")
    assert report["testEngine"]["name"] == "axe-core" and len(report["passes"]) > 10
    return [
        f"{found['id']}: {found['help']}: {found['nodes'][0]['html']}"
        for found in report["violations"]
        if found["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_serious(page_of: Callable[..., Program], size: tuple[int, int], dark: bool) -> None:
    numbers = itertools.chain([1, 2, -1, 2], itertools.count(3))  # -1 is no number: a failure
    with StandIn(lambda: next(numbers)) as upstream, Chromium(size, dark, still=True) as browser:
        browser.open(page_of(upstream.url).port)
        assert findings(browser) == [], "still"
        for name, count in (("answered", 1), ("answered", 2), ("failed", 1)):
            browser.click("once")
            browser.wait(name, count)
        assert findings(browser) == [], "at work"
        browser.click("once")
        browser.wait("repeated", 1)
        assert findings(browser) == [], "while it shouts"
        assert browser.complaints() == []
        width = browser.run("return document.documentElement.scrollWidth")
        assert width <= size[0], "nothing to scroll sideways"


def test_axe_would_find_something(page: Program) -> None:
    with Chromium() as browser:
        browser.open(page.port)
        browser.run("document.querySelector('label[for=rate]').remove()")
        assert any(found.startswith("label:") for found in findings(browser))
