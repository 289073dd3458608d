"""A shipped law of gaps brought up to date by a few runs of one's own.

Three to five gaps cannot hold five constants, but they tell much of what a shipped law leaves open:
how large the gaps of these models are. The estimate is the most likely one after both,

    theta ~ N(theta_0, S),  u ~ N(0, tau^2),  log gap_i = log g(x_i; theta) + u + e_i,
    e_i ~ N(0, s^2 + (se_i / gap_i)^2),

theta_0 the shipped constants, S their spread over bootstrap replicates and over fits without each
way of rounding (jackknife), u how far the law lies off at the size and length of these models (tau:
its discrepancy there), s how far single ways lie off in a cell. u goes into the amplitude of the
law, everywhere: what the law misses at x is then delta(x) - J(x) K delta(x_runs), so that intervals
are narrow at these sizes and lengths and not far from them. Runs that tell nothing leave the
shipped fit; with many it is the fit of these runs alone.

Replicates are drawn by perturbing both, z_s = z_s,0 + K (y + e_s - f(z_s,0)), z = (theta, u), K the
gain at the optimum: exact where log g is linear in theta, as it is after training.
Reference: Gelman et al. 2013, Bayesian Data Analysis, section 14.8 (prior rows of a regression);
Bardsley et al. 2014 (randomise, then optimise).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import isclose
from typing import Any

import numpy as np
import polars as pl
from scipy import optimize

from isoloss.files import displayed
from isoloss.fits.arguments import FitError, shown
from isoloss.fits.doubt import Discrepancy, LeftOut, loss_draws, waves
from isoloss.fits.evidence import Points
from isoloss.fits.paired_gaps import runs_of
from isoloss.fits.presets.shipped import SHIPPED, shipped_fit
from isoloss.fits.result import Fit
from isoloss.fits.sample import Sample, as_sample, excluded_by_reason
from isoloss.fits.sections import Section, number, signed, text
from isoloss.fits.solve import log_slopes
from isoloss.laws import Array, Box, Inputs, as_inputs, holes_of
from isoloss.runs import TABLES, Runs


@displayed
@dataclass(frozen=True)
class Update:
    """A shipped fit of gaps and what runs of one's own made of it; prints itself.

    Attributes
    ----------
    fit
        The law after both, with replicates, for any verb that takes a fit.
    before
        The shipped fit.
    observed
        The mean gaps that it was updated by, shape (n,).
    x
        Their points.
    prior_sd, sd
        Standard deviations of the free constants before and after, in the solver's coordinates,
        shape (p,); those of the amplitude hold the level of these models.
    doubt
        Standard deviation of the mean log gap at these runs, before and after.
    excluded
        How many rows were left out, by reason.
    """

    fit: Fit
    before: Fit
    observed: Array
    x: Inputs
    prior_sd: Array
    sd: Array
    doubt: tuple[float, float]
    excluded: Mapping[str, int]

    @property
    def moved(self) -> dict[str, float]:
        """How far each free constant moved, in standard deviations before the runs."""
        space = self.fit.coordinates
        far = (space.theta(self.fit.values) - space.theta(self.before.values)) / self.prior_sd
        return {k.name: float(v) for k, v in zip(space.free, far, strict=True)}

    @property
    def removed(self) -> dict[str, float]:
        """The share of the standard deviation of each constant that the runs removed."""
        share = 1.0 - self.sd / self.prior_sd
        return {k.name: float(v) for k, v in zip(self.fit.coordinates.free, share, strict=True)}

    def sections(self) -> list[Section]:
        """The report as titled sections."""
        law, count = self.before.law.name, len(self.observed)
        head = (
            f"{count} gap{'s' * (count != 1)} of your runs beside the "
            f"{self.before.facts.runs} of the shipped fit",
            "doubt of their mean gap (standard deviation of its logarithm): "
            f"{self.doubt[0]:.2f} before, {self.doubt[1]:.2f} after",
            *(f"{rows} excluded: {why}" for why, rows in self.excluded.items()),
        )
        rows = tuple(
            (k.name, number(self.before.values[k.name], 5), number(self.fit.values[k.name], 5),
             signed(self.moved[k.name], 2), f"{100 * self.removed[k.name]:.0f}%", k.meaning)
            for k in self.fit.coordinates.free
        )  # fmt: skip
        columns = ("", "shipped", "updated", "moved, in sds before", "sd removed", "meaning")
        return [
            Section(f"{law}, updated", head),
            Section("Constants", (), columns, rows),
            Section("Your gaps, furthest off first", (), GAPS, tuple(self._gaps())),
        ]

    def _gaps(self, most: int = 24) -> Iterator[tuple[str, ...]]:
        columns = self.before.law.loss(self.x), self.fit.law.loss(self.x)
        for k in np.argsort(-np.abs(np.log(columns[1] / self.observed)))[:most]:
            gaps = (number(v, 3) for v in (self.observed[k], columns[0][k], columns[1][k]))
            name = str(self.x.levels.items[self.x.level[k]])
            yield (number(self.x.params[k], 3), number(self.x.tokens[k], 3), name, *gaps)

    def __str__(self) -> str:
        return text(self.sections())


#: Gaps of one cell that are equal to this share are one measurement.
SAME_GAP = 1e-9
GAPS = ("params", "tokens", "precision", "observed", "shipped law", "updated")


def update(law: str | Fit, runs: Runs | Any) -> Update:
    """A shipped law of gaps after runs of one's own.

    Parameters
    ----------
    law
        The name of a fit of `SHIPPED`, or such a fit, updated or not.
    runs
        Paired runs, whose mean gaps count, or a table of gaps; three to five tell most.

    Returns
    -------
    Update
        The updated fit, and how far the runs moved it.

    Raises
    ------
    FitError
        The law is none of these, no run has a gap that the law sees, or all of those that it sees
        are in its evidence already; a part that is counts once, and is excluded.
    """
    before = shipped_fit(law) if isinstance(law, str) else law
    if not isinstance(before, Fit) or before.left_out is None:
        raise FitError(
            f"cannot update {shown(law)}; accepted are {', '.join(SHIPPED)}, and fits of gaps of "
            "which each way of rounding was left out once (leave_out)"
        )
    table = _news(before, _seen(before, runs_of([before.law], runs, "gap")))
    excluded = excluded_by_reason(table)
    return _Posterior(before, before.left_out, as_sample(table), excluded).update


def _seen(before: Fit, table: Runs) -> Runs:
    """The table without gaps of which the law sees a part alone, excluded with the reason."""
    frame = table.frame()
    names = frame["precision"].unique(maintain_order=True).to_list()
    x = as_inputs(1e8, 1e10, names)
    views = before.views(x)
    blind = [n for n, k in zip(names, x.level.tolist(), strict=True) if not views[k].sees]
    left_out = pl.col("precision").is_in(blind) & (pl.col("status") == "ok")
    if len(blind) == len(names):
        raise FitError(
            f"{before.law.name} sees all that is rounded in none of the {len(names)} precisions, "
            f"as '{min(names)}'"
        )
    return _without(table, left_out, f"{before.law.name} does not see all that is rounded")


def _news(before: Fit, table: Runs) -> Runs:
    """The table without gaps that the law was fitted to, which would count twice: those of its
    published tables, and equal gaps of equal cells.
    """
    frame, law, known = table.frame(), before.law.name, before.points
    published = {word for each in before.facts.sources for word in each.split() if word in TABLES}
    there: dict[tuple[Any, ...], list[float]] = {}
    cells = zip(known.params.tolist(), known.tokens.tolist(), known.precision, strict=True)
    for cell, gap in zip(cells, known.observed.tolist(), strict=True):
        there.setdefault(cell, []).append(gap)
    rows = frame.select("params", "tokens", "precision", "loss").rows()
    equal = [
        any(isclose(gap, each, rel_tol=SAME_GAP) for each in there.get((*cell,), ()))
        for *cell, gap in rows
    ]
    usable = frame["status"] == "ok"
    sources = frame["source"].to_list() if "source" in frame.columns else [None] * len(frame)
    named = [not published.isdisjoint((each or "").split()) for each in sources]
    again = usable & (pl.Series(equal) | pl.Series(named))
    if again.any() and again.sum() == usable.sum():
        raise FitError(
            f"{law} was fitted to all {again.sum()} gaps of this table "
            f"({', '.join(before.facts.sources)}), which would count twice; give runs of your own"
        )
    return _without(table, again, f"{law} was fitted to it")


def _without(table: Runs, left_out: pl.Expr | pl.Series, why: str) -> Runs:
    """The table with some rows excluded for a reason."""
    return Runs.from_frame(
        table.frame().with_columns(
            status=pl.when(left_out).then(pl.lit("excluded")).otherwise(pl.col("status")),
            reason=pl.when(left_out).then(pl.lit(why)).otherwise(pl.col("reason")),
        ),
        table.provenance,
    )


@dataclass(frozen=True)
class _Posterior:
    """The shipped constants and a level, given gaps; vectors are (theta, u)."""

    before: Fit
    left: LeftOut
    sample: Sample
    excluded: Mapping[str, int]

    @cached_property
    def centre(self) -> Array:
        """The shipped constants and no level, shape (p + 1,)."""
        return np.append(self.before.coordinates.theta(self.before.values), 0.0)

    @cached_property
    def spread(self) -> Array:
        """Covariance (p, p) of the shipped constants: replicates, and a jackknife over ways."""
        ways = self.left.constants
        off = ways - ways.mean(axis=0)
        return np.asarray(
            np.atleast_2d(np.cov(self.before.draws, rowvar=False))
            + (len(ways) - 1) / len(ways) * off.T @ off
        )

    @cached_property
    def tau(self) -> float:
        """Standard deviation of the level: what the shipped fit may miss at these runs."""
        x = self.sample.x
        draws = self.before.draw(x, "mean")
        own = loss_draws(self.before.coordinates, self.before.draws, x)
        level, alone = (np.log(each).mean(axis=1) for each in (draws, own))
        return float(np.sqrt(max(level.var() - alone.var(), self.left.variances()[0])))

    @cached_property
    def noise(self) -> Array:
        """Standard deviation of each log gap, shape (n,)."""
        error = np.zeros(len(self.sample))
        if "loss_se" in self.sample.runs.columns:
            error = np.nan_to_num(np.asarray(self.sample.runs["loss_se"], dtype=float))
        return np.asarray(np.hypot(np.sqrt(self.left.variances()[1]), error / self.sample.loss))

    @cached_property
    def prior(self) -> Array:
        """Covariance of constants and level before the runs, shape (p + 1, p + 1)."""
        p = len(self.spread)
        whole = np.zeros((p + 1, p + 1))
        whole[:p, :p], whole[p, p] = self.spread, self.tau**2
        return whole

    def slopes(self, z: Array) -> Array:
        """Derivatives of the log gaps, shape (n, p + 1)."""
        found = log_slopes(self.before.law, z[None, :-1], self.sample.x)[0]
        return np.column_stack([found, np.ones(len(self.sample))])

    def told(self, z: Array) -> Array:
        """Log gaps at some constants and levels (S, p + 1), shape (S, n)."""
        gaps = loss_draws(self.before.coordinates, z[:, :-1], self.sample.x)
        return np.asarray(np.log(gaps) + z[:, -1:])

    @cached_property
    def best(self) -> Array:
        """The most likely constants and level, shape (p + 1,)."""
        root = np.linalg.cholesky(np.linalg.inv(self.prior)).T
        y, space = np.log(self.sample.loss), self.before.coordinates

        def residuals(z: Array) -> Array:
            off = (self.told(z[None, :])[0] - y) / self.noise
            return np.concatenate([off, root @ (z - self.centre)])

        def jacobian(z: Array) -> Array:
            return np.vstack([self.slopes(z) / self.noise[:, None], root])

        ends = np.append(space.lower, -np.inf), np.append(space.upper, np.inf)
        found = optimize.least_squares(
            residuals, self.centre, jac=jacobian, bounds=ends, xtol=1e-12, ftol=1e-12, gtol=1e-12
        )
        return np.asarray(found.x)

    @cached_property
    def covariance(self) -> Array:
        """Covariance of constants and level after the runs."""
        slopes = self.slopes(self.best) / self.noise[:, None]
        return np.asarray(np.linalg.inv(np.linalg.inv(self.prior) + slopes.T @ slopes))

    @cached_property
    def amplitude(self) -> int:
        """Which constant the gap is proportional to."""
        return next(i for i, k in enumerate(self.before.coordinates.free) if k.amplitude)

    @cached_property
    def into(self) -> Array:
        """From constants and level to constants whose amplitude holds it, shape (p, p + 1)."""
        found = np.eye(len(self.centre))[:-1]
        found[self.amplitude, -1] = 1.0
        return found

    @cached_property
    def gain(self) -> Array:
        """How far log gaps pull constants and level, shape (p + 1, n)."""
        return np.asarray(self.covariance @ (self.slopes(self.best) / self.noise[:, None] ** 2).T)

    @property
    def draws(self) -> Array:
        """Replicates of the constants after the runs, shape (S, p)."""
        rng = np.random.default_rng([self.before.facts.seed, 4])
        count, n = len(self.before.draws), len(self.sample)
        # What the level may be stands in the discrepancy, which holds it at every point.
        z = np.column_stack([self.before.draws, np.zeros(count)])
        y = np.log(self.sample.loss) + self.noise * rng.standard_normal((count, n))
        space = self.before.coordinates
        moved = (z + (y - self.told(z)) @ self.gain.T) @ self.into.T
        return np.asarray(np.clip(moved, space.lower, space.upper))

    @property
    def update(self) -> Update:
        """The updated fit beside the shipped one."""
        space = self.before.coordinates
        law = self.before.law.with_values(space.values(self.into @ self.best))
        box = _joined(law.box, self.before.points, self.sample.x)
        found = replace(
            self.before, law=replace(law, box=box), draws=self.draws,
            points=_with(self.before.points, self.sample, law.loss(self.sample.x)),
            discrepancy=self._discrepancy(), left_out=self.left.without_cells(),
            optimum=None, sample=None,
        )  # fmt: skip
        both, mean = (self.prior, self.covariance), self.slopes(self.best).mean(axis=0)
        sds = [np.sqrt(np.diag(self.into @ each @ self.into.T)) for each in both]
        first, last = (float(np.sqrt(mean @ each @ mean)) for each in both)
        return Update(
            found, self.before, self.sample.loss, self.sample.x, sds[0], sds[1],
            (first, last), self.excluded,
        )  # fmt: skip

    def _discrepancy(self) -> Discrepancy:
        """The discrepancy less what constants and level take of it at the runs."""
        own = self.before.discrepancy
        if own.unknown:
            return own
        slopes = self.slopes(self.centre)[:, :-1]
        left = waves(self.sample.x, own.centre) - slopes @ own.taken
        return replace(own, taken=own.taken + self.into @ self.gain @ left)


def _joined(box: Box | None, points: Points, x: Inputs) -> Box | None:
    """The region of the shipped runs and of one's own."""
    if box is None:
        return None
    ends = {
        name: (min(low, float(v.min())), max(high, float(v.max())))
        for name, (low, high), v in (
            ("params", box.params, x.params),
            ("tokens", box.tokens, x.tokens),
            ("tokens_per_param", box.tokens_per_param, x.tokens / x.params),
        )
    }
    holes = holes_of(np.concatenate([points.params, x.params]))
    return replace(box, holes=holes, **ends)  # type: ignore[arg-type]


def _with(points: Points, sample: Sample, predicted: Array) -> Points:
    """The points of the shipped fit and one's own."""
    names = [str(level) for level in sample.x.levels.items]
    return Points(
        np.concatenate([points.params, sample.x.params]),
        np.concatenate([points.tokens, sample.x.tokens]),
        (*points.precision, *(names[k] for k in sample.x.level.tolist())),
        np.concatenate([points.observed, sample.loss]),
        np.concatenate([points.predicted, predicted]),
        np.concatenate([points.held_out, np.zeros(len(sample), dtype=bool)]),
    )
