"""Options in tables stay whole: in a narrow cell a browser would break `--law` after a hyphen."""

import re
from typing import Any

#: The code of a cell, an option in it (`--law`, `-o`), what an option takes (`NAME=VALUE`), and the
#: arrow of a precision.
CODE = re.compile(r"(?<=<code>)[^<]+(?=</code>)")
CELL = re.compile(r"<td\b.*?</td>", re.DOTALL)
WORD = re.compile(r"(-&gt;)|(?<![\w-])(--?[a-z][\w-]*|[A-Z][A-Z_]+(?:=[A-Z_]+)?)(?![\w-])")


def on_page_content(html: str, *, page: Any, config: Any, files: Any) -> str:
    """Return the page with the options in its tables marked as words that do not wrap."""
    return CELL.sub(lambda cell: CODE.sub(lambda code: _whole(code[0]), cell[0]), html)


def _whole(code: str) -> str:
    return WORD.sub(r'<span style="white-space:nowrap">\g<0></span>', code)
