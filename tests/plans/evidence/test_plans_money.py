"""Device hours, time and money of choices, recomputed from data sheets where each limit binds."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from isoloss.fits import draw_runs, fit
from isoloss.laws import preset
from isoloss.plans import Budget, PlanError, as_machine, plan
from isoloss.runs import Run, read

BF16, INT8 = 989.4e12 * 0.4, 1978.9e12 * 0.4
H100 = as_machine("h100").with_mfu({"all": 0.4})
#: A month of 64 devices at 2.5 costs 115,200.
SERVE = 2500 * 8e9  # params times tokens a second of one device
MONTH = {"hours": "30 days", "devices": 64, "price": "2.5 EUR"}
LIMITS = {
    "hours": Budget(**MONTH, money="2M EUR"),
    "money": Budget(hours="30 days", devices=64, money="90k EUR", price=2.5),
    "train": Budget("1e22 flop", **MONTH),
    "memory": Budget(**MONTH, memory="20 GB"),
    "held": Budget(params="7B", tokens="140B", price="2.5 EUR"),
    "served": Budget(**MONTH, served="2T", serve_rate="2500 tokens/s at 8B"),
}


def planned(budget: Budget, precision="bf16"):
    return plan("kumar2024", budget, H100, precision=precision, extrapolate=True)


@pytest.mark.parametrize("limit", LIMITS)
def test_hours_and_money_are_those_of_the_data_sheet(limit: str) -> None:
    """bf16 runs at its peak; "int8" at that of int8 forward, and at that of bf16 backward."""
    budget = LIMITS[limit]
    for c in planned(budget, ["bf16", "int8"]).choices:
        forward = BF16 if c.precision == "bf16" else INT8
        seconds = c.params * c.tokens * (2 / forward + 4 / BF16)
        assert c.device_hours == pytest.approx(seconds / 3600, rel=1e-12)
        hours = (seconds + c.params * (budget.served or 0) / SERVE) / 3600
        assert c.paid_hours == pytest.approx(hours, rel=1e-12)
        assert c.money == pytest.approx(2.5 * hours, rel=1e-12)
        if budget.devices:
            assert c.wall_hours == pytest.approx(hours / 64, rel=1e-12)


@pytest.mark.parametrize(
    ("limit", "binding", "bill"),
    [
        ("hours", ("hours",), 720 * 64 * 2.5),
        ("money", ("money",), 90e3),
        ("train", ("train",), 1e22 / BF16 / 3600 * 2.5),
        ("memory", ("hours", "memory"), 720 * 64 * 2.5),
        ("held", (), 6 * 7e9 * 140e9 / BF16 / 3600 * 2.5),
        ("served", ("hours",), 720 * 64 * 2.5),
    ],
)
def test_the_limit_that_binds_says_the_bill(limit: str, binding, bill: float) -> None:
    choice = planned(LIMITS[limit]).choices[0]
    assert choice.binding == binding
    assert choice.money == pytest.approx(bill, rel=1e-9)


def cheapest(loss: float, budget: Budget, most_params: float) -> float:
    """The least device hours of bf16 that reach a loss: tokens in closed form, params searched."""
    v = {c.name: c.value for c in preset("kumar2024").constants}
    served = budget.served or 0
    factor = preset("kumar2024").factors(["bf16"])[0][0]

    def hours(log_n: float) -> float:
        n = np.exp(log_n)
        left = loss - v["E"] - v["A"] / (n * factor) ** v["alpha"]
        d = (v["B"] / left) ** (1 / v["beta"]) if left > 0 else np.inf
        return n * (6 * d / BF16 + served / SERVE) / 3600

    grid = np.linspace(np.log(most_params / 1e4), np.log(most_params), 4001)
    k = int(np.argmin([hours(u) for u in grid]))
    ends = grid[max(k - 1, 0)], grid[min(k + 1, 4000)]
    return float(minimize_scalar(hours, bounds=ends, method="bounded").fun)


@pytest.mark.parametrize("limit", ["hours", "money", "train", "memory", "served"])
def test_what_is_wasted_is_a_share_of_what_is_spent(limit: str) -> None:
    """Limits that do not bind pay for nothing, so nothing of them is wasted."""
    budget = LIMITS[limit]
    found = planned(budget)
    (rule,) = found.regrets
    hours = rule.params * (6 * rule.tokens / BF16 + (budget.served or 0) / SERVE) / 3600
    assert rule.bill == pytest.approx(2.5 * hours, rel=1e-12)
    assert rule.bill <= found.choices[0].money * (1 + 1e-9)
    need = cheapest(rule.loss, budget, 10e9 if limit == "memory" else 1e12)
    assert rule.wasted == pytest.approx(1 - need / hours, abs=1e-6)
    assert rule.money == pytest.approx(rule.bill * rule.wasted, rel=1e-12)


def test_a_slack_limit_changes_no_money() -> None:
    """2M beside a bill of 115,200 once made 'wasted' four times the bill."""
    asked = ["bf16", "w:e4m3/128"]
    tight, slack = (
        plan("kumar2024_float", b, "h100", precision=asked, extrapolate=True)
        for b in (Budget(**MONTH), Budget(**MONTH, money="2M EUR"))
    )
    for one, other in zip(tight.regrets, slack.regrets, strict=True):
        assert one.money == pytest.approx(other.money, rel=1e-6, abs=1e-6)
        assert 0 <= other.money <= other.bill <= 115_200 * (1 + 1e-9)


def test_a_price_beside_compute_is_a_bill_and_a_cost_model_has_none() -> None:
    priced = planned(Budget("1e22 flop", price="2 CHF"))
    assert priced.choices[0].money == pytest.approx(1e22 / BF16 / 3600 * 2)
    assert np.isfinite([r.money for r in priced.regrets]).all()
    assert "money (CHF)" in str(priced)
    model = plan("kumar2024", Budget("1e18 flop"), "linear-bits")
    assert np.isnan(model.choices[0].paid_hours)
    assert "What they cost" not in str(model)


def test_the_currency_is_kept() -> None:
    found = planned(Budget(money="EUR 90k", price=2.5))
    assert (found.currency, found.charts.frontier.unit) == ("EUR", "money (EUR)")
    for text in ("90,000 EUR at 2.5 EUR a device hour", "money (EUR)", "of a bill (EUR)"):
        assert text in str(found)
    assert "USD" not in str(found)
    assert "wasted (money)" in str(planned(Budget(money="90k", price=2.5)))
    with pytest.raises(PlanError, match=r"money 1000 EUR does not pay .* EUR would do"):
        planned(Budget(money="EUR 1k", price=2.5, params="7B", tokens="140B"))


def test_hours_and_money_have_the_interval_of_what_they_buy() -> None:
    """Where more tokens hurt, runs tell the best number only within an interval."""
    cells = [
        Run(params=n, tokens=d, precision=p, loss=3.0)
        for n in (3e7, 6e7, 1.2e8, 2.2e8)
        for d in (1.5e9, 4e9, 1e10, 2.6e10, 6e10)
        for p in ("bf16", "bf16 -> w3", "bf16 -> w4", "bf16 -> w5")
    ]
    fitted = fit("kumar2024", draw_runs("kumar2024", read(cells), 0.003), draws=40, starts=2)
    asked = {"precision": "bf16 -> w3", "extrapolate": True, "draws": 40}
    budget = Budget("8 h100 for 1 year at 2 EUR/h", params="60M")
    (choice,) = plan(fitted, budget, H100, **asked).choices
    own = [6 * 60e6 * d / BF16 / 3600 for d in choice.tokens_interval]
    assert choice.paid_hours_interval == pytest.approx(own, rel=1e-9)
    assert choice.money_interval == pytest.approx([2 * h for h in own], rel=1e-9)
    assert choice.money_interval[0] < choice.money < choice.money_interval[1]
    (spent,) = plan(fitted, Budget("1e18 flop", price="2 EUR"), H100, **asked).choices
    assert spent.binding == ("train",)
    assert spent.money_interval == pytest.approx([1e18 / BF16 / 3600 * 2] * 2, rel=1e-9)


def test_energy_is_given_where_a_source_has_the_power_and_nowhere_else() -> None:
    """1000 W of a B200: device hours in MWh are thousands of hours."""
    budget = Budget(params="7B", tokens="140B")
    found = plan("kumar2024", budget, "b200", precision=["bf16", "int8"])
    (costs,) = (s for s in found.sections() if s.title == "What they cost")
    assert costs.head[-2:] == ("MWh, at most", "interval")
    for row, c in zip(costs.rows, found.choices, strict=True):
        low, high = c.paid_hours_interval
        assert row[-2:] == (f"{c.paid_hours / 1e3:.3g}", f"{low / 1e3:.3g} to {high / 1e3:.3g}")
    assert "at the 1000 W that a device may draw" in str(found)
    assert "MWh" not in str(plan("kumar2024", budget, "h100", precision="bf16"))
    with pytest.raises(PlanError, match="power of h100 is 0; accepted is a number of W"):
        replace(as_machine("h100"), power=0)


def test_measured_rates_are_what_hours_are_made_of() -> None:
    machine = replace(as_machine("h100"), measured={"bf16": 450e12, "int8": 600e12})
    budget = Budget(**MONTH)
    found = plan("kumar2024", budget, machine, precision=["bf16", "int8"], extrapolate=True)
    for c in found.choices:
        rate = machine.measured[c.precision]
        hours = 6 * c.params * c.tokens / rate / 3600
        assert (c.device_hours, c.paid_hours) == pytest.approx((hours, hours), rel=1e-12)
        assert c.money == pytest.approx(115_200, rel=1e-9)


@pytest.mark.parametrize("machine", ["linear-bits", "memory-bits"])
@pytest.mark.parametrize(
    "words", [{"hours": 9, "devices": 8}, {"money": "$9", "price": 1}, {"price": "2 EUR"}]
)
def test_a_cost_model_has_no_hours_and_no_money(machine: str, words: dict[str, object]) -> None:
    """They counted for nothing on a machine where training is free, without a word."""
    with pytest.raises(PlanError, match=rf"and {machine} is a cost model, so {next(iter(words))}"):
        plan("kumar2024", Budget("1e12", params="1B", tokens="1B", **words), machine)


def test_tokens_served_are_charged_at_a_rate_of_serving() -> None:
    """Hours of serving are those of the rate, whatever rates of training are drawn."""
    held = {"params": "8B", "tokens": "200B", "price": "2 EUR", "served": "1T"}
    found = plan("kumar2024", Budget(**held, serve_rate="2500 tokens/s at 4B"), "h100")
    (c,) = found.choices
    serving = 1e12 / 1250 / 3600
    assert c.paid_hours - c.device_hours == pytest.approx(serving, rel=1e-9)
    level = as_machine("h100").level
    train = [6 * 8e9 * 200e9 / 3600 / rate for rate in (level.high, level.low)]
    assert c.paid_hours_interval == pytest.approx([serving + h for h in train], rel=0.02)
    assert "10k tokens/s a device at 1B params, inversely to them" in str(found)
    own = Budget(**held, serve_rate="1250 tokens/s")  # of the 8B that are held
    assert plan("kumar2024", own, "h100").choices[0].money == pytest.approx(c.money)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"served": "1T"}, "1T tokens served take hours of h100 at a rate of serving"),
        ({"serve_rate": "10 tokens/s at 1B"}, "and no tokens are served"),
        ({"served": "1T", "serve_rate": "10 tokens/s"}, "does not say of what size"),
        ({"served": "1T", "serve_rate": 2500.0}, "cannot read 2500.0 as serve_rate"),
        ({"served": "1T", "serve_rate": "10 GB at 1B"}, "cannot read '10 GB' as serve_rate"),
        ({"served": "1T", "serve_rate": "10 tokens/s at x"}, "cannot read 'x' as the size"),
    ],
)
def test_a_rate_of_serving_is_asked_for_and_read(words: dict[str, object], why: str) -> None:
    """Decoding was charged as training is, many times too cheap for few sequences."""
    with pytest.raises(PlanError, match=why):
        plan("kumar2024", Budget("1e21 flop", **words), "h100")
    assert plan("kumar2024", Budget("1e21 flop", served="1T"), "linear-bits").choices
    given = Budget("1e21 flop", served="1T", serve_rate="9 tokens/s at 1B")
    with pytest.raises(PlanError, match="serve_rate needs a device with rates"):
        plan("kumar2024", given, "linear-bits")
