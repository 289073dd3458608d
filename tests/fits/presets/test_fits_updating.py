"""A shipped law moved by runs: against least squares with prior rows, and in its limits."""

import numpy as np
import polars as pl
import pytest

from isoloss.fits import Fit, FitError, Update, predict, shipped_fit, update
from isoloss.formats import row_error
from isoloss.laws import preset
from isoloss.laws.terms.error_penalty import log_width
from isoloss.runs import Runs

WAYS = ("fp -> w4", "fp -> w3/128", "fp -> w:mxfp4", "fp -> w4/128@gptq")
PLACE = (1.2e9, 3e11)


def shipped() -> Fit:
    found = shipped_fit("error2026")
    assert found is not None
    return found


def gaps(rows: list[tuple[float, float, str, float]], share: float) -> Runs:
    """Mean gaps with standard errors of a share of each."""
    frame = pl.DataFrame(rows, schema=("params", "tokens", "precision", "loss"), orient="row")
    return Runs.from_frame(
        frame.with_columns(
            loss_se=share * pl.col("loss"), metric=pl.lit("nats"), source=pl.lit("gaps of mine")
        )
    )


def made(times: float, share: float, places: tuple[tuple[float, float], ...] = (PLACE,)) -> Runs:
    law = preset("error2026")
    rows = [(n, d, way, times * float(law(n, d, way))) for n, d in places for way in WAYS]
    return gaps(rows, share)


def log_error(n: float, way: str) -> float:
    """Of rows between powers of two, as the law takes it."""
    name = way.removeprefix("fp -> ").removeprefix("w:").removesuffix("@gptq")
    name = f"int{name[1:]}" if name[0] == "w" else name
    width = float(log_width(np.log(n)))
    below = int(width)
    one, two = (np.log(row_error(_row(name), 2**k)) for k in (below, below + 1))
    return float(one + (two - one) * (width - below))


def _row(name: str) -> str:
    return name if "/" in name or name.startswith("mx") else f"{name}/row"


