"""The page in a real browser: what it counts, shows, keeps to and shouts."""

from __future__ import annotations

import itertools
import re
import threading
import time
from typing import Callable

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from chromium import Chromium
from harness.http import get
from harness.process import eventually
from programs import Database, Program, pingpong
from balancer import Balancer, StandIn

Make = Callable[..., Program]


@pytest.mark.parametrize("path", ["/", "/log-output"])
def test_loading_counts_nothing_and_one_ping_shows_the_four_lines(browser: Chromium, page: Program, database: Database, path: str) -> None:
    browser.open(page.port, path)
    time.sleep(2.5)  # more than twice as long as the page's own clock takes
    assert database.count() == 0 and browser.marks() == [] and browser.text("rate-shown") == "off"
    browser.click("once")
    browser.wait("answered", 1)
    assert database.count() == 1
    shown = browser.text("lines").split("\n")
    shown = [line for line in shown if line]
    as_curl = get(page.port, "/log-output").text.splitlines()
    assert shown[:2] == as_curl[:2] and shown[3] == "Ping / Pongs: 1"
    assert re.fullmatch(r"\S{24}: [0-9a-f]{64}", shown[2])
    assert [mark["label"].split(" ·")[0] for mark in browser.marks()] == ["number 1"]


def test_two_versions_have_two_colours_and_their_shares(browser: Chromium, page_of: Make, old: Program, new: Program) -> None:
    """One pod in five is the canary; then it is taken back."""
    with Balancer([old.port] * 4 + [new.port]) as balancer:
        browser.open(page_of(balancer.url).port).rate(25)
        browser.wait("answered", 250)
        browser.rate(0)
        eventually(lambda: sum(browser.shares().values()) in (99, 100, 101), 10)
        shares = browser.shares()
        assert set(shares) == {"1.0.0", "2.0.0"} and 17 <= shares["2.0.0"] <= 23 and 77 <= shares["1.0.0"] <= 83
        marks = browser.marks()
        by_version = {
            version: {(mark["form"], mark["shape"], mark["colour"]) for mark in marks if f"version {version} on pingpong-" in mark["label"]}
            for version in shares
        }
        assert all(len(looks) == 1 for looks in by_version.values()), "a version looks the same everywhere"
        (old_look,), (new_look,) = by_version.values()
        assert all(a != b for a, b in zip(old_look, new_look)), "colour and form differ"
        canary = [mark for mark in marks if "version 2.0.0 on pingpong-new" in mark["label"]]
        assert 0.17 <= len(canary) / len(marks) <= 0.23
        assert "pingpong-old" in browser.text("shares") and "pingpong-new" in browser.text("shares")
        balancer.ports = [old.port]
        browser.rate(25)
        browser.wait("answered", 400)
        last = browser.run("return [...document.querySelectorAll('.second')].slice(-2)[0].innerHTML")
        assert "version 1.0.0" in last and "version 2.0.0" not in last


def test_pods_of_one_build_with_other_settings_differ(browser: Chromium, page_of: Make, database: Database) -> None:
    """Their names say so: the hash of the pod's template is in them."""
    with (
        pingpong(database.env(POD_NAME="pingpong-rollout-59c8f9b6c4-2xkqv")) as stable,
        pingpong(database.env(POD_NAME="pingpong-rollout-7bd4d6f5f9-hm4pc")) as canary,
        Balancer([stable.port, canary.port]) as balancer,
    ):
        browser.open(page_of(balancer.url).port).rate(20)
        browser.wait("answered", 40)
        browser.rate(0)
        assert {mark["form"] for mark in browser.marks()} == {"v0", "v1"}
        assert all(part in browser.text("shares") for part in ("59c8f9b6c4", "7bd4d6f5f9", "2xkqv", "hm4pc"))


