"""The table of paired gaps: means and errors by hand, exponents against another solver."""

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from benchmarks.gap_intervals import NOISES, covered, drawn
from scipy import optimize

from isoloss.fits import FitError, Growth, fit, gap_table, gaps, mean_gaps, schedule_effects
from isoloss.fits.paired_gaps.gap_growth import growth
from isoloss.runs import Runs, read


def table(rows: list[tuple[float, float, str, int, float]], **more: Any) -> Runs:
    names = ("params", "tokens", "precision", "seed", "loss")
    return Runs.from_frame(
        pl.DataFrame([dict(zip(names, row, strict=True)) | more for row in rows])
    )


SMALL = [
    (1e5, 1e6, "fp", 0, 3.0), (1e5, 1e6, "fp", 1, 3.2),
    (1e5, 1e6, "w3", 0, 3.1), (1e5, 1e6, "w3", 1, 3.4),
    (1e5, 4e6, "fp", 0, 2.5), (1e5, 4e6, "fp", 1, 2.6),
    (1e5, 4e6, "w3", 0, 2.8), (1e5, 4e6, "w3", 1, 2.8),
]  # fmt: skip


def test_means_errors_and_noise_by_hand() -> None:
    found = gap_table(table(SMALL))
    one, two = found.cells
    assert (one.tokens, two.tokens, one.pairs) == (1e6, 4e6, 2)
    assert (one.mean, two.mean) == pytest.approx((0.15, 0.25))
    assert (one.error, two.error) == pytest.approx((0.05, 0.05))
    # Gaps less their cell's mean: -.05 and .05, then .05 and -.05; they cancel along each seed's
    # trajectory.
    assert found.of("w3").mean == pytest.approx(0.2)
    assert found.of("w3").error == pytest.approx(0.0, abs=1e-12)
    pooled = math.sqrt((2 * 0.05**2 + 2 * 0.05**2) / 2)
    assert found.of("w3").resolved == pytest.approx(4.302653 * pooled / math.sqrt(2))
    assert found.noise == pytest.approx(math.sqrt((2 * 0.1**2 + 2 * 0.05**2) / 2))
    assert found.freedom == 2


