"""Laws in files: the preset they are made of and what was changed, as plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from math import isnan, nan
from typing import Any

from isoloss.files import KINDS, Kind
from isoloss.laws.formula import Formula, Grouped
from isoloss.laws.law import Box, Law
from isoloss.laws.registry import preset, presets
from isoloss.laws.terms import labelled, labels_of

SCHEMA = 1


def to_json(law: Law) -> dict[str, Any]:
    """The law as JSON values: its preset, values, fixes, ties, bounds, labels of tables, groups and
    description.

    Raises ValueError for a formula of one's own: only a preset's can be built again from its name.
    """
    grouped = law.formula if isinstance(law.formula, Grouped) else None
    return {
        "isoloss": version("isoloss"),
        "type": "law",
        "schema": SCHEMA,
        "preset": _preset_of(law),
        "name": law.name,
        "values": {name: None if isnan(value) else value for name, value in law.values.items()},
        "fixed": sorted(law.fixed),
        "ties": dict(law.ties),
        "bounds": {name: list(pair) for name, pair in law.bounds.items()},
        "labels": {name: list(found) for name, found in labels_of(law.formula).items()},
        "per": None
        if grouped is None
        else {"names": list(grouped.names), "groups": list(grouped.groups)},
        "title": law.title,
        "source": law.source,
        "evidence": law.evidence,
        "box": None if law.box is None else asdict(law.box),
        "notes": list(law.notes),
    }


def law_from_json(saved: Mapping[str, Any]) -> Law:
    """The law that ``Law.to_json`` described.

    Raises ValueError for another type of file, a newer schema, an unknown preset or a missing field.
    """
    if saved.get("type") != "law":
        raise ValueError(f"this is a saved {saved.get('type', 'thing without a type')}, not a law")
    if not isinstance(saved.get("schema"), int) or saved["schema"] > SCHEMA:
        raise ValueError(
            f"the law has schema {saved.get('schema')} of isoloss {saved.get('isoloss', 'unknown')}; "
            f"this isoloss {version('isoloss')} reads up to {SCHEMA}, so update it"
        )
    try:
        return _built(saved)
    except KeyError as missing:
        raise ValueError(
            f"the saved law has no field {missing}; it was cut short or edited"
        ) from None


def _built(saved: Mapping[str, Any]) -> Law:
    law = preset(saved["preset"])
    formula = labelled(law.formula, {name: tuple(found) for name, found in saved["labels"].items()})
    if saved["per"] is not None:
        formula = Grouped(formula, tuple(saved["per"]["names"]), tuple(saved["per"]["groups"]))
    return Law(
        name=saved["name"],
        formula=formula,
        values={name: nan if value is None else value for name, value in saved["values"].items()},
        fixed=frozenset(saved["fixed"]),
        ties=dict(saved["ties"]),
        bounds={name: (low, high) for name, (low, high) in saved["bounds"].items()},
        title=saved["title"],
        source=saved["source"],
        evidence=saved["evidence"],
        box=None if saved["box"] is None else _box(saved["box"]),
        notes=tuple(saved["notes"]),
    )


def _box(saved: Mapping[str, Any]) -> Box:
    def pair(name: str) -> tuple[float, float]:
        low, high = saved[name]
        return low, high

    return Box(pair("params"), pair("tokens"), pair("tokens_per_param"), saved["formats"])


def _preset_of(law: Law) -> str:
    """The name of the preset whose composition the law has, its own name first."""
    bare = _bare(law.formula)
    known = sorted(presets(), key=lambda each: each.name != law.name)
    for each in known:
        if _bare(each.formula) == bare:
            return each.name
    raise ValueError(
        f"law {law.name!r} is a composition of its own and cannot be saved; save its values and build it "
        "again in code"
    )


def _bare(formula: Formula) -> Formula:
    return labelled(formula.inner if isinstance(formula, Grouped) else formula, {})


KINDS.register("law", Kind(Law, SCHEMA, to_json, law_from_json))
