"""Laws fitted to gaps: the table of mean gaps, constants recovered, what is refused."""

import re

import numpy as np
import polars as pl
import pytest

import isoloss as il
from isoloss.fits import FitError, compare, fit, predict
from isoloss.fits.paired_gaps import mean_gaps
from isoloss.laws import as_inputs, gap_law, preset
from isoloss.runs import Runs

TRUE = {"c_w": 30.0, "p_w": 1.1, "n_w": 0.4, "d_w": 0.2, "m[gptq]": 0.5}
TRUE |= {
    f"{k}_{part}": v for part in ("a", "kv") for k, v in zip("cpnd", (0.1, 1, 0, 0), strict=True)
}
BOTH = as_inputs(1, 1, "fp -> w4@gptq").levels
LEVELS = ("fp -> w2", "fp -> w3", "fp -> w3/16", "fp -> w4", "fp -> w:e2m1", "fp -> w3@gptq")


def table(noise: float = 0.02, seeds: int = 3, known: bool = True) -> Runs:
    """Runs of a base with noise of .05, which partners share, and gaps with noise of their own."""
    draw, law, rows = (
        np.random.default_rng(4),
        gap_law(preset("error").bind(BOTH)).with_values(TRUE),
        [],
    )
    for n in (1e6, 1e7, 1e8):
        for d in (2e8, 2e9, 2e10):
            for seed in range(seeds):
                base = 2 + 40 * n**-0.3 + draw.normal() * 0.05
                rows.append((n, d, "fp", base, seed, None))
                for level in LEVELS:
                    gap = law(n, d, level) * np.exp(noise * draw.normal())
                    rows.append((n, d, level, base + gap, seed, noise * gap if known else None))
    columns = ("params", "tokens", "precision", "loss", "seed", "gap_se")
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    return Runs.from_frame(frame.with_columns(metric=pl.lit("nats"), source=pl.lit("made")))


def test_mean_gaps_are_means_over_seeds_with_their_errors() -> None:
    runs = table()
    gaps = mean_gaps(runs)
    assert len(gaps) == 9 * len(LEVELS)
    frame = runs.frame().filter((pl.col("params") == 1e6) & (pl.col("tokens") == 2e8))
    base = frame.filter(pl.col("precision") == "fp").sort("seed")["loss"].to_numpy()
    own = frame.filter(pl.col("precision") == "fp -> w3").sort("seed")["loss"].to_numpy()
    one = gaps.frame().filter(
        (pl.col("params") == 1e6) & (pl.col("tokens") == 2e8) & (pl.col("precision") == "fp -> w3")
    )
    apart = own - base
    assert one["loss"][0] == pytest.approx(apart.mean())
    paired = 0.02 * np.sqrt(np.sum(apart**2)) / 3
    spread = apart.std(ddof=1) / np.sqrt(3)
    assert one["loss_se"][0] == pytest.approx(max(paired, spread), rel=0.1)
    assert one["seeds"][0] == 3
    assert len(set(gaps["group"])) == 9


def test_gaps_that_are_not_told_from_zero_are_excluded_with_the_reason() -> None:
    runs = table()
    frame = runs.frame().with_columns(
        gap_se=pl.when(pl.col("precision") == "fp -> w4").then(1.0).otherwise(pl.col("gap_se"))
    )
    gaps = mean_gaps(Runs.from_frame(frame))
    assert set(gaps.excluded["precision"]) == {"fp -> w4"}
    assert "two standard errors" in gaps.excluded["reason"][0]
    assert len(gaps.usable) == 9 * (len(LEVELS) - 1)


def test_a_table_without_partners_is_refused() -> None:
    runs = table().where(pl.col("precision") != "fp")
    with pytest.raises(FitError, match="no run has a partner"):
        fit("error", runs, target="gap", draws=20)


def test_constants_of_gaps_are_found_under_the_noise_of_the_base() -> None:
    found = fit("error", table(), target="gap", draws=60)
    values = found.law.values
    for name in ("p_w", "n_w", "d_w", "m[gptq]"):
        assert values[name] == pytest.approx(TRUE[name], rel=0.1), name
    assert "c_a" in found.absent
    assert "Compute-optimal" not in str(found)
    assert found.law.name == "gap of error"


