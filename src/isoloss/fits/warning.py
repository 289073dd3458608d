"""Warnings that a result carries: what a careful reader must know before using it, as typed values.

A warning is not an error. Every kind is listed once, in `WarningKind`, with its usual cause and
what to change; what a warning says of one result, with the numbers, is the text of a
`ResultWarning`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from isoloss.files import displayed, formerly


class WarningKind(StrEnum):
    """The kinds of warnings, each with its cause and what to change; a kind equals its spelling.

    Attributes
    ----------
    cause
        What was found, in one sentence.
    change
        What to do about it, in one sentence.
    """

    LACK_OF_FIT = (
        "lack_of_fit",
        "The residuals hold a curve in params and tokens that the law cannot take.",
        "Compare with laws of another base, as one with an outer exponent.",
    )
    UNTESTED = (
        "untested",
        "Something a result takes for granted was not tested, or could not be.",
        "Add runs, or a measured table of rates, that test it.",
    )
    UNSEEN_PARTS = (
        "unseen_parts",
        "Precisions set parts, modifiers or sparsity that the law has no term for.",
        "Use a law with a term for them, or leave such runs and candidates out.",
    )
    FEW_GROUPS = (
        "few_groups",
        "Runs come in fewer than ten groups, so their intervals are too narrow.",
        "Add trajectories or models.",
    )
    HELD_OUT = (
        "held_out",
        "The error of the held-out runs is more than twice that of the fitted runs.",
        "Distrust extrapolation, and compare with other laws.",
    )
    NOT_COVERED = (
        "not_covered",
        "Fewer held-out runs lie inside their intervals than the level says.",
        "Take wider intervals than those printed, or another law.",
    )
    AT_BOUND = (
        "at_bound",
        "A constant ends at its bound: the runs do not hold it.",
        "Fix it, bound it otherwise, or add runs that depend on it.",
    )
    NOT_IDENTIFIED = (
        "not_identified",
        "The runs leave constants free along a ridge, so what moves along it is not told.",
        "Add the runs that the warning names, or fix a constant at a known value.",
    )
    SMALL_ALPHA = (
        "small_alpha",
        "An exponent of the base is below 0.1: what acts through it means little alone.",
        "Read gaps in the loss instead of efficiencies, and vary params and tokens more.",
    )
    COLLINEAR_DESIGN = (
        "collinear_design",
        "Params, tokens or their ratio hardly vary, so their terms cannot be told apart.",
        "Add runs at other tokens per param.",
    )
    BASE_MISFIT = (
        "base_misfit",
        "The misfit of the law is larger than the effect of some precisions.",
        "Use paired gaps, which need no base, or a better base.",
    )
    STARTS_DISAGREE = (
        "starts_disagree",
        "Few starts end at the best objective, so the optimum may be a local one.",
        "Raise starts, or fix constants.",
    )
    NOT_CONVERGED = (
        "not_converged",
        "The search ended where the objective still falls.",
        "Raise starts, fix constants, or bound them.",
    )
    NO_SIGNAL = (
        "no_signal",
        "The losses do not vary, or the law explains them hardly better than their mean does.",
        "Check the columns, or add runs that differ more.",
    )
    NOT_IN_DATA = (
        "not_in_data",
        "No fitted run depends on a constant, so it was not estimated.",
        "Add runs in that precision, or fix the constant at a known value.",
    )
    DUPLICATE_ROWS = (
        "duplicate_rows",
        "Runs repeat others to the last digit of the loss: copies tell nothing new.",
        "Remove the copies.",
    )
    UNDECLARED_UNITS = (
        "undeclared_units",
        "Rows look like evaluations along fewer runs, which no column declares.",
        "Name the run of each row in a column group, or keep the last row of each run.",
    )
    SPLIT_CELLS = (
        "split_cells",
        "A column parts runs of equal cells into losses that differ beyond seeds.",
        "Choose one of its values with where, or fit with per.",
    )
    ODD_ROW = (
        "odd_row",
        "A few runs lie far from all others.",
        "Look at these runs; leave them out with a reason if something went wrong.",
    )
    ODD_COUNTS = (
        "odd_counts",
        "Params or tokens look as if they were counted in millions or billions.",
        "Scale the column to single parameters and tokens.",
    )
    RISING_LOSS = (
        "rising_loss",
        "The loss rises with params at equal tokens and precision, as an accuracy does.",
        "Give a loss, or one less the accuracy.",
    )
    FEW_RUNS = (
        "few_runs",
        "There are fewer than three runs for each constant, so intervals are rough.",
        "Add runs, or fix constants.",
    )
    FEW_DRAWS = (
        "few_draws",
        "There are so few bootstrap replicates that the ends of intervals are their extremes.",
        "Raise draws, or lower the level.",
    )
    NEGATIVE_GAPS = (
        "negative_gaps",
        "Some paired gaps are not positive and have no logarithm; slopes rest on the others.",
        "Use il.fits.gap_table where a precision has several sizes or lengths, or add seeds.",
    )
    UNKNOWN_ERRORS = (
        "unknown_errors",
        "Gaps that are fitted have no standard errors, so that small ones stand for being lucky.",
        "Add seeds, or columns gap_se or loss_se; leave the smallest gaps out.",
    )
    MISSED_PRECISION = (
        "missed_precision",
        "A law of gaps misses a precision by more than a factor of two over its cells.",
        "Leave it out (--where precision=...), or take a law that has a term for it.",
    )
    UNDEFINED_DRAWS = (
        "undefined_draws",
        "Some bootstrap replicates failed, or have no loss at a point.",
        "Add runs near that point, or fix constants.",
    )
    NOT_DEFINED = (
        "not_defined",
        "A law has no loss at a point: the precision or the counts lie outside its domain.",
        "Ask elsewhere, or take a law that admits the point.",
    )
    UNSEEN_REPEATS = (
        "unseen_repeats",
        "Runs saw tokens more than once, and the law takes each for a new one.",
        "Use a law with a term for repeated tokens, or leave such runs out.",
    )
    EXTRAPOLATION = (
        "extrapolation",
        "A point lies outside the fitted runs, or in a hole between them, where misfit may "
        "show that no run could show.",
        "Add runs nearer to it.",
    )
    NO_INTERVAL = (
        "no_interval",
        "A bare law has no bootstrap replicates, so its losses have no interval.",
        "Fit the law to runs.",
    )
    LAWS_DISAGREE = (
        "laws_disagree",
        "Laws of weight contradict each other, so an average is no law's own answer.",
        "Add runs that tell them apart.",
    )
    OUT_OF_MEMORY = (
        "out_of_memory",
        "What training keeps does not fit in the memory of the devices that are given.",
        "Give more devices, or hold fewer params.",
    )

    MIXTURE_OF_EXPERTS = (
        "mixture_of_experts",
        "The model is a mixture of experts, and no law here was fitted to any in low precision.",
        "Read what laws say of its active params as a guess, or fit runs of such models.",
    )

    cause: str
    change: str

    def __new__(cls, value: str, cause: str = "", change: str = "") -> WarningKind:
        """A member that is its spelling, with its cause and what to change."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.cause, member.change = cause, change
        return member

    @property
    def words(self) -> str:
        """The kind in plain words, for reports; its spelling is for programs."""
        return "assumptions" if self == WarningKind.UNTESTED else self.value.replace("_", " ")


