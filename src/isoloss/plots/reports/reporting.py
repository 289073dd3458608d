"""The verb ``report``: one HTML file of plans, fits, comparisons, gaps, forecasts, claims and laws,
for readers who have no Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isoloss.files import FileOrigin, command, load, origin_of, versions
from isoloss.fits import Section, is_aligned
from isoloss.plots.problems import PlotError
from isoloss.plots.reports.describing import part_of
from isoloss.plots.reports.document import Document, check_report
from isoloss.plots.reports.look import STYLE

if TYPE_CHECKING:
    from jinja2 import Environment

#: The one template of reports, beside this file.
TEMPLATE = "page.html.jinja"


def report(
    *values: Any,
    path: str | Path | None = None,
    title: str | None = None,
    origins: Sequence[FileOrigin] | None = None,
    force: bool = False,
) -> Document:
    """Report values on one page that asks for nothing: the recommendation or why it is withheld,
    tables, pictures with the numbers behind them, warnings, versions, seeds and hashes.

    Parameters
    ----------
    values
        Results of the verbs, laws, tables of runs, or paths of saved results.
    path
        Where to save it, a file that ends in .html.
    title
        The title of the page; by default what it is of.
    origins
        Where each value is from, as many as there are values; of paths it is known.
    force
        Replace a file that exists.

    Returns
    -------
    Document
        The page.

    Raises
    ------
    PlotError
        A value has no report, there is none, jinja2 is not installed, or the file cannot be
        written.
    FilesError
        A path holds no saved result.
    """
    if not values:
        raise PlotError("a report of nothing; give results, laws, or paths of saved results")
    if path is not None:
        check_report(path, force)
    pages = _environment()
    known = list(origins) if origins is not None else [FileOrigin("")] * len(values)
    if len(known) != len(values):
        raise PlotError(f"{len(known)} origins of {len(values)} values; give as many of each")
    pairs = [_read(value, origin) for value, origin in zip(values, known, strict=True)]
    parts = [part_of(value, origin, k) for k, (value, origin) in enumerate(pairs)]
    kinds = ", ".join(dict.fromkeys(part.kind for part in parts))
    title = title or f"{kinds} by isoloss"
    commands = dict.fromkeys(filter(None, (*(o.command for _, o in pairs), command())))
    html = pages.get_template(TEMPLATE).render(
        title=title, style=STYLE, parts=parts, versions=versions(), commands=list(commands)
    )
    found = Document(title, tuple(part.opening[0] for part in parts), html)
    if path is not None:
        found.save(path, force)
    return found


def _read(value: Any, origin: FileOrigin) -> tuple[Any, FileOrigin]:
    """A value and where it is from; a path is read."""
    if isinstance(value, str | Path):
        return load(value), origin_of(value)
    return value, origin


def _environment() -> Environment:
    """The engine of templates, which writes out what a page would obey."""
    try:
        from jinja2 import Environment, FileSystemLoader
    except ImportError:
        raise PlotError(
            "a report needs jinja2, which is not installed; pip install 'isoloss[app]'"
        ) from None
    pages = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=False
    )
    pages.filters["numeric"] = _numeric
    return pages


def _numeric(part: Section, column: int) -> bool:
    """Whether a column of a table holds numbers."""
    return all(is_aligned(row[column]) for row in part.rows)
