"""Effective sizes on 500 random settings: what holds of N_eff <= N, M_eff and the additive error.

Other definitions, and the worst settings, stand beside.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from benchmarks.timing import seconds, share, table
from isoloss.linear import (
    SGD,
    EffectiveSizes,
    Regression,
    effective_sizes,
    equal_risk_samples,
    equal_risk_size,
    excess_risk,
    first_coordinates,
    risk_by_direction,
)

SETTINGS, SEED = 500, 0
INPUTS: tuple[Literal["clean", "in use"], ...] = ("clean", "in use")
#: Errors of this share of the risk are zero to the digits of the engine.
ZERO = 1e-9
OTHERS, RELATIVE, ADDED = "l, a, g, w", "d relative", "d additive"


class Setting(NamedTuple):
    """A random problem, descent and precision, and how they are read."""

    kind: str
    problem: Regression
    size: int
    sgd: SGD
    precision: str
    iterate: str
    data: tuple[str, float]

    def __str__(self) -> str:
        return (
            f"a = {self.problem.decay:.2f}, target {self.problem.target}, noise "
            f"{self.problem.noise_var:.2g}, M = {self.size} of {self.problem.dim}, T = "
            f"{self.sgd.steps}, B = {self.sgd.batch}, {self.sgd.step_size}, {self.iterate}"
        )


def settings(count: int = SETTINGS, seed: int = SEED) -> list[Setting]:
    """Random settings, a third of each kind: noise on l, a, g, w alone; relative, and additive,
    noise on the data, half of them with noise on the other parts too.
    """
    rng = np.random.default_rng(seed)
    kinds = [(OTHERS, RELATIVE, ADDED)[k % 3] for k in range(count)]
    return [drawn(rng, kind) for kind in kinds]


def drawn(rng: np.random.Generator, kind: str) -> Setting:
    """One random setting."""
    decay, dim = rng.uniform(1.1, 3.0), int(10 ** rng.uniform(1.5, 4.5))
    size = int(np.exp(rng.uniform(math.log(5), math.log(dim))))
    sgd = SGD(
        steps=int(10 ** rng.uniform(2, 6)),
        batch=2 ** int(rng.integers(0, 9)),
        step_size=f"{10 ** rng.uniform(-2, -0.1):.3g} limit",
        schedule=str(rng.choice(["constant", "geometric"])),
    )
    iterate = str(rng.choice(["average", "tail", "last"])) if sgd.schedule == "constant" else "last"
    target = 1.0 if rng.random() < 0.5 else f"source {rng.uniform(1.1, decay + 1):.2f}"
    problem = Regression(dim, decay, 10 ** rng.uniform(-2, 1), target)
    parts = [
        f"{part}:{rng.choice(['add', 'vec', 'coord'])}({10 ** rng.uniform(-4, 0):.3g})"
        for part in "lagw"
        if rng.random() < 0.5
    ]
    data = ("none", 0.0)
    if kind == OTHERS:
        parts = parts or [f"a:add({10 ** rng.uniform(-4, 0):.3g})"]
    else:
        parts = parts if rng.random() < 0.5 else []
        words, low = (["vec", "coord"], -4.0) if kind == RELATIVE else (["add"], -6.0)
        data = (str(rng.choice(words)), float(f"{10 ** rng.uniform(low, -0.3):.3g}"))
        parts = [f"d:{data[0]}({data[1]:g})", *parts]
    return Setting(kind, problem, size, sgd, " ".join(parts), iterate, data)


def found(at: Setting) -> EffectiveSizes:
    return effective_sizes(at.problem, at.sgd, at.precision, size=at.size, iterate=at.iterate)


def in_use(at: Setting) -> float:
    """What features rounded in use add to the risk, and so to the additive error."""
    seen = seen_by(at, at.size)[0]
    clean, used = (
        excess_risk(seen, at.sgd, at.precision, at.iterate, inputs).value for inputs in INPUTS
    )
    return used - clean


# ---- the bars
def bars(pairs: list[tuple[Setting, EffectiveSizes]]) -> None:
    """N_eff against N, how often there is none, and the sign of the error."""
    print(f"### {len(pairs)} random settings, seed {SEED}\n")
    used, rows = [in_use(at) for at, _ in pairs], []
    for kind in (OTHERS, RELATIVE, ADDED, "all"):
        group = [each for at, each in pairs if kind in (at.kind, "all")]
        ratios = np.array([each.data.ratio for each in group])
        known = ratios[~np.isnan(ratios)]
        rows.append(
            [
                kind,
                len(group),
                share(ratios <= 1),
                int(np.sum(known > 1)),
                share(np.isnan(ratios)),
                f"{known.min():.3g}, {np.median(known):.3g}, {known.max():.6g}",
                share([each.additive_error >= -ZERO * each.risk for each in group]),
                share(
                    [
                        each.additive_error + more >= -ZERO * each.risk
                        for (at, each), more in zip(pairs, used, strict=True)
                        if kind in (at.kind, "all")
                    ]
                ),
            ]
        )
    head = ["noise on", "settings", "N_eff <= N", "N_eff > N", "no N_eff"]
    print(table([*head, "N_eff / N: least, median, most", "error >= 0", "the same in use"], rows))
    alike = [each.data.ratio == 1.0 for _, each in pairs]
    print(f"\nN_eff is N to the nine digits of the engine in {sum(alike)} of them.", end="")


def worst(pairs: list[tuple[Setting, EffectiveSizes]]) -> None:
    """The settings without N_eff, and those where the error is most negative."""
    print("\n### Settings without N_eff: what full precision of M_eff has left over the run's\n")
    none = [(left(at, each), at, each) for at, each in pairs if each.reason]
    rows = [
        [f"{ratio:.3f}", f"`{at.precision}`", f"{each.model_size:.4g}", f"{each.scale:.4g}", at]
        for ratio, at, each in sorted(none, key=lambda row: -row[0])[:12]
    ]
    print(table(["left / left", "precision", "M_eff", "s", "setting"], rows))
    print(f"\nThe first reason: {max(none, key=lambda row: row[0])[2].reason}.")
    print("\n### The most negative additive errors, as a share of the risk\n")
    low = sorted(pairs, key=lambda pair: pair[1].additive_error / pair[1].risk)[:5]
    rows = [[f"{one.additive_error / one.risk:.2e}", f"`{at.precision}`", at] for at, one in low]
    print(table(["error / risk", "precision", "setting"], rows))


def left(at: Setting, each: EffectiveSizes) -> float:
    """What full precision of M_eff has left to learn after all N samples, over the run's."""
    step = excess_risk(seen_by(at, at.size)[0], at.sgd, at.precision, at.iterate).step_size
    return full_left(at, each.model_size, step * each.scale) / each.trained


