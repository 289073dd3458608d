"""The verb ``arena``: every law and baseline on the held-out runs of every table."""

from __future__ import annotations

from collections import Counter
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
from isoloss.scores.contests.standing import PLURAL, Arena, Entrant
from isoloss.scores.contests.tables import FEWEST, WEIGHTS, unusable, weights_alone
from isoloss.scores.problems import ScoreError

AVERAGE = "average of laws"
#: Laws that are fitted at once; arrays are worked on outside of the interpreter's lock.
AT_ONCE = 2
#: Logarithms of losses that are no farther apart are equal but for rounding.
SAME_LOG = 1e-12
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
    left_out: Mapping[str, str] | None = None,
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
    left_out
        What was left out before, and why, as `on_trial` says; the report repeats it.

    Returns
    -------
    Arena
        Errors of the logarithm of losses or gaps with their errors, log scores and coverage; laws
        that cannot predict some runs say why, and laws, tables and protocols on no trial are
        said with the reason.

    Raises
    ------
    ScoreError
        A protocol or target is unknown or given twice, or no table has runs that a protocol holds
        out.
    """
    forms = _laws(laws)
    names = list(PROTOCOLS) if protocols is None else list(protocols)
    _check_protocols(names)
    _check_targets(targets)
    read = {name: as_runs(runs) for name, runs in tables.items()}
    before = dict(left_out or {}) | {k: v for name, runs in read.items()
                                 for k, v in unusable(name, runs).items()}  # fmt: skip
    found, without = [], {f"{what}: {why}": None for what, why in before.items()}  # each once
    for each in _everything(read, forms, names, targets):
        if isinstance(each, str):
            without[each] = None
            continue
        found.append(each)
        if callback is not None:
            callback(each)
    if not found:
        why = "".join(f"; {each}" for each in without)
        raise ScoreError(f"no table of {', '.join(tables) or 'none'} has runs to hold out{why}")
    made = datetime.now(UTC).isoformat(timespec="seconds")
    hashes = tuple((name, runs.hash) for name, runs in read.items())
    return Arena(tuple(found), made, version("isoloss"), hashes, tuple(without))


def _everything(
    tables: Mapping[str, Runs],
    laws: Sequence[Law],
    protocols: Sequence[str],
    targets: Sequence[Target],
) -> Iterator[Entrant | str]:
    """The entrants of all contests, and in sentences what is on no trial and why."""
    for target in targets:
        forms, why = _of_target(laws, target)
        yield from (f"{PLURAL[target]}: {each}" for each in why)
        for table, sample in _samples(tables, target):
            of = f"{PLURAL[target]} of {table}"
            if isinstance(sample, str):
                yield f"{of}: {sample}"
                continue
            rules, why = _rules(sample, protocols)
            yield from (f"{of}: {each}" for each in why)
            yield from _contests((table, target), sample, forms, rules)


def _check_protocols(names: Sequence[str]) -> None:
    for name in names:
        if name not in PROTOCOLS:
            raise ScoreError(f"{PROTOCOLS.unknown(name)}")
    _check_once("protocols", names)


def _check_targets(targets: Any) -> None:
    if isinstance(targets, str) or not targets or not set(targets) <= set(TARGETS):
        said = shown_value(targets)
        raise ScoreError(f"targets is {said}; give a list of {' and '.join(map(repr, TARGETS))}")
    _check_once("targets", targets)


def _check_once(what: str, names: Sequence[str]) -> None:
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ScoreError(f"{what} holds {twice[0]!r} twice; give each value once")


def _samples(tables: Mapping[str, Runs], target: Target) -> Iterator[tuple[str, Sample | str]]:
    """What is fitted of each table, or why nothing is: its runs, or the mean gaps of their cells,
    of all and of those where weights alone are rounded, which more laws see.
    """
    for name, runs in tables.items():
        if target == "loss":
            yield name, "it is a table of gaps" if is_gaps(runs) else _differing(_sample(runs))
            continue
        try:
            gaps = mean_gaps(runs).usable
        except FitError as error:  # no run has a partner at the reference
            yield name, str(error)
            continue
        if len(gaps) < FEWEST:
            yield name, f"{len(gaps)} are told from zero; it takes {FEWEST}"
            continue
        sample = _sample(gaps)
        yield name, _differing(sample)
        alone = np.flatnonzero(weights_alone(sample))
        if 0 < len(alone) < FEWEST:
            yield WEIGHTS.format(name), f"{len(alone)} are told from zero; it takes {FEWEST}"
        elif 0 < len(alone) < len(sample):
            yield WEIGHTS.format(name), _differing(sample.take(alone))


def _sample(runs: Runs) -> Sample:
    return as_sample(runs, takes_per=False)


def _differing(sample: Sample) -> Sample | str:
    """The sample, or why nothing can be tried on it: equal values tell no law from another."""
    log = np.log(sample.loss)
    if np.ptp(log) > SAME_LOG:
        return sample
    return f"all {len(sample)} are {sample.loss[0]:.6g}, which tells no law from another"


def _laws(laws: Sequence[str | Law] | None) -> list[Law]:
    """The laws that enter: by default all that are registered."""
    if isinstance(laws, str) or (laws is not None and not laws):
        raise ScoreError(f"laws is {shown_value(laws)}; give a list of names or laws")
    return list(LAWS.values()) if laws is None else [as_law(law) for law in laws]


def _of_target(laws: Sequence[Law], target: Target) -> tuple[list[Law], list[str]]:
    """The laws of a target, a form that is fitted alike once, and why others do not enter."""
    forms: dict[Any, Law] = {}
    of_gaps, twice = [], []
    for each in laws:
        if target == "loss" and is_gap_law(each):
            of_gaps.append(each.name)
            continue
        law = gap_law(each) if target == "gap" else each
        held = tuple(sorted((name, law.values[name]) for name in law.fixed))
        same = (law.formula, held, *(tuple(sorted(m.items())) for m in (law.ties, law.bounds)))
        if forms.setdefault(same, law) is not law:
            twice.append(f"{law.name} as {forms[same].name}")
    why = [f"laws of gaps alone do not enter: {', '.join(of_gaps)}"] if of_gaps else []
    if twice:
        why.append(f"laws that are fitted alike enter once: {', '.join(twice)}")
    return list(forms.values()), why


def _rules(sample: Sample, protocols: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The hold-out rule of each protocol, and why others have none: no such runs, or those that
    another protocol holds out.
    """
    rules: dict[str, str] = {}
    held: dict[tuple[int, ...], str] = {}
    without, why = [], []
    for protocol in protocols:
        rule = PROTOCOLS[protocol].rule(sample)
        if rule is None:
            without.append(protocol)
            continue
        try:
            rows = tuple(i for each in splits(sample, rule) for i in each.test.tolist())
        except FitError as error:  # it would hold out every run
            why.append(f"{protocol}: {error}")
            continue
        if rows in held:
            why.append(f"{protocol} holds out the runs of {held[rows]}")
            continue
        held[rows], rules[protocol] = protocol, rule
    if without:
        why.append(f"no such runs for {', '.join(without)}")
    return rules, why


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
