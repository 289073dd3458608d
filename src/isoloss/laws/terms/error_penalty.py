"""A penalty that follows from the error of a format, so that one nobody has run can be priced."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from isoloss.formats import Format, row_error
from isoloss.laws.constant import Constant
from isoloss.laws.formula import Constants, Link, product
from isoloss.laws.inputs import Inputs, Levels, Mask, Stage
from isoloss.laws.jet import Array, Value, plain, select, take
from isoloss.laws.terms.patterns import WIDE

#: What shares a scale where a format does not say it.
GRANULARITY: dict[str, int | str] = {"w": "row", "a": "tensor", "kv": "row"}
#: Methods that are rounding to nearest.
NEAREST = (None, "rtn")
#: Widths between which a matrix is taken to have rows, as log2.
WIDTHS = (4, 14)


def log_width(log_params: Value) -> Value:
    """About how many inputs the matrices of a decoder of so many params have, as log2.

    A power of params between decoders of 20k params (width 32) and of 8B (4096): 1B has 2048.
    """
    width = 0.38 / math.log(2) * log_params - 0.45
    low, high = plain(width) < WIDTHS[0], plain(width) > WIDTHS[1]
    within = select(~(low | high), width, 0.0)
    return within + WIDTHS[0] * low + WIDTHS[1] * high


@dataclass(frozen=True)
class MethodFactor:
    """One constant for every method by which a part is rounded after training, rounding to nearest
    being one.

    Attributes
    ----------
    part
        The part, as "w".
    entry
        The constant of one method, which stands for all.
    labels
        The methods that have a constant, in order; `bind` adds those of data.
    """

    part: str
    entry: Constant
    labels: tuple[str, ...] = ()

    @property
    def stage(self) -> Stage:
        """Methods are of serving."""
        return "serve"

    @property
    def constants(self) -> tuple[Constant, ...]:
        """One constant a method, as "m[gptq]"."""
        return tuple(
            replace(self.entry, name=f"{self.entry.name}[{label}]",
                    meaning=f"{self.entry.meaning}, {label}")
            for label in self.labels
        )  # fmt: skip

    def bind(self, levels: Levels) -> MethodFactor:
        """The factors with the methods of the data beside those it has."""
        new = [name for name in self._methods(levels) if name is not None]
        return replace(self, labels=tuple(dict.fromkeys((*self.labels, *new))))

    def applies(self, levels: Levels) -> Mask:
        """Where the part is rounded otherwise than to nearest."""
        return np.array([name is not None for name in self._methods(levels)], dtype=bool)

    def __call__(self, c: Constants, levels: Levels) -> Value:
        """The factor at every level; NaN where its method has none."""
        names = self._methods(levels)
        total: Value = np.array([0.0 if name in self.labels else math.nan for name in names])
        for label, constant in zip(self.labels, self.constants, strict=True):
            own = np.array([name == label for name in names])
            if own.any():
                total = total + select(own, c[constant.name], 0.0)
        return total

    def domain(self, c: Constants) -> str:
        """The methods that have a factor."""
        return f"the law has factors of {', '.join(self.labels) or 'no method'} beside rtn"

    def _methods(self, levels: Levels) -> list[str | None]:
        found = (f.method if f else None for f in levels.formats(self.part, "serve"))
        return [None if name in NEAREST else name for name in found]


def _filled(part: str, known: Format) -> Format:
    """A format with what shares a scale, where it does not say it."""
    if known.granularity is None and known.block is None and known.is_scaled:
        own = known.modifiers._replace(granularity=GRANULARITY.get(part, "tensor"))
        return known.modified(own)
    return known


def _key(known: Format) -> str:
    """By what a format was measured: methods after training enter by their factor."""
    return str(known.modified(known.modifiers._replace(method=None)))


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
        The factor m of each method beside rounding to nearest.
    measured
        Errors of formats as they were measured on a model, by spelling with what shares a scale, in
        place of those of normal rows; a format that was not measured is then undefined.
    """

    part: str
    amplitude: Constant
    error_power: Constant
    params_power: Constant
    tokens_power: Constant
    methods: Link
    measured: tuple[tuple[str, float], ...] = ()

    @property
    def constants(self) -> tuple[Constant, ...]:
        """c, p, n, d and the factors of methods."""
        powers = (self.error_power, self.params_power, self.tokens_power)
        return (self.amplitude, *powers, *self.methods.constants)

    @property
    def links(self) -> tuple[Link, ...]:
        """The factor of methods; the error depends on params too."""
        return (self.methods,)

    def reading(self, errors: Mapping[str, float]) -> ErrorPenalty:
        """The penalty that reads errors as they were measured, by the spellings of formats."""
        pairs = ((Format.parse(name), float(error)) for name, error in errors.items())
        measured = tuple((_key(_filled(self.part, known)), error) for known, error in pairs)
        return replace(self, measured=measured)

    def with_links(self, change: Callable[[Link], Link]) -> ErrorPenalty:
        """The penalty with its factor of methods changed."""
        return replace(self, methods=change(self.methods))

    def applies(self, levels: Levels) -> Mask:
        """Where the part is served below 16 bits."""
        return levels.is_set(self.part, "serve") & ~(levels.bits(self.part, "serve") >= WIDE)

    def __call__(self, c: Constants, x: Inputs, log_params: Value) -> Value:
        """The penalty of every run."""
        mask = self.applies(x.levels)
        if not mask.any():
            return 0.0
        log_error = self._log_error(x, mask)
        power = c[self.error_power.name] * log_error
        power = power - c[self.params_power.name] * x.log_params
        power = power + c[self.tokens_power.name] * x.log_tokens
        size = c[self.amplitude.name] * np.exp(power)
        size = size * take(product((self.methods,), c, x.levels), x.level)
        return select(mask[x.level], size + self._unknown(x.levels)[x.level], 0.0)

    def _log_error(self, x: Inputs, mask: Mask) -> Value:
        """Logarithm of the error of every run's format in rows of its width, between powers of two
        on a line; 0 where none applies.
        """
        width = log_width(x.log_params)
        below = np.minimum(np.floor(plain(width)).astype(int), WIDTHS[1] - 1)
        table = self._table(x.levels, mask, np.unique(below))
        start, end = table[x.level, below - WIDTHS[0]], table[x.level, below + 1 - WIDTHS[0]]
        return start + (end - start) * (width - below)

    def _table(self, levels: Levels, mask: Mask, below: Array) -> Array:
        """Logarithms of errors, (levels, widths), found at these widths and the next ones."""
        count = WIDTHS[1] - WIDTHS[0] + 1
        key = ("log errors", self.part, self.measured)
        table = levels.keep(key, lambda: np.full((len(mask), count), np.nan))
        for width in {*below.tolist(), *(below + 1).tolist()}:
            column = table[:, width - WIDTHS[0]]
            for k in np.flatnonzero(np.isnan(column)):
                known = levels.formats(self.part, "serve")[k] if mask[k] else None
                column[k] = 0.0 if known is None else math.log(self._error(known, 2**width))
        return table

    def _error(self, known: Format, width: int) -> float:
        known = _filled(self.part, known)
        if not self.measured:
            return row_error(known, width)
        return dict(self.measured).get(_key(known), math.nan)

    @staticmethod
    def _unknown(levels: Levels) -> Array:
        """NaN where something was trained in few bits: to round it again costs something else."""
        whole = [item.precision.trained.is_wide for item in levels.items]
        return np.where(whole, 0.0, math.nan)
