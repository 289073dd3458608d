"""How far closures of a parameter rounded to nearest are off, beside simulation with real rounding.

Each risk is that of the last iterate at the default scale of the grid (largest number 4 w*) unless
it says where the numbers end, with the cost of rounding, the risk less that of full precision, by
the closure and by simulation.
"""

from __future__ import annotations

from benchmarks.timing import table
from isoloss.linear import SGD, Regression, Scales, excess_risk, sample_risk

SMALL = Regression(8, decay=1.5)
QUIET = Regression(8, decay=1.5, noise_var=0.1)
MIXED = Regression(6, target=[1, -0.6, 0.3, 0.9, -1.1, 0.2])  # type: ignore[arg-type]
SHORT = SGD(300, 2, 0.05)
CASES = [
    ("d = 10, a = 2", Regression(10), SGD(500, 4, 0.1), "w:int4"),
    ("d = 8, a = 1.5", SMALL, SHORT, "w:int3"),
    ("d = 8, a = 1.5", SMALL, SHORT, "w:int4"),
    ("d = 8, a = 1.5", SMALL, SHORT, "w:e2m1"),
    ("d = 8, a = 1.5", SMALL, SHORT, "w:int6"),
    ("d = 8, a = 1.5", SMALL, SHORT, "w:int8"),
    ("d = 8, a = 1.5", SMALL, SHORT, "w:int4~sr"),
    ("d = 8, a = 1.5, noise 0.1", QUIET, SHORT, "w:int4"),
    ("d = 8, a = 1.5, noise 0.1", QUIET, SHORT, "w:int5"),
    ("d = 6, a = 2, mixed w*", MIXED, SGD(250, 1, 0.05), "w:int4"),
]
#: Scales at which the parameter, w* = 1, meets the end of its grid.
ENDING = [("w:int4~sr", 0.05), ("w:int4~sr", 0.15), ("w:int4", 0.15), ("w:int4~sr", 0.2)]
ENDS = Regression(10), SGD(200, 1, 0.1)
REPLICATES = 8000


def main() -> None:
    """Print the table."""
    rows = []
    cases = [(*each, Scales()) for each in CASES]
    cases += [
        (f"d = 10, a = 2, numbers to {7 * step:.3g}", *ENDS, precision, Scales(w=step))
        for precision, step in ENDING
    ]
    for name, problem, sgd, precision, scales in cases:
        full = excess_risk(problem, sgd, "fp", "last").value
        closed = excess_risk(problem, sgd, precision, "last", scales=scales).value
        found = sample_risk(problem, sgd, precision, "last", scales=scales, replicates=REPLICATES)
        rows.append(
            [
                name,
                f"`{precision}`",
                f"{closed:.5f}",
                f"{found.value:.5f} ({found.standard_error:.5f})",
                f"{closed / found.value - 1:+.1%} ({found.standard_error / found.value:.1%})",
                f"{closed - full:+.5f}",
                f"{found.value - full:+.5f}",
            ]
        )
    head = ["problem", "precision", "closure", "simulated (se)", "off (se)"]
    print(table([*head, "cost, closure", "cost, simulated"], rows))


if __name__ == "__main__":
    main()