def by_hand(before: Fit, runs: Runs) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of (log c, p, n, d, m, u) by least squares on stacked rows of data and
    prior; the law is linear in log c, p, n, d and log m.
    """
    frame, left = runs.frame(), before.left_out
    assert left is not None
    free = [k.name for k in before.law.free]
    assert free == ["c_w", "p_w", "n_w", "d_w", "m[gptq]"]
    theta = before.coordinates.theta(before.values)
    logs = [k.scale == "log" for k in before.law.free]
    assert logs[0]
    rows, y = [], []
    for n, d, way, gap in frame.select("params", "tokens", "precision", "loss").rows():
        m = theta[4] if logs[4] else np.log(theta[4])
        p = np.exp(theta[1]) if logs[1] else theta[1]
        error, is_gptq = log_error(n, way), "@gptq" in way
        told = theta[0] + p * error - theta[2] * np.log(n) + theta[3] * np.log(d) + is_gptq * m
        slope_p = error * (p if logs[1] else 1.0)
        slope_m = is_gptq * (1.0 if logs[4] else 1 / theta[4])
        rows.append([1.0, slope_p, -np.log(n), np.log(d), slope_m, 1.0])
        y.append(np.log(gap) - told)
    off = left.constants - left.constants.mean(axis=0)
    spread = np.cov(before.draws.T) + (len(off) - 1) / len(off) * off.T @ off
    return np.array(rows), np.array(y), spread  # type: ignore[return-value]


def test_it_is_least_squares_with_the_shipped_constants_as_rows() -> None:
    before, runs = shipped(), made(1.3, 0.05)
    found = update(before, runs)
    rows, y, spread = by_hand(before, runs)  # type: ignore[misc]
    left = before.left_out
    assert left is not None
    noise = np.sqrt(left.variances()[1] + 0.05**2)
    # The level's own variance is what is left of the doubt that is reported.
    mean = rows.mean(axis=0)[:5]
    tau2 = found.doubt[0] ** 2 - mean @ spread @ mean
    prior = np.block([[spread, np.zeros((5, 1))], [np.zeros((1, 5)), tau2]])
    root = np.linalg.cholesky(np.linalg.inv(prior)).T
    stacked = np.vstack([rows / noise, root])
    moved, *_ = np.linalg.lstsq(stacked, np.concatenate([y / noise, np.zeros(6)]), rcond=None)
    moved[0] += moved[5]
    space = found.fit.coordinates
    asked = space.theta(found.fit.values) - space.theta(before.values)
    assert asked == pytest.approx(moved[:5], abs=2e-3)
    covariance = np.linalg.inv(stacked.T @ stacked)
    covariance[0] += covariance[5]
    covariance[:, 0] += covariance[:, 5]
    assert found.sd == pytest.approx(np.sqrt(np.diag(covariance))[:5], rel=0.02)


def test_runs_that_tell_nothing_leave_the_shipped_fit() -> None:
    before = shipped()
    found = update("error2026", made(1.3, 1e4))
    assert found.fit.values == pytest.approx(before.values, rel=1e-3)
    assert list(found.moved.values()) == pytest.approx([0.0] * 5, abs=1e-3)
    assert list(found.removed.values()) == pytest.approx([0.0] * 5, abs=1e-3)
    assert found.fit.draws == pytest.approx(before.draws, abs=1e-2)
    assert found.fit.discrepancy.taken == pytest.approx(before.discrepancy.taken, abs=1e-3)


def test_runs_that_agree_leave_the_constants_and_narrow_the_doubt() -> None:
    before, found = shipped(), update("error2026", made(1.0, 0.02))
    assert found.fit.values == pytest.approx(before.values, rel=1e-5)
    assert found.doubt[1] < 0.4 * found.doubt[0]
    widths = []
    for each in (before, found.fit):
        said = predict(each, *PLACE, "fp -> w:nf4/64", gap=True)
        assert said.low[0] < said.loss[0] < said.high[0]
        widths.append(float(np.log(said.high[0] / said.low[0])))
    assert widths[1] < 0.8 * widths[0]


def test_with_many_runs_it_is_their_own_fit() -> None:
    """Gaps of other constants at many places: those come back, whatever was shipped."""
    true = preset("error2026").with_values(
        {"c_w": 0.5, "p_w": 0.9, "n_w": 0.25, "d_w": 0.3, "m[gptq]": 0.7}
    )
    rng, rows = np.random.default_rng(0), []
    ways = [*WAYS, "fp -> w2", "fp -> w6", "fp -> w8"]
    for n in np.geomspace(1e6, 1e10, 40):
        for d in np.geomspace(1e9, 1e12, 30):
            rows += [(n, d, w, float(true(n, d, w)) * np.exp(0.05 * rng.normal())) for w in ways]
    found = update("error2026", gaps(rows, 0.0))
    assert found.fit.values == pytest.approx(true.values, rel=0.03)
    assert min(found.removed.values()) > 0.9


def test_an_updated_fit_is_a_fit_that_can_be_saved_and_updated_again(tmp_path) -> None:
    from isoloss import load

    once = update("error2026", made(1.5, 0.05))
    kept = load(once.fit.save(tmp_path / "mine.json"))
    assert kept.values == pytest.approx(once.fit.values)
    twice = update(kept, made(1.5, 0.05, ((5e9, 1e12),)))
    assert isinstance(twice, Update)
    assert twice.fit.values["c_w"] != once.fit.values["c_w"]
    assert twice.doubt[0] < once.doubt[0]


def test_what_the_law_sees_in_part_is_excluded_with_the_reason() -> None:
    runs = gaps([(*PLACE, "fp -> w4", 0.1), (*PLACE, "fp -> w4 a8", 0.2)], 0.05)
    found = update("error2026", runs)
    assert len(found.observed) == 1
    assert found.excluded == {"error2026 does not see all that is rounded": 1}
    assert "1 excluded: error2026 does not see" in str(found)
    with pytest.raises(FitError, match="sees all that is rounded in none of the 1 precisions"):
        update("error2026", gaps([(*PLACE, "fp -> w4 a8", 0.2)], 0.05))


@pytest.mark.parametrize("law", ["kumar2024", preset("error2026"), 3])
def test_what_cannot_be_updated_is_refused(law: object) -> None:
    with pytest.raises(FitError, match=r"cannot update .*; accepted are error2026"):
        update(law, made(1.0, 0.1))  # type: ignore[arg-type]


def test_what_a_law_was_fitted_to_is_not_counted_twice() -> None:
    before = shipped()
    at = before.points
    rows = list(zip(at.params, at.tokens, at.precision, at.observed, strict=True))[:5]
    with pytest.raises(FitError, match=r"error2026 was fitted to all 5 gaps .* would count twice"):
        update("error2026", gaps(rows, 0.05))
    published = made(1.3, 0.05).frame().with_columns(source=pl.lit("gaps of gptq_llama2023"))
    with pytest.raises(FitError, match="fitted to all 4 gaps"):
        update("error2026", Runs.from_frame(published))
    mine = made(1.3, 0.05)
    both = update(before, Runs.from_frame(pl.concat([mine.frame(), gaps(rows, 0.05).frame()])))
    assert both.excluded["error2026 was fitted to it"] == 5
    assert both.fit.values == pytest.approx(update(before, mine).fit.values)
    with pytest.raises(FitError, match="fitted to all 4 gaps"):  # an update of an update, too
        update(both.fit, mine)