def test_rows_that_no_law_has_a_gap_for_are_excluded_and_said() -> None:
    frame = table().frame()
    extra = frame.filter(pl.col("precision") == "fp -> w3").with_columns(precision=pl.lit("w3"))
    runs = Runs.from_frame(pl.concat([frame, extra]))
    found = fit("error", runs, target="gap", draws=20)
    assert "9 excluded: gap of error has no gap for it" in str(found)
    with pytest.raises(FitError, match="no gap for any"):
        fit(
            "error",
            Runs.from_frame(pl.concat([frame.filter(pl.col("precision") == "fp"), extra])),
            target="gap",
            draws=20,
        )


def test_laws_are_compared_on_gaps() -> None:
    found = compare(["error", "kumar2024"], table(), target="gap", draws=20, holdouts="largest")
    assert found.entries[0].fit.law.name == "gap of error"
    said = predict(found, "1e8", "2e10", "fp -> w3", gap=True)
    law = gap_law(preset("error").bind(BOTH)).with_values(TRUE)
    assert said.loss[0] == pytest.approx(law(1e8, 2e10, "fp -> w3"), rel=0.15)
    with pytest.raises(FitError, match="gaps and not losses"):
        predict(found, "1e8", "2e10", "fp -> w3")


def test_a_format_that_nobody_has_run_is_priced_with_an_interval() -> None:
    found = fit("error", table(), target="gap", draws=100)
    law = gap_law(preset("error").bind(BOTH)).with_values(TRUE)
    said = predict(found, "1e7", "2e9", ["fp -> w:nf4/64", "fp -> w3/32"], gap=True)
    for loss, low, high, spelled in zip(
        said.loss, said.low, said.high, said.precision, strict=True
    ):
        true = law(1e7, 2e9, spelled)
        assert low < true < high
        assert loss == pytest.approx(true, rel=0.15)


def test_gaps_of_a_fit_of_losses_and_of_a_law() -> None:
    runs = il.read("isoloss2026").where(pl.col("block") == "training", schedule="wsd")
    found = fit(
        "kumar2024", runs.where(pl.col("precision").is_in(["fp", "w3", "w4", "w8"])), draws=40
    )
    said = predict(found, 82240, 5e6, "w3", gap=True)
    whole = predict(found, 82240, 5e6, ["w3", "fp"]).loss
    assert said.loss[0] == pytest.approx(whole[0] - whole[1], rel=1e-9)
    assert said.low[0] < said.loss[0] < said.high[0]
    wide = predict(found, 82240, 5e6, "w3")
    assert said.high[0] - said.low[0] < 0.5 * (wide.high[0] - wide.low[0])
    assert predict("kumar2024", 1e9, 1e11, "w4", gap=True).loss[0] == pytest.approx(
        preset("kumar2024").gap(1e9, 1e11, "w4")
    )


@pytest.mark.parametrize(("call", "words"), [
    (lambda runs: fit("error", runs, target="gaps"), "'loss' or 'gap'"),
    (lambda runs: compare(["error"], runs, target=None), "'loss' or 'gap'"),
    (lambda runs: fit(gap_law(preset("error")), runs), "gaps and not losses"),
    (lambda runs: predict("kumar2024", 1e9, 1e11, "w4", gap="yes"), "True or False"),
    (lambda runs: predict(compare(["hoffmann2022"], runs, draws=5), 1e9, 1e11, gap=True),
     "compares losses"),
])  # fmt: skip
def test_what_cannot_be_asked_is_refused_in_a_sentence(call: object, words: str) -> None:
    with pytest.raises(FitError, match=words):
        call(table())  # type: ignore[operator]


