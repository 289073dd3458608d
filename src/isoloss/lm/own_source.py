"""The source of functions of one's own, which tells them from others of their name: those of a
task, and those of formats, methods and gradient rules.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
import sysconfig
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from types import CodeType, FunctionType, ModuleType
from typing import Any

from isoloss.formats import FORMATS, Format
from isoloss.lm.data import Corpus
from isoloss.lm.shape import ModelError

#: What is installed there is not told, as keys do not hold the version of torch.
_INSTALLED = tuple(
    sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")
)
#: What a class has besides values.
_OF_CLASSES = (FunctionType, staticmethod, classmethod, property)
_LIBRARIES = ("isoloss", "numpy", "torch", "transformers")


def source_of(task: str, functions: Mapping[str, Callable[..., Any]]) -> str:
    """The hash of the source of functions, and of the functions, classes, constants and modules
    that they name and nobody installed, however deep.

    Raises
    ------
    ModelError
        One has no source that can be read, or depends on a value that its source does not show;
        the sentence asks for a version.
    """
    told: dict[str, str] = {}
    for role, function in functions.items():
        try:
            told[role] = getattr(function, "__qualname__", "")
            _tell(function, told)
        except _UNTOLD as error:
            raise ModelError(
                f"{role} of the task '{task}' cannot be told by its source: {_why(error)}; give "
                "the task a version, such as version='1'"
            ) from None
    return _hashed(told)


class UntoldWarning(UserWarning):
    """A format or method of one's own that rows of a store are known to have by its name alone."""


def own_sources(
    formats: Iterable[Format], functions: Mapping[str, Callable[..., Any]]
) -> dict[str, str]:
    """What tells formats, and functions by their role, that isoloss does not ship from others of
    their names: hashes of source, and of lists of numbers. Keys of rows hold it.

    Where the source of one does not show what it does (a value that it is closed over), it is known
    by its name alone, which an `UntoldWarning` says.
    """
    known = [FORMATS[name] for name in dict.fromkeys(f.name for f in formats if not _is_shipped(f))]
    found = {f"numbers of {each.name}": _hashed({"format": _settings(each)}) for each in known}
    roles = {f"format {each.name}": each.function for each in known if each.function}
    for role, function in (roles | dict(functions)).items():
        try:
            found[role] = _told(function)
        except _UNTOLD as error:
            warnings.warn(
                f"{role} cannot be told by its source: {_why(error)}; rows of a store know it by "
                "its name, so give it another name when it changes",
                UntoldWarning,
                stacklevel=2,
            )
    return found


def _told(function: Callable[..., Any]) -> str:
    told: dict[str, str] = {}
    _tell(function, told)
    return _hashed(told)


def _settings(known: Format) -> str:
    """All of a format but its function, by name."""
    own = {each.name: getattr(known, each.name) for each in fields(known)}
    return json.dumps({k: v for k, v in own.items() if k != "function"}, default=str)


def _is_shipped(known: Format) -> bool:
    home = FORMATS.home(known.name) if FORMATS.find(known.name) is not None else None
    return home is None or FORMATS.is_shipped(home)


def _hashed(told: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


class _Hidden(Exception):
    """What a function depends on and its source does not show."""


_UNTOLD = (_Hidden, OSError, TypeError)


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, _Hidden) else "it has no source that can be read"


def _tell(thing: Any, told: dict[str, str]) -> None:
    """Note the source of a function or class and of what it names."""
    if not isinstance(thing, FunctionType | type):
        raise _Hidden(f"it is a {type(thing).__name__}")
    # Without the name of the module, which is another one in the workers of a script.
    if (place := f"source {thing.__qualname__}") in told:
        return
    told[place] = inspect.getsource(thing)
    if isinstance(thing, FunctionType) and thing.__name__ == "<lambda>":
        # A line may have several, which their source does not tell apart.
        told[place] += f" {thing.__code__.co_code.hex()} {thing.__code__.co_consts}"
    for function in _functions(thing):
        closed = set(function.__code__.co_freevars) - {"__class__"}
        if closed:
            raise _Hidden(f"it is closed over '{min(closed)}'")
        for word, value in _values(function):
            _tell_value(f"{function.__qualname__} {word}", value, told)
        for word in sorted(_names(function.__code__)):
            _tell_value(word, function.__globals__.get(word, sys.modules.get(word)), told)
    for word, value in vars(thing).items() if isinstance(thing, type) else ():
        if not (word.startswith("__") or isinstance(value, _OF_CLASSES)):
            _tell_value(f"{thing.__qualname__} {word}", value, told)
    for base in thing.__bases__ if isinstance(thing, type) else ():
        _tell_value(base.__name__, base, told)


def _tell_value(word: str, value: Any, told: dict[str, str]) -> None:
    if value is None or _is_installed(value):
        return
    if isinstance(value, ModuleType):
        told[f"module {value.__name__}"] = inspect.getsource(value)
    elif isinstance(value, FunctionType | type):
        _tell(value, told)
    else:
        try:
            known = value.settings() if isinstance(value, Corpus) else value
            told[f"value {word}"] = json.dumps(known, sort_keys=True)
        except (TypeError, ValueError):
            raise _Hidden(f"it depends on '{word}', a {type(value).__name__}") from None


def _is_installed(value: Any) -> bool:
    """Whether a module, function or class is part of Python, of a library or of isoloss."""
    if not (isinstance(value, ModuleType | type) or callable(value)):
        return False
    named = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    if named is None or str(named).partition(".")[0] in _LIBRARIES:
        return named is not None
    module = sys.modules.get(str(named))
    if module is None or str(named) == "__main__":
        return False
    file = getattr(module, "__file__", None)
    return file is None or file.startswith(_INSTALLED)


def _functions(thing: FunctionType | type) -> Iterator[FunctionType]:
    """A function itself, or the methods and properties of a class."""
    for each in (thing,) if isinstance(thing, FunctionType) else vars(thing).values():
        inner = getattr(each, "__func__", getattr(each, "fget", each))
        if isinstance(inner, FunctionType):
            yield inner


def _values(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """What a function holds that its source may not show: defaults, and what was set on it."""
    yield from ((f"default {k}", value) for k, value in enumerate(function.__defaults__ or ()))
    yield from (function.__kwdefaults__ or {}).items()
    yield from ((word, value) for word, value in vars(function).items() if word != "__wrapped__")


def _names(code: CodeType) -> set[str]:
    """The names that code looks up, those of functions inside it among them."""
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return set(code.co_names).union(*map(_names, inner))
