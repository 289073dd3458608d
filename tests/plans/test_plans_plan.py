"""The planner against published optima, the theorem, brute force, and every kind of bad input."""

import numpy as np
import polars as pl
import pytest

from isoloss.fits import draw_runs, fit
from isoloss.formats import Precision
from isoloss.laws import preset, with_repetition
from isoloss.plans import Budget, as_machine, plan, rate_of
from isoloss.runs import Runs, compact, read

TIED = [f"w{b} a{b} kv{b}" for b in (4, 5, 6, 7, 8, 12)] + ["bf16"]


def by_precision(found):
    return {c.precision: c for c in found.choices}


@pytest.mark.parametrize("flop", [1e18, 1e20, 1e22, 1e24, 1e26])
def test_kumars_best_bits_and_ratios_are_the_same_at_every_budget(flop) -> None:
    """kumar2024, section 4.3 corrected: 7 bits, N* = 1.69e8 sqrt(C/1e18), D*/N* = 13.3."""
    found = plan("kumar2024", Budget(flop), "linear-bits", precision=TIED, extrapolate=True)
    best, every = found.best, by_precision(found)
    assert best.precision == "int7"
    assert best.params == pytest.approx(1.69e8 * np.sqrt(flop / 1e18), rel=2e-3)
    assert best.tokens / best.params == pytest.approx(13.3, abs=0.05)
    ratios = {"int8": (1.549, 1.291), "int6": (2.082, 1.281), "int4": (4.562, 0.877)}
    for name, (params, tokens) in ratios.items():
        assert every[name].params / every["bf16"].params == pytest.approx(params, abs=6e-4)
        assert every[name].tokens / every["bf16"].tokens == pytest.approx(tokens, abs=6e-4)
    assert all(c.spent["train"] == pytest.approx(1, abs=1e-9) for c in found.choices)


def test_gains_over_16_bits_at_equal_compute() -> None:
    """Reducible loss over that of 16 bits: 4 bits 1.067, 6 .884, 7 .876, 8 .881."""
    every = by_precision(
        plan("kumar2024", Budget(1e21), "linear-bits", precision=TIED, extrapolate=True)
    )
    floor = preset("kumar2024").values["E"]
    for name, ratio in {"int4": 1.067, "int6": 0.884, "int7": 0.876, "int8": 0.881}.items():
        assert (every[name].loss - floor) / (every["bf16"].loss - floor) == pytest.approx(
            ratio, abs=6e-4
        )


def test_suns_best_bits_move_with_the_budget() -> None:
    """An added penalty breaks the theorem: more bits at larger budgets."""
    formats = {"w:e2m1/128 a:e2m1/128": 4, "w:e2m3/128 a:e2m3/128": 6, "w:e4m3/128 a:e4m3/128": 8}
    bits = []
    for flop in (1e20, 1e26):
        found = plan(
            "sun2025", Budget(flop), "linear-bits", precision=list(formats), extrapolate=True
        )
        bits.append(int(Precision(found.best.precision).bits("w")))
    assert bits == [4, 6]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(
    "name", ["kumar2024", "ouyang2024", "sun2025", "quartet2025", "muennighoff2023"]
)
def test_brute_force_never_finds_better(name, seed) -> None:
    """Random constants, budgets and limits: a fine grid against the search."""
    rng = np.random.default_rng(seed)
    law = preset(name)
    values = {k: law.values[k] * np.exp(0.1 * rng.standard_normal()) for k in ("A", "alpha", "B")}
    law = law.at(**values)
    flop = 10 ** rng.uniform(18, 26)
    limits = {"memory": 10 ** rng.uniform(8, 12)} if seed % 3 == 0 else {}
    limits |= {"served": 10 ** rng.uniform(9, 13)} if seed % 4 == 1 else {}
    limits |= {"unique_tokens": 10 ** rng.uniform(9, 12)} if seed % 4 == 2 else {}
    spelled = {"kumar2024": "fp -> w4", "ouyang2024": "fp -> w3", "sun2025": "w:e2m1/128"}.get(
        name, "bf16"
    )
    found = plan(
        law, Budget(flop, **limits), "linear-bits", precision=spelled, extrapolate=True
    ).best
    served = limits.get("served", 0.0)
    n, d = (
        v.ravel() for v in np.meshgrid(np.geomspace(1e4, 1e14, 500), np.geomspace(1e5, 1e17, 500))
    )
    allowed = 6 * n * d + 2 * n * served <= flop
    if "memory" in limits:
        stored = Precision(spelled).format("w", "serve")
        allowed &= n * (16 if stored is None else stored.storage_bits) / 8 <= limits["memory"]
    unique = limits.get("unique_tokens")
    repeats = unique is not None and found.tokens > unique
    member = with_repetition(law, unique) if repeats else law
    allowed &= repeats | (d <= (unique or np.inf))
    loss = member(n[allowed], d[allowed], spelled, unique_tokens=unique)
    assert np.min(loss) >= found.loss * (1 - 1e-12)
    assert member(found.params, found.tokens, spelled, unique_tokens=unique) == pytest.approx(
        found.loss, rel=1e-12
    )


