"""Values as JSON that other programs can read, and back, directed by the types of their fields.

A dataclass is {"Name": {field: value}}, an array {"array": lists, "dtype": name}, a mapping {"map":
{key: value}}, a number that JSON lacks {"number": "nan"}, a tuple a list. What is read must have
the types that the fields declare. A class or field that had another name in older files says so:
``@formerly("Caution")``, ``metadata=was("cautions")``.
"""

from __future__ import annotations

import enum
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import numpy as np

from isoloss.files.kinds import kind_of
from isoloss.files.values import with_article

T = TypeVar("T")
#: Metadata of a dataclass field that a file leaves out: ``field(default=None, metadata=UNSAVED)``.
UNSAVED: Mapping[str, bool] = types.MappingProxyType({"saved": False})
#: Names that classes had in older files.
_FORMER: dict[str, type[Any]] = {}
#: Element types that an array in a file may have.
DTYPES = ("float64", "float32", "int64", "int32", "bool")
_NUMBERS = ("nan", "inf", "-inf")
_MOST_DIMENSIONS = 4


class Mismatch(ValueError):
    """A value in a file that has not the type of its field: where, what it is, and what it must
    be.
    """


def formerly(*names: str) -> Callable[[type[T]], type[T]]:
    """A decorator for a class that older files know under other names."""

    def named(cls: type[T]) -> type[T]:
        _FORMER.update(dict.fromkeys(names, cls))
        return cls

    return named


def was(name: str) -> Mapping[str, str]:
    """Metadata of a dataclass field that older files know under another name."""
    return types.MappingProxyType({"was": name})


def equal_by_content(cls: type[T]) -> type[T]:
    """A decorator for a dataclass with arrays: two are equal where all that files keep of them is.

    NaN equals NaN, and what is `UNSAVED` does not count: a value equals itself loaded again.
    """

    def equal(self: Any, other: object) -> bool:
        return self is other or (type(other) is cls and fields_of(self) == fields_of(other))

    cls.__eq__ = equal  # type: ignore[method-assign]
    cls.__hash__ = None  # type: ignore[method-assign,assignment]
    return cls


def equal_by_fields(cls: type[T]) -> type[T]:
    """A decorator for a frozen dataclass some of whose numbers may be unknown (`math.nan`): two are
    equal where their fields are, and that NaN equals itself.

    So all dataclasses compared until Python 3.12, as tuples do; since 3.13 one with a NaN is not
    equal even to itself.
    """
    names = tuple(field.name for field in fields(cls) if field.compare)  # type: ignore[arg-type]

    def equal(self: Any, other: object) -> bool:
        if type(other) is not type(self):
            return False
        mine, theirs = (tuple(getattr(each, name) for name in names) for each in (self, other))
        return bool(mine == theirs)

    cls.__eq__ = equal  # type: ignore[method-assign]
    return cls


def fields_of(value: Any) -> dict[str, Any]:
    """The fields of a dataclass as JSON values, without those that are `UNSAVED`."""
    return {field.name: encode(getattr(value, field.name)) for field in _saved(type(value))}


def encode(value: Any) -> Any:
    """A value as JSON has it: a dataclass under its name, numbers that JSON lacks as text."""
    if is_dataclass(value) and not isinstance(value, type):
        kind = kind_of(type(value))
        to_json = fields_of if kind is None or kind.to_json is None else kind.to_json
        return {type(value).__name__: to_json(value)}
    if isinstance(value, np.ndarray):
        return {"array": encode(value.tolist()), "dtype": str(value.dtype)}
    if isinstance(value, Mapping):
        return {"map": {key: encode(item) for key, item in value.items()}}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else {"number": str(float(value))}
    return value.item() if isinstance(value, np.generic) else value


