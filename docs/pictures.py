"""The pictures of the page and of a report in docs/images: ``python docs/pictures.py``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "extras"))

from exploring import browsed, explored, still  # noqa: E402

import isoloss as il  # noqa: E402

IMAGES = ROOT / "docs" / "images"
#: Tabs with what their links ask.
TABS = {
    "plan": "train=1e18&hardware=linear-bits&devices=&price=&memory=&params=1e8&tokens=5e9"
    "&precision=bf16,w6+a6+kv6,w4+a4+kv4&bits=4",
    "regression": "precision=d:add(1e-3)",
    "formats": "formats=int4+e2m1+nvfp4+mxfp4+int3",
}
SIZE = {"width": 1200, "height": 860}


def main() -> None:
    """Draw them all, replacing those that are there."""
    with browsed() as browser:
        with explored() as (address, _):
            for tab, asked in TABS.items():
                page = browser.new_page(viewport=SIZE)
                page.goto(f"{address}?tab={tab}&{asked}")
                still(page)
                page.screenshot(path=IMAGES / f"explore_{tab}.png")
        plan = il.plan(
            "kumar2024", "1e18 flop", "linear-bits", precision=["w6 a6 kv6", "w7 a7 kv7", "bf16"]
        )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "decision.html"
            il.report(plan, path=path)
            page = browser.new_page(viewport=SIZE)
            page.goto(path.as_uri())
            page.screenshot(path=IMAGES / "report.png")


if __name__ == "__main__":
    main()