def test_inference_only_optimum() -> None:
    """Kumar et al., eq. 29: at N P = 1e10 bits the best is near 6.86 bits, N 1.46e9, D 1.4e13."""
    candidates = [f"fp -> w{b}" for b in range(4, 11)]
    best = plan(
        "kumar2024", Budget("1e10 bits"), "memory-bits", precision=candidates, extrapolate=True
    ).best
    assert best.precision == "fp -> w7"
    assert best.params == pytest.approx(1e10 / 7, rel=1e-9)
    assert best.tokens == pytest.approx(1.5e13, rel=0.2)


def test_tokens_beyond_the_critical_number_are_not_bought() -> None:
    """30M params served in int4 lose beyond 2.9e10 tokens, so the budget is not spent."""
    found = plan(
        "kumar2024",
        Budget("1e21 flop", params="30M"),
        "linear-bits",
        precision="fp -> w4",
        extrapolate=True,
    )
    assert found.best.tokens == pytest.approx(2.9e10, rel=0.02)
    assert found.best.binding == ()
    assert any("unspent" in c.text for c in found.warnings)


def test_a_plan_outside_the_runs_is_withheld_until_asked() -> None:
    found = plan("kumar2024", Budget("1e22 flop"), "linear-bits", precision=TIED)
    assert found.best is None
    assert "outside the runs of kumar2024" in found.withheld
    assert "recommendation withheld: " in str(found)
    assert str(found).count("; extrapolate=True (isoloss plan --extrapolate) overrides") == 1
    inside = plan("kumar2024", Budget("1e18 flop"), "linear-bits", precision=TIED)
    assert inside.best.precision == "int7"
    assert "169M params" in str(inside)


def test_refits_give_intervals_that_hold_the_truth() -> None:
    cells = read("simulated2024").where(params=lambda n: n > 0)
    fitted = fit("kumar2024", draw_runs("kumar2024", cells, 0.01, seed=3), draws=60, starts=6)
    found = plan(fitted, Budget("1e18 flop"), "linear-bits", precision=["w8 a8 kv7", "bf16"])
    truth = by_precision(
        plan("kumar2024", Budget("1e18 flop"), "linear-bits", precision=["w8 a8 kv7", "bf16"])
    )
    for c in found.choices:
        low, high = c.params_interval
        assert low < c.params < high < 1.5 * low
        assert low * 0.97 < truth[c.precision].params < high * 1.03
    assert sum(c.probability for c in found.choices) == pytest.approx(1)


