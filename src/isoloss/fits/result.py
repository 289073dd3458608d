"""A fit: a law with its evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from isoloss.files import UNSAVED, save
from isoloss.fits.caution import Caution
from isoloss.fits.doubt import (
    Allocation,
    Efficiencies,
    LackOfFit,
    Noise,
    Of,
    Prediction,
    allocation,
    loss_draws,
    points,
    summarise,
    with_noise,
)
from isoloss.fits.paired_gaps import Gaps, GapScore
from isoloss.fits.report import Section, html, sections, text
from isoloss.fits.sample import FitError, Sample
from isoloss.fits.solve import Certificate, Coordinates, Objective, unheld
from isoloss.formats import Precision
from isoloss.laws import Array, Inputs, Law, Mask

if TYPE_CHECKING:
    from isoloss.fits.solve import Optimum


@dataclass(frozen=True)
class Facts:
    """What was fitted: counts, the hash of the table, where it came from, and the seed."""

    runs: int
    excluded: Mapping[str, int]
    hash: str
    sources: tuple[str, ...]
    seed: int
    version: str


@dataclass(frozen=True)
class Points:
    """Observed and predicted losses of the runs, held-out ones marked; arrays of shape (n,)."""

    params: Array
    tokens: Array
    precision: tuple[str, ...]
    observed: Array
    predicted: Array
    held_out: Mask

    @property
    def residual(self) -> Array:
        """Log predicted less log observed loss."""
        return np.asarray(np.log(self.predicted / self.observed))


@dataclass(frozen=True)
class Errors:
    """How far predictions lie from losses: root mean square and mean of log residuals, r2, and interval coverage."""

    rows: int
    log_rmse: float
    log_bias: float
    r2: float
    covered: float | None = None


@dataclass(frozen=True)
class HeldOut:
    """What a hold-out showed: its rule, the errors there, and the prediction of each held-out run.

    The law was fitted without these rows; nothing else about the fit has seen them.
    """

    rule: str
    errors: Errors
    prediction: Prediction
    observed: Array


@dataclass(frozen=True)
class Sensitivity:
    """The constants and the allocation exponent under another objective."""

    objective: str
    values: Mapping[str, float]
    exponent: float


@dataclass(frozen=True)
class Fit:
    """A law fitted to runs: constants with doubt, errors, optimum certificate, typed warnings. Prints itself.

    ``draws`` (S, p) are refits of resampled tables in the solver's coordinates, in the order of ``law.free``.
    """

    law: Law
    objective: Objective
    level: float
    draws: Array
    resample: str
    certificate: Certificate
    absent: tuple[str, ...]
    points: Points
    fitted: Errors
    held_out: HeldOut | None
    flop: float
    exponent: tuple[float, float, float]
    exponent_draws: Array
    sensitivity: Sensitivity | None
    lack_of_fit: LackOfFit | None
    noise: Noise | None
    gaps: Gaps | None
    gap_score: GapScore | None
    efficiencies: Efficiencies | None
    cautions: tuple[Caution, ...]
    facts: Facts
    optimum: Optimum | None = field(default=None, metadata=UNSAVED)
    sample: Sample | None = field(default=None, metadata=UNSAVED)

    @property
    def coordinates(self) -> Coordinates:
        """The free constants as a vector."""
        return Coordinates(self.law)

    @property
    def values(self) -> dict[str, float]:
        """Every constant by name."""
        return {k.name: float("nan") if k.value is None else k.value for k in self.law.constants}

    @property
    def constant_draws(self) -> dict[str, Array]:
        """The refitted values of every free constant, arrays of shape (S,)."""
        table = self.coordinates.table(self.draws)
        return {k.name: table[:, i] for i, k in enumerate(self.law.free)}

    def interval(self, name: str, level: float | None = None) -> tuple[float, float]:
        """The percentile interval of a constant; a fixed one has none and raises FitError."""
        name = self.law.ties.get(name, name)
        draws = self.constant_draws
        if name not in draws:
            raise FitError(
                f"constant {name!r} was not estimated in this fit; estimated were {', '.join(draws)}"
            )
        level = self.level if level is None else level
        low, high = np.quantile(draws[name], [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    @property
    def correlations(self) -> Array:
        """Correlations of the free constants over the draws, (p, p)."""
        spread = self.draws.std(axis=0)
        safe = np.where(spread > 0, spread, 1.0)
        centred = (self.draws - self.draws.mean(axis=0)) / safe
        return np.asarray(centred.T @ centred / max(1, len(self.draws)))

    @property
    def withheld(self) -> str | None:
        """Why the allocation exponent should not be used, or None: a misfit or a design that cannot tell it."""
        found = [
            c.text
            for c in self.cautions
            if c.kind in ("lack_of_fit", "collinear_design", "small_alpha")
        ]
        if not found and self.exponent_by_form:
            return f"the form of the law sets it to {self.exponent[0]:.3g}, so the runs say nothing about it"
        if not found and not np.isfinite(self.exponent[0]):
            return "the law has no compute-optimal split: its loss falls for ever with params or with tokens alone"
        return found[0] if found else None

    @property
    def exponent_by_form(self) -> bool:
        """Whether the law allows one allocation exponent only, as with alpha = beta: an assumption, no finding."""
        drawn = self.exponent_draws[np.isfinite(self.exponent_draws)]
        return bool(len(drawn) and np.ptp(drawn) < 1e-3)

    def predict(
        self,
        params: ArrayLike,
        tokens: ArrayLike,
        precision: str | Precision | Sequence[str | Precision] = "fp",
        *,
        level: float | None = None,
        of: Of = "run",
        group: str | None = None,
        sparsity: str | None = None,
    ) -> Prediction:
        """The loss with its interval, of a new run (the default) or of the law's mean; arguments broadcast.

        Raises DomainError where the law is not defined, FitError for an unknown ``of``.
        """
        x = points(params, tokens, precision, group, sparsity)
        return self.predict_inputs(x, level, of)

    def predict_inputs(self, x: Inputs, level: float | None = None, of: Of = "run") -> Prediction:
        """As ``predict``, for inputs that are made."""
        level = self.level if level is None else level
        return summarise(
            x, self.law.loss(x), self.draw(x, of), level, of, self.law.box, self.doubts(x)
        )

    def draw(self, x: Inputs, of: Of = "run", seed: int | None = None) -> Array:
        """Losses under every refit, (S, n): of the mean, or of new runs with noise."""
        if of not in ("run", "mean"):
            raise FitError(f"cannot predict the interval of {of!r}; of is 'run' or 'mean'")
        draws = loss_draws(self.coordinates, self.draws, x)
        if of == "mean":
            return draws
        residual = self.points.residual[~self.points.held_out]
        return with_noise(
            draws, residual, self.draws.shape[1], self.facts.seed if seed is None else seed
        )

    def doubts(self, x: Inputs) -> tuple[Caution, ...]:
        """What no fitted run says about these points: constants that are absent, precisions that were not run."""
        found = []
        missing = unheld(self.law, self.absent, x)
        if missing:
            text = f"the loss there depends on {', '.join(missing)}, which no fitted run holds: it was not estimated, and the interval leaves it out"
            found.append(Caution("not_in_data", text, missing))
        fitted = {
            p
            for p, held in zip(self.points.precision, self.points.held_out, strict=True)
            if not held
        }
        new = sorted({str(x.levels.items[k]) for k in np.unique(x.level)} - fitted - {"fp"})
        if new:
            found.append(
                Caution(
                    "extrapolation",
                    f"no fitted run has precision {', '.join(repr(p) for p in new[:6])}",
                )
            )
        return tuple(found)

    def allocation(self, flop: float, group: str | None = None) -> Allocation:
        """Compute-optimal params and tokens at a budget, at the optimum (first) and for every draw."""
        theta = np.vstack([self.coordinates.theta(self.values), self.draws])
        return allocation(self.coordinates, theta, flop, group)

    def save(self, path: str | Path, force: bool = False) -> Path:
        """Write the fit as a JSON file, which `load` reads, and return its path; see `isoloss.files.save`."""
        return save(self, path, force)

    def sections(self) -> list[Section]:
        """The report as titled sections, for whoever prints it."""
        return sections(self)

    def __str__(self) -> str:
        return text(self.sections())

    def _repr_html_(self) -> str:
        return html(self.sections())