def full_left(at: Setting, model_size: float, step: float) -> float:
    """T(M_eff, N) between whole sizes, from the public verbs alone."""
    sgd, low = SGD(at.sgd.steps, at.sgd.batch, step, at.sgd.schedule), int(model_size)
    value = 0.0
    for size, weight in ((low, low + 1 - model_size), (low + 1, model_size - low)):
        if size and weight:
            value += weight * excess_risk(seen_by(at, size)[0], sgd, "fp", at.iterate).value
    return value


def seen_by(at: Setting, size: int) -> tuple[Regression, float]:
    return first_coordinates(at.problem, size)


# ---- definitions
def definitions(pairs: list[tuple[Setting, EffectiveSizes]]) -> None:
    """Share of settings with an N_eff up to N by three definitions."""
    print("\n### The same settings by other definitions: share with N_eff <= N\n")
    ways: dict[str, Callable[[Setting, EffectiveSizes], bool]] = {
        "sum g / max g; bias to w_q* and variance; step size gamma": lambda at, each: (
            by_shares(at)[0] >= 1
        ),
        "sum g / max g; what more samples remove; step size gamma": lambda at, each: (
            by_shares(at)[1] >= 1
        ),
        "joint definition, common scale off": lambda at, each: each.data.ratio <= 1,
    }
    rows = []
    for name, holds in ways.items():
        row: list[object] = [name]
        for kind in (OTHERS, RELATIVE, ADDED):
            row.append(share([holds(at, each) for at, each in pairs if at.kind == kind]))
        rows.append(row)
    print(table(["definition", OTHERS, RELATIVE, ADDED], rows))


