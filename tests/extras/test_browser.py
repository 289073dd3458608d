"""The built site in a browser, on a desk and on a telephone: pages fit, pictures show."""

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

ROOT = Path(__file__).parents[2]
SITE = ROOT / "site"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
PAGES = ("", "commands/", "results/linear/", "api/formats/")
#: A page in a frame of a width that no window is allowed, and what its layout came to.
FRAME = """<iframe width="{width}" height="900" src="/{page}"></iframe><script>
onload = () => {{
  const seen = frames[0].document, root = seen.documentElement
  const broken = [...seen.images].filter(each => each.complete && !each.naturalWidth)
  document.body.dataset.seen = JSON.stringify({{
    wide: root.scrollWidth, room: root.clientWidth, title: seen.title,
    broken: broken.map(each => each.src), pictures: seen.images.length}})
}}</script>"""

pytestmark = [
    pytest.mark.extras,
    pytest.mark.skipif(
        BROWSER is None and "CI" not in os.environ, reason=f"no browser: {', '.join(BROWSERS)}"
    ),
    pytest.mark.skipif(not SITE.is_dir(), reason="no site; `make docs` builds it"),
]


class Server(http.server.SimpleHTTPRequestHandler):
    """The files of the site, and the frame around a page at /frame/WIDTH/PAGE."""

    def do_GET(self) -> None:
        if not self.path.startswith("/frame/"):
            super().do_GET()
            return
        width, _, page = self.path.removeprefix("/frame/").partition("/")
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(FRAME.format(width=width, page=page).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    handler = functools.partial(Server, directory=str(SITE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_fits_and_shows_its_pictures(
    page: str, width: int, address: str, tmp_path: Path
) -> None:
    words = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}"]
    asked = [*words, "--virtual-time-budget=8000", "--dump-dom", f"{address}/frame/{width}/{page}"]
    dom = subprocess.run(
        [str(BROWSER), *asked], capture_output=True, text=True, check=True, timeout=120
    ).stdout
    found = re.search(r'data-seen="([^"]+)"', dom)
    assert found, dom[:500]
    seen = json.loads(unescape(found[1]))
    assert "isoloss" in seen["title"]
    assert seen["broken"] == []
    assert seen["pictures"] >= (3 if page == "" else 0)
    assert seen["wide"] <= seen["room"]