def test_runs_that_carry_their_gap_need_no_partner() -> None:
    runs = table()
    frame = runs.frame()
    base = frame.filter(pl.col("precision") == "fp").select("params", "tokens", "seed", "loss")
    keys = ["params", "tokens", "seed"]
    joined = frame.join(base, on=keys, suffix="_base")
    carried = joined.with_columns(gap=pl.col("loss") - pl.col("loss_base")).drop("loss_base")
    alone = Runs.from_frame(carried.filter(pl.col("precision") != "fp"))
    found, expected = mean_gaps(alone), mean_gaps(runs)
    order = ["params", "tokens", "precision"]
    columns = [*order, "loss", "loss_se", "seeds"]
    one, two = (each.frame().select(columns).sort(order) for each in (found, expected))
    assert one.select(order, "seeds").equals(two.select(order, "seeds"))
    assert np.allclose(one["loss"], two["loss"], rtol=1e-12)
    assert np.allclose(one["loss_se"], two["loss_se"], rtol=1e-9)
    assert il.fits.gap_table(alone).of("fp -> w3").mean == pytest.approx(
        il.fits.gap_table(runs).of("fp -> w3").mean
    )
    # What was trained in few bits carries a gap to that model, which is no gap to full precision.
    other = carried.with_columns(precision=pl.lit("w4 -> w3"))
    with pytest.raises(FitError, match="no run has a partner"):
        mean_gaps(Runs.from_frame(other))


COLUMNS = ("params", "tokens", "precision", "loss")


def small(rows: list[tuple[object, ...]], columns: tuple[str, ...] = COLUMNS) -> Runs:
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    return Runs.from_frame(frame.with_columns(metric=pl.lit("nats")))


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [1, 0, 3, 2]])
def test_the_partner_is_the_run_that_was_rounded_whatever_the_order(order: list[int]) -> None:
    rows = [(1e8, 1e10, "fp", 3.0), (1e8, 1e10, "bf16", 3.1),
            (1e8, 1e10, "bf16 -> w4", 3.15), (1e8, 1e10, "fp -> w4", 3.07)]  # fmt: skip
    found = mean_gaps(small([rows[k] for k in order])).frame().sort("precision")
    assert found["loss"].to_list() == pytest.approx([0.05, 0.07])


def test_repeats_of_a_partner_count_with_their_noise() -> None:
    rows = [(1e8, 1e10, "fp", loss) for loss in (3.0, 3.1, 3.2)]
    rows += [(1e8, 1e10, "w4", loss) for loss in (3.3, 3.35, 3.4)]
    (found,) = mean_gaps(small(rows)).frame().iter_rows(named=True)
    assert found["loss"] == pytest.approx(0.25)
    assert found["loss_se"] == pytest.approx(np.hypot(0.05, 0.1) / np.sqrt(3))


def test_models_that_their_group_alone_tells_apart_have_partners_of_their_own() -> None:
    rows = [(1e8, 1e10, "bf16", 1.7, "one"), (1e8, 1e10, "bf16 -> w4", 1.8, "one"),
            (1e8, 1e10, "bf16", 2.0, "two"), (1e8, 1e10, "bf16 -> w4", 2.05, "two")]  # fmt: skip
    found = mean_gaps(small(rows, (*COLUMNS, "group"))).frame().sort("loss")
    assert found["loss"].to_list() == pytest.approx([0.05, 0.1])


def test_sizes_that_differ_by_one_are_cells_of_their_own() -> None:
    rows = [(n, 1e10, p, 3.0 + gap) for n, gap in ((1_000_001, 0.1), (1_000_002, 0.05))
            for p, gap in (("fp", 0.0), ("w4", gap))]  # fmt: skip
    assert len(mean_gaps(small(rows))) == 2


def test_runs_without_a_partner_are_excluded_with_the_reason() -> None:
    rows = [(1e8, 1e10, "fp", 3.0), (1e8, 1e10, "w4", 3.3), (1e8, 2e10, "w4", 3.3)]
    found = mean_gaps(small(rows))
    assert len(found.usable) == 1
    assert "no partner at the reference" in found.excluded["reason"][0]


def test_a_table_of_gaps_is_fitted_as_gaps_and_not_as_losses() -> None:
    gaps = mean_gaps(table())
    assert set(gaps["source"]) == {"gaps of made"}
    one, two = (fit("error", runs, target="gap", draws=20) for runs in (gaps, table()))
    assert one.law.values["p_w"] == pytest.approx(two.law.values["p_w"], rel=1e-9)
    with pytest.raises(FitError, match="these runs are gaps"):
        fit("kumar2024", gaps)


