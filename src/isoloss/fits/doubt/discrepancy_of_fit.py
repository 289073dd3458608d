"""How large the discrepancy of a fit is, from how well its runs predict one another.

Residuals that the constants cannot move have a normal law whose covariance is noise + units +
discrepancy. Their density at an amplitude is the product, over the runs in any order, of how well
each is predicted from those before it: a rollout of every order at once, without refits. Amplitudes
are averaged by it over a prior that has half its weight at zero and falls as a Cauchy law, so that
a right law is widened little.
Reference: Harville 1974, Biometrika 61 (the density of residuals); Brown, Durbin and Evans 1975
(recursive residuals); Polson and Scott 2012 (half-Cauchy scales).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoloss.fits.doubt.discrepancy import Discrepancy, waves
from isoloss.fits.doubt.hidden_bend import FAR, HiddenBend, hidden_bends, noncentrality
from isoloss.fits.sample import Sample
from isoloss.fits.solve import Optimum, log_slopes
from isoloss.laws import Array, as_inputs

#: Fewest residuals beyond the constants, and fewest sizes, from which a discrepancy is told.
LEAST_FREEDOM, LEAST_SIZES = 10, 3
#: Fewest units of which the spread is told, and most that are told apart.
LEAST_UNITS, MOST_UNITS = 6, 400
#: Chances, before the runs, that there is no discrepancy and that there are no unit effects.
NO_MISFIT, NO_UNITS = 0.5, 0.7
#: Scale of the Cauchy law of amplitudes, over the noise: a misfit is mostly below it.
USUAL = 0.7
#: Standard deviations over that of the noise: of the discrepancy, and of unit effects.
AMPLITUDES, UNIT_AMPLITUDES = np.geomspace(0.3, 10.0, 16), np.geomspace(0.2, 5.0, 8)


@dataclass(frozen=True)
class _Residuals:
    """Residuals of log loss, the slopes of the constants and the weights of runs at an optimum."""

    residual: Array
    slopes: Array
    weight: Array
    basis: Array
    taking: Array

    @property
    def freedom(self) -> int:
        return len(self.residual) - int(self.basis.shape[1])

    def left(self, columns: Array) -> Array:
        """What the constants leave of columns (n, ...), rows weighted."""
        root = np.sqrt(self.weight)
        weighted = columns * (root if columns.ndim == 1 else root[:, None])
        return np.asarray(weighted - self.basis @ (self.basis.T @ weighted))


def discrepancy_of(optimum: Optimum, sample: Sample, grouped: bool, freedom: int) -> Discrepancy:
    """The discrepancy of a fit.

    Parameters
    ----------
    optimum, sample
        The fit and its runs.
    grouped
        Whether replicates drew whole groups, so that they hold the effects of groups.
    freedom
        Directions of the test for lack of fit, for what it can find; 0 where it was not made.
    """
    few = _too_few(optimum, sample)
    if few:
        return Discrepancy(few)
    x = sample.x
    found = _residuals(optimum, sample)
    centre = float(x.log_params.mean()), float(x.log_tokens.mean())
    columns = waves(x, centre)
    unit, members = _units(sample)
    effects = np.eye(int(members.max()) + 1)[members] if unit else np.zeros((len(x), 0))
    left = found.left(found.residual), found.left(columns), found.left(effects)
    chances, variances = amplitudes(*left, found.freedom)
    unit_ratios = np.append(0.0, UNIT_AMPLITUDES**2) if unit else np.zeros(1)
    directions, sizes, shown = seen_directions(*left, float(chances.sum(axis=1) @ unit_ratios))
    held = unit == "group" and grouped
    pull = found.taking @ effects * (not held)
    return Discrepancy(
        unknown="",
        centre=centre,
        ratios=np.append(0.0, AMPLITUDES**2),
        unit_ratios=unit_ratios,
        chances=chances,
        variances=variances,
        freedom=found.freedom,
        taken=found.taking @ columns,
        directions=directions,
        sizes=sizes,
        shown=shown,
        unit_pull=_root(pull @ pull.T),
        unit=unit,
        new_unit=bool(unit) and not held,
        fall=_fall(found.residual, x.log_params, found.freedom),
        span=(float(x.log_params.min()), float(x.log_params.max())),
        bends=_bends(optimum, sample, found, freedom) if freedom else (),
    )


def _too_few(optimum: Optimum, sample: Sample) -> str:
    """Why the runs cannot tell a discrepancy; empty where they can."""
    left = len(sample) - len(optimum.theta)
    sizes = len(np.unique(sample.x.params))
    if not len(optimum.theta):
        return "no constant was fitted"
    if sizes < LEAST_SIZES:
        return f"it needs {LEAST_SIZES} sizes to see a bend, and the runs have {sizes}"
    if left < LEAST_FREEDOM:
        return (
            f"{len(sample)} runs less {len(optimum.theta)} constants leave {left}, and it needs "
            f"{LEAST_FREEDOM}"
        )
    problem = optimum.problem
    if np.abs(problem.residuals(optimum.theta[None, :])).max() <= problem.digits:
        return "the residuals are no larger than the digits of the losses"
    return ""


def _residuals(optimum: Optimum, sample: Sample) -> _Residuals:
    """Residuals of log loss whatever the objective, weighted as it weighs them."""
    problem, theta = optimum.problem, optimum.theta
    law = problem.coordinates.law
    predicted = optimum.law.loss(sample.x)
    residual = np.log(predicted / sample.loss)
    weight = problem.objective.weight(problem.residuals(theta[None, :])[0])
    if not problem.objective.log:
        weight = weight * predicted**2
    if problem.weights is not None:
        weight = weight * problem.weights
    weight = weight / weight.max()
    slopes = log_slopes(law, theta[None, :], sample.x)[0]
    weighted = slopes * np.sqrt(weight)[:, None]
    length = np.maximum(np.linalg.norm(weighted, axis=0), 1e-100)
    basis, size, _ = np.linalg.svd(weighted / length, full_matrices=False)
    # Bounds hold what runs do not: a constant moves by its range at most, not along a ridge.
    spread = max(float(np.mean(weight * residual**2)), 1e-18)
    reach = problem.coordinates.upper - problem.coordinates.lower
    hold = np.diag(spread / np.square(reach * length))
    scaled = weighted / length
    taking = np.linalg.solve(scaled.T @ scaled + hold, (scaled * np.sqrt(weight)[:, None]).T)
    return _Residuals(
        residual, slopes, weight, basis[:, size > 1e-8 * size.max()], taking / length[:, None]
    )


def _units(sample: Sample) -> tuple[str, NDArray[np.intp]]:
    """What may share an effect, and of which each run is: groups, repeated cells, or sizes."""
    x = sample.x
    if sample.clusters is not None:
        name, members = "group", sample.clusters
    elif int(sample.cells.max()) + 1 <= min(0.7 * len(sample), MOST_UNITS):
        name, members = "cell", sample.cells
    else:
        keys = np.stack([x.params, x.group if len(x.group) else np.zeros(len(x))])
        name, members = "size", np.unique(keys, axis=1, return_inverse=True)[1].ravel()
    count = int(members.max()) + 1
    told = LEAST_UNITS <= count <= min(len(sample) / 2, MOST_UNITS)
    return (name, members) if told else ("", members)


def amplitudes(
    residual: Array, columns: Array, effects: Array, freedom: int
) -> tuple[Array, Array]:
    """Chances and noise variances (g, k) of each pair of amplitudes of units and discrepancy.

    Residuals, waves (n, m) and unit columns (n, u) are those that the constants leave, weighted;
    the variance is the likeliest at each pair. With noise 1, units G and waves F the covariance is
    I + gamma^2 G G' + lambda^2 F F', and its factors come from two decompositions for all lambda.
    """
    ratios = np.append(0.0, AMPLITUDES**2)
    unit_ratios = np.append(0.0, UNIT_AMPLITUDES**2) if effects.shape[1] else np.zeros(1)
    height = np.empty((len(unit_ratios), len(ratios)))
    variance = np.empty_like(height)
    if len(residual) > 1 + effects.shape[1] + columns.shape[1]:
        # Only products of columns count, and the triangle of many rows has the same.
        units = effects.shape[1]
        rows = np.column_stack([residual, effects, columns])
        least = np.asarray(np.linalg.qr(rows, mode="r"))
        residual, effects, columns = least[:, 0], least[:, 1 : 1 + units], least[:, 1 + units :]
    turn, size = _directions(effects)
    for i, ratio in enumerate(unit_ratios):
        # Whitening of I + ratio G G': each direction of the units shrinks to its own spread.
        less = 1.0 - 1.0 / np.sqrt(1.0 + ratio * size**2)
        white = residual - turn @ (less * (turn.T @ residual))
        basis, length = _directions(columns - turn @ (less[:, None] * (turn.T @ columns)))
        along = basis.T @ white
        rest = max(float(white @ white - along @ along), 0.0)
        grown = 1.0 + ratios[:, None] * length**2
        total = np.maximum((along**2 / grown).sum(axis=1) + rest, 1e-30)
        variance[i] = total / freedom
        height[i] = -0.5 * (
            np.log1p(ratio * size**2).sum() + np.log(grown).sum(axis=1) + freedom * np.log(total)
        )
    prior = np.outer(_prior(np.sqrt(unit_ratios), NO_UNITS), _prior(np.sqrt(ratios), NO_MISFIT))
    chances = np.exp(height - height.max()) * prior
    return chances / chances.sum(), variance


def seen_directions(
    residual: Array, columns: Array, effects: Array, unit_ratio: float
) -> tuple[Array, Array, Array]:
    """Combinations of waves that the residuals see: directions (m, r), sizes and values (r,).

    Arguments are those of ``amplitudes``, with the variance of unit effects over that of the noise.
    Directions of which the largest amplitude stays a third of the noise are left out.
    """
    turn, size = _directions(effects)
    less = 1.0 - 1.0 / np.sqrt(1.0 + unit_ratio * size**2)
    white = residual - turn @ (less * (turn.T @ residual))
    columns = columns - turn @ (less[:, None] * (turn.T @ columns))
    basis, sizes, directions = np.linalg.svd(columns, full_matrices=False)
    kept = sizes * AMPLITUDES.max() > 1 / 3
    return directions[kept].T, sizes[kept], basis.T[kept] @ white


def _prior(amplitude: Array, zero: float) -> Array:
    """A share at zero, and the rest a Cauchy law's over amplitudes that are even in log."""
    if len(amplitude) == 1:
        return np.ones(1)
    scaled = amplitude[1:] / USUAL
    slab = scaled / (1.0 + scaled**2)
    return np.append(zero, (1.0 - zero) * slab / slab.sum())


