"""Plans where tokens repeat: what is lent is said; beyond what was measured they are withheld."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from isoloss.fits import FitError, draw_runs, fit, predict
from isoloss.laws import DomainError, as_law, best_ratio, preset, with_repetition
from isoloss.plans import Budget, PlanError, plan
from isoloss.plans.search import members_of, repeating
from isoloss.runs import Runs

#: Losses of 2.8B params on 55B tokens by epochs, utils/parametric_fit.ipynb of datablations.
MEASURED = {1: 2.574117, 2: 2.579361, 4: 2.589427, 14: 2.696432, 44: 3.422766}


def held(unique, params="1.52B", tokens="110B", law="epoch2024", **options):
    budget = Budget(params=params, tokens=tokens, unique_tokens=unique)
    return plan(law, budget, "h100", **options)


@pytest.mark.parametrize("name", ["farseer2025", "shannon2026"])
def test_a_law_that_cannot_see_repeated_tokens_is_refused(name):
    law = as_law(name)
    law = law.at(**{k.name: k.start[0] for k in law.formula.constants})
    with pytest.raises(PlanError, match=f"'{name}' has no term for repeated tokens"):
        repeating(members_of(law), 1e9)
    assert len(members_of(law)) == 1


def test_the_map_is_that_of_the_published_law() -> None:
    own, n, d, u = preset("epoch2024").values, 1.52e9, 110e9, 1e9
    best = (own["alpha"] * own["A"] / (own["beta"] * own["B"]) * u ** own["beta"]) ** (
        1 / own["alpha"]
    )
    counts = []
    for count, fresh, decay in ((n, best, 5.309743), (d, u, 15.387756)):
        counts.append(fresh + fresh * decay * (1 - np.exp((1 - count / fresh) / decay)))
    by_hand = preset("epoch2024")(*counts)
    assert predict("epoch2024", n, d, unique_tokens=u).loss[0] == pytest.approx(by_hand, rel=1e-12)
    assert held("1B", extrapolate=True).choices[0].loss == pytest.approx(by_hand, rel=1e-12)


def test_who_lends_what_is_said_by_plan_and_predict_alike() -> None:
    planned = held("25B")
    predicted = predict("epoch2024", 1.52e9, 110e9, unique_tokens=25e9)
    for warnings in (planned.warnings, predicted.warnings):
        said = next(w.text for w in warnings if "lends" in w.text)
        for word in ("4.4 epochs", "epoch2024", "muennighoff2023", "R_N = 5.31", "2305.16264"):
            assert word in said
    assert not any("lends" in w.text for w in held("25B", law="muennighoff2023").warnings)
    assert planned.best is not None
    assert "repetition: 4.4 epochs of 25B unique tokens" in str(planned)


@pytest.mark.parametrize(("epochs", "far"), [(4, False), (13.9, False), (14.1, True), (60, True)])
@pytest.mark.parametrize("law", ["epoch2024", "muennighoff2023"])
def test_more_epochs_than_were_measured_are_far(epochs, far, law) -> None:
    found = held(110e9 / epochs, law=law)
    assert (found.best is None) == far
    said = [w.text for w in predict(law, 1e9, 110e9, unique_tokens=110e9 / epochs).warnings]
    assert any("obey its law up to 14 epochs" in text for text in said) == far
    assert held(110e9 / epochs, law=law, extrapolate=True).best is not None


def test_the_published_law_holds_to_the_epochs_asked_and_misses_most_of_the_rise_beyond() -> None:
    rise = {e: MEASURED[e] - MEASURED[1] for e in MEASURED}
    loss = predict("muennighoff2023", 2.8e9, 55e9, unique_tokens=[55e9 / e for e in MEASURED]).loss
    by_law = dict(zip(MEASURED, loss - loss[0], strict=True))
    assert by_law[14] == pytest.approx(rise[14], rel=0.1)
    assert by_law[44] < rise[44] / 2


@pytest.mark.parametrize("name", ["ouyang2024", "spectra2025"])
def test_a_law_whose_own_split_is_nowhere_near_its_runs_borrows_nothing(name) -> None:
    law = preset(name)
    assert best_ratio(law, 1e9) > 10 * law.box.tokens_per_param[1]
    for asked in (
        lambda: plan(name, Budget("1e21 flop", unique_tokens="1B"), "h100"),
        lambda: predict(name, 1e9, 1e11, unique_tokens=1e9),
    ):
        with pytest.raises((PlanError, DomainError), match=r"calls .* params the best, .* 1[25]"):
            asked()
    found = plan([name, "epoch2024"], Budget("1e21 flop", unique_tokens="1B"), "h100")
    assert found.choices[0].laws == ("epoch2024",)
    assert any(f"law {name} is left out" in w.text for w in found.warnings)


@pytest.mark.parametrize(("share", "lent"), [(9.99, True), (10.01, False)])
def test_tenfold_outside_its_tokens_per_param_is_the_limit(share, lent) -> None:
    law = preset("chen2025").at(B=1e3)
    box = law.box
    ratio = best_ratio(law, 1e9)
    law = replace(law, box=replace(box, tokens_per_param=(1.0, ratio / share)))
    if lent:
        assert "R_D" in with_repetition(law, 1e9).values
    else:
        with pytest.raises(DomainError, match="cannot be lent"):
            with_repetition(law, 1e9)


def test_where_nothing_repeats_the_laws_own_loss_stands() -> None:
    for tokens, unique in (("20B", "20B"), ("20B", "1e30"), ("1B", "4B")):
        fresh = preset("epoch2024")(1e9, float(tokens[:-1]) * 1e9)
        found = held(unique, "1B", tokens)
        assert found.choices[0].loss == pytest.approx(fresh, rel=1e-12)
        assert "repetition: none" in str(found)
        assert not any("lends" in w.text for w in found.warnings)
        assert predict("epoch2024", 1e9, tokens, unique_tokens=unique).loss[0] == fresh
    budget = Budget("1e21 flop", unique_tokens="300B")
    alike = (plan("epoch2024", each, "h100") for each in (budget, Budget("1e21 flop")))
    assert len({(p.best.params, p.best.loss) for p in alike}) == 1
    assert "more than are trained on" in str(Budget(tokens="20B", unique_tokens="1e30"))


def test_a_point_does_not_depend_on_those_beside_it() -> None:
    both = predict("epoch2024", 1e10, ["1B", "40B"], unique_tokens="4B").loss
    alone = [predict("epoch2024", 1e10, d, unique_tokens="4B").loss[0] for d in ("1B", "40B")]
    assert both.tolist() == alone


@pytest.mark.parametrize("unique", [0.5, 1e-9])
def test_less_than_a_token_is_refused(unique) -> None:
    with pytest.raises(PlanError, match=f"unique_tokens is {unique:g}; accepted is a count"):
        Budget("1e21 flop", unique_tokens=unique)
    with pytest.raises(FitError, match=f"unique_tokens is {unique:g}; accepted is a count"):
        predict("muennighoff2023", 1e9, 2e10, unique_tokens=unique)


def test_a_fit_borrows_too_with_intervals_and_one_loss_in_both_verbs() -> None:
    rows = [(n, n * r) for n in (1e8, 3e8, 9e8) for r in (10, 30, 90)]
    loss = [preset("epoch2024")(*row) for row in rows]
    frame = pl.DataFrame(rows, schema=["params", "tokens"], orient="row")
    runs = Runs.from_frame(frame.with_columns(loss=pl.Series(loss), precision=pl.lit("bf16")))
    found = fit("chinchilla", draw_runs("epoch2024", runs, 0.003, seed=2), draws=20, starts=2)
    at = found.predict(5e8, 5e10, "fp", unique_tokens=1e10)
    assert at.low[0] < at.loss[0] < at.high[0]
    assert any("lends" in w.text for w in at.warnings)
    lent = with_repetition(found.law, 1e10)
    assert at.loss[0] == pytest.approx(lent(5e8, 5e10, unique_tokens=1e10), rel=1e-12)
