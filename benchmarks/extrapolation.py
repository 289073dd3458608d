"""Blind extrapolation: laws fitted below 1e9 params of gadre2024_c4 predict the 1.4B and 6.9B
runs.
"""

from __future__ import annotations

from benchmarks.timing import table
from isoloss.fits import fit
from isoloss.runs import read

LAWS = ("chinchilla", "chinchilla_tied", "busbridge2025")


def main() -> None:
    runs = read("gadre2024_c4")
    print("### gadre2024_c4: fitted below 1e9 params, predicted above\n")
    rows = []
    for law in LAWS:
        found = fit(law, runs, holdout="params>=1e9")
        held = found.held_out
        assert held is not None
        p, inside = held.prediction, held.prediction.covers(held.observed)
        for k, observed in enumerate(held.observed):
            error = 100 * (p.loss[k] / observed - 1)
            interval = f"{p.low[k]:.4f} to {p.high[k]:.4f}"
            rows.append(
                [
                    law,
                    f"{p.params[k]:.3g}",
                    f"{p.tokens[k]:.3g}",
                    f"{observed:.4f}",
                    f"{p.loss[k]:.4f}",
                    f"{error:+.2f}%",
                    interval,
                    "yes" if inside[k] else "NO",
                ]
            )
        said = [
            c.text for c in found.warnings if c.kind in ("not_covered", "held_out", "lack_of_fit")
        ]
        print(f"{law}: {'; '.join(said) or 'no warning'}\n")
    print(
        table(
            [
                "law",
                "params",
                "tokens",
                "observed",
                "predicted",
                "error",
                "90% interval",
                "covered",
            ],
            rows,
        )
    )


if __name__ == "__main__":
    main()
