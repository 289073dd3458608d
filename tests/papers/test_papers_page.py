"""The page of a report: every claim is on it with its figure and command, and it loads nothing."""

import dataclasses
import re
from html import unescape
from pathlib import Path

import polars as pl
import pytest

from isoloss.papers import (
    Claim,
    PapersError,
    Report,
    Reproduction,
    check_page,
    reproduce,
    versions,
    write_page,
)
from isoloss.papers.page import page
from seen_pages import Seen


@pytest.fixture(scope="module")
def report() -> Report:
    """The same claim twice, so that figures could clash, and one that cannot be tested."""
    one = reproduce("kumar2024", "figure 6 left")
    assert isinstance(one, Reproduction)
    bare = Claim("lines", "<b>'s", "page 1", "a < b & c", ("K10", "K9"), why="no such runs")
    return Report((one, one, Reproduction(bare, None, bare.why)), seed=7)


@pytest.fixture(scope="module")
def text(report: Report, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_page(report, tmp_path_factory.mktemp("page") / "out").read_text("utf-8")


def test_it_loads_nothing_and_links_lead_somewhere(text: str) -> None:
    seen = Seen(text)
    assert [each for each in seen.loaded if not each.startswith("#")] == []
    assert "script" not in seen.tags
    assert set(re.findall(r"url\((.)", text)) <= {"#"}
    assert "@import" not in text
    assert "default-src 'none'" in text
    inside = {each[1:] for each in (*seen.links, *seen.loaded) if each.startswith("#")}
    assert inside - set(seen.names) == set()
    assert {each.split("/")[2] for each in seen.links if not each.startswith("#")} == {"arxiv.org"}


def test_names_of_parts_are_of_one_figure_alone(text: str) -> None:
    names = Seen(text).names
    assert len(names) == len(set(names))
    inside = set(re.findall(r"url\(#([^)]+)\)", text))
    assert inside
    assert inside - set(names) == set()


def test_every_claim_has_its_figure_its_verdict_and_its_command(text: str, report: Report) -> None:
    seen = Seen(text)
    assert (seen.tags.count("article"), seen.tags.count("figure")) == (3, 2)
    assert seen.tags.count("path") > 100
    for each in report:
        assert f"<pre>{each.claim.command}</pre>" in unescape(text)
        assert each.sentence in unescape(text)
    assert "<b>" not in text
    assert "a &lt; b &amp; c" in text


def test_it_says_what_computed_it_and_the_shares(text: str) -> None:
    assert "seed 7" in text
    assert all(f"{name} {value}" in text for name, value in versions().items())
    assert "67%" in text
    assert "33%" in text


def test_a_figure_that_cannot_be_drawn_loses_nothing(report: Report) -> None:
    (one, *_) = report
    assert one.finding is not None
    figure = one.illustration()
    table = figure.table.with_columns(pl.lit(-1.0).alias(figure.y))
    bad = dataclasses.replace(figure, table=table)
    finding = dataclasses.replace(one.finding, figure=bad)
    text = page(Report((dataclasses.replace(one, finding=finding),)))
    assert "No figure: the study " in text
    assert one.claim.says in unescape(text)


def test_rows_of_the_list_are_in_its_order(text: str) -> None:
    rows = text[text.index("Claims by row") :]
    found = [rows.index(f"<td>{name}</td>") for name in ("K6", "K9", "K10")]
    assert found == sorted(found)


def test_where_it_is_written(report: Report, tmp_path: Path) -> None:
    assert check_page(tmp_path / "new") == tmp_path / "new" / "index.html"
    assert not (tmp_path / "new").exists()
    assert write_page(report, tmp_path / "one.html") == tmp_path / "one.html"
    with pytest.raises(PapersError, match="exists; give another name"):
        write_page(report, tmp_path / "one.html")
    write_page(report, tmp_path, force=True)
    with pytest.raises(PapersError, match="exists; give another name"):
        check_page(tmp_path)
    with pytest.raises(PapersError, match=r"accepted are \.html, \.htm, or a folder"):
        check_page(tmp_path / "page.pdf")
