"""Which rows of a table laws are tried on: those rounded in training, or those rounded after it."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable

import numpy as np
import polars as pl

from isoloss.fits import FitError, Sample, excluded_by_reason, mean_gaps
from isoloss.formats import Precision
from isoloss.laws import Mask
from isoloss.runs import TABLES, Runs, RunsError, read

#: Fewer rows are no table of a law.
FEWEST = 12
AFTER, WEIGHTS = "{} after training", "{}, weights alone"
ONE = "its runs are of one precision"
WIDE = "none of its runs has fewer than 16 bits"
NONE = "it has no such runs"
#: Reasons for which nothing was rounded that could be on trial.
NOTHING = ONE, WIDE, NONE


def trained(runs: Runs) -> Runs | None:
    """The usable rows that were rounded in training alone, in precisions that laws read, under
    their commonest schedule.

    None where these are fewer than a dozen, or of one precision, or none has fewer than 16 bits.
    """
    rows = _trained(runs)
    return None if isinstance(rows, str) else rows


def on_trial(name: str, runs: Runs) -> tuple[dict[str, Runs], dict[str, str]]:
    """What of a table laws are tried on, by the name of the contest, and why the rest is left out.

    Rows rounded in training, by losses and gaps; where rows were rounded after training as well,
    the mean gaps of these (each of the model that it was made of), else these rows. Rows that
    cannot be used are counted by the reason.
    """
    one, other = _trained(runs), _rounded_after(runs)
    after, rows = AFTER.format(name), unusable(name, runs)
    if isinstance(one, str) and isinstance(other, str):
        both = f"of runs rounded in training, {one}; of those rounded after it, {other}"
        return {}, {name: one if other in (one, *NOTHING) else both} | rows
    if isinstance(one, str):
        assert isinstance(other, Runs)
        return {name: other}, ({} if one in NOTHING else {f"{name} in training": one}) | rows
    if isinstance(other, str):
        return {name: one}, ({} if other in NOTHING else {after: other}) | rows
    try:
        return {name: one, after: mean_gaps(other)}, rows
    except FitError as error:  # no run has a partner at the reference
        return {name: one}, {after: str(error)} | rows


def unusable(name: str, runs: Runs) -> dict[str, str]:
    """Why rows of a table cannot be used, by how many of it they are; empty where all can."""
    if not (reasons := excluded_by_reason(runs)):
        return {}
    why = reasons if len(reasons) == 1 else [f"{count} x {why}" for why, count in reasons.items()]
    return {f"{len(runs.excluded)} of {len(runs)} rows of {name}": "; ".join(why)}


def known_tables() -> tuple[dict[str, Runs], dict[str, str]]:
    """What of the public tables laws are tried on, and why the others are left out."""
    found, left_out = dict[str, Runs](), dict[str, str]()
    for name in TABLES:
        try:
            rows, without = on_trial(name, read(name))
        except RunsError as error:
            left_out[name] = str(error)
            continue
        found |= rows
        left_out |= without
    return found, left_out


def weights_alone(sample: Sample) -> Mask:
    """Which runs round weights and nothing else."""
    levels = sample.x.levels
    others = [levels.bits(p, when) for p in ("a", "kv", "q", "g") for when in ("train", "serve")]
    fewest = np.array(others).min(axis=0)
    return np.asarray(fewest[sample.x.level] == np.inf)


def _trained(runs: Runs) -> Runs | str:
    """The rows of `trained`, or why there are none."""
    return _several(runs.usable, lambda precision: not precision.serve)


def _rounded_after(runs: Runs) -> Runs | str:
    """The usable rows that were trained at the reference and served so or rounded, under their
    commonest schedule; or why there are none, as where none was rounded after training.
    """
    return _several(runs.usable, lambda precision: precision.trained.is_wide)


def _several(usable: Runs, wanted: Callable[[Precision], bool]) -> Runs | str:
    """The rows of the precisions that are wanted under their commonest schedule, or why laws cannot
    be tried on them.
    """
    if not len(usable):
        return "none of its runs is usable"
    read = _precisions(usable)
    spelled = [name for name, precision in read.items() if wanted(precision)]
    kept = usable.where(pl.col("precision").is_in(spelled))
    if "schedule" in kept.columns and len(kept):
        (most, _), *_ = Counter(kept["schedule"].tolist()).most_common(1)
        kept = kept.where(schedule=most)
    names = set(map(str, kept["precision"]))
    if len(names) < 2:
        return ONE if names else NONE
    if all(read[name].is_wide for name in names):
        return WIDE
    if len(kept) < FEWEST:
        return (
            f"{len(kept)} runs have precisions that laws read and one schedule; it takes {FEWEST}"
        )
    return kept


def _precisions(runs: Runs) -> dict[str, Precision]:
    """The precisions of a table that laws read, by their spelling: no single operand, no change
    during training.
    """
    found = {}
    for spelled in dict.fromkeys(map(str, runs["precision"])):
        with contextlib.suppress(ValueError):
            precision = Precision.parse(spelled)
            precision.check_one_format_a_part()
            found[spelled] = precision
    return found
