"""A fit: a law with its evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from isoloss.files import UNSAVED, displayed, equal_by_content, percent, save, was
from isoloss.fits.arguments import FitError, Of, check_budget, check_level, check_of
from isoloss.fits.doubt import (
    ComputeSplit,
    Discrepancy,
    Efficiencies,
    LackOfFit,
    LeftOut,
    Noise,
    Prediction,
    exponent_by_form,
    hidden_beyond,
    in_parts,
    loss_draws,
    placed,
    points,
    repeating,
    split_compute,
    summarise,
    untold,
    views_at,
    warnings_at,
    where_told,
    with_discrepancy,
)
from isoloss.fits.evidence import (
    Errors,
    Facts,
    HeldOut,
    Points,
    Sensitivity,
    constants_section,
    efficiencies_sections,
    errors_section,
    exponent_sections,
    gaps_sections,
    held_out_sections,
    lines_of_facts,
    lines_of_misfit,
    sensitivity_sections,
    what_of,
)
from isoloss.fits.identify import Identified, no_exponent, widened
from isoloss.fits.paired_gaps import Gaps, GapScore
from isoloss.fits.sample import Sample
from isoloss.fits.sections import Section, text
from isoloss.fits.seeing import View, told_views, unheld_at, unheld_in
from isoloss.fits.solve import Certificate, Coordinates, Objective, Optimum, is_base
from isoloss.fits.units import Units
from isoloss.fits.unseen_parts import unseen_at_points
from isoloss.fits.warning import OF_LAW, ResultWarning, WarningKind, withholds
from isoloss.formats import Precision
from isoloss.laws import Array, Inputs, Law, Level


@equal_by_content
@displayed
@dataclass(frozen=True)
class Fit:
    """A law fitted to runs: constants with doubt, errors, typed warnings; prints itself.

    Attributes
    ----------
    law
        The law with the fitted constants; constants that no run depends on are fixed.
    objective
        What was minimised.
    level
        Coverage of the printed intervals, 0.9 = 90%.
    draws
        Bootstrap replicates in the solver's coordinates, shape (S, p), columns as ``law.free``.
    resample
        How tables were drawn again: "runs", "groups", "cells", "fractional" or "wild".
    certificate
        Evidence that the optimum is the global one.
    absent
        Constants on which no fitted run depends: not estimated.
    points
        Observed and predicted losses of the runs, held-out ones marked.
    fitted
        Errors of the fitted runs.
    held_out
        Errors and predictions of the held-out runs; None without a hold-out.
    flop
        Training FLOPs (6 N D) at which the exponent is taken.
    exponent
        Compute-optimal exponent of params, d log N / d log C: value, low, high.
    exponent_draws
        The same of each bootstrap replicate, shape (S,).
    sensitivity
        Constants and exponent under another objective; None where nothing is free.
    lack_of_fit
        Score test for a curve in the residuals; None where it cannot be made.
    noise
        Seed noise beside misfit; None where no cell was run twice.
    gaps
        Paired gaps of the fitted runs; None where too few are positive.
    gap_score
        How well the law predicts them.
    efficiencies
        Efficiencies at several floors E; None for a law without any.
    warnings
        What must be known before the fit is used; kinds are listed in `WarningKind`.
    facts
        Counts, hash of the table, sources, seed, version.
    units
        What was taken as one piece of evidence, and the columns without use; None in older files.
    optimum
        The solved problem; None in a fit that was loaded.
    sample
        The fitted runs; None in a fit that was loaded.
    identified
        Which constants the runs hold, and points of the ridge along which they do not.
    discrepancy
        How far the law may miss the truth, growing with the distance from the runs.
    left_out
        How far a law of gaps lies off ways of rounding left out once; None where none was.
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
    warnings: tuple[ResultWarning, ...] = field(metadata=was("cautions"))
    facts: Facts
    units: Units | None = None
    optimum: Optimum | None = field(default=None, metadata=UNSAVED)
    sample: Sample | None = field(default=None, metadata=UNSAVED)
    identified: Identified = field(default_factory=Identified)
    discrepancy: Discrepancy = field(default_factory=Discrepancy)
    left_out: LeftOut | None = None

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
        """Values of every free constant over the bootstrap replicates, arrays of shape (S,)."""
        table = self.coordinates.table(self.draws)
        return {k.name: table[:, i] for i, k in enumerate(self.law.free)}

    def interval(self, name: str, level: float | None = None) -> tuple[float, float]:
        """The interval of a constant: percentiles of the bootstrap replicates where runs hold it.

        Where they hold it weakly it is that of its profile, which is infinite to a side on which
        only a bound ends it: the runs do not hold the constant there.

        Parameters
        ----------
        name
            A constant; a tied one has the interval of the constant that it equals.
        level
            Coverage; that of the fit by default.

        Returns
        -------
        tuple of float
            Low and high end.

        Raises
        ------
        FitError
            The constant was not estimated in this fit.
        """
        name = self.law.ties.get(name, name)
        draws = self.constant_draws
        if name not in draws:
            raise FitError(
                f"constant {name!r} was not estimated in this fit; estimated were "
                f"{', '.join(draws)}"
            )
        followed = name in self.identified.followed
        level = self._level(level, None if followed else len(draws[name]))
        if followed:
            return self.identified.profile(name, level)
        low, high = np.quantile(draws[name], [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    @property
    def correlations(self) -> Array:
        """Correlations of the free constants over the bootstrap replicates, shape (p, p)."""
        spread = self.draws.std(axis=0)
        safe = np.where(spread > 0, spread, 1.0)
        centred = (self.draws - self.draws.mean(axis=0)) / safe
        return np.asarray(centred.T @ centred / max(1, len(self.draws)))

    @property
    def withheld(self) -> str | None:
        """Reason not to use the exponent (misfit, or a design that cannot tell it), or None."""
        found = next((each.text for each in self.warnings if withholds(each)), None)
        by_form = self.exponent_by_form
        return found or no_exponent(self.exponent, by_form, self.identified, self.level)

    @property
    def exponent_by_form(self) -> bool:
        """Whether the law allows one exponent only, as with alpha = beta: assumed, not found."""
        theta = self.coordinates.theta(self.values)
        return exponent_by_form(self.coordinates, theta, self.flop, self._group)

    @property
    def _group(self) -> str | None:
        """The group whose split is told, where there is a base for each."""
        grouped = (k.name for k in self.law.constants if is_base(k.name) and k.name.endswith("]"))
        return next((name.partition("[")[2][:-1] for name in grouped), None)

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
        unique_tokens: ArrayLike | None = None,
    ) -> Prediction:
        """The loss with its interval; params, tokens and precision broadcast.

        Parameters
        ----------
        params, tokens
            Counts, or texts such as "1.3B".
        precision
            One spelling, or one for each point.
        level
            Coverage of the interval; that of the fit by default.
        of
            "run" for a new run, seed noise and misfit included; "mean" for the law's mean.
        group
            Whose base, where the fit has one for each group.
        sparsity
            Sparsity of the weights, as "2:4".
        unique_tokens
            The different tokens, as in `isoloss.predict`; None: none is seen twice.

        Returns
        -------
        Prediction
            Losses in the metric of the runs, with intervals and warnings.

        Raises
        ------
        DomainError
            The law is not defined at any point.
        FitError
            An argument is not accepted.
        """
        x = points(params, tokens, precision, group, sparsity, unique_tokens)
        return self.predict_inputs(x, level, of)

    def predict_inputs(self, x: Inputs, level: float | None = None, of: Of = "run") -> Prediction:
        """As ``predict``, for inputs that are made."""
        return in_parts(x, lambda some: self._predict(some, level, of))

    def _predict(self, x: Inputs, level: float | None, of: Of) -> Prediction:
        """The prediction of points that all repeat tokens, or none of which does."""
        if (lent := repeating(self.law, x)) is not self.law:
            found = replace(self, law=lent)._predict(x, level, of)
            said = (*warnings_at([self.law], x), *found.warnings)
            return replace(found, warnings=tuple(dict.fromkeys(said)))
        level = self._level(level, len(self.draws) or None)
        seen = self.views_at(x)
        found = where_told(x, seen, self.law, (level, of), lambda at: self._told(at, level, of))
        found = replace(found, warnings=(*self.doubts(x), *found.warnings))
        return placed(found, self.law, x, self.sample)

    def _told(self, x: Inputs, level: float, of: Of) -> Prediction:
        """The prediction of points that the law sees or bounds."""
        bare = replace(self.law, box=None)  # what lies outside is said of all points together
        hidden = hidden_beyond([(self.law, self.discrepancy)], x)
        made = summarise(x, self.law.loss(x), self.draw(x, of), level, of, bare, hidden)
        alone = loss_draws(self.coordinates, self.draws, x)
        return widened(made, [(1.0, self.identified, self.coordinates)], alone, x)

    def _level(self, level: float | None, draws: int | None) -> float:
        """A level that is asked for, which draws reach, or that of the fit."""
        return self.level if level is None else check_level(level, draws)

    def unheld_at(self, level: Level) -> tuple[str, ...]:
        """The constants that a level rests on and no fitted run depends on."""
        return unheld_at(self.law, self.absent, level, self._group)

    def views(self, x: Inputs) -> tuple[View, ...]:
        """What the law can say of each level of some inputs."""
        # Ways that were left out one by one are told apart: no blend of them is sought.
        fitted = () if self.left_out is not None else self.points.fitted_precisions
        # Kept with the fit, so that no other one has its id meanwhile.
        kept: tuple[Fit, tuple[View, ...]] = x.levels.keep(
            ("views", id(self)),
            lambda: (self, told_views(self.law, x.levels.items, fitted, self.absent, self._group)),
        )
        return kept[1]

    def views_at(self, x: Inputs) -> tuple[View, ...]:
        """What the law can say of each of some inputs."""
        return views_at(self.law, self.views(x), x, self.absent)

    def draw(self, x: Inputs, of: Of = "run", seed: int | None = None) -> Array:
        """Losses under bootstrap replicates and discrepancies, (S, n): of the mean, or new runs."""
        check_of(of)
        seed = self.facts.seed if seed is None else seed
        left = self.left_out if of == "run" else None
        asked = self.points.of_fitted(self.units is not None), self.discrepancy, x
        found = with_discrepancy(self.law, self.draws, *asked, "mean" if left else of, seed)
        return left.spread(found, self.law, x, seed) if left else found

    def doubts(self, x: Inputs) -> tuple[ResultWarning, ...]:
        """Warnings of what no fitted run tells of points, or what the law has no term for."""
        missing = unheld_in(self.law, self.absent, x)
        found = untold(x, missing, self.views(x), self.points.fitted_precisions)
        of_law = (each for each in self.warnings if each.kind in OF_LAW)
        return (*found, *unseen_at_points(self.law, x), *of_law)

    def compute_split(self, flop: float, group: str | None = None) -> ComputeSplit:
        """Compute-optimal params and tokens at a budget of FLOPs, at the optimum and every draw."""
        theta = np.vstack([self.coordinates.theta(self.values), self.draws])
        found = split_compute(self.coordinates, theta, check_budget(flop), group)
        if not self.identified.followed:
            return found
        ridge = split_compute(self.coordinates, self.identified.theta, flop, group).params
        reach = self.identified.of_counts(np.log(ridge)[:, None], self.level)
        return replace(found, told=not reach.moved[0])

    def save(self, path: str | Path, force: bool = False) -> Path:
        """Save the fit as a JSON file, which `load` reads, and return its path."""
        return save(self, path, force)

    def sections(self) -> list[Section]:
        """The report as titled sections, most needed first, for whoever prints it."""
        what, estimated = what_of(self.law), set(self.constant_draws)
        intervals = {
            k.name: self.interval(k.name)
            for k in self.law.constants
            if self.law.ties.get(k.name, k.name) in estimated
        }
        at_bound = {k for w in self.warnings if w.kind == WarningKind.AT_BOUND for k in w.about}
        return [
            Section(f"{self.law.name}: {self.law.title or 'a law'}", tuple(self._about())),
            constants_section(self.law, self.absent, intervals, self.correlations, at_bound),
            errors_section(self.fitted, self.held_out, what),
            *held_out_sections(self.held_out),
            *exponent_sections(self.law, self.exponent, self.flop, self.withheld, self._group),
            *sensitivity_sections(self.sensitivity, self.law, self.objective, self.exponent[0]),
            *efficiencies_sections(self.efficiencies, self.law.metric),
            *gaps_sections(self.gaps, self.gap_score, self.law.metric),
            *(self.left_out.sections() if self.left_out is not None else ()),
            Section("Warnings", tuple(map(str, self.warnings)) or ("none",)),
        ]

    def _about(self) -> Iterator[str]:
        what = what_of(self.law)
        yield from lines_of_facts(self.facts, int(self.points.held_out.sum()))
        yield from self.units.lines(what) if self.units is not None else ()
        yield (
            f"objective: {self.objective.said(what)}; {percent(self.level)} intervals from "
            f"{len(self.draws)} bootstrap replicates ({self.resample}), seed {self.facts.seed}"
        )
        yield f"optimum: {self.certificate}"
        yield from lines_of_misfit(self.noise, self.lack_of_fit, what)
        yield from self.discrepancy.lines(what)
        yield f"table {self.facts.hash[:12]}, isoloss {self.facts.version}"

    def __str__(self) -> str:
        return text(self.sections())
