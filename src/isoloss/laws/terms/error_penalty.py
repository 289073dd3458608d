"""A penalty that follows from the error of a format, so that one nobody has run can be priced."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from isoloss.formats import Format, row_error
from isoloss.laws.constant import Constant
from isoloss.laws.formula import Constants, Link
from isoloss.laws.inputs import Inputs, Levels, Mask
from isoloss.laws.jet import Array, Value, select
from isoloss.laws.terms.patterns import WIDE

#: What shares a scale where a format does not say it.
GRANULARITY: dict[str, int | str] = {"w": "row", "a": "tensor", "kv": "row"}
#: Methods that are rounding to nearest.
NEAREST = (None, "rtn")
#: Widths between which a matrix is taken to have rows, as log2.
WIDTHS = (4, 14)


def log_width(params: Array) -> Array:
    """About how many inputs the matrices of a decoder of so many params have, as log2.

    A power of params between decoders of 20k params (width 32) and of 8B (4096): 1B has 2048.
    """
    return np.asarray(np.clip(0.38 * np.log2(params) - 0.45, *WIDTHS))


@dataclass(frozen=True)
class ErrorPenalty:
    """c err^p N^-n D^d m[method], err that of rounding normal rows of the layer's width.

    Over all weight formats of the table isoloss2026 the gap after training is near a power of that
    error (exponent 1.05), whatever the format. Relative errors are those of `row_error`.

    Attributes
    ----------
    part
        The part whose format is read.
    amplitude, error_power, params_power, tokens_power
        c, p, n and d.
    methods
        The factor m of each method beside rounding to nearest, named "m[gptq]"; a level of another
        method has no penalty that is known (NaN).
    """

    part: str
    amplitude: Constant
    error_power: Constant
    params_power: Constant
    tokens_power: Constant
    methods: tuple[Constant, ...] = ()

    @property
    def constants(self) -> tuple[Constant, ...]:
        """c, p, n, d and the factors of methods."""
        powers = (self.error_power, self.params_power, self.tokens_power)
        return (self.amplitude, *powers, *self.methods)

    @property
    def links(self) -> tuple[Link, ...]:
        """None: its size depends on params too."""
        return ()

    def applies(self, levels: Levels) -> Mask:
        """Where the part is served below 16 bits."""
        return levels.is_set(self.part, "serve") & ~(levels.bits(self.part, "serve") >= WIDE)

    def __call__(self, c: Constants, x: Inputs, log_params: Value) -> Value:
        """The penalty of every run."""
        mask = self.applies(x.levels)
        if not mask.any():
            return 0.0
        log_error = self._log_errors(x, mask)
        power = c[self.error_power.name] * log_error
        power = power - c[self.params_power.name] * x.log_params
        power = power + c[self.tokens_power.name] * x.log_tokens
        size = c[self.amplitude.name] * np.exp(power) * self._method(c, x)
        size = size + self._unknown(x.levels)[x.level]
        return select((mask[x.level]) & (log_error > -math.inf), size, 0.0)

    def _log_errors(self, x: Inputs, mask: Mask) -> Array:
        """Logarithm of the error of every run's format at its width; 0 where none applies."""
        key = ("log errors", self.part, x.level.tobytes(), x.params.tobytes())
        return x.levels.keep(key, lambda: self._found(x, mask[x.level]))

    def _found(self, x: Inputs, acts: Mask) -> Array:
        width, found = log_width(x.params), np.zeros(len(x))
        below = np.floor(width).astype(int)
        formats = x.levels.formats(self.part, "serve")
        for level, low in {*zip(x.level[acts].tolist(), below[acts].tolist(), strict=True)}:
            known = formats[level]
            assert known is not None  # it applies
            ends = [self._log_error(known, 2**w) for w in (low, min(low + 1, WIDTHS[1]))]
            rows = (x.level == level) & (below == low)
            found[rows] = ends[0] + (width[rows] - low) * (ends[1] - ends[0])
        return found

    def _log_error(self, known: Format, width: int) -> float:
        shares = known.granularity is None and known.block is None and known.is_scaled
        if shares:
            own = known.modifiers._replace(granularity=GRANULARITY.get(self.part, "tensor"))
            known = known.modified(own)
        return math.log(row_error(known, width))

    @staticmethod
    def _unknown(levels: Levels) -> Array:
        """NaN where something was trained in few bits: to round it again costs something else."""
        whole = [all(f.is_wide for f in item.precision.train.values()) for item in levels.items]
        return np.where(whole, 0.0, math.nan)

    def _method(self, c: Constants, x: Inputs) -> Value:
        """The factor of every run's method; NaN where it has none."""
        formats = x.levels.formats(self.part, "serve")
        names = [None if known is None else known.method for known in formats]
        listed = {factor.name: factor for factor in self.methods}
        plain = [1.0 if name in NEAREST else math.nan for name in names]
        known = [f"m[{name}]" in listed for name in names]
        total: Value = np.where(known, 0.0, plain)[x.level]
        for name in listed:
            own = np.array([f"m[{each}]" == name for each in names])[x.level]
            if own.any():
                total = total + select(own, c[name], 0.0)
        return total
