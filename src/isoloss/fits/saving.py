"""Fits, comparisons and laws as JSON files that other programs can read, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from isoloss.fits.caution import Caution
from isoloss.fits.comparison import Comparison
from isoloss.fits.efficiency import Efficiencies
from isoloss.fits.misfit import LackOfFit, Noise
from isoloss.fits.objective import Objective
from isoloss.fits.optimum import Certificate
from isoloss.fits.paired import Gaps, GapScore, LevelGap, Slope
from isoloss.fits.prediction import Prediction
from isoloss.fits.ranking import Entry
from isoloss.fits.result import Errors, Facts, Fit, HeldOut, Points, Sensitivity
from isoloss.fits.sample import FitError
from isoloss.laws import Law, law_from_json

SCHEMA = 1
KINDS: dict[str, type] = {"fit": Fit, "comparison": Comparison, "law": Law}
PARTS: dict[str, type[Any]] = {
    cls.__name__: cls
    for cls in (
        Caution, Certificate, Comparison, Efficiencies, Entry, Errors, Facts, Fit, Gaps, GapScore, HeldOut, LackOfFit, LevelGap,
        Noise, Objective, Points, Prediction, Sensitivity, Slope,
    )
}  # fmt: skip
#: Objects that only refitting needs; they are not saved.
LEFT_OUT = {"optimum", "sample"}


def save(thing: Fit | Comparison | Law, path: str | Path, force: bool = False) -> Path:
    """The path of the JSON file that was written.

    Raises FitError when the file exists and ``force`` is not given, ValueError when the law is no preset's.
    """
    path = Path(path)
    if path.exists() and not force:
        raise FitError(f"{path} exists; give another name or force=True (--force) to replace it")
    kind = next(name for name, cls in KINDS.items() if isinstance(thing, cls))
    head = {"isoloss": version("isoloss"), "type": kind, "schema": SCHEMA}
    path.write_text(json.dumps(head | {"value": _encoded(thing)}, indent=1, allow_nan=False) + "\n")
    return path


def load(path: str | Path) -> Fit | Comparison | Law:
    """What was saved. Raises FitError for a file that is none of ours or of a newer schema."""
    path = Path(path)
    if not path.exists():
        raise FitError(f"there is no file {path}")
    try:
        content = json.loads(path.read_text())
        kind, schema = content["type"], int(content["schema"])
    except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise FitError(f"{path} is not a fit, comparison or law saved by isoloss") from error
    if schema > SCHEMA:
        raise FitError(
            f"{path} has schema {schema} but this isoloss {version('isoloss')} reads up to {SCHEMA}; upgrade isoloss"
        )
    if kind not in KINDS:
        raise FitError(f"{path} holds a {kind!r}; load reads {', '.join(KINDS)}")
    try:
        thing = _decoded(content["value"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FitError(f"{path} says it holds a {kind} but cannot be read as one: {error}") from error
    if not isinstance(thing, KINDS[kind]):
        raise FitError(f"{path} says it holds a {kind} but does not")
    assert isinstance(thing, Fit | Comparison | Law)
    return thing


def _encoded(value: Any) -> Any:
    if isinstance(value, Law):
        return {"Law": value.to_json()}
    if is_dataclass(value) and not isinstance(value, type):
        kept = {f.name: _encoded(getattr(value, f.name)) for f in fields(value) if f.name not in LEFT_OUT}
        return {type(value).__name__: kept}
    if isinstance(value, np.ndarray):
        return {"array": _encoded(value.tolist()), "dtype": str(value.dtype)}
    if isinstance(value, Mapping):
        return {"map": {k: _encoded(v) for k, v in value.items()}}
    if isinstance(value, tuple | list):
        return [_encoded(v) for v in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else {"number": str(float(value))}
    return value.item() if isinstance(value, np.generic) else value


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_decoded(v) for v in value)
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return np.array(_decoded(value["array"]), dtype=value["dtype"])
    ((name, content),) = value.items()
    if name == "map":
        return {k: _decoded(v) for k, v in content.items()}
    if name == "number":
        return float(content)
    if name == "Law":
        return law_from_json(content)
    return PARTS[name](**{k: _decoded(v) for k, v in content.items()})
