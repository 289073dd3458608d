"""Eigenvalues from a file: numbers in text, with commas, blanks or lines between, or a .npy
array.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import isoloss as il
from isoloss.cli.refusing import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence


def eigenvalues(path: Path) -> Sequence[float]:
    """The numbers of a file, in its order.

    Raises Refused for a file without numbers or with more than one column's worth of dimensions,
    OSError for one that is not there, ValueError for a word that is no number.
    """
    if path.suffix.lower() == ".npy":
        import numpy as np

        array = np.load(path, allow_pickle=False)
        if array.ndim != 1 or not np.issubdtype(array.dtype, np.number):
            raise Refused(
                f"'{path}' holds an array of shape {array.shape} and type {array.dtype}; "
                "accepted is one row of numbers"
            )
        return array.astype(float).tolist()  # type: ignore[no-any-return]
    try:
        words = path.read_text(encoding="utf-8").replace(",", " ").split()
    except UnicodeDecodeError:
        raise Refused(f"'{path}' is no text; accepted are numbers in text, or .npy") from None
    if not words:
        raise Refused(f"'{path}' holds no number; accepted is one eigenvalue a word")
    return [il.runs.number(word) for word in words]
