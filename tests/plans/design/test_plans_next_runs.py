"""The next runs: updates against inverses, search against brute force, slopes, bad input."""

import itertools
import re
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import isoloss as il
from isoloss.fits import Fit, draw_runs, fit, load, log_slopes
from isoloss.formats import Precision
from isoloss.laws import as_inputs, preset
from isoloss.plans import Budget, PlanError, as_machine, next_runs
from isoloss.plans.design.candidates import Region, grid, regular
from isoloss.plans.design.exchange import DesignProblem, Limits, best_design, greedy
from isoloss.plans.design.refit_gradients import Target, gradients, inputs_of, noise_of
from isoloss.runs import Runs, RunsError

SIZES, LENGTHS = (2e7, 4e7, 8e7, 1.6e8), (4e8, 1e9, 2.5e9, 6e9)
MONEY, TARGET = Budget("5e19 flop"), Budget("1e21 flop")


def table(cells, precision: str = "bf16") -> Runs:
    columns = {name: [float(c[k]) for c in cells] for k, name in enumerate(("params", "tokens"))}
    return Runs.from_frame(
        pl.DataFrame({**columns, "precision": [precision] * len(cells), "loss": 1.0})
    )


@pytest.fixture(scope="module")
def pilot() -> Runs:
    return draw_runs("epoch2024", table(list(itertools.product(SIZES, LENGTHS))), 0.005, seed=1)


@pytest.fixture(scope="module")
def fitted(pilot) -> Fit:
    return fit("chinchilla", pilot, draws=80, starts=6)


@pytest.fixture(scope="module")
def rounded() -> Fit:
    """A fit of Kumar's law with rounded weights, beta free."""
    cells = list(itertools.product(SIZES, LENGTHS))
    runs = [
        draw_runs("kumar2024", table(cells, p), 0.005, seed=k, source="me")
        for k, p in enumerate(("bf16", "w6", "w4", "w3"))
    ]
    return fit(
        preset("kumar2024").release("beta"),
        runs[0] + runs[1] + runs[2] + runs[3],
        draws=60,
        starts=6,
    )


def random_problem(seed: int, candidates: int = 6, aimed: bool = True) -> DesignProblem:
    rng = np.random.default_rng(seed)
    known = rng.normal(size=(2, 4, 4))
    aims = rng.normal(size=(2, 4)) if aimed else None
    return DesignProblem(
        known @ known.transpose(0, 2, 1) + np.eye(4), rng.normal(size=(2, candidates, 4)), aims
    )


def criterion(problem: DesignProblem, counts) -> float:
    """By its definition: the mean log of c' M^-1 c, or of 1 / det M."""
    found = []
    for k, known in enumerate(problem.known):
        m = known + sum(n * np.outer(j, j) for n, j in zip(counts, problem.slopes[k], strict=True))
        aim = None if problem.aims is None else problem.aims[k]
        found.append(
            -np.log(np.linalg.det(m)) if aim is None else np.log(aim @ np.linalg.solve(m, aim))
        )
    return float(np.mean(found))


@pytest.mark.parametrize("aimed", [True, False])
def test_one_more_run_and_one_less_are_outer_products(aimed: bool) -> None:
    problem, counts = random_problem(0, aimed=aimed), np.array([2, 0, 1, 0, 0, 3])
    inverse = problem.inverse(counts)
    assert problem.score(inverse) == pytest.approx(criterion(problem, counts), rel=1e-12)
    for k, more in enumerate(np.eye(6, dtype=int)):
        assert problem.added(inverse)[k] == pytest.approx(
            criterion(problem, counts + more), rel=1e-10
        )
        assert problem.plus(inverse, k) == pytest.approx(
            problem.inverse(counts + more), rel=1e-9, abs=1e-12
        )
    assert problem.plus(inverse, 5, -1.0) == pytest.approx(
        problem.inverse(counts - more), rel=1e-9, abs=1e-12
    )


@pytest.mark.parametrize("aimed", [True, False])
@pytest.mark.parametrize("seed", range(12))
def test_the_search_finds_what_brute_force_finds(seed: int, aimed: bool) -> None:
    problem = random_problem(seed, aimed=aimed)
    cost = np.random.default_rng(seed + 100).uniform(1, 10, 6)
    limits = Limits(cost, 20.0, runs=4, repeats=2)
    every = [
        np.array(c)
        for c in itertools.product(range(3), repeat=6)
        if sum(c) <= 4 and np.dot(c, cost) <= 20
    ]
    least = min(criterion(problem, c) for c in every)
    found = best_design(problem, limits)
    assert found.sum() <= 4
    assert found.max() <= 2
    assert found @ cost <= 20
    start = criterion(problem, np.zeros(6))
    # Exchange of one run at a time ends in a local optimum: almost all of the fall that any design
    # reaches.
    assert start - criterion(problem, found) >= 0.97 * (start - least)


