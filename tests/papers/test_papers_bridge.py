"""The bridge: exact runs against a recursion written again here, shares by search, verdicts that
turn.
"""

import dataclasses

import numpy as np
import pytest

from isoloss.linear import SGD, excess_risk, first_coordinates
from isoloss.papers import Judged, Laboratory, Reproduction, Verdict, claims, put_to_test
from isoloss.papers.checks.bridge import after, exact_runs, sizes

SIZE, STEPS, STEP_SIZE, NOISE = 8, 2000, 0.1, 0.25


def moments(size: int, steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Eigenvalues, mean and second moment of the average of w_0 to w_{T-1} of full precision.

    E (x_i^2 (e - x'v)^2) for Gaussian x, e the noise and what unseen coordinates leave, v = w - w*.
    """
    lam = np.arange(1.0, size + 1) ** -2
    noise = NOISE + np.sum(np.arange(size + 1.0, 1e6 + 1) ** -2)
    mean, square = -np.ones(size), np.ones(size)  # of v
    total, summed = np.zeros(size), np.zeros(size)
    keep = 1 - STEP_SIZE * lam
    for t in range(steps):
        # The sum of E v_t v_s over s >= t: v_t is damped by keep at every later step.
        left = (1 - keep ** (steps - t)) / (1 - keep)
        summed += square * (2 * left - 1)
        total += mean
        spread = lam * (noise + np.sum(lam * square)) + 2 * lam**2 * square
        square = square * (1 - 2 * STEP_SIZE * lam) + STEP_SIZE**2 * spread
        mean = mean * keep
    return lam, total / steps, summed / steps**2


def test_an_exact_run_is_that_of_the_recursion() -> None:
    lam, _, square = moments(SIZE, STEPS)
    unseen = 0.5 * np.sum(np.arange(SIZE + 1.0, 1e6 + 1) ** -2)
    runs = exact_runs.exact(("fp",))
    kept = (runs["params"] == SIZE) & (runs["tokens"] == STEPS)
    assert runs["loss"][kept] == pytest.approx(0.5 * np.sum(lam * square) + unseen, rel=1e-6)


@pytest.mark.parametrize("kind", ["vec", "add"])
def test_what_rounding_adds_is_the_noise_times_the_weights(kind: str) -> None:
    lam, mean, square = moments(SIZE, STEPS)
    weights = square + 2 * mean + 1 if kind == "vec" else np.ones(SIZE)
    ((risk, _),) = after.risks([(SIZE, STEPS)], f"-> w:{kind}(0.05)")
    assert risk.parts.rounding == pytest.approx(0.5 * 0.05 * np.sum(lam * weights), rel=1e-6)


def test_a_share_of_params_is_the_size_of_equal_loss() -> None:
    share = sizes.share_of_params(32, 16_000, "d:add(0.01)")
    sgd = SGD(16_000, 1, STEP_SIZE)

    def loss(size: int, precision: str) -> float:
        seen, rest = first_coordinates(exact_runs.problem(), size)
        return excess_risk(seen, sgd, precision).value + rest

    low = int(share * 32)
    assert loss(low + 1, "fp") <= loss(32, "d:add(0.01)") <= loss(low, "fp")


def test_an_efficiency_is_kumars_factor_level_by_level() -> None:
    """Both laws have the same loss where the efficiency of a level is the factor there."""
    bits = np.array([exact_runs.noise_bits(f) for f in _formats((1e-2, 1e-1))])
    assert bits == pytest.approx(-np.log2([1e-2, 1e-1]) / 2)
    factor = exact_runs.capacity("d", "params").with_values(
        {"A": 1, "alpha": 0.5, "B": 1, "beta": 0.5, "E": 0, "kappa": 1, "gamma_d": 2, "n_d": 0}
    )
    lost = float(factor(100, 1e12, "d:add(0.01)"))
    assert lost == pytest.approx((100 * (1 - np.exp(-bits[0] / 2))) ** -0.5, rel=1e-4)


def _formats(levels: tuple[float, ...]) -> list:
    from isoloss.formats import Precision

    return [Precision.parse(f"d:add({eps})").format("d") for eps in levels]


@pytest.fixture(scope="module")
def laboratory() -> Laboratory:
    return Laboratory()


def found(name: str, laboratory: Laboratory, **given: object) -> Reproduction:
    (claim,) = claims("bridge", name)
    return put_to_test(dataclasses.replace(claim, given={**claim.given, **given}), laboratory)


def test_a_wrong_spectrum_turns_the_exponents(laboratory: Laboratory) -> None:
    name = "exponents at full precision, a = 2"
    assert found(name, laboratory).verdict is Verdict.HOLDS
    (claim,) = claims("bridge", name)
    wrong = dataclasses.replace(
        claim,
        given={"decays": [2.5], "outer": True},
        expected=tuple(
            dataclasses.replace(each, name=each.name.replace("a = 2", "a = 2.5"))
            for each in claim.expected
        ),
    )
    assert put_to_test(wrong, laboratory).verdict is Verdict.FAILS


def test_effects_multiply_where_noise_is_small_alone(laboratory: Laboratory) -> None:
    done = found("effects of parts multiply", laboratory)
    assert done.sentence == "holds only if noise of 0.01; not if noise of 1"
    assert {judged for *_, judged in done.figures} == {Judged.MET, Judged.MISSED}


@pytest.mark.parametrize(
    ("words", "noise", "judged"),
    [("additive noise of the data", "d:vec(0.001)", Judged.MET),
     ("multiplicative noise of weights", "d:add(0.001)", Judged.MISSED)],
)  # fmt: skip
def test_a_swapped_scheme_turns_the_share_of_params(
    words: str, noise: str, judged: Judged, laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sizes.NOISES, words, noise)
    figures = {expected.name: each for expected, _, each in found_share(laboratory).figures}
    assert figures[f"in params, {words}"] is judged


@pytest.mark.parametrize(
    ("shares", "said"),
    [([0.5, 0.5, 0.5], []), ([0.5, np.nan, 0.5],
     ["; noise, in params: 2 of 3 cells that were asked have a share, as no size has the loss of "
      "16 params"])],
)  # fmt: skip
def test_cells_without_a_share_are_said(shares: list[float], said: list[str]) -> None:
    assert sizes._lost("params", "noise", (8, 16, 32), shares) == said


def found_share(laboratory: Laboratory) -> Reproduction:
    return found("a constant share of the params", laboratory)


@pytest.mark.parametrize(
    "name",
    ["rounding after training costs more with more data", "dispute C2: data",
     "dispute C2: decay of steps", "training in low precision makes robust",
     "more data raises the loss of the rounded model"],
)  # fmt: skip
def test_claims_of_rounding_after_training_are_told(name: str, laboratory: Laboratory) -> None:
    done = found(name, laboratory)
    assert done.verdict in (Verdict.FAILS, Verdict.ONLY_IF)
    assert all(ours.error == 0 and np.isfinite(ours.value) for _, ours, _ in done.figures)
