"""The first runs: expected intervals against fits, rivals, STOP, and bad questions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares

from isoloss.formats import Precision
from isoloss.laws import preset
from isoloss.plans import Budget, as_machine, first_runs
from isoloss.plans.design.candidates import Candidates, Region
from isoloss.plans.design.exchange import DesignProblem, Limits, best_design
from isoloss.plans.design.expected import First
from isoloss.plans.design.first_design import region_for, room_of
from isoloss.plans.design.first_verdict import cost_of_enough
from isoloss.plans.design.power_laws import readings_of
from isoloss.plans.design.questions import question_of
from isoloss.plans.design.rivals import candidates_at, ratio_spread, rivals
from isoloss.plans.design.what_runs_cost import cost_in_words
from isoloss.plans.search import members_of

DEVICE, TARGET, BF16 = as_machine("h100"), Budget("1e23 flop"), Precision("bf16")
FIVE = ["hoffmann2022", "epoch2024", "kumar2024", "chen2025", "sun2025"]


def put(laws, question: str, target=TARGET, most: float = 1e20) -> First:
    """A question put to some laws over the region of a budget."""
    asked = question_of(question, target if question.startswith("params") else None, None)
    read = readings_of(members_of(laws), region_for(most, None, None), asked.precision)
    return First(asked, read, 0.005, 1.6449)


def grid_of(formats) -> Candidates:
    n, d = (v.ravel() for v in np.meshgrid(np.geomspace(2e7, 1e9, 4), np.geomspace(5e8, 2e10, 4)))
    return candidates_at(n, d, DEVICE, formats)


@pytest.mark.parametrize("name", ["epoch2024", "chen2025", "sun2025"])
def test_a_law_of_the_form_is_read_as_it_is(name: str) -> None:
    law, read = preset(name), put([name], "params").readings
    n, d = np.array([3e7, 1e9]), np.array([3e9, 1e10])
    runs = Candidates(n, d, np.zeros(2, dtype=np.intp), n, ())
    assert np.exp(read.log_loss(read.theta[0], runs)) == pytest.approx(law(n, d), rel=1e-6)
    sizes = np.geomspace(1e9, 1e12, 200_001)
    best = sizes[np.argmin(law(sizes, 1e23 / 6 / sizes))]
    assert read.best_log_params(read.theta[0], 1e23) == pytest.approx(np.log(best), abs=1e-3)


def test_the_gap_of_chen_is_read_with_its_exponents() -> None:
    read = put(["chen2025"], "exponent of w4/64 a4/64").readings
    n, d = read.theta[0][6:]
    assert (n, d) == pytest.approx((0.2186, 0.0745), abs=2e-4)
    law = preset("chen2025")
    gap = law.gap(7e9, 1.4e11, "w4/64 a4/64", "fp")
    assert np.exp(read.log_gap(read.theta[0], 7e9, 1.4e11)) == pytest.approx(gap, rel=1e-3)


@pytest.mark.parametrize("question", ["params", "exponent of w4/64 a4/64"])
def test_slopes_are_those_of_differences(question: str) -> None:
    first = put(["chen2025"], question)
    other = first.asked.precision
    runs = grid_of((BF16,) if other is None else (BF16, other))
    read, theta = first.readings, first.readings.theta[0]
    for k, column in enumerate(read.slopes(runs)[0].T):
        step = 1e-6 * np.eye(len(theta))[k]
        ends = read.log_loss(theta + step, runs) - read.log_loss(theta - step, runs)
        assert column == pytest.approx(ends / 2e-6, abs=1e-7)


def test_the_expected_interval_is_that_of_fits() -> None:
    first = put(["epoch2024"], "params")
    runs = grid_of((BF16,))
    counts, read = np.full(len(runs), 4), first.readings
    each, theta, rng = np.repeat(np.arange(len(runs)), 4), read.theta[0], np.random.default_rng(1)
    rows, answers = runs.take(each), []
    exact = read.log_loss(theta, rows)
    for _ in range(120):
        seen = exact + 0.005 * rng.standard_normal(len(exact))
        found = least_squares(lambda t, y=seen: read.log_loss(t, rows) - y, theta, x_scale="jac")
        answers.append(read.best_log_params(found.x, 1e23))
    expected = first.halves(runs, counts)[0] / first.z
    assert np.std(answers) == pytest.approx(expected, rel=0.25)  # 120 fits: 6% either side


def test_the_proposal_stays_within_its_limits_and_is_no_worse_than_rivals() -> None:
    found = first_runs(FIVE, "1e20 flop", "h100", question="params", target=TARGET,
                       max_runs=24, max_seeds=5)  # fmt: skip
    assert found.stop is None
    assert len(found) == len(list(found)) == found.frame().height <= 24
    assert max(r.seeds for r in found.runs) <= 5
    assert found.flop <= found.most_flop * (1 + 1e-9) == pytest.approx(1e20)
    assert {r.name for r in found.rivals} == {"regular grid", "L-shape", "two ratios"}
    assert 2 <= found.ratio[0] < found.ratio[1] <= 800
    assert all(r.runs <= 24 for r in found.rivals)
    inside = [r for r in found.rivals if r.ratio[0] >= 2 and r.ratio[1] <= 800]
    assert all(r.half >= found.half for r in inside)
    assert found.half == pytest.approx(
        np.exp(sum(a.weight * np.log(a.half) for a in found.laws)), rel=1e-9
    )
    text = str(found)
    for word in ("to learn: the params of a plan", "L-shape", "V_K", "noise: 0.005"):
        assert word in text


def test_rivals_cost_what_the_proposal_may() -> None:
    region = region_for(1e20, None, None)
    costs = {name: seeds * runs.cost.sum() for name, runs, seeds in
             rivals(region, DEVICE, (BF16,), 1e20, 64)}  # fmt: skip
    few = list(rivals(region, DEVICE, (BF16,), 1e20, 64, 2))
    assert {seeds for _, _, seeds in few} == {1, 2}
    assert set(costs) == {"regular grid", "L-shape", "two ratios"}
    assert all(cost == pytest.approx(1e20, rel=1e-6) for cost in costs.values())


def test_v_k_by_hand() -> None:
    runs = candidates_at(np.array([1e8, 1e8]), np.array([1e9, 4e9]), DEVICE, (BF16,))
    k = np.array([10.0, 40.0]) ** -0.5
    by_hand = (k[0] ** 2 + 3 * k[1] ** 2) / 4 - ((k[0] + 3 * k[1]) / 4) ** 2
    assert ratio_spread(runs, np.array([1, 3]), 0.5) == pytest.approx(by_hand)


def one_law(within: float, most_runs: int = 16, most: float = 1e20):
    """First runs for the params of a plan if epoch2024 is right."""
    return first_runs(["epoch2024"], most, "h100", question="params", within=within, target=TARGET,
                      max_runs=most_runs)  # fmt: skip


def test_a_question_that_more_runs_answer_for_the_same_money_is_no_stop() -> None:
    wide = one_law(2)
    asked = float(np.exp(2 * wide.half * 0.98))
    found, other = one_law(asked), one_law(float(np.exp(2 * wide.half * 1.02)))
    assert (found.stop, found.resolved, found.able) == (None, 0.0, 0.0)
    assert f"a factor of {np.exp(2 * wide.half):.3g} where a factor of {asked:g} is asked" in (
        found.short
    )
    assert "for the same money (max_runs 256 and max_seeds 64)" in found.short
    assert "not enough: expected is" in str(found)
    assert (other.stop, other.short, other.resolved) == (None, None, 1.0)
    assert one_law(asked, 256).resolved == 1.0


def test_stop_means_that_no_design_of_the_cost_answers() -> None:
    found = one_law(1.1)
    assert (found.able, found.short) == (0.0, None)
    assert "STOP: no design of this cost answers the question under any law, not even" in str(found)
    assert "in up to 256 runs" in found.stop
    first, rng = put(["epoch2024"], "params within 1.1"), np.random.default_rng(0)
    for _ in range(200):
        n, ratio = np.exp(rng.uniform(np.log(1e7), np.log(2e9), 256)), rng.uniform(2, 800, 256)
        runs = candidates_at(n, n * ratio, DEVICE, (BF16,))
        seeds = np.full(256, 1e20 / runs.cost.sum())  # more or less than one, of just the cost
        assert first.halves(runs, seeds)[0] > first.needs()[0]


def test_the_cost_that_would_do_does() -> None:
    first = put(FIVE, "params within 1.2")
    room = room_of(region_for(1e20, None, None), None, None, (BF16,), DEVICE, 1e20, (64, 16))
    best = room.design(first)
    cost = cost_of_enough(best, room)
    assert cost.flop == pytest.approx(cost.times * best.cost)
    assert cost.nearer == 0
    weights = first.readings.weights
    for times, enough in ((cost.times * 1.001, True), (cost.times * 0.999, False)):
        answered = first.halves(best.runs, best.counts * times) <= first.needs()
        assert (weights @ answered >= 0.5) == enough


def test_stop_where_the_answer_is_far_beyond_the_runs() -> None:
    found = one_law(2, most=1e18)
    assert "by laws of 100% of the weight the answer lies more than 100 times beyond" in found.stop
    assert found.resolved == 0.0
    # A run of a hundredth of the params on 2 tokens each, one of a hundredth of the tokens on 800.
    params = np.exp(put(["epoch2024"], "params", most=1e18).answers()[0])
    nearer = 12 * (params / 100) ** 2 + 6 * (1e23 / 6 / params / 100) ** 2 / 800
    assert f"larger or longer runs for {nearer:.3g} FLOPs" in found.stop
    assert f"{nearer + found.flop:.3g} FLOPs in all, would do" in found.stop
    near = first_runs(["epoch2024"], "1e18 flop", "h100", question="params",
                      target=Budget("1e21 flop"), max_runs=16)  # fmt: skip
    assert (near.stop, near.short) == (None, None)


def test_a_larger_run_is_bought_where_an_answer_lies_just_beyond_reach() -> None:
    found = first_runs(["sun2025"], "1e19 flop", "h100", question="params", target=TARGET)
    answer = found.laws[0]
    assert answer.beyond == pytest.approx(100, rel=0.02)
    assert answer.resolves
    assert max(r.params for r in found.runs) == pytest.approx(63.4e9 / 100, rel=0.01)
    assert found.flop <= 1e19 * (1 + 1e-9)
    held = first_runs(["sun2025"], "1e19 flop", "h100", question="params", target=TARGET,
                      params=("5M", "500M"))  # fmt: skip
    assert max(r.params for r in held.runs) <= 5e8
    assert held.stop is not None


def test_laws_that_say_nothing_are_counted_with_their_weight() -> None:
    asked = "exponent of w4/64 a4/64"
    found = first_runs("published", "1e20 flop", "h100", question=asked, max_runs=24)
    assert [a.law for a in found.laws] == ["kumar2024", "chen2025"]
    assert len(found.left_out) == 10
    assert found.share == pytest.approx(
        sum(m.weight for m in members_of("published") if m.law.name in ("kumar2024", "chen2025"))
    )
    assert "of the 2 laws that say something of it" in str(found)
    assert f"the other 10 of 12 laws asked, {100 * (1 - found.share):.0f}% of their weight" in (
        str(found)
    )


def test_where_runs_lie_to_those_of_laws_is_counted() -> None:
    found = first_runs(["kumar2024", "chen2025"], "1e21 flop", "h100",
                       question="exponent of w4/64 a4/64")  # fmt: skip
    for law in found.laws:
        box = preset(law.law).box
        inside = sum(
            r.seeds for r in found.runs
            if box.params[0] <= r.params <= box.params[1] and box.tokens[0] <= r.tokens
            <= box.tokens[1] and box.tokens_per_param[0] <= r.tokens / r.params
            <= box.tokens_per_param[1]
        )  # fmt: skip
        assert law.inside == inside
    assert all(law.resolves for law in found.laws)
    assert sum(law.inside for law in found.laws) >= len(
        found
    )  # each run lies inside those of some law


def test_small_models_are_tried_however_much_money_there_is() -> None:
    boxes = [preset(name).box for name in ("kumar2024", "chen2025", "sun2025")]
    assert region_for(1e24, None, None, boxes).params[0] == 41e6  # the middle one
    assert region_for(1e24, None, None).params[0] > 1e9


def test_weights_count_laws_as_often_as_they_stand() -> None:
    slopes, aims = np.random.default_rng(0).normal(size=(2, 9, 3)), np.ones((2, 3))
    known = np.broadcast_to(np.eye(3), (2, 3, 3))
    uneven = DesignProblem(known, slopes, aims, np.array([0.75, 0.25]))
    four = [0, 0, 0, 1]
    repeated = DesignProblem(known[[0] * 4], slopes[four], aims[four])
    counts = np.arange(9)
    for problem in (uneven, repeated):
        assert problem.score(problem.inverse(counts)) == pytest.approx(
            uneven.score(uneven.inverse(counts))
        )
    assert uneven.added(uneven.inverse(counts)) == pytest.approx(
        repeated.added(repeated.inverse(counts))
    )


def test_runs_are_bought_where_only_several_together_narrow_an_answer() -> None:
    asked = "gap of w:e4m3 a:e4m3 > 0.01 at 7B, 140B"
    found = first_runs("sun2025", "1e20 flop", "h100", question=asked, max_runs=8, max_seeds=4)
    assert len(found) == 8
    assert found.stop is not None
    # Either run alone lowers the variance of the sum by less than a millionth, both by far more.
    slopes = np.array([[[1e5, -1e5], [1e5, -1e5 + 1e2]]])
    problem = DesignProblem(np.eye(2)[None], slopes, np.ones((1, 2)))
    assert (np.log(2) - problem.added(np.eye(2)[None]) < 1e-6).all()
    assert best_design(problem, Limits(np.ones(2), 4.0, 4, 2)).tolist() == [2, 2]


def test_runs_say_what_they_cost_over_the_rates() -> None:
    budget = Budget("8 h100 for 3 hours at 2 EUR/h")
    found = first_runs("epoch2024", budget, question="params", target=TARGET, max_runs=24)
    level = DEVICE.level
    ends = [found.flop / rate / 3600 for rate in (level.middle, level.high, level.low)]
    hours = "{:.3g} ({:.3g} to {:.3g}) device hours".format(*ends)
    days = "{:.3g} ({:.3g} to {:.3g}) days on 8 devices".format(*(h / 192 for h in ends))
    money = "{:.3g} ({:.3g} to {:.3g}) EUR".format(*(2 * h for h in ends))
    assert f"they cost: {hours}, {days}, {money}; throughput: bf16 0.19 to" in str(found)
    assert "of models of 3.08B params and more" in str(found)
    assert [r.params for r in found.runs] == sorted(r.params for r in found.runs)
    exact = cost_in_words(9e18, Budget("1e19 flop"), DEVICE.with_mfu(0.5))
    said = "they cost: 5.05 device hours; throughput: bf16 peak x MFU 0.5, taken as exact"
    assert exact == said
    assert cost_in_words(9e18, Budget("1e19 flop"), as_machine("linear-bits")) is None


def test_near_enough_has_the_unit_of_the_question() -> None:
    gap = preset("chen2025").gap(1e9, 2e10, "w4/64 a4/64", "fp")
    asked = question_of(f"gap of w4/64 a4/64 > {gap} at 1B, 20B within 0.005", None, None)
    # At the value in question only the nats count: the upper end lies 0.005 nats above.
    assert gap * np.exp(asked.need(0.0)) == pytest.approx(gap + 0.005)
    assert question_of("exponent of w4", None, 0.02).need(0.01) == 0.02
    assert question_of("params", TARGET, 1.5).need(0.0) == pytest.approx(np.log(1.5) / 2)
    assert "or its gap within 0.005 nats" in str(asked)
    assert asked.wanted.endswith(" nats, or ends 0.005 nats from the gap,")
    # A factor is that of the whole interval: half of log 1.5 on either side.
    assert "a factor of 1.5 (the upper end of the interval over the lower)" in str(
        question_of("params", TARGET, 1.5)
    )


def test_the_budget_may_name_the_machine() -> None:
    found = first_runs(["epoch2024"], "8 h100 for 3 hours", question="params", target=TARGET,
                       max_runs=8)  # fmt: skip
    assert found.hardware.startswith("h100")


def test_a_gap_at_a_point_and_laws_that_say_nothing() -> None:
    found = first_runs(["chen2025", "epoch2024"], "1e21 flop", "h100",
                       question="gap of w4/64 a4/64 > 0.02 at 1B, 20B", max_runs=24)  # fmt: skip
    assert [a.law for a in found.laws] == ["chen2025"]
    gap = preset("chen2025").gap(1e9, 2e10, "w4/64 a4/64", "fp")
    assert found.laws[0].answer == f"{gap:.4f} nats"
    assert found.laws[0].need == pytest.approx(np.log(gap / 0.02), rel=1e-2)
    assert dict(found.left_out) == {"epoch2024": "law epoch2024 has no term for w, a in "
                                    "'w4/64 a4/64'"}  # fmt: skip
    assert any("1 of the 2 laws asked, 50% of their weight" in w.text for w in found.warnings)
    assert {r.precision for r in found.runs} == {"bf16", "w4/64 a4/64"}


def test_a_precision_with_an_arrow_is_read() -> None:
    asked = question_of("gap of fp -> w4@gptq > 0.05 at 7B 140B", None, None)
    assert (str(asked.precision), asked.value, asked.target.tokens) == (
        "fp -> w4@gptq", 0.05, 1.4e11,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"question": "size"}, "cannot read the question 'size'; accepted are"),
        ({"question": None}, "cannot read the question None"),
        ({"question": "params"}, "give a target of train alone"),
        ({"question": "params", "target": Budget(params="1B", tokens="1B")}, "of train alone"),
        ({"question": "params within 1", "target": TARGET}, "within a factor above 1"),
        ({"question": "params within much", "target": TARGET}, "cannot read 'much'"),
        ({"question": "params within 2", "target": TARGET, "within": 3}, "says within"),
        ({"question": "gap of w4"}, "says no gap"),
        ({"question": "gap of w4 > x at 1B, 2B"}, "cannot read 'x'"),
        ({"question": "gap of w4 > 0.02"}, "say 'at 7B, 140B'"),
        ({"question": "gap of w4 > 0 at 1B, 2B"}, "is not above 0"),
        ({"question": "exponent of z9"}, "z9"),
        ({"question": "exponent of w4", "target": TARGET}, "asked for at no compute"),
        ({"question": "exponent of w4 at 7B, 140B"}, "an exponent is asked for at no compute"),
        ({"question": "gap of w4 > 0.1", "target": Budget("1e20", params="1B", tokens="1B")},
         "and nothing else"),
        ({"question": "exponent of w4/64 a4/64", "noise": 0}, "noise is 0"),
        ({"question": "exponent of w4/64 a4/64", "level": 1}, "level is 1"),
        ({"question": "exponent of q4"}, "none of 2 laws can be read for this question"),
        ({"question": "exponent of w4/64 a4/64", "params": ("1B", "2B"), "tokens": ("1B", "2B"),
          "budget": "1e10 flop"}, "pay for no run"),
    ],
)  # fmt: skip
def test_a_bad_question_is_one_sentence(words, said: str) -> None:
    asked = {"budget": "1e19 flop", **words}
    with pytest.raises(ValueError, match=said) as caught:
        first_runs(["kumar2024", "chen2025"], asked.pop("budget"), "h100", **asked)
    assert "\n" not in str(caught.value)


def test_ranges_that_are_given_hold() -> None:
    found = first_runs(["chen2025"], "1e20 flop", "h100", question="exponent of w4/64 a4/64",
                       params=("20M", "100M"), tokens=("1B", "10B"), max_runs=16)  # fmt: skip
    assert all(2e7 <= r.params <= 1e8 and 1e9 <= r.tokens <= 1e10 for r in found.runs)
    assert region_for(1e20, (2e7, 1e8), (1e9, 1e10)) == Region((2e7, 1e8), (1e9, 1e10), (0, np.inf))
