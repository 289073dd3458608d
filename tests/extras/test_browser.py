"""The built site in a browser, on a desk and on a telephone: pages fit, pictures show."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import NEEDS_BROWSER, seen, served

SITE = Path(__file__).parents[2] / "site"
PAGES = ("", "commands/", "results/linear/", "api/formats/")
FOUND = """
    broken: [...seen.images].filter(each => each.complete && !each.naturalWidth).map(e => e.src),
    pictures: seen.images.length"""

pytestmark = [
    *NEEDS_BROWSER,
    pytest.mark.skipif(not SITE.is_dir(), reason="no site; `make docs` builds it"),
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served(SITE, FOUND) as (address, _):
        yield address


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_fits_and_shows_its_pictures(
    page: str, width: int, address: str, tmp_path: Path
) -> None:
    told = seen(address, width, page, tmp_path)
    assert "isoloss" in told["title"]
    assert told["broken"] == []
    assert told["pictures"] >= (3 if page == "" else 0)
    assert told["wide"] <= told["room"]
