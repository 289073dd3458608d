"""A formula as JSON values and back: every term with its fields, functions by their names.

A term is ``{"term": {"name": "Penalty"}, "fields": {...}}``, a function ``{"function": {"name":
"saturating"}}``; numbers, text and null stand for themselves, a list for a tuple. Each value is
checked against the type that the term declares for its field. Nothing is imported because a file
says so: a name that no loaded module registers is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from inspect import signature
from types import NoneType, UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

import numpy as np

from isoloss.files import shown_value
from isoloss.laws.formula import Formula, takes
from isoloss.laws.pieces import piece, reference

#: How deep terms may lie in each other; the deepest published law has six levels.
DEEPEST = 30
LARGEST = 1 << 63
HOLDS = "numbers, text, tuples, functions, constants and terms"
CALLABLE = get_origin(Callable[..., Any])
WORDS: dict[Any, str] = {
    float: "a number",
    int: "a whole number",
    str: "text",
    bool: "true or false",
    NoneType: "null",
}


def formula_to_json(formula: Formula) -> dict[str, Any]:
    """What a file keeps of a formula.

    Raises
    ------
    ValueError
        A term type or function is not registered, or a field holds something else than numbers,
        text, tuples, functions, constants and terms.
    """
    return cast(dict[str, Any], _written(formula, "formula"))


def formula_from_json(saved: object) -> Formula:
    """The formula of what `formula_to_json` gave.

    Raises
    ------
    ValueError
        An unknown term, a missing or unknown field, a value of another type, nan, or terms nested
        too deep; the sentence names the place.
    """
    found = _read(saved, "formula", 0)
    if not _fits(found, Formula):
        raise ValueError(f"the saved law has {_shown(saved)} as its formula; give a formula term")
    return cast(Formula, found)


def _written(value: object, place: str) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if math.isnan(value):
            raise ValueError(f"{place} is nan; a law cannot be saved with it")
        return value if math.isfinite(value) else {"number": str(value)}
    if isinstance(value, tuple):
        return [_written(item, f"{place}[{index}]") for index, item in enumerate(value)]
    if is_dataclass(value) and not isinstance(value, type):
        return {"term": reference(type(value)), "fields": _fields_written(value, place)}
    if callable(value):
        return {"function": reference(value)}
    raise ValueError(f"{place} is a {type(value).__name__}; a law can be saved that holds {HOLDS}")


def _fields_written(term: Any, place: str) -> dict[str, Any]:
    """The fields of a term; ValueError for one of another type than the term declares."""
    cls: Any = type(term)
    hints, own = _hints(cls), {}
    for each in _kept(cls):
        value = getattr(term, each.name)
        own[each.name] = _written(value, f"{place}.{each.name}")
        if not _fits(value, hints[each.name]):
            raise ValueError(
                f"{place}.{each.name} is {_shown(value)}; term '{cls.__name__}' takes "
                f"{_said(hints[each.name])} there"
            )
    return own


def _read(saved: object, place: str, depth: int) -> Any:
    """The value of JSON values; each term checks its own fields, the caller only the value."""
    if depth > DEEPEST:
        raise ValueError(f"the saved law nests terms deeper than {DEEPEST} levels")
    if isinstance(saved, list):
        return tuple(
            _read(item, f"{place}[{index}]", depth + 1) for index, item in enumerate(saved)
        )
    if isinstance(saved, dict):
        match saved:
            case {"term": name, "fields": dict(own), **rest} if not rest:
                return _term(_named(name, place), own, place, depth)
            case {"function": name, **rest} if not rest:
                return _function(_named(name, place), place)
            case {"number": "inf" | "-inf" as text, **rest} if not rest:
                return float(text)
            case _:
                raise ValueError(
                    f"the saved law has {_shown(saved)} at {place}; accepted are a term, a "
                    "function, a number, text, null and lists of these"
                )
    if isinstance(saved, float) and math.isnan(saved):
        raise ValueError(f"the saved law has nan at {place}; give a number")
    if isinstance(saved, float) and math.isinf(saved):
        raise ValueError(
            f"the saved law has a number beyond the largest at {place}; the file is damaged or "
            "edited"
        )
    if isinstance(saved, int) and abs(saved) >= LARGEST:
        raise ValueError(f"the saved law has an integer of 2^63 or more at {place}; give a float")
    return saved


def _named(saved: object, place: str) -> Any:
    """The term type or function that a reference names."""
    match saved:
        case {"name": str(name), **rest} if not rest:
            return piece(name)
        case {"name": str(name), "home": str(home), **rest} if not rest:
            return piece(name, home)
        case _:
            raise ValueError(
                f"the saved law has {_shown(saved)} at {place}; a term or function is written as "
                '{"name": NAME} or with its "home"'
            )


def _term(cls: Any, own: Mapping[str, object], place: str, depth: int) -> Any:
    if not isinstance(cls, type):
        raise ValueError(f"the saved law has the function '{cls.__name__}' at {place}, not a term")
    kept = {each.name: each for each in _kept(cls)}
    for name in own:
        if name not in kept:
            raise ValueError(
                f"the saved law has an unknown field {name[:60]!r} at {place}; term "
                f"'{cls.__name__}' has {', '.join(kept) or 'none'}"
            )
    missing = [name for name, each in kept.items() if name not in own and not _has_default(each)]
    if missing:
        raise ValueError(
            f"the saved law has no field {missing[0]!r} at {place}, which term '{cls.__name__}' "
            "needs"
        )
    found = {name: _read(value, f"{place}.{name}", depth + 1) for name, value in own.items()}
    hints = _hints(cls)
    for name, value in found.items():
        if not _fits(value, hints[name]):
            raise ValueError(
                f"the saved law has {_shown(own[name])} at {place}.{name}; term '{cls.__name__}' "
                f"takes {_said(hints[name])} there"
            )
    try:
        return cls(**found)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"the saved law has no valid '{cls.__name__}' at {place}: {error}"
        ) from error


def _function(found: Any, place: str) -> Any:
    if isinstance(found, type):
        raise ValueError(
            f"the saved law has the term '{found.__name__}' at {place}, not a function"
        )
    return found


def _kept(cls: type[Any]) -> tuple[Field[Any], ...]:
    return tuple(each for each in fields(cls) if each.init)


def _has_default(each: Field[Any]) -> bool:
    return each.default is not MISSING or each.default_factory is not MISSING


@cache
def _hints(cls: type[Any]) -> dict[str, Any]:
    """The types of a term's fields; ValueError where they cannot be read."""
    try:
        return get_type_hints(cls)
    except NameError as error:
        raise ValueError(
            f"the types of the fields of term '{cls.__name__}' cannot be read ({error}); import "
            "them where the program runs, not for type checking alone"
        ) from error


