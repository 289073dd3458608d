"""Real grids on labels, parameter, activations and gradient: closures, within stated distances of
simulation.
"""

from __future__ import annotations

import numpy as np
import pytest
from by_hand import Simulation, both_iterates, on_grid

from isoloss.formats import Format
from isoloss.linear import SGD, Regression, Scales, excess_risk, stability_limit, training_risk
from isoloss.linear.quantisers import levels_of

DIM, STEPS, BATCH, SIZE = 20, 100, 4, 0.1
PROBLEM = Regression(DIM)
FINE = [(part, name, 0.5) for part in "lag" for name in ("int8~sr", "int8")]
FINE += [
    ("w", "int8~sr", 0.3),
    ("w", "int8", 0.1),
    ("l", "e3m1~sr", 1.0),
    ("a", "e3m2", 1.0),
    ("g", "e3m2~sr", 1.0),
]
COARSE = [
    ("l", "int8~sr", 4.0, 0.02),
    ("l", "int8", 2.0, 0.02),
    ("a", "int8~sr", 2.0, 0.03),
    ("a", "int8", 4.0, 0.05),
]
COARSE += [
    ("g", "int8", 4.0, 0.03),
    ("g", "int8~sr", 4.0, 0.03),
    ("w", "int8~sr", 1.0, 0.03),
    ("w", "int8", 0.5, 0.08),
]


def compare(parts: dict[str, tuple[str, float]], replicates: int) -> list[tuple[float, float]]:
    """(simulated over calculated, its standard error) of the last iterate and of the average."""
    spelled = " ".join(f"{part}:{name}" for part, (name, _) in parts.items())
    scales = Scales(**{part: scale for part, (_, scale) in parts.items()})
    rules = {
        part: on_grid(levels_of(Format.parse(name), scale, 1.0), "sr" in name)
        for part, (name, scale) in parts.items()
    }
    sim = Simulation(PROBLEM.lam, np.ones(DIM), 1.0, np.full(STEPS, SIZE), BATCH, parts=rules)
    found = []
    for iterate, w in zip(("last", "average"), both_iterates(sim, replicates, 1), strict=True):
        risk = excess_risk(PROBLEM, SGD(STEPS, BATCH, SIZE), spelled, iterate, scales=scales)
        assert risk.how == "closure"
        samples = 0.5 * (w - 1) ** 2 @ PROBLEM.lam
        error = np.std(samples) / np.sqrt(replicates) / risk.value
        found.append((float(np.mean(samples)) / risk.value, float(error)))
    return found


@pytest.mark.parametrize(("part", "name", "scale"), FINE)
def test_fine_grids_are_within_the_error_of_simulation(part: str, name: str, scale: float) -> None:
    for ratio, error in compare({part: (name, scale)}, 4000):
        assert abs(ratio - 1) < 4 * error


@pytest.mark.parametrize(("part", "name", "scale", "off"), COARSE)
def test_coarse_grids_are_within_a_few_percent(
    part: str, name: str, scale: float, off: float
) -> None:
    for ratio, error in compare({part: (name, scale)}, 4000):
        assert abs(ratio - 1) < off + 3 * error


def test_all_five_at_once() -> None:
    for ratio, error in compare(dict.fromkeys("dlwag", ("int8~sr", 0.25)), 4000):
        assert abs(ratio - 1) < 4 * error


@pytest.mark.parametrize("iterate", ["last", "average", "tail"])
@pytest.mark.parametrize("schedule", ["constant", "geometric", "cosine"])
@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_a_very_fine_grid_is_ideal_noise(iterate: str, schedule: str, momentum: float) -> None:
    """Pieces, centres and sums of a closure follow the exact chain: step 0.01 is noise of 0.01^2 /
    6.
    """
    sgd, noise = SGD(300, 2, 0.05, schedule, momentum), 0.01**2 / 6  # type: ignore[arg-type]
    one = excess_risk(
        Regression(30), sgd, "l:int16~sr a:int16~sr", iterate, scales=Scales(l=0.01, a=0.01)
    )
    other = excess_risk(Regression(30), sgd, f"l:add({noise}) a:add({noise})", iterate)
    assert one.how == "closure"
    assert one.value == pytest.approx(other.value, rel=1e-6)


