"""What a word on the command line names: a saved result, a table of runs, or a published law."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import isoloss as il
from isoloss.cli.refusing import Refused

if TYPE_CHECKING:
    from isoloss.fits import Comparison, Fit
    from isoloss.laws import Law


def saved_or_law(word: str) -> Fit | Comparison | Law:
    """The fit, comparison or law in a file, or the fit or law that isoloss ships under that name.

    Raises FilesError for a file that is none of ours, Refused for another value, as a plan,
    ValueError with the nearest names for an unknown law.
    """
    if not names_a_file(word):
        return il.fits.shipped_fit(word) or il.laws.preset(word)
    found = il.load(word)
    if isinstance(found, il.Fit | il.Comparison | il.Law):
        return found
    kind = type(found).__name__.lower()
    raise Refused(f"'{word}' holds a {kind}; give a fit, a comparison or a law")


def names_a_file(word: str) -> bool:
    """Whether a word is a path or a tracker: it is there, or has a folder or an ending."""
    if il.runs.is_source(word):
        return True
    path = Path(word)
    if path.is_dir():
        raise Refused(f"cannot read '{word}': it is a folder")
    return path.exists() or path.suffix != "" or len(path.parts) > 1
