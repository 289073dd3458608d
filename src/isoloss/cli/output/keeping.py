"""Results kept and drawn: a table first, so that nothing done depends on what may fail after it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import isoloss as il
from isoloss.cli.output.showing import say
from isoloss.cli.refusing import Refused, sentence

if TYPE_CHECKING:
    from isoloss.linear import Study
    from isoloss.runs import Runs


def keep(found: Study | Runs, rows: int, output: Path | None, force: bool) -> None:
    """Save a table where one is asked for, and say so."""
    if output is not None:
        say(f"saved {rows} rows as {found.save(output, force=force)}")


def draw(found: Study | Runs, output: Path | None, drawing: Path | None, force: bool) -> None:
    """Draw what is asked to be drawn; if that fails, the table is kept all the same."""
    if drawing is None:
        return
    try:
        il.plot(found, drawing, force=force)
    except Exception as error:
        table = output or _free(drawing.with_suffix(".csv"))
        if output is None:
            found.save(table)
        text = f"no figure: {sentence(error)}; the table is kept as {table}"
        raise Refused(text) from error
    say(f"drew {drawing}")


def _free(path: Path) -> Path:
    """The path, or one beside it with a number behind, that no file has."""
    k = 1
    while (free := path if k == 1 else path.with_stem(f"{path.stem}-{k}")).exists():
        k += 1
    return free