def _fits(value: object, hint: Any) -> bool:
    """Whether a value is of a declared type; an int is a float, too."""
    value = value.item() if isinstance(value, np.generic) else value
    hint = getattr(hint, "__value__", hint)  # a `type` statement stands for its value
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in (Union, UnionType):
        return any(_fits(value, each) for each in inner)
    if origin is tuple:
        return isinstance(value, tuple) and _each_fits(value, inner)
    if origin is Literal:
        return value in inner
    if hint is Callable or origin is CALLABLE:
        counted = inner and isinstance(inner[0], list)
        return callable(value) and (not counted or takes(value, len(inner[0])))
    if hint in (float, int):
        return isinstance(value, (int, hint)) and not isinstance(value, bool)
    if hint is NoneType or hint is None:
        return value is None
    if getattr(hint, "_is_protocol", False):
        return _answers(value, hint)
    return isinstance(value, origin or hint)


def _each_fits(value: tuple[Any, ...], inner: tuple[Any, ...]) -> bool:
    if len(inner) == 2 and inner[1] is Ellipsis:
        return all(_fits(item, inner[0]) for item in value)
    return len(value) == len(inner) and all(map(_fits, value, inner))


def _answers(value: object, protocol: Any) -> bool:
    """Whether a term has what a protocol asks for and can be called with as many arguments."""
    asked = [name for name in dir(protocol) if not name.startswith("_")]
    if isinstance(value, type) or not all(hasattr(value, name) for name in asked):
        return False
    wanted = protocol.__dict__.get("__call__")
    if wanted is None:
        return True
    try:
        signature(cast(Callable[..., Any], value)).bind(
            *(None,) * (len(signature(wanted).parameters) - 1)
        )
    except TypeError:
        return False
    return True


def _said(hint: Any) -> str:
    """A declared type as the end of a sentence."""
    inner = get_args(hint)
    match get_origin(hint):
        case origin if origin in (Union, UnionType):
            return " or ".join(map(_said, inner))
        case origin if origin is tuple and inner[-1] is Ellipsis:
            return f"a list, each {_said(inner[0])}"
        case origin if origin is tuple:
            return f"a list of {len(inner)}: {', '.join(map(_said, inner))}"
        case origin if origin is Literal:
            return " or ".join(map(repr, inner))
        case origin if origin is CALLABLE:
            return "a function"
        case _:
            return WORDS.get(hint) or f"a term of type {getattr(hint, '__name__', hint)}"


def _shown(saved: object) -> str:
    """A value of a file, shortened."""
    match saved:
        case {"term": {"name": str(name)}} | {"function": {"name": str(name)}}:
            return f"'{name[:60]}'"
        case None | bool():
            return {None: "null", True: "true", False: "false"}[saved]
        case _:
            return shown_value(saved)
