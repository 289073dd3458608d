"""How a value shows itself: within a screen on a prompt, as report and picture in a notebook."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, TypeVar

from isoloss.files.registry import OWN

T = TypeVar("T")

#: Lines of a screen, characters of a line, and of a value without a report.
SCREEN, WIDE, CHARACTERS = 30, 200, 2400
#: Characters of one field where a value is shown in brief.
FIELD = 60
#: The room that draws; it is not loaded before a notebook shows a value.
DRAWING = "plots"


def displayed(cls: type[T]) -> type[T]:
    """Show values of the decorated class: `repr` under a screen, in a notebook the first part of
    the report, its picture, and the rest to unfold.
    """
    usual: Callable[[T], str] = cls.__repr__

    def __repr__(self: T) -> str:
        return screen(str(self)) if hasattr(self, "sections") else _fitting(usual(self), self)

    def _repr_html_(self: T) -> str:
        found: str = import_module(f"{OWN}.{DRAWING}").in_notebook(self)
        return found

    for show in (__repr__, _repr_html_):
        setattr(cls, show.__name__, show)
    return cls


def screen(text: str, most: int = SCREEN) -> str:
    """The first lines of a text, and how many more there are where it is longer than a screen."""
    lines = text.split("\n")
    if len(lines) <= most and all(len(line) <= WIDE for line in lines):
        return text
    kept = lines[: most - 1]
    cut = sum(len(line) > WIDE for line in kept)
    said = [f"{n} {what}" for n, what in ((len(lines) - len(kept), "more lines"), (cut, "cut"))]
    told = ", ".join(each for each in said if not each.startswith("0 "))
    short = [line if len(line) <= WIDE else f"{line[: WIDE - 3]}..." for line in kept]
    return "\n".join([*short, f"... {told}: print() shows all"])


def brief(value: Any) -> str:
    """A value as its class with its fields, those that are long summed up."""
    shown = [
        f"{each.name}={_in_brief(getattr(value, each.name))}"
        for each in dataclasses.fields(value)
        if each.repr
    ]
    return f"{type(value).__name__}({', '.join(shown)})"


def _fitting(usual: str, value: Any) -> str:
    """The usual text where it fits a screen, else the value in brief."""
    fits = len(usual) <= CHARACTERS and usual.count("\n") < SCREEN
    return usual if fits or not dataclasses.is_dataclass(value) else screen(brief(value))


def _in_brief(value: Any) -> str:
    """One field: short texts and numbers whole, else its type and how many are in it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return f"{type(value).__name__}(...)"
    if hasattr(value, "shape") and hasattr(value, "dtype") and value.ndim:
        return f"<array {'x'.join(map(str, value.shape))}>"
    text = repr(value)
    if len(text) <= FIELD and "\n" not in text:
        return text
    if isinstance(value, str):
        return f"{text[: FIELD - 3]}..."
    if isinstance(value, Mapping | Sequence | set | frozenset):
        kinds = dict.fromkeys(type(each).__name__ for each in value)
        return f"<{len(value)} {' or '.join([*kinds][:3])}>"
    return f"{type(value).__name__}(...)"