def decode(hint: Any, value: Any, where: str) -> Any:
    """The value of a type that `encode` wrote.

    Parameters
    ----------
    hint
        The type: a dataclass, array, Mapping, tuple, Literal, union, float, int, str, bool or None.
    value
        What JSON gave.
    where
        Its place in the file, for messages.

    Raises
    ------
    Mismatch
        The value has another type, or a field is missing or unknown.
    """
    hint = _written_out(hint)
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _union(get_args(hint), value, where)
    if origin is Literal:
        if isinstance(value, str | int) and value in get_args(hint):
            return value
        raise _mismatch(where, value, f"one of {', '.join(map(str, get_args(hint)))}")
    if origin is np.ndarray:
        return _array(hint, value, where)
    if origin is tuple:
        return _tuple(get_args(hint), value, where)
    if origin is not None and issubclass(origin, Mapping):
        inner = _only("map", value, where, "a map")
        return {
            key: decode(get_args(hint)[1], item, f"{where}.{key[:40]}")
            for key, item in inner.items()
        }
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _member(hint, value, where)
    if hint in _SCALARS:
        return _SCALARS[hint](value, where)
    return _instance(hint, value, where)


def _written_out(hint: Any) -> Any:
    """What a ``type`` alias stands for, as numpy's NDArray is one from Python 3.12 on."""
    while hasattr(alias := get_origin(hint) or hint, "__value__"):
        inner = get_args(hint)
        hint = alias.__value__[inner] if inner else alias.__value__
    return hint


def from_fields(cls: type[Any], content: Any, where: str) -> Any:
    """A dataclass of the fields that `fields_of` gave; a field with a default may be missing."""
    if not isinstance(content, dict):
        raise _mismatch(where, content, f"the fields of {with_article(cls.__name__)}")
    known = {field.name: field for field in _saved(cls)}
    older = {
        field.metadata["was"]: name for name, field in known.items() if "was" in field.metadata
    }
    content = {older.get(name, name): value for name, value in content.items()}
    for name in content:
        if name not in known:
            raise Mismatch(f"{where} has an unknown field {name[:60]!r}")
    found = {}
    for name, field in known.items():
        if name in content:
            found[name] = decode(_hint(cls, name), content[name], f"{where}.{name}")
        elif field.default is MISSING and field.default_factory is MISSING:
            raise Mismatch(f"{where} has no field '{name}'; the file was cut short or edited")
    return cls(**found)


def _instance(cls: type[Any], value: Any, where: str) -> Any:
    if not is_dataclass(cls):
        raise TypeError(f"{where} is declared as {cls!r}, which a file cannot hold")
    names = [cls.__name__, *(name for name, found in _FORMER.items() if found is cls)]
    key = next((name for name in names if isinstance(value, dict) and name in value), names[0])
    content = _only(key, value, where, with_article(cls.__name__))
    kind = kind_of(cls)
    if kind is not None and kind.from_json is not None:
        return kind.from_json(content)
    found = from_fields(cls, content, where)
    if kind is not None and kind.check is not None:
        kind.check(found)
    return found


def _member(hint: type[enum.Enum], value: Any, where: str) -> enum.Enum:
    """The member of an enumeration that has this value."""
    known = [each.value for each in hint]
    if value not in known:
        raise _mismatch(where, value, f"one of {', '.join(map(str, known))}")
    return hint(value)


def _union(options: tuple[Any, ...], value: Any, where: str) -> Any:
    """The one option that is not None, where the value is not null."""
    if value is None and type(None) in options:
        return None
    (option,) = (each for each in options if each is not type(None))
    return decode(option, value, where)


