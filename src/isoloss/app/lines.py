"""The lines that give the numbers of a tab again: for the shell, and for a notebook."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Lines:
    """The same question for the shell and for a notebook, a line each."""

    shell: tuple[str, ...]
    notebook: tuple[str, ...]


def command(*words: object, **options: object) -> str:
    """A command line: words, then options that are not None; True is a switch."""
    found = ["isoloss", *map(str, words)]
    for name, value in options.items():
        if value is None or value is False:
            continue
        found.append(f"--{name.replace('_', '-')}")
        if value is not True:
            found.append(str(value))
    return shlex.join(found)


def call(name: str, *values: Any, **options: Any) -> str:
    """A call in Python; options that are None or False are left out."""
    told = [value if isinstance(value, Code) else repr(value) for value in values]
    kept = {k: v for k, v in options.items() if v is not None and v is not False}
    told += [f"{k}={v if isinstance(v, Code) else repr(v)}" for k, v in kept.items()]
    return f"{name}({', '.join(told)})"


class Code(str):
    """A part of a call that is code itself."""


def plain(value: float) -> str:
    """A number as both the shell and Python read it, to all digits that it is sure of."""
    return f"{value:.15g}"


def one_or_many(values: Sequence[str]) -> Any:
    """A value alone where there is one, else a list."""
    return values[0] if len(values) == 1 else list(values)


def budget_call(words: Mapping[str, Any]) -> Code:
    """The Budget of some words, as code."""
    return Code(call("il.Budget", **words))
