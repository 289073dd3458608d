"""Parameters of a study: read off the signature of its function, and checked before any work."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from isoloss.files import displayed, shown_value
from isoloss.linear.checks import finite, several, whole
from isoloss.linear.studies.question import Maker
from isoloss.runs import number

#: The parameter through which a study reports and keeps what is done; not one to be set.
WORK = "work"


@dataclass(frozen=True)
class AtLeast:
    """The least value of a whole number; stands in the annotation of a study's keyword."""

    value: int


@displayed
@dataclass(frozen=True)
class Parameter:
    """A keyword of a study's function.

    Attributes
    ----------
    name : str
        The keyword.
    kinds : tuple of type
        What one value may be; empty where the function does not say.
    many : bool
        Whether it is a list.
    default : Any
        What it is where it is not given.
    least : int
        The least value of a whole number.
    """

    name: str
    kinds: tuple[type, ...]
    many: bool
    default: Any
    least: int = 1

    def __str__(self) -> str:
        values = several(self.default)
        texts = [f"{each:g}" if isinstance(each, float) else str(each) for each in values]
        middle = texts if len(texts) <= 5 else [*texts[:2], "...", texts[-1]]
        return f"{self.name} {','.join(middle)}"

    def read(self, study: str, given: object) -> Any:
        """The value that was given, as the function takes it. Raises ValueError for anything
        else.
        """
        values = several(given)
        if not self.kinds:
            return given if not isinstance(given, list) or len(given) != 1 else given[0]
        if not values or (len(values) > 1 and not self.many):
            wanted = "one value or more" if self.many else "one value"
            raise ValueError(
                f"{self.name} of the study '{study}' takes {wanted}, not {shown_value(given)}"
            )
        read = [self._one(each) for each in values]
        return tuple(read) if self.many else read[0]

    def _one(self, value: object) -> object:
        if isinstance(value, str) and str not in self.kinds:
            value = _number(value)
        if bool in self.kinds:
            if isinstance(value, bool):
                return value
            raise ValueError(f"{self.name} is {shown_value(value)}; accepted is True or False")
        if str in self.kinds and isinstance(value, str):
            return _number(value) if float in self.kinds else value
        if float in self.kinds:
            return finite(self.name, value, 0.0)
        if int in self.kinds:
            if isinstance(value, float) and value.is_integer():
                value = int(value)  # shown as it was written
            return whole(self.name, value, self.least)
        raise ValueError(f"{self.name} is {shown_value(value)}; accepted is a text")


def parameters_of(maker: Maker) -> dict[str, Parameter]:
    """The parameters of a study by name, in order."""
    try:
        hints = get_type_hints(maker, include_extras=True)
    except (NameError, TypeError):  # annotations that only a type checker can read
        hints = {}
    found = {}
    for each in inspect.signature(maker).parameters.values():
        if each.name == WORK or each.kind in (each.VAR_KEYWORD, each.VAR_POSITIONAL):
            continue
        hint, least = hints.get(each.name), 0 if each.name == "seed" else 1
        if get_origin(hint) is Annotated:
            hint, *marks = get_args(hint)
            least = next((mark.value for mark in marks if isinstance(mark, AtLeast)), least)
        many, kinds = _kinds(hint, each.default)
        default = () if each.default is each.empty else each.default
        found[each.name] = Parameter(each.name, kinds, many, default, least)
    return found


def accepts(maker: Maker, name: str) -> bool:
    """Whether a function has a parameter of a name."""
    return name in inspect.signature(maker).parameters


def checked(study: str, maker: Maker, given: Mapping[str, object]) -> dict[str, Any]:
    """The given values as the study takes them.

    Raises
    ------
    ValueError
        The study has no parameter of a name, with those that it has; or a value is of another kind
        than its parameter.
    """
    known = parameters_of(maker)
    for name in given:
        if name not in known:
            there = f"it has {', '.join(known)}" if known else "it has none"
            raise ValueError(f"the study '{study}' has no parameter '{name}'; {there}")
    return {name: known[name].read(study, value) for name, value in given.items()}


def _kinds(hint: Any, default: object) -> tuple[bool, tuple[type, ...]]:
    """Whether a parameter is a list, and of what: by its annotation, or else by its default."""
    many = get_origin(hint) in (tuple, list) or isinstance(default, tuple | list)
    if hint is None:
        values = several(default) if default is not inspect.Parameter.empty else []
        return many, tuple({type(each) for each in values if each is not None})
    inner = get_args(hint)[0] if get_origin(hint) in (tuple, list) else hint
    kinds = get_args(inner) or (inner,)
    return many, tuple(each for each in kinds if isinstance(each, type))


def _number(text: str) -> object:
    """The number that a text spells, as 1e4 or 10k, or the text."""
    try:
        return number(text)
    except ValueError:
        return text