def by_shares(at: Setting) -> tuple[float, float]:
    """What the run has left over what full precision of sum g / max g coordinates has, two ways."""
    seen, _ = seen_by(at, at.size)
    parts = risk_by_direction(seen, at.sgd, at.precision, at.iterate)
    noise, eps = at.data
    kept = 1 / (1 + (eps / seen.lam if noise == "add" else np.full(seen.dim, eps)))
    # The mean of w stays between 0 and w*, so its distance to g w* follows from that to w*.
    away = np.sqrt(2 * parts.bias / seen.lam) - (1 - kept) * np.sqrt(seen.target_squares)
    own = float(np.sum(0.5 * seen.lam * away**2 + parts.variance))
    floor = float(np.sum(0.5 * seen.lam * seen.target_squares * (1 - kept) ** 2))
    step = excess_risk(seen, at.sgd, at.precision, at.iterate).step_size
    full = full_left(at, float(np.sum(kept) / np.max(kept)), step) * (1 - 1e-9)
    return own / full, (float(np.sum(parts.risk)) - floor) / full


# ---- model size
def model_sizes(pairs: list[tuple[Setting, EffectiveSizes]]) -> None:
    """M_eff of relative and additive noise, the exponent in eps beside -1/a."""
    print("\n### M_eff / M of relative noise on the data\n")
    rows = []
    for word in ("vec", "coord"):
        ratios = [one.size.ratio for at, one in pairs if at.data[0] == word]
        rows.append([word, len(ratios), f"{min(ratios):.6f}", f"{max(ratios):.6f}"])
    print(table(["noise", "settings", "least", "most"], rows))
    print("\n### M_eff of additive noise: the exponent of eps, fitted where M >= 30 eps^(-1/a)\n")
    rows = []
    for decay in (1.2, 1.5, 2.0, 2.5, 3.0):
        for source in (decay, 1.3, decay + 0.5):
            rows.append(exponent(decay, source))
    head = ["a", "b of the target", "M", "eps", "M_eff", "fitted exponent", "-1/a", "apart"]
    print(table([*head, "M_eff / closed form"], rows))
    local = slopes([at for at, _ in pairs if at.kind == ADDED])
    close = [abs(gap) <= 0.03 for gap, _, _ in local]
    by_sum = [abs(slope_of_shares(at)) <= 0.03 for _, _, at in local]
    large = [near for near, (_, size, _) in zip(close, local, strict=True) if size >= 10]
    print(
        f"\nOf the random settings with additive noise {len(local)} have M >= 30 eps^(-1/a). The "
        f"exponent between eps / 2 and 2 eps is within .03 of -1/a in "
        f"{share(close)} of them, and in {share(large)} of those {len(large)} with M_eff >= 10; "
        f"all together: {pooled(pairs)}. Of sum g / max g it is in {share(by_sum)}. Farthest off, "
        "where eps is not small beside the leading eigenvalue 1:\n"
    )
    far = sorted(local, key=lambda row: -abs(row[0]))[:5]
    rows = [[f"{gap:+.3f}", f"{size:.4g}", at.data[1], at] for gap, size, at in far]
    print(table(["exponent + 1/a", "M_eff", "eps", "setting"], rows))


def pooled(pairs: list[tuple[Setting, EffectiveSizes]]) -> str:
    """One exponent of all settings with M >= 30 eps^(-1/a): log M_eff / c against log eps / a."""
    rows = [
        (math.log(at.data[1]) / at.problem.decay, math.log(each.model_size / constant))
        for at, each in pairs
        if at.kind == ADDED and at.size >= 30 * at.data[1] ** (-1 / at.problem.decay)
        for constant in [each.closed_size * at.data[1] ** (1 / at.problem.decay)]
    ]
    slope = np.polyfit(*np.array(rows).T, 1)[0]
    return f"M_eff / c falls as (eps^(1/a))^({slope:.3f})"


def exponent(decay: float, source: float) -> list[object]:
    """M_eff over a decade grid of eps, and its fitted exponent."""
    size = 100_000
    least = max((30 / size) ** decay, 1e-7)
    levels = np.geomspace(least, max(1e-2, 100 * least), 9)
    problem = Regression(size, decay, target=f"source {source:g}")
    sizes = [
        effective_sizes(problem, SGD(1000, 1, "0.1 limit"), f"d:add({eps!r})")
        for eps in map(float, levels)
    ]
    values = [each.model_size for each in sizes]
    slope = float(np.polyfit(np.log(levels), np.log(values), 1)[0])
    beside = [each.model_size / each.closed_size for each in sizes]
    return [
        decay, f"{source:g}", size, f"{levels[0]:.1e} to {levels[-1]:.1e}",
        f"{values[0]:.4g} to {values[-1]:.4g}", f"{slope:.3f}", f"{-1 / decay:.3f}",
        f"{slope + 1 / decay:+.3f}", f"{min(beside):.3f} to {max(beside):.3f}",
    ]  # fmt: skip


