"""What the bundled table isoloss2026 says: how gaps grow with tokens and params, with and without
decay (disputes C1 and C2).
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.timing import table
from isoloss.fits import GapTable, Growth, gap_table
from isoloss.fits.paired_gaps.paired import Slope
from isoloss.runs import Runs, compact, read

LEVEL = 0.9
RATE = 0.01


def main() -> None:
    runs = read("isoloss2026")
    usual = runs.where(lr_peak=RATE)
    found = gap_table(usual, LEVEL)
    print(
        f"### isoloss2026: {len(runs)} rows, {sum(run.parent is None for run in runs)} of them "
        "trained\n"
    )
    print(
        f"Equal runs differ by {found.noise:.4f} nats between seeds ({found.freedom} degrees of "
        "freedom).\n"
    )
    print(
        "How the gap after training grows: gap ~ tokens^d params^-n, 90% intervals by jackknife "
        "over trajectories\n"
    )
    _after(found)
    print("\nThe same in training, decayed runs\n")
    _training(found)
    print("\nParams times bits the same, decayed runs: the mean loss over seeds\n")
    _equal(usual)
    print("\nOther learning rates: gaps at 20k params, decayed runs\n")
    _rates(runs)


def _after(found: GapTable) -> None:
    rows = []
    names = dict.fromkeys(p.precision for p in found.precisions if p.precision.startswith("fp -> "))
    for name in names:
        decayed, undecayed = (
            found.of(name, s) if _has(found, name, s) else None for s in ("wsd", "constant")
        )
        if decayed is None or undecayed is None:
            continue
        grown = [decayed.growth, undecayed.growth]
        rows.append(
            [
                name,
                f"{decayed.mean:+.4f} ({decayed.error:.4f})",
                f"{undecayed.mean:+.4f} ({undecayed.error:.4f})",
                *(_of(g, "tokens") for g in grown),
                _slope(found.differences.get((name, "tokens"))),
                _of(grown[0], "params", -1),
            ]
        )
    head = [
        "precision",
        "mean gap decayed (se)",
        "undecayed",
        "d decayed",
        "d undecayed",
        "decayed less undecayed",
        "n decayed",
    ]
    print(table(head, rows))


def _training(found: GapTable) -> None:
    kept = [p for p in found.precisions if "->" not in p.precision and p.schedule == "wsd"]
    rows = [
        [
            p.precision,
            p.cells,
            p.pairs,
            f"{p.mean:+.4f} ({p.error:.4f})",
            f"{p.resolved:.4f}",
            _of(p.growth, "tokens"),
            _of(p.growth, "params", -1),
        ]
        for p in kept
    ]
    print(
        table(["precision", "cells", "pairs", "mean gap (se)", "one cell resolves", "d", "n"], rows)
    )


def _equal(runs: Runs) -> None:
    rows = []
    for tokens in sorted(set(runs.where(block="equal N x P")["tokens"])):
        cells = []
        for precision in ("w8", "w4", "w2"):
            some = runs.where(block="equal N x P", tokens=tokens, precision=precision, parent=None)
            if len(some):
                loss = some["loss"]
                cells.append(f"{loss.mean():.4f} (se {loss.std(ddof=1) / len(loss) ** 0.5:.4f})")
            else:
                cells.append("not there")
        rows.append([compact(tokens), *cells])
    print(table(["tokens", "20k params w8", "40k w4", "80k w2"], rows))


def _rates(runs: Runs) -> None:
    rows = []
    sizes = runs.where(block="rates")
    for rate in sorted({*sizes["lr_peak"], RATE}):
        some = runs.where(lr_peak=rate, schedule="wsd", params=(0, 25_000))
        found = gap_table(some, LEVEL)
        rows.append(
            [
                f"{rate:g}",
                *(_mean(found, p, [10, 60]) for p in ("w3", "w4", "fp -> w3", "fp -> w4")),
            ]
        )
    print(table(["peak rate", "w3", "w4", "fp -> w3", "fp -> w4"], rows))


def _mean(found: GapTable, precision: str, ratios: Sequence[float]) -> str:
    """The gap at those tokens per param, with its standard error over seeds."""
    cells = [
        c
        for c in found.cells
        if c.precision == precision and any(abs(c.tokens / c.params / r - 1) < 0.1 for r in ratios)
    ]
    return (
        ", ".join(f"{c.mean:+.4f} ({c.error:.4f}) at {c.tokens / c.params:.0f}" for c in cells)
        or "not there"
    )


def _has(found: GapTable, precision: str, schedule: str) -> bool:
    return any(p.precision == precision and p.schedule == schedule for p in found.precisions)


def _of(grown: Growth | str, name: str, sign: int = 1) -> str:
    if isinstance(grown, str):
        return grown
    slope = grown.slopes.get(name)
    return "-" if slope is None else _slope(Slope(sign * slope.value, slope.error, slope.freedom))


def _slope(slope: Slope | None) -> str:
    if slope is None:
        return "-"
    low, high = slope.interval(LEVEL)
    return f"{slope.value:+.2f} ({low:+.2f} to {high:+.2f})"


if __name__ == "__main__":
    main()
