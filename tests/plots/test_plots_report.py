"""Reports: the recommendation first, numbers behind pictures, nothing loaded, nothing obeyed."""

from __future__ import annotations

import dataclasses
import re
import sys
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from isoloss.files import FileOrigin, FilesError, load, made_by, origin_of
from isoloss.fits import Section, excluded_by_reason
from isoloss.laws import preset
from isoloss.plans import Budget
from isoloss.plans import plan as make_plan
from isoloss.plots import Document, PlotError, plot, report
from isoloss.plots.reports.describing import _facts
from isoloss.plots.reports.inlining import hover_of, series_of, tables_of
from isoloss.runs import Runs
from isoloss.scores import Arena
from seen_pages import Seen

GOLDEN = Path(__file__).parents[1] / "golden"


@dataclasses.dataclass(frozen=True)
class Hostile:
    """A value whose words are HTML."""

    def sections(self) -> list[Section]:
        lines = ("<img src=x onerror=a>",)
        return [Section("<script>alert(1)</script>", lines, ("<b>",), (("&",),))]


@pytest.fixture(scope="module")
def page() -> Document:
    return report(GOLDEN / "plan.json", GOLDEN / "fit.json", GOLDEN / "law.json")


def plain(html: str) -> str:
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", html.split("<main>")[1]).split()))


def test_the_recommendation_or_why_it_is_withheld_comes_first(page: Document) -> None:
    plan = load(GOLDEN / "plan.json")
    first = plain(page.html)[:600]
    assert plan.withheld in first
    told = dataclasses.replace(plan, withheld=None)
    assert told.recommendation[0] in plain(report(told).html)[:600]


def test_a_report_loads_nothing_and_no_name_is_twice(page: Document) -> None:
    seen = Seen(page.html)
    assert [each for each in seen.loaded if not each.startswith("#")] == []
    assert not re.search(r"@import|url\((?!#)", page.html)
    assert len(seen.names) == len(set(seen.names))
    assert "script" not in seen.tags
    assert len(page.html) < 3e6


def test_every_section_of_every_value_is_on_the_page(page: Document) -> None:
    text = plain(page.html)
    for value in (load(GOLDEN / "plan.json"), load(GOLDEN / "fit.json")):
        for section in value.sections():
            assert section.title in text
            for words in (*section.lines, *(cell for row in section.rows for cell in row)):
                assert " ".join(words.split()) in text


def test_it_says_where_each_value_is_from(page: Document) -> None:
    fit = load(GOLDEN / "fit.json")
    for words in (origin_of(GOLDEN / "plan.json").sha256, fit.facts.hash, f"seed {fit.facts.seed}"):
        assert words in page.html


def test_a_plan_names_the_table_of_its_fit_and_what_keeps_no_hash_says_so() -> None:
    fit = load(GOLDEN / "fit.json")
    plan = make_plan(fit, Budget(train="1e18 flop"), "h100", precision="bf16", draws=5)
    where = report(plan).html.split("Where this is from")[1]
    assert fit.facts.hash in where
    assert "epoch2024: a law without replicates" in report(preset("epoch2024")).html
    assert "not kept with it" in report(Hostile()).html.split("Where this is from")[1]


def test_an_arena_names_its_tables() -> None:
    found = Arena((), "2026-11-30", "0.2", (("mine", "abc123"),))
    assert list(_facts(found)) == ["mine: table abc123", "fitted by isoloss 0.2"]


def test_the_command_that_made_a_file_goes_with_it(tmp_path: Path) -> None:
    law = preset("chinchilla")
    with made_by("isoloss fit mine.csv -o law.json"):
        law.save(tmp_path / "law.json")
    assert load(tmp_path / "law.json") == law
    found = report(tmp_path / "law.json")
    assert "isoloss fit mine.csv -o law.json" in found.html.split("The commands that made it")[1]


def test_what_one_points_at_is_what_is_drawn() -> None:
    figure = plot("epoch2024", kind="loss")
    found = series_of(figure)
    lines = [line for axes in figure.figure.axes for line in axes.get_lines()]
    drawn = [line for line in lines if line.get_transform() == line.axes.transData]
    assert [len(each.numbers) for each in found] == [len(line.get_xydata()) for line in drawn]
    first = found[0]
    axes, dpi = drawn[0].axes, figure.figure.dpi
    height = figure.figure.get_figheight() * dpi
    for (x, y), place in zip(first.places, first.numbers, strict=True):
        pixel = x * dpi / 72, height - y * dpi / 72
        np.testing.assert_allclose(axes.transData.inverted().transform(pixel), place, rtol=1e-6)
    assert hover_of(found).count("<title>") >= 2 * len(found)


def test_the_table_behind_a_picture_has_its_numbers() -> None:
    figure = plot("epoch2024", kind="loss")
    found = series_of(figure)
    rows = [row for table in tables_of(found) for row in table.rows]
    ends = found[0].numbers[[0, -1], 1]
    said = [float(row[2].replace("−", "-")) for row in rows if row[0] == found[0].name]
    assert said[0] == pytest.approx(ends[0], rel=1e-4)
    assert said[-1] == pytest.approx(ends[1], rel=1e-4)


def test_words_of_a_value_are_shown_and_not_obeyed() -> None:
    html = report(Hostile(), title="<script>", origins=[FileOrigin("<script>", "<script>")]).html
    assert "<script" not in html
    assert "<img" not in html


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((), "a report of nothing"),
        ((3,), "no report of a int"),
        (("none.json",), "there is no file"),
    ],
)
def test_what_has_no_report_is_refused(values: tuple[object, ...], said: str) -> None:
    with pytest.raises((PlotError, FilesError), match=said):
        report(*values)


def test_a_report_goes_to_a_page_only(tmp_path: Path) -> None:
    with pytest.raises(PlotError, match="html"):
        report("none.json", path=tmp_path / "page.pdf")
    kept = report(preset("chinchilla"), path=tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == kept.html
    with pytest.raises(PlotError, match="force"):
        kept.save(tmp_path / "page.html")


def test_without_jinja2_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(PlotError, match=r"a report needs jinja2.*isoloss\[app\]"):
        report(preset("chinchilla"))


def test_a_table_says_which_rows_are_left_out(runs: Runs, plain_runs: Runs) -> None:
    page = plain(report(runs).html)
    left_out = excluded_by_reason(runs)
    assert sum(left_out.values()) == len(runs) - len(runs.usable) > 0
    for why, count in left_out.items():
        assert f"{count} left out: {why}" in page
    assert "left out" not in plain(report(plain_runs.usable).html)
