"""How fast the page is: its first picture, a moved slider to the new picture in a headless browser,
and the memory of its server with ten pages open.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import memory, table

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "extras"))
from exploring import browsed, explored, still

#: Moves of each slider, and pages that are open at once.
MOVES, PAGES = 25, 10
#: A slider of each tab, and the picture that is waited for.
SLIDERS = (
    ("plan", "train", "choices"),
    ("plan", "train", "map"),
    ("plan", "train", "frontier"),
    ("plan", "memory", "choices"),
    ("plan", "params", "disagreement"),
    ("regression", "decay", "risk"),
    ("regression", "noise_var", "risk"),
    ("formats", "params", "prices"),
)
#: Milliseconds from a slider's event to the picture that the browser has drawn after it.
MOVE = """([tab, name, figure, share]) => new Promise(done => {
  const slider = document.querySelector(`#${tab} [name=${name}]`)
  const drawn = document.querySelector(`#${figure} .draw`)
  const began = performance.now()
  const seen = new MutationObserver(() => {
    seen.disconnect()
    requestAnimationFrame(() => done(performance.now() - began))
  })
  seen.observe(drawn, { childList: true })
  slider.value = Number(slider.min) + share * (slider.max - slider.min)
  slider.dispatchEvent(new Event("input"))
})"""


def moved(page: Any, tab: str, name: str, figure: str) -> np.ndarray:
    """Times of moves between a third and two thirds of a slider, no place twice."""
    shares = np.random.default_rng(0).permutation(np.linspace(0.35, 0.65, MOVES))
    took = []
    for share in shares:
        took.append(page.evaluate(MOVE, [tab, name, figure, float(share)]))
        still(page)
    return np.array(took)


def opened(browser: Any, address: str, tab: str) -> tuple[Any, float]:
    """A page of a tab, and the seconds to its first picture."""
    page = browser.new_page()
    began = time.perf_counter()
    page.goto(f"{address}?tab={tab}")
    page.wait_for_selector(f"#{tab} .draw > svg")
    return page, time.perf_counter() - began


def main() -> None:
    with explored() as (address, server), browsed() as browser:
        page, cold = opened(browser, address, "plan")
        still(page)
        time.sleep(15)  # what was begun when the server started
        page.close()
        page, warm = opened(browser, address, "plan")
        rows, every = [], []
        for tab, name, figure in SLIDERS:
            page.goto(f"{address}?tab={tab}")
            still(page)
            took = moved(page, tab, name, figure)
            every.append(took)
            rows.append([tab, name, figure, *(f"{v:.0f}" for v in np.quantile(took, [0.5, 0.95]))])
        page.close()
        took = np.concatenate(every)
        rows.append(["all", "", "", *(f"{v:.0f}" for v in np.quantile(took, [0.5, 0.95]))])
        pages = [opened(browser, address, "plan")[0] for _ in range(PAGES)]
        for each in pages:
            still(each)
        used = memory("VmRSS", server.pid)
    print("### The page: from a moved slider to the picture\n")
    print(table(["tab", "slider", "picture", "median, ms", "95%, ms"], rows))
    print("\n### The page: first picture and memory\n")
    print(
        table(
            ["what", "found", "bar"],
            [
                ["first picture, server just started, s", f"{cold:.2f}", "none"],
                ["first picture, server warm, s", f"{warm:.2f}", "2"],
                [f"memory of the server, {PAGES} pages open, MB", f"{used:.0f}", "600"],
            ],
        )
    )


if __name__ == "__main__":
    main()
