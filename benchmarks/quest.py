"""quest2025: the published efficiencies again, the warnings, and Kumar's form on the same runs."""

from __future__ import annotations

import numpy as np

from benchmarks.timing import table
from isoloss.fits import Fit, compare, fit, text
from isoloss.laws import preset
from isoloss.runs import Runs, read

BASE = ("A", "alpha", "B", "beta", "E")


def published(found: Fit) -> str:
    """Our constants beside the published ones, with the digits that agree."""
    theirs = preset("quest2025").values
    rows = []
    for k in found.law.constants:
        if k.name == "kappa":
            continue
        mine, given = found.values[k.name], theirs[k.name]
        same = f"{mine:.3g}" == f"{given:.3g}"
        rows.append(
            [
                k.name,
                f"{given:.5g}",
                f"{mine:.5g}",
                "yes" if same else "no: at its bound 0" if k.name == "E" else "no",
            ]
        )
    return table(["constant", "published", "least squares on log loss", "equal to 3 digits"], rows)


def at_least(runs: Runs, bits: float) -> Runs:
    """The runs whose weights and activations have at least so many bits."""
    least = [
        min((b for part in ("w", "a", "kv") if (b := p.bits(part)) is not None), default=16.0)
        for p in runs.precisions
    ]
    return runs.take(np.array(least) >= bits)


def main() -> None:
    runs = read("quest2025")
    squares = fit("quest2025", runs, objective="squares", draws=200)
    print("### quest2025 by least squares on log loss, 16 levels\n")
    print(published(squares), "\n")
    huber = fit("quest2025", runs, objective="huber", draws=200)
    print(f"Huber: log-rmse {huber.fitted.log_rmse:.5f} (bar 0.0041), E = {huber.values['E']:g}\n")
    print("```text")
    print(text([s for s in huber.sections() if s.title.startswith(("Efficiencies", "Warnings"))]))
    print("```\n\n### Forms on bits >= 2 (89 runs), ranked by held-out error\n\n```text")
    print(
        compare(
            ["frantar2025", "kumar2024", "panferov2025", "chen2025_shared"],
            at_least(runs, 2),
            draws=100,
        )
    )
    print("```")


if __name__ == "__main__":
    main()
