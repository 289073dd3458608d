"""Laws fitted to exact runs of the laboratory: the theory's exponents back, and what Kumar's form,
which knows no noise of the data, does on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import polars as pl

import isoloss as il
from benchmarks.timing import table
from isoloss.fits import Fit, WarningKind, fit
from isoloss.formats import Format, Precision
from isoloss.laws import Array, Composed, Constant, FormatLink, Law, preset, saturating, scale
from isoloss.linear import SGD, Regression, excess_risks, first_coordinates
from isoloss.runs import Runs

SIZES, STEPS = (8, 16, 32, 64, 128, 256), (2000, 8000, 32_000, 128_000, 512_000)
ADDED = ("d:add(1e-4)", "d:add(3e-4)", "d:add(1e-3)", "d:add(3e-3)", "d:add(1e-2)")
RELATIVE = ("d:vec(1e-3)", "d:vec(1e-2)", "d:vec(3e-2)", "d:vec(0.1)")
OTHERS = tuple(
    f"{part}:{noise}({eps:g})"
    for part in "lagw"
    for noise, levels in (("add", (1, 10)), ("vec", (0.3, 1)))
    for eps in levels
)
STEP_SIZE, NOISE = 0.1, 0.25
INPUTS: tuple[Literal["clean", "in use"], ...] = ("clean", "in use")


def main() -> None:
    print(
        "Leading coordinates of a problem of a million (w* = 1, noise 0.25), B = 1, constant steps "
        f"of {STEP_SIZE}, average iterate: {len(SIZES)} sizes M = {SIZES[0]} to {SIZES[-1]}, "
        f"{len(STEPS)} lengths N = {STEPS[0]} to {STEPS[-1]}. Runs are exact, so that intervals "
        "(90%, bootstrap over runs) hold nothing but the misfit of the law. Held out: the longest."
    )
    print("\n### Exponents at full precision\n")
    full_precision()
    print("\n### The cap and the floor of noise in the data (a = 2)\n")
    cap_and_floor()
    print("\n### Laws on the same runs (a = 2, additive noise in the data)\n")
    laws_compared()
    print("\n### Noise of the other parts (a = 2, clean inputs)\n")
    other_parts()


def exact(
    precisions: Sequence[str],
    inputs: Literal["clean", "in use"] = "clean",
    decay: float = 2.0,
    sizes: Sequence[int] = SIZES,
    steps: Sequence[int] = STEPS,
    step_size: float = STEP_SIZE,
) -> Runs:
    """Exact runs of models that see the leading coordinates: params M, tokens N, excess risk."""
    problem = Regression(1_000_000, decay=decay, noise_var=NOISE)
    seen = {m: first_coordinates(problem, m) for m in sizes}
    cells = [(m, n, p) for p in precisions for m in sizes for n in steps]
    points = [(seen[m][0], SGD(n, 1, step_size), p) for m, n, p in cells]
    loss = [
        risk.value + seen[m][1]
        for (m, _, _), risk in zip(cells, excess_risks(points, inputs=inputs), strict=True)
    ]
    columns = {
        "params": [float(m) for m, _, _ in cells],
        "tokens": [float(n) for _, n, _ in cells],
        "precision": [p for _, _, p in cells],
        "loss": loss,
        "metric": ["excess_risk"] * len(cells),
    }
    return Runs.from_frame(pl.DataFrame(columns))


def sketched(decay: float, count: int = 6) -> tuple[Runs, str]:
    """At full precision through Gaussian sketches of 8192 features: means, and how they differ."""
    grid = {"sketch": list(SIZES[1:]), "samples": list(STEPS), "seed": list(range(count))}
    problem = Regression(8192, decay=decay, noise_var=NOISE, sketch=SIZES[1])
    runs = il.simulate(problem, grid, SGD(1, step_size=STEP_SIZE))
    frame = pl.DataFrame({name: list(runs[name]) for name in ("params", "tokens", "loss")})
    cells = frame.group_by("params", "tokens", maintain_order=True)
    mean = cells.mean().with_columns(precision=pl.lit("fp"), metric=pl.lit("excess_risk"))
    spread = cells.agg(pl.col("loss").std() / pl.col("loss").mean())
    longest = spread.filter(pl.col("tokens") == STEPS[-1])["loss"]
    said = ", ".join(
        f"{m}: {100 * share:.0f}%" for m, share in zip(SIZES[1:], longest, strict=True)
    )
    return Runs.from_frame(mean), f"{count} sketches differ by (M: standard deviation) {said}."


def full_precision() -> None:
    """The exponents of the base beside the theory's, by decay; why some differ."""
    free, sums = preset("zhang2026"), preset("zhang2026").fix(kappa=1.0)
    larger = (32, 64, 128, 256, 512, 1024)
    longer = tuple(16 * n for n in STEPS)
    means, said = sketched(2.0)
    cases = [
        *((f"a = {a:g}", a, exact(["fp"], decay=a), free) for a in (1.5, 2.0, 2.5)),
        *(
            (f"a = {a:g}, M and N larger", a, exact(["fp"], "clean", a, larger, longer), free)
            for a in (1.5, 2.0)
        ),
        ("a = 2, steps of 0.02", 2.0, exact(["fp"], step_size=0.02), free),
        ("a = 2, mean of 6 Gaussian sketches", 2.0, means, free),
        ("a = 2, a plain sum (kappa = 1)", 2.0, exact(["fp"]), sums),
    ]
    head = ["runs", "alpha", "theory, a - 1", "beta", "theory, (a - 1)/a", "kappa", *ERRORS]
    rows = []
    for name, a, runs, law in cases:
        found = fit(law, runs, draws=60, starts=8, holdout="longest")
        alpha, beta = of_product(found, "alpha"), of_product(found, "beta")
        kappa = f"{found.values['kappa']:.2f}"
        rows.append([name, alpha, f"{a - 1:g}", beta, f"{(a - 1) / a:.3f}", kappa, *errors(found)])
    print(table(head, rows))
    print(
        "\nalpha and beta are those of the law times its kappa: the slopes where one term rules. "
        f"At the longest runs {said}"
    )


