"""The front page of the site is the README, so that the two cannot differ."""

from pathlib import Path
from typing import Any

#: Where the README's links point, so that an index page can follow them; the site has both itself.
PAGES = "https://github.com/isoloss/isoloss/blob/main/docs/"
PICTURES = "https://raw.githubusercontent.com/isoloss/isoloss/main/docs/"


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Return the README, its links turned to the site, for the front page; others as they are."""
    if page.file.src_uri != "index.md":
        return markdown
    text = (Path(config.config_file_path).parent / "README.md").read_text(encoding="utf-8")
    return text.replace(f"]({PAGES}", "](").replace(f"]({PICTURES}", "](")