def slopes(added: list[Setting]) -> list[tuple[float, float, Setting]]:
    """The exponent of M_eff in eps, + 1/a, of settings with M >= 30 eps^(-1/a) at eps / 2."""
    rows = []
    for at in added:
        eps, decay = at.data[1], at.problem.decay
        if at.size < 30 * (eps / 2) ** (-1 / decay):
            continue
        low, high = (
            found(at._replace(precision=f"d:add({each!r})")).model_size
            for each in (eps / 2, 2 * eps)
        )
        rows.append((math.log(high / low) / math.log(4) + 1 / decay, math.sqrt(low * high), at))
    return rows


def slope_of_shares(at: Setting) -> float:
    """d log (sum g / max g) / d log eps + 1/a."""
    eps, decay = at.data[1], at.problem.decay
    lam = seen_by(at, at.size)[0].lam
    low, high = (float(np.sum(lam / (lam + e)) * (1 + e)) for e in (eps / 2, 2 * eps))
    return math.log(high / low) / math.log(4) + 1 / decay


# ---- sketches
def sketches(count: int = 60) -> None:
    """The same of random sketches, which count their own directions."""
    rng, rows = np.random.default_rng(SEED), []
    words = {"d:vec": RELATIVE, "d:add": ADDED, "a:add": OTHERS, "w:vec": OTHERS}
    found_by: dict[str, list[EffectiveSizes]] = {kind: [] for kind in (OTHERS, RELATIVE, ADDED)}
    for k in range(count):
        word = list(words)[k % len(words)]
        dim = int(10 ** rng.uniform(2, 3.3))
        problem = Regression(
            dim, rng.uniform(1.1, 3), 10 ** rng.uniform(-2, 1), sketch=int(rng.integers(5, 80)),
            seed=k,
        )  # fmt: skip
        sgd = SGD(int(10 ** rng.uniform(2, 5)), 1, f"{10 ** rng.uniform(-2, -0.1):.3g} limit")
        precision = f"{word}({10 ** rng.uniform(-5, -0.3):.3g})"
        found_by[words[word]].append(effective_sizes(problem, sgd, precision, model="sketch"))
    for kind, group in found_by.items():
        ratios = np.array([each.data.ratio for each in group])
        sizes = [each.size.ratio for each in group]
        spread = f"{min(sizes):.4f} to {max(sizes):.4f}"
        rows.append([kind, len(group), share(ratios <= 1), share(np.isnan(ratios)), spread])
    print(f"\n### {count} random sketches of 5 to 80 rows, seed {SEED}\n")
    print(table(["noise on", "sketches", "N_eff <= N", "no N_eff", "M_eff / M"], rows))


# ---- examples
def examples() -> None:
    """Settings that equal risk reads wrongly, on clean inputs and in use."""
    print("\n### Two settings beside their sizes of equal risk (a = 2, w* = 1, noise 1)\n")
    sgd, rows = SGD(10_000, step_size=0.05), []
    for problem, size, precision in (
        (Regression(200), 200, "d:add(0.1)"),
        (Regression(200), 100, "d:vec(0.01)"),
    ):
        one = effective_sizes(problem, sgd, precision, size=size)
        model = equal_risk_size(problem, size, sgd, precision)
        data = equal_risk_samples(problem, sgd, precision, size=size)
        trained = equal_risk_samples(problem, sgd, precision, size=size, whole_risk=False)
        values = (one.model_size, one.samples, one.additive_error)
        others = (model.value, data.value, trained.value)
        rows.append([f"`{precision}`", size, *[f"{each:.4g}" for each in (*values, *others)]])
    head = ["precision", "M", "M_eff", "N_eff of 10,000", "error", "size of equal risk"]
    print(table([*head, "samples of equal risk", "of equal bias and variance"], rows))


def main() -> None:
    drawn_settings = settings()
    took, sizes = seconds(lambda: [found(at) for at in drawn_settings])
    pairs = list(zip(drawn_settings, sizes, strict=True))
    bars(pairs)
    print(f" {1000 * took / len(pairs):.0f} ms a setting.")
    worst(pairs)
    definitions(pairs)
    model_sizes(pairs)
    sketches()
    examples()


if __name__ == "__main__":
    main()