#: Kinds that withhold the compute-optimal exponent of a fit.
WITHHOLDING = frozenset(
    {
        WarningKind.LACK_OF_FIT,
        WarningKind.COLLINEAR_DESIGN,
        WarningKind.SMALL_ALPHA,
        WarningKind.STARTS_DISAGREE,
        WarningKind.NOT_CONVERGED,
        WarningKind.NO_SIGNAL,
        WarningKind.RISING_LOSS,
    }
)
#: Kinds that question the whole law of a fit, whatever is asked of it: predictions repeat them.
OF_LAW = frozenset(
    {
        WarningKind.LACK_OF_FIT,
        WarningKind.FEW_GROUPS,
        WarningKind.STARTS_DISAGREE,
        WarningKind.NOT_CONVERGED,
        WarningKind.NO_SIGNAL,
        WarningKind.RISING_LOSS,
        WarningKind.UNSEEN_REPEATS,
    }
)
#: Constants of the base that the exponent and sizes are made of: at a bound they are not held.
OF_SIZE = frozenset({"A", "alpha", "B", "beta", "kappa"})
#: Kinds that whatever is made of a fit, as a plan, repeats among its own warnings.
INHERITED = OF_LAW | {
    WarningKind.COLLINEAR_DESIGN,
    WarningKind.AT_BOUND,
    WarningKind.NOT_IDENTIFIED,
}


@formerly("Caution")
@displayed
@dataclass(frozen=True)
class ResultWarning:
    """One warning of a fit, a prediction, a comparison or a plan.

    Attributes
    ----------
    kind
        Its kind, by which programs filter; text such as "at_bound" becomes the kind of that
        spelling.
    text
        What it says of this result, in one sentence.
    about
        The constants that it is about, or the parts, spelled as in `laws.Sight`.

    Raises
    ------
    ValueError
        The kind is none of `WarningKind`.
    """

    kind: WarningKind
    text: str
    about: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        known = [each.value for each in WarningKind]
        if self.kind not in known:
            raise ValueError(
                f"unknown kind of warning {self.kind!r}; accepted are {', '.join(known)}"
            )
        object.__setattr__(self, "kind", WarningKind(self.kind))

    def __str__(self) -> str:
        """The text, after its kind in plain words where these add to it."""
        if self.kind == WarningKind.UNTESTED:
            return self.text
        return f"{self.kind.words}: {self.text}"


def kinds(warnings: Iterable[ResultWarning]) -> set[WarningKind]:
    """The kinds among some warnings."""
    return {each.kind for each in warnings}


def by_law(said: Sequence[tuple[str, Iterable[ResultWarning]]]) -> tuple[ResultWarning, ...]:
    """Warnings of several laws, each once, with the names of its laws where not all share it."""
    found: dict[ResultWarning, list[str]] = {}
    for name, warnings in said:
        for each in dict.fromkeys(warnings):
            found.setdefault(each, []).append(name)
    return tuple(
        each if len(names) == len(said) else replace(each, text=f"{', '.join(names)}: {each.text}")
        for each, names in found.items()
    )


def withholds(each: ResultWarning) -> bool:
    """Whether a warning of a fit withholds the exponent, and the sizes that are made of it."""
    if each.kind is WarningKind.AT_BOUND:
        return any(name.partition("[")[0] in OF_SIZE for name in each.about)
    return each.kind in WITHHOLDING