def _tuple(items: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _mismatch(where, value, "a list")
    if items[-1] is Ellipsis:
        items = (items[0],) * len(value)
    if len(value) != len(items):
        raise Mismatch(f"{where} has {len(value)} values instead of {len(items)}")
    pairs = zip(items, value, strict=True)
    return tuple(decode(item, each, f"{where}[{k}]") for k, (item, each) in enumerate(pairs))


def _array(hint: Any, value: Any, where: str) -> Any:
    """An array whose element type agrees with the declared one; its size is that of the lists in
    the file.
    """
    if not (isinstance(value, dict) and value.keys() == {"array", "dtype"}):
        raise _mismatch(where, value, "an array")
    wanted = np.dtype(get_args(get_args(hint)[1])[0])
    name = value["dtype"]
    if name not in DTYPES or np.dtype(name).kind != wanted.kind:
        raise _mismatch(f"{where}.dtype", name, f"a type as {wanted}")
    if not isinstance(value["array"], list):
        raise _mismatch(where, value["array"], "lists of numbers")
    scalar = {"f": float, "i": int, "b": bool}[wanted.kind]
    shape = tuple(_shape(value["array"]))
    if len(shape) > _MOST_DIMENSIONS:
        raise Mismatch(f"{where} has {len(shape)} dimensions instead of at most {_MOST_DIMENSIONS}")
    flat = list(_flat(value["array"], shape, where))
    return np.array([_SCALARS[scalar](each, where) for each in flat], dtype=name).reshape(shape)


def _shape(lists: Any) -> Iterator[int]:
    while isinstance(lists, list):
        yield len(lists)
        lists = lists[0] if lists else None


def _flat(lists: Any, shape: tuple[int, ...], where: str) -> Iterator[Any]:
    """The elements in order; Mismatch where a row has another length."""
    if not shape:
        yield lists
        return
    if not isinstance(lists, list) or len(lists) != shape[0]:
        raise Mismatch(f"{where} has rows of different lengths")
    for each in lists:
        yield from _flat(each, shape[1:], where)


def _float(value: Any, where: str) -> float:
    if isinstance(value, dict):
        text = _only("number", value, where, "a number")
        if text not in _NUMBERS:
            raise _mismatch(where, text, f"a number, {', '.join(_NUMBERS)}")
        return float(text)
    if isinstance(value, float) and np.isinf(value):
        # `encode` writes infinities as text; Python reads 1e999 as one.
        raise Mismatch(f"{where} is beyond the largest number; the file is damaged or edited")
    if isinstance(value, float) or (type(value) is int and abs(value) < 1 << 63):
        return value
    raise _mismatch(where, value, "a number")


def _int(value: Any, where: str) -> int:
    if type(value) is not int or abs(value) >= 1 << 63:
        raise _mismatch(where, value, "a whole number")
    return value


def _str(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise _mismatch(where, value, "text")
    return value


def _bool(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise _mismatch(where, value, "true or false")
    return value


_SCALARS: dict[Any, Callable[[Any, str], Any]] = {
    float: _float,
    int: _int,
    str: _str,
    bool: _bool,
}


def _only(key: str, value: Any, where: str, wanted: str) -> Any:
    """What stands under the one key of an object."""
    if not (isinstance(value, dict) and value.keys() == {key}):
        raise _mismatch(where, value, wanted)
    content = value[key]
    if key == "map" and not isinstance(content, dict):
        raise _mismatch(where, content, wanted)
    return content


def _mismatch(where: str, value: Any, wanted: str) -> Mismatch:
    text = repr(value) if isinstance(value, str | float | bool | None) else type(value).__name__
    text = {"dict": "an object", "list": "a list", "int": "a large integer"}.get(text, text[:60])
    shown = str(value) if type(value) is int and abs(value) < 1 << 63 else text
    return Mismatch(f"{where} is {shown}; it must be {wanted}")


def _saved(cls: type[Any]) -> tuple[Field[Any], ...]:
    return tuple(field for field in fields(cls) if field.metadata.get("saved", True))


def _hint(cls: type[Any], name: str) -> Any:
    """The type of a field; only that of a saved one is looked up, so others may name types not
    loaded here.
    """
    hint = next(field.type for field in fields(cls) if field.name == name)
    if not isinstance(hint, str):
        return hint
    # An annotation is source text of the class's own module, never of a file.
    return eval(hint, dict(vars(sys.modules[cls.__module__])))