def test_an_outage_is_seen_and_its_end(browser: Chromium, page_of: Make, database: Database) -> None:
    with pingpong(database.env()) as upstream:
        page = page_of(f"http://127.0.0.1:{upstream.port}/ping")
        browser.open(page.port).rate(10)
        browser.wait("answered", 10)
    browser.wait("failed", 10)
    failed = [mark for mark in browser.marks() if mark["label"].startswith("failed: ")]
    good = [mark for mark in browser.marks() if mark["label"].startswith("number ")]
    assert {mark["shape"] for mark in failed}.isdisjoint({mark["shape"] for mark in good}), "not only the colour"
    assert "cannot connect to pingpong" in browser.text("failure")
    assert "Ping / Pongs: not available: cannot connect to pingpong" in browser.text("lines")
    before = browser.number("answered")
    with pingpong(database.env(), port=upstream.port):
        browser.wait("answered", before + 10)
        browser.rate(0)
        assert browser.number("repeated") == 0 and browser.number("backwards") == 0
        eventually(lambda: browser.run("return document.getElementById('failure').classList.contains('past')"), 20)
        assert "Ping / Pongs: not" not in browser.text("lines")


def test_an_outage_of_the_page_itself_is_seen(browser: Chromium, page: Program) -> None:
    browser.open(page.port).rate(10)
    browser.wait("answered", 5)
    page.kill()
    browser.wait("failed", 3)
    assert "no answer" in browser.text("failure")


def test_a_number_that_comes_twice_is_shouted(browser: Chromium, page_of: Make) -> None:
    numbers = itertools.chain([1, 2, 3, 2], itertools.count(4))
    with StandIn(lambda: next(numbers)) as upstream:
        browser.open(page_of(upstream.url).port)
        for count in (1, 2, 3):
            browser.click("once")
            browser.wait("answered", count)
        assert browser.text("alarm") == "" and browser.number("repeated") == 0
        browser.click("once")
        browser.wait("repeated", 1)
        assert "Number 2 was given twice!" in browser.text("alarm")
        assert browser.number("backwards") == 0 and "wrong" in [mark["form"] for mark in browser.marks()]
        eventually(lambda: "Number 2 was given twice!" in browser.run("return announced"), 10, "read out")
        box = browser.run("return document.getElementById('alarm').getBoundingClientRect().toJSON()")
        assert 0 <= box["top"] < 400 and box["width"] > 1000, "where everyone sees it"
        browser.click("once")
        browser.wait("answered", 5)
        assert "twice" in browser.text("alarm"), "it stays"


def test_numbers_that_go_back_are_shouted_and_late_ones_are_not(browser: Chromium, page_of: Make) -> None:
    arrived, release = threading.Event(), threading.Event()
    numbers = iter([10, 20, 30, 2])

    def number() -> int:
        mine = next(numbers)
        if mine == 10:
            arrived.set()
            release.wait(20)
        return mine

    with StandIn(number) as upstream:
        browser.open(page_of(upstream.url, UPSTREAM_TIMEOUT_MS=20000).port)
        browser.click("once")  # number 10, which will be late
        assert arrived.wait(20)
        browser.click("once")  # number 20, at once
        browser.wait("answered", 1)
        release.set()
        browser.wait("answered", 2)
        assert browser.number("backwards") == 0 and browser.text("alarm") == ""
        browser.click("once")
        browser.wait("answered", 3)  # number 30
        browser.click("once")  # number 2
        browser.wait("backwards", 1)
        assert "Number 2 came after 30!" in browser.text("alarm")


def test_numbers_are_exact_beyond_2_to_the_53(browser: Chromium, page_of: Make) -> None:
    numbers = itertools.count(2**53 + 1)
    with StandIn(lambda: next(numbers)) as upstream:
        browser.open(page_of(upstream.url).port)
        for count in (1, 2, 3):
            browser.click("once")
            browser.wait("answered", count)
        assert browser.number("repeated") == 0 and f"Ping / Pongs: {2**53 + 3}" in browser.text("lines")


def test_the_rate_is_kept_and_ends_when_told(browser: Chromium, page: Program, database: Database) -> None:
    browser.open(page.port)
    started = time.monotonic()
    browser.rate(20)
    browser.wait("answered", 100)
    counted, took = database.count(), time.monotonic() - started
    assert counted <= 20 * took + 5, "never more than was asked for"
    assert took < 20, "and half of it at least, on a busy machine, too"
    browser.click("stop")
    eventually(lambda: browser.number("answered") == database.count(), 10, "all answers are in")
    stopped_at = database.count()
    time.sleep(1)
    assert database.count() == stopped_at and browser.text("rate-shown") == "off"


