"""What rounding one part of a model at a time costs, and what rounding several is predicted to.

Units are blocks, or the matrices of a block. With K_u(f) the divergence of a model of which unit u
alone is rounded to format f, and G(f), K(f) the gap and divergence where all units are, a model
whose unit u has format f_u is predicted to lose

    gap = sum_u K_u(f_u) s(f_u),        s(f) = G(f) / sum_u K_u(f),

so that each format alone gives what was measured, and a mixture the sum of its parts, each scaled
as its format is when it stands everywhere; s holds both what errors of units add to one another and
what of the divergence is loss. Choices are made by the divergence, with K(f) in the place of G(f):
it has a smaller error than a gap, and is never negative, as the gap of a fine format is by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from isoloss.files import displayed
from isoloss.formats import Format, Precision
from isoloss.lm.after import (
    Calibrated,
    Degradation,
    Predictions,
    calibrated_methods,
    degradation,
    quantised,
)
from isoloss.lm.allocating.assembling import Assembled, stand_alone
from isoloss.lm.allocating.units import units_of
from isoloss.lm.arguments import check_kind, check_module
from isoloss.lm.shape import ModelError


@displayed
@dataclass(frozen=True, eq=False)
class Sensitivity:
    """What rounding costs a model, unit by unit; `str` prints a table.

    Attributes
    ----------
    units
        Scopes of a precision, "layers.3" or "layers.3.fc2", with how many weights each has.
    formats
        Formats with their methods, "uint3/64@gptq".
    alone
        For each unit and format the loss of the model that is rounded there alone.
    whole
        For each format the loss of the model of which all units are rounded.
    blocks
        Where the model has its list of blocks, "transformer.h".
    """

    units: Mapping[str, int]
    formats: tuple[str, ...]
    alone: Mapping[tuple[str, str], Degradation]
    whole: Mapping[str, Degradation]
    blocks: str = "model.layers"

    def scale(self, known: str) -> float:
        """s of a format: the gap of all units over the sum of their divergences alone; 0 where none
        of them changes anything, as in the format that the model was trained in.
        """
        total = self._total(known)
        return self.whole[known].gap / total if total else 0.0

    def _total(self, known: str) -> float:
        return sum(self.alone[unit, known].kl for unit in self.units)

    def cost(self, unit: str, known: str) -> float:
        """The divergence that a unit in a format is predicted to add, nats a token."""
        total = self._total(known)
        return self.alone[unit, known].kl * (self.whole[known].kl / total if total else 0.0)

    def predicted(self, formats: Mapping[str, str]) -> tuple[float, float]:
        """The gap of a model with a format for each unit, and its standard error, nats a token.

        The error holds those of the gaps of whole formats, as if one sample of text had moved them
        all alike, and those of units, as if each were its own.

        Raises
        ------
        ModelError
            A unit has no format, or one that was not measured.
        """
        for unit in self.units:
            if (unit, formats.get(unit, "")) not in self.alone:
                raise ModelError(
                    f"'{unit}' has the format {formats.get(unit)!r}; accepted is one of "
                    f"{', '.join(self.formats)} for each unit"
                )
        chosen = [(self.alone[unit, formats[unit]], formats[unit]) for unit in self.units]
        gap = sum(each.kl * self.scale(known) for each, known in chosen)
        common = 0.0
        for known in dict.fromkeys(known for _, known in chosen):
            share = sum(each.kl for each, other in chosen if other == known)
            common += share / (self._total(known) or 1.0) * self.whole[known].gap_se
        own = sum((each.kl_se * self.scale(known)) ** 2 for each, known in chosen)
        return gap, float(np.sqrt(common**2 + own))

    def __str__(self) -> str:
        head = f"{'unit':24s} {'weights':>10s} " + " ".join(f"{f:>20s}" for f in self.formats)
        lines = [head]
        for unit, size in self.units.items():
            found = (self.alone[unit, known] for known in self.formats)
            each = " ".join(f"{f'{x.kl:.2e} +- {x.kl_se:.0e}':>20s}" for x in found)
            lines.append(f"{unit:24s} {size:10d} {each}")
        each = " ".join(f"{f'{self.whole[f].gap:+.4f}':>20s}" for f in self.formats)
        return "\n".join([*lines, f"{'all, gap':35s} {each}"])


def sensitivity(
    model: nn.Module,
    formats: Sequence[str | Format],
    tokens: np.ndarray,
    calibration: Tensor | Calibrated | None = None,
    *,
    by: str = "block",
    callback: Callable[[int], object] | None = None,
) -> Sensitivity:
    """Measure what each unit of a model loses when it alone is rounded, and all of them together.

    Parameters
    ----------
    model
        A model of this package or any torch module; it stays as it is.
    formats
        Two or more, with their methods: "uint3/64+clip@gptq", "int4".
    tokens
        Held-out sequences, shape (rows, context + 1), two rows or more.
    calibration
        Tokens of shape (rows, context) for methods that look at inputs.
    by
        "block" (all matrices of a block together) or "matrix" (those of one name in a block).
    callback
        Called with 1 after each model that was measured: formats x (units + 1) of them.

    Returns
    -------
    Sensitivity
        Losses and divergences with their standard errors.

    Raises
    ------
    ModelError
        An argument is of another kind, calibration is missing, or the model has no blocks that can
        be rounded.
    """
    check_module("model", model)
    known = _formats(formats)
    check_kind("calibration", calibration, (Tensor, Calibrated, type(None)), "tokens, or None")
    seen = Calibrated(calibration) if isinstance(calibration, Tensor) else calibration
    if seen is None and (blind := calibrated_methods(map(Format.parse, known))):
        raise ModelError(f"@{blind[0].name} looks at inputs; pass calibration tokens")
    blocks, units = units_of(model, by)
    before, tick = Predictions.of(model, tokens), callback or (lambda _: None)

    def lost(other: nn.Module) -> Degradation:
        found = degradation(before, other, tokens)
        tick(1)
        return found

    # Blocks of models that are rounded as a whole serve for those that are rounded in one alone.
    lending = by == "block" and stand_alone(model, blocks, known)
    copied, alone, whole = Assembled(model, blocks) if lending else None, {}, {}
    for each in known:
        rounded = quantised(model, spelled(dict.fromkeys(units, each)), seen)
        whole[each] = lost(rounded)
        for unit in units:
            if copied is None:
                alone[unit, each] = lost(quantised(model, f"w.{unit}:{each}", seen))
            else:
                with copied.lent({unit: rounded}) as lent:
                    alone[unit, each] = lost(lent)
    return Sensitivity(units, known, alone, whole, blocks)


def spelled(formats: Mapping[str, str]) -> str:
    """The precision of a format for each unit."""
    return " ".join(f"w.{unit}:{known}" for unit, known in formats.items())


def _formats(given: object) -> tuple[str, ...]:
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise ModelError(f"formats is {given!r}; accepted are two or more, as ['int3', 'int4']")
    try:
        found = tuple(str(Precision(f"w:{each}").format("w")) for each in given)
    except ValueError as error:
        raise ModelError(str(error)) from None
    if len(set(found)) < max(2, len(found)):
        raise ModelError(f"formats is {given!r}; accepted are two or more different ones")
    return found
