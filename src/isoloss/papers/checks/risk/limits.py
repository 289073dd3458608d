"""What the theory assumes, and whether its first finding outlives it: Zhang et al. 2025."""

from __future__ import annotations

from itertools import product
from typing import Any

from isoloss.linear import SGD, Regression, study
from isoloss.papers.checking import check
from isoloss.papers.checks.risk.points import ALL, EXACT, RISK, rounded, share_of_limit, values
from isoloss.papers.claim import Finding, Ours
from isoloss.papers.findings import drawn, exact
from isoloss.papers.laboratory import Laboratory

LEVEL, DIM = 0.01, 200
#: Of the limit of full precision, for all formats alike.
SHARE = 0.1
PROBLEMS = {
    "normal, i^-2": Regression(DIM),
    "kurtosis 9": Regression(DIM, kurtosis=9.0),
    "kurtosis 1": Regression(DIM, kurtosis=1.0),
    "exponential": Regression.exponential(DIM, 0.1),
    "i^-1.1": Regression(DIM, 1.1),
    "flat": Regression(DIM, 0.0),
}
#: Schedule and iterate of each descent.
DESCENTS = {
    "constant, average": ("constant", "average"),
    "constant, last": ("constant", "last"),
    "geometric, last": ("geometric", "last"),
    "cosine, last": ("cosine", "last"),
}


@check
def other_problems(laboratory: Laboratory) -> Finding:
    """The first finding for other features and spectra."""
    return _first_finding(
        {
            name: (each, SGD(10_000, 1, share_of_limit(each, SHARE)), "average")
            for name, each in PROBLEMS.items()
        }
    )


@check
def other_descents(laboratory: Laboratory) -> Finding:
    """The first finding for other schedules and iterates."""
    step = share_of_limit(Regression(DIM), SHARE)
    return _first_finding(
        {
            name: (Regression(DIM), SGD(10_000, 1, step, schedule), iterate)
            for name, (schedule, iterate) in DESCENTS.items()
        }
    )


def _first_finding(cases: dict[str, tuple[Regression, SGD, str]]) -> Finding:
    """What additive noise costs over what a factor costs, and the latter over full precision."""
    found: dict[str, float] = {}
    rows: list[dict[str, Any]] = []
    for place, (name, (problem, sgd, iterate)) in enumerate(cases.items(), start=1):
        spelled = {each: rounded(ALL, each, LEVEL) for each in ("additive", "shared factor")}
        full, added, factor = values(
            [(problem, sgd, each) for each in ("fp", *spelled.values())], iterate
        )
        found[f"additive over shared factor, {name}"] = (added - full) / (factor - full)
        found[f"shared factor over full precision, {name}"] = factor / full
        risks = {"full precision": full, "additive": added, "shared factor": factor}
        rows += [{"x": place, "y": y, "series": series} for series, y in risks.items()]
    says = "Additive noise costs " + ", ".join(
        f"{found[f'additive over shared factor, {name}']:.3g} times ({name})" for name in cases
    )
    says += " what a factor costs, which is at most " + (
        f"{max(v for n, v in found.items() if n.startswith('shared')) - 1:.1%} of the risk."
    )
    question = f"Does the first finding outlive its assumptions? From left: {', '.join(cases)}."
    return Finding(exact(found), says, EXACT, drawn("limits", question, rows, ("case", RISK), says))


@check
def network_spectra(laboratory: Laboratory) -> Finding:
    """Lift of the tail of the Gauss-Newton spectrum in two-layer ReLU networks."""
    asked = study(
        "network-spectrum", dim=16, width=8, steps=(250,), tests=1024, replicates=24,
        seed=laboratory.seed,
    )  # fmt: skip
    added, factor = (
        _verdict(asked, each, "after 250 steps") for each in ("additive", "shared factor")
    )
    ours = {
        "lift of the tail over the linear one, additive": Ours(
            added["measured"] / added["linear"], _error(added) / added["linear"]
        ),
        "lift of the tail, shared factor": Ours(factor["measured"], _error(factor)),
    }
    says = (
        f"The tail lifts by {added['measured']:.2f} with additive noise (linear "
        f"{added['linear']:.2f}) and {factor['measured']:+.3f} with a factor."
    )
    rests = ("study 'network-spectrum'", f"seed {laboratory.seed}")
    return Finding(ours, says, rests, asked)


@check
def network_batches(laboratory: Laboratory) -> Finding:
    """The slope in the batch of what errors of output gradients cost in two-layer ReLU networks."""
    asked = study(
        "network-batch", dim=16, width=8, eps=0.1, batch=(2, 32), steps=200, replicates=96,
        seed=laboratory.seed,
    )  # fmt: skip
    slope = _verdict(asked, "additive", "output gradients")
    ours = {
        "slope in the batch, output gradients, additive": Ours(slope["measured"], _error(slope))
    }
    says = f"The slope in the batch is {slope['measured']:.2f} (linear {slope['linear']:.2f})."
    rests = ("study 'network-batch'", f"seed {laboratory.seed}")
    return Finding(ours, says, rests, asked)