def _directions(columns: Array) -> tuple[Array, Array]:
    """Orthonormal directions of columns and their sizes."""
    if not columns.shape[1]:
        return np.zeros((len(columns), 0)), np.zeros(0)
    basis, size, _ = np.linalg.svd(columns, full_matrices=False)
    kept = size > 1e-8
    return basis[:, kept], size[kept]


def _root(covariance: Array) -> Array:
    value, vector = np.linalg.eigh(covariance)
    return np.asarray(vector * np.sqrt(np.maximum(value, 0.0)))


def _fall(residual: Array, log_params: Array, freedom: int) -> float:
    """Slope of the log scale of noise in log params, shrunk to none where it may be chance.

    The log of a normal residual's size scatters by 1.11. Even chances of no slope and of one of
    standard deviation 0.5.
    """
    at = log_params - log_params.mean()
    size = np.log(np.maximum(np.abs(residual), 1e-3 * np.abs(residual).max() + 1e-300))
    length = float(at @ at)
    if not length > 0:
        return 0.0
    slope = float(at @ size) / length
    noise, wide = 1.11**2 / length, 0.25
    odds = np.sqrt(noise / (noise + wide)) * np.exp(
        min(0.5 * slope**2 * (1 / noise - 1 / (noise + wide)), 700.0)
    )
    return float(slope * wide / (noise + wide) * odds / (1 + odds))


def _bends(
    optimum: Optimum, sample: Sample, found: _Residuals, freedom: int
) -> tuple[HiddenBend, ...]:
    """What bends along params and along tokens the test for lack of fit finds."""
    x = sample.x
    top = as_inputs(
        FAR * x.params.max(),
        FAR * x.tokens.max(),
        [x.levels.items[x.level[0]].precision],
        unique_tokens=None if x.unique_tokens is None else [FAR * float(x.tokens.max())],
        sparsity=[x.levels.items[x.level[0]].sparsity],
        group=[x.groups[0]] if x.groups else None,
    )
    slopes = log_slopes(optimum.problem.coordinates.law, optimum.theta[None, :], top)[0]
    # Residuals far out count as the test counts them, little.
    size = np.abs(found.residual)
    size = np.minimum(size, 4.0 * float(np.median(size)))
    noise = float(np.sqrt(np.sum(size**2) / max(1, found.freedom)))
    needed = noncentrality(freedom, found.freedom)
    return hidden_bends(x, found.slopes, found.taking, noise, needed, slopes[0])