def test_the_error_of_a_mean_counts_trajectories() -> None:
    """The same noise all along a trajectory: many lengths are no surer than one."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.1, 5)
    rows = []
    for tokens in (1e6, 2e6, 4e6, 8e6):
        for seed in range(5):
            rows += [(1e5, tokens, "fp", seed, 3.0), (1e5, tokens, "w3", seed, 3.2 + noise[seed])]
    assert gap_table(table(rows)).of("w3").error == pytest.approx(noise.std(ddof=1) / math.sqrt(5))


def test_exponents_against_another_solver() -> None:
    """The estimating equation by a root finder, the error by leaving each cluster out by hand."""
    rng = np.random.default_rng(1)
    n, d, seed = (
        a.ravel() for a in np.meshgrid([1e4, 3e4, 9e4], [1e6, 3e6, 1e7], [0, 1, 2], indexing="ij")
    )
    gap = 0.02 * (d / 1e6) ** 0.6 * (n / 3e4) ** -0.3 + rng.normal(0, 0.02, len(n))
    assert (gap < 0).any()
    clusters = [f"{a} {b}" for a, b in zip(n, seed, strict=True)]
    found = growth(gap, n, d, clusters)
    assert isinstance(found, Growth)

    def by_root(keep: np.ndarray) -> np.ndarray:
        x = np.column_stack([np.ones(keep.sum()), np.log(n[keep] / 3e4), np.log(d[keep] / 3e6)])
        start = [math.log(gap[keep].mean()), 0.0, 0.0]
        solved = optimize.root(lambda b: x.T @ (gap[keep] - np.exp(x @ b)), start, tol=1e-12)
        assert solved.success
        return solved.x[1:]

    assert [found.slopes[k].value for k in ("params", "tokens")] == pytest.approx(
        by_root(gap < 9), abs=1e-5
    )
    left = np.array([by_root(np.array(clusters) != c) for c in sorted(set(clusters))])
    g = len(left)
    error = np.sqrt((g - 1) / g * ((left - left.mean(0)) ** 2).sum(0))
    assert [found.slopes[k].error for k in ("params", "tokens")] == pytest.approx(error, rel=1e-3)
    assert {s.freedom for s in found.slopes.values()} == {g - 3}


def test_an_exact_power_law_is_found() -> None:
    n, d, seed = (
        a.ravel() for a in np.meshgrid([1e4, 3e4, 9e4], [1e6, 3e6, 1e7], [0, 1], indexing="ij")
    )
    found = growth(
        3e-4 * d**0.5 * n**-0.25, n, d, [f"{a} {b}" for a, b in zip(n, seed, strict=True)]
    )
    assert isinstance(found, Growth)
    assert found.slopes["tokens"].value == pytest.approx(0.5, abs=1e-6)
    assert found.slopes["params"].value == pytest.approx(-0.25, abs=1e-6)


def test_tokens_per_param_where_both_move_as_one() -> None:
    n = np.repeat([1e4, 1e5, 1e6], 4)
    seeds = [f"{a} {b}" for a, b in zip(n, [0, 1, 2, 3] * 3, strict=True)]
    both = growth(1e-3 * n**0.5, n, 1 / n * 1e12, seeds)
    assert isinstance(both, Growth)
    assert list(both.slopes) == ["tokens per param"]
    assert both.slopes["tokens per param"].value == pytest.approx(-0.25, abs=1e-6)


def test_one_exponent_where_tokens_grow_with_params() -> None:
    """Twenty tokens a param, whole batches: the rest of the ratio is rounding, no exponent."""
    n = np.repeat([1e4, 1e5, 1e6], 4)
    seeds = [f"{a} {b}" for a, b in zip(n, [0, 1, 2, 3] * 3, strict=True)]
    both = growth(1e-3 * n**0.2, n, np.round(20 * n / 1024) * 1024, seeds)
    assert isinstance(both, Growth)
    assert list(both.slopes) == ["together"]
    assert both.slopes["together"].value == pytest.approx(0.2, abs=1e-3)
    rows = [
        (a, 20 * a, p, s, 3 + (p == "w3") * 1e-3 * a**0.2)
        for a in (1e4, 1e5, 1e6)
        for s in (0, 1)
        for p in ("fp", "w3")
    ]
    assert "in tokens, params growing with them" in str(gap_table(table(rows)))


@pytest.mark.parametrize(
    ("gap", "n", "d", "clusters", "why"),
    [
        (0.1, [1e4] * 4, [1e6] * 4, "abcd", "neither params nor tokens vary"),
        (0.1, [1e4] * 4, [1e6, 2e6] * 2, "aabb", "2 trajectories are too few for 1 exponents"),
        (0.0, [1e4] * 8, [1e6, 2e6] * 4, "aabbccdd", "the gap is not clearly above zero"),
        (-0.1, [1e4] * 8, [1e6, 2e6] * 4, "aabbccdd", "the gap is not clearly above zero"),
    ],
)
def test_what_cannot_be_known_is_said(
    gap: float, n: list[float], d: list[float], clusters: str, why: str
) -> None:
    noise = 1e-3 * np.resize([1.0, -1.0, -1.0, 1.0], len(n))
    assert growth(gap + noise, np.array(n), np.array(d), list(clusters)) == why


def test_schedules_apart_and_their_difference() -> None:
    found = gap_table(drawn(np.random.default_rng(3), 0.02, 0.0, 0.05, 3))
    assert found.schedules == ("wsd", "constant")
    decayed, undecayed = (found.of("w3", s).growth for s in found.schedules)
    assert isinstance(decayed, Growth)
    assert isinstance(undecayed, Growth)
    less = found.differences["w3", "tokens"]
    assert less.value == pytest.approx(
        decayed.slopes["tokens"].value - undecayed.slopes["tokens"].value
    )
    assert less.error < decayed.slopes["tokens"].error + undecayed.slopes["tokens"].error
    assert "Decay against none" in str(found)


@pytest.mark.parametrize("noise", NOISES[:2], ids=[n[0] for n in NOISES[:2]])
def test_intervals_cover(noise: tuple[Any, ...]) -> None:
    """A few tables; the study of hundreds is benchmarks/gap_intervals.py."""
    held = [covered(drawn(np.random.default_rng([9, k]), *noise[1:])) for k in range(40)]
    for what in ("d", "n", "decay less none"):
        assert sum(bool(h[what]) for h in held) >= 31, what  # 90% of 40 less three standard errors


def test_one_seed_gives_gaps_without_errors() -> None:
    found = gap_table(table([row for row in SMALL if row[3] == 0]))
    assert math.isnan(found.noise)
    assert math.isnan(found.of("w3").error)
    assert math.isnan(found.of("w3").resolved)
    assert "one seed: neither the noise between seeds" in str(found)


def test_the_report_holds_what_was_asked() -> None:
    found = gap_table(
        table(
            SMALL
            + [(n, d, "fp -> w4", s, x + 0.01 + s / 1e3) for n, d, p, s, x in SMALL if p == "fp"]
        )
    )
    said = str(found)
    assert "What a precision costs in training" in said
    assert "What it costs after training" in said
    assert found.of("fp -> w4").after
    with pytest.raises(KeyError, match="there are no pairs of 'w5'; precisions are w3, fp -> w4"):
        found.of("w5")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [(1e5, 1e6, "fp", 0, 3.0), (1e5, 2e6, "w3", 0, 3.1)],
            "no run has a partner at full precision or bf16",
        ),
        ([(1e5, 1e6, "fp", 0, 3.0), (1e5, 1e6, "bf16", 0, 3.1)], "no run has a partner"),
        ([(1e5, 1e6, "w4", 0, 3.0), (1e5, 1e6, "w3", 0, 3.1)], "no run has a partner"),
    ],
)
def test_tables_without_pairs_are_refused(rows: list[Any], message: str) -> None:
    with pytest.raises(FitError, match=message):
        gap_table(table(rows))
    with pytest.raises(FitError, match="level is 2; it is a share between 0 and 1"):
        gap_table(table(SMALL), level=2)


def test_partners_that_the_table_cannot_tell_apart_are_said() -> None:
    """A held and a decayed reference, and nothing in the table that says which is which."""
    rows = [(1e5, 1e6, "fp", 0, 3.0), (1e5, 1e6, "fp", 0, 2.8), (1e5, 1e6, "w3", 0, 3.1)]
    found = gap_table(table(rows))
    assert found.cells[0].mean == pytest.approx(0.2)
    assert (found.pooled, found.absent) == (1, ("schedule", "lr_peak"))
    assert "1 gaps are to the mean of several runs at the reference" in str(found)
    assert "(it has no schedule, lr_peak)" in str(found)
    apart = [row | {"schedule": s} for row, s in zip(
        [dict(zip(("params", "tokens", "precision", "seed", "loss"), r, strict=True))
         for r in rows], ("constant", "wsd", "wsd"), strict=True)]  # fmt: skip
    told = gap_table(Runs.from_frame(pl.DataFrame(apart)))
    assert told.cells[0].mean == pytest.approx(0.3)
    assert told.pooled == 0
    assert "mean of several" not in str(told)


def test_runs_without_a_gap_are_counted_by_the_reason() -> None:
    rows = [(1e6, 2e7, "fp", 3.0), (1e6, 2e7, "w4", 3.1), (2e6, 2e7, "w4", 3.0)]
    table = pl.DataFrame(rows, schema=["params", "tokens", "precision", "loss"], orient="row")
    bad = pl.DataFrame([(1e6, 2e7, "w:zzz", 3.3)], schema=table.columns, orient="row")
    found = gap_table(read(pl.concat([table, bad])))
    why, alone = found.left_out
    assert "unknown format 'zzz'" in why
    assert alone.startswith("no partner")
    assert list(found.left_out.values()) == [1, 1]
    assert "1 left out: " in str(found)
    with pytest.raises(FitError, match=r"no run has a partner .*; 1 are excluded: .*zzz"):
        gap_table(read(pl.concat([table[:1], bad])))


@pytest.mark.parametrize("verb", [gap_table, gaps, mean_gaps, schedule_effects])
def test_a_base_per_source_is_advised_where_there_is_one(verb: Any) -> None:
    frame = pl.DataFrame({
        "params": 1e7, "tokens": [1e9, 1e9, 2e9, 2e9], "precision": ["bf16", "w4"] * 2,
        "loss": [3.0, 3.1, 2.9, 3.0], "source": ["a", "a", "b", "b"],
    })  # fmt: skip
    runs = Runs.from_frame(frame)
    with pytest.raises(FitError, match=r"for all; select some with where\(source=...\)$"):
        verb(runs)
    with pytest.raises(FitError, match="fit them with per='source', a base for each, or select"):
        fit("chinchilla", runs, target="gap")
