"""The check of the built site sees what a strict build does not; pages of results are kept."""

import re
from pathlib import Path

import pytest
from benchmarks import run

import check_site
import gallery
import whole_options
from isoloss.plots import kinds

ROOT = Path(__file__).parents[1]
PAGE = """<h1 id="a">A page<a class="headerlink" href="#a">¶</a></h1><p>A <code>b</code>, c.</p>
<h2 id="fit">isoloss <code>fit</code></h2><pre><code>one\ntwo</code></pre>
<a href="../#top">up</a><a href="https://isoloss.org/nowhere">away</a>"""


@pytest.mark.parametrize(
    ("source", "built", "fault"),
    [
        ("# A page\n## isoloss `fit`\n", PAGE, None),
        ("# A page\n```sh\n# no heading\n```\n## [isoloss](a.md#b) `fit`\n", PAGE, None),
        ("# A page\n## Lost\n", PAGE, "page.md: lost heading 'lost'"),
        ("# A page\n", f"{PAGE}<p>```sh no-test\nx</p>", "a fence became text: '```sh no-test'"),
        ("# A page\n", f"{PAGE}<p><code>sh x\ny</code></p>", "a fence became text: 'sh x'"),
        ("# A page\n", f'{PAGE}<a href="../no/">x</a>', "page/index.html: dead link '../no/'"),
        ("# A page\n", f'{PAGE}<img src="no.svg">', "dead link 'no.svg'"),
        ("# A page\n", f'{PAGE}<a href="#no">x</a>', "dead anchor '#no'"),
    ],
)
def test_a_fault_of_a_page_is_seen(
    source: str, built: str, fault: str | None, tmp_path: Path
) -> None:
    docs, site = tmp_path / "docs", tmp_path / "site"
    for path, text in (
        (docs / "page.md", source),
        (site / "page" / "index.html", built),
        (site / "index.html", '<h1 id="top">Top</h1>'),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    found = list(check_site.faults(site, docs))
    assert found == [] if fault is None else [fault in each for each in found] == [True]


def test_a_source_without_a_page_is_seen(tmp_path: Path) -> None:
    (tmp_path / "lost.md").write_text("# Lost\n", encoding="utf-8")
    found = list(check_site.faults(tmp_path / "site", tmp_path))
    assert found == ["lost.md: is not a page of the site"]


def test_every_study_stands_on_the_page_of_its_room() -> None:
    assert sorted(run.kept(ROOT / "docs")) == sorted(run.STUDIES)
    assert all((ROOT / "benchmarks" / f"{name}.py").is_file() for name in run.STUDIES)


def test_pages_of_results_written_again_are_the_same(tmp_path: Path) -> None:
    said = (ROOT / "docs" / "results.md").read_text("utf-8").split("\n\n")[1].strip()
    run.write(tmp_path, run.kept(ROOT / "docs"), said)
    names = ["results.md", *(f"results/{room}.md" for room in run.PAGES)]
    differ = [
        name
        for name in names
        if (tmp_path / name).read_text("utf-8") != (ROOT / "docs" / name).read_text("utf-8")
    ]
    assert differ == []


def test_every_room_has_its_page_of_reference() -> None:
    rooms = {path.parent.name for path in (ROOT / "src" / "isoloss").glob("*/__init__.py")}
    pages = {path.stem for path in (ROOT / "docs" / "api").glob("*.md")}
    assert rooms - pages == {"cli"}  # which has the page of commands


def test_the_pictures_of_the_front_page_are_in_the_tree() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    kept = "https://raw.githubusercontent.com/isoloss/isoloss/main/"
    assert shown
    assert [link for link in shown if not link.startswith(kept)] == []
    assert [link for link in shown if not (ROOT / link.removeprefix(kept)).is_file()] == []


def test_options_in_tables_are_words_that_do_not_wrap() -> None:
    whole = whole_options.on_page_content(
        "<p><code>--law</code></p><td>a-b <code>x-y --law NAME=V 'w4 -&gt; w3' -o</code></td>",
        page=None, config=None, files=None,
    )  # fmt: skip
    marked = [
        f'<span style="white-space:nowrap">{w}</span>' for w in ("--law", "NAME=V", "-&gt;", "-o")
    ]
    assert whole == (
        f"<p><code>--law</code></p><td>a-b <code>x-y {marked[0]} {marked[1]} 'w4 {marked[2]} w3' "
        f"{marked[3]}</code></td>"
    )


def test_the_gallery_shows_every_kind_of_figure() -> None:
    """The site's build draws them; a new type with a figure adds its line."""
    shown, known = {name.split()[0] for name in gallery.EXAMPLES}, kinds()
    assert set(known) <= shown
    for of, kind in (name.split() for name in gallery.EXAMPLES if " " in name):
        assert kind in known[of]


def test_a_gallery_names_what_it_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    examples = {"Law": gallery.EXAMPLES["Law"], "Format": 'value = "int4"'}
    monkeypatch.setattr(gallery, "EXAMPLES", examples)
    monkeypatch.setattr(gallery, "FIRST", "import isoloss as il\n")
    found = dict(gallery.made(kinds()))
    laws = {f"law_{kind}.svg" for kind in kinds()["Law"]}
    assert set(found) == {*laws, "law.html", "format_grids.svg", "gallery.md"}
    for name in set(found) - {"gallery.md"}:
        assert f"](gallery/{name})" in found["gallery.md"]
