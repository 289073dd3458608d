"""The warnings of a fit: what was measured, turned into sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from scipy import stats

from isoloss.files import least_draws, percent
from isoloss.fits.doubt import Draws, LackOfFit, share_in_words
from isoloss.fits.evidence.parts import Errors, HeldOut
from isoloss.fits.identify import Identified
from isoloss.fits.paired_gaps import Gaps, is_reference
from isoloss.fits.sample import Sample
from isoloss.fits.solve import DIGITS, Coordinates, Optimum, is_base
from isoloss.fits.unseen_parts import unseen_in_runs, unseen_repeats
from isoloss.fits.warning import ResultWarning, WarningKind
from isoloss.laws import Inputs, Sight, is_gap_law, sights
from isoloss.runs import compact

#: p-value of the lack-of-fit test below which a law is said to miss something.
MISSES = 0.01
#: Chance below which what a right law would show seldom is said.
SELDOM = 0.05
#: Relative gradient above which a search has not arrived.
STEEP = 1e-3
#: Standard errors below this share of the loss are no errors of training.
LEAST_ERROR = 1e-8
#: Cells of a precision below which its mean says little.
FEW_CELLS = 3
#: Share of paired gaps below zero from which slopes rest on a chosen part.
CHOSEN = 0.25


def judge(
    sample: Sample,
    whole: Inputs,
    optimum: Optimum,
    fitted: Errors,
    held: HeldOut | None,
    lack: LackOfFit | None,
    gaps: Gaps | None,
    known: Identified,
    spread: Draws,
    level: float,
) -> tuple[ResultWarning, ...]:
    """Every warning that applies, the gravest kinds first; `whole` are all runs."""
    # The box of a law before its fit is the evidence of other constants.
    seen = sights(replace(optimum.law, box=None), sample.x.levels.items)
    return (
        *_lack(lack, sample, is_gap_law(optimum.law)),
        *_held_out(fitted, held),
        *unseen_in_runs(optimum.law, sample.x, seen),
        *unseen_repeats(optimum.law, sample.x, whole),
        *_not_identified(known, level),
        *_bounds(optimum, known.not_held(level)),
        *_design(sample),
        *_base_misfit(sample, optimum, fitted, seen),
        *_signal(fitted, len(optimum.theta)),
        *_errors(sample),
        *_search(sample, optimum, fitted),
        *_negative(gaps),
        *(_of_gaps(sample, optimum) if is_gap_law(optimum.law) else ()),
        *_replicates(spread, len(optimum.theta), level),
    )


def _lack(lack: LackOfFit | None, sample: Sample, of_gaps: bool) -> Iterator[ResultWarning]:
    if lack is None:
        few = (
            f"{sample.units} {sample.by}"
            if sample.clusters is not None
            else f"{sample.units} runs, or sizes and lengths as few,"
        )
        text = f"{few} do not allow a test of whether the law misses something"
        yield ResultWarning(WarningKind.UNTESTED, text)
    elif lack.p_value < MISSES:
        what = "gap" if of_gaps else "loss"
        no_size = "" if of_gaps else " and the compute-optimal exponent is withheld"
        text = (
            "residuals hold a curve in params and tokens that this law cannot take "
            f"(p = {lack.p_value:.2g}, {100 * lack.size:.2g}% of the {what}): intervals that "
            f"assume the law are too narrow{no_size}; compare with laws of another "
            f"{'form' if of_gaps else 'base'}"
        )
        yield ResultWarning(WarningKind.LACK_OF_FIT, text)
    if sample.clusters is not None and sample.units < 10:
        text = f"runs come in {sample.units} {sample.by}: intervals from so few are too narrow"
        yield ResultWarning(WarningKind.FEW_GROUPS, text)


def _held_out(fitted: Errors, held: HeldOut | None) -> Iterator[ResultWarning]:
    if held is None:
        return
    ratio = held.errors.log_rmse / max(fitted.log_rmse, DIGITS)
    if ratio > 2:
        text = f"the held-out error is {ratio:.1f} times the fitted error ({held.rule})"
        yield ResultWarning(WarningKind.HELD_OUT, text)
    yield from not_covered(held)


def not_covered(held: HeldOut) -> Iterator[ResultWarning]:
    """A warning where fewer held-out runs lie inside their intervals than the level says.

    Runs that have no interval do not count; a shortfall that a right law shows in more than 5% of
    cases is not said.
    """
    p = held.prediction
    inside = p.covers(held.observed) | ~np.isfinite(p.low)
    inside |= np.abs(np.log(p.loss / held.observed)) <= DIGITS
    rows = int(np.isfinite(p.low).sum())
    hits = rows - int((~inside).sum())
    chance = float(stats.binom.cdf(hits, rows, p.level))
    if chance > SELDOM or not rows:
        return
    k = int(np.argmax(np.abs(np.log(p.loss / held.observed)) * ~inside))
    yield ResultWarning(
        WarningKind.NOT_COVERED,
        f"{hits} of {rows} held-out runs ({held.rule}) lie inside their {percent(p.level)} "
        f"intervals, which a right law shows in {share_in_words(chance)} of cases; worst is "
        f"{compact(p.params[k])} params on {compact(p.tokens[k])} tokens: observed "
        f"{held.observed[k]:.4f}, predicted {p.loss[k]:.4f} ({p.low[k]:.4f} to {p.high[k]:.4f})",
    )


def _not_identified(known: Identified, level: float) -> Iterator[ResultWarning]:
    names = known.not_held(level)
    if not names:
        return
    if not known.left:
        text = f"the runs hold no constant: {known.cause}"
        yield ResultWarning(WarningKind.NOT_IDENTIFIED, text, names)
        return
    moved = ", ".join(_followed(known, name, level) for name in names)
    mend = f"; two runs would tell: {known.remedy}" if known.remedy else ""
    yield ResultWarning(
        WarningKind.NOT_IDENTIFIED,
        f"the runs do not hold {moved}: what tells of them is {known.cause}{mend}",
        names,
    )


def _followed(known: Identified, name: str, level: float) -> str:
    """A constant with the side to which it is held, if any."""
    low, high = known.profile(name, level)
    if np.isfinite(low) and np.isinf(high):
        return f"{name} (above {low:.3g})"
    return f"{name} (below {high:.3g})" if np.isfinite(high) else name


def at_bound(coordinates: Coordinates, i: int, theta: float) -> list[float]:
    """The bound that a coordinate stands at, where a walk ends exactly; empty inside."""
    k = coordinates.free[i]
    near = 1e-9 * (coordinates.upper[i] - coordinates.lower[i])
    edges = ((coordinates.lower[i], k.lower), (coordinates.upper[i], k.upper))
    return [bound for edge, bound in edges if abs(theta - edge) <= near]


def _bounds(optimum: Optimum, not_held: Sequence[str]) -> Iterator[ResultWarning]:
    coordinates = optimum.problem.coordinates
    values = coordinates.values(optimum.theta) if len(optimum.theta) else {}
    for i, k in enumerate(coordinates.free):
        for bound in at_bound(coordinates, i, float(optimum.theta[i])):
            yield ResultWarning(
                WarningKind.AT_BOUND,
                f"{k.name} is at its bound {bound:g}: the data do not hold it, and what leans on "
                "it is not to be trusted",
                (k.name,),
            )
    for name, value in values.items():
        if (
            name.partition("[")[0] in ("alpha", "beta")
            and value < 0.1
            and name not in coordinates.law.ties
            and name not in not_held  # else its value is any of the ridge's
        ):
            yield ResultWarning(
                WarningKind.SMALL_ALPHA,
                f"{name} = {value:.3g} is below 0.1: efficiencies and effective sizes act through "
                "it and mean little without the base",
                (name,),
            )


def _design(sample: Sample) -> Iterator[ResultWarning]:
    """Designs that cannot tell params from tokens, once a group where there is a base for each."""
    x = sample.x
    base = is_reference(sample)
    for k, group in enumerate(x.groups or ("",)):
        own = x.group == k if x.groups else np.ones(len(sample), dtype=bool)
        rows = own & base if (own & base).sum() >= 3 else own
        which = ("runs at the reference precision" if base[rows].all() else "runs") + (
            f" of {group}" if group else ""
        )
        ratio = x.tokens[rows] / x.params[rows]
        for word, values in (("params", x.params[rows]), ("tokens", x.tokens[rows])):
            if values.max() / values.min() < 1 + 1e-9:
                yield ResultWarning(
                    WarningKind.COLLINEAR_DESIGN,
                    f"{word} of the {int(rows.sum())} {which} are all {values[0]:.3g}: their term "
                    "and E cannot be told apart",
                )
        if ratio.max() / ratio.min() < 2.0:
            yield ResultWarning(
                WarningKind.COLLINEAR_DESIGN,
                f"tokens per param of the {int(rows.sum())} {which} are nearly constant "
                f"({ratio.min():.3g} to {ratio.max():.3g}): params and tokens cannot be told "
                "apart, so E, alpha and beta are weakly held",
            )


def _base_misfit(
    sample: Sample, optimum: Optimum, fitted: Errors, seen: Sequence[Sight]
) -> Iterator[ResultWarning]:
    base, law = is_reference(sample), optimum.law
    if base.all() or is_gap_law(law):  # a gap is nothing but the effect
        return
    effect = np.abs(np.log(law.loss(sample.x) / law.loss(sample.x.at_reference())))
    small = []
    for k, level in enumerate(sample.x.levels.items):
        if seen[k].unseen and seen[k].is_reference:
            continue  # the law has no effect of it to compare, which unseen_in_runs says
        rows = (sample.x.level == k) & ~base
        if rows.any() and np.median(effect[rows]) < fitted.log_rmse:
            small.append(f"{level} ({100 * float(np.median(effect[rows])):.2g}%)")
    if small:
        yield ResultWarning(
            WarningKind.BASE_MISFIT,
            f"the misfit of the law ({100 * fitted.log_rmse:.2g}% of the loss) is larger than the "
            f"effect of {_some(small)}",
        )


def _of_gaps(sample: Sample, optimum: Optimum) -> Iterator[ResultWarning]:
    """What a fit of gaps leans on: errors that are not known, precisions that the law misses."""
    unknown = int((~np.isfinite(np.asarray(sample.runs["loss_se"], dtype=float))).sum())
    if unknown:
        yield ResultWarning(
            WarningKind.UNKNOWN_ERRORS,
            f"{unknown} of {len(sample)} gaps have no standard error: those that are noise count "
            "like others where they came out above zero, which flattens what a law says",
        )
    off = np.log(optimum.law.loss(sample.x) / sample.loss)
    missed = []
    for k, level in enumerate(sample.x.levels.items):
        rows = sample.x.level == k
        if rows.sum() >= FEW_CELLS and abs(mean := float(np.mean(off[rows]))) > math.log(2):
            missed.append(
                f"{level} (predicted {math.exp(mean):.2g} times, {int(rows.sum())} cells)"
            )
    if missed:
        yield ResultWarning(WarningKind.MISSED_PRECISION, f"the law misses {_some(missed)}")


def _signal(fitted: Errors, constants: int) -> Iterator[ResultWarning]:
    """Losses that the law explains no better than their mean does, by the F test of its R2."""
    left, spent = fitted.rows - constants, constants - 1
    if not np.isfinite(fitted.r2):
        yield ResultWarning(
            WarningKind.NO_SIGNAL,
            "the losses of the runs do not vary, so they tell nothing of params, tokens or bits",
        )
    elif left > 0 and spent > 0:
        gained = max(fitted.r2, 0.0) / spent / max(1.0 - fitted.r2, 1e-300) * left
        chance = float(stats.f.sf(gained, spent, left))
        if chance > SELDOM:
            yield ResultWarning(
                WarningKind.NO_SIGNAL,
                f"the law explains the losses hardly better than their mean does (R2 = "
                f"{fitted.r2:.2g} with {constants} constants, which {100 * chance:.0f}% of tables "
                "of pure noise reach)",
            )


def _search(sample: Sample, optimum: Optimum, fitted: Errors) -> Iterator[ResultWarning]:
    c = optimum.certificate
    if c.gradient > STEEP and fitted.log_rmse > DIGITS:
        yield ResultWarning(
            WarningKind.NOT_CONVERGED,
            f"the search ended where the objective still falls (relative gradient "
            f"{c.gradient:.1e}); raise starts or fix constants",
        )
    if c.starts and c.agree < max(2, 0.1 * c.starts):
        yield ResultWarning(
            WarningKind.STARTS_DISAGREE,
            f"{c.agree or 'none'} of {c.starts} starts agree on the optimum; raise starts or fix "
            "constants",
        )
    base = tuple(name for name in optimum.absent if is_base(name))
    if base:
        # Constants of parts that no run rounds are listed in the table, and told of where asked.
        yield ResultWarning(
            WarningKind.NOT_IN_DATA,
            f"no run depends on {', '.join(base)}: not estimated, and held at the value they had, "
            "if any",
            base,
        )
    yield from _copies(sample)
    if len(sample) < 3 * len(optimum.theta):
        yield ResultWarning(
            WarningKind.FEW_RUNS,
            f"{len(sample)} runs for {len(optimum.theta)} constants; intervals of so few runs are "
            "rough",
        )


def _errors(sample: Sample) -> Iterator[ResultWarning]:
    """A warning where standard errors of losses cannot be such: as large as losses, or nothing."""
    if "loss_se" not in sample.runs.columns:
        return
    errors = np.asarray(sample.runs["loss_se"], dtype=float)
    share = errors / np.abs(sample.loss)
    large, known = share >= 1, np.isfinite(share)
    if large.any():
        worst = int(np.nanargmax(share))
        text = (
            f"loss_se is as large as the loss or larger in {int(large.sum())} of {len(sample)} "
            f"runs (up to {errors[worst]:.3g} at a loss of {sample.loss[worst]:.3g}), so that "
            "these hardly count: it is the standard error of the loss in the same unit"
        )
        yield ResultWarning(WarningKind.ODD_ROW, text, ("loss_se",))
    elif known.any() and 0 < float(share[known].max()) < LEAST_ERROR:
        text = (
            f"loss_se is at most {errors[known].max():.3g} in all {int(known.sum())} runs that "
            "have one, less than losses are written to: it is no error of a trained model, and "
            "says nothing here"
        )
        yield ResultWarning(WarningKind.ODD_ROW, text, ("loss_se",))


def _copies(sample: Sample) -> Iterator[ResultWarning]:
    """A warning where runs repeat others to the last digit, and what copies would do."""
    of_loss = np.unique(sample.loss, return_inverse=True)[1].ravel()
    same = np.unique(np.column_stack([sample.cells, of_loss]), axis=0, return_inverse=True)[1]
    same = same.ravel()
    twice = len(sample) - int(same.max()) - 1
    if not twice:
        return
    units = np.arange(len(sample)) if sample.clusters is None else sample.clusters
    apart = len(np.unique(np.column_stack([same, units]), axis=0)) > int(same.max()) + 1
    effect = (
        f"copies among {sample.by} that are resampled apart make intervals too narrow"
        if apart
        else f"{sample.by} are resampled whole, so copies do not narrow intervals, but they weigh "
        "double in the fit and hide seed noise"
    )
    yield ResultWarning(
        WarningKind.DUPLICATE_ROWS,
        f"{twice} runs repeat another to the last digit of the loss; {effect}",
    )


def _negative(gaps: Gaps | None) -> Iterator[ResultWarning]:
    if gaps is not None and gaps.negative > CHOSEN * gaps.pairs:
        yield ResultWarning(
            WarningKind.NEGATIVE_GAPS,
            f"{gaps.negative} of {gaps.pairs} paired gaps are not positive and have no logarithm; "
            "slopes rest on the others",
        )


def _replicates(spread: Draws, constants: int, level: float) -> Iterator[ResultWarning]:
    made = len(spread.theta)
    if spread.failed:
        text = (
            f"{spread.failed} of {made + spread.failed} bootstrap replicates ended nowhere and are "
            "left out of every interval"
        )
        yield ResultWarning(WarningKind.UNDEFINED_DRAWS, text)
    if constants and made < least_draws(level):
        text = (
            f"{made} bootstrap replicates are too few for level {level:g}: ends of intervals are "
            f"their extremes; it needs at least {least_draws(level)} draws"
        )
        yield ResultWarning(WarningKind.FEW_DRAWS, text)


def _some(names: list[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
