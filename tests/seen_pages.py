"""What a page of HTML holds and loads, for tests of pages."""

from __future__ import annotations

from html.parser import HTMLParser

#: Attributes by which a page loads something, and tags whose href does.
LOADING = {"src", "srcset", "data", "poster", "background", "action"}
LOADERS = {"link", "use", "image", "base", "script"}


class Seen(HTMLParser):
    """Tags of a page, its names, what it loads, and where its links go."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.names: list[str] = []
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.names.append(str(value))
            elif name in LOADING or (name.endswith("href") and tag in LOADERS):
                self.loaded.append(str(value))
            elif name == "href":
                self.links.append(str(value))
