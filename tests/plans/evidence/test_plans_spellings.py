"""What each spelling computes and what each law judges of it, against the laws themselves."""

import numpy as np
import pytest

from isoloss.laws import preset
from isoloss.plans import Budget, as_machine, load, plan

MONTH = "64 h100 for 30 days"
ASKED = ["bf16", "fp8", "fp8 g:e5m2", "w:e4m3 a:e4m3", "int8"]


@pytest.fixture(scope="module")
def published():
    return plan("published", MONTH, precision=ASKED)


def of(found, precision: str):
    return next(each for each in found.spellings if each.precision == precision)


def test_fp8_alone_is_the_forward_pass_and_the_cache(published) -> None:
    alone, whole = of(published, "e4m3"), of(published, "w:e4m3 a:e4m3 kv:e4m3 g:e5m2")
    assert alone.products == {
        "forward": "e4m3 x e4m3",
        "input gradient": "bf16 x e4m3",
        "weight gradient": "bf16 x e4m3",
    }
    assert list(alone.classes.values()) == ["fp8", "bf16", "bf16"]
    assert list(whole.classes.values()) == ["fp8", "fp8", "fp8"]
    assert (alone.kv, of(published, "w:e4m3 a:e4m3").kv) == ("e4m3", "bf16")
    assert "bf16" not in {each.precision for each in published.spellings}


def test_a_law_judges_the_spelling_that_is_named(published) -> None:
    """The loss of what a law is said to judge is its loss of the candidate, at any size."""
    n, d = np.random.default_rng(0).uniform([8, 9], [11, 13], size=(5, 2)).T
    told = 0
    for one in published.spellings:
        for each in one.judged:
            law = preset(each.law)
            if each.says != "nothing":
                own = [law(10**u, 10**y, one.precision) for u, y in zip(n, d, strict=True)]
                same = [law(10**u, 10**y, each.judges) for u, y in zip(n, d, strict=True)]
                assert own == pytest.approx(same, rel=1e-12)
                told += 1
            assert (each.says == "whole") <= (each.blind == ())
    assert told >= 10


@pytest.mark.parametrize(
    ("law", "precision", "says", "judges", "blind"),
    [
        ("sun2025", "w:e4m3 a:e4m3", "whole", "w:e4m3 a:e4m3", ()),
        ("sun2025", "e4m3", "at least", "w:e4m3 a:e4m3", ("kv",)),
        ("sun2025", "w:e4m3 a:e4m3 kv:e4m3 g:e5m2", "at least", "w:e4m3 a:e4m3", ("kv", "g")),
        ("kumar2024_float", "e4m3", "at least", "w:e4m3", ("a", "kv")),
        ("kumar2024", "e4m3", "as read", "int8", ("w:e4m3", "a:e4m3", "kv:e4m3")),
        ("kumar2024", "int8", "whole", "int8", ()),
        ("hoffmann2022", "e4m3", "nothing", "", ("w", "a", "kv")),
    ],
)
def test_which_law_is_blind_to_what(published, law, precision, says, judges, blind) -> None:
    one = next(each for each in of(published, precision).judged if each.law == law)
    assert (one.says, one.judges, one.blind) == (says, judges, blind)


def test_the_report_says_what_each_spelling_computes_and_is_kept(published, tmp_path) -> None:
    table = str(published).split("What each spelling computes")[1].split("What they cost")[0]
    row = next(line for line in table.splitlines() if line.startswith("  e4m3 "))
    assert "e4m3 x e4m3 in fp8" in row
    assert "bf16 x e4m3 in bf16" in row
    assert "sun2025 'w:e4m3 a:e4m3', blind to kv" in row
    assert "kumar2024 'int8'" in row
    again = load(published.save(tmp_path / "plan.json"))
    assert again.spellings == published.spellings
    assert "What each spelling" not in str(plan("kumar2024", MONTH, precision="bf16"))


def test_published_speed_ups_are_of_three_products(published) -> None:
    whole = {each.precision: each.is_whole for each in published.break_evens}
    assert whole == {
        "e4m3": False, "w:e4m3 a:e4m3": False, "int8": False,
        "w:e4m3 a:e4m3 kv:e4m3 g:e5m2": True,
    }  # fmt: skip
    speeds = str(published).split("From which speed-up")[1]
    row = next(line for line in speeds.splitlines() if line.startswith("  e4m3 "))
    assert "not of this spelling; 1.13 to 1.51x with all products in the format" in row


def test_losses_of_other_laws_are_marked_and_paired(published) -> None:
    by = {c.precision: c for c in published.choices}
    table = str(published).split("What each spelling")[0]
    assert "[a] sun2025; [b] hoffmann2022" in table
    assert "not to be subtracted, nor are their shares of best in to be added" in table
    simpler = str(published).split("What simpler choices")[1]
    assert "does not need; losses (by sun2025) where nothing else is said" in simpler
    for c in by.values():
        mark = {("sun2025",): "a", ("kumar2024",): "c"}.get(c.laws)
        mark = mark or ("b" if c.precision == "bf16" else "d")
        row = next(line for line in table.splitlines() if line.startswith(f"  {c.precision} "))
        assert f"{c.loss:.4f} [{mark}]" in row
    one = str(plan("sun2025", MONTH, precision=["bf16", "w:e4m3 a:e4m3"]))
    assert "[a]" not in one


def test_a_bound_is_paired_with_the_first_by_the_laws_of_both() -> None:
    """At held counts: the mean over the two laws of what each says 'e4m3' and bf16 lose."""
    laws = ["kumar2024_float", "sun2025", "hoffmann2022"]
    budget = Budget(params="10B", tokens="300B")
    found = plan(laws, budget, "h100", precision=["bf16", "e4m3"])
    bf16, fp8 = found.choices
    two = [preset(name) for name in laws[:2]]
    gaps = [law(1e10, 3e11, "e4m3") - law(1e10, 3e11, "bf16") for law in two]
    assert fp8.more_at_least == pytest.approx(np.mean(gaps), rel=1e-9)
    assert fp8.more != fp8.more
    assert fp8.loss - bf16.loss != pytest.approx(fp8.more_at_least, abs=0.01)
    assert f"at least {fp8.more_at_least:.4f}" in str(found)


def test_pays_in_draws_laws_as_well_as_rates() -> None:
    """Two laws that break even at 1.07 and 1.01 count half each, against rates of one range."""
    machine = as_machine("h100").with_mfu({"bf16": 0.4})
    found = plan(["kumar2024_float", "sun2025"], MONTH, machine, precision=["bf16", "e4m3"])
    (one,) = found.break_evens
    z = np.random.default_rng(1).normal(size=40_000) / 1.6449
    whole = machine.speed_up("fp8")
    below, above = whole.middle / whole.low, whole.high / whole.middle
    steps = 3 / (1 / (whole.middle * np.where(z < 0, below, above) ** z) + 2)
    shares = [(steps > law.speed_up).mean() for law in one.by_law]
    assert one.pays == pytest.approx(np.mean(shares), abs=0.01)
    assert abs(shares[0] - shares[1]) > 0.1
    assert one.interval[0] != one.interval[0]


def test_what_binds_an_unknown_candidate_is_unknown() -> None:
    found = plan("kumar2024", Budget("1e21 flop"), "h100", precision=["bf16", "w3 a3"])
    other = found.choices[1]
    assert (other.standing, other.binding) == ("unknown", ())
    row = next(line for line in str(found).splitlines() if line.startswith("  w3 a3"))
    assert row.rstrip().endswith("unknown")
