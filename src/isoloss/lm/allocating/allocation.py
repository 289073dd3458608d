"""The format of each unit of a model that is predicted to cost least, within a budget of bits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from isoloss.files import displayed
from isoloss.formats import Format, Precision
from isoloss.lm.allocating.measuring import Sensitivity, spelled
from isoloss.lm.shape import ModelError


@displayed
@dataclass(frozen=True)
class BitAllocation:
    """A format for each unit of a model; `str` prints it.

    Attributes
    ----------
    formats
        By unit.
    bits
        The mean bits a weight, scales of groups counted.
    bytes
        Of the weights of all units.
    gap, gap_se
        The predicted gap and its standard error, nats a token.
    blocks
        Where the model has its list of blocks, which recipes of other tools name.
    """

    formats: Mapping[str, str]
    bits: float
    bytes: float
    gap: float
    gap_se: float
    blocks: str = "model.layers"

    @property
    def precision(self) -> Precision:
        """The precision that `quantise` and `quantised` take as `post`."""
        return Precision(spelled(self.formats))

    def __str__(self) -> str:
        by_format: dict[str, list[str]] = {}
        for unit, known in self.formats.items():
            by_format.setdefault(known, []).append(unit)
        lines = [f"{known}: {', '.join(units)}" for known, units in by_format.items()]
        head = f"{self.bits:.3f} bits a weight, predicted gap {self.gap:+.4f} +- {self.gap_se:.4f}"
        return "\n".join([head, *lines])


def allocate_bits(
    measured: Sensitivity, bits: float | None = None, *, bytes: float | None = None
) -> BitAllocation:
    """Choose the format of each unit: the least predicted divergence within so many bits a weight.

    The choice is exact for the predicted sum (an integer program, scipy's HiGHS).

    Parameters
    ----------
    measured
        What `sensitivity` found.
    bits, bytes
        The most mean bits a weight, scales of groups counted as `Format.storage_bits` does, or
        bytes of all units together; one of them.

    Raises
    ------
    ModelError
        Neither or both are given, not even the narrowest formats fit, or a model that was measured
        has no finite loss.
    """
    if (bits is None) == (bytes is None):
        raise ModelError("give either bits a weight or bytes of all units")
    sizes = np.array(list(measured.units.values()), float)
    most = float(sizes.sum() * bits if bits is not None else 8.0 * float(bytes or 0.0))
    stored = np.array([Format.parse(known).storage_bits for known in measured.formats])
    taken = sizes[:, None] * stored
    if not np.isfinite(most) or taken.min(1).sum() > most * (1 + 1e-12):
        raise ModelError(
            f"{most / sizes.sum():.4g} bits a weight are too few for {', '.join(measured.formats)}"
            f"; accepted are at least {taken.min(1).sum() / sizes.sum():.4g}"
        )
    cost = np.array([[measured.cost(u, f) for f in measured.formats] for u in measured.units])
    if not np.isfinite(cost).all():
        unit, known = np.argwhere(~np.isfinite(cost))[0]
        raise ModelError(
            f"rounded to {measured.formats[known]}, alone in '{list(measured.units)[unit]}' or "
            "everywhere, the model has no finite loss; measure without that format"
        )
    found = milp(
        cost.ravel() / (cost.max() or 1.0),  # whose tolerances are absolute
        options={"mip_rel_gap": 0.0},
        integrality=np.ones(cost.size, np.int64),
        bounds=Bounds(0, 1),
        constraints=[
            LinearConstraint(np.kron(np.eye(len(sizes)), np.ones(len(stored))), 1, 1),
            LinearConstraint((taken / most).ravel()[None], -np.inf, 1 + 1e-12),
        ],
    )
    if found.x is None:
        raise ModelError(f"no allocation was found: {found.message}")
    chosen = found.x.reshape(cost.shape).argmax(1)
    return of_formats(
        measured,
        {unit: measured.formats[k] for unit, k in zip(measured.units, chosen, strict=True)},
    )


def of_formats(measured: Sensitivity, formats: Mapping[str, str]) -> BitAllocation:
    """The allocation that gives each unit this format, with what it is predicted to cost."""
    gap, error = measured.predicted(formats)
    total = sum(
        size * Format.parse(formats[unit]).storage_bits for unit, size in measured.units.items()
    )
    count = sum(measured.units.values())
    return BitAllocation(dict(formats), total / count, total / 8.0, gap, error, measured.blocks)