def _verdict(asked: Any, series: str, panel: str) -> dict[str, float]:
    """The row of a line that has its verdict."""
    rows = asked.table.filter(series=series, panel=panel).drop_nulls("measured")
    return dict(rows.row(0, named=True))


def _error(verdict: dict[str, float]) -> float:
    """The standard error behind a 90% interval of about 1.7 errors on each side."""
    wide = verdict["high"] - verdict["low"]
    return wide / (2 * 1.7) if wide == wide else float("inf")


@check
def biased_rounding(laboratory: Laboratory, replicates: int, steps: int) -> Finding:
    """Nearest over stochastic rounding of each part, and error feedback on stored weights."""
    asked = study(
        "biased", grid_step=(0.2,), steps=steps, replicates=replicates, seed=laboratory.seed
    )
    ours: dict[str, Ours] = {}
    for place in ("parameter in use", "activations", "output gradients", "stored weights"):
        nearest = _row(asked, place, "nearest")
        base = _row(asked, place, "stochastic")["risk"]
        ours[f"nearest over stochastic, {place}"] = Ours(
            nearest["risk"] / base, nearest["beside_stochastic_se"] / base
        )
    fed = _row(asked, "stored weights", "nearest, error fed back")
    ours["error fed back over full precision, stored weights"] = Ours(fed["ratio"], fed["ratio_se"])
    says = ", ".join(f"{name} {each.value:.3f} +- {each.error:.1g}" for name, each in ours.items())
    rests = (f"{replicates} simulated replicates, seed {laboratory.seed}", "study 'biased'")
    return Finding(ours, f"{says}.", rests, asked)


def _row(asked: Any, place: str, way: str) -> dict[str, float]:
    return dict(asked.table.filter(on=place, way=way).row(0, named=True))


@check
def momentum(laboratory: Laboratory) -> Finding:
    """What errors cost with momentum 0.9 over what they cost without."""
    asked = study("momentum", steps=(100, 1000, 10_000))
    found: dict[str, float] = {}
    for noise in ("additive", "factor by element"):
        for batch in (1, 8):
            x, ratio = asked.at(f"{noise}, batch {batch}", "momentum 0.9", "ratio")
            for steps in (100, 10_000):
                at = list(x).index(steps)
                found[f"{noise}, batch {batch}, {steps} steps"] = float(ratio[at])
    says = "With momentum 0.9 errors cost " + ", ".join(f"{v:.2f} ({n})" for n, v in found.items())
    return Finding(exact(found), f"{says}.", (*EXACT, "study 'momentum'"), asked)


@check
def several_passes(laboratory: Laboratory, replicates: int, passes: int) -> Finding:
    """What rounding costs after several passes over what it costs after as many fresh samples."""
    asked = study("passes", passes=(1, passes), replicates=replicates, seed=laboratory.seed)
    last = asked.table.filter(passes=float(passes))
    ours: dict[str, Ours] = {}
    for way in [str(each) for each in last["way"].unique(maintain_order=True)][1:]:
        again, fresh = (
            last.filter(way=way, on=on).row(0, named=True)
            for on in ("same samples again", "fresh samples")
        )
        ratio = again["ratio"] / fresh["ratio"]
        # The two are drawn apart, so relative errors add in squares.
        error = ratio * ((again["ratio_se"] / again["ratio"]) ** 2
                         + (fresh["ratio_se"] / fresh["ratio"]) ** 2) ** 0.5  # fmt: skip
        ours[way] = Ours(ratio, error)
    says = f"Risk over full precision after {passes} passes over that after fresh samples: " + (
        ", ".join(f"{name} {each.value:.3f} +- {each.error:.1g}" for name, each in ours.items())
    )
    rests = (f"{replicates} simulated replicates, seed {laboratory.seed}", "study 'passes'")
    return Finding(ours, f"{says}.", rests, asked)


@check
def noise_as_ridge(laboratory: Laboratory) -> Finding:
    """The least clean risk over levels of noise on noisy labels, over that of full precision."""
    problem, levels = Regression(DIM, noise_var=10.0), (0.0003, 0.001, 0.003, 0.01)
    found: dict[str, float] = {}
    rows: list[dict[str, Any]] = []
    for noise in ("additive", "shared factor"):
        ratios = []
        for steps, share in product((100, 300, 1000, 3000), (0.02, 0.1)):
            sgd = SGD(steps, 1, share_of_limit(problem, share))
            spelled = ["fp", *(rounded("d", noise, each) for each in levels)]
            full, *risks = values([(problem, sgd, each) for each in spelled])
            ratios += [each / full for each in risks]
            rows += [
                {"x": x, "y": y / full, "series": f"{noise}, {steps} steps", "panel": f"{share}"}
                for x, y in zip(levels, risks, strict=True)
            ]
        found[f"least risk over full precision, {noise}"] = min(ratios)
    says = ", ".join(f"{name} {value:.4f}" for name, value in found.items())
    labels = ("level of the noise", "clean risk over that of full precision")
    question = "Can noise on the data regularise? Panels: step size over its limit."
    return Finding(exact(found), f"{says}.", EXACT, drawn("ridge", question, rows, labels, says))
