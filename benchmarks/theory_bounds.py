"""Theory against exact risk: how loose the bounds are, sizes of equal risk, the bit rule, the
best allocation.
"""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np

from benchmarks.timing import seconds, table
from isoloss.linear import (
    SGD,
    Allowance,
    Regression,
    Tightness,
    allocate,
    bound_tightness,
    equal_risk_bits,
    equal_risk_samples,
    equal_risk_size,
)

HEAD = ["d", "noise", "eps", "steps", "B", "exact", "upper", "upper / exact", "lower / exact"]


def number(value: float) -> str:
    return "none" if math.isinf(value) or math.isnan(value) else f"{value:.4g}"


def bounds() -> None:
    """The settings of the notes, then a summary of a larger grid."""
    print(
        "### Bound over exact risk, clean inputs, all five quantisers, step size 0.05 (a = 2, w* = "
        "1, noise 1)\n"
    )
    print(
        table(
            HEAD,
            [
                cells(row)
                for row in bound_tightness(batches=(1, 16), noises=("add", "vec", "coord"))
            ],
        )
    )
    print(
        "\n### The same by noise, clean inputs and features rounded in use: smallest, median and "
        "largest ratio\n"
    )
    rows = []
    for inputs in ("clean", "in use"):
        found: dict[tuple[str, float], list[Tightness]] = defaultdict(list)
        for row in bound_tightness(
            dims=(50, 200, 1000),
            eps=(0.0, 1e-4, 1e-3, 1e-2),
            steps=(300, 3000, 30_000),
            batches=(1, 16, 256),
            noises=("add", "vec", "coord"),
            inputs=inputs,
        ):
            found[row.noise, row.eps].append(row)
        rows += [[inputs, *key, *spread(group)] for key, group in found.items()]
    head = ["inputs", "noise", "eps", "settings", "no bound", "upper / exact", "lower / exact"]
    print(table(head, rows))


def cells(row: Tightness) -> list[object]:
    ratios = [number(row.looseness), f"{row.reach:.3f}"]
    return [
        row.dim,
        row.noise,
        row.eps,
        row.steps,
        row.batch,
        number(row.exact),
        number(row.upper),
        *ratios,
    ]


def spread(group: list[Tightness]) -> list[object]:
    above = [row.looseness for row in group if math.isfinite(row.upper)]
    below = [row.reach for row in group]
    shown = [
        f"{min(each):.3g}, {np.median(each):.3g}, {max(each):.3g}" if each else "none"
        for each in (above, below)
    ]
    return [len(group), len(group) - len(above), *shown]


def sizes() -> None:
    print(
        "\n### Sizes of equal risk of 80 and 1000 coordinates and of 8000 samples (a = 2, noise "
        "0.25, step size 0.1)\n"
    )
    problem, sgd = Regression(100_000, noise_var=0.25), SGD(8000, 1, 0.1)
    rows = []
    spelled = (
        "d:add(1e-4)",
        "d:add(1e-3)",
        "d:vec(1e-2)",
        "d:int6~sr",
        "d:e4m3~sr",
        "a:add(1)",
        "a:vec(0.1) g:vec(0.1)",
    )
    for size in (80, 1000):
        for inputs in ("clean", "in use"):
            for each in spelled:
                model = equal_risk_size(problem, size, sgd, each, inputs=inputs)
                data = equal_risk_samples(problem, sgd, each, size=size, inputs=inputs)
                share = model.doubling / model.full_doubling
                values = (model.value, model.closed, share, data.value)
                rows.append([size, inputs, each, *map(number, values)])
    head = ["M", "inputs", "precision", "size", "closed", "gain of doubling", "samples"]
    print(table(head, rows))


def bits() -> None:
    print(
        "\n### b - m at equal exact risk, stochastic real grids on the data, 10^4 steps of 0.05\n"
    )
    rows = []
    for decay in (1.5, 2.0):
        for dim in (20, 50, 200, 10_000):
            for name in ("even", "last"):
                if name == "last" and dim > 50:
                    continue
                target: float | np.ndarray = 1.0
                if name == "last":
                    target = np.zeros(dim)
                    target[-1] = dim ** (decay / 2)
                problem = Regression(dim, decay, target=target)
                for inputs in ("clean", "in use"):
                    found = equal_risk_bits(problem, SGD(10_000, 1, 0.05), inputs=inputs)
                    gaps = [each.bits - each.mantissa for each in found]
                    known = [gap for gap in gaps if not math.isnan(gap)]
                    rule, measured = (
                        found[-1].bits - found[-1].rule,
                        found[-1].bits - found[-1].measured,
                    )
                    seen = f"{min(known):.2f} to {max(known):.2f}" if known else "none"
                    rows.append([decay, dim, name, inputs, seen, f"{rule:.2f}", f"{measured:.2f}"])
    print(table(["a", "d", "target", "inputs", "exact", "rule", "rule with constants"], rows))


def allocation() -> None:
    problem = Regression(100_000, noise_var=0.25)
    precisions = [
        "fp",
        "d:add(1e-3)",
        "d:add(1e-2)",
        "d:vec(1e-2)",
        "d:int4~sr",
        "d:int6~sr",
        "d:int8~sr",
        "d:e4m3~sr",
    ]
    print(
        "\n### The best allocation, 40 sizes x 6 step sizes x 8 formats, two refinements and the "
        "closed form\n"
    )
    for inputs in ("clean", "in use"):
        for compute in (1e6, 1e7):
            took, found = seconds(
                lambda compute=compute, inputs=inputs: allocate(
                    problem, Allowance(compute=compute), precisions, inputs=inputs
                )
            )
            print(f"```text\n{found}\n```\n\n{took:.2f} s\n")


def main() -> None:
    bounds()
    sizes()
    bits()
    allocation()


if __name__ == "__main__":
    main()
