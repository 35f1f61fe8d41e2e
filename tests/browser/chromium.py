"""A real Chromium, and what a viewer does with the page in it."""

from __future__ import annotations

import re
import shutil
import tempfile
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from harness.process import eventually

_FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
]

# Kept from before the document's first byte: what it may not do, and what is read out.
_WATCH = """
window.violations = [];
window.announced = [];
addEventListener('securitypolicyviolation',
  (event) => violations.push(`${event.violatedDirective} ${event.blockedURI}`));
addEventListener('DOMContentLoaded', () => {
  for (const region of document.querySelectorAll('[role=status], [role=alert], [aria-live], output'))
    new MutationObserver(() => announced.push(region.textContent))
      .observe(region, {childList: true, characterData: true, subtree: true});
});
"""

DESKTOP, PHONE = (1280, 720), (390, 844)


class Chromium:
    def __init__(self, size: tuple[int, int] = DESKTOP, dark: bool = False, still: bool = False):
        self.profile = tempfile.mkdtemp(prefix="chromium-")
        options = Options()
        options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
        for flag in [*_FLAGS, f"--user-data-dir={self.profile}"]:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)
        self.driver.set_page_load_timeout(30)
        self.driver.set_script_timeout(60)
        self.command("Page.addScriptToEvaluateOnNewDocument", source=_WATCH)
        self.look(size, dark, still)

    def __enter__(self) -> "Chromium":
        return self

    def __exit__(self, *_: object) -> None:
        self.driver.quit()
        shutil.rmtree(self.profile, ignore_errors=True)

    def command(self, name: str, **arguments: Any) -> Any:
        return self.driver.execute_cdp_cmd(name, arguments)

    def look(self, size: tuple[int, int] = DESKTOP, dark: bool = False, still: bool = False) -> None:
        """The window's size, the colours and whether less should move."""
        width, height = size
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.command(
            "Emulation.setEmulatedMedia",
            features=[
                {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
                {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"},
            ],
        )

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def open(self, port: int, path: str = "/log-output") -> "Chromium":
        self.driver.get(f"http://127.0.0.1:{port}{path}")
        return self

    def text(self, element_id: str) -> str:
        return self.run("return document.getElementById(arguments[0]).innerText", element_id)

    def number(self, element_id: str) -> int:
        return int(re.sub(r"\D", "", self.text(element_id)) or 0)

    def click(self, element_id: str) -> None:
        self.driver.find_element("id", element_id).click()

    def rate(self, value: int) -> None:
        """As a drag of the slider does."""
        self.run("const rate = document.getElementById('rate'); rate.value = arguments[0];rate.dispatchEvent(new Event('input'))", value)

    def marks(self) -> list[dict[str, str]]:
        """The marks of the answers: their form, colour and label."""
        return self.run("""return [...document.querySelectorAll('.dot')].map((dot) => {
            const style = getComputedStyle(dot);
            return {form: dot.classList[1], shape: style.clipPath, colour: style.backgroundColor,
                    label: dot.getAttribute('aria-label')}})""")

    def shares(self) -> dict[str, int]:
        """Version -> per cent, as shown."""
        rows = self.run("""return [...document.querySelectorAll('.share')].map((row) =>
            [row.querySelector('.name').firstChild.textContent.trim(), row.querySelector('.percent').textContent])""")
        return {name: int(percent.split()[0]) for name, percent in rows}

    def wait(self, element_id: str, least: int, timeout: float = 60) -> int:
        return eventually(lambda: (found := self.number(element_id)) >= least and found, timeout, f"{element_id} of at least {least}", 0.1)

    def complaints(self) -> list[str]:
        """What the console holds, but for failed answers, which a browser notes itself, and what the policy refused."""
        console = [entry["message"] for entry in self.driver.get_log("browser") if entry["source"] != "network"]
        return console + self.run("return window.violations")
