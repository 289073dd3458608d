"""Every verb of plans accepts the same kinds of arguments, or says one sentence."""

import re

import pytest

from isoloss.fits import compare, draw_runs, fit
from isoloss.laws import preset
from isoloss.plans import (
    Budget,
    PlanError,
    as_budget,
    as_machine,
    best_bits,
    critical_tokens,
    gaps_by_law,
    next_runs,
    plan,
    plans_by_law,
    rank_serving,
)
from isoloss.runs import read

COMPUTE = Budget("1e18 flop")
MODEL = {"params": "1B", "tokens": "20B"}


@pytest.fixture(scope="module")
def runs():
    return draw_runs("kumar2024", read("simulated2024").where(params=(1, 1e8)), 0.01, seed=3)


@pytest.fixture(scope="module")
def fitted(runs):
    return fit("kumar2024", runs, draws=12, starts=4)


@pytest.mark.parametrize(
    "budget", [COMPUTE, "1e18 flop", 1e18, {"train": "1e18 flop"}, {"train": 1e18}]
)
def test_a_budget_is_a_value_a_mapping_or_compute(budget: object) -> None:
    asked = {"precision": ["w7 a7 kv7", "bf16"]}
    assert as_budget(budget) == COMPUTE
    assert plan("kumar2024", budget, "linear-bits", **asked).best.precision == "int7"
    assert best_bits("kumar2024", budget).bits == pytest.approx(7.002, abs=1e-3)
    assert plans_by_law(budget, "linear-bits", 7).optima


def test_a_budget_may_hold_the_params_of_the_best_bits() -> None:
    both = (
        best_bits("kumar2024", "1e24 flop", params="8B"),
        best_bits("kumar2024", Budget("1e24 flop", params="8B")),
    )
    assert both[0] == both[1]


@pytest.mark.parametrize("machine", ["linear-bits", "Linear_Bits", as_machine("linear-bits")])
def test_a_machine_is_a_name_or_a_value(machine: object) -> None:
    asked = {"precision": "bf16"}
    assert plan("kumar2024", COMPUTE, machine, **asked).hardware.startswith("linear-bits")
    assert best_bits("kumar2024", COMPUTE, machine).bits > 7
    assert {o.hardware for o in plans_by_law(COMPUTE, machine).optima} == {"linear-bits"}


def test_a_law_is_a_name_a_law_or_a_fit(fitted) -> None:
    asked = ("30M", "w4")
    by_name = critical_tokens("kumar2024", *asked)
    assert critical_tokens(preset("kumar2024"), *asked) == by_name
    assert critical_tokens(["kumar2024"], *asked) == by_name
    assert critical_tokens(fitted, "30M", "w4 a4 kv4") > 0
    assert best_bits(fitted, COMPUTE).bits == pytest.approx(7, abs=1.5)
    for laws in (fitted, [fitted], fitted.law, ["kumar2024", fitted], {"kumar2024": 2}):
        assert plan(laws, COMPUTE, "linear-bits", precision=["w7 a7 kv7", "bf16"]).choices


def test_a_comparison_counts_as_its_laws(runs, fitted) -> None:
    both = compare(["chinchilla", "kumar2024"], runs, draws=6, starts=3)
    assert plan(both, COMPUTE, "linear-bits", extrapolate=True).choices
    if sum(e.weight >= 0.01 for e in both.entries) > 1:
        with pytest.raises(PlanError, match="asked of one law"):
            critical_tokens(both, "30M", "w4")


BAD_BUDGETS = [
    ({}, "budget is empty; give at least one limit"),
    ({"trian": 1e18}, "budget has 'trian'; did you mean 'train'? accepted are train, hours"),
    ({"train": "lots"}, "cannot read 'lots' as train"),
    ("64 h100 for ever", "cannot read 'ever' as hours; write it like 720 h, 30 days or 2 weeks"),
    ("64 cards", "cannot read '64 cards' as budget; write it like 1e21 flop"),
    (None, "budget is None; give a Budget"),
    (True, "budget is True; give a Budget"),
    (float("nan"), "cannot read nan as budget"),
    (["1e18 flop"], "budget is ['1e18 flop']; give a Budget"),
]


