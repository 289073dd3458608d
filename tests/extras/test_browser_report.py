"""The page of a report in a browser: it asks for nothing but itself, and its figures are seen."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import NEEDS_BROWSER, seen, served

from isoloss.papers import Report, Reproduction, reproduce, write_page

#: What the page loaded, the boxes of its figures, and how many of their lines have a length.
FOUND = """
    inked: [...seen.querySelectorAll('figure svg path')].filter(e => e.getTotalLength()).length,
    loaded: frames[0].performance.getEntriesByType('resource').map(each => each.name),
    boxes: [...seen.querySelectorAll('figure svg')].map(each => each.getBoundingClientRect())
      .map(each => [each.width, each.height])"""
#: No name but this machine's is found: what is not in the page cannot be seen.
ALONE = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"

pytestmark = NEEDS_BROWSER


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[str]]]:
    one = reproduce("kumar2024", "figure 6 left")
    assert isinstance(one, Reproduction)
    folder = write_page(Report((one, one)), tmp_path_factory.mktemp("report") / "out").parent
    with served(folder, FOUND) as found:
        yield found


@pytest.mark.parametrize("width", [1280, 400])
def test_a_report_asks_for_nothing_and_shows_its_figures(
    width: int, page: tuple[str, list[str]], tmp_path: Path
) -> None:
    address, asked = page
    asked.clear()
    told = seen(address, width, "index.html", tmp_path, ALONE)
    assert told["loaded"] == []
    assert set(asked) <= {f"/frame/{width}/index.html", "/index.html", "/favicon.ico"}
    assert "isoloss" in told["title"]
    assert len(told["boxes"]) == 2
    assert all(wide > 200 and high > 100 for wide, high in told["boxes"])
    assert told["inked"] > 20
    assert told["wide"] <= told["room"]