def test_greedy_takes_the_run_that_says_most_for_its_cost() -> None:
    problem = DesignProblem(
        np.eye(2)[None], np.array([[[3.0, 0.0], [0.0, 3.0], [2.0, 0.0]]]), np.array([[1.0, 0.0]])
    )
    limits = Limits(np.array([10.0, 1.0, 1.0]), 10.0, runs=1, repeats=1)
    nothing = np.zeros(3, dtype=np.intp)
    assert greedy(problem, limits, nothing, 1.0).tolist() == [0, 0, 1]
    assert greedy(problem, limits, nothing, 0.0).tolist() == [1, 0, 0]


def test_slopes_of_the_best_params_have_a_closed_form(fitted) -> None:
    """log N* = (log(alpha A / (beta B)) + beta log(C/6)) / (alpha + beta)."""
    target = Target(fitted, TARGET, as_machine("h100"), (Precision.parse("bf16"),), None)
    theta = fitted.draws[:5]
    names = [k.name for k in fitted.law.free]
    found = dict(zip(names, gradients(target, theta, np.zeros(5, dtype=int)).T, strict=True))
    c = dict(zip(names, fitted.coordinates.table(theta).T, strict=True))
    a, b, flop = c["alpha"], c["beta"], np.log(1e21 / 6)
    log_n = (np.log(a * c["A"] / (b * c["B"])) + b * flop) / (a + b)
    assert found["A"] == pytest.approx(1 / (a + b), rel=1e-5)
    assert found["B"] == pytest.approx(-1 / (a + b), rel=1e-5)
    assert found["E"] == pytest.approx(0, abs=1e-6)
    assert found["alpha"] == pytest.approx((1 / a - log_n) / (a + b), rel=1e-5)
    assert found["beta"] == pytest.approx((flop - 1 / b - log_n) / (a + b), rel=1e-5)


def test_slopes_of_log_loss_are_those_of_differences(rounded) -> None:
    x = as_inputs([3e7, 1e8], [1e9, 5e9], ["w4", "bf16"])
    theta = rounded.draws[:3]
    slopes = log_slopes(rounded.law, theta, x)
    assert slopes.shape == (3, 2, theta.shape[1])
    for i in range(theta.shape[1]):
        step = 1e-6 * np.eye(theta.shape[1])[i]
        ends = [
            np.log(
                [
                    rounded.law.with_values(rounded.coordinates.values(row + s * step)).loss(x)
                    for row in theta
                ]
            )
            for s in (1, -1)
        ]
        assert slopes[:, :, i] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-4, abs=1e-8)


def test_runs_keep_to_their_limits_and_make_the_plan_surer(fitted) -> None:
    found = next_runs(fitted, MONEY, "h100", target=TARGET, max_runs=10, max_seeds=3)
    assert len(found) <= 10
    assert max(r.seeds for r in found.runs) <= 3
    assert found.flop <= 5e19 * (1 + 1e-9)
    assert found.flop == pytest.approx(sum(r.seeds * 6 * r.params * r.tokens for r in found.runs))
    assert all(2e7 <= r.params <= 6.4e8 and 4e8 <= r.tokens <= 2.4e10 for r in found.runs)
    low, high = found.params[1:]
    assert found.width.now == pytest.approx(high / low)
    assert 1 < found.width.after < found.width.grid < found.width.now
    frame = found.frame()
    assert frame.columns == ["params", "tokens", "precision", "seed", "flops"]
    assert frame.height == len(found)
    assert frame.unique(["params", "tokens", "precision", "seed"]).height == len(found)
    assert "expected after these" in str(found)