@pytest.mark.parametrize(("budget", "said"), BAD_BUDGETS)
@pytest.mark.parametrize("verb", ["plan", "best_bits", "plans_by_law", "next_runs", "target"])
def test_what_is_no_budget_is_one_sentence(fitted, verb: str, budget: object, said: str) -> None:
    asked = {
        "plan": lambda: plan("kumar2024", budget, "h100"),
        "best_bits": lambda: best_bits("kumar2024", budget),
        "plans_by_law": lambda: plans_by_law(budget, "h100"),
        "next_runs": lambda: next_runs(fitted, budget, "h100", target="1e20 flop"),
        "target": lambda: next_runs(fitted, "1e19 flop", "h100", target=budget),
    }
    said = said.replace("budget", "target", 1) if verb == "target" else said
    with pytest.raises(
        PlanError, match=re.escape(said).replace("as target", "as (budget|target)")
    ) as caught:
        asked[verb]()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"draws": float("nan")}, "draws is nan; accepted is a whole number of at least 1"),
        ({"draws": "many"}, "draws is 'many'; accepted"),
        ({"draws": 0}, "draws is 0; accepted"),
        ({"draws": True}, "draws is True; accepted"),
        ({"level": 2}, "level is 2; it is a share between 0 and 1"),
        ({"level": float("nan")}, "level is nan"),
        ({"level": "0.9"}, "level is '0.9'"),
        ({"hardware": 3}, "hardware is 3; give a Hardware or the name of a machine: a100, h100"),
        ({"extrapolate": "no"}, "extrapolate is 'no'; accepted are True and False"),
        ({"laws": 3}, "cannot take 3 for a law; accepted are a law's name"),
        ({"laws": []}, "no law to plan with"),
        (
            {"laws": {"kumar2024": -1.0}},
            "the weight of 'kumar2024' is -1.0; accepted is a number of at least 0",
        ),
        ({"laws": {"kumar2024": "x"}}, "the weight of 'kumar2024' is 'x'"),
        ({"laws": "kumar2023"}, "kumar2024"),
    ],
)
def test_plan_and_rank_serving_refuse_the_same_kinds(change: dict, said: str) -> None:
    asked = {"laws": "kumar2024", "hardware": "h100"} | change
    for verb in (plan, rank_serving):
        words = {"budget": "1e18 flop"} if verb is plan else {"budget": MODEL, "formats": "w4"}
        with pytest.raises(ValueError, match=re.escape(said)) as caught:
            verb(**words, **asked)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: Budget(hours=1, devices="$100"), "devices is '$100'; accepted is a whole number"),
        (lambda: Budget(1e18, context=float("nan")), "context is nan"),
        (lambda: Budget(1e18, decoder=7), "decoder is 7; give a Decoder"),
        (lambda: plan("kumar2024", 1e18, "h100", precision=[]), "no precision to choose from"),
        (lambda: plan("kumar2024", 1e18, "h100", precision=4), "precision is 4; give a spelling"),
        (lambda: plan("kumar2024", 1e18, "h100", precision=["w4", 4]), "precision has 4; give a"),
        (lambda: rank_serving("kumar2024", MODEL, "h100", 4), "formats is 4; give a spelling"),
        (
            lambda: rank_serving("kumar2024", MODEL, "h100", "w4", trained=4),
            "trained is 4; give one",
        ),
        (lambda: rank_serving("kumar2024", "1e18 flop", "h100", "w4"), "serving needs a model"),
        (lambda: best_bits("kumar2024", {"memory": "16 GB"}), "the best bits are those of compute"),
        (lambda: best_bits("kumar2024", 1e18, within=(8, 2)), "within is (8, 2); accepted are two"),
        (lambda: best_bits("kumar2024", 1e18, within=3), "within is 3; accepted are two"),
        (lambda: best_bits("published", 1e18), "this is asked of one law, and there are"),
        (
            lambda: critical_tokens("published", "1B", "w4"),
            "this is asked of one law, and there are",
        ),
        (lambda: critical_tokens("kumar2024", "1B", ["w4"]), "precision is ['w4']; give one"),
        (lambda: critical_tokens(None, "1B", "w4"), "cannot take None for a law"),
        (lambda: critical_tokens("kumar2024", [], "w4"), "cannot read [] as params"),
        (lambda: gaps_by_law([], []), "params is empty; give one or several"),
        (lambda: gaps_by_law("1B", "20B", "x"), "bits is 'x'; accepted is a whole number"),
        (lambda: plans_by_law(1e21, []), "hardware is empty; give one or several"),
        (lambda: plans_by_law(1e21, "h100", [4.5]), "bits is 4.5; accepted is a whole number"),
    ],
)
def test_bad_arguments_get_one_sentence(ask, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        ask()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"params": "1B"}, "params is '1B'; accepted are two counts, the smaller first"),
        ({"tokens": (1e9,)}, "tokens is (1000000000.0,); accepted are two counts"),
        ({"replicates": float("nan")}, "replicates is nan"),
        ({"max_seeds": "8"}, "max_seeds is '8'"),
        ({"noise": "small"}, "noise is 'small'"),
        ({"hardware": None}, "hardware is None; give a Hardware"),
        ({"precision": 4}, "precision is 4; give a spelling"),
    ],
)
def test_next_runs_refuses_the_wrong_kinds(fitted, change: dict, said: str) -> None:
    asked = {"budget": "1e19 flop", "hardware": "h100", "target": "1e20 flop"} | change
    with pytest.raises(PlanError, match=re.escape(said)):
        next_runs(fitted, **asked)
