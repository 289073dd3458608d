"""Laws in files: the formula by its structure, the constants and the description, as JSON values.

A file of schema 2 says everything itself, so that it keeps its meaning when a preset is edited
later. Schema 1 (isoloss 0.1) named the preset whose composition the law has, and still loads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from math import inf, isinf, isnan, nan
from typing import Any

from isoloss.files import KINDS, Kind, decode, encode
from isoloss.laws.formula import Formula, Grouped
from isoloss.laws.law import Law
from isoloss.laws.provenance import Box, Evidence
from isoloss.laws.registry import preset
from isoloss.laws.structure import formula_from_json, formula_to_json
from isoloss.laws.terms import labelled

SCHEMA = 2
Pair = tuple[float, float]
Texts = tuple[str, ...]


def law_to_json(law: Law) -> dict[str, Any]:
    """The law as JSON values: its formula term by term, its constants and its description.

    Parameters
    ----------
    law
        A preset, a changed or fitted one, or a composition of one's own.

    Returns
    -------
    dict
        What `law_from_json` reads.

    Raises
    ------
    ValueError
        A term type or function is not registered (`register`, `register_term`), or holds what a
        file cannot; a constant is infinite.
    """
    if endless := [name for name, value in law.values.items() if isinf(value)]:
        raise ValueError(f"{endless[0]} is infinite; a law is saved with finite constants")
    return {
        "isoloss": version("isoloss"),
        "type": "law",
        "schema": SCHEMA,
        "name": law.name,
        "formula": formula_to_json(law.formula),
        "values": {
            name: None if isnan(value) else encode(value) for name, value in law.values.items()
        },
        "fixed": sorted(law.fixed),
        "ties": dict(law.ties),
        "bounds": {name: encode(pair) for name, pair in law.bounds.items()},
        "title": law.title,
        "source": law.source,
        "evidence": law.evidence,
        "box": None if law.box is None else encode(asdict(law.box))["map"],
        "notes": list(law.notes),
        "metric": law.metric,
    }


def law_from_json(saved: Mapping[str, Any]) -> Law:
    """The law of what `law_to_json` gave, or of what isoloss 0.1 saved.

    Parameters
    ----------
    saved
        JSON values, schema 1 or 2.

    Returns
    -------
    Law
        Equal to the one that was saved.

    Raises
    ------
    ValueError
        It is no law or of a newer schema; a field is missing, unknown or of another type; a term,
        function or preset is not known here. One sentence names it.
    """
    if not isinstance(saved, Mapping) or saved.get("type") != "law":
        found = saved.get("type", "value without a type") if isinstance(saved, Mapping) else saved
        raise ValueError(f"this is a saved {str(found)[:60]}, not a law")
    schema = saved.get("schema")
    if type(schema) is not int or not 1 <= schema <= SCHEMA:
        raise ValueError(
            f"the law has schema {str(schema)[:60]} of isoloss "
            f"{str(saved.get('isoloss', 'unknown'))[:60]}; this isoloss {version('isoloss')} "
            f"reads up to {SCHEMA}, so update it"
        )
    own = _Fields(saved)
    formula = formula_from_json(own["formula"]) if schema == SCHEMA else _of_preset(own)
    return Law(
        name=own.read("name", str),
        formula=formula,
        values={name: _value(found, name) for name, found in own.mapping("values").items()},
        fixed=frozenset(own.read("fixed", Texts)),
        ties={name: decode(str, to, f"ties.{name}") for name, to in own.mapping("ties").items()},
        bounds={name: _pair(found, name) for name, found in own.mapping("bounds").items()},
        title=own.read("title", str),
        source=own.read("source", str),
        evidence=own.read("evidence", Evidence),
        box=None if own["box"] is None else _box(_Fields(own.mapping("box"), "box")),
        notes=own.read("notes", Texts),
        metric=own.read("metric", str) if "metric" in saved else _metric_of_older(own["evidence"]),
    )


def _metric_of_older(evidence: object) -> str:
    """What the loss of a law is whose file is from before laws said it: published ones are of
    nats, one that was fitted may be of excess risk.
    """
    return "unknown" if evidence == "F" else "nats"


class _Fields:
    """The fields of a saved object, each looked up and checked by name."""

    def __init__(self, saved: Mapping[str, Any], place: str = "law") -> None:
        self.saved, self.place = saved, place

    def __getitem__(self, name: str) -> Any:
        if name not in self.saved:
            raise ValueError(
                f"the saved {self.place} has no field {name!r}; it was cut short or edited"
            )
        return self.saved[name]

    def read(self, name: str, hint: Any) -> Any:
        """A field of a type that files know."""
        return decode(hint, self[name], name if self.place == "law" else f"{self.place}.{name}")

    def has(self, name: str) -> bool:
        """Whether a field is there, for those that older files lack."""
        return name in self.saved

    def mapping(self, name: str) -> dict[str, Any]:
        """A field that is an object of others."""
        found = self[name]
        if not isinstance(found, dict):
            raise ValueError(f"{name} is {str(found)[:60]!r}; it must be an object")
        return found


def _value(found: object, name: str) -> float:
    if found is None:
        return nan
    number = float(decode(float, found, f"values.{name}"))
    if isnan(number):
        raise ValueError(f"values.{name} is nan; write null where a constant has no value")
    if isinf(number):
        raise ValueError(f"values.{name} is {number}; the file is damaged or edited")
    return number


def _pair(found: object, name: str) -> Pair:
    low, high = decode(Pair, found, f"bounds.{name}")
    if not low < high:
        raise ValueError(f"bounds.{name} is [{low:g}, {high:g}]; the lower one must be smaller")
    return low, high


def _box(own: _Fields) -> Box:
    kinds, methods, shared = (
        own.read(name, Texts) if own.has(name) else () for name in ("kinds", "methods", "shared")
    )
    return Box(
        _range(own, "params"),
        _range(own, "tokens"),
        _range(own, "tokens_per_param"),
        own.read("formats", str),
        kinds,
        methods,
        shared,
        epochs=own.read("epochs", Pair) if own.has("epochs") and own["epochs"] else None,
        holes=own.read("holes", tuple[Pair, ...]) if own.has("holes") else (),
    )


def _range(own: _Fields, name: str) -> Pair:
    """The least and the most of what the runs of a law are; ValueError where they are not."""
    low, high = own.read(name, Pair)
    if not 0 < low <= high < inf:
        raise ValueError(f"box.{name} is [{low:g}, {high:g}]; the file is damaged or edited")
    return low, high


def _of_preset(own: _Fields) -> Formula:
    """The formula of a file of schema 1: the preset's, with its labels and groups."""
    labels = {
        name: decode(Texts, found, f"labels.{name}")
        for name, found in own.mapping("labels").items()
    }
    formula = labelled(preset(own.read("preset", str)).formula, labels)
    if own["per"] is None:
        return formula
    per = _Fields(own.mapping("per"), "per")
    return Grouped(formula, per.read("names", Texts), per.read("groups", Texts))


KINDS.register("law", Kind(Law, SCHEMA, law_to_json, law_from_json))
