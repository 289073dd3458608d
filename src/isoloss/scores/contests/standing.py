"""How laws and baselines stand: an entrant in one contest, and all contests; prints itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from isoloss.files import displayed, save
from isoloss.fits import Section, Target, text

PLURAL: Mapping[Target, str] = {"loss": "losses", "gap": "gaps"}


@dataclass(frozen=True)
class Entrant:
    """One law, average or baseline in one contest.

    Attributes
    ----------
    table, protocol, rule
        The contest: a table, a protocol, and the hold-out rule that it comes to there.
    name
        Of the law or baseline.
    kind
        "law", "average" or "baseline".
    runs, cells
        Held-out runs, and how many cells they are.
    error
        Root mean square error of log loss.
    error_se
        Its jackknife standard error over cells; NaN with one cell.
    log_score
        Mean log density of log loss, normal; NaN without intervals.
    inside
        Share of the runs in the 90% interval; NaN without intervals.
    why
        Why it has no prediction, "" where it has.
    target
        What is predicted: "loss", or "gap", of whose logarithms the scores are then.
    """

    table: str
    protocol: str
    rule: str
    name: str
    kind: str
    runs: int
    cells: int
    error: float
    error_se: float
    log_score: float
    inside: float
    why: str = ""
    target: Target = "loss"


@displayed
@dataclass(frozen=True, repr=False)
class Arena:
    """All contests. Prints itself.

    Attributes
    ----------
    entrants
        One for each contest and name.
    made
        The time, UTC.
    version
        Of isoloss.
    hashes
        Hashes of the tables.
    left_out
        Laws, tables, rows and protocols that are on no trial, each with the reason in words.
    """

    entrants: tuple[Entrant, ...]
    made: str
    version: str
    hashes: tuple[tuple[str, str], ...]
    left_out: tuple[str, ...] = ()

    def contest(self, table: str, protocol: str, target: Target = "loss") -> list[Entrant]:
        """The entrants of a contest, the smallest error first, those without a prediction last."""
        asked = table, protocol, target
        found = [e for e in self.entrants if (e.table, e.protocol, e.target) == asked]
        return sorted(found, key=lambda e: (bool(e.why), e.error))

    def beside(self, table: str, protocol: str, target: Target = "loss") -> list[Entrant]:
        """The entrant of the smallest error in a contest, then those within one standard error of
        it; none where nothing predicts the runs.
        """
        told = [e for e in self.contest(table, protocol, target) if not e.why]
        if not told:
            return []
        best = told[0]
        reach = best.error + (best.error_se if best.error_se == best.error_se else 0.0)
        return [best, *(e for e in told[1:] if e.error <= reach)]

    def save(self, path: str | Path, force: bool = False) -> Path:
        """Write it as a JSON file, which `load` reads; FilesError where that cannot be."""
        return save(self, path, force)

    def sections(self) -> list[Section]:
        """The report: which law for what, and each protocol."""
        asked = dict.fromkeys((e.target, e.protocol) for e in self.entrants)
        targets = dict.fromkeys(e.target for e in self.entrants)
        return [*map(self._best, targets), *(self._of(*each) for each in asked), *self._silent(),
                *self._left_out()]  # fmt: skip

    def _best(self, target: Target) -> Section:
        mine = [e for e in self.entrants if e.target == target]
        contests = dict.fromkeys((e.protocol, e.table, e.rule) for e in mine)
        rows = tuple(self._first(*each, target) for each in contests)
        of = "log loss of held-out runs" if target == "loss" else "log gaps of held-out cells"
        lines = (
            f"made {self.made} by isoloss {self.version}; errors of {of}",
            "beside it: those within one standard error of the smallest error, which it does not "
            "tell apart",
        )
        head = ("to predict", "of", "held out", "smallest error", "error", "beside it")
        return Section(f"Which law for what: {PLURAL[target]}", lines, head, rows)

    def _first(self, protocol: str, table: str, rule: str, target: Target) -> tuple[str, ...]:
        found = self.beside(table, protocol, target)
        if not found:
            return (protocol, table, rule, "none predicts them", "", "")
        best, *near = found
        names = ", ".join(e.name for e in near) or "none"
        return (protocol, table, rule, best.name, _error(best), names)

    def _of(self, target: Target, protocol: str) -> Section:
        mine = [e for e in self.entrants if (e.target, e.protocol) == (target, protocol)]
        tables = list(dict.fromkeys(e.table for e in mine))
        by = {(e.name, e.table): e for e in mine}
        names = sorted(dict.fromkeys(e.name for e in mine), key=lambda n: _rank(n, tables, by))
        rows = tuple(
            (name, next(e.kind for e in mine if e.name == name),
             *(part for t in tables for part in _cells(by.get((name, t)))))
            for name in names
            if any((e := by.get((name, t))) is not None and not e.why for t in tables)
        )  # fmt: skip
        head = ("", "", *(part for t in tables for part in (t, "log score", "inside")))
        return Section(f"{PLURAL[target].capitalize()}, {protocol}", (), head, rows)

    def _silent(self) -> Iterator[Section]:
        told: dict[tuple[str, str, Target, str], list[str]] = {}
        for each in self.entrants:
            if each.why:
                place = each.name, each.table, each.target, each.why
                told.setdefault(place, []).append(each.protocol)
        rows = tuple(
            (name, f"{table}, {PLURAL[target]}", ", ".join(protocols), why)
            for (name, table, target, why), protocols in told.items()
        )
        if rows:
            yield Section("Without a prediction", (), ("law", "of", "protocols", "why"), rows)

    def _left_out(self) -> Iterator[Section]:
        if self.left_out:
            yield Section("On no trial", self.left_out)

    def __str__(self) -> str:
        return text(self.sections())


def _rank(name: str, tables: Sequence[str], by: dict[tuple[str, str], Entrant]) -> float:
    """Mean log error over the tables; one that it does not predict counts as the worst there."""
    worst = {t: max((e.error for (_, at), e in by.items() if at == t and not e.why), default=1.0)
             for t in tables}  # fmt: skip
    errors = [e.error if (e := by.get((name, t))) is not None and not e.why else worst[t]
              for t in tables]  # fmt: skip
    return float(np.mean(np.log(np.maximum(errors, 1e-12))))


def _cells(entrant: Entrant | None) -> tuple[str, str, str]:
    if entrant is None or entrant.why:
        return "-", "-", "-"
    score, inside = entrant.log_score, entrant.inside
    told = score == score
    return (_error(entrant), f"{score:.2f}" if told else "-", f"{inside:.0%}" if told else "-")


def _error(entrant: Entrant) -> str:
    more = f" ({_percent(entrant.error_se, 2)})" if entrant.error_se == entrant.error_se else ""
    return f"{_percent(entrant.error, 3)}%{more}"


def _percent(share: float, digits: int) -> str:
    """A share in percent to so many significant digits, so that nothing small looks like zero."""
    value = 100 * share
    return f"{value:.0f}" if value >= 10**digits else f"{value:.{digits}g}"
