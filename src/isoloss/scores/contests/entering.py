"""The verb ``arena``: every law and baseline on the held-out runs of every table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from isoloss.files import in_threads, shown_value
from isoloss.fits import FitError, Sample, Target, as_sample, is_gaps, mean_gaps
from isoloss.laws import LAWS, Array, Law, as_law, gap_law, is_gap_law
from isoloss.runs import Runs, as_runs
from isoloss.scores.contests.entrants import (
    BASELINES,
    GAP_BASELINES,
    LEVEL,
    Told,
    average,
    of_baseline,
    of_law,
)
from isoloss.scores.contests.protocols import PROTOCOLS, splits
from isoloss.scores.contests.standing import Arena, Entrant
from isoloss.scores.contests.tables import FEWEST, WEIGHTS, weights_alone
from isoloss.scores.problems import ScoreError

AVERAGE = "average of laws"
#: Laws that are fitted at once; arrays are worked on outside of the interpreter's lock.
AT_ONCE = 2
TARGETS: tuple[Target, ...] = get_args(Target)
#: Called with each entrant just finished.
Callback = Callable[[Entrant], None]


def arena(
    tables: dict[str, Runs | Any],
    laws: Sequence[str | Law] | None = None,
    protocols: Sequence[str] | None = None,
    *,
    targets: Sequence[Target] = TARGETS,
    callback: Callback | None = None,
) -> Arena:
    """How laws, their average and baselines predict held-out runs, by frozen protocols.

    Parameters
    ----------
    tables
        Runs by the name of their table; one of gaps (`isoloss.fits.mean_gaps`) is on trial by gaps
        alone.
    laws
        Names or laws; by default every law that is registered, one's own included, and of those
        that a fit makes equal, as `chinchilla` and `epoch2024`, the first.
    protocols
        Names of `PROTOCOLS`; all by default.
    targets
        "loss", "gap" (the mean gaps of cells, each beside the run at the reference), or both.
    callback
        Called with each entrant, contest by contest as they are done.

    Returns
    -------
    Arena
        Errors of the logarithm of losses or gaps with their errors, log scores and coverage; laws
        that cannot predict some runs say why.

    Raises
    ------
    ScoreError
        A protocol or target is unknown, or no table has runs that a protocol holds out.
    """
    forms = _laws(laws)
    names = list(PROTOCOLS) if protocols is None else list(protocols)
    for name in names:
        if name not in PROTOCOLS:
            raise ScoreError(f"{PROTOCOLS.unknown(name)}")
    _check_targets(targets)
    read = {name: as_runs(runs) for name, runs in tables.items()}
    found, same = [], []
    for target in targets:
        for table, sample in _samples(read, target):
            rules, twice = _rules(table, sample, names)
            same += [each for each in twice if each not in same]
            for each in _contests((table, target), sample, _of_target(forms, target), rules):
                found.append(each)
                if callback is not None:
                    callback(each)
    if not found:
        raise ScoreError(f"no table of {', '.join(tables) or 'none'} has runs to hold out")
    made = datetime.now(UTC).isoformat(timespec="seconds")
    hashes = tuple((name, runs.hash) for name, runs in read.items())
    return Arena(tuple(found), made, version("isoloss"), hashes, tuple(same))


def _check_targets(targets: Any) -> None:
    if isinstance(targets, str) or not targets or not set(targets) <= set(TARGETS):
        said = shown_value(targets)
        raise ScoreError(f"targets is {said}; give a list of {' and '.join(map(repr, TARGETS))}")


def _samples(tables: Mapping[str, Runs], target: Target) -> Iterator[tuple[str, Sample]]:
    """What is fitted of each table that has it: its runs, or the mean gaps of their cells, of all
    and of those where weights alone are rounded, which more laws see.
    """
    for name, runs in tables.items():
        if target == "loss":
            if not is_gaps(runs):
                yield name, as_sample(runs)
            continue
        try:
            gaps = mean_gaps(runs).usable
        except FitError:  # no run has a partner at the reference
            continue
        if len(gaps) < FEWEST:
            continue
        sample = as_sample(gaps)
        yield name, sample
        alone = weights_alone(sample)
        if FEWEST <= alone.sum() < len(sample):
            yield WEIGHTS.format(name), sample.take(np.flatnonzero(alone))


def _laws(laws: Sequence[str | Law] | None) -> list[Law]:
    """The laws that enter: by default all that are registered."""
    if isinstance(laws, str) or (laws is not None and not laws):
        raise ScoreError(f"laws is {shown_value(laws)}; give a list of names or laws")
    return list(LAWS.values()) if laws is None else [as_law(law) for law in laws]


def _of_target(laws: Sequence[Law], target: Target) -> list[Law]:
    """The laws of a target, a form that is fitted alike once."""
    forms: dict[Any, Law] = {}
    for each in laws:
        if target == "loss" and is_gap_law(each):
            continue
        law = gap_law(each) if target == "gap" else each
        held = tuple(sorted((name, law.values[name]) for name in law.fixed))
        same = (law.formula, held, *(tuple(sorted(m.items())) for m in (law.ties, law.bounds)))
        forms.setdefault(same, law)
    return list(forms.values())


def _rules(
    table: str, sample: Sample, protocols: Sequence[str]
) -> tuple[dict[str, str], list[str]]:
    """The hold-out rule of each protocol, and which protocols hold out what another one does."""
    rules: dict[str, str] = {}
    held: dict[tuple[int, ...], str] = {}
    same = []
    for protocol in protocols:
        rule = PROTOCOLS[protocol].rule(sample)
        if rule is None:
            continue
        try:
            rows = tuple(i for each in splits(sample, rule) for i in each.test.tolist())
        except FitError:  # it would hold out every run
            continue
        if rows in held:
            same.append(f"{table}: {protocol} holds out the runs of {held[rows]}")
            continue
        held[rows], rules[protocol] = protocol, rule
    return rules, same


def _contests(
    of: tuple[str, Target], sample: Sample, laws: Sequence[Law], rules: Mapping[str, str]
) -> Iterator[Entrant]:
    table, target = of
    baselines = GAP_BASELINES if target == "gap" else BASELINES
    for protocol, rule in rules.items():
        rows = splits(sample, rule)
        contest = table, protocol, rule, target
        new = sample.take(np.concatenate([each.test for each in rows]))
        heard = in_threads(partial(of_law, sample=sample, rows=rows), laws, AT_ONCE)
        for law, said in zip(laws, heard, strict=True):
            yield _entrant(contest, law.name, "law", new, said)
        if told := [said for said in heard if isinstance(said, Told)]:
            yield _entrant(contest, AVERAGE, "average", new, average(told))
        for name, baseline in baselines.items():
            yield _entrant(contest, name, "baseline", new, of_baseline(baseline, sample, rows))


def _entrant(
    contest: tuple[str, str, str, Target], name: str, kind: str, new: Sample, said: Told | str
) -> Entrant:
    """The scores of one entrant."""
    cells: NDArray[np.intp] = np.unique(new.cells, return_inverse=True)[1]
    counts = len(new), int(cells.max()) + 1
    place, target = contest[:3], contest[3]
    nan = float("nan")
    if isinstance(said, str):
        return Entrant(*place, name, kind, *counts, nan, nan, nan, nan, said, target)
    miss = np.log(new.loss) - said.log_loss
    error, error_se = _rms(miss, cells)
    known = np.isfinite(said.error)
    score = inside = nan
    if known.all():
        score = float(np.mean(stats.norm.logpdf(miss, 0.0, said.error)))
        inside = float(np.mean(np.abs(miss) <= stats.norm.ppf((1 + LEVEL) / 2) * said.error))
    return Entrant(*place, name, kind, *counts, error, error_se, score, inside, target=target)


def _rms(miss: Array, cells: NDArray[np.intp]) -> tuple[float, float]:
    """Root mean square, and its jackknife standard error over cells."""
    sums, counts = np.bincount(cells, miss**2), np.bincount(cells)
    whole = float(np.sqrt(sums.sum() / counts.sum()))
    n = len(sums)
    if n < 2:
        return whole, float("nan")
    left = np.sqrt((sums.sum() - sums) / (counts.sum() - counts))
    return whole, float(np.sqrt((n - 1) / n * np.sum((left - left.mean()) ** 2)))
