"""Predictions where the runs of a law do not tell: constants, repeats, tangled parts, no loss."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from isoloss.fits import Comparison, Fit, compare, draw_runs, fit, predict
from isoloss.fits.warning import kinds
from isoloss.laws import Box, DomainError, as_inputs, as_law, preset
from isoloss.runs import Runs

POINT = (1e8, 4e9)


def runs_of(precisions: list[str]) -> Runs:
    law = preset("kumar2024")
    rows = [(n, r * n, p) for n in (4e7, 9e7, 2e8) for r in (15, 40, 90) for p in precisions]
    frame = pl.DataFrame(rows, schema=["params", "tokens", "precision"], orient="row")
    frame = frame.with_columns(loss=pl.Series([law(*row) for row in rows]))
    return draw_runs(law, Runs.from_frame(frame), 0.003, seed=3)


def repeated_runs(most: float = 4.0) -> Runs:
    """Runs that see their tokens once, twice or up to ``most`` times."""
    law = preset("muennighoff2023")
    rows = [
        (n, r * n, r * n / again)
        for n in (4e7, 9e7, 2e8, 5e8)
        for r in (15, 40, 120)
        for again in (1.0, 2.0, most)
    ]
    frame = pl.DataFrame(rows, schema=["params", "tokens", "unique_tokens"], orient="row")
    loss = [float(law(n, d, unique_tokens=u)) for n, d, u in rows]
    frame = frame.with_columns(loss=pl.Series(loss), precision=pl.lit("bf16"))
    return draw_runs(law, Runs.from_frame(frame), 0.003, seed=1)


def held(name: str, *free: str) -> object:
    """A law of which a few constants are free."""
    law = preset(name)
    return law.fix(*(k for k in law.values if k not in free))


@pytest.fixture(scope="module")
def weights_only() -> Fit:
    law = held("kumar2024", "E", "A", "gamma_w", "gamma_a", "n_a", "gamma_post", "C_T")
    return fit(law, runs_of(["bf16", "w4", "w6"]), draws=30, starts=2)


@pytest.fixture(scope="module")
def repeating() -> Comparison:
    laws = [held("muennighoff2023", "E", "A", "R_D"), held("chinchilla", "E")]
    laws[1] = laws[1].at(A=520.0, B=1488.0, alpha=0.35, beta=0.35).fix("A", "B", "alpha", "beta")
    return compare(laws, repeated_runs(), draws=30, starts=2)


@pytest.mark.parametrize("of", ["run", "mean"])
def test_a_constant_that_no_run_holds_gives_neither_loss_nor_interval(weights_only, of) -> None:
    asked = ["w4", "a8", "w4 a8", "fp -> w4", "bf16", "a16"]
    found = weights_only.predict(*POINT, asked, of=of)
    assert found.standing == ("seen", "unknown", "unknown", "unknown", "seen", "seen")
    lost = [False, True, True, True, False, False]
    for values in (found.loss, found.low, found.high):
        assert np.isnan(values).tolist() == lost
    assert found.absent[1] == "unknown"
    (said,) = [w for w in found.warnings if w.kind == "not_in_data"]
    assert {"gamma_a", "n_a", "gamma_post", "C_T"} == set(said.about)
    assert said.text.startswith("the loss in 'a8', 'w4 a8', 'fp -> w4' rests on C_T, gamma_a")
    alone = weights_only.predict(*POINT, "w4", of=of)
    assert next(iter(alone)) == pytest.approx(next(iter(found)), rel=1e-12)


def test_a_law_of_an_average_that_cannot_tell_drops_out_and_is_named() -> None:
    runs = runs_of(["bf16", "w4", "w6"])
    known = held("kumar2024", "E", "A", "gamma_w")
    laws = [held("kumar2024", "E", "A", "gamma_w", "gamma_a"), replace(known, name="knows")]
    found = compare(laws, runs, draws=20, starts=2)
    found = replace(found, entries=tuple(replace(e, weight=0.5) for e in found.entries))
    asked = found.predict(*POINT, ["w4", "a8"], of="mean")
    own = next(e.fit for e in found.entries if e.fit.law.name == "knows")
    assert asked.standing == ()
    assert asked.loss[1] == pytest.approx(own.predict(*POINT, "a8").loss[0], rel=1e-12)
    said = "'a8' is judged without law kumar2024 (no run tells gamma_a)"
    assert said in [w.text for w in asked.warnings]


def test_runs_that_repeat_tokens_warn_a_law_without_the_term() -> None:
    law = preset("chinchilla").at(A=520.0, B=1488.0, alpha=0.35, beta=0.35, E=1.9)
    law = law.fix("A", "B", "alpha", "beta")
    found = fit(law, repeated_runs(), draws=20, starts=2)
    (said,) = [w for w in found.warnings if w.kind == "unseen_repeats"]
    assert "24 of 36 runs saw tokens up to 4 times" in said.text
    assert said.text.endswith("laws that see repeats: muennighoff2023")
    assert said in found.predict(*POINT).warnings
    once = repeated_runs().where(pl.col("tokens") == pl.col("unique_tokens"))
    assert "unseen_repeats" not in kinds(fit(law, once, draws=20, starts=2).warnings)


def test_an_average_asks_laws_that_see_repeats(repeating: Comparison) -> None:
    assert min(repeating.weights.values()) >= 0
    even = replace(repeating, entries=tuple(replace(e, weight=0.5) for e in repeating.entries))
    found = even.predict(*POINT, unique_tokens=[4e9, 2e9], of="mean")
    by = {e.fit.law.name: e.fit for e in even.entries}
    sees = by["muennighoff2023"].predict(*POINT, unique_tokens=[4e9, 2e9], of="mean").loss
    once = by["chinchilla"].predict(*POINT).loss[0]
    assert found.loss == pytest.approx([(sees[0] + once) / 2, sees[1]], rel=1e-12)
    texts = [w.text for w in found.warnings]
    said = "'fp' with repeated tokens is judged without law chinchilla (it has no term for"
    assert any(text.startswith(said) for text in texts)
    few = tuple(replace(e, weight=0.9 if "chin" in e.fit.law.name else 0.1) for e in even.entries)
    texts = [w.text for w in replace(even, entries=few).predict(*POINT, unique_tokens=2e9).warnings]
    assert any(text.endswith("so it rests on 10% of the weight") for text in texts)
    blind = tuple(e for e in even.entries if e.fit.law.name == "chinchilla")
    with pytest.raises(DomainError, match="chinchilla: it has no term for repeated tokens"):
        replace(even, entries=blind).predict(*POINT, unique_tokens=2e9)
    with pytest.raises(DomainError, match="was fitted to runs that see them up to 4 times"):
        by["chinchilla"].predict(*POINT, unique_tokens=2e9)


def test_laws_of_runs_that_repeat_nothing_borrow() -> None:
    once = repeated_runs().where(pl.col("tokens") == pl.col("unique_tokens"))
    own = fit("chinchilla", once, draws=20, starts=2)
    found = own.predict(*POINT, unique_tokens=2e9)
    assert any("in chinchilla; muennighoff2023 lends its map" in w.text for w in found.warnings)


def test_more_repeats_than_in_the_runs_are_far(repeating: Comparison) -> None:
    (own,) = [e.fit for e in repeating.entries if e.fit.law.name == "muennighoff2023"]
    assert own.law.box.epochs == (1.0, 4.0)
    far = " ".join(w.text for w in own.predict(*POINT, unique_tokens=1e8).warnings)
    assert "100M params on 4B tokens seen 40 times by a factor 10.0" in far
    near = own.predict(*POINT, unique_tokens=2e9).warnings
    assert "extrapolation" not in kinds(near)


def test_repeats_that_no_run_has_are_unknown() -> None:
    runs = repeated_runs().where(pl.col("tokens") == pl.col("unique_tokens"))
    found = fit(held("muennighoff2023", "E", "R_D"), runs, draws=20, starts=2)
    asked = found.predict(*POINT, unique_tokens=[4e9, 2e9])
    assert asked.standing == ("seen", "unknown")
    assert np.isnan(asked.loss).tolist() == [False, True]
    said = "the loss where tokens are repeated rests on R_D"
    assert any(w.text.startswith(said) for w in asked.warnings)


@pytest.mark.parametrize(
    ("epochs", "unique", "far"),
    [(None, 1e8, 1.0), ((1.0, 4.0), 1e9, 2.5), ((1.0, 4.0), None, 1.0), ((2.0, 4.0), None, 2.0)],
)
def test_a_region_holds_repeats(epochs, unique, far: float) -> None:
    box = Box((1e7, 1e9), (1e9, 1e11), (1.0, 1000.0), epochs=epochs)
    assert box.outside(as_inputs(1e8, 1e10, unique_tokens=unique)) == pytest.approx(far)


def test_a_part_of_a_pair_that_always_went_together_is_unknown() -> None:
    found = fit(
        held("kumar2024", "E", "gamma_w"), runs_of(["bf16", "w4 q3"]), draws=20, starts=2
    ).predict(*POINT, ["w4 q3", "w4", "w5", "bf16"])
    assert found.standing == ("seen", "unknown", "unknown", "seen")
    said = "runs of law kumar2024 like 'w4' all had q, which it has no term for"
    assert f"{said}, so its loss is unknown" in [w.text for w in found.warnings]


def test_one_point_without_a_loss_leaves_the_others(weights_only: Fit) -> None:
    found = weights_only.predict(*POINT, ["w4", "kv2", "w6"])
    assert found.standing == ("seen", "undefined", "seen")
    alone = [weights_only.predict(*POINT, p) for p in ("w4", "w6")]
    values = [next(iter(each)) for each in (*alone, found)]
    assert values[2] == pytest.approx(values[0], rel=1e-12)
    assert list(found)[2] == pytest.approx(values[1], rel=1e-12)
    assert found.said[1] == ("undefined",) * 3 or found.said[1][0] == "undefined"
    (said,) = [w.text for w in found.warnings if w.kind == "not_defined"]
    assert said.startswith("1 of 3 points has no loss: precision 'kv2' gives a factor of")
    with pytest.raises(DomainError, match="precision 'kv2' gives a factor"):
        weights_only.predict(*POINT, ["kv2", "kv2"])
    bare = predict("kumar2024", *POINT, ["a3", "a8"])
    assert bare.absent == ("undefined", "point law")
    assert bare.loss[1] == pytest.approx(float(as_law("kumar2024")(*POINT, "a8")))


@pytest.mark.parametrize("of", ["run", "mean"])
def test_a_point_has_one_interval(weights_only: Fit, repeating: Comparison, of) -> None:
    for known, precision in ((weights_only, "w4"), (repeating, "bf16")):
        params = [1e8, 1e8, 3e8, 1e8]
        rows = list(known.predict(params, 4e9, precision, of=of))
        (alone,) = known.predict(1e8, 4e9, precision, of=of)
        assert rows[0] == rows[1] == rows[3]
        assert alone == pytest.approx(rows[0], rel=1e-9)


def test_bits_beyond_those_of_the_runs_are_said(weights_only: Fit) -> None:
    texts = [w.text for w in weights_only.predict(*POINT, ["w3", "w5"]).warnings]
    said = "no fitted run has precision 'w3', 'w5'; beyond the bits of the runs: w 3 (4 to 6)"
    assert said in texts


def test_far_beyond_the_runs_there_is_no_interval() -> None:
    once = repeated_runs().where(pl.col("tokens") == pl.col("unique_tokens"))
    own = fit("chinchilla", once, draws=20, starts=2)
    n, d = own.law.box.params[1], own.law.box.tokens[1]
    found = own.predict([n, 99 * n, 101 * n], [d, 99 * d, 101 * d], of="mean")
    assert np.isfinite(found.loss).all()
    assert np.isfinite(found.low).tolist() == [True, True, False]
    assert any("1 of 3 points lie more than 100 times outside" in w.text for w in found.warnings)


def test_repeats_within_the_map_that_is_lent_are_not_far() -> None:
    once = repeated_runs().where(pl.col("tokens") == pl.col("unique_tokens"))
    own = fit("chinchilla", once, draws=20, starts=2)
    for epochs, far in ((5, False), (50, True)):
        said = [w.text for w in own.predict(*POINT, unique_tokens=4e9 / epochs).warnings]
        assert any("outside the fitted runs" in text for text in said) == far
        assert any("taken as exact in intervals" in text for text in said)


def test_repeats_of_held_out_runs_alone_are_said_too() -> None:
    law = preset("chinchilla").at(A=520.0, B=1488.0, alpha=0.35, beta=0.35, E=1.9)
    often = pl.col("tokens") > pl.col("unique_tokens")
    table = repeated_runs().where(~often | (pl.col("params") > 4e8))
    found = fit(
        law.fix("A", "B", "alpha", "beta"), table, draws=20, starts=2, holdout="params>=4e8"
    )
    (said,) = [w.text for w in found.warnings if w.kind == "unseen_repeats"]
    assert "shows in the errors of held-out runs, which alone have them" in said
