"""The words in the name of a column."""

from __future__ import annotations

import re


def words_of(name: str) -> list[str]:
    """The words of a name in lower case: 'evalLoss/macro_loss' is eval, loss, macro, loss."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)
    return [part.lower() for part in parts]
