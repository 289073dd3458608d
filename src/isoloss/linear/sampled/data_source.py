"""How the samples of a problem are drawn, and what the weights that come out of them are measured
with.

Without a sketch the features are independent: normal; for a kurtosis k < 3 a normal plus a random
sign, with shares q and 1 - q of the variance, q = 1 - sqrt((3 - k) / 2); for k > 3 normal with
probability 3 / k, else 0.

With a sketch, z = S x. Rounded after it, z is drawn directly as V diag(sqrt mu) n in the eigenbasis
of G = S H S', with labels <v*, z> + r, v* = G^-1 S H w*: the residual r, what the sketch misses of
<w*, x> and the noise of the label, is normal and independent of z. Rounded before it, all x are
drawn and S Q(x) is formed, sample by sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoloss.formats import Format
from isoloss.linear.moments import data_moments, rounded_covariance
from isoloss.linear.regression import Regression

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Norm:
    """A risk 0.5 ||w - best||^2: the norm as (n,) or (n, n), and best = pull w*, pull as (n,) or
    (n, dim).
    """

    matrix: Array
    pull: Array

    def best(self, targets: Array) -> Array:
        """The optimum (R, n) for targets (R, dim)."""
        return targets * self.pull if self.pull.ndim == 1 else targets @ self.pull.T

    def half(self, a: Array, b: Array) -> Array:
        """0.5 <a, b> in this norm, for rows (R, n) each."""
        turned = a * self.matrix if self.matrix.ndim == 1 else a @ self.matrix
        return np.asarray(0.5 * np.einsum("rn,rn->r", turned, b))


@dataclass(frozen=True)
class DataSource:
    """Inputs of deviation (k,), mixed into what n weights see by mix (k, n) or (0, 0), `before`
    that rounded or after.

    slope (k,) or (k, dim): labels are <slope w*, inputs> + noise. `clean` is the norm of clean
    inputs. largest: root mean square of the largest element that is rounded. power: E <w*, x>^2;
    learned: what of it a model can learn; weight: root mean square of the largest weight of the
    clean optimum.
    """

    deviation: Array
    mix: Array
    before: bool
    slope: Array
    clean: Norm
    largest: float
    power: float
    learned: float
    weight: float

    @property
    def weights(self) -> int:
        """How many weights the model has."""
        return self.mix.shape[1] or len(self.deviation)

    def slopes(self, targets: Array) -> Array:
        """The slopes (R, k) for targets (R, dim)."""
        return targets * self.slope if self.slope.ndim == 1 else targets @ self.slope.T

    def missed(self, lam: Array, targets: Array) -> Array:
        """0.5 E <w*, x>^2 less what can be learned of it, (R,) for targets (R, dim)."""
        if self.mix.size == 0:
            return np.zeros(len(targets))
        best = self.clean.best(targets)
        return np.maximum(0.5 * targets**2 @ lam - self.clean.half(best, best), 0.0)


def data_source_of(problem: Regression, data: Format | None) -> DataSource:
    """The source of a problem whose data are rounded to `data` (None: not)."""
    lam, squares = problem.lam, problem.target_squares
    power = float(lam @ squares)
    if problem.sketch is None:
        # Without a sketch inputs are the features themselves, and the optimum is w*.
        one = np.ones(problem.dim)
        sizes = float(np.sqrt(lam.max())), power, power, float(np.sqrt(squares.max()))
        return DataSource(np.sqrt(lam), np.empty((0, 0)), False, one, Norm(lam, one), *sizes)
    sketch = problem.sketch_matrix()
    # G = S H S' (M, M), and the clean optimum G^-1 S H w*.
    gram = sketch * lam @ sketch.T
    pull = _solved(gram, sketch * lam)
    clean = Norm(gram, pull)
    weight = float(np.sqrt((pull**2 @ squares).max()))
    learned = float(np.einsum("md,mn,nd,d->", pull, gram, pull, squares, optimize=True))
    if problem.site == "before" and data is not None:
        sizes = float(np.sqrt(lam.max())), power, learned, weight
        return DataSource(np.sqrt(lam), sketch.T, True, np.ones(problem.dim), clean, *sizes)
    # Rounded after the sketch, z ~ N(0, G) is drawn in G's eigenbasis: M numbers a sample and not
    # dim.
    values, vectors = np.linalg.eigh(gram)
    sizes = float(np.sqrt(np.diag(gram).max())), power, learned, weight
    return DataSource(
        np.sqrt(np.maximum(values, 0.0)), vectors.T, False, vectors.T @ pull, clean, *sizes
    )


def quantised_norm(
    problem: Regression, data: Format | None, scale: float | None, source: DataSource
) -> Norm:
    """The norm of rounded features, H_q = E u u' and best = H_q^-1 E u y, u the rounded data."""
    if data is None:
        return source.clean
    if problem.sketch is None:
        h, _, g, _, _ = data_moments(problem.lam, problem.kurtosis, data, scale)
        return Norm(h, np.divide(g, h, out=np.full_like(h, 0.5), where=h > 0))
    sketch = problem.sketch_matrix()
    if problem.site == "before":
        h, _, g, _, _ = data_moments(problem.lam, 3.0, data, scale)
        covariance = sketch * h @ sketch.T
        return Norm(covariance, _solved(covariance, sketch * g))
    gram = source.clean.matrix
    covariance, gain = rounded_covariance(gram, data, scale, source.largest)
    return Norm(covariance, _solved(covariance, gain[:, None] * (sketch * problem.lam)))


def _solved(matrix: Array, right: Array) -> Array:
    return np.asarray(np.linalg.solve(matrix, right), dtype=np.float64)
