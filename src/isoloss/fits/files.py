"""Values as JSON files that other programs can read, and back: what a room saves it names here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from isoloss.fits.sample import FitError
from isoloss.laws import Law, law_from_json

SCHEMA = 1


@dataclass(frozen=True)
class Files:
    """The kinds of things that are saved, the dataclasses that they are made of, and the fields left out of files.

    A room above saves its own things beside those below: ``FILES.also({"plan": Plan}, [Plan, Choice])``.
    """

    kinds: Mapping[str, type[Any]]
    parts: Mapping[str, type[Any]]
    left_out: frozenset[str] = frozenset()

    def also(
        self,
        kinds: Mapping[str, type[Any]],
        parts: Iterable[type[Any]],
        left_out: Iterable[str] = (),
    ) -> Files:
        """These files and further kinds, made of further dataclasses."""
        known = {cls.__name__: cls for cls in parts}
        return Files({**self.kinds, **kinds}, {**self.parts, **known}, self.left_out | {*left_out})

    def save(self, thing: object, path: str | Path, force: bool = False) -> Path:
        """The path of the JSON file that was written.

        Raises FitError when the file exists and ``force`` is not given, ValueError when a law is no preset's.
        """
        path = Path(path)
        if path.exists() and not force:
            raise FitError(
                f"{path} exists; give another name or force=True (--force) to replace it"
            )
        kind = next(name for name, cls in self.kinds.items() if isinstance(thing, cls))
        head = {"isoloss": version("isoloss"), "type": kind, "schema": SCHEMA}
        path.write_text(
            json.dumps(head | {"value": self.encoded(thing)}, indent=1, allow_nan=False) + "\n"
        )
        return path

    def load(self, path: str | Path) -> Any:
        """What was saved. Raises FitError for a file that is none of ours or of a newer schema."""
        path = Path(path)
        if not path.exists():
            raise FitError(f"there is no file {path}")
        try:
            content = json.loads(path.read_text())
            kind, schema = content["type"], int(content["schema"])
        except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
            *others, last = self.kinds
            raise FitError(
                f"{path} is not a {', '.join(others)} or {last} saved by isoloss"
            ) from error
        if schema > SCHEMA:
            raise FitError(
                f"{path} has schema {schema} but this isoloss {version('isoloss')} reads up to {SCHEMA}; upgrade isoloss"
            )
        if kind not in self.kinds:
            raise FitError(f"{path} holds a {kind!r}; load reads {', '.join(self.kinds)}")
        try:
            thing = self.decoded(content["value"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FitError(
                f"{path} says it holds a {kind} but cannot be read as one: {error}"
            ) from error
        if not isinstance(thing, self.kinds[kind]):
            raise FitError(f"{path} says it holds a {kind} but does not")
        return thing

    def encoded(self, value: Any) -> Any:
        """A value as JSON has it: a dataclass under its name, numbers that JSON lacks as text."""
        if isinstance(value, Law):
            return {"Law": value.to_json()}
        if is_dataclass(value) and not isinstance(value, type):
            name = type(value).__name__
            if name not in self.parts:
                raise TypeError(f"a {name} is no part of a saved file; name it among the parts")
            kept = (f.name for f in fields(value) if f.name not in self.left_out)
            return {name: {key: self.encoded(getattr(value, key)) for key in kept}}
        if isinstance(value, np.ndarray):
            return {"array": self.encoded(value.tolist()), "dtype": str(value.dtype)}
        if isinstance(value, Mapping):
            return {"map": {k: self.encoded(v) for k, v in value.items()}}
        if isinstance(value, tuple | list):
            return [self.encoded(v) for v in value]
        if isinstance(value, float | np.floating):
            return float(value) if np.isfinite(value) else {"number": str(float(value))}
        return value.item() if isinstance(value, np.generic) else value

    def decoded(self, value: Any) -> Any:
        """The value that was encoded, lists as tuples."""
        if isinstance(value, list):
            return tuple(self.decoded(v) for v in value)
        if not isinstance(value, dict):
            return value
        if "array" in value:
            return np.array(self.decoded(value["array"]), dtype=value["dtype"])
        ((name, content),) = value.items()
        if name == "map":
            return {k: self.decoded(v) for k, v in content.items()}
        if name == "number":
            return float(content)
        if name == "Law":
            return law_from_json(content)
        return self.parts[name](**{k: self.decoded(v) for k, v in content.items()})
