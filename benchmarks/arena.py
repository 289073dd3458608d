"""The arena: laws, their average and baselines on held-out losses and gaps of all public tables.

``python -m benchmarks.arena [TABLE]``: all tables, or one; who stands first in each contest, how
often each kind does, and the time it took.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator

from benchmarks.timing import asked, table
from isoloss.fits import Target
from isoloss.runs import read
from isoloss.scores import Arena, Entrant, arena, known_tables, on_trial

AVERAGE = "average of laws"
WHAT: dict[Target, str] = {"loss": "log losses", "gap": "log gaps"}


def main(name: str = "") -> None:
    """Enter everything, and report."""
    tables, left_out = on_trial(name, read(name)) if name else known_tables()
    for other, why in left_out.items():
        print(f"Left out {other}: {why}.\n")
    processor, wall = time.process_time(), time.perf_counter()
    found = arena(tables, left_out=left_out)
    report(found, time.process_time() - processor, time.perf_counter() - wall)


def report(found: Arena, processor: float, wall: float) -> None:
    """Who stands first, and the time."""
    contests = dict.fromkeys((e.table, e.protocol, e.target) for e in found.entrants)
    print(
        f"{len(contests)} contests, {sum(not e.why for e in found.entrants)} of "
        f"{len(found.entrants)} entrants predict: {processor:.0f} s of processor, {wall:.0f} s on "
        "the wall.\n"
    )
    for target, what in WHAT.items():
        mine = [found.beside(*each) for each in contests if each[2] == target]
        mine = [each for each in mine if each]
        if not mine:
            continue
        head = ["to predict", "of", "held out", f"smallest error of {what}",
                "beside it, within one standard error", AVERAGE, "best baseline"]  # fmt: skip
        print(table(head, [list(_row(found, each)) for each in mine]), "\n")
        kinds = Counter(each[0].kind for each in mine)
        near = Counter(e.name for each in mine for e in each)
        most = ", ".join(f"{name} {count}" for name, count in near.most_common(5))
        print(
            f"Of {len(mine)} contests a law stands first in {kinds['law']}, the average in "
            f"{kinds['average']}, a baseline in {kinds['baseline']}; first or within one standard "
            f"error of it: {most}.\n"
        )


def _row(found: Arena, near: list[Entrant]) -> Iterator[str]:
    best, *others = near
    contest = found.contest(best.table, best.protocol, best.target)
    yield from (best.protocol, best.table, f"{best.runs} of rule {best.rule}", _said(best))
    yield ", ".join(e.name for e in others) or "none"
    for kind in ("average", "baseline"):
        first = next((e for e in contest if e.kind == kind and not e.why), None)
        yield (
            "none"
            if first is None
            else f"{first.name if kind == 'baseline' else ''} " + _error(first)
        )


def _said(each: Entrant) -> str:
    return f"{each.name} {_error(each)}"


def _error(each: Entrant) -> str:
    more = f" +- {100 * each.error_se:.2g}" if each.error_se == each.error_se else ""
    return f"{100 * each.error:.3g}%{more}"


if __name__ == "__main__":
    main(*asked(__doc__, sys.argv[1:], str))
