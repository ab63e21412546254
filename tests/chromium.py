"""The system's Chromium, without a window. `make tools` installs one."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Error, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
DESK, PHONE = (1280, 900), (390, 844)
NETWORK_CHANGED = "ERR_NETWORK_CHANGED"
"""A container that starts or ends changes this machine's networks: Chromium drops what it asks then. No page is at fault."""
TRIES = 5


def program() -> str:
    """Where it is."""
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    assert found, f"none of {', '.join(NAMES)} is here: make tools installs chromium"
    return found


@contextmanager
def browser(trusts: str | None = None) -> Iterator[Browser]:
    """One for several tests; it `trusts` whoever has the key of this digest. As root it has no sandbox."""
    arguments = ["--no-sandbox", *([f"--ignore-certificate-errors-spki-list={trusts}"] if trusts else [])]
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program(), args=arguments)
        yield opened
        opened.close()


AXE = Path(__file__).parent / "fixtures/axe/axe.min.js"


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong in a page, each with the elements. The page's own policy would not let its script in."""
    page.context.new_cdp_session(page).send("Runtime.evaluate", {"expression": AXE.read_text(encoding="utf-8")})
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [f"{one['id']}: {[node['html'] for node in one['nodes']]}" for one in found["violations"]]


def keep_picture(page: Page, name: str) -> None:
    """A picture of a page for people's eyes, where DOTBUS_PICTURES names a folder: CI keeps that."""
    if folder := os.environ.get("DOTBUS_PICTURES"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def go(page: Page, address: str) -> None:
    """Go there, however often the machine's networks change meanwhile."""
    for left in reversed(range(TRIES)):
        try:
            page.goto(address)
        except Error as error:
            if NETWORK_CHANGED not in error.message or not left:
                raise
        else:
            return


class Watched:
    """A page that notes what goes wrong in it, whatever it asks of others, and what its policy stops.

    With `now` its time stands still.
    """

    def __init__(self, browser: Browser, now: datetime | None, size: tuple[int, int] = DESK, **options: Any) -> None:
        width, height = size
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        self.page: Page = context.new_page()
        if now:
            self.page.clock.set_fixed_time(now)
        self.faults: list[str] = []
        self.asked: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda said: self._note(said.type, said.text))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def open(self, address: str) -> Page:
        """Open it, and wait until it shows something or says why not."""
        go(self.page, address)
        return self.shown()

    def _note(self, kind: str, text: str) -> None:
        if kind == "error" and NETWORK_CHANGED not in text:
            self.faults.append(text)

    def shown(self) -> Page:
        """Wait until it has answered."""
        self.page.wait_for_selector("body[data-state=shown], body[data-state=failed]", state="attached")
        return self.page
