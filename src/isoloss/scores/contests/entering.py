"""The verb ``arena``: every law and baseline on the held-out runs of every table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats

from isoloss.files import shown_value
from isoloss.fits import FitError, Sample, as_sample, split
from isoloss.laws import LAWS, Array, Law, as_law, is_gap_law
from isoloss.runs import TABLES, Runs, RunsError, as_runs, read
from isoloss.scores.contests.entrants import BASELINES, LEVEL, Told, average, of_baseline, of_law
from isoloss.scores.contests.protocols import PROTOCOLS
from isoloss.scores.contests.standing import Arena, Entrant
from isoloss.scores.problems import ScoreError

AVERAGE = "average of laws"
#: Fewer rows are no table of a law.
FEWEST = 12
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
        Names or laws; by default every law of losses that is registered, one's own included, and of
        those that a fit makes equal, as `chinchilla` and `epoch2024`, the first.
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
    found, same = [], []
    for table, runs in read.items():
        sample = as_sample(runs)
        rules, twice = _rules(table, sample, names)
        same += twice
        for each in _contests(table, sample, chosen, rules):
            found.append(each)
            if callback is not None:
                callback(each)
    if not found:
        raise ScoreError(f"no table of {', '.join(tables) or 'none'} has runs to hold out")
    made = datetime.now(UTC).isoformat(timespec="seconds")
    hashes = tuple((name, runs.hash) for name, runs in read.items())
    return Arena(tuple(found), made, version("isoloss"), hashes, tuple(same))


def trained(runs: Runs) -> Runs | None:
    """The usable rows that were rounded in training alone, under their commonest schedule.

    None where these are fewer than a dozen, or of one precision.
    """
    kept = runs.usable
    if not len(kept):
        return None
    kept = kept.where(~pl.col("precision").str.contains("->", literal=True))
    if "schedule" in kept.columns and len(kept):
        (most, _), *_ = Counter(kept["schedule"].tolist()).most_common(1)
        kept = kept.where(schedule=most)
    return kept if len(kept) >= FEWEST and len(set(kept["precision"])) > 1 else None


def known_tables() -> tuple[dict[str, Runs], dict[str, str]]:
    """The public tables that hold training in several precisions, and why others are left out."""
    found, left_out = {}, {}
    for name in TABLES:
        try:
            rows = trained(read(name))
        except RunsError as error:
            left_out[name] = str(error)
            continue
        if rows is None:
            left_out[name] = "its runs are not trained in several precisions"
        else:
            found[name] = rows
    return found, left_out


def _laws(laws: Sequence[str | Law] | None) -> list[Law]:
    """The laws that enter: by default all that give losses, a form that is fitted alike once."""
    if isinstance(laws, str) or (laws is not None and not laws):
        raise ScoreError(f"laws is {shown_value(laws)}; give a list of names or laws")
    if laws is not None:
        return [law for law in map(as_law, laws) if not is_gap_law(law)]
    forms: dict[Any, Law] = {}
    for law in LAWS.values():
        held = tuple(sorted((name, law.values[name]) for name in law.fixed))
        same = (law.formula, held, *(tuple(sorted(m.items())) for m in (law.ties, law.bounds)))
        if not is_gap_law(law):
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
            rows = tuple(split(sample, rule).test.tolist())
        except FitError:  # it would hold out every run
            continue
        if rows in held:
            same.append(f"{table}: {protocol} holds out the runs of {held[rows]}")
            continue
        held[rows], rules[protocol] = protocol, rule
    return rules, same


def _contests(
    table: str, sample: Sample, laws: Sequence[Law], rules: Mapping[str, str]
) -> Iterator[Entrant]:
    for protocol, rule in rules.items():
        rows = split(sample, rule)
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
    cells: NDArray[np.intp] = np.unique(new.cells, return_inverse=True)[1]
    counts = len(new), int(cells.max()) + 1
    nan = float("nan")
    if isinstance(said, str):
        return Entrant(*contest, name, kind, *counts, nan, nan, nan, nan, said)
    miss = np.log(new.loss) - said.log_loss
    error, error_se = _rms(miss, cells)
    known = np.isfinite(said.error)
    score = inside = nan
    if known.all():
        score = float(np.mean(stats.norm.logpdf(miss, 0.0, said.error)))
        inside = float(np.mean(np.abs(miss) <= stats.norm.ppf((1 + LEVEL) / 2) * said.error))
    return Entrant(*contest, name, kind, *counts, error, error_se, score, inside)


def _rms(miss: Array, cells: NDArray[np.intp]) -> tuple[float, float]:
    """Root mean square, and its jackknife standard error over cells."""
    sums, counts = np.bincount(cells, miss**2), np.bincount(cells)
    whole = float(np.sqrt(sums.sum() / counts.sum()))
    n = len(sums)
    if n < 2:
        return whole, float("nan")
    left = np.sqrt((sums.sum() - sums) / (counts.sum() - counts))
    return whole, float(np.sqrt((n - 1) / n * np.sum((left - left.mean()) ** 2)))
