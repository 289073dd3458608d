"""The gauge: verdicts on made logs, files that grow, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from isoloss.fits import Expectation, FitError, fit, gauge
from isoloss.runs import Runs, RunsError, TrainingLog, read_log

ROWS, BATCH = 600, 1000.0


def log(gap: object = 0.0, rows: int = ROWS, name: str = "run", noise: float = 0.02) -> TrainingLog:
    """A loss that falls with noise of batches that all logs share, and a gap with its own."""
    steps = np.arange(1.0, rows + 1)
    shared = 4 - 0.3 * np.log(steps) + np.random.default_rng(1).normal(0, 0.3, rows)
    own = np.random.default_rng(2).normal(0, noise, rows) if name == "run" else 0.0
    return TrainingLog(name, steps, steps * BATCH, shared + np.asarray(gap) + own)


CONTROL = log(name="control")


@pytest.mark.parametrize(
    ("gap", "verdict"),
    [
        (0.02, "as predicted"),
        (0.05, "worse than rounding explains"),
        (-0.01, "better than the reference"),
        (0.0, "less than predicted"),
    ],
)
def test_verdicts_beside_a_given_gap(gap: float, verdict: str) -> None:
    found = gauge(log(gap), CONTROL, expected=0.02, error=0.004)
    assert found.verdict == verdict
    mean, low, high = found.gap
    assert low < gap < high
    assert mean == pytest.approx(gap, abs=0.005)
    if verdict != "as predicted":
        assert found.found_share is not None
        assert found.found_share <= 0.5
    assert f"verdict: {verdict}" in str(found)


@pytest.mark.parametrize(
    ("gap", "verdict"), [(0.02, "worse than the reference"), (0.0, "no gap found")]
)
def test_against_the_control_alone(gap: float, verdict: str) -> None:
    found = gauge(log(gap), CONTROL)
    assert found.verdict == verdict
    # Ten times the noise of means of 600 steps is found, a gap far below it is not.
    assert 0.0005 < found.smallest < 0.01


def test_a_fault_in_the_middle_is_found_after_it_begins() -> None:
    found = gauge(log(np.where(np.arange(ROWS) < 200, 0.02, 0.08)), CONTROL, expected=0.02, error=0)
    assert found.verdict == "worse than rounding explains"
    assert found.found is not None
    assert 200 * BATCH < found.found.tokens < ROWS * BATCH


def test_a_look_at_a_growing_file_keeps_what_was_found(tmp_path: Path) -> None:
    bad, run, control = log(0.08), tmp_path / "run.jsonl", tmp_path / "control.csv"
    control.write_text(
        "step,loss\n" + "".join(f"{i + 1},{x}\n" for i, x in enumerate(CONTROL.loss))
    )
    run.write_text("")
    said = []
    for begin in range(0, ROWS, 100):
        with run.open("a") as file:
            for i in range(begin, begin + 100):
                file.write(json.dumps({"step": i + 1, "train/loss": float(bad.loss[i])}) + "\n")
        said.append(gauge(run, control, expected=0.02, error=0.002))
    assert said[-1].verdict == "worse than rounding explains"
    ends = [each.found.tokens for each in said if each.found is not None]
    assert set(ends) == {ends[-1]}
    assert said[-1].paired.unit == "steps"
    assert said[0].paired.whole == ROWS


def test_a_line_that_is_half_written_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text('{"step": 1, "loss": 2.5}\n{"step": 2, "lo')
    found = read_log(path)
    assert found.loss.tolist() == [2.5]
    assert found.notes == ("the last line of run.jsonl has no end yet and is left out",)


def test_a_resumed_run_and_rows_of_other_things(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    rows = [
        {"_step": 1, "train_loss": 3.0}, {"_step": 2, "train_loss": 2.9}, {"_step": 2, "lr": 0.1},
        {"_step": 2, "train_loss": 2.8}, {"_step": 3, "train_loss": float("nan")},
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read_log(path)
    assert found.step is not None
    assert (found.step.tolist(), found.loss.tolist()) == ([1, 2], [3.0, 2.8])
    assert found.diverged == 3


@pytest.mark.parametrize(
    ("step", "kept", "left"),
    [
        ([1, 2, 3, 2, 3, 4], [0, 3, 4, 5], 2),  # resumed after step 1
        ([1, 2, 3, 2], [0, 3], 2),  # resumed, and not yet back where it was
        ([1, 1, 2, 2], [1, 3], 2),  # each row twice
        ([1, 2, 1, 2, 1], [4], 4),  # begun anew twice
        ([3, 1, 2, 1], [3, 2, 0], 1),  # in no order of writing
        ([1, 2, 3], [0, 1, 2], 0),
    ],
)
def test_what_was_written_last_of_a_step_counts_in_a_log_and_a_file(
    step: list[int], kept: list[int], left: int, tmp_path: Path
) -> None:
    rows = [{"step": s, "tokens": 10 * s, "loss": 3.0 + i} for i, s in enumerate(step)]
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    steps = np.array(step)
    for found in (
        TrainingLog("log.jsonl", steps, 10 * steps, 3.0 + np.arange(len(step))), read_log(path)
    ):  # fmt: skip
        assert found.step is not None
        assert found.step.tolist() == [step[row] for row in kept]
        assert found.loss.tolist() == [3.0 + row for row in kept]
        said = "of log.jsonl left out: their places, or earlier ones, were logged again later"
        assert ([note for note in found.notes if said in note] != []) == (left > 0)
        assert all(note.startswith(f"{left} row") for note in found.notes if said in note)
        assert ("rows of log.jsonl do not ascend and were sorted" in found.notes) == (step[0] == 3)


def test_a_loss_that_comes_back_is_no_divergence_of_run_or_control(tmp_path: Path) -> None:
    broken = log(0.05).loss
    broken[[0, 100, 300]] = np.nan, np.inf, -np.inf
    run = TrainingLog("run", CONTROL.step, CONTROL.tokens, broken)
    path = tmp_path / "run.jsonl"
    rows = zip(range(1, ROWS + 1), broken, strict=True)
    path.write_text("".join(json.dumps({"step": s, "loss": float(x)}) + "\n" for s, x in rows))
    for found in (gauge(run, CONTROL), gauge(path, CONTROL), gauge(CONTROL, run)):
        assert found.verdict != "diverged"
        assert "the reference" in found.verdict
        assert len(found.paired.gap) == ROWS - 3
        assert "whose loss is no finite number, from step 1 on; finite rows after it: 597" in str(
            found
        )
    whole = gauge(log(0.05), CONTROL)
    assert gauge(run, CONTROL).gap == pytest.approx(whole.gap, abs=0.002)


def test_a_loss_that_does_not_come_back_has_diverged() -> None:
    broken = log(0.0).loss
    broken[100], broken[400:] = np.nan, np.nan
    found = gauge(TrainingLog("run", CONTROL.step, CONTROL.tokens, broken), CONTROL)
    assert found.verdict == "diverged"
    assert found.found is not None
    assert found.found.tokens == 401 * BATCH
    assert "whose loss is no finite number, from step 101 on; finite rows after it: 299" in str(
        found
    )
    assert "no finite number in the last 200 rows of run, from step 401 on" in str(found)
    never = TrainingLog("run", CONTROL.step, CONTROL.tokens, np.full(ROWS, np.nan))
    assert (len(never), never.diverged) == (0, 1)
    at = gauge(never, CONTROL).found
    assert at is not None
    assert at.tokens == BATCH


@pytest.mark.parametrize("given", [{}, {"expected": 0.02, "error": 0.004}])
def test_a_run_equal_to_its_control_tells_nothing(given: dict[str, float]) -> None:
    found = gauge(CONTROL, replace(CONTROL, name="again"), limit=0.01, **given)  # type: ignore[arg-type]
    assert found.verdict == "equal to the control"
    assert (found.found, found.crossing) == (None, None)
    assert np.isnan([*found.gap[1:], found.smallest, found.smallest_late]).all()
    said = "control and again have the same loss at all 600 steps: one log given twice, or a run"
    assert said in str(found)
    assert "interval" not in str(found)
    other = replace(CONTROL, loss=np.append(CONTROL.loss[:-1], 3.0))
    assert gauge(other, CONTROL, **given).verdict != "equal to the control"  # type: ignore[arg-type]


def test_few_equal_rows_are_too_early_and_equal() -> None:
    few = log(rows=10, name="control")
    found = gauge(few, few)
    assert found.verdict == "too early"
    assert "control and control have the same loss at all 10 steps" in str(found)


def test_a_gap_without_spread_has_no_interval() -> None:
    found = gauge(replace(CONTROL, loss=CONTROL.loss + 0.1), CONTROL)
    assert found.verdict == "worse than the reference"
    assert found.gap[0] == pytest.approx(0.1)
    assert np.isnan(found.gap[1:]).all()
    assert "+0.1000 (no interval: too few steps, or all of one gap)" in str(found)


def test_a_log_that_begins_at_step_zero() -> None:
    run = log(0.05)
    assert run.step is not None
    begun = [replace(each, step=run.step - 1, tokens=None) for each in (run, CONTROL)]
    found = gauge(*begun, expected=0.02, error=0.004, limit=0.03)
    assert found.verdict == "worse than rounding explains"
    assert found.gap == gauge(run, CONTROL, expected=0.02, error=0.004).gap


STEPS = np.arange(1.0, 4.0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((STEPS, np.arange(4.0), STEPS), "of a have different lengths: step 3, tokens 4, loss 3"),
        ((STEPS, None, STEPS[:2]), "of a have different lengths: step 3, loss 2"),
        ((STEPS, STEPS[::-1], STEPS), "the tokens of a fall between two steps"),
        ((STEPS, [1, np.inf, 3], STEPS), "tokens of a is inf in row 2; accepted are finite"),
        ((STEPS, [1, np.nan, 3], STEPS), "tokens of a is nan in row 2; accepted are finite"),
        (([-1, 2, 3], None, STEPS), "step of a is -1 in row 1; accepted are finite"),
        ((None, None, STEPS), "a has no step and no tokens; a log is losses"),
        ((STEPS, None, None), "a has no loss; a log is losses"),
        ((STEPS, None, "many"), "loss of a is 'many'; it is an array of numbers"),
        ((STEPS, None, STEPS[:, None]), r"loss of a has the shape \(3, 1\); accepted is \(rows,\)"),
    ],
)
def test_columns_that_are_no_log_are_refused(given: tuple[Any, Any, Any], message: str) -> None:
    with pytest.raises(RunsError, match=message):
        TrainingLog("a", *given)


def test_a_run_that_diverges_is_said(tmp_path: Path) -> None:
    one = log(0.02)
    assert one.step is not None
    assert one.tokens is not None
    broken = TrainingLog("run", one.step[:50], one.tokens[:50], one.loss[:50], diverged=51.0)
    found = gauge(broken, CONTROL)
    assert found.verdict == "diverged"
    assert "verdict: diverged at 51k tokens" in str(found)


def test_a_fit_of_gaps_predicts_what_to_expect() -> None:
    rng, rows = np.random.default_rng(0), []
    for n in (1e5, 3e5, 1e6):
        for d in (1e5, 1e6, 1e7):
            for seed in (0, 1):
                base = 2 + 30 * n**-0.3 + 40 * d**-0.3
                gap = 0.02 * (n / 3e5) ** -0.3
                rows += [(n, d, "fp", base, seed),
                         (n, d, "w4", base + gap * np.exp(0.05 * rng.normal()), seed)]  # fmt: skip
    names = ("params", "tokens", "precision", "loss", "seed")
    table = Runs.from_frame(pl.DataFrame(rows, schema=names, orient="row"))
    found = fit("error_trained", table, target="gap", draws=100)
    asked = {"fit": found, "params": 3e5, "precision": "w4"}
    assert gauge(log(0.02), CONTROL, **asked).verdict == "as predicted"
    assert gauge(log(0.05), CONTROL, **asked).verdict == "worse than rounding explains"
    run, control = (replace(each, tokens=each.tokens - BATCH) for each in (log(0.05), CONTROL))  # type: ignore[operator]
    assert gauge(run, control, **asked).verdict == "worse than rounding explains"
    lost = replace(CONTROL, name="lost", loss=np.full(ROWS, np.nan))
    assert gauge(lost, CONTROL, **asked).verdict == "diverged"


def test_where_a_gap_crosses_a_limit() -> None:
    tokens = np.arange(1, ROWS + 1) * BATCH
    grown = log(0.01 * np.log(tokens / BATCH), noise=0.002)
    at = BATCH * np.exp(7.0)
    found = gauge(grown, CONTROL, limit=0.07).crossing
    assert found is not None
    assert found.low < at < found.high
    assert found.tokens == pytest.approx(at, rel=0.05)
    shape = Expectation("made", tokens, *(0.02 * (tokens / 1e6) ** 0.3 * k for k in (1, 0.5, 2)))
    scaled = gauge(
        log(0.03 * (tokens / 1e6) ** 0.3, noise=0.002), CONTROL, expected=shape, limit=0.02
    )
    assert scaled.crossing is not None
    assert scaled.crossing.tokens == pytest.approx(1e6 * (2 / 3) ** (1 / 0.3), rel=0.05)
    flat = gauge(log(0.01, noise=0.002), CONTROL, limit=0.5)
    assert flat.crossing is not None
    assert flat.crossing.low == np.inf
    assert "not crossed up to" in str(flat)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"expected": 0.02}, "the expected gap 0.02 has no standard error"),
        ({"error": 0.02}, "error is 0.02 and no gap is expected"),
        ({"expected": "x", "error": 0}, "expected is 'x'; it is a gap"),
        ({"expected": 0.02, "error": -1}, "error is -1; it is a standard error"),
        ({"fit": "error_trained", "expected": 0.1}, "fit and expected both say"),
        ({"fit": "error_trained"}, "give its params"),
        ({"fit": "kumar2024", "params": "1M", "precision": "w4"}, "has no interval at"),
        ({"limit": float("nan")}, "limit is nan; it is a gap"),
        ({"alarm": 0}, "alarm is 0; it is a share between 0 and 1, as 0.05"),
        ({"alarm": "x", "level": 2}, "alarm is 'x'; it is a share"),
        ({"batch_tokens": 500}, "run logs 1000 tokens a step and 500 are given"),
        ({"planned": 0}, "planned is 0; it is a count"),
    ],
)
def test_arguments_that_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(FitError, match=message):
        gauge(log(), CONTROL, **given)  # type: ignore[arg-type]


def test_tokens_of_a_step_that_agree_or_are_contradicted() -> None:
    run, steps = log(0.05), replace(CONTROL, tokens=None)
    known = gauge(run, CONTROL)
    for given in (BATCH, 1.004 * BATCH):
        assert gauge(run, CONTROL, batch_tokens=given).gap == known.gap
    assert gauge(run, steps, batch_tokens=BATCH).paired.whole == ROWS * BATCH
    # Begun from a model that had seen tokens.
    late = [replace(each, tokens=np.asarray(each.tokens) + 5e6) for each in (run, CONTROL)]
    assert gauge(*late, batch_tokens=BATCH).gap == known.gap
    for one, two in ((run, steps), (replace(run, tokens=None), CONTROL)):
        with pytest.raises(FitError, match="logs 1000 tokens a step and 500 are given"):
            gauge(one, two, batch_tokens=BATCH / 2)
    one = TrainingLog("one", [4], [4 * BATCH], [3.0])  # type: ignore[arg-type]
    with pytest.raises(FitError, match="one logs 1000 tokens a step and 2000 are given"):
        gauge(one, CONTROL, batch_tokens=2 * BATCH)


def test_logs_that_do_not_match_are_refused() -> None:
    steps = np.arange(1.0, 11.0)
    run = TrainingLog("a", steps, steps * 10, steps * 0 + 2)
    with pytest.raises(FitError, match="have no step in common: 1 to 10 and 101 to 110"):
        gauge(run, TrainingLog("b", steps + 100, None, steps * 0 + 2))
    with pytest.raises(FitError, match="at step 1 a has seen 10 tokens and b 20"):
        gauge(run, TrainingLog("b", steps, steps * 20, steps * 0 + 2))
    with pytest.raises(FitError, match="one of c and b logs steps and the other tokens"):
        gauge(TrainingLog("c", steps, None, steps), TrainingLog("b", None, steps, steps))
    with pytest.raises(FitError, match="the loss of the control b is no number at 11"):
        gauge(run, TrainingLog("b", steps, None, steps, diverged=11.0))
    assert gauge(run, TrainingLog("b", steps, None, steps * 0 + 2)).verdict == "too early"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("step,value\n1,2\n", "has no column of loss; it has step, value"),
        ("value,loss\n1,2\n", "has no column of step or tokens"),
        ("step,loss,train_loss\n1,2,2\n", "several columns of losses, loss, train_loss"),
        ("step,loss\n1,many\n", "column 'loss': cannot read 'many' as a number"),
        ("step,tokens,loss\n1,10,2\n2,5,2\n", "the tokens of log.csv fall between two steps"),
        ("step,loss\n1,\n", "has no row with a loss yet"),
    ],
)
def test_logs_that_are_refused(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(content)
    with pytest.raises(RunsError, match=message):
        read_log(path)


def test_a_log_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RunsError, match="it is not there"):
        gauge(log(), tmp_path / "control.jsonl")
    with pytest.raises(RunsError, match="logs have no column 'time'"):
        read_log(tmp_path / "control.jsonl", {"time": "t"})


def test_a_limit_that_lay_below_from_the_start_is_said() -> None:
    found = gauge(log(0.2, noise=0.002), CONTROL, limit=0.05)
    assert found.crossing is not None
    assert found.crossing.high == found.crossing.since
    assert "gap of 0.05: the gap lay above it from the start (before " in str(found)


def test_more_than_was_planned_is_said() -> None:
    found = gauge(log(0.2), CONTROL, planned=ROWS * BATCH / 2)
    assert "600000 tokens were seen and 300000 planned; shares are of all logged" in str(found)
    assert found.paired.whole == ROWS * BATCH
    assert "planned;" not in str(gauge(log(0.2), CONTROL, planned=2 * ROWS * BATCH))


def test_a_gap_that_began_late_is_found_or_said() -> None:
    begun = np.arange(ROWS) < 305
    late = gauge(log(np.where(begun, 0.0, 1.0)), CONTROL, expected=0.0, error=0.01)
    assert late.verdict == "worse than rounding explains"
    assert late.found is not None
    assert 305 * BATCH < late.found.tokens < 380 * BATCH
    least = gauge(log(0.0), CONTROL, expected=0.0, error=0.01)
    assert 0 < least.smallest < least.smallest_late < 0.1
    beside = gauge(log(np.where(begun, 0.0, 0.029), noise=0.03), CONTROL, expected=0.0, error=0.01)
    assert beside.verdict == "as predicted"
    said = "the interval of the later half lies above what is expected there, as one look at a run "
    assert said + "as predicted does in up to 5%: the test has not found a gap by now" in str(
        beside
    )
    assert "the interval of the later half" not in str(
        gauge(log(0.02), CONTROL, expected=0.02, error=0.004)
    )


def test_the_later_half_is_compared_with_what_is_expected_of_all_of_it() -> None:
    tokens = np.arange(1, ROWS + 1) * BATCH
    falls = np.interp(np.log(tokens), np.log(tokens[[0, -1]]), [0.4, 0.0])
    known = Expectation("known", tokens, falls, falls, falls)
    said = [
        "interval of the later half" in str(
            gauge(replace(CONTROL, loss=CONTROL.loss + falls + own), CONTROL, expected=known)
        )
        for own in np.random.default_rng(0).normal(0, 0.02, (20, ROWS))
    ]  # fmt: skip
    assert sum(said) <= 4  # of one look at 5%; by the last token alone it were 20
