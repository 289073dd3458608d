"""The page in a browser: every tab and control, its pictures, its lines, no request to outside."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from browsing import NEEDS_BROWSER
from exploring import Heard, browsed, explored, still

pytest.importorskip("playwright")
pytestmark = NEEDS_BROWSER

AXE = Path(__file__).parents[2] / "out" / "axe" / "package" / "axe.min.js"
TABS = ("plan", "regression", "formats")
FIGURES = {
    "plan": ("choices", "map", "frontier", "disagreement"),
    "regression": ("risk", "parts", "spectrum"),
    "formats": ("grids", "errors", "prices"),
}
#: What else than a figure a control of the plan moves: numbers of a table, or a sentence.
SEEN = "() => [...document.querySelectorAll('#TAB .seen')].map(each => each.innerHTML).join()"
#: Other words for each field of text and each list, and ends of a slider that are left out.
OTHER = {
    "laws": "epoch2024", "precision": "bf16,w6 a6 kv6", "rounded": "w4 a4 kv4",
    "formats": "int4 e2m1", "hardware": "a100", "distribution": "laplace", "iterate": "last",
    "inputs": "clean",
}  # fmt: skip


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with explored() as (found, _):
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browsed() as found:
        yield found


def opened(browser: Any, address: str, width: int = 1280) -> tuple[Any, Heard]:
    heard = Heard()
    page = heard.listen(browser.new_page(viewport={"width": width, "height": 900}))
    page.set_default_timeout(60_000)
    page.goto(address)
    still(page)
    return page, heard


def pictures(page: Any, tab: str) -> list[str]:
    return [page.inner_html(f"#{each} .draw") for each in FIGURES[tab]]


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("tab", TABS)
def test_a_tab_shows_its_pictures_and_fits(
    tab: str, width: int, browser: Any, address: str
) -> None:
    page, heard = opened(browser, f"{address}?tab={tab}", width)
    assert all("<path" in each or "<circle" in each for each in pictures(page, tab))
    wide, room = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide <= room
    assert heard.wrong == []
    assert {urlsplit(url).hostname for url in heard.asked if not url.startswith("data:")} == {
        "127.0.0.1"
    }
    page.close()


@pytest.mark.parametrize("tab", TABS)
def test_every_control_moves_what_is_shown(tab: str, browser: Any, address: str) -> None:
    page, heard = opened(browser, f"{address}?tab={tab}")
    names = page.eval_on_selector_all(
        f"#{tab} [name]:not([name=law])", "all => all.map(each => [each.name, each.type])"
    )
    assert len(names) >= 4
    if tab == "plan":  # a rate of serving tells nothing without tokens served
        move(page, tab, "served", "range")
        still(page)
    for name, kind in names:
        before = page.evaluate(SEEN.replace("TAB", tab))
        move(page, tab, name, kind)
        still(page)
        assert page.evaluate(SEEN.replace("TAB", tab)) != before, name
        assert page.text_content("#wrong") == "", name
        page.goto(f"{address}?tab={tab}" + ("&served=1e12" if tab == "plan" else ""))
        still(page)
    assert heard.wrong == []
    page.close()


def move(page: Any, tab: str, name: str, kind: str) -> None:
    """Another value for a control, as a person gives it."""
    field = page.locator(f"#{tab} [name={name}]")
    if kind == "range":
        middle = "each => String((2 * Number(each.min) + 3 * Number(each.max)) / 5)"
        field.fill(field.evaluate(middle))
    elif kind == "checkbox":
        field.click()
    elif kind == "select-one":
        field.select_option(OTHER[name])
    else:
        field.fill("w:add(1e-4)" if (tab, name) == ("regression", "precision") else OTHER[name])
        field.press("Enter")


@pytest.mark.parametrize("tab", TABS)
def test_a_link_reproduces_what_is_shown(tab: str, browser: Any, address: str) -> None:
    page, _ = opened(browser, f"{address}?tab={tab}")
    name = {"plan": "train", "regression": "decay", "formats": "params"}[tab]
    move(page, tab, name, "range")
    still(page)
    other, _ = opened(browser, page.url)
    assert pictures(other, tab) == pictures(page, tab)
    assert other.inner_text(f"#{tab}-shell") == page.inner_text(f"#{tab}-shell")
    page.close()
    other.close()


def test_the_copied_command_line_gives_the_shown_numbers(browser: Any, address: str) -> None:
    page, _ = opened(browser, f"{address}?tab=plan&train=3e20&memory=&precision=bf16,w4+a4+kv4")
    line = page.inner_text("#plan-shell").split("\n")[0]
    words = [sys.executable, "-m", "isoloss", *shlex.split(line)[1:], "--json"]
    told = json.loads(subprocess.run(words, capture_output=True, check=True, text=True).stdout)
    rows = page.locator("#table tbody tr").all_inner_texts()
    assert len(rows) == len(told["choices"]) == 2
    for row, choice in zip(rows, told["choices"], strict=True):
        assert row.split("\t")[0] == choice["precision"]
        assert row.split("\t")[1] == f"{choice['loss']:.4f}"
    page.close()


def test_tabs_are_moved_by_the_keyboard(browser: Any, address: str) -> None:
    page, _ = opened(browser, address)
    page.focus("#tab-plan")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-regression"
    assert page.is_visible("#regression")
    assert not page.is_visible("#plan")
    page.close()


ROWS = "params,tokens,precision,loss\n" + "".join(
    f"{n:.0f},{d:.0f},bf16,{1.8 + 400 * n**-0.34 + 410 * d**-0.28:.5f}\n"
    for n in (2e7, 5e7, 1e8, 2e8)
    for d in (1e9, 2e9, 5e9, 1e10)
)


def test_ones_own_runs_are_dropped_in_and_what_is_hostile_is_a_sentence(
    browser: Any, address: str, tmp_path: Path
) -> None:
    page, _ = opened(browser, f"{address}?tab=plan&precision=bf16")
    broken = tmp_path / "fit.json"
    broken.write_text('{"isoloss": "0.1.0", "type": "fit", "schema": 1, "value": {}}')
    page.set_input_files("#f-drop", broken)
    page.wait_for_selector("#wrong:not(:empty)")
    assert "cannot be read as one" in page.inner_text("#wrong")
    huge = tmp_path / "huge.csv"
    with huge.open("wb") as file:
        file.truncate(10**9)
    page.set_input_files("#f-drop", huge)
    page.wait_for_function("document.getElementById('wrong').textContent.includes('20 MB')")
    (tmp_path / "mine.csv").write_text(ROWS)
    page.set_input_files("#f-drop", tmp_path / "mine.csv")
    page.wait_for_selector("#read:not([hidden])")
    still(page)
    assert "isoloss fit mine.csv" in page.inner_text("#plan-shell")
    assert not page.is_visible("#wrong")
    page.close()


@pytest.mark.skipif(not AXE.is_file(), reason="no axe; tests/extras/axe.sh brings it")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("tab", TABS)
def test_axe_finds_nothing_serious(tab: str, scheme: str, browser: Any, address: str) -> None:
    page = browser.new_page(color_scheme=scheme, bypass_csp=True)
    page.goto(f"{address}?tab={tab}")
    still(page)
    assert violations(page) == []
    page.close()


@pytest.mark.skipif(not AXE.is_file(), reason="no axe; tests/extras/axe.sh brings it")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_a_report(scheme: str, browser: Any, tmp_path: Path) -> None:
    import isoloss as il

    golden = Path(__file__).parents[1] / "golden"
    il.report(golden / "plan.json", golden / "fit.json", path=tmp_path / "page.html")
    for width in (1280, 400):
        heard = Heard()
        size = {"width": width, "height": 900}
        page = heard.listen(browser.new_page(viewport=size, color_scheme=scheme, bypass_csp=True))
        page.goto((tmp_path / "page.html").as_uri())
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert [url for url in heard.asked if not url.startswith("file:")] == []
        page.close()


def violations(page: Any) -> list[str]:
    """What axe calls serious or critical, each with where it is."""
    page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")["violations"]
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
