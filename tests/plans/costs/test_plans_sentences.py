"""Budgets in one sentence: what is understood, what is refused, and the currency that is kept."""

import pytest

from isoloss.plans import Budget, PlanError, as_budget, plan


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("64 h100 for 30 days", {"hours": 720, "devices": 64, "hardware": "h100"}),
        ("64 H100 x 30 days", {"hours": 720, "devices": 64, "hardware": "h100"}),
        ("64 x h100, 30 days", {"hours": 720, "devices": 64, "hardware": "h100"}),
        ("30 days on 64 H100s", {"hours": 720, "devices": 64, "hardware": "h100"}),
        ("1,024 x b200 for 1 week", {"hours": 168, "devices": 1024, "hardware": "b200"}),
        ("8 gpus for 2 days", {"hours": 48, "devices": 8, "hardware": None}),
        ("$2M at $2.5/h", {"money": 2e6, "price": 2.5, "currency": "USD"}),
        ("2M USD at 2.5 $/h", {"money": 2e6, "price": 2.5, "currency": "USD"}),
        ("EUR 1.5M at 2 EUR/h", {"money": 1.5e6, "price": 2, "currency": "EUR"}),
        ("€1.5M at 2 per GPU-hour", {"money": 1.5e6, "price": 2, "currency": "EUR"}),
        ("£9k on a100 at 1.5/h", {"money": 9e3, "currency": "GBP", "hardware": "a100"}),
        ("2M at 2.5/h", {"money": 2e6, "price": 2.5, "currency": None}),
        ("3 h on 8 h200 at CHF 4/h", {"hours": 3, "price": 4, "currency": "CHF", "devices": 8}),
        ("1e21 flop on h200", {"train": 1e21, "hardware": "h200"}),
    ],
)
def test_a_sentence_gives_the_words_of_a_budget(sentence: str, words: dict[str, object]) -> None:
    for budget in (Budget(sentence), Budget(money=sentence), as_budget(sentence)):
        assert {name: getattr(budget, name) for name in words} == words
        assert set(budget.limits) == {"train", "hours", "money"} & set(words)


@pytest.mark.parametrize(
    ("budget", "text"),
    [
        (Budget("64 h100 for 30 days"), "720 hours on 64 h100"),
        (
            Budget("64 h100 for 30 days at 2.5 EUR/h"),
            "720 hours on 64 h100 (115,200 EUR at 2.5 EUR a device hour)",
        ),
        (
            Budget("$2M at $2.5/h"),
            "2,000,000 USD at 2.5 USD a device hour (800,000 device hours)",
        ),
        (Budget(money=2e6, price=2.5), "2,000,000 at 2.5 a device hour (800,000 device hours)"),
        (Budget(1e21, price="2 CHF"), "1e+21 FLOPs (bf16) of compute, 2 CHF a device hour"),
    ],
)
def test_what_was_understood_is_printed(budget: Budget, text: str) -> None:
    assert str(budget) == text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"money": "2M USD", "price": "2 EUR"}, "money is in USD and the price .* in EUR"),
        ({"train": "€2M at $2/h"}, "money is in EUR and the price of a device hour in USD"),
        ({"money": "€2M", "train": "64 h100 for 1 d at $2/h"}, "in EUR and the price .* in USD"),
        ({"train": "64 h100 for 30 days", "devices": 8}, "says devices 64, and devices is also 8"),
        ({"money": "$2M at $2/h", "price": 3}, r"says price \$2/h, and price is also 3"),
        ({"train": "64 h100 for ever"}, "cannot read 'ever' as hours"),
        ({"train": "64 h1000 for 1 day"}, "unknown machine 'h1000'; did you mean 'h100'"),
        ({"train": "30 days"}, "hours need the number of devices"),
        ({"train": "$2M"}, "money needs the price of a device hour"),
        ({"money": "$2M at $60/day"}, r"cannot read '\$60/day' as price; write it like 2.5 USD"),
        ({"money": "$2M at $0/h"}, r"price is \$0; accepted is a positive"),
        ({"train": "0 h100 for 1 day"}, "devices is 0"),
        ({"money": "2M ZWL", "price": 2}, "cannot read '2M ZWL' as money"),
    ],
)
def test_what_is_said_twice_or_wrongly_is_one_sentence(words: dict[str, object], said: str) -> None:
    with pytest.raises(PlanError, match=said) as raised:
        Budget(**words)
    assert "\n" not in str(raised.value)


def test_a_machine_is_named_once() -> None:
    asked = {"precision": "bf16", "draws": 10}
    by_budget = plan("kumar2024", "8 h100 for 1 day", **asked)
    assert by_budget == plan("kumar2024", "8 h100 for 1 day", "H100", **asked)
    with pytest.raises(PlanError, match="the budget names h100 and hardware is a100"):
        plan("kumar2024", "8 h100 for 1 day", "a100", **asked)
    with pytest.raises(PlanError, match="hardware is None; give a Hardware"):
        plan("kumar2024", "1e18 flop", **asked)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"train": "64 h100 for 30"}, "does not say 30 of what"),
        ({"hours": "30 m", "devices": 64}, "m is minutes, months or millions"),
        ({"memory": "16Gb"}, "Gb are bits; write bytes, as GB"),
        ({"params": 8}, "params is 8; accepted is a count of 1000 or more"),
        ({"params": "8B", "tokens": 15}, "tokens is 15; accepted is a count of 1000 or more"),
        ({"train": "1,5 h100 for 30 days"}, "devices in '1,5 h100 .*' is 1,5; write a whole"),
        ({"train": "1.000 h100 for 30 days"}, "is 1.000; write a whole number without a dot"),
        ({"train": "64 h100 for 1,000 h"}, "hours is '1,000 h': 1,000 may be 1000 or 1"),
        ({"train": "8 h100 for 1 h at 2,5 €/h"}, "comma stands for decimals; write 2.5"),
    ],
)
def test_what_has_two_meanings_is_refused(words, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        Budget(**words)
    assert Budget(hours="30 min", devices=1).hours == 0.5
    assert Budget(memory="16gb").memory == 16e9
