"""How a precision looks in every figure: colour by its fewest bits, marker and line by which parts
are rounded and how.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import matplotlib
import numpy as np
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D

from isoloss.formats import Format, Precision
from isoloss.plots.look import INK

#: More levels than this are shown by their bits alone.
MOST = 18
REFERENCE_BITS = 16.0
#: Bits, and where on the map of colours they lie: most of the map goes to the bits that people
#: compare.
SHADES = ((1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0), (0.86, 0.73, 0.59, 0.44, 0.26, 0.12, 0.02))
#: What the commonest ways of rounding look like; others take the rest in order.
PREFERRED = {"": "o", "w": "s", "a": "^", "w a": "o", "w a kv": "D", "kv": "v"}
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "<", ">", "p", "h", "*")
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))


@dataclass(frozen=True)
class Level:
    """A precision and, where weights are sparse, the pattern, read off the label of a row."""

    precision: Precision
    sparsity: str | None

    @property
    def bits(self) -> float:
        """The fewest bits that any part has, in training or serving; noise as the integer of about
        that error.
        """
        return min((_bits(f) for f in self.formats), default=math.inf)

    @property
    def formats(self) -> list[Format]:
        """Every format that it names."""
        return [*self.precision.train.values(), *self.precision.serve.values()]

    @property
    def is_reference(self) -> bool:
        """Whether nothing is rounded below 16 bits."""
        return self.bits >= REFERENCE_BITS and self.sparsity is None

    @property
    def signature(self) -> str:
        """Everything but the bits: which parts, what kind of format, marks, sparsity; empty for the
        reference.
        """
        return "" if self.is_reference else " ".join(self._words())

    def _words(self) -> Iterator[str]:
        for stage, formats in (("", self.precision.train), ("-> ", self.precision.serve)):
            for part, known in formats.items():
                kind = "" if known.is_integer or known.scales_by_mean else f":{known.kind}"
                wider = "+" if _bits(known) > self.bits else ""
                yield f"{stage}{part}{kind}{wider}{known.modifiers._replace(method=None)}"
        yield from [self.sparsity] if self.sparsity else []


@dataclass(frozen=True)
class Style:
    """Colour, marker and line of a level, and its name in a legend."""

    colour: str
    marker: str
    line: str | tuple[int, tuple[int, ...]]
    label: str
    order: tuple[float, str]

    def handle(self, *, line: bool = False) -> Line2D:
        """The legend's picture of it."""
        style = self.line if line else ""
        return Line2D(
            [],
            [],
            color=self.colour,
            marker=self.marker,
            linestyle=style,  # type: ignore[arg-type]
            markeredgewidth=0.3,
        )


@lru_cache(maxsize=4096)
def as_level(name: str) -> Level:
    """The level that a label spells: a precision, and a sparsity after it where there is one."""
    try:
        return Level(Precision.parse(name), None)
    except ValueError:
        head, _, sparsity = name.rpartition(" ")
        return Level(Precision.parse(head), sparsity)


def styles(names: Sequence[str]) -> dict[str, Style]:
    """The style of every distinct label, the reference first and then fewer and fewer bits."""
    levels = {name: as_level(name) for name in dict.fromkeys(names)}
    ordered = sorted(levels, key=lambda name: _order(levels[name], name))
    if len(ordered) > MOST:
        return {name: _coarse(levels[name]) for name in ordered}
    markers = _markers([levels[name].signature for name in ordered])
    taken: set[tuple[str, str]] = set()
    found = {}
    for name in ordered:
        colour, marker = colour_of(levels[name].bits), markers[levels[name].signature]
        free = [m for m in (marker, *MARKERS) if (colour, m) not in taken]
        marker = free[0] if free else marker
        taken.add((colour, marker))
        line = LINES[MARKERS.index(marker) % len(LINES)]
        found[name] = Style(
            colour, marker, line, shorten(name, ordered), _order(levels[name], name)
        )
    return found


def apart(style: Mapping[str, Style]) -> dict[str, Style]:
    """The same labels, each with a marker and a line of its own: for a few lines that must be told
    apart in grey.
    """
    return {
        name: replace(s, marker=MARKERS[i % len(MARKERS)], line=LINES[i % len(LINES)])
        for i, (name, s) in enumerate(style.items())
    }


def are_coarse(style: Mapping[str, Style]) -> bool:
    """Whether there are too many levels to tell apart, so that they are shown by their bits
    alone.
    """
    return len(style) > MOST


def how_drawn(names: Sequence[str]) -> str:
    """What a caption must say of the labels: the method that they share, and whether bits stand for
    levels.
    """
    method = shared_method(names)
    said = f" All rounding is {method}." if method else ""
    many = len(set(names))
    return said + (
        f" {many} precisions, shown by the fewest bits of any part." if many > MOST else ""
    )


def shared_method(names: Sequence[str]) -> str:
    """The mark '@method' that every rounded format of every label carries, or nothing."""
    formats = [f for name in names for f in as_level(name).formats if _bits(f) < REFERENCE_BITS]
    methods = {f.method for f in formats}
    return f"@{methods.pop()}" if len(methods) == 1 and None not in methods else ""


def shorten(text: str, names: Sequence[str]) -> str:
    """The text without the method that all labels share (the caption says it once)."""
    method = shared_method(names)
    return text.replace(method, "") if method else text


def colour_of(bits: float) -> str:
    """Dark for many bits and bright for few, black for the reference: ordered in grey and for the
    colour-blind too.
    """
    if bits >= REFERENCE_BITS:
        return INK
    return to_hex(matplotlib.colormaps["plasma"](float(np.interp(bits, *SHADES))))


def _markers(signatures: Sequence[str]) -> dict[str, str]:
    """A marker for each signature: the preferred ones first, then what is left."""
    found = {s: PREFERRED[s] for s in dict.fromkeys(signatures) if s in PREFERRED}
    rest = [m for m in MARKERS if m not in found.values()] or list(MARKERS)
    others = [s for s in dict.fromkeys(signatures) if s not in found]
    return found | {s: rest[i % len(rest)] for i, s in enumerate(others)}


def _coarse(level: Level) -> Style:
    """The style of a level that is one of too many: its bits alone."""
    bits = level.bits
    label = "16 bits and more" if level.is_reference else f"{bits:.3g} bits"
    index = 0 if level.is_reference else 1 + round(2 * min(bits, 16)) % (len(MARKERS) - 1)
    return Style(colour_of(bits), MARKERS[index], "-", label, (-min(bits, 1e3), label))


def _order(level: Level, name: str) -> tuple[float, str]:
    return (-math.inf if level.is_reference else -level.bits), name


def _bits(known: Format) -> float:
    if known.eps is not None:
        return max(0.5, -0.5 * math.log2(known.eps))
    return known.bits