def test_what_is_read_out_is_little(browser: Chromium, page_of: Make) -> None:
    """At full rate, with errors all the time, a screen reader is told of what changes, not of each answer."""
    numbers = itertools.count()
    with StandIn(lambda: number if (number := next(numbers)) % 3 else -1) as upstream:
        browser.open(page_of(upstream.url).port).rate(50)
        browser.wait("failed", 60)
        # Only the latest of what comes too fast is said, so nothing is to come before this is.
        eventually(lambda: any("Pings fail: " in text for text in browser.run("return announced")), 30, "the failure read out")
        browser.rate(0)
        announced = browser.run("return announced")
    assert 1 <= len(announced) <= 5, announced


def test_it_works_by_keyboard_alone(browser: Chromium, page: Program) -> None:
    browser.open(page.port)

    def press(*keys: str) -> None:
        for key in keys:
            browser.driver.switch_to.active_element.send_keys(key)

    def focused() -> str:
        return browser.driver.switch_to.active_element.get_attribute("id")

    press(Keys.TAB)
    assert focused() == "once"
    press(Keys.ENTER, Keys.SPACE)
    browser.wait("answered", 2)
    press(Keys.TAB, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert focused() == "rate" and browser.text("rate-shown") == "2 / s"
    press(Keys.HOME)
    assert browser.text("rate-shown") == "off"
    press(Keys.TAB, Keys.TAB)  # the button to stop is disabled, and passed over
    first = browser.text("detail")
    assert first.startswith("number 1 · version 1.0.0 on pingpong-old via ")
    press(Keys.ARROW_RIGHT)
    assert browser.text("detail").startswith("number 2 · ")
    press(Keys.HOME)
    assert browser.text("detail") == first
    outline = browser.run("document.getElementById('once').focus();return getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"


def test_a_mark_tells_its_number_to_a_pointer(browser: Chromium, page: Program) -> None:
    browser.open(page.port).click("once")
    browser.wait("answered", 1)
    ActionChains(browser.driver).move_to_element(browser.driver.find_element("css selector", ".dot")).perform()
    eventually(lambda: browser.text("detail").startswith("number 1 · "), 5)


@pytest.mark.parametrize("path", ["/some/prefix/log-output", "/some/prefix/", "/some/prefix"])
def test_it_works_behind_any_prefix(browser: Chromium, page: Program, path: str) -> None:
    with Balancer([page.port], prefix="/some/prefix") as ingress:
        browser.open(ingress.port, path).click("once")
        browser.wait("answered", 1)
        assert "Ping / Pongs: 1" in browser.text("lines")


def test_the_policy_refuses_what_is_not_the_documents_own(page: Program) -> None:
    """So the other tests' silence about violations says something."""
    with Chromium() as browser:
        browser.open(page.port)
        browser.run("""
            const script = document.createElement('script');
            script.append(document.createTextNode('window.intruded = true'));
            document.body.append(script);
            try { document.body.innerHTML += '<p>'; } catch {}
            const style = document.createElement('style');
            style.textContent = 'body { color: red }';
            document.body.append(style);
            fetch('https://example.invalid/').catch(() => {});
            const image = new Image();
            image.src = '/picture.png';
            document.body.append(image);""")
        kinds = {"style-src-elem", "connect-src", "img-src", "require-trusted-types-for"}
        eventually(lambda: kinds <= {each.split()[0] for each in browser.run("return violations")}, 10)
        assert browser.run("return window.intruded") is None


def test_start_over_forgets(browser: Chromium, page: Program) -> None:
    browser.open(page.port).click("once")
    browser.wait("answered", 1)
    browser.click("reset")
    assert browser.number("answered") == 0 and browser.marks() == []
    browser.click("once")
    browser.wait("answered", 1)
    assert browser.number("backwards") == 0 and "Ping / Pongs: 2" in browser.text("lines")
