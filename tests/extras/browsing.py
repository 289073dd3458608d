"""A folder served on this machine and seen in a browser: each page in a frame of any width, since
no window is allowed to be as narrow as a telephone.
"""

import functools
import http.server
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import Any

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
#: Where there is no browser these tests are skipped, but not in CI.
NEEDS_BROWSER = [
    pytest.mark.extras,
    pytest.mark.skipif(
        BROWSER is None and "CI" not in os.environ, reason=f"no browser: {', '.join(BROWSERS)}"
    ),
]
FRAME = """<iframe width="{width}" height="900" src="/{page}"></iframe><script>
onload = () => {{
  const seen = frames[0].document, root = seen.documentElement
  document.body.dataset.seen = JSON.stringify({{
    wide: root.scrollWidth, room: root.clientWidth, title: seen.title, {found}}})
}}</script>"""


@contextmanager
def served(folder: Path, found: str) -> Iterator[tuple[str, list[str]]]:
    """The address of a folder, with a frame around each page at /frame/WIDTH/PAGE, and the paths
    that were asked for; ``found`` is what a frame tells of a page, as fields of JavaScript.
    """
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if not self.path.startswith("/frame/"):
                super().do_GET()
                return
            width, _, page = self.path.removeprefix("/frame/").partition("/")
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(FRAME.format(width=width, page=page, found=found).encode())

        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def seen(address: str, width: int, page: str, profile: Path, *words: str) -> dict[str, Any]:
    """What the frame of a page told once it was laid out; more words go to the browser."""
    plain = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
    asked = ["--virtual-time-budget=8000", "--dump-dom", f"{address}/frame/{width}/{page}"]
    dom = subprocess.run(
        [str(BROWSER), *plain, *words, *asked],
        capture_output=True, text=True, check=True, timeout=120,
    ).stdout  # fmt: skip
    found = re.search(r'data-seen="([^"]+)"', dom)
    assert found, dom[:500]
    told: dict[str, Any] = json.loads(unescape(found[1]))
    return told
