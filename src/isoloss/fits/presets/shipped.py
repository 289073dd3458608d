"""Fits that isoloss ships, by the name of their law: constants with replicates and what was left
out. A new one is a file beside this one, made by ``python -m benchmarks.error2026 --write``.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files

from isoloss.files import load
from isoloss.fits.result import Fit

#: The laws of `isoloss.laws.LAWS` whose constants are fits of isoloss.
SHIPPED = ("error2026", "error_trained2026")


def shipped_fit(law: object) -> Fit | None:
    """The fit behind the name of a law, None for other names and for what is no name.

    Parameters
    ----------
    law
        A name, as "error2026", or anything else that a verb takes for a law.

    Returns
    -------
    Fit or None
        One instance a process; it is frozen.
    """
    return _loaded(law) if isinstance(law, str) and law in SHIPPED else None


@cache
def _loaded(name: str) -> Fit:
    with as_file(files(__package__) / f"{name}.json") as path:
        found: Fit = load(path)
    return found