def test_the_expected_width_is_that_of_the_information(fitted) -> None:
    """With one replicate: sqrt of c' M^-1 c after over before, M summed by hand."""
    found = next_runs(fitted, MONEY, "h100", target=TARGET, max_runs=6, replicates=1, noise=0.004)
    laws = [preset("chinchilla").with_values(fitted.coordinates.values(t)) for t in fitted.draws]
    plans = [il.plan(law, TARGET, "h100", extrapolate=True) for law in laws]
    planned = [np.log(each.choices[0].params) for each in plans]
    theta = fitted.draws[[np.argsort(planned)[len(planned) // 2]]]
    target = Target(fitted, TARGET, as_machine("h100"), (Precision.parse("bf16"),), None)
    c = gradients(target, theta, np.zeros(1, dtype=int))[0]
    before = log_slopes(fitted.law, theta, inputs_of(fitted))[0] / 0.004
    cells = list(found)
    new = (
        log_slopes(
            fitted.law, theta, as_inputs([r["params"] for r in cells], [r["tokens"] for r in cells])
        )[0]
        / 0.004
    )
    prior = np.diag(12 / np.square(fitted.coordinates.upper - fitted.coordinates.lower))
    m = before.T @ before + prior
    share = np.sqrt((c @ np.linalg.solve(m + new.T @ new, c)) / (c @ np.linalg.solve(m, c)))
    assert np.log(found.width.after) / np.log(found.width.now) == pytest.approx(share, rel=1e-4)


def test_trained_runs_narrow_the_interval_more_than_a_grid(pilot, fitted) -> None:
    found = next_runs(fitted, MONEY, "h100", target=TARGET)
    cells = regular(
        Region((2e7, 6.4e8), (4e8, 2.4e10), (0, np.inf)),
        4,
        as_machine("h100"),
        (Precision("bf16"),),
        5e19,
    )
    assert cells.cost.sum() == pytest.approx(5e19, rel=0.01)
    widths = []
    for rows in (
        [(r["params"], r["tokens"]) for r in found],
        list(zip(cells.params, cells.tokens, strict=True)),
    ):
        more = draw_runs("epoch2024", table(rows), 0.005, seed=2)
        again = fit("chinchilla", pilot + more, draws=80, starts=6)
        ends = il.plan(again, TARGET, "h100", extrapolate=True).choices[0].params_interval
        widths.append(np.log(ends[1] / ends[0]))
    assert widths[0] < widths[1] < np.log(found.width.now)


def test_precisions_are_chosen_for_what_they_teach(rounded) -> None:
    of_bf16 = next_runs(rounded, MONEY, "h100", target=TARGET, target_precision="bf16")
    of_w3 = next_runs(
        rounded, MONEY, "h100", target=TARGET, target_precision="w3", precision=["bf16", "w3"]
    )
    assert {r.precision for r in of_bf16.runs} <= {"bf16", "w6", "w4", "w3"}
    assert {r.precision for r in of_w3.runs} == {"bf16", "w3"}


def test_cheap_precisions_cost_less(fitted) -> None:
    cells = grid(
        Region((1e7, 1e8), (1e9, 1e10), (0, np.inf)),
        2,
        2,
        as_machine("linear-bits"),
        (Precision("bf16"), Precision("w4 a4")),
    )
    assert cells.cost.reshape(2, 2, 2)[..., 1] == pytest.approx(
        cells.cost.reshape(2, 2, 2)[..., 0] / 4
    )


def test_a_saved_fit_gives_the_same_runs(fitted, tmp_path) -> None:
    again = load(fitted.save(tmp_path / "fit.json"))
    assert noise_of(again) == noise_of(fitted)
    one, two = (next_runs(f, MONEY, "h100", target=TARGET) for f in (fitted, again))
    assert one.runs == two.runs


def test_the_table_is_kept_and_not_overwritten(fitted, tmp_path) -> None:
    found = next_runs(fitted, MONEY, "h100", target=TARGET, max_runs=4)
    path = found.save(tmp_path / "runs.csv")
    assert pl.read_csv(path).height == len(found)
    with pytest.raises(RunsError, match="exists"):
        found.save(path)


def test_hours_and_money_pay_at_the_machine_s_rate(fitted) -> None:
    h100 = as_machine("h100").with_mfu({"all": 0.4})
    by_hours = next_runs(fitted, Budget(hours=10, devices=2), h100, target=TARGET)
    by_money = next_runs(fitted, Budget(money=40, price=2), h100, target=TARGET)
    assert by_hours.most_flop == pytest.approx(20 * 3600 * 0.4 * 989.4e12)
    assert by_money.runs == by_hours.runs


def test_runs_outside_the_fitted_ones_and_money_left_are_said(fitted) -> None:
    found = next_runs(fitted, Budget("1e22 flop"), "h100", target=TARGET, max_runs=3)
    text = str(found)
    assert "lie outside the fitted ones, by a factor of up to 4" in text
    assert "of the budget stays unspent: more runs than these are not asked for" in text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"budget": Budget("1e15 flop")},
            "1e+15 FLOPs pay for no run: the cheapest, 20M params on 400M tokens in 'bf16', "
            "costs 4.8e+16",
        ),
        (
            {"budget": Budget(params=1e9)},
            "a budget for runs holds train, hours or money; params belongs to the target",
        ),
        ({"budget": Budget()}, "the budget pays for no run; give train, hours or money"),
        ({"budget": None}, "budget is None; give a Budget"),
        (
            {"budget": Budget(hours=1, devices=1), "hardware": "linear-bits"},
            "hours and money need a device with rates",
        ),
        ({"hardware": "memory-bits"}, "training is free on memory-bits"),
        (
            {"target": Budget("1e21 flop", params="1B")},
            "do not depend on what was fitted: something else sets them",
        ),
        (
            {"target": Budget("1e21 flop", tokens="1B")},
            "do not depend on what was fitted: something else sets them",
        ),
        ({"target": Budget(memory="1 GB")}, "nothing limits tokens"),
        ({"target": "much"}, "cannot read 'much' as target"),
        ({"precision": "w4 z8"}, "cannot read 'z8' in precision 'w4 z8'"),
        (
            {"precision": "w4"},
            "law 'chinchilla' has no precision term that tells 'w4', 'bf16' apart: all get",
        ),
        (
            {"target_precision": ["w4", "w8"]},
            "has no precision term that tells 'w4', 'w8', 'bf16' apart",
        ),
        (
            {"params": ("1B", "1M")},
            "params of the runs go from 1B to 1M; give the smaller one first",
        ),
        ({"params": ("many", "1B")}, "cannot read 'many' as params"),
        ({"max_runs": 0}, "max_runs is 0; accepted is a whole number of at least 1"),
        ({"level": 90}, "level is 90; it is a share"),
        ({"noise": 0}, "noise is 0; it is a standard deviation of log loss above 0, as 0.005"),
        (
            {"law": preset("epoch2024")},
            "next runs are chosen for a fit, whose bootstrap replicates say what is not known yet; "
            "a Law has none",
        ),
    ],
)
def test_bad_questions_get_one_sentence(fitted, change, said) -> None:
    asked = {"law": fitted, "budget": MONEY, "hardware": "h100", "target": TARGET} | change
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        next_runs(asked.pop("law"), asked.pop("budget"), asked.pop("hardware"), **asked)
    assert "\n" not in str(caught.value)