def cap_and_floor() -> None:
    """What additive noise hides and a shared factor leaves, beside the theory."""
    signal = np.pi**2 / 12
    head = ["noise", "inputs", "constant", "fitted", "theory", *ERRORS]
    rows, near = [], []
    for inputs in INPUTS:
        runs = exact(("fp", *ADDED), inputs)
        found = fit("zhang2026", runs, draws=60, holdout="longest")
        near.append(f"{100 * misfit_near_the_cap(found, runs):.0f}% {inputs}")
        order = 4 / np.pi if inputs == "clean" else 2 / np.pi
        rows.append(["additive", inputs, "a", of(found, "a"), "2", *errors(found)])
        rows.append(["", "", "c", of(found, "c"), f"{order:.3f}", "", "", ""])
        found = fit("zhang2026", exact(("fp", *RELATIVE), inputs), draws=60, holdout="longest")
        power = "2" if inputs == "clean" else "1"
        rows.append(["shared factor", inputs, "p", of(found, "p"), power, *errors(found)])
        rows.append(["", "", "F", of(found, "F"), f"{signal:.3f}", "", "", ""])
    print(table(head, rows))
    print(
        "\nM_eff = min(M, c eps^(-1/a)); floor F (eps/(1 + eps))^p. Theory: a of the spectrum; c = "
        "4/pi on clean inputs and 2/pi in use, where a tail of that size equals the floor (derived "
        "here); F = 0.5 ||w*||_H^2. Of the squared misfit of all runs with additive noise these "
        f"shares lie within a factor of two of M = M_eff: {', '.join(near)}."
    )


def misfit_near_the_cap(found: Fit, runs: Runs) -> float:
    """The share of the squared log residuals under noise at 0.5 <= M / M_eff <= 2."""
    params, tokens, precision, loss = (
        np.asarray(runs[name]) for name in ("params", "tokens", "precision", "loss")
    )
    residual = np.log(loss / found.law(params, tokens, list(precision)))
    eps = np.array([Precision.parse(p).format("d").eps if p != "fp" else np.nan for p in precision])
    ratio = params / (found.values["c"] * eps ** (-1 / found.values["a"]))
    squares = residual**2
    return float(squares[np.abs(np.log2(ratio)) <= 1].sum() / squares[np.isfinite(eps)].sum())


def noise_bits(known: Format) -> float:
    """The bits of the integer with the variance of a format's noise, eps = 4^-bits."""
    return known.bits if known.eps is None else -0.5 * float(np.log2(known.eps))


def kumar_of_data(free: bool) -> Law:
    """Kumar's form with a term for the data: N (1 - exp(-P/gamma + n)), P = log_4 1/eps."""
    gamma = scale("gamma_d", "bits over which what rounding data costs falls", 0.05, 20, (0.5, 3.0))
    offset = Constant("n_d", "offset of data in the exponent", -3.0, 8.0, (-1.0, 1.5))
    link = saturating("d", gamma, offset)
    assert isinstance(link, FormatLink)
    law = Law("Kumar's form, part d", Composed(params_factor=(replace(link, read=noise_bits),)))
    law = law.fix(kappa=1.0).bounded(alpha=(0.02, 8.0), beta=(0.02, 8.0))
    return replace(law, name="the same, beta free") if free else law.tie("beta", "alpha")


