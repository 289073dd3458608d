"""A drawn figure as a value: saved by suffix, shown in notebooks."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure as Canvas

from isoloss.files import check_target as checked_target
from isoloss.files import write
from isoloss.plots.look import applied
from isoloss.plots.problems import PlotError

#: File types by suffix, each with the metadata that keeps dates and versions out of the file.
SUFFIXES: dict[str, dict[str, None]] = {
    ".svg": {"Date": None, "Creator": None},
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


@dataclass(frozen=True)
class Figure:
    """A drawn figure: saved by suffix, shown by notebooks.

    Attributes
    ----------
    figure
        The figure of matplotlib.
    kind
        What it shows, as in ``plot(value, kind=...)``.
    caption
        The note below it: what was left out, and what the marks mean.
    """

    figure: Canvas
    kind: str
    caption: str

    def save(self, path: str | Path, force: bool = False) -> Path:
        """Write the figure: SVG, PNG or PDF by the suffix; the same figure gives the same bytes.

        Parameters
        ----------
        path
            Where to.
        force
            Replace a file that exists.

        Returns
        -------
        Path
            The path that was written.

        Raises
        ------
        PlotError
            The suffix is another, the file exists, or the path cannot be written.
        """
        path = check_target(path, force)
        content = self._rendered(path.suffix.lower())
        return write(path, content, force, PlotError)

    def _rendered(self, suffix: str) -> bytes:
        buffer = io.BytesIO()
        with applied():
            self.figure.savefig(buffer, format=suffix[1:], metadata=SUFFIXES[suffix])
        return buffer.getvalue()

    def _repr_svg_(self) -> str:
        return self._rendered(".svg").decode()

    def __repr__(self) -> str:
        width, height = self.figure.get_size_inches()
        return f"Figure(kind={self.kind!r}, {width:.1f} x {height:.1f} inches)"


def check_target(path: str | Path, force: bool) -> Path:
    """The path as a Path; PlotError where a figure cannot go there."""
    return checked_target(path, force, tuple(SUFFIXES), PlotError)