def test_a_precision_outside_the_law_is_refused(rounded) -> None:
    with pytest.raises(
        PlanError, match=r"'w4 a8' rests on gamma_a, n_a, which no fitted run holds"
    ):
        next_runs(rounded, MONEY, "h100", target=TARGET, precision=["bf16", "w4 a8"])
    low = replace(rounded, law=rounded.law.at(gamma_w=4.0, n_w=1.0))
    with pytest.raises(PlanError, match=r"the law holds only above 4 bits of part 'w'"):
        next_runs(low, MONEY, "h100", target=TARGET, precision=["bf16", "w2"])


def test_runs_that_some_refits_do_not_allow_are_left_alone(rounded) -> None:
    """With n_w = 0.85 and gamma_w = 2.7 the law holds above 2.3 bits: at three and not at two."""
    names = [k.name for k in rounded.law.free]
    draws = rounded.draws.copy()
    draws[::2, names.index("n_w")], draws[::2, names.index("gamma_w")] = 0.85, np.log(2.7)
    some = replace(rounded, draws=draws)
    ask = {"target": TARGET, "target_precision": "bf16"}
    assert "w2" in {
        r.precision for r in next_runs(rounded, MONEY, "h100", precision=["bf16", "w2"], **ask).runs
    }
    assert {
        r.precision for r in next_runs(some, MONEY, "h100", precision=["bf16", "w2"], **ask).runs
    } == {"bf16"}
    with pytest.raises(PlanError, match="kumar2024 is not defined for any of the runs"):
        next_runs(some, MONEY, "h100", precision="w2", **ask)


def test_constants_that_are_all_held_teach_nothing(pilot) -> None:
    held = fit(preset("epoch2024").fix("A", "alpha", "B", "beta", "E"), pilot, draws=4)
    with pytest.raises(PlanError, match="do not depend on what was fitted"):
        next_runs(held, MONEY, "h100", target=TARGET)


def test_as_many_constants_as_runs_leave_no_noise(pilot) -> None:
    few = fit("chinchilla", pilot.take([0, 3, 5, 12, 15]), draws=20, starts=4)
    with pytest.raises(
        PlanError, match="5 runs for 5 constants leave no noise to measure; give noise"
    ):
        next_runs(few, MONEY, "h100", target=TARGET)
    assert len(next_runs(few, MONEY, "h100", target=TARGET, noise=0.005)) > 0