def test_jumping_over_a_billion_steps_of_a_closure() -> None:
    noise = 0.1**2 / 6
    one, other = (
        excess_risk(Regression(1000), SGD(10**9, 1, 0.01), precision, scales=Scales(a=0.1, l=0.1))
        for precision in ("l:int8~sr a:int8~sr", f"l:add({noise}) a:add({noise})")
    )
    assert one.value == pytest.approx(other.value, rel=1e-3)


def test_grids_too_fine_to_list_are_noise_of_their_size() -> None:
    one = excess_risk(PROBLEM, SGD(100, 2, 0.1), "w:int20~sr l:fp32 g:int18")
    assert one.how == "closure"
    assert one.value == pytest.approx(excess_risk(PROBLEM, SGD(100, 2, 0.1)).value, rel=1e-6)


def test_a_gain_of_labels_moves_the_result() -> None:
    """Labels cut at 0.5: the result is that of labels times the gain, E Q(y) y / E y^2."""
    problem, sgd = Regression(5, noise_var=0.2), SGD(10**5, 100, 1e-2)
    scales = Scales(l=0.5)  # int2: -0.5, 0, 0.5
    risk = excess_risk(problem, sgd, "l:int2", "last", scales=scales)
    rng = np.random.default_rng(0)
    y = np.sqrt(0.2 + np.sum(problem.lam)) * rng.standard_normal(10**6)
    gain = np.mean(on_grid(np.array([0.0, 0.5]), False)(y, rng) * y) / np.mean(y * y)
    assert risk.parts.bias == pytest.approx(0.5 * np.sum(problem.lam) * (1 - gain) ** 2, rel=0.01)


def test_the_limit_with_a_gain() -> None:
    """A gradient cut to a third of its size allows steps that are larger by the same factor."""
    plain = stability_limit(PROBLEM, SGD(1))
    assert stability_limit(PROBLEM, SGD(1), "g:int8", Scales(g=0.1)) == pytest.approx(
        plain, rel=1e-6
    )
    assert stability_limit(PROBLEM, SGD(1), "g:int2", Scales(g=0.1)) > 5 * plain
    assert excess_risk(PROBLEM, SGD(50, 1, "0.9 limit"), "a:int4 g:int4~sr").value > 0


def test_training_risk_of_a_closure() -> None:
    loss = training_risk(PROBLEM, SGD(400, 2, 0.05), "a:int8~sr", Scales(a=0.5))
    other = training_risk(PROBLEM, SGD(400, 2, 0.05), f"a:add({0.25 / 6})")
    assert (loss.how, other.how) == ("closure", "exact")
    assert loss.value == pytest.approx(other.value, rel=1e-3)


def saturated_sgd(step: float, top: int, replicates: int) -> np.ndarray:
    """The last w of plain SGD whose parameter in use is rounded stochastically to steps up to
    `top`, on PROBLEM's first 6 coordinates, shape (replicates, 6).
    """
    rng, lam = np.random.default_rng(0), np.arange(1.0, 7.0) ** -2
    w = np.zeros((replicates, 6))
    for _ in range(100):
        x = rng.standard_normal(w.shape) * np.sqrt(lam)
        label = x.sum(axis=1) + rng.standard_normal(replicates)
        low = np.floor(w / step)
        used = np.clip(low + (rng.random(w.shape) < w / step - low), -top, top) * step
        w += 0.1 * (label - np.sum(x * used, axis=1))[:, None] * x
    return w


def test_stochastic_rounding_ends_where_its_grid_ends() -> None:
    """w* is 1 and the numbers end at 7 x 0.05: no weight in use comes near it, and w runs away."""
    error = saturated_sgd(0.05, 7, 4000) - 1
    risks = 0.5 * (error**2) @ np.arange(1.0, 7.0) ** -2
    problem, sgd, scales = Regression(6), SGD(100, 1, 0.1), Scales(w=0.05)
    found = excess_risk(problem, sgd, "w:int4~sr", "last", scales=scales).value
    assert found == pytest.approx(risks.mean(), abs=4 * risks.std() / len(risks) ** 0.5)
    assert found > 10 * excess_risk(problem, sgd, "w:int4~sr", "last").value


def test_a_grid_too_fine_to_list_is_refused_where_it_ends() -> None:
    with pytest.raises(
        ValueError, match=r"'int20~sr' end at 0\.05243, and the parameter goes beyond"
    ):
        excess_risk(Regression(6), SGD(100, 1, 0.1), "w:int20~sr", scales=Scales(w=1e-7))
