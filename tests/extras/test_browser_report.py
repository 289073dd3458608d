"""The page of a report in a browser: it asks for nothing but itself, and its figures are seen."""

import functools
import http.server
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from isoloss.papers import Report, Reproduction, reproduce, write_page

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
#: The page in a frame of a width, and what came of it: what it loaded, and boxes of its figures.
FRAME = """<iframe width="{width}" height="900" src="/index.html"></iframe><script>
onload = () => {{
  const seen = frames[0].document, root = seen.documentElement
  const boxes = [...seen.querySelectorAll('figure svg')].map(each => each.getBoundingClientRect())
  const inked = [...seen.querySelectorAll('figure svg path')].filter(each => each.getTotalLength())
  document.body.dataset.seen = JSON.stringify({{
    wide: root.scrollWidth, room: root.clientWidth, title: seen.title, inked: inked.length,
    loaded: frames[0].performance.getEntriesByType('resource').map(each => each.name),
    boxes: boxes.map(each => [each.width, each.height])}})
}}</script>"""

pytestmark = [
    pytest.mark.extras,
    pytest.mark.skipif(
        BROWSER is None and "CI" not in os.environ, reason=f"no browser: {', '.join(BROWSERS)}"
    ),
]


class Server(http.server.SimpleHTTPRequestHandler):
    """The page, and the frame around it at /frame/WIDTH; what was asked for is kept."""

    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if not self.path.startswith("/frame/"):
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(FRAME.format(width=self.path.removeprefix("/frame/")).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    one = reproduce("kumar2024", "figure 6 left")
    assert isinstance(one, Reproduction)
    folder = write_page(Report((one, one)), tmp_path_factory.mktemp("report") / "out").parent
    handler = functools.partial(Server, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("width", [1280, 400])
def test_a_report_asks_for_nothing_and_shows_its_figures(
    width: int, address: str, tmp_path: Path
) -> None:
    Server.asked.clear()
    words = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}"]
    # No name but this machine's is found: what is not in the page cannot be seen.
    alone = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
    asked = [*words, alone, "--virtual-time-budget=8000", "--dump-dom", f"{address}/frame/{width}"]
    dom = subprocess.run(
        [str(BROWSER), *asked], capture_output=True, text=True, check=True, timeout=120
    ).stdout
    found = re.search(r'data-seen="([^"]+)"', dom)
    assert found, dom[:500]
    seen = json.loads(unescape(found[1]))
    assert seen["loaded"] == []
    assert set(Server.asked) <= {f"/frame/{width}", "/index.html", "/favicon.ico"}
    assert "isoloss" in seen["title"]
    assert len(seen["boxes"]) == 2
    assert all(wide > 200 and high > 100 for wide, high in seen["boxes"])
    assert seen["inked"] > 20
    assert seen["wide"] <= seen["room"]
