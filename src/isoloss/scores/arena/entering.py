"""The verb ``arena``: every law and baseline on the held-out runs of every table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
from scipy import stats

from isoloss.files import shown_value
from isoloss.fits import FitError, Sample, as_sample, split
from isoloss.laws import LAWS, Array, Law, as_law, is_gap_law
from isoloss.runs import Runs, as_runs
from isoloss.scores.arena.entrants import BASELINES, LEVEL, Told, average, of_baseline, of_law
from isoloss.scores.arena.protocols import PROTOCOLS
from isoloss.scores.arena.standing import Arena, Entrant
from isoloss.scores.problems import ScoreError

AVERAGE = "average of laws"
#: Called with each entrant just finished.
Callback = Callable[[Entrant], None]


def arena(
    tables: dict[str, Runs | Any],
    laws: Sequence[str | Law] | None = None,
    protocols: Sequence[str] | None = None,
    *,
    callback: Callback | None = None,
) -> Arena:
    """How laws, their average and baselines predict held-out runs, by frozen protocols.

    Parameters
    ----------
    tables
        Runs by the name of their table.
    laws
        Names or laws; every law of losses that is registered, one's own included, by default.
    protocols
        Names of `PROTOCOLS`; all by default.
    callback
        Called with each entrant as it is done.

    Returns
    -------
    Arena
        Errors of log loss with their errors, log scores and coverage; laws that cannot predict some
        runs say why.

    Raises
    ------
    ScoreError
        A protocol is unknown, or no table has runs that a protocol holds out.
    """
    chosen = _laws(laws)
    names = list(PROTOCOLS) if protocols is None else list(protocols)
    for name in names:
        if name not in PROTOCOLS:
            raise ScoreError(f"{PROTOCOLS.unknown(name)}")
    read = {name: as_runs(runs) for name, runs in tables.items()}
    found = []
    for table, runs in read.items():
        for each in _contests(table, as_sample(runs), chosen, names):
            found.append(each)
            if callback is not None:
                callback(each)
    if not found:
        raise ScoreError(f"no table of {', '.join(tables) or 'none'} has runs to hold out")
    made = datetime.now(UTC).isoformat(timespec="seconds")
    hashes = tuple((name, runs.hash) for name, runs in read.items())
    return Arena(tuple(found), made, version("isoloss"), hashes)


def _laws(laws: Sequence[str | Law] | None) -> list[Law]:
    """The laws that enter: by default all that give losses."""
    if isinstance(laws, str) or (laws is not None and not laws):
        raise ScoreError(f"laws is {shown_value(laws)}; give a list of names or laws")
    every = LAWS.values() if laws is None else map(as_law, laws)
    return [law for law in every if not is_gap_law(law)]


def _contests(
    table: str, sample: Sample, laws: Sequence[Law], protocols: Sequence[str]
) -> Iterator[Entrant]:
    for protocol in protocols:
        rule = PROTOCOLS[protocol].rule(sample)
        if rule is None:
            continue
        try:
            rows = split(sample, rule)
        except FitError:  # it would hold out every run
            continue
        new = sample.take(rows.test)
        told: list[Told] = []
        for law in laws:
            said = of_law(law, sample, rule)
            if isinstance(said, Told):
                told.append(said)
            yield _entrant((table, protocol, rule), law.name, "law", new, said)
        if told:
            yield _entrant((table, protocol, rule), AVERAGE, "average", new, average(told))
        for name, baseline in BASELINES.items():
            try:
                other: Told | str = of_baseline(baseline, sample, rule)
            except (FitError, ValueError) as error:
                other = str(error)
            yield _entrant((table, protocol, rule), name, "baseline", new, other)


def _entrant(
    contest: tuple[str, str, str], name: str, kind: str, new: Sample, said: Told | str
) -> Entrant:
    """The scores of one entrant."""
    cells = np.unique(new.cells, return_inverse=True)[1]
    counts = len(new), int(cells.max()) + 1
    nan = float("nan")
    if isinstance(said, str):
        return Entrant(*contest, name, kind, *counts, nan, nan, nan, nan, said)
    miss = np.log(new.loss) - said.log_loss
    error, error_se = _rms(miss, cells)
    known = np.isfinite(said.error)
    score = inside = nan
    if known.all():
        score = float(stats.norm.logpdf(miss, 0.0, said.error).mean())
        inside = float(np.mean(np.abs(miss) <= stats.norm.ppf((1 + LEVEL) / 2) * said.error))
    return Entrant(*contest, name, kind, *counts, error, error_se, score, inside)


def _rms(miss: Array, cells: Array) -> tuple[float, float]:
    """Root mean square, and its jackknife standard error over cells."""
    sums, counts = np.bincount(cells, miss**2), np.bincount(cells)
    whole = float(np.sqrt(sums.sum() / counts.sum()))
    n = len(sums)
    if n < 2:
        return whole, float("nan")
    left = np.sqrt((sums.sum() - sums) / (counts.sum() - counts))
    return whole, float(np.sqrt((n - 1) / n * np.sum((left - left.mean()) ** 2)))
