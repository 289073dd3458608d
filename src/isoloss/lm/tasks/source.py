"""The source of a task's functions, which stands for a version where none is given."""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any

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
        except (_Hidden, OSError, TypeError) as error:
            why = str(error) if isinstance(error, _Hidden) else "it has no source that can be read"
            raise ModelError(
                f"{role} of the task '{task}' cannot be told by its source: {why}; give the task a "
                "version, such as version='1'"
            ) from None
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


class _Hidden(Exception):
    """What a function depends on and its source does not show."""


def _tell(thing: Any, told: dict[str, str]) -> None:
    """Note the source of a function or class and of what it names."""
    if not isinstance(thing, FunctionType | type):
        raise _Hidden(f"it is a {type(thing).__name__}")
    # Without the name of the module, which is another one in the workers of a script.
    if (place := f"source {thing.__qualname__}") in told:
        return
    told[place] = inspect.getsource(thing)
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
