"""The figures of the house: files a folder, longest functions and lines, share of comments and
docstrings a room.

``python -m benchmarks.house`` prints them. Directions of imports and circles are held by
tests/test_house.py; sizes are for
the reader, so they are counted here and not asserted.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.timing import table

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "isoloss"
MOST_IN_A_LINE = 100


@dataclass(frozen=True)
class Count:
    """What one source file holds, in lines."""

    path: Path
    lines: int
    too_long: int
    comments: int
    docstrings: int
    longest_function: int
    function: str


def main() -> None:
    counts = [_count(path) for path in sorted(SOURCE.rglob("*.py"))]
    rooms = sorted({_room(count.path) for count in counts})
    rows = [_row(room, [count for count in counts if _room(count.path) == room]) for room in rooms]
    print(
        table(
            ["room", "files", "lines", "longest file", "comments", "docstrings", "longest body"],
            rows,
        )
    )
    print()
    for folder, files in sorted(_folders().items(), key=lambda each: -each[1])[:6]:
        print(f"{files} files in {folder}")
    elsewhere = [path for name in ("tests", "benchmarks") for path in (ROOT / name).rglob("*.py")]
    long = sum(count.too_long for count in counts)
    others = sum(_too_long(path.read_text(encoding="utf-8")) for path in elsewhere)
    print(
        f"lines over {MOST_IN_A_LINE} characters: {long} in src, {others} in tests and benchmarks"
    )
    most = max(counts, key=lambda count: count.longest_function)
    print(f"longest function body: {most.longest_function} lines ({most.function})")


def _row(room: str, counts: list[Count]) -> list[object]:
    lines = sum(count.lines for count in counts)
    share = [f"{100 * sum(values) / lines:.1f}%" for values in _texts(counts)]
    most = max(counts, key=lambda count: count.longest_function)
    longest = max(count.lines for count in counts)
    return [room, len(counts), lines, longest, *share, f"{most.longest_function} ({most.function})"]


def _texts(counts: list[Count]) -> tuple[list[int], list[int]]:
    return [count.comments for count in counts], [count.docstrings for count in counts]


def _room(path: Path) -> str:
    parts = path.relative_to(SOURCE).parts
    return parts[0] if len(parts) > 1 else "front door"


def _folders() -> dict[str, int]:
    found: dict[str, int] = {}
    for path in SOURCE.rglob("*.py"):
        folder = str(path.parent.relative_to(ROOT / "src"))
        found[folder] = found.get(folder, 0) + 1
    return found


def _too_long(text: str) -> int:
    return sum(len(line) > MOST_IN_A_LINE for line in text.splitlines())


def _count(path: Path) -> Count:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    comments = {token.start[0] for token in tokens if token.type == tokenize.COMMENT}
    bodies = sorted(_bodies(tree), reverse=True) or [(0, "")]
    return Count(
        path=path,
        lines=len(text.splitlines()),
        too_long=_too_long(text),
        comments=len(comments),
        docstrings=sum(last - first + 1 for first, last in _docstrings(tree)),
        longest_function=bodies[0][0],
        function=bodies[0][1],
    )


def _docstrings(tree: ast.AST) -> Iterator[tuple[int, int]]:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, kinds) and ast.get_docstring(node, clean=False) is not None:
            yield node.body[0].lineno, node.body[0].end_lineno or 0


def _bodies(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Lines of every function without its signature and docstring."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            if body:
                yield (node.end_lineno or 0) - body[0].lineno + 1, node.name


if __name__ == "__main__":
    main()
