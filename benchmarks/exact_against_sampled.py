"""The exact risk against simulation with real rounding: z-scores of what is exact, errors of what
is a closure.

ISOLOSS_REPEATS times 200 replicates of each (200 unless set: 40,000). z = (sampled - exact) /
standard error.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass

import numpy as np

from benchmarks.timing import repeats, table
from isoloss.linear import SGD, Regression, Risk, Scales, excess_risk, sample_risk

KINDS = ("add", "vec", "coord")
PROBLEM = Regression(32, 1.5, 1.0)
SHORT = SGD(60, 2, 0.1)
#: Seeds are this plus the row, so that rows are independent.
SEED = int(os.environ.get("ISOLOSS_SEED", 1000))


@dataclass(frozen=True)
class Case:
    group: str
    problem: Regression
    sgd: SGD
    precision: str
    iterate: str = "average"
    inputs: str = "clean"
    scales: Scales = Scales()  # noqa: RUF009  a frozen value
    share: float = 1.0  # of the replicates

    def risks(self, replicates: int, seed: int) -> tuple[Risk, Risk]:
        """Exact (or closure) and sampled."""
        given = (self.problem, self.sgd, self.precision, self.iterate, self.inputs)
        count = max(4, int(self.share * replicates))
        exact = excess_risk(*given, scales=self.scales)
        return exact, sample_risk(*given, scales=self.scales, replicates=count, seed=seed)


def together(kind: str, eps: float = 0.05) -> str:
    return " ".join(f"{part}:{kind}({eps})" for part in "dlwag")


def ideal_cases() -> list[Case]:
    alone = [(part, kind) for part in "dlwag" for kind in KINDS]
    cases = [Case("alone", PROBLEM, SHORT, f"{part}:{kind}(0.1)") for part, kind in alone]
    cases += [
        Case("alone", PROBLEM, SGD(40, 3, 0.15), f"{p}:{k}(0.3)", "last", "in use")
        for p, k in alone
    ]
    for kind in KINDS:
        for batch in (1, 8):
            both = (("average", "clean"), ("last", "in use"))
            cases += [
                Case("together", PROBLEM, SGD(60, batch, 0.08), together(kind), *way)
                for way in both
            ]
    mixed = "d:add(0.01) l:vec(0.2) w:add(0.01) a:coord(0.1) g:vec(0.1)"
    for schedule in ("constant", "geometric", "cosine"):
        for momentum in (0.0, 0.7):
            sgd = SGD(60, 2, 0.08, schedule, momentum)
            ways = ("last", "tail") if momentum else ("average", "tail 0.25")
            cases += [Case("schedules, momentum", PROBLEM, sgd, mixed, way) for way in ways]
    return cases


def data_cases() -> list[Case]:
    found = []
    for name, scale in (
        ("int4", 0.4), ("int4~sr", 0.4), ("int3", 1.0), ("int3~sr", 1.0), ("int8", None),
        ("int8~sr", None),
        ("e2m1", 0.5), ("e2m1~sr", 0.5), ("e4m3", 1.0), ("e4m3~sr", 1.0), ("e3m2", 0.1),
        ("e5m2~sr", 1.0), ("bf16", 1.0),
    ):  # fmt: skip
        way = ("last", "in use") if "sr" in name else ("average", "clean")
        found.append(
            Case("real grids on data", PROBLEM, SHORT, f"d:{name}", *way, scales=Scales(d=scale))
        )
    found.append(
        Case(
            "real grids on data",
            PROBLEM,
            SHORT,
            "d:int4~sr a:vec(0.1) w:add(0.01)",
            scales=Scales(d=0.4),
        )
    )
    big = Regression(1024, 2.0, 1.0)
    for way in ("last", "average"):
        found.append(
            Case(
                "real grids on data",
                big,
                SGD(500, 8, 0.05),
                "d:int8~sr",
                way,
                scales=Scales(d=0.1),
                share=0.05,
            )
        )
    return found


def other_cases() -> list[Case]:
    sketch = [Regression(200, 1.5, 0.5, target, sketch=12, seed=3) for target in (1.0, "isotropic")]
    before = Regression(48, 1.5, 0.5, sketch=12, seed=3, site="before")
    found = [Case("sketch", each, SHORT, "fp", "last") for each in sketch]
    found += [
        Case("sketch", sketch[0], SHORT, p, "average", "in use")
        for p in ("d:add(0.02)", "d:vec(0.1) g:add(0.1)")
    ]
    found += [
        Case("sketch", sketch[1], SHORT, together("add", 0.01)),
        Case("sketch", sketch[0], SHORT, together("vec")),
    ]
    found += [
        Case("sketch", before, SHORT, p, "last", "in use", share=0.3)
        for p in ("d:add(0.02)", "d:vec(0.1)")
    ]
    for post in ("add(0.02)", "vec(0.1)", "coord(0.1)"):
        found.append(Case("rounded result", PROBLEM, SHORT, f"fp -> w:{post}", "last"))
        found.append(
            Case(
                "rounded result",
                PROBLEM,
                SHORT,
                f"d:int4~sr -> w:{post}",
                "average",
                "in use",
                Scales(d=0.4),
            )
        )
    kurtosis = [
        (1.0, "add", "last"),
        (2.0, "vec", "average"),
        (6.0, "coord", "last"),
        (6.0, "add", "average"),
    ]
    found += [
        Case("kurtosis", Regression(32, 1.5, 1.0, kurtosis=k), SHORT, f"d:{kind}(0.1)", way)
        for k, kind, way in kurtosis
    ]
    for target in ("isotropic", "source 1.2"):
        found.append(
            Case(
                "targets, spectra",
                Regression(32, 1.5, 1.0, target),
                SHORT,
                together("coord"),
                "last",
            )
        )
    found.append(
        Case("targets, spectra", Regression.exponential(32, 0.3), SHORT, together("add"), "average")
    )
    return found


def closure_cases() -> list[Case]:
    found = []
    for part in "lag":
        for name, scale in (
            ("int8", None), ("int4", None), ("int4~sr", None), ("int4", 4.0), ("int4~sr", 4.0),
            ("e4m3", 1.0), ("e2m1", 1.0), ("e2m1~sr", 1.0)):  # fmt: skip
            found += [
                Case(part, PROBLEM, SHORT, f"{part}:{name}", way, scales=Scales(**{part: scale}))
                for way in ("last", "average")
            ]
    for part, head in (("w", ""), ("post", "fp -> ")):
        for name, scale in (
            ("int8", None), ("int4", None), ("int4~sr", None), ("int4", 0.7), ("int4~sr", 0.7),
            ("e2m1", 0.5)):  # fmt: skip
            scales = Scales(**{part: scale})
            found += [
                Case(f"{head}w", PROBLEM, SHORT, f"{head}w:{name}", way, scales=scales)
                for way in ("last", "average")
            ]
    sketch = Regression(200, 1.5, 0.5, sketch=12, seed=3)
    for name, scale in (("int4", 0.3), ("int4~sr", 0.3), ("e2m1", 0.3), ("coord(0.1)", None)):
        found += [
            Case("d of a sketch", sketch, SHORT, f"d:{name}", "average", inputs, Scales(d=scale))
            for inputs in ("clean", "in use")
        ]
    five = " ".join(f"{part}:int6~sr" for part in "dlwag")
    found += [Case("all five", PROBLEM, SHORT, five, way) for way in ("last", "average")]
    return found


def run(cases: list[Case], replicates: int, first: int) -> list[tuple[Case, Risk, Risk]]:
    rows = []
    for k, case in enumerate(cases):
        if sys.stderr.isatty():
            print(f"\r{k + 1} of {len(cases)} ", end="", file=sys.stderr, flush=True)
        rows.append((case, *case.risks(replicates, SEED + first + k)))
    return rows


def exact_tables(rows: list[tuple[Case, Risk, Risk]]) -> None:
    z = np.array([(s.value - e.value) / s.standard_error for _, e, s in rows])
    share = np.array([s.standard_error / s.value for _, _, s in rows])
    lines = []
    for group in dict.fromkeys(case.group for case, _, _ in rows):
        mine = np.array([case.group == group for case, _, _ in rows])
        spread = f"{np.sqrt(np.mean(z[mine] ** 2)):.2f}"
        lines.append(
            [
                group,
                mine.sum(),
                f"{z[mine].mean():+.2f}",
                spread,
                f"{np.abs(z[mine]).max():.2f}",
                f"{100 * np.median(share[mine]):.2f}%",
            ]
        )
    print(
        table(
            ["what", "configurations", "mean z", "root mean square z", "largest", "median error"],
            lines,
        ),
        "\n",
    )
    print(
        f"{len(z)} configurations: standard deviation of z {z.std(ddof=1):.2f} (bar 0.8 to 1.2), "
        f"mean {z.mean():+.2f}, "
        f"largest {np.abs(z).max():.2f} (bar 4); standard errors at most 0.2% in "
        f"{np.mean(share <= 0.002):.0%} "
        f"of them (bar a third), {100 * share.max():.2f}% at most.\n"
    )
    assert all(e.how == "exact" for _, e, _ in rows)


def closure_table(rows: list[tuple[Case, Risk, Risk]]) -> None:
    lines = []
    for case, closure, sampled in rows:
        scale = next((f"{v:g}" for v in vars(case.scales).values() if v is not None), "default")
        error = 100 * (closure.value / sampled.value - 1)
        se = 100 * sampled.standard_error / sampled.value
        lines.append(
            [
                case.precision,
                scale,
                case.group,
                case.iterate,
                case.inputs,
                f"{sampled.value:.5f}",
                f"{error:+.2f}%",
                f"{se:.2f}%",
            ]
        )
    print(
        table(
            ["precision", "scale", "what", "iterate", "inputs", "sampled", "closure off by", "+-"],
            lines,
        ),
        "\n",
    )


def main() -> None:
    replicates = 200 * repeats(200)
    start = time.perf_counter()
    cases = ideal_cases() + data_cases() + other_cases()
    print(f"### Exact against sampled, {replicates} replicates\n")
    exact_tables(run(cases, replicates, 0))
    print(
        "Closures (real grids on labels, parameter, activations, gradient, result, and on a "
        "sketch):\n"
    )
    closure_table(run(closure_cases(), replicates, len(cases)))
    print(f"{time.perf_counter() - start:.0f} s in all.\n")


if __name__ == "__main__":
    main()
