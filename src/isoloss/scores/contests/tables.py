"""Which rows of a table laws are tried on: those rounded in training, or those rounded after it."""

from __future__ import annotations

import contextlib
from collections import Counter

import numpy as np
import polars as pl

from isoloss.fits import FitError, Sample, mean_gaps
from isoloss.formats import Precision
from isoloss.laws import Mask
from isoloss.runs import TABLES, Runs, RunsError, read

#: Fewer rows are no table of a law.
FEWEST = 12
AFTER, WEIGHTS = "{} after training", "{}, weights alone"
NEITHER = "its runs are of one precision"


def trained(runs: Runs) -> Runs | None:
    """The usable rows that were rounded in training alone, in precisions that laws read, under
    their commonest schedule.

    None where these are fewer than a dozen, or of one precision.
    """
    trained = ~pl.col("precision").str.contains("->", literal=True)
    return _several(runs.usable, trained & pl.col("precision").is_in(_readable(runs)))


def rounded_after(runs: Runs) -> Runs | None:
    """The usable rows that were trained at the reference and served so or rounded, under their
    commonest schedule; None as of `trained`.
    """
    reference = pl.col("precision").str.replace(r"\s*->.*", "").is_in(["fp", "bf16"])
    return _several(runs.usable, reference)


def on_trial(name: str, runs: Runs) -> dict[str, Runs]:
    """What of a table laws are tried on, by the name of the contest.

    Rows rounded in training, by losses and gaps; where rows were rounded after training as well,
    the mean gaps of these (each of the model that it was made of), else these rows.
    """
    one, other = trained(runs), rounded_after(runs)
    if other is None or not _rounded(other):
        return {} if one is None else {name: one}
    if one is None:
        return {name: other}
    try:
        return {name: one, AFTER.format(name): mean_gaps(other)}
    except FitError:  # no run has a partner at the reference
        return {name: one}


def known_tables() -> tuple[dict[str, Runs], dict[str, str]]:
    """What of the public tables laws are tried on, and why the others are left out."""
    found, left_out = dict[str, Runs](), dict[str, str]()
    for name in TABLES:
        try:
            rows = on_trial(name, read(name))
        except RunsError as error:
            left_out[name] = str(error)
            continue
        found |= rows
        if not rows:
            left_out[name] = NEITHER
    return found, left_out


def weights_alone(sample: Sample) -> Mask:
    """Which runs round weights and nothing else."""
    levels = sample.x.levels
    others = [levels.bits(p, when) for p in ("a", "kv", "q", "g") for when in ("train", "serve")]
    fewest = np.array(others).min(axis=0)
    return np.asarray(fewest[sample.x.level] == np.inf)


def _several(usable: Runs, condition: pl.Expr) -> Runs | None:
    """The rows of a condition under their commonest schedule, where they are of two precisions."""
    if not len(usable):
        return None
    kept = usable.where(condition)
    if "schedule" in kept.columns and len(kept):
        (most, _), *_ = Counter(kept["schedule"].tolist()).most_common(1)
        kept = kept.where(schedule=most)
    return kept if len(kept) >= FEWEST and len(set(kept["precision"])) > 1 else None


def _readable(runs: Runs) -> list[str]:
    """The precisions of a table that laws read: no single operand, no change during training."""
    found = []
    for spelled in dict.fromkeys(map(str, runs.usable["precision"])):
        with contextlib.suppress(ValueError):
            Precision.parse(spelled).check_one_format_a_part()
            found.append(spelled)
    return found


def _rounded(runs: Runs) -> bool:
    return any("->" in str(each) for each in runs["precision"])