def test_levels_with_a_sparsity_are_left_out_with_the_reason() -> None:
    law = preset("frantar2025").fix(kappa=1.0)
    rows = [(n, n * r) for n in (3e7, 1e8, 3e8) for r in (20, 50, 100)]
    frame = {
        "params": [n for n, _ in rows] * 3,
        "tokens": [d for _, d in rows] * 3,
        "precision": ["bf16"] * 9 + ["w4 a4"] * 18,
        "sparsity": [None] * 18 + ["2:4"] * 9,
    }
    n, d = np.array(frame["params"]), np.array(frame["tokens"])
    factor = np.repeat([1.0, 0.7, 0.4], 9)
    frame["loss"] = 1.8 + 400 * (n * factor) ** -0.34 + 2000 * d**-0.37
    fitted = fit(law, Runs.from_frame(pl.DataFrame(frame)), draws=10, starts=4)
    found = plan(fitted, Budget("1e19 flop"), "linear-bits", extrapolate=True)
    assert {c.precision for c in found.choices} == {"bf16", "w4 a4"}
    assert list(found.dropped.values()) == ["'w4 a4 2:4': pruned weights are not planned"]


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: Budget("1e21 GB"), "cannot read '1e21 GB' as train; write it like 1e21 flop"),
        (lambda: Budget(memory="much"), "cannot read 'much' as memory"),
        (lambda: Budget(-1), "train is -1; accepted is a positive"),
        (lambda: Budget(money=1e6), "money needs the price"),
        (lambda: Budget(hours=10), "hours need the number of devices"),
        (lambda: as_machine("h10"), "unknown machine 'h10'; did you mean 'h100'"),
        (
            lambda: plan("kumar2024", Budget(1e18), "h100", precision=["bf16", "fp32"]),
            "no format as wide as fp32",
        ),
        (
            lambda: plan("kumar2024", Budget(1e18, params="1T", tokens="1T"), "h100"),
            "1e+18 does not pay for 1T params on 1T tokens",
        ),
        (
            lambda: plan("kumar2024", Budget(memory=1e9, params="70B", tokens="1T"), "h100"),
            "1.4e+02|140 GB would do",
        ),
        (
            lambda: plan("kumar2024", Budget(speed=1e6, params="70B", tokens="1T"), "h100"),
            "tokens/s would do",
        ),
        (lambda: plan("kumar2024", Budget(memory="16 GB"), "h100"), "nothing limits tokens"),
        (lambda: plan("kumar2024", Budget(tokens="1T"), "h100"), "nothing limits params"),
        (lambda: plan("kumar2024", Budget(hours=1, devices=1), "linear-bits"), "is a cost model"),
        (
            lambda: plan("kumar2024", Budget(1e18), "h100", precision="w3 a3"),
            "holds only above 3.11 bits",
        ),
        (lambda: plan("chinchilla", Budget(1e18), "h100"), "no value for"),
        (
            lambda: plan("hoffmann2022", Budget(1e18), "linear-bits", precision=["w4 a4", "w8"]),
            "law 'hoffmann2022' has no precision term",
        ),
        (lambda: plan("kumar2024", None, "h100"), "give a Budget"),
        (
            lambda: plan(["kumar2024", "chen2025", "kumar2024"], Budget(1e18), "h100"),
            "the laws hold 'kumar2024' twice; give each once",
        ),
        (lambda: plan("kumar2024", Budget(1e18), "h100", level=2), "level is 2"),
    ],
)
def test_bad_questions_get_one_sentence(ask, said) -> None:
    with pytest.raises(ValueError, match=said.replace("+", r"\+").replace("(", r"\(")) as caught:
        ask()
    assert "\n" not in str(caught.value)


def test_laws_that_would_train_other_sizes_are_said_to_disagree() -> None:
    found = plan(
        ["sun2025", "epoch2024"], Budget("1e23 flop"), "h100", precision="bf16", extrapolate=True
    )
    words = [c.text for c in found.warnings if c.kind == "laws_disagree"]
    sizes = [each.params for each in found.by_law]
    assert max(sizes) > 2 * min(sizes)
    assert len(words) == 1
    assert f"{compact(min(sizes))} params" in words[0]
    near = plan(
        ["epoch2024", "muennighoff2023"],
        Budget("1e23 flop"),
        "h100",
        precision="bf16",
        extrapolate=True,
    )
    assert "laws_disagree" not in {c.kind for c in near.warnings}


def test_a_grid_of_numbers_is_dequantised_and_saves_memory_only() -> None:
    h100 = as_machine("h100")
    for spelled in ("w:nf4", "w:nf4 a:nf4", "w:nf4 a8", "w:nf4 a:e4m3"):
        rate = rate_of(h100, Precision(spelled))
        assert (rate.cost, rate.emulated) == (1, ("nf4",))


def test_operands_of_each_product_have_a_rate_of_their_own() -> None:
    h100 = as_machine("h100").with_mfu({"all": 0.4})
    forward, backward = Precision("e4m3 g:e5m2 w.dx:bf16"), Precision("e4m3 g:bf16 g.dw:e5m2")
    for precision in (forward, backward):
        assert rate_of(h100, precision).cost == pytest.approx((2 * 989.4 / 1978.9 + 1) / 3)
