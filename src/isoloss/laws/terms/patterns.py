"""Links that look at more than one number of a level: gates, shared scales, sparsity."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from isoloss.laws.constant import Constant
from isoloss.laws.formula import Constants, Link, changed_power
from isoloss.laws.inputs import Level, Levels, Mask, bits_of
from isoloss.laws.jet import Value, select

#: Bits from which on a format counts as that of a reference.
WIDE = 16.0


@dataclass(frozen=True)
class Gate:
    """1 - exp(-C (P - P_post)): how little training in P bits prepared for serving in P_post.

    Open (one) where the part was trained in 16 bits or unset, which is what the penalty itself was
    measured on. Reference: Kumar et al. 2024, eqs. 8-9.

    Attributes
    ----------
    part
        The part that was trained in few bits.
    rate
        The constant C, per bit.
    served
        The part that is served in a format of its own.
    """

    part: str
    rate: Constant
    served: str = "w"

    @property
    def constants(self) -> tuple[Constant, ...]:
        """The rate C."""
        return (self.rate,)

    def applies(self, levels: Levels) -> Mask:
        """Where the part was trained below 16 bits and weights are served in their own format."""
        narrow = levels.is_set(self.part) & ~(levels.bits(self.part) >= WIDE)
        return narrow & levels.is_set(self.served, "serve")

    def __call__(self, c: Constants, levels: Levels) -> Value:
        """The factor at every level."""
        before = levels.read(self.part, bits_of, "train", 1.0)  # any number where it does not apply
        after = levels.read(self.served, bits_of, "serve", 0.0)
        return 1.0 - np.exp(-c[self.rate.name] * (before - after))

    def domain(self, c: Constants) -> str:
        """Where the penalty is positive."""
        return f"the law needs bits of part {self.part!r} and a positive {self.rate.name}"


@dataclass(frozen=True)
class SharedScale:
    """(log2 G)^power, G how many elements share a scale.

    It is read off the first of ``parts`` that is narrower than 16 bits, else the first that is
    rounded at all. A row or a tensor counts as the constant given for it, a log2 G; without one the
    law is not defined there. The power is a constant or a table, and one where it is None.
    Reference: Sun et al. 2025 (2501.02423), Chen et al. 2025 (2505.14302).

    Attributes
    ----------
    parts
        The parts that may share scales, the first narrow one counts.
    power
        A constant, a table, or None for one.
    row, tensor
        The log2 G that one scale a row or a tensor amounts to; None: not defined there.
    """

    parts: tuple[str, ...]
    power: Constant | Link | None
    row: Constant | None = None
    tensor: Constant | None = None

    @property
    def constants(self) -> tuple[Constant, ...]:
        """The power and the equivalents of a row and a tensor."""
        power = (
            ()
            if self.power is None
            else (self.power,)
            if isinstance(self.power, Constant)
            else self.power.constants
        )
        return (*power, *dict.fromkeys(k for k in (self.row, self.tensor) if k is not None))

    def applies(self, levels: Levels) -> Mask:
        """Where one of the parts is rounded."""
        return np.array([each is not None for each in self._shared(levels)], dtype=bool)

    def __call__(self, c: Constants, levels: Levels) -> Value:
        """The factor at every level."""
        found = self._shared(levels)
        base: Value = np.array([_log2_group(each) for each in found])
        for word, k in (("row", self.row), ("tensor", self.tensor)):
            mask = np.array([each == word for each in found], dtype=bool)
            if k is not None and mask.any():
                base = select(~mask, base, 0.0) + select(mask, c[k.name], 0.0)
        if self.power is None:
            return base
        power = c[self.power.name] if isinstance(self.power, Constant) else self.power(c, levels)
        return np.exp(power * np.log(base))

    def with_links(self, change: Callable[[Link], Link]) -> SharedScale:
        """The link with its power changed, where that is a table."""
        return replace(self, power=changed_power(self.power, change))

    def domain(self, c: Constants) -> str:
        """The scales that it knows."""
        known = [word for word, k in (("row", self.row), ("tensor", self.tensor)) if k is not None]
        shared = ", ".join(["a group (as in w4/128)", *(f"a {word}" for word in known)])
        return f"the law holds for a scale shared by {shared}"

    def _shared(self, levels: Levels) -> tuple[str | int | None, ...]:
        return levels.keep(
            ("shared", self.parts),
            lambda: tuple(self._granularity(level) for level in levels.items),
        )

    def _granularity(self, level: Level) -> str | int | None:
        formats = {part: level.precision.format(part) for part in self.parts}
        rounded = [
            part for part, known in formats.items() if known is not None and not known.is_exact
        ]
        narrow = [part for part in rounded if (level.precision.bits(part) or WIDE) < WIDE]
        part = next(iter([*narrow, *rounded]), None)
        return None if part is None else level.precision.granularity(part) or "nothing"


@dataclass(frozen=True)
class Sparse:
    """What pruned weights are worth: (1 - S) (1 - s + s (1 - S)^p)^(-1/alpha), S the share pruned.

    The share s and the power p say how the params term falls at equal non-zero weights. Reference:
    Frantar et al. 2023 (2309.08520), (a_S (1-S)^b_S + c_S) N^-b_N, with a_S + c_S in the size of
    the params term.

    Attributes
    ----------
    share, power
        The constants s and p.
    alpha
        The exponent of params of the base, by the same name.
    """

    share: Constant
    power: Constant
    alpha: Constant

    @property
    def constants(self) -> tuple[Constant, ...]:
        """The share s, the power p and the exponent of params, which is that of the base."""
        return (self.share, self.power, self.alpha)

    def applies(self, levels: Levels) -> Mask:
        """Where weights are pruned."""
        return np.array([level.sparsity is not None for level in levels.items], dtype=bool)

    def __call__(self, c: Constants, levels: Levels) -> Value:
        """The factor at every level."""
        left = levels.keep(
            "left", lambda: 1.0 - np.array([pruned(level.sparsity) for level in levels.items])
        )
        share, power, alpha = (c[k.name] for k in self.constants)
        relative = 1.0 - share + share * np.exp(power * np.log(left))
        return left * np.exp(-np.log(relative) / alpha)

    def domain(self, c: Constants) -> str:
        """The patterns that can be read."""
        return "write a sparsity as 2:4 (kept of each), 50% or 0.5 (pruned)"


def pruned(pattern: str | None) -> float:
    """The share of weights that a sparsity pattern removes; NaN where it cannot be read."""
    if pattern is None:
        return 0.0
    if match := re.fullmatch(r"(\d+):(\d+)", pattern):
        kept, of = int(match[1]), int(match[2])
        return 1.0 - kept / of if 0 < kept <= of else np.nan
    if match := re.fullmatch(r"(\d*\.?\d+)(%?)", pattern):
        share = float(match[1]) / (100.0 if match[2] else 1.0)
        return share if share < 1.0 else np.nan
    return np.nan


def _log2_group(granularity: str | int | None) -> float:
    return (
        float(np.log2(granularity))
        if isinstance(granularity, int)
        else np.nan
        if granularity
        else 1.0
    )
