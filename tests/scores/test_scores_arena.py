"""The arena: a right law wins, own laws enter, baselines and errors against sums by hand."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from isoloss.fits import FitError, as_sample, fit, mean_gaps, split, trial
from isoloss.laws import LAWS, gap_law, preset, register
from isoloss.plots import plot
from isoloss.plots.panels.arena_panel import MOST
from isoloss.runs import Runs
from isoloss.scores import (
    BASELINES,
    GAP_BASELINES,
    PROTOCOLS,
    Arena,
    Entrant,
    ScoreError,
    Told,
    arena,
    load,
    on_trial,
    trained,
)
from isoloss.scores.contests.entering import _of_target, _rms
from isoloss.scores.contests.entrants import average
from isoloss.scores.contests.protocols import NEXT_TOKENS, splits

WORTH = {"bf16": 1.0, "w4": 0.7, "w3": 0.45, "w8": 0.97}


def table(seed: int = 0) -> Runs:
    """Sizes, lengths and precisions of a truth in which w4 counts as 0.7 of the params."""
    rng = np.random.default_rng(seed)
    rows = [
        {"params": n, "tokens": d, "precision": p,
         "loss": (1.8 + 400 * (n * worth) ** -0.34 + 410 * d**-0.28) * np.exp(2e-3 * rng.normal())}
        for n in (2e7, 5e7, 1e8, 2e8) for d in (1e9, 2e9, 5e9, 1e10) for p, worth in WORTH.items()
    ]  # fmt: skip
    return Runs.from_frame(pl.DataFrame(rows))


@pytest.fixture(scope="module")
def found() -> Arena:
    return arena({"mine": table()}, ["frantar2025", "chinchilla"], targets=["loss"])


def test_the_right_law_stands_first(found: Arena) -> None:
    for protocol in ("largest size", "longest run"):
        first, *others = found.contest("mine", protocol)
        assert first.name == "frantar2025"
        assert first.error < 0.01
        assert {each.name for each in others} >= {"chinchilla", "nearest run", "average of laws"}
        assert 0.5 <= first.inside <= 1.0
    assert len(set(found.entrants)) == len(found.entrants)


def test_a_law_that_cannot_predict_says_why(found: Arena) -> None:
    (mute,) = [e for e in found.contest("mine", "lowest bits") if e.why]
    assert mute.name == "frantar2025"
    assert "which no other run holds" in mute.why
    assert "Without a prediction" in str(found)


@pytest.mark.parametrize(
    ("protocol", "rule", "held"),
    [
        ("largest size", "largest", {"params": {2e8}}),
        ("longest run", "most_tokens", {"tokens": {1e10}}),
        ("lowest bits", "lowest_bits", {"precision": {"w3"}}),
        ("unseen format", "format=w4", {"precision": {"w4"}}),
    ],
)
def test_protocols_hold_out_what_they_say(
    protocol: str, rule: str, held: dict[str, set[object]]
) -> None:
    sample = as_sample(table())
    assert PROTOCOLS[protocol].rule(sample) == rule
    away = sample.runs.take(split(sample, rule).test)
    for column, values in held.items():
        assert set(away[column].tolist()) == values


def test_the_nearest_run_is_the_nearest() -> None:
    sample = as_sample(table())
    rows = split(sample, "largest")
    told = BASELINES["nearest run"](sample.take(rows.train), sample.take(rows.test))
    frame = table().frame()
    for k, i in enumerate(rows.test.tolist()):
        mine = frame.row(i, named=True)
        near = frame.filter((pl.col("params") == 1e8) & (pl.col("tokens") == mine["tokens"])
                            & (pl.col("precision") == mine["precision"]))  # fmt: skip
        assert told.log_loss[k] == pytest.approx(np.log(near["loss"][0]))


def test_baselines_do_not_see_the_losses_that_they_predict() -> None:
    sample = as_sample(table())
    rows = split(sample, "largest")
    seen, new = sample.take(rows.train), sample.take(rows.test)
    blind = as_sample(Runs.from_frame(new.runs.frame().with_columns(loss=pl.lit(9.0))))
    for baseline in BASELINES.values():
        assert baseline(seen, new).log_loss == pytest.approx(baseline(seen, blind).log_loss)


def test_mean_gaps_meet_a_law_that_has_constant_gaps() -> None:
    rows = [{"params": n, "tokens": d, "precision": p,
             "loss": float(preset("epoch2024")(n, d)) * gap}
            for n in (2e7, 5e7, 1e8, 2e8) for d in (1e9, 2e9, 4e9, 8e9, 16e9)
            for p, gap in (("bf16", 1.0), ("w4", 1.02), ("w3", 1.05))]  # fmt: skip
    sample = as_sample(Runs.from_frame(pl.DataFrame(rows)))
    rows_of = split(sample, "most_tokens")
    told = BASELINES["chinchilla and mean gaps"](
        sample.take(rows_of.train), sample.take(rows_of.test)
    )
    assert told.log_loss == pytest.approx(np.log(sample.loss[rows_of.test]), abs=5e-3)


def test_the_error_is_a_root_mean_square_with_its_jackknife() -> None:
    miss, cells = np.array([0.1, 0.1, -0.2, 0.3]), np.array([0, 0, 1, 2])
    value, error = _rms(miss, cells)
    assert value == pytest.approx(np.sqrt(np.mean(miss**2)))
    left = [np.sqrt(np.mean(miss[cells != k] ** 2)) for k in range(3)]
    assert error == pytest.approx(np.sqrt(2 / 3 * np.sum((left - np.mean(left)) ** 2)))


@pytest.fixture
def own_law() -> Iterator[str]:
    before = LAWS.state()
    law = preset("chinchilla")
    register(type(law)("mine_only", law.formula, bounds={"E": (0.5, 3.0)}))
    yield "mine_only"
    LAWS.restore(before)


def test_a_law_that_is_registered_enters_by_itself(
    own_law: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from isoloss.scores.contests import entering

    entered = []
    monkeypatch.setattr(
        entering, "of_law", lambda law, sample, rows: entered.append(law.name) or "not tried"
    )
    arena({"mine": table()}, protocols=["largest size"], targets=["loss"])
    assert own_law in entered
    assert len(entered) > 15
    assert {"chinchilla", "kumar2024"} <= {*entered}
    assert "epoch2024" not in entered  # the same form: a fit of it is that of chinchilla


def test_it_comes_back_equal_and_is_drawn(found: Arena, tmp_path: Path) -> None:
    again = load(found.save(tmp_path / "arena.json"))
    assert isinstance(again, Arena)
    assert str(again) == str(found)
    figure = plot(found)
    (axes,) = [each for each in figure.figure.axes if each.axison]
    told = sum(not e.why for e in found.entrants)
    assert sum(line.get_marker() in ("o", "D", "s") for line in axes.lines) == told


def test_contests_that_are_not_drawn_are_said(found: Arena) -> None:
    first = found.entrants[0]
    many = replace(found, entrants=tuple(
        replace(first, table=f"t{k}", target=target)
        for target, count in (("loss", MOST + 2), ("gap", 3)) for k in range(count)
    ))  # fmt: skip
    assert f"Of {MOST + 2} contests by loss the first {MOST} are drawn." in plot(many).caption
    assert "are drawn" not in plot(found).caption


def test_runs_that_laws_are_tried_on() -> None:
    frame = table().frame().with_columns(schedule=pl.lit("wsd"))
    after = frame.head(3).with_columns(precision=pl.lit("bf16 -> w4"))
    other = frame.head(2).with_columns(schedule=pl.lit("constant"))
    kept = trained(Runs.from_frame(pl.concat([frame, after, other])))
    assert kept is not None
    assert len(kept) == len(frame)
    assert trained(table().where(precision="bf16")) is None


def test_what_is_refused() -> None:
    with pytest.raises(ScoreError, match="'hardest'"):
        arena({"mine": table()}, ["chinchilla"], ["hardest"])
    with pytest.raises(ScoreError, match="has runs to hold out"):
        arena({}, ["chinchilla"])
    with pytest.raises(ScoreError, match="laws is 'chinchilla'; give a list"):
        arena({"mine": table()}, "chinchilla")
    for wrong in ("gap", ["gaps"], []):
        with pytest.raises(ScoreError, match="give a list of 'loss' and 'gap'"):
            arena({"mine": table()}, ["chinchilla"], targets=wrong)  # type: ignore[arg-type]


def test_protocols_that_hold_out_the_same_runs_are_one_contest() -> None:
    frame = table().frame()
    sizes = dict(zip((2e7, 5e7, 1e8, 2e8), (1e9, 2e9, 5e9, 1e10), strict=True))
    line = frame.filter(pl.col("tokens") == pl.col("params").replace_strict(sizes))
    found = arena(
        {"line": Runs.from_frame(line)},
        ["frantar2025"],
        ["largest size", "longest run"],
        targets=["loss"],
    )
    assert {e.protocol for e in found.entrants} == {"largest size"}
    assert found.left_out == ("losses of line: longest run holds out the runs of largest size",)
    assert found.left_out[0] in str(found)


def test_laws_that_were_named_and_do_not_enter_are_said() -> None:
    found = arena(
        {"mine": table()}, ["chinchilla", "error2026", "epoch2024"], ["largest size"],
        targets=["loss"],
    )  # fmt: skip
    assert {e.name for e in found.entrants if e.kind == "law"} == {"chinchilla"}
    assert found.left_out == (
        "losses: laws of gaps alone do not enter: error2026",
        "losses: laws that are fitted alike enter once: epoch2024 as chinchilla",
    )


def test_beside_the_best_stand_those_within_its_error() -> None:
    errors = {"a": 0.10, "b": 0.13, "c": 0.1301, "d": 0.02}
    shown = [
        Entrant("mine", "x", "rule", name, "law", 3, 3, error, 0.03, 0.0, 0.9,
                "mute" if name == "d" else "")
        for name, error in errors.items()
    ]  # fmt: skip
    found = Arena(tuple(shown), "now", "1", ())
    assert [e.name for e in found.beside("mine", "x")] == ["a", "b"]
    assert found.beside("mine", "y") == []
    alone = Arena((replace(shown[0], error_se=math.nan), shown[1]), "now", "1", ())
    assert [e.name for e in alone.beside("mine", "x")] == ["a"]


def test_tables_and_protocols_that_are_on_no_trial_are_said() -> None:
    whole, alone = gapped(), gapped().where(pl.col("precision") != "bf16")
    few = gapped().where(pl.col("params") < 3e7).where(pl.col("tokens") < 3e9)
    tables = {"whole": whole, "alone": alone, "few": few, "gaps": mean_gaps(whole)}
    found = arena(tables, ["dremov2025"], ["largest size"])
    assert {(e.target, e.table) for e in found.entrants} == {
        ("loss", "whole"), ("loss", "alone"), ("gap", "whole"), ("gap", "gaps")
    }  # fmt: skip
    said = dict(each.split(": ", 1) for each in found.left_out)
    assert said["losses of gaps"] == "it is a table of gaps"
    assert said["losses of few"] == "no such runs for largest size"
    assert said["gaps of few"] == "6 are told from zero; it takes 12"
    assert said["gaps of alone"].startswith("no run has a partner at full precision")


def test_a_law_that_is_silent_for_two_reasons_says_both() -> None:
    shown = [
        Entrant("mine", protocol, "rule", "law", "law", 3, 3, *4 * [math.nan], why)
        for protocol, why in (("a", "no bits"), ("b", "no tokens"), ("c", "no bits"))
    ]
    (silent,) = Arena(tuple(shown), "now", "1", ()).sections()[-1:]
    assert silent.rows == (
        ("law", "mine, losses", "a, c", "no bits"), ("law", "mine, losses", "b", "no tokens")
    )  # fmt: skip


def test_the_average_is_of_laws_that_fit_and_holds_their_spread() -> None:
    one, two = (Told(np.array([m]), np.array([0.1]), 0.010) for m in (1.0, 1.2))
    poor = Told(np.array([9.0]), np.array([0.1]), 0.016)
    mute = Told(np.array([1.4]), np.array([np.nan]), 0.010)
    found = average([one, two, poor, mute])
    assert found.log_loss == pytest.approx([1.1])
    assert found.error == pytest.approx([np.hypot(0.1, 0.1)])
    assert average([mute]).log_loss == pytest.approx([1.4])


def test_the_next_token_count_is_told_by_all_below_it() -> None:
    sample = as_sample(table())
    rows = splits(sample, NEXT_TOKENS)
    tokens = sample.runs["tokens"]
    assert [set(tokens[each.test].tolist()) for each in rows] == [{5e9}, {1e10}]
    assert [set(tokens[each.train].tolist()) for each in rows] == [{1e9, 2e9}, {1e9, 2e9, 5e9}]
    alone = as_sample(Runs.from_frame(table().frame().filter(
        (pl.col("tokens") < 5e9) | (pl.col("precision") == "w4"))))  # fmt: skip
    assert splits(alone, NEXT_TOKENS) == []
    assert PROTOCOLS["next token count"].rule(alone) is None


def test_a_law_predicts_each_count_from_its_own_fit() -> None:
    found = arena({"mine": table()}, ["frantar2025"], ["next token count"], targets=["loss"])
    (law,) = [e for e in found.entrants if e.kind == "law"]
    sample = as_sample(table())
    missed = []
    for rows in splits(sample, NEXT_TOKENS):
        held, _ = trial(preset("frantar2025"), sample, rows, draws=40, starts=8)
        missed += np.log(sample.loss[rows.test] / held.prediction.loss).tolist()
    assert law.runs == len(missed) == 32
    assert law.error == pytest.approx(float(np.sqrt(np.mean(np.square(missed)))))


def test_a_trial_is_the_hold_out_of_a_fit() -> None:
    sample = as_sample(table())
    held, fitted = trial(
        preset("frantar2025"), sample, split(sample, "largest"), draws=40, starts=8
    )
    whole = fit("frantar2025", table(), holdout="largest", draws=40, starts=8)
    assert whole.held_out is not None
    assert held.prediction.low == pytest.approx(whole.held_out.prediction.low)
    assert held.prediction.loss == pytest.approx(whole.held_out.prediction.loss)
    assert fitted.log_rmse == pytest.approx(whole.fitted.log_rmse)


def gapped(seed: int = 0) -> Runs:
    """Runs of which a gap falls as a power of tokens, on a base that laws of gaps need not know."""
    rng = np.random.default_rng(seed)
    rows = []
    for n in (2e7, 5e7, 1e8, 2e8):
        for d in (1e9, 2e9, 5e9, 1e10):
            base = 3.0 + 0.2 * rng.normal()
            for p, gap in (("bf16", 0.0), ("w4", 0.05), ("w3", 0.2), ("w2", 0.8)):
                told = gap * (d / 1e9) ** 0.3 * (n / 2e7) ** -0.2 * np.exp(0.01 * rng.normal())
                rows.append({"params": n, "tokens": d, "precision": p, "loss": base + told})
    return Runs.from_frame(pl.DataFrame(rows))


def test_gaps_are_predicted_where_losses_are_not() -> None:
    found = arena({"mine": gapped()}, ["dremov2025"], ["longest run"])
    assert {e.target for e in found.entrants} == {"loss", "gap"}
    (law,) = [e for e in found.contest("mine", "longest run", "gap") if e.kind == "law"]
    assert law.name == "gap of dremov2025"
    assert law.error < 0.05
    assert {e.name for e in found.contest("mine", "longest run", "gap")} >= set(GAP_BASELINES)
    worse = [e.error for e in found.contest("mine", "longest run", "gap") if e.kind == "baseline"]
    assert law.error <= min(worse) + 0.02
    assert min(e.error for e in found.contest("mine", "longest run")) > 0.02
    assert "Which law for what: gaps" in str(found)


def test_a_table_of_gaps_is_on_trial_by_gaps_alone() -> None:
    found = arena({"mine": mean_gaps(gapped())}, ["dremov2025"], ["longest run"])
    whole = arena({"mine": gapped()}, ["dremov2025"], ["longest run"], targets=["gap"])
    assert {e.target for e in found.entrants} == {"gap"}
    assert [e.error for e in found.entrants] == pytest.approx([e.error for e in whole.entrants])


def test_baselines_of_gaps() -> None:
    sample = as_sample(mean_gaps(gapped()))
    rows = split(sample, "most_tokens")
    seen, new = sample.take(rows.train), sample.take(rows.test)
    frame = seen.runs.frame()
    constant = GAP_BASELINES["constant gap"](seen, new)
    nearest = GAP_BASELINES["nearest gap"](seen, new)
    for k, row in enumerate(new.runs.frame().iter_rows(named=True)):
        same = frame.filter(pl.col("precision") == row["precision"])
        assert constant.log_loss[k] == pytest.approx(np.log(same["loss"].to_numpy()).mean())
        beside = same.filter((pl.col("params") == row["params"]) & (pl.col("tokens") == 5e9))
        assert nearest.log_loss[k] == pytest.approx(np.log(beside["loss"][0]))
    unseen = as_sample(gapped().where(precision="w4"))
    without = sample.take(np.flatnonzero(sample.runs["precision"] != "w4"))
    told = GAP_BASELINES["constant gap"](without, unseen).log_loss
    w3 = without.runs.where(precision="w3")["loss"]
    assert told == pytest.approx(np.log(w3).mean())  # the nearest in 2^-bits


def test_a_law_without_gaps_says_so() -> None:
    sample = as_sample(mean_gaps(gapped()))
    with pytest.raises(FitError, match=r"is not tried: it has no gap for .* which the table has"):
        trial(gap_law(preset("chinchilla")), sample, split(sample, "largest"))


def test_laws_of_gaps_that_are_fitted_alike_enter_once() -> None:
    names = [law.name for law in _of_target(list(LAWS.values()), "gap")[0]]
    assert {"gap of chinchilla", "gap of error", "error2026"} <= {*names}
    assert not {"gap of epoch2024", "gap of chinchilla_tied"} & {*names}  # neither has any
    assert not {"error2026", "error_trained2026"} & {
        law.name for law in _of_target(list(LAWS.values()), "loss")[0]
    }


def test_rows_rounded_after_training_are_on_trial() -> None:
    frame = gapped().frame()
    served = pl.col("precision").replace({p: f"bf16 -> {p}" for p in ("w4", "w3", "w2")})
    after = frame.with_columns(precision=served)
    alone, _ = on_trial("mine", Runs.from_frame(after))
    assert [*alone] == ["mine"]
    assert len(alone["mine"]) == len(frame)
    both, left_out = on_trial("mine", Runs.from_frame(pl.concat([frame, after]).unique()))
    assert [*both] == ["mine", "mine after training"]
    assert left_out == {}
    assert not any("->" in each for each in both["mine"]["precision"])
    assert all("->" in each for each in both["mine after training"].usable["precision"])


WIDE = ["bf16", "fp", "fp32", "fp16"]


@pytest.mark.parametrize(
    ("precisions", "rows", "why"),
    [
        (["bf16"], 40, "its runs are of one precision"),
        (WIDE, 40, "none of its runs has fewer than 16 bits"),
        (["w4", "bf16"], 5, "10 runs have precisions that laws read and one schedule; it takes 12"),
        (["w.layers.3:int4", "k4"], 40, "it has no such runs"),
    ],
)
def test_why_no_law_can_be_tried_on_a_table(precisions: list[str], rows: int, why: str) -> None:
    frame = table().frame().head(rows)
    mine = [frame.with_columns(precision=pl.lit(each)) for each in precisions]
    found, left_out = on_trial("mine", Runs.from_frame(pl.concat(mine)))
    assert found == {}
    assert left_out["mine"].startswith(why)


@pytest.mark.parametrize("wide", WIDE)
def test_every_reference_is_one(wide: str) -> None:
    frame = gapped().frame()
    served = {p: f"{wide} -> {p}" for p in ("w4", "w3", "w2")} | {"bf16": wide}
    found, _ = on_trial(
        "mine", Runs.from_frame(frame.with_columns(pl.col("precision").replace(served)))
    )
    assert len(found["mine"]) == len(frame)


def test_rows_after_training_that_are_too_few_are_said() -> None:
    frame = gapped().frame()
    after = frame.filter(pl.col("precision") == "w4").head(2)
    after = after.with_columns(precision=pl.lit("bf16 -> w4"))
    few = frame.with_columns(schedule=pl.lit("wsd")).filter(pl.col("precision") != "bf16")
    after = after.with_columns(schedule=pl.lit("wsd"))
    base = after.with_columns(precision=pl.lit("bf16"))
    found, left_out = on_trial("mine", Runs.from_frame(pl.concat([few, base, after])))
    assert [*found] == ["mine"]
    assert left_out["mine after training"].startswith("4 runs have precisions that laws read and")


def test_rows_that_cannot_be_used_are_said() -> None:
    frame = table().frame().drop("status", "reason")
    bad = frame.head(3).with_columns(loss=pl.Series([-1.0, -1.0, float("nan")]))
    runs = Runs.from_frame(pl.concat([frame, bad]))
    found = arena({"mine": runs}, ["chinchilla"], ["largest size"], targets=["loss"])
    (said,) = [each for each in found.left_out if "rows of mine" in each]
    assert said.startswith("3 of 67 rows of mine: 2 x column 'loss' has -1; ")
    assert "; 1 x column 'loss' has nan" in said
    assert said in str(found)
    kept, left_out = on_trial("mine", runs)
    assert len(kept["mine"]) == 64
    (again,) = left_out.items()
    assert ": ".join(again) == said
    named = arena(kept, ["chinchilla"], ["largest size"], targets=["loss"], left_out=left_out)
    assert said in named.left_out
    assert on_trial("mine", table())[1] == {}


@pytest.mark.filterwarnings("error")
def test_equal_losses_are_no_contest() -> None:
    flat = Runs.from_frame(table().frame().with_columns(loss=pl.lit(2.5)))
    with pytest.raises(
        ScoreError, match=r"losses of flat: all 64 are 2\.5, which tells no law from"
    ):
        arena({"flat": flat}, ["chinchilla"], targets=["loss"])
    both = arena(
        {"flat": flat, "mine": table()}, ["chinchilla"], ["largest size"], targets=["loss"]
    )
    assert {e.table for e in both.entrants} == {"mine"}
    assert "losses of flat: all 64 are 2.5" in str(both)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"targets": ["loss", "loss"]}, "targets holds 'loss' twice; give each value once"),
        ({"protocols": ["longest run"] * 2}, "protocols holds 'longest run' twice; give each"),
    ],
)
def test_what_is_given_twice_is_refused(asked: dict[str, list[str]], message: str) -> None:
    with pytest.raises(ScoreError, match=message):
        arena({"mine": table()}, ["chinchilla"], **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "error_se", "said"),
    [(0.0015, 0.0003, "0.15% (0.03)"), (2.3e-6, 4.4e-7, "0.00023% (4.4e-05)"),
     (0.0843, 0.02, "8.43% (2)"), (14.2, 1.1, "1420% (110)"), (0.01, math.nan, "1%")],
)  # fmt: skip
def test_no_error_is_written_as_zero(error: float, error_se: float, said: str) -> None:
    one = Entrant("mine", "p", "r", "x", "law", 9, 9, error, error_se, math.nan, math.nan)
    assert f" {said} " in str(Arena((one,), "now", "1", ()))


def test_gaps_of_weights_alone_are_a_contest_of_their_own() -> None:
    frame = gapped().frame()
    both = frame.filter(pl.col("precision") == "w3").with_columns(precision=pl.lit("w3 a8"))
    mixed = Runs.from_frame(pl.concat([frame, both]))
    found = arena({"mine": mixed}, ["frantar2025"], ["longest run"], targets=["gap"])
    held = {e.table: e.runs for e in found.entrants}
    assert held == {"mine": 16, "mine, weights alone": 12}


def test_a_law_of_too_many_constants_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    from isoloss.scores.contests import entrants

    sample = as_sample(table())
    rows = [split(sample, "largest")]
    monkeypatch.setattr(entrants, "MOST_CONSTANTS", 7)
    said = entrants.of_law(preset("frantar2025"), sample, rows)  # five and one a precision
    assert said == "law 'frantar2025' has 8 constants; up to 7 are tried"
    assert isinstance(entrants.of_law(preset("chinchilla"), sample, rows), Told)


def test_the_page_shows_what_the_benchmark_wrote() -> None:
    docs = Path(__file__).parents[2] / "docs"
    names = {"plane": "plane in logarithms", "mean gaps": "chinchilla and mean gaps",
             "the average": "average of laws"}  # fmt: skip
    measured, shown = (
        [[cell.strip() for cell in line.strip("| \n").split("|")] for line in text.splitlines()
         if line.startswith("| ") and "%" in line]
        for text in (
            (docs / "results" / "scores.md").read_text("utf-8").split("<!-- arena -->")[1],
            (docs / "arena.md").read_text("utf-8"),
        )
    )  # fmt: skip
    known = {
        (row[1], row[2].split(" ")[0], row[3].removeprefix("gap of ").replace(" +- ", " (") + ")")
        for row in measured
    }
    assert len(shown) == 26
    for row in shown:
        name, error, doubt = row[3].rsplit(" ", 2)
        assert (row[1], row[2], f"{names.get(name, name)} {error} {doubt}") in known
