"""Where a law is from: how it is known, and the region that its runs cover."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from isoloss.formats import Format
from isoloss.laws.inputs import Inputs
from isoloss.laws.jet import Array

Evidence = Literal["P", "C", "D", "S", "A", "M", "F", "O"]
#: How the form and the constants of a law are known.
EVIDENCE: Mapping[Evidence, str] = {
    "P": "paper",
    "C": "authors' code",
    "D": "derived here",
    "S": "secondary note",
    "A": "abstract only",
    "M": "recalled only",
    "F": "fitted",
    "O": "own",
}


def kind_of(known: Format) -> str:
    """The kind of a format to the evidence of a law: "int" and "float", in blocks too, or its own.

    A law of bits reads e2m1 as four bits, as it reads int4; its constants are those of one kind.
    """
    if known.exponent is not None:
        return "float"
    return "int" if known.kind == "block" else known.kind


#: Neighbouring sizes of runs further apart than this have a hole between them.
HOLE = 10.0


def holes_of(params: Array) -> tuple[tuple[float, float], ...]:
    """The pairs of neighbouring params of runs that lie more than `HOLE` times apart."""
    sizes = np.unique(params)
    wide = np.flatnonzero(sizes[1:] > HOLE * sizes[:-1])
    return tuple((float(sizes[k]), float(sizes[k + 1])) for k in wide)


@dataclass(frozen=True)
class Box:
    """The region that a law's runs cover.

    Attributes
    ----------
    params, tokens, tokens_per_param
        The least and the most of each: counts, and their ratio.
    formats
        The formats that were run, in words.
    kinds
        Kinds of the rounded formats that were run, as `kind_of` says; () where unknown.
    methods
        Methods that rounded all of them, as "quest", or "-> gptq" after training; () where unknown
        or several.
    shared
        Parts that all its runs rounded as their weights: constants of weights hold them too.
    epochs
        The least and the most of tokens over different tokens, one where none is repeated; None
        where unknown.
    holes
        Params of the runs on both sides of each hole between them, where known (`holes_of`).
    """

    params: tuple[float, float]
    tokens: tuple[float, float]
    tokens_per_param: tuple[float, float]
    formats: str = ""
    kinds: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    epochs: tuple[float, float] | None = None
    holes: tuple[tuple[float, float], ...] = ()

    def outside(self, x: Inputs) -> Array:
        """How far each run lies outside, as a factor, shape (n,).

        One is inside, 10 is ten times beyond the nearest edge of what it leaves furthest, or from
        the nearest run where it lies in a hole.
        """
        far = self.in_hole(x)
        for values, edges in (
            (x.params, self.params),
            (x.tokens, self.tokens),
            (x.tokens / x.params, self.tokens_per_param),
            (x.epochs, self.epochs),
        ):
            if edges is None:
                continue
            least, most = edges
            far = np.maximum(far, np.maximum(values / most, least / values))
        return np.where(far < 1 + 1e-9, 1.0, far)

    def in_hole(self, x: Inputs) -> Array:
        """How far the params of each run lie from those of the nearest run in a hole, as a factor,
        shape (n,); one outside holes, and within the square root of `HOLE`, as near as between
        other runs.
        """
        far = np.ones(len(x))
        for low, high in self.holes:
            nearest = np.minimum(x.params / low, high / x.params)
            far = np.where(nearest > np.sqrt(HOLE), nearest, far)
        return far
