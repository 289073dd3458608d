"""The arena: a right law wins, own laws enter, baselines and errors against sums by hand."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from isoloss.fits import as_sample, split
from isoloss.laws import LAWS, preset, register
from isoloss.plots import plot
from isoloss.runs import Runs
from isoloss.scores import BASELINES, PROTOCOLS, Arena, ScoreError, Told, arena, load, trained
from isoloss.scores.contests.entering import _rms
from isoloss.scores.contests.entrants import average

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
    return arena({"mine": table()}, ["frantar2025", "chinchilla"])


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
    monkeypatch.setattr(entering, "of_law", lambda law, *_: entered.append(law.name) or "not tried")
    arena({"mine": table()}, protocols=["largest size"])
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


def test_protocols_that_hold_out_the_same_runs_are_one_contest() -> None:
    frame = table().frame()
    sizes = dict(zip((2e7, 5e7, 1e8, 2e8), (1e9, 2e9, 5e9, 1e10), strict=True))
    line = frame.filter(pl.col("tokens") == pl.col("params").replace_strict(sizes))
    found = arena({"line": Runs.from_frame(line)}, ["frantar2025"], ["largest size", "longest run"])
    assert {e.protocol for e in found.entrants} == {"largest size"}
    assert found.same == ("line: longest run holds out the runs of largest size",)
    assert found.same[0] in str(found)


def test_the_average_is_of_laws_that_fit_and_holds_their_spread() -> None:
    one, two = (Told(np.array([m]), np.array([0.1]), 0.010) for m in (1.0, 1.2))
    poor = Told(np.array([9.0]), np.array([0.1]), 0.016)
    mute = Told(np.array([1.4]), np.array([np.nan]), 0.010)
    found = average([one, two, poor, mute])
    assert found.log_loss == pytest.approx([1.1])
    assert found.error == pytest.approx([np.hypot(0.1, 0.1)])
    assert average([mute]).log_loss == pytest.approx([1.4])
