"""Sampling against the exact risk, against plain numpy where there is none, and what it promises of
its numbers.
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from by_hand import Simulation, iterates, on_grid

from isoloss.formats import Format, fake_quantise
from isoloss.linear import SGD, Regression, Scales, excess_risk, sample_risk, sample_risks
from isoloss.linear.moments.hermite import rounded_covariance
from isoloss.linear.quantisers import levels_of

TARGET = np.array([1.0, -0.7, 1.2, 0.5, -1.5, 0.3])
PLAIN = Regression(6, 1.3, 0.5, TARGET)
SKETCHED = Regression(12, 1.2, 0.3, sketch=4, seed=4)
SGD2 = SGD(15, 2, 0.12)
GRIDS = Scales(d=0.4)
ALL = "d:add(0.1) l:vec(0.1) w:coord(0.1) a:vec(0.1) g:coord(0.1)"
CASES = [
    (PLAIN, SGD2, "fp", "last"),
    (PLAIN, SGD(40, 1, 0.1, "geometric"), "fp", "tail"),
    (PLAIN, SGD(40, 3, 0.1, "cosine", 0.6), ALL, "average"),
    *[
        (PLAIN, SGD2, f"{part}:{kind}(0.3)", "average")
        for part in "dlwag"
        for kind in ("add", "vec", "coord")
    ],
    (PLAIN, SGD2, ALL, "last"),
    (PLAIN, SGD2, "d:int4", "last"),
    (PLAIN, SGD2, "d:int4~sr", "average"),
    (PLAIN, SGD2, "d:e2m1", "average"),
    (PLAIN, SGD2, "d:e2m1~sr", "last"),
    (PLAIN, SGD2, "fp -> w:add(0.1)", "average"),
    (PLAIN, SGD2, "d:vec(0.1) -> w:coord(0.1)", "last"),
    (Regression(6, 1.3, 0.5, "isotropic"), SGD2, "d:add(0.2)", "last"),
    (Regression(6, 1.3, 0.5, "source 1.5"), SGD2, "a:vec(0.2)", "average"),
    (Regression(6, 1.3, 0.5, kurtosis=1.0), SGD2, "d:coord(0.2)", "last"),
    (Regression(6, 1.3, 0.5, kurtosis=2.0), SGD2, "d:add(0.2)", "last"),
    (Regression(6, 1.3, 0.5, kurtosis=6.0), SGD2, "d:vec(0.2)", "average"),
    (SKETCHED, SGD(20, 2, 0.08), "d:add(0.1) a:vec(0.2)", "average"),
    (SKETCHED, SGD(20, 2, 0.08), "d:vec(0.1) w:add(0.1)", "last"),
    (Regression(12, 1.2, 0.3, "isotropic", sketch=4), SGD(20, 2, 0.08), "fp", "last"),
]  # fmt: skip


@pytest.mark.parametrize("at", range(len(CASES)))
def test_sampled_means_are_the_exact_risks(at: int) -> None:
    problem, sgd, precision, iterate = CASES[at]
    for inputs in ("clean", "in use"):
        exact = excess_risk(problem, sgd, precision, iterate, inputs, scales=GRIDS)
        found = sample_risk(
            problem, sgd, precision, iterate, inputs, scales=GRIDS, replicates=20_000, seed=at
        )
        assert (exact.how, found.how) == ("exact", "sampled")
        assert abs(found.value - exact.value) < 4 * found.standard_error
        assert found.standard_error < 0.02 * found.value
        for name in ("bias", "variance", "approximation", "rounding"):
            near = 5 * found.standard_error + 0.01 * exact.value
            assert getattr(found.parts, name) == pytest.approx(getattr(exact.parts, name), abs=near)
        # Each replicate has the floor of its own target: a sampled mean where targets are random.
        near = 5 * found.standard_error if problem.random_target else 1e-12
        assert found.parts.floor == pytest.approx(exact.parts.floor, rel=1e-6, abs=near)
        lasting = found.parts.asymptotic_bias, exact.parts.asymptotic_bias
        assert lasting[0] == pytest.approx(lasting[1], rel=1e-6, abs=1e-12)
        assert (found.parts.quantised_norm is None) == (inputs == "clean")
        if found.parts.quantised_norm is not None:
            assert found.parts.quantised_norm == pytest.approx(
                exact.parts.quantised_norm, abs=5 * found.standard_error + 0.01 * exact.value
            )
        assert found.parts.total == pytest.approx(found.value)


@pytest.mark.parametrize("precision", ["d:add(0.05)", "d:coord(0.1)", "d:int4", "d:int4~sr", "fp"])
def test_a_sketch_of_rounded_features(precision: str) -> None:
    """Site 'before': exact in use for normal noise, a closure for the others."""
    problem = Regression(12, 1.2, 0.3, sketch=4, seed=4, site="before")
    for inputs in ("clean", "in use"):
        exact = excess_risk(problem, SGD(20, 2, 0.08), precision, "average", inputs, scales=GRIDS)
        found = sample_risk(
            problem, SGD(20, 2, 0.08), precision, "average", inputs, scales=GRIDS, replicates=20_000
        )
        slack = 0.0 if exact.how == "exact" else 0.03 * exact.value
        assert abs(found.value - exact.value) < 4 * found.standard_error + slack


def by_numpy(
    rule: object, sets: int, passes: int, stored: object, feedback: bool, replicates: int
) -> np.ndarray:
    """The clean risk of the last of `sets` x `passes` steps of one sample each, a replicate at a
    time in one array.
    """
    rng, lam = np.random.default_rng(3), PLAIN.lam
    x = np.sqrt(lam) * rng.standard_normal((replicates, sets, 6))
    y = x @ TARGET + np.sqrt(0.5) * rng.standard_normal((replicates, sets))
    w, error = np.zeros((replicates, 6)), np.zeros((replicates, 6))
    rows = np.arange(replicates)
    for _ in range(passes):
        order = rng.permuted(np.tile(np.arange(sets), (replicates, 1)), axis=1)
        for column in order.T:
            u = x[rows, column] if rule is None else rule(x[rows, column], rng)
            w = w + 0.1 * u * (y[rows, column] - np.sum(u * w, axis=1))[:, None]
            if stored is not None:
                whole = w + error
                w = stored(whole, rng)  # type: ignore[operator]
                error = whole - w if feedback else error
    return np.asarray(0.5 * (w - TARGET) ** 2 @ lam)


def grid(name: str, scale: float) -> object:
    return on_grid(levels_of(Format.parse(name), scale, 1.0), "sr" in name)


@pytest.mark.parametrize(
    ("passes", "data", "stored", "feedback"),
    [
        (4, None, None, False),
        (4, "int4~sr", None, False),
        (1, None, "int5~sr", False),
        (1, None, "int5", False),
        (1, None, "int5", True),
        (3, "e2m1", "e4m3~sr", True),
    ],
)
def test_passes_and_stored_weights_against_numpy(
    passes: int, data: str | None, stored: str | None, feedback: bool
) -> None:
    sets, replicates = 12 // passes * 2, 20_000
    of_data = grid(data, 0.4) if data else None
    of_weights = grid(stored, 0.1) if stored else None
    there = by_numpy(of_data, sets, passes, of_weights, feedback, replicates)
    found = sample_risk(
        PLAIN, SGD(sets * passes, 1, 0.1), f"d:{data}" if data else "fp", "last",
        replicates=replicates, passes=passes, stored=stored, error_feedback=feedback,
        scales=Scales(d=0.4, w=0.1),
    )  # fmt: skip
    error = np.hypot(found.standard_error, there.std() / np.sqrt(replicates))
    assert abs(found.value - there.mean()) < 4 * error


def test_error_feedback_mends_nearest_rounding_of_stored_weights() -> None:
    """Steps far below half a step of the grid are lost without it."""
    sgd, scales = SGD(300, 1, 0.01), Scales(w=0.25)
    kept, lost = (
        sample_risk(PLAIN, sgd, "fp", "last", stored="int5", error_feedback=way, scales=scales)
        for way in (True, False)
    )
    master = sample_risk(PLAIN, sgd, "w:int5", "last", scales=scales)
    assert lost.value > 2 * kept.value
    # What is stored and what was cut off sum to a master copy, so the two are one process, read
    # differently.
    rounded = sample_risk(PLAIN, sgd, "w:int5 -> w:int5", "last", scales=Scales(w=0.25, post=0.25))
    assert kept.value == pytest.approx(rounded.value, rel=1e-9)
    assert master.value != kept.value


def test_a_seed_fixes_all_numbers_whatever_the_threads() -> None:
    code = (
        "from isoloss.linear import *; r = sample_risks([(Regression(7, noise_var=0.5, "
        "target='isotropic'), SGD(9, 2, 0.1),"
        " 'd:int4~sr w:add(0.1)')], replicates=501, seed=8)[0]; print(repr(r.values.sum()), "
        "repr(r.values[500]))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"NUMBA_NUM_THREADS": n},
        ).stdout
        for n in ("1", "2", "3")
    }
    assert len(said) == 1


def test_precisions_share_random_numbers() -> None:
    points = [(PLAIN, SGD(50, 4, 0.1), precision) for precision in ("fp", "d:int8~sr", "d:int8")]
    exact, random, nearest = sample_risks(points, replicates=2000)
    apart, theory = (
        random.minus(exact),
        excess_risk(*points[1]).value - excess_risk(*points[0]).value,
    )
    assert apart.standard_error < 0.05 * exact.risk.standard_error
    assert abs(apart.value - theory) < 4 * apart.standard_error
    assert str(nearest.minus(exact)).count("+-") == 1
    assert exact.minus(exact) == (0.0, 0.0)
    other = sample_risks(points[:1], replicates=2000, seed=1)[0]
    assert abs(np.corrcoef(other.values, exact.values)[0, 1]) < 0.1
    with pytest.raises(
        ValueError, match=r"^2000 replicates of seed 0 do not pair with 2000 of seed 1; sample both"
    ):
        exact.minus(other)


def test_method_sampled_is_the_same_number() -> None:
    risk = excess_risk(PLAIN, SGD2, "w4~sr", "last", method="sampled")
    assert risk == sample_risk(PLAIN, SGD2, "w4~sr", "last")
    assert str(risk).startswith("excess risk 0.")
    assert "(sampled, clean inputs)" in str(risk)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"replicates": 3}, "replicates is 3; accepted is a whole number of at least 4"),
        ({"seed": -1}, "seed is -1; accepted"),
        ({"passes": 4}, "15 steps do not make 4 passes; give steps that are a multiple of passes"),
        ({"error_feedback": True}, "error_feedback keeps the rounding error of stored weights; "
                                   "give their format"),
        ({"stored": "ternary"}, "no exact risk for format 'ternary' in precision 'w1.58'"),
        ({"precision": "d:mxfp4"}, "groups of 32 in 'mxfp4' do not divide a row of 6 numbers; "
                                   "accepted are groups that do, or features"),
        ({"precision": "d:mxfp4", "sgd": SGD(15)}, "groups of 32 in 'mxfp4' do not divide"),
        ({"stored": "int4/4"}, "groups of 4 in 'int4/4' do not divide a row of 6 numbers"),
        ({"precision": "d:int8", "scales": Scales(d=1e6), "sgd": SGD(15)},
         "the step size '0.5 limit' has no limit here: every feature is rounded to 0"),
        ({"precision": "a:mxfp4"}, "'a:mxfp4' cannot be sampled: scales are shared along rows"),
        ({"precision": "d:nf4"}, "'d:nf4' cannot be sampled: scales are shared along rows"),
        ({"precision": "d:int4/2x3"}, "'d:int4/2x3' cannot be sampled: no code shares scales"),
        ({"precision": "w4 then w8 from 50%"}, "'w4 then w8 from 50%' changes during training"),
        ({"precision": "w.dx:e4m3"}, "linear regression has no part 'w.dx'"),
        ({"precision": "d:int4/3+had"}, "the modifiers '/3\\+had' of 'd:int4/3"),
        ({"precision": "d:int4/3", "inputs": "in use"}, "E u u' of data rounded to 'int4/3' "
                                                           "is not known"),
        ({"precision": "d:int4/3", "sgd": SGD(15)}, "the stability limit under 'int4/3' is not "
                                                    "known; give step_size"),
        ({"inputs": "dirty"}, "unknown inputs 'dirty'"),
        ({"replicates": 10**12}, "sampling 1000000000000 replicates of 6 weights needs about"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}"):
        sample_risk(**{"problem": PLAIN, "sgd": SGD2, **given})  # type: ignore[arg-type]


def test_divergence_is_one_sentence() -> None:
    with pytest.raises(
        ValueError,
        match=r"^the step size 90 is unstable: 8 of 8 replicates grew past 1,000,000 times",
    ):
        sample_risk(PLAIN, SGD(400, 1, 90.0), replicates=8)


def test_without_numba_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['numba'] = None\n"
        "from isoloss.linear import *\n"
        "try: sample_risk(Regression(3), SGD(3))\n"
        "except ModuleNotFoundError as error: print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "sampling needs numba; pip install 'isoloss[sample]'\n"


def test_the_room_loads_numba_only_to_sample() -> None:
    code = (
        "import sys, isoloss.linear as l; l.excess_risk(l.Regression(3), l.SGD(3)); "
        "print('numba' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


@pytest.mark.parametrize("site", ["after", "before"])
@pytest.mark.parametrize("target", [1.0, "isotropic"])
def test_the_closure_of_a_saturating_grid_on_a_sketch(site: str, target: float | str) -> None:
    """Where E u x is not E x^2, the pull of clean inputs is not that of rounded ones."""
    problem = Regression(24, 1.2, 0.3, target, sketch=5, site=site, seed=4)
    scales = Scales(d=0.12)
    for inputs in ("clean", "in use"):
        closure = excess_risk(
            problem, SGD(40, 2, 0.1), "d:int4~sr", "average", inputs, scales=scales
        )
        found = sample_risk(
            problem,
            SGD(40, 2, 0.1),
            "d:int4~sr",
            "average",
            inputs,
            scales=scales,
            replicates=10_000,
        )
        assert found.value == pytest.approx(closure.value, rel=0.02)


def test_the_covariance_of_rounded_correlated_numbers() -> None:
    gram = np.array([[1.0, 0.8, -0.3], [0.8, 1.5, 0.2], [-0.3, 0.2, 0.4]])
    z = np.random.default_rng(0).multivariate_normal(np.zeros(3), gram, 400_000)
    for name, scale in (("int3", 0.6), ("int3~sr", 0.4), ("e2m1", 0.5), ("e2m1~sr", 0.2)):
        known = Format.parse(name)
        covariance, gain = rounded_covariance(gram, known, scale, 1.0)
        u = on_grid(levels_of(known, scale, 1.0), "sr" in name)(z, np.random.default_rng(1))
        assert u.T @ u / len(z) == pytest.approx(covariance, abs=0.012)
        assert (u * z).mean(axis=0) / np.diag(gram) == pytest.approx(gain, abs=0.01)


@pytest.mark.parametrize("name", ["int3/2", "e2m1/3", "int4/row", "mxfp4/2~sr"])
def test_groups_that_share_a_scale_against_numpy(name: str) -> None:
    """Data in groups, whose coordinates no longer round independently; and weights in groups."""
    known = Format.parse(name)

    def rule(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.asarray(fake_quantise(values, known, random=rng if known.rounding else None))

    replicates = 20_000
    for parts, precision in (
        ({"d": rule}, f"d:{name}"),
        ({"w": rule}, f"w:{name}" if "row" not in name else ""),
    ):
        if not precision:  # '/row' of weights is their plain spelling, which has a fixed step here
            continue
        sim = Simulation(PLAIN.lam, TARGET, 0.5, np.full(15, 0.12), 2, parts=parts)
        there = 0.5 * (iterates(sim, replicates, 7, None) - TARGET) ** 2 @ PLAIN.lam
        found = sample_risk(PLAIN, SGD2, precision, "last", replicates=replicates)
        assert abs(found.value - there.mean()) < 4 * np.hypot(
            found.standard_error, there.std() / np.sqrt(replicates)
        )


def test_results_and_stored_weights_in_groups() -> None:
    one, other = (
        sample_risks([(PLAIN, SGD2, each)], "last", replicates=500)[0]
        for each in ("fp", "fp -> w:int4/3")
    )
    assert other.minus(one).value == pytest.approx(other.risk.parts.rounding)
    kept = sample_risk(PLAIN, SGD2, "fp", "last", stored="int8/2~sr", replicates=500)
    assert kept.value == pytest.approx(one.risk.value, rel=0.05)
    assert kept.value != one.risk.value


FOR_HOURS = """
import os, signal, threading
from isoloss.linear import SGD, Regression, sample_risk

signal.signal(signal.SIGINT, signal.default_int_handler)  # shells may have it ignored
sample_risk(Regression(5), SGD(4, 1, 0.1), replicates=4)  # compiled, or from the cache
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
sample_risk(Regression(5), SGD(10**12, 1, 0.1), replicates=4)
"""


def test_an_interrupt_ends_loops_that_would_run_for_hours() -> None:
    done = subprocess.run([sys.executable, "-c", FOR_HOURS], capture_output=True, text=True)
    assert done.stderr.strip().endswith("KeyboardInterrupt")
