"""The verb ``predict``: a loss from a fit, a comparison, a law or a law's name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from numpy.typing import ArrayLike

from isoloss.fits.arguments import FitError, Of, check_level, check_of, shown
from isoloss.fits.compare_laws import Comparison
from isoloss.fits.doubt import (
    Prediction,
    in_parts,
    loss_draws,
    points,
    prediction_of_law,
    summarise,
    where_told,
)
from isoloss.fits.identify import widened
from isoloss.fits.law_arguments import LawLike
from isoloss.fits.presets import shipped_fit
from isoloss.fits.result import Fit
from isoloss.fits.solve import Coordinates
from isoloss.fits.warning import ResultWarning, WarningKind
from isoloss.formats import Precision
from isoloss.laws import (
    GapOf,
    Inputs,
    Law,
    Level,
    Levels,
    as_law,
    gap_law,
    is_gap_law,
    seen_parts,
)


def predict(
    law: LawLike | Comparison,
    params: ArrayLike,
    tokens: ArrayLike,
    precision: str | Precision | Sequence[str | Precision] = "fp",
    *,
    gap: bool = False,
    level: float | None = None,
    of: Of = "run",
    group: str | None = None,
    sparsity: str | None = None,
    unique_tokens: ArrayLike | None = None,
) -> Prediction:
    """The predicted loss in the metric of the law: of a fit or a comparison with its interval.

    Parameters
    ----------
    law
        A fit, a comparison, a law or the name of one; a bare law has no interval, "error2026" and
        "error_trained2026" name fits.
    params, tokens
        Counts, or texts such as "1.3B"; they broadcast, with precision too.
    precision
        One spelling, or one for each point. A law of gaps that knows rounding after training alone
        reads "w4" as "fp -> w4", and a warning says so.
    gap
        The loss less that of the same model without rounding; a law of gaps gives nothing else.
        The interval of a fit of losses is then that of the law's mean, since what two losses share
        cancels.
    level
        Coverage of the interval, 0.9 = 90%; by default that of the fit or comparison.
    of
        "run" for a new run, seed noise and misfit included; "mean" for the law's mean.
    group
        Whose base, where a fit has one for each group.
    sparsity
        Sparsity of the weights, as "2:4".
    unique_tokens
        The different tokens among those seen; None: none is seen twice. Laws without a term for
        repeated tokens take the map of muennighoff2023, and a warning says so.

    Returns
    -------
    Prediction
        Losses with intervals and warnings.

    Raises
    ------
    DomainError
        The law is not defined at a point.
    ValueError
        No law has this name, or an argument is not accepted (FitError).
    """
    if not isinstance(law, str | Law | Fit | Comparison):
        raise FitError(
            f"cannot predict from {shown(law)}; give a fit, a comparison, a law or the name of one"
        )
    check_of(of)
    level = None if level is None else check_level(level)
    x = points(params, tokens, precision, group, sparsity, unique_tokens)
    known = law if isinstance(law, Fit | Comparison) else shipped_fit(law) or as_law(law)
    _check_gap(known, gap, unique_tokens is not None)
    x, said = _as_served(known, x)
    found = _predicted(known, x, gap, level, of)
    return replace(found, warnings=(*said, *found.warnings)) if said else found


def _predicted(
    known: Fit | Comparison | Law, x: Inputs, gap: bool, level: float | None, of: Of
) -> Prediction:
    """The prediction of what is known of points."""
    if isinstance(known, Fit) and gap and not is_gap_law(known.law):
        return in_parts(x, lambda some: _gap_of(known, some, level))
    if isinstance(known, Fit | Comparison):
        return known.predict_inputs(x, level, of)
    asked, wanted = gap_law(known) if gap else known, 0.9 if level is None else level
    return in_parts(x, lambda some: prediction_of_law(asked, some, wanted))


def _as_served(
    known: Fit | Comparison | Law, x: Inputs
) -> tuple[Inputs, tuple[ResultWarning, ...]]:
    """The points with formats of training read as those of serving, and a warning that says so,
    where a law of gaps has no term for training.
    """
    if isinstance(known, Comparison) or not is_gap_law(law_of(known)):
        return x, ()
    parts = seen_parts(law_of(known))
    bare = [not each.precision.serve and not each.is_reference for each in x.levels.items]
    if not any(bare) or not all(part.startswith("-> ") for part in parts):
        return x, ()
    levels = [
        Level(Precision({}, each.precision.train), each.sparsity) if alone else each
        for each, alone in zip(x.levels.items, bare, strict=True)
    ]
    pairs = zip(x.levels.items, levels, bare, strict=True)
    read = ", ".join(f"'{one}' as '{other}'" for one, other, alone in pairs if alone)
    text = f"{law_of(known).name} is of rounding after training, so it reads {read}"
    return replace(x, levels=Levels(tuple(levels))), (ResultWarning(WarningKind.UNTESTED, text),)


def _check_gap(known: Fit | Comparison | Law, gap: bool, repeated: bool) -> None:
    """FitError where losses are asked of what gives gaps, or gaps of a comparison of losses."""
    if gap not in (True, False):
        raise FitError(f"gap is {shown(gap)}; it is True or False")
    if gap and repeated:
        raise FitError(
            "gaps of models that see tokens again are not supported; leave unique_tokens out "
            "(--unique)"
        )
    laws = [e.fit.law for e in known.entries] if isinstance(known, Comparison) else [law_of(known)]
    gives = [is_gap_law(law) for law in laws]
    if not gap and any(gives):
        raise FitError(f"law {laws[0].name!r} gives gaps and not losses; ask with gap=True (--gap)")
    if gap and isinstance(known, Comparison) and not all(gives):
        raise FitError(
            "gaps are told by a comparison of gaps, compare(..., target='gap'), by a fit or by a "
            "law; this one compares losses"
        )


def law_of(known: Fit | Law) -> Law:
    """The law of a fit, or the law itself."""
    return known.law if isinstance(known, Fit) else known


def _gap_of(fit: Fit, x: Inputs, level: float | None) -> Prediction:
    """The gaps of a fit of losses: its replicates with and without rounding, row by row."""
    whole = replace(fit.law, formula=GapOf(fit.law.formula), box=None)
    wanted = fit.level if level is None else check_level(level, len(fit.draws))
    space = Coordinates(whole)

    def told(at: Inputs) -> Prediction:
        drawn = loss_draws(space, fit.draws, at)
        made = summarise(at, whole.loss(at), drawn, wanted, "mean", whole)
        return widened(made, [(1.0, fit.identified, space)], drawn, at)

    found = where_told(x, fit.views_at(x), fit.law, (wanted, "mean"), told)
    return replace(found, what="gap", warnings=(*fit.doubts(x), *found.warnings))
