"""The page served on this machine by a process of its own, and looked at by a headless browser."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from browsing import BROWSER


@contextmanager
def explored(*words: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address that `isoloss explore` prints, and its process."""
    command = [sys.executable, "-m", "isoloss", "explore", "--port", "0", *words]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout is not None
        yield running.stdout.readline().strip(), running
    finally:
        running.terminate()
        running.wait(20)
        if running.stdout is not None:
            running.stdout.close()


@dataclass
class Heard:
    """What a page said on its console, and what it asked for."""

    wrong: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def listen(self, page: Any) -> Any:
        """Listen to a page, and return it."""
        page.on("console", lambda m: m.type in ("error", "warning") and self.wrong.append(m.text))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        return page


@contextmanager
def browsed() -> Iterator[Any]:
    """A headless browser that finds no name but this machine's."""
    from playwright.sync_api import sync_playwright

    alone = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", alone])
        yield browser
        browser.close()


#: Whether the page has what it asked for, as JavaScript.
STILL = (
    "() => !Object.values(waiting).some(Boolean) && !Object.keys(wanted).length"
    " && PARTS[tab].every(part => found[part] || wrongs[part])"
)


def still(page: Any) -> None:
    """Wait until the page has every number that it asked for."""
    page.wait_for_function(STILL, timeout=60_000)
    page.wait_for_timeout(60)
    page.wait_for_function(STILL, timeout=60_000)
