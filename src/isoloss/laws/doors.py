"""What stands for a law, as a Law: a name, a law, a fit, or the file of one."""

from __future__ import annotations

from pathlib import Path

from isoloss.files import load, shown_value
from isoloss.laws.law import Law
from isoloss.laws.registry import preset


def as_law(law: object) -> Law:
    """The law that something stands for, for every verb that takes one.

    Parameters
    ----------
    law
        A name ("kumar2024"), a Law, anything whose ``law`` is one (a Fit), or the path of a saved
        law or fit: a Path, or text with a folder in it or ending in ".json".

    Returns
    -------
    Law
        The law; of a fit, with its fitted constants.

    Raises
    ------
    ValueError
        An unknown name, a file that holds neither, or a value of another kind.
    """
    if isinstance(law, Path) or (isinstance(law, str) and _is_path(law)):
        found = _inside(load(law))
        if found is None:
            raise ValueError(f"{law} holds neither a law nor a fit")
        return found
    if isinstance(law, str):
        return preset(law)
    found = _inside(law)
    if found is None:
        raise ValueError(
            f"cannot take {shown_value(law)} for a law; accepted are a law's name, a Law, a fit, "
            "and the path of a saved law or fit"
        )
    return found


def _inside(value: object) -> Law | None:
    """The law that a value is or has, None where it has none."""
    found = value if isinstance(value, Law) else getattr(value, "law", None)
    return found if isinstance(found, Law) else None


def _is_path(text: str) -> bool:
    return text.endswith(".json") or len(Path(text).parts) > 1