def test_gaps_of_several_sources_have_a_base_each() -> None:
    rows = []
    for source, scale in (("one", 1.0), ("two", 2.0)):
        for n in (1e7, 1e8, 1e9):
            for d in (1e9, 1e10, 1e11):
                rows.append((n, d, "fp", 3.0, source))
                rows += [
                    (n, d, f"w{b}", 3.0 + scale * 2.0**-b * n**-0.1, source) for b in (3, 4, 6)
                ]
    runs = small(rows, (*COLUMNS, "source"))
    with pytest.raises(FitError, match="differ in source"):
        fit("kumar2024", runs, target="gap", draws=5)
    found = fit("kumar2024", runs, target="gap", per="source", draws=5)
    assert "Compute-optimal" not in str(found)
    with pytest.raises(FitError, match="gaps and not losses"):
        predict(found, 1e8, 1e10, "w4", group="one")
    said = predict(found, 1e8, 1e10, ["w4", "fp"], group="one", gap=True)
    assert said.loss[0] == pytest.approx(2.0**-4 * 1e8**-0.1, rel=0.3)


def test_what_a_fit_of_gaps_leans_on_is_said() -> None:
    found = fit("error", table(known=False, seeds=1), target="gap", draws=20)
    assert any(w.kind == "unknown_errors" for w in found.warnings)
    frame = table().frame()
    odd = frame.filter(pl.col("precision") == "fp -> w4").with_columns(
        precision=pl.lit("fp -> w:e4m3")
    )
    found = fit("error", Runs.from_frame(pl.concat([frame, odd])), target="gap", draws=20)
    (said,) = [w for w in found.warnings if w.kind == "missed_precision"]
    assert "fp -> w:e4m3" in str(said)
    assert not any(w.kind == "unknown_errors" for w in found.warnings)


def test_gaps_at_repeated_tokens_are_refused() -> None:
    with pytest.raises(FitError, match="see tokens again"):
        predict("kumar2024", 1e9, 1e11, "w4", gap=True, unique_tokens=1e10)


def test_a_law_without_a_gap_for_some_rows_is_named_in_a_comparison() -> None:
    frame = table().frame()
    trained = frame.filter(pl.col("precision") == "fp -> w3").with_columns(precision=pl.lit("w3"))
    runs = Runs.from_frame(pl.concat([frame, trained]))
    found = compare(["error", "kumar2024"], runs, target="gap", draws=5, holdouts="largest")
    assert list(found.refused) == ["gap of error"]
    assert "has no gap for 'w3'" in found.refused["gap of error"]


def test_a_prediction_of_gaps_says_that_it_is_one() -> None:
    found = fit("error", table(), target="gap", draws=20)
    for said in (
        found.predict(1e7, 2e9, "fp -> w3"),
        predict(found, 1e7, 2e9, "fp -> w3", gap=True),
        predict("kumar2024", 1e9, 1e11, "w4", gap=True),
        predict(fit("kumar2024", "simulated2024", draws=2), 1e8, 1e10, "w4", gap=True),
        found.predict(1e7, 2e9, ["fp -> w3", "fp -> w3@awq"]),
    ):
        assert said.what == "gap"
        assert str(said).splitlines()[0].split()[3] == "gap"
    assert predict("kumar2024", 1e9, 1e11, "w4").what == "loss"


def test_the_report_and_picture_of_gaps_do_not_call_them_losses() -> None:
    found = fit("error", table(), target="gap", draws=20)
    said = str(found)
    assert "log gap" in said
    assert "of the gap" in said
    for words in ("of the loss", "log loss", "compute-optimal"):
        assert words not in said, words
    axes = il.plot(found).figure.axes
    labels = {axis.get_xlabel() for axis in axes} | {axis.get_ylabel() for axis in axes}
    assert {"observed gap", "predicted gap", "predicted − observed (% of gap)"} <= labels


def test_precisions_that_a_law_has_no_loss_for_are_named() -> None:
    with pytest.raises(FitError) as refused:
        fit("error", "isoloss2026", draws=2)
    said = str(refused.value)
    assert re.search(r"law 'error' has no loss for '.* -> w\d'.* and \d+ more", said)
    assert "whatever its constants; leave these runs out" in said
    assert "lowest precisions" not in said
