"""A report as a value: the text of one HTML file, saved whole, shown in a notebook."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from isoloss.files import check_target as checked_target
from isoloss.files import write
from isoloss.plots.problems import PlotError

#: Endings of a report.
ENDINGS = (".html", ".htm")


@dataclass(frozen=True)
class Document:
    """A report that asks for nothing but itself.

    Attributes
    ----------
    title
        Its title.
    opening
        The first line of each of its values: of a plan the recommendation, or why it is withheld.
    html
        The whole page.
    """

    title: str
    opening: tuple[str, ...]
    html: str = field(repr=False)

    def save(self, path: str | Path, force: bool = False) -> Path:
        """Write the page, whole or not at all.

        Parameters
        ----------
        path
            A file that ends in .html.
        force
            Replace a file that exists.

        Returns
        -------
        Path
            The path that was written.

        Raises
        ------
        PlotError
            The ending is another, the file exists, or the path cannot be written.
        """
        return write(check_report(path, force), self.html, force, PlotError)

    def _repr_html_(self) -> str:
        frame = escape(self.html, quote=True)
        return (
            f'<iframe title="{escape(self.title, quote=True)}" srcdoc="{frame}" sandbox '
            'style="width:100%;height:40rem;border:1px solid #bbb"></iframe>'
        )


def check_report(path: str | Path, force: bool = False) -> Path:
    """The path as a Path; PlotError where a report cannot go there."""
    return checked_target(path, force, ENDINGS, PlotError)
