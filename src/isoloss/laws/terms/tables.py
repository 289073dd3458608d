"""Tables: one free constant for every level, for what no formula predicts from the format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np

from isoloss.formats import Format, Precision
from isoloss.laws.constant import Constant
from isoloss.laws.formula import (
    Addend,
    ArgumentMap,
    Composed,
    Constants,
    Formula,
    Grouped,
    Link,
    relinked,
)
from isoloss.laws.inputs import Level, Levels, Mask, Stage
from isoloss.laws.jet import Array, Jet, Value, select

EXACT = Format.parse("fp")


@runtime_checkable
class Bound(Protocol):
    """A link with constants for what the data has, which are known once it is bound to them."""

    def bind(self, levels: Levels) -> Link:
        """The link with the constants of these levels beside those it has."""


@dataclass(frozen=True)
class Table:
    """One constant for every level, the reference being one.

    A level is what the named parts are at a stage: with their modifiers (and the sparsity of the
    weights) as ``eff[w4+had@quest a4+had@quest 2:4]``, or where ``bare`` only their formats, as
    ``k[w4]``. Formats of 16 bits and more are the reference. Reference: Frantar et al. 2025
    (2502.16440), Panferov et al. 2025 (2502.05003).

    Attributes
    ----------
    parts
        The parts that make a level.
    entry
        The constant of one level: its name, bounds, unit and meaning stand for all.
    labels
        The levels that have a constant, in order; `bind` adds those of data.
    stage
        "train" or "serve": the formats that make a level.
    bare
        Whether modifiers and sparsity are left out.
    """

    parts: tuple[str, ...]
    entry: Constant
    labels: tuple[str, ...] = ()
    stage: Stage = "train"
    bare: bool = False

    @property
    def constants(self) -> tuple[Constant, ...]:
        """One constant a label, named after the entry."""
        return tuple(
            replace(self.entry, name=self._name(label), meaning=f"{self.entry.meaning}, {label}")
            for label in self.labels
        )

    def bind(self, levels: Levels) -> Table:
        """The table with the labels of the data beside those it has."""
        new = [label for label in self._labels(levels) if label is not None]
        return replace(self, labels=tuple(dict.fromkeys((*self.labels, *new))))

    def applies(self, levels: Levels) -> Mask:
        """Where the level is not the reference."""
        return np.array([label is not None for label in self._labels(levels)], dtype=bool)

    def __call__(self, c: Constants, levels: Levels) -> Value:
        """The constant of every level; NaN where it has none."""
        total, masks = levels.keep((self._key, self.labels), lambda: self._masks(levels))
        gathered = _gathered([c[name] for name, _ in masks], [mask for _, mask in masks], total)
        if gathered is not None:
            return gathered
        for name, mask in masks:
            total = total + select(mask, c[name], 0.0)
        return total

    def domain(self, c: Constants) -> str:
        """The levels that it has."""
        known = ", ".join(self.labels) or "no precision yet"
        return f"the law has an entry {self.entry.name!r} for {known}"

    def _name(self, label: str) -> str:
        return f"{self.entry.name}[{label}]"

    def _labels(self, levels: Levels) -> tuple[str | None, ...]:
        return levels.keep(self._key, lambda: tuple(self._label(level) for level in levels.items))

    @property
    def _key(self) -> tuple[str, tuple[str, ...], str, bool, str]:
        return ("table", self.parts, self.stage, self.bare, self.entry.name)

    def _masks(self, levels: Levels) -> tuple[Value, list[tuple[str, Mask]]]:
        """Zero at every level (NaN where it has no entry), and the levels of each entry."""
        found = self._labels(levels)
        start = np.array([np.nan if label and label not in self.labels else 0.0 for label in found])
        shown = [label for label in self.labels if label in found]
        return start, [
            (self._name(k), np.array([label == k for label in found], dtype=bool)) for k in shown
        ]

    def _label(self, level: Level) -> str | None:
        formats = level.precision.train if self.stage == "train" else level.precision.serve
        kept = {
            part: EXACT if _is_wide(known) else known.bare if self.bare else known
            for part, known in formats.items()
            if part.partition(".")[0] in self.parts
        }
        sparsity = None if self.bare or self.stage == "serve" else level.sparsity
        # Precision itself leaves out each 'fp' that changes nothing, so that 'w4 a:bf16' is the
        # level 'w4'.
        label = str(Level(Precision(kept), sparsity))
        return None if label == str(Precision()) else label


def _gathered(values: Sequence[Value], masks: Sequence[Mask], start: Array) -> Value | None:
    """Values (S, 1) of entries at the levels of each, ``start`` elsewhere, shape (S, levels).

    None where they are not alike: numbers beside arrays, or jets by different constants.
    """
    if len(values) < 2:
        return None
    first = values[0]
    jets = [v for v in values if isinstance(v, Jet)]
    if jets and len(jets) < len(values):
        return None
    shapes = {np.shape(v.value if isinstance(v, Jet) else v) for v in values}
    shape = shapes.pop()
    if shapes or len(shape) != 2 or shape[1] != 1:
        return None
    if any(v.grad.keys() != first.grad.keys() or v.hess.keys() != first.hess.keys() for v in jets):
        return None
    place, there = np.argmax(masks, axis=0), np.any(masks, axis=0)

    def at_levels(parts: list[Value], otherwise: Array | float) -> Array:
        columns = np.concatenate([np.broadcast_to(part, shape) for part in parts], axis=1)
        return np.where(there, columns[:, place], otherwise)

    if not jets:
        return at_levels(list(values), start)
    return Jet(
        at_levels([v.value for v in jets], start),
        {i: at_levels([v.grad[i] for v in jets], 0.0) for i in first.grad},
        {pair: at_levels([v.hess[pair] for v in jets], 0.0) for pair in first.hess},
    )


def alternatives(formula: Formula, levels: Levels) -> tuple[Mapping[str, Mask], ...]:
    """The constants of each table of a formula, of which no level has two.

    Parameters
    ----------
    formula
        The formula of a law.
    levels
        Levels of runs.

    Returns
    -------
    tuple of mappings
        For each table the constants by name, each with the mask of its levels. Constants that
        another term reads too are left out, and all of a formula that is not composed of terms.
    """
    inner = formula.inner if isinstance(formula, Grouped) else formula
    if type(inner) is not Composed:
        return ()
    terms: tuple[ArgumentMap | Link | Addend, ...]
    terms = (*inner.maps, *inner.params_factor, *inner.tokens_factor, *inner.penalties)
    read = Counter(k.name for term in terms for k in term.constants)
    found: list[dict[str, Mask]] = []

    def note(link: Link) -> Link:
        if type(link) is Table:
            masks = levels.keep((link._key, link.labels), lambda: link._masks(levels))[1]
            found.append({name: mask for name, mask in masks if read[name] == 1})
        return link

    relinked(inner, note)
    return tuple(found)


def bound(formula: Formula, levels: Levels) -> Formula:
    """The formula with every table bound to the levels of the data."""
    return relinked(formula, lambda link: link.bind(levels) if isinstance(link, Bound) else link)


def labelled(formula: Formula, labels: Mapping[str, tuple[str, ...]]) -> Formula:
    """The formula with these labels in its tables, by name of the entry; none if absent."""
    return relinked(
        formula,
        lambda link: (
            replace(link, labels=labels.get(link.entry.name, ()))
            if isinstance(link, Table)
            else link
        ),
    )


def _is_wide(known: Format) -> bool:
    """Whether a format counts as the reference: exact, or a float of 16 bits and more."""
    return known.is_wide
