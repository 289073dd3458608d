"""What a strict build does not see: lost headings, fences read as text, dead links of a site.

``python docs/check_site.py site`` prints one line for each fault and exits with 1 where there is
any.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

DOCS = Path(__file__).parent
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
#: The pages whose text is not the file of the same name: the front page is the README.
ELSEWHERE = {Path("index.md"): DOCS.parent / "README.md"}


@dataclass
class Page(HTMLParser):
    """A built page: its headings, where its links go, its anchors, and how its paragraphs begin."""

    headings: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    fences: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._heading: list[str] | None = None
        self._paragraph: list[str] | None = None
        self._code: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note anchors and links, and where headings, paragraphs and leading code begin."""
        known = {name: value for name, value in attrs if value}
        self.anchors |= {known[name] for name in ("id", "name") if name in known}
        self.links += [known[name] for name in ("href", "src") if name in known]
        if tag in HEADINGS:
            self._heading = []
        elif tag == "p":
            self._paragraph, self._code = [], None
        elif tag == "code" and self._paragraph is not None and not "".join(self._paragraph).strip():
            self._code = []

    def handle_data(self, data: str) -> None:
        """Collect the text of what is open."""
        if self._heading is not None:
            self._heading.append(data)
        if self._paragraph is not None:
            self._paragraph.append(data)
        if self._code is not None:
            self._code.append(data)

    def handle_endtag(self, tag: str) -> None:
        """Close a heading, a paragraph, or the code that it begins with."""
        if tag in HEADINGS and self._heading is not None:
            self.headings.append(_bare("".join(self._heading)))
            self._heading = None
        elif tag == "code" and self._code is not None:
            # A fence that is none becomes code within a line, of many lines.
            text, self._code = "".join(self._code), None
            self.fences += [text.splitlines()[0][:60]] if "\n" in text else []
        elif tag == "p" and self._paragraph is not None:
            text, self._paragraph = "".join(self._paragraph).strip(), None
            self.fences += [text.splitlines()[0][:60]] if text.startswith("```") else []


def read(text: str) -> Page:
    """The page of an HTML text."""
    page = Page()
    page.feed(text)
    page.close()
    return page


def headings(markdown: str) -> list[str]:
    """The headings of a source page, letters and digits only; lines inside fences are none."""
    bare = re.sub(r"^( *)```.*?^\1```[ ]*$", "", markdown, flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"^#{1,6} +(.+?) *#*$", bare, re.MULTILINE)
    return [_bare(re.sub(r"\]\([^)]*\)", "]", each)) for each in found]


def faults(site: Path, docs: Path = DOCS) -> Iterator[str]:
    """One sentence for each lost heading, fence in a paragraph, and dead link or anchor."""
    built = {path: read(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    for source in sorted(docs.rglob("*.md")):
        name = source.relative_to(docs)
        page = built.get(site / _address(name))
        if page is None:
            yield f"{name}: is not a page of the site"
            continue
        text = ELSEWHERE.get(name, source) if docs == DOCS else source
        lost = [h for h in headings(text.read_text(encoding="utf-8")) if h not in page.headings]
        yield from (f"{name}: lost heading '{each}'" for each in lost)
        yield from (f"{name}: a fence became text: '{each}'" for each in page.fences)
    for path, page in built.items():
        if path.name != "404.html":
            yield from _dead(path, page, site, built)


def _dead(path: Path, page: Page, site: Path, built: dict[Path, Page]) -> Iterator[str]:
    for link in dict.fromkeys(page.links):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        target = target / "index.html" if target.is_dir() else target
        where = path.relative_to(site)
        if not target.is_file():
            yield f"{where}: dead link '{link}'"
            continue
        anchors = built[target].anchors if target in built else set()
        if parts.fragment and unquote(parts.fragment) not in anchors:
            yield f"{where}: dead anchor '{link}'"


def _address(source: Path) -> Path:
    if source.stem == "index":
        return source.with_suffix(".html")
    return source.with_suffix("") / "index.html"


def _bare(text: str) -> str:
    return "".join(each for each in text.lower() if each.isalnum())


def main() -> None:
    """Print the faults of the site that the command names."""
    found = list(faults(Path(sys.argv[1]).resolve()))
    print("\n".join(found) or "every heading is there, no fence is text, no link is dead")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