def laws_compared() -> None:
    """Errors and exponents of each law on exact runs, its gaps, and one run beyond the others."""
    laws = ["chinchilla", "kumar2024", kumar_of_data(False), kumar_of_data(True), "zhang2026"]
    head = ["inputs", "law", *ERRORS, "alpha", "beta", "gap at M = 8, 32, 256", "M = 1024, N = 1e7"]
    rows, said = [], {}
    for inputs in INPUTS:
        runs = exact(("fp", *ADDED), inputs)
        far = exact(["d:add(1e-2)"], inputs, 2.0, (1024,), (10**7,))["loss"][0]
        rows.append([inputs, "exact", "", "", "", "1", "0.5", gaps_at(runs), f"{far:.4f}"])
        for law in laws:
            found = fit(law, runs, draws=60, starts=8, holdout="longest")
            slopes = [of_product(found, name) for name in ("alpha", "beta")]
            beyond = f"{float(found.law(1024, 1e7, 'd:add(1e-2)')):.4f}"
            rows.append(["", found.law.name, *errors(found), *slopes, gaps_of(found), beyond])
            said |= dict.fromkeys(unseen_of(found))
    print(table(head, rows))
    print(
        "\nOn the rows of exact runs alpha and beta are the theory's. Gaps over full precision are "
        "at eps = 0.01 and N = 512000, the last column is the loss at eps = 0.01. Warnings of the "
        f"fits: {'; '.join(said)}."
    )


def unseen_of(found: Fit) -> list[str]:
    """What the law of a fit leaves out, in its own words."""
    return [w.text for w in found.warnings if w.kind is WarningKind.UNSEEN_PARTS]


def gaps_at(runs: Runs) -> str:
    """The exact gaps at eps = 0.01 and the longest runs, at three sizes."""
    loss = {
        (p, m): value
        for p, m, n, value in zip(
            runs["precision"], runs["params"], runs["tokens"], runs["loss"], strict=True
        )
        if n == STEPS[-1]
    }
    return ", ".join(f"{loss['d:add(0.01)', m] - loss['fp', m]:.4f}" for m in (8, 32, 256))


def gaps_of(found: Fit) -> str:
    """The same of a law, or that it has no term for it."""
    if unseen_of(found):
        return "not in the law"
    sizes = np.array([8.0, 32.0, 256.0])
    gaps = np.ravel(found.law.gap(sizes, STEPS[-1], "d:add(0.01)"))
    return ", ".join(f"{gap:.4f}" for gap in gaps)


def other_parts() -> None:
    """What noise of labels, activations, gradients and parameters costs in samples."""
    runs = exact(("fp", *OTHERS), "clean", 2.0, (16, 64, 256), (2000, 16_000, 128_000, 1_024_000))
    blind = fit("zhang2026", runs, draws=40, starts=8, holdout="longest")
    found = fit("zhang2026_parts", runs, draws=40, starts=8, holdout="longest")
    head = ["law", *ERRORS, "alpha", "beta", "leaves out"]
    rows = [
        [
            each.law.name,
            *errors(each),
            of_product(each, "alpha"),
            of_product(each, "beta"),
            "; ".join(unseen_of(each)),
        ]
        for each in (blind, found)
    ]
    print(table(head, rows))
    print("\nNoise of a step from each part, relative to additive noise of labels:\n")
    print(table(["part", "additive", "theory", "shared factor", "theory"], relative(found)))
    print(
        f"\nk of labels is {of(found, 'k_l')}: additive noise of 1 adds that share to bias and "
        "variance."
    )


def relative(found: Fit) -> list[list[object]]:
    """Constants of the parts over k_l with intervals, beside the orders of the theory."""
    power = np.pi**2 / 6  # ||w*||_H^2, and the trace of H
    theory = {
        "l": (1.0, power + NOISE),
        "a": (1.0, power),
        "g": (1.0, NOISE),
        "w": (power, power),
    }
    rows = []
    for part, (added, shared) in theory.items():
        fitted = [_over(found, f"{letter}_{part}") for letter in ("k", "r")]
        rows.append([part, fitted[0], f"{added:.2f}", fitted[1], f"{shared:.2f}"])
    return rows


def _over(found: Fit, name: str) -> str:
    drawn = found.constant_draws
    return interval(found.values[name] / found.values["k_l"], drawn[name] / drawn["k_l"], 2)


ERRORS = ("error, fitted", "held out", "mean residual, held out")


def errors(found: Fit) -> list[str]:
    """Root mean squares of log residuals in percent, fitted and held out, and the latter's mean."""
    assert found.held_out is not None
    held = found.held_out.errors
    return [f"{100 * x:.1f}%" for x in (found.fitted.log_rmse, held.log_rmse, held.log_bias)]


def of(found: Fit, name: str) -> str:
    return interval(found.values[name], found.constant_draws[name])


def of_product(found: Fit, name: str) -> str:
    """An exponent of the law times its outer exponent, with its interval."""
    drawn, values = found.constant_draws, found.values
    outer = drawn.get("kappa", np.ones(1))
    own = drawn[found.law.ties.get(name, name)]
    return interval(values[name] * values["kappa"], own * outer)


def interval(value: float, drawn: Array, digits: int = 3) -> str:
    low, high = np.quantile(drawn, [0.05, 0.95])
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


if __name__ == "__main__":
    main()
