"""Joint allocation of model size, samples and bits: Zhang et al. 2026."""

from __future__ import annotations

from typing import Any

from isoloss.formats import Precision
from isoloss.linear import Allocation, Allowance, Regression, allocate
from isoloss.papers.checking import check
from isoloss.papers.checks.risk.points import EXACT, READINGS, RISK, Reading, rounded
from isoloss.papers.claim import Finding
from isoloss.papers.findings import drawn, exact
from isoloss.papers.laboratory import Laboratory
from isoloss.plans import MFU, as_machine, rate_of

COMPUTE, DIM = 1e6, 2000
SIZES, SHARES = 16, (0.05, 0.2, 0.5)
BITS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 16)
#: Bits of memory of the model, and the samples beside it.
MEMORY, SAMPLES = 256.0, 10**6
RESTS = (*EXACT, "joint allocation")


@check
def best_sizes(laboratory: Laboratory) -> Finding:
    """Exponent of the best size in compute, and what the closed form of the size costs."""
    noises = {
        "full precision": "fp",
        "shared factor 0.01": rounded("d", "shared factor", 0.01),
        "additive 0.01": rounded("d", "additive", 0.01),
    }
    found: dict[str, float] = {}
    rows: list[dict[str, Any]] = []
    for decay in (2.0, 1.5):
        asked = list(noises.values()) if decay == 2.0 else ["fp"]
        chosen = allocate(
            Regression(DIM, decay), Allowance(compute=COMPUTE), asked, sizes=SIZES, shares=SHARES
        )
        found[f"exponent, a {decay:g}"] = chosen.exponent
        if decay != 2.0:
            continue
        for each in chosen.choices:
            name = next(n for n, p in noises.items() if str(Precision.parse(p)) == each.precision)
            found[f"cost of the closed form, {name}"] = each.closed_regret
            rows.append({"x": each.size, "y": each.risk, "series": f"{name}, best"})
            rows.append({"x": each.closed, "y": each.closed_risk, "series": f"{name}, closed"})
    says = ", ".join(f"{name} {value:.3f}" for name, value in found.items())
    question = f"Which model size is best at M N = {COMPUTE:.0e}?"
    figure = drawn("best sizes", question, rows, ("model size M", RISK), says)
    return Finding(exact(found), f"{says}.", RESTS, figure)


@check
def joint_choice(laboratory: Laboratory, limit: str = "compute") -> Finding:
    """The best integer format of the data under compute that counts bits, or under memory."""
    allowance = (
        Allowance(compute=COMPUTE, weigh_bits=True)
        if limit == "compute"
        else Allowance(memory=MEMORY, samples=SAMPLES)
    )
    return _chosen({reading: _ranked(allowance, reading) for reading in READINGS})


def _ranked(allowance: Allowance, reading: Reading) -> Allocation:
    return allocate(
        Regression(DIM), allowance, [_data(bits) for bits in BITS], sizes=SIZES, shares=SHARES,
        inputs=reading,
    )  # fmt: skip


def _data(bits: int) -> str:
    return str(Precision.parse(f"d:int{bits}~sr"))


def _chosen(found: dict[Reading, Allocation]) -> Finding:
    """The bits of the best choice of each reading, and its risk over that of 16 bits."""
    figures: dict[str, float] = {}
    rows: list[dict[str, Any]] = []
    said = []
    for reading, chosen in found.items():
        bits = {_data(each): each for each in BITS}
        risks = {bits[each.precision]: each for each in chosen.choices}
        best = bits[chosen.best.precision]
        figures[f"bits, {reading}"] = best
        figures[f"risk over that of 16 bits, {reading}"] = chosen.best.risk / risks[16].risk
        said.append(
            f"{reading} int{best} with M = {chosen.best.size}, N = {chosen.best.samples:.3g} at "
            f"{chosen.best.risk / risks[16].risk:.3f} of the risk of 16 bits (M = {risks[16].size})"
        )
        rows += [{"x": b, "y": e.risk, "series": reading} for b, e in sorted(risks.items())]
    allowance = next(iter(found.values())).allowance
    says = f"Best are {'; '.join(said)}."
    question = f"Which format is best where {allowance}?"
    figure = drawn("joint choice", question, rows, ("bits of the data", RISK), says)
    return Finding(exact(figures), says, RESTS, figure)


@check
def joint_choice_on_machine(laboratory: Laboratory, machine: str) -> Finding:
    """The best integer format of the data where compute counts what a device's rates say."""
    # At its peaks: one share of them in every class of formats.
    device = as_machine(machine).with_mfu({"all": MFU})
    # What 16 bits cost, scaled by the rate of the device: formats that it lacks run in wider ones.
    cost = {}
    for bits in BITS:
        product = Precision.parse(f"w:int{bits} a:int{bits} g:int{bits}")
        cost[_data(bits)] = 16 * rate_of(device, product).cost
    allowance = Allowance(compute=COMPUTE, weigh_bits=True, bits=cost)
    found = _chosen({"clean": _ranked(allowance, "clean")})
    rests = (*RESTS, f"rates of {machine}")
    return Finding(found.ours, f"On {machine}: {found.says}", rests, found.figure)
