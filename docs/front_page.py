"""The front page of the site is the README, so that the two cannot differ."""

from pathlib import Path
from typing import Any


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Return the README, its links turned towards the site, for the front page; any other page as it is."""
    if page.file.src_uri != "index.md":
        return markdown
    text = (Path(config.config_file_path).parent / "README.md").read_text(encoding="utf-8")
    return text.replace("](docs/", "](").replace('="docs/', '="').replace("](./docs/", "](")
