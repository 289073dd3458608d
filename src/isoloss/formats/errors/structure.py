"""What kind of noise rounding is on given data: additive, multiplicative by element, or by one
factor a vector.

The theory of quantised training knows three error models (`noise.py`). On rows x with errors e =
Q(x) - x they differ in their second moments:

    E[e_i^2 | x]   = additive + (elementwise + shared) x_i^2
    E[e_i e_j | x] = shared x_i x_j                            for i not j

so the diagonal holds the additive level and the sum of the other two, and the products of different
elements of a row hold the shared one. Rounding that saturates or drops small numbers also shrinks
all of x by one factor 1 + bias, which is no noise: its square is taken out of the shared level and
stands alone. `error_structure` fits these numbers, each no less than 0, and says what share of the
whole squared error each explains and how far the errors of single magnitudes lie from the fit: a
real format is none of them exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoloss.files import displayed
from isoloss.formats.errors.distributions import Array
from isoloss.formats.number import Format
from isoloss.formats.rounding import AnyArray, checked, fake_quantise

BINS = 24


@displayed
@dataclass(frozen=True, repr=False)
class ErrorStructure:
    """The error of a format on an array.

    Attributes
    ----------
    format
        The format.
    relative
        The sum of e^2 over that of x^2.
    bias
        The sum of e x over that of x^2 (0: unbiased).
    additive
        The level of the additive model, a variance in units of x^2.
    elementwise, shared
        The levels of the multiplicative models, relative variances.
    shares
        The parts of the squared error that additive, elementwise, shared and bias explain, in this
        order.
    magnitudes, errors
        Mean |x| and mean e^2 in bins of |x|, shape (bins,).
    fitted
        What the three models make of each bin, shape (bins,).
    misfit
        The root mean square of log2(errors / fitted), weighed by the error in each bin.
    """

    format: Format
    relative: float
    bias: float
    additive: float
    elementwise: float
    shared: float
    shares: tuple[float, float, float, float]
    magnitudes: Array
    errors: Array
    fitted: Array
    misfit: float

    def __repr__(self) -> str:
        names = (
            ("additive", f"add({self.additive:.3g})"),
            ("multiplicative by element", f"coord({self.elementwise:.3g})"),
            ("multiplicative, shared by a vector", f"vec({self.shared:.3g})"),
            ("bias", f"x times {1 + self.bias:.4g}"),
        )
        width = max(len(name) for name, _ in names)
        rows = [
            f"  {name:<{width}}  {share:6.1%}  {level}"
            for (name, level), share in zip(names, self.shares, strict=True)
        ]
        return "\n".join(
            [
                f"{self.format}: squared error {self.relative:.4g} of the data, bias "
                f"{self.bias:+.2g}",
                *rows,
                f"  errors of single magnitudes lie a factor 2^{self.misfit:.2f} from these "
                "together",
            ]
        )


def error_structure(
    x: AnyArray, format: Format | str, *, random: Any = 0, scale: Any = None
) -> ErrorStructure:
    """How far a format acts on the rows of x as each of the theory's three error models.

    Parameters
    ----------
    x
        An array whose last axis holds the vectors.
    known, random, scale
        As for `fake_quantise`, which rounds x.

    Raises
    ------
    ValueError
        x cannot be rounded, or there is nothing to measure: rows of one number, or no error at all.
    """
    known = Format.parse(format)
    rows, errors = _rounded_rows(x, known, random, scale)
    total, power = float(np.sum(errors**2)), float(np.sum(rows**2))
    bias = float(np.sum(errors * rows)) / power
    magnitudes, means, counts = _binned(np.abs(rows).ravel(), errors.ravel() ** 2)
    additive, multiplicative = _fitted(magnitudes, means, counts)
    # A factor that all elements share is no noise: its square is not counted as the shared level.
    systematic = min(bias**2, multiplicative)
    shared = min(max(_shared(rows, errors) - systematic, 0.0), multiplicative - systematic)
    elementwise = multiplicative - systematic - shared
    fitted = additive + multiplicative * magnitudes**2
    per_power = power / total
    return ErrorStructure(
        known,
        total / power,
        bias,
        additive,
        elementwise,
        shared,
        (
            additive * rows.size / total,
            elementwise * per_power,
            shared * per_power,
            systematic * per_power,
        ),
        magnitudes,
        means,
        fitted,
        _misfit(means, fitted, counts),
    )


def _rounded_rows(x: AnyArray, known: Format, random: Any, scale: Any) -> tuple[Array, Array]:
    """The rows of x and their errors, once there is something to measure."""
    checked(x)
    if len(x.shape) < 1 or x.shape[-1] < 2:
        raise ValueError(
            f"the error structure needs rows of 2 numbers or more, not shape {tuple(x.shape)}"
        )
    out = fake_quantise(x, known, random=random if known.is_random else None, scale=scale)
    rows = _double(x).reshape(-1, x.shape[-1])
    errors = _double(out).reshape(rows.shape) - rows
    with np.errstate(over="ignore"):
        total, power = float(np.sum(errors**2)), float(np.sum(rows**2))
    if not (0 < power < math.inf and total < math.inf):
        raise ValueError(
            f"the squares of this array sum to {power:g}; an error structure needs a finite sum "
            "above 0"
        )
    if total == 0:
        raise ValueError(f"'{known}' rounds nothing in this array, so its error has no structure")
    return rows, errors


def _double(x: AnyArray) -> Array:
    """x as numbers of numpy, whatever library and device it is of."""
    if hasattr(x, "detach"):
        x = x.detach().cpu().double().numpy()
    return np.asarray(x, dtype=np.float64)


def _shared(rows: Array, errors: Array) -> float:
    """The level of the factor shared by a row: sums of e_i e_j x_i x_j over those of x_i^2 x_j^2, i
    not j."""
    squares, products = rows**2, errors * rows
    over = np.sum(np.sum(products, axis=1) ** 2 - np.sum(products**2, axis=1))
    under = np.sum(np.sum(squares, axis=1) ** 2 - np.sum(squares**2, axis=1))
    return max(float(over / under), 0.0) if under > 0 else 0.0


def _binned(magnitudes: Array, squares: Array) -> tuple[Array, Array, Array]:
    """Root mean square magnitude, mean squared error and number of elements, in bins of equal
    count."""
    # Bins of equal count: equal widths would leave the rare large magnitudes to a few numbers.
    order = np.argsort(magnitudes)
    parts = [part for part in np.array_split(order, BINS) if part.size]
    means = (
        np.sqrt([np.mean(magnitudes[p] ** 2) for p in parts]),
        np.array([squares[p].mean() for p in parts]),
    )
    return *means, np.array([float(p.size) for p in parts])


def _fitted(magnitudes: Array, means: Array, counts: Array) -> tuple[float, float]:
    """The additive and the multiplicative level, no less than 0, that give the whole error.

    Least squares over the bins, with the total as one more equation of so much weight that it
    holds.
    """
    from scipy.optimize import nnls  # formats are read everywhere, errors computed seldom

    design = np.stack([np.ones_like(magnitudes), magnitudes**2], axis=1)
    weights = np.sqrt(counts)[:, None]
    left = np.concatenate([design * weights, 1e4 * np.mean(design * weights, axis=0)[None, :]])
    right = np.concatenate([means * weights[:, 0], [1e4 * np.mean(means * weights[:, 0])]])
    additive, multiplicative = nnls(left, right)[0]
    return float(additive), float(multiplicative)


def _misfit(means: Array, fitted: Array, counts: Array) -> float:
    seen = (means > 0) & (fitted > 0)
    weights = counts[seen] * means[seen]
    logs = np.log2(means[seen] / fitted[seen])
    return float(np.sqrt(np.sum(weights * logs**2) / np.sum(weights)))
