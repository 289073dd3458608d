"""A paper of one's own for the tests: small claims, and checks that answer at once."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from isoloss.papers import CHECKS, Finding, Laboratory, Ours, Paper, read_paper


def line(laboratory: Laboratory, times: float = 2.0) -> Finding:
    return Finding({"slope": Ours(float(times))}, f"It rises by {times:g}.", ("the line",))


@pytest.fixture
def paper(tmp_path: Path) -> Iterator[Callable[..., Paper]]:
    """Reads a paper of these texts; the check `line` gives back what it is given."""
    CHECKS.register("line", line, replace=True, home="tests")

    def written(claims: str, head: str) -> Paper:
        folder = tmp_path / "lines"
        folder.mkdir(exist_ok=True)
        (folder / "paper.toml").write_text(head, encoding="utf-8")
        (folder / "claims.toml").write_text(claims, encoding="utf-8")
        return read_paper(folder)

    yield written
    CHECKS.remove("line")
