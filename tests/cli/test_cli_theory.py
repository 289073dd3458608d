"""``isoloss theory``: every answer is that of the notebook, in words, as a table and as data; what
cannot be asked is refused in one sentence.
"""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import isoloss as il
from isoloss.linear import SGD, Regression, Scales

P, D = Regression(50), SGD(300, step_size=0.05)
WORDS = ("--dim", "50", "--steps", "300", "--step-size", "0.05")
NOISE = "d:add(0.001)"


def data(shell, *words: str) -> dict:
    result = shell("theory", *words, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


# ---- bounds
def test_bounds_of_one_setting_print_as_the_notebook_has_them(shell) -> None:
    text = shell("theory", "bounds", *WORDS, "--precision", NOISE).stdout
    bound, risk = il.linear.risk_bound(P, D, NOISE), il.linear.excess_risk(P, D, NOISE)
    assert [line for line in str(bound).splitlines() if line.strip() not in text] == []
    assert f"exact risk {risk.value:.6g}: upper / exact {bound.upper / risk.value:.4g}" in text


def test_bounds_of_lists_are_a_table_of_runs(shell, tmp_path: Path) -> None:
    path = tmp_path / "bounds.csv"
    words = ("--dim", "50,80", "--steps", "300", "--step-size", "0.05,5", "-o", str(path))
    result = shell("theory", "bounds", *words)
    runs = il.read(path)
    assert runs["status"].tolist() == ["ok", "diverged"] * 2
    assert result.stdout.count("the step size 5 is unstable; the limit for this problem") == 2
    for dim, row in zip((50, 80), runs.usable.frame().iter_rows(named=True), strict=True):
        bound = il.linear.risk_bound(Regression(dim), D)
        assert (row["lower"], row["upper"]) == pytest.approx((bound.lower, bound.upper))
        assert row["loss"] == pytest.approx(il.linear.excess_risk(Regression(dim), D).value)
        assert row["tokens"] == 300


# ---- limit, conditions, training, directions
@pytest.mark.parametrize(
    ("words", "problem", "sgd", "precision", "scales"),
    [
        ((), Regression(100), SGD(1), "fp", Scales()),
        (("--kurtosis", "9", "--batch", "4"), Regression(100, kurtosis=9), SGD(1, 4), "fp",
         Scales()),
        (("--dim", "30", "--sketch", "8", "--sketch-seed", "3", "--precision", "d:vec(0.2)"),
         Regression(30, sketch=8, seed=3), SGD(1), "d:vec(0.2)", Scales()),
        (("--dim", "30", "--sketch", "8", "--site", "before", "--precision", "d:add(0.2)"),
         Regression(30, sketch=8, site="before"), SGD(1), "d:add(0.2)", Scales()),
        (("--momentum", "0.9", "--precision", "d:int4~sr", "--scales", "d=0.7"), Regression(100),
         SGD(1, momentum=0.9), "d:int4~sr", Scales(d=0.7)),
        (("--spectrum", "exp 0.2", "--dim", "20"), Regression.exponential(20, 0.2), SGD(1), "fp",
         Scales()),
    ],
)  # fmt: skip
def test_the_limit_is_that_of_the_notebook(
    words, problem: Regression, sgd: SGD, precision: str, scales: Scales, shell
) -> None:
    (row,) = data(shell, "limit", *words)["limit"]
    assert row["limit"] == il.linear.stability_limit(problem, sgd, precision, scales)
    assert f"{row['limit']:.6g}" in shell("theory", "limit", *words).stdout


def test_the_limits_of_update_rules_stand_in_rows_of_their_own(shell) -> None:
    rules = ("heavy ball", "nesterov")
    words = ("--momentum", "0.9", "--rule", ",".join(rules))
    found = data(shell, "limit", *words)["limit"]
    assert [row["rule"] for row in found] == list(rules)
    for row in found:
        sgd = SGD(1, momentum=0.9, rule=row["rule"])
        assert row["limit"] == il.linear.stability_limit(Regression(100), sgd)
    text = shell("theory", "limit", *words).stdout
    assert [rule for rule in rules if rule not in text] == []


def test_a_spectrum_is_read_from_text_and_from_an_array(shell, tmp_path: Path) -> None:
    (tmp_path / "lam.txt").write_text("1, 0.5 0.25\n1e-1\n", encoding="utf-8")
    np.save(tmp_path / "lam.npy", np.array([1, 0.5, 0.25, 0.1]))
    expected = il.linear.stability_limit(Regression(4, spectrum=[1, 0.5, 0.25, 0.1]), SGD(1))
    for name in ("lam.txt", "lam.npy"):
        (row,) = data(shell, "limit", "--spectrum", str(tmp_path / name))["limit"]
        assert row["limit"] == expected


def test_conditions_are_those_of_the_notebook(shell) -> None:
    spelled = f"{NOISE} a:vec(0.1)"
    expected = il.linear.rate_conditions(P, D, spelled)
    found = data(shell, "conditions", *WORDS, "--precision", spelled)["conditions"]
    assert [(row["part"], row["left"], row["right"], row["holds"]) for row in found] == [
        (each.part, each.left, each.right, each.holds) for each in expected
    ]
    text = shell("theory", "conditions", *WORDS, "--precision", spelled).stdout
    assert [line for line in str(expected).splitlines() if line not in text] == []


def test_training_loss_and_its_parts(shell) -> None:
    found = data(shell, "training", *WORDS, "--precision", f"fp,{NOISE}")["training"]
    for row, precision in zip(found, ("fp", NOISE), strict=True):
        risk = il.linear.training_risk(P, D, precision)
        assert row["value"] == risk.value
        assert row["precision"] == precision


def test_directions_sum_to_the_risk(shell, tmp_path: Path) -> None:
    words = (*WORDS, "--precision", "d:add(0.01)", "-o", str(tmp_path / "all.csv"))
    text = shell("theory", "directions", *words).stdout
    assert "Risk by direction: 50 directions" in text
    found = data(shell, "directions", *words, "--force")["directions"]
    expected = il.linear.excess_risk(P, D, "d:add(0.01)").parts
    assert sum(row["bias"] for row in found) == pytest.approx(expected.bias)
    assert sum(row["variance"] for row in found) == pytest.approx(expected.variance)


# ---- bits
def test_the_bit_rule_with_and_without_constants(shell) -> None:
    found = data(shell, "bits", "--bits", "4,8", "--dim", "1000", "--nearest")["bits"]
    integer, floating = (il.linear.format_constant(each) for each in ("int8", "e8m3"))
    assert [row["mantissa_rule"] for row in found] == [
        il.linear.bit_rule(bits, 2.0, 1000) for bits in (4, 8)
    ]
    assert found[1]["mantissa_with_constants"] == il.linear.bit_rule(
        8, 2.0, 1000, integer, floating
    )


def test_bits_of_equal_risk_where_a_descent_is_given(shell) -> None:
    found = data(shell, "bits", "--bits", "6,8", *WORDS)["bits"]
    expected = il.linear.equal_risk_bits(P, D, [6, 8])
    for row, each in zip(found, expected, strict=True):
        mantissa = math.nan if row["mantissa_exact"] is None else row["mantissa_exact"]
        assert mantissa == pytest.approx(each.mantissa, nan_ok=True)
        assert row["cost"] == each.cost
    said = "'-': no float of 1 to 7 mantissa bits costs the same"
    absent = any(row["mantissa_exact"] is None for row in found)
    assert (said in shell("theory", "bits", "--bits", "6,8", *WORDS).stdout) == absent


# ---- allocation
def test_an_allocation_is_that_of_the_notebook(shell, tmp_path: Path) -> None:
    path = tmp_path / "choices.csv"
    words = ("allocate", "--dim", "200", "--compute", "1e4", "--weigh-bits", "--sizes", "6",
             "--shares", "0.1,0.5", "--precision", "fp,d:vec(0.01)", "--bits",
             "d:vec(0.01)=8")  # fmt: skip
    expected = il.linear.allocate(
        Regression(200),
        il.linear.Allowance(compute=1e4, weigh_bits=True, bits={"d:vec(0.01)": 8}),
        ["fp", "d:vec(0.01)"],
        sizes=6,
        shares=[0.1, 0.5],
    )
    assert shell("theory", *words, "-o", str(path)).stdout == f"{expected}\n"
    found = data(shell, *words)["choices"]
    assert [row["risk"] for row in found] == [each.risk for each in expected.choices]
    assert il.read(path)["loss"] == pytest.approx([each.risk for each in expected.choices])


def test_a_precision_that_cannot_be_costed_is_said(shell) -> None:
    words = ("allocate", "--dim", "50", "--compute", "1e3", "--weigh-bits", "--sizes", "3",
             "--precision", "fp,d:vec(0.01)")  # fmt: skip
    (name, why) = next(iter(data(shell, *words)["dropped"].items()))
    assert name == "d:vec(0.01)"
    assert f"dropped {name}: {why}" in shell("theory", *words).stdout


# ---- several sketches
def test_risk_over_sketches_with_paired_differences(shell, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    words = ("--dim", "30", "--sketch", "6", "--steps", "40", "--step-size", "0.05", "--sketches",
             "4", "--precision", "fp,d:add(0.01)", "-o", str(path))  # fmt: skip
    rows = data(shell, "sketches", *words)["sketches"]
    problem, sgd = Regression(30, sketch=6), SGD(40, step_size=0.05)
    exact, one = (
        il.linear.sketch_risk(problem, sgd, each, sketches=4) for each in ("fp", "d:add(0.01)")
    )
    assert (rows[1]["loss"], rows[1]["loss_se"]) == (one.risk.value, one.risk.standard_error)
    assert (rows[1]["low"], rows[1]["high"]) == one.interval(0.9)
    assert (rows[1]["gap"], rows[1]["gap_se"]) == tuple(one.minus(exact))
    assert il.read(path)["tokens"].tolist() == [40, 40]
    assert str(one) in shell("theory", "sketches", *words[:-3], "d:add(0.01)").stdout


# ---- refusals
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("bounds",), "say how long it descends: --samples 1e3,1e6 or --steps 1000"),
        (("bounds", *WORDS, "--schedule", "cosine"),
         "the bound holds for constant steps, not for schedule 'cosine'"),
        (("conditions", *WORDS), "say which noise: --precision 'd:add(0.001) a:vec(0.1)'"),
        (("conditions", *WORDS, "--precision", "fp"),
         "full precision has no conditions to meet; give a --precision with noise"),
        (("sizes", *WORDS), "say which precision: --precision 'd:add(0.01),a:vec(0.1)'"),
        (("sizes", *WORDS, "--precision", NOISE, "--size", "60"),
         "a model of 60 coordinates is larger than dim 50"),
        (("sketches", *WORDS), "say how many rows a sketch has: --sketch 20"),
        (("directions", *WORDS, "--batch", "1,2"),
         "directions are those of one setting, not of 2; give no lists"),
        (("bits", "--bits", "6.5"), "--bits is '6.5'; accepted is a whole number from 2 to 32"),
        (("bits", "--bits", "40"), "--bits is '40'; accepted is a whole number from 2 to 32"),
        (("bits", "--iterate", "last"),
         "--iterate does not change the rule; give --samples too, for exact risk"),
        (("bits", "--batch", "4"),
         "--batch does not change the rule; give --samples too, for exact risk"),
        (("bits", "--spectrum", "exp 1"),
         "the bit rule is for a spectrum i^-A; give --decay, not --spectrum"),
        (("bits", "--precision", "fp"),
         "the bit rule has formats of its own; give --bits, not --precision"),
        (("bits", "--dim", "10,20"), "--dim takes one value here, not 2"),
        (("allocate", "--precision", "fp"),
         "nothing limits the samples; give --compute or --samples"),
        (("allocate", "--precision", "fp", "--samples", "9", "--bits", "8"),
         "cannot read --bits '8'; write it like 'd:vec(0.01)=8'"),
        (("limit", "--spectrum", "exp 1", "--dim", "5,6"),
         "--spectrum 'exp 1' goes with one --dim, not 2"),
        (("limit", "--spectrum", "exp 1", "--decay", "2"),
         "--spectrum and --decay both give the eigenvalues; give one"),
        (("limit", "--spectrum", "no.txt"), "cannot use 'no.txt': No such file or directory"),
        (("limit", "--spectrum", "exp"),
         "--spectrum 'exp' has no rate; write 'exp R', as 'exp 0.3'"),
        (("limit", "--precision", "fp -> w4"),
         "'fp -> w4' rounds the result, which does not change the largest stable step size; leave "
         "out what stands behind the arrow"),
        (("training", *WORDS, "--precision", "fp -> w4"),
         "'fp -> w4' rounds the result, which does not change the training loss; leave out what "
         "stands behind the arrow"),
        (("limit", "--steps", "9"),
         "--steps does not change the largest stable step size; leave it out"),
        (("limit", "--scales", "w=3"),
         "the scale of w is 3, but no precision here rounds w to an integer or a float of that "
         "scale; leave it out"),
        (("bounds", *WORDS, "--sketch-seed", "3"),
         "--sketch-seed is of a sketch; give --sketch M, its number of rows"),
        (("bounds", "--samples", "101,105", "--batch", "10"),
         "101 and 105 samples are the same 10 steps of batch 10; give multiples of the batch"),
        (("sizes", *WORDS, "--precision", NOISE, "--size", "4", "--sketch", "5"),
         "--size and --sketch both say how many rows the model has; give one"),
        (("allocate", "--precision", "fp", "--samples", "9", "--sketch", "5"),
         "allocate chooses how many rows a sketch has; leave --sketch out and give --model "
         "sketch"),
        (("allocate", "--precision", "fp", "--samples", "9", "--bits", "d:int4=8"),
         "--bits of 'd:int4', which is none of --precision"),
        (("limit", "--scales", "q=3"),
         "cannot read --scales 'q=3'; write it like w=0.1, with a part of d, l, w, a, g, post"),
        (("limit", "--scales", "w=3,w=4"), "--scales gives w twice, 3 and 4"),
        (("limit", "--scales", "w=-1"),
         "the scale of w is -1.0; accepted is a finite number above 0"),
    ],
)  # fmt: skip
def test_what_theory_refuses(words: tuple[str, ...], message: str, shell) -> None:
    result = shell("theory", *words)
    assert (result.exit_code, result.stderr) == (1, f"error: {message}\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'lam.txt' holds no number; accepted is one eigenvalue a word"),
        ("1 x", "cannot read 'x' as a number; write a finite number like 1.3B, 20M, 4k, 1e21 or "
         "1,300,000"),
        ("1 -2", "spectrum[1] is -2.0; accepted are finite numbers of at least 0"),
    ],
)  # fmt: skip
def test_what_a_spectrum_file_may_hold(text: str, message: str, shell, tmp_path: Path) -> None:
    (tmp_path / "lam.txt").write_text(text, encoding="utf-8")
    assert shell("theory", "limit", "--spectrum", "lam.txt").stderr == f"error: {message}\n"


def test_a_file_that_is_no_array_is_no_spectrum(shell, tmp_path: Path) -> None:
    (tmp_path / "lam.npy").write_text("1 2 3", encoding="utf-8")
    said = shell("theory", "limit", "--spectrum", "lam.npy").stderr
    assert said.startswith("error: cannot read 'lam.npy' as .npy: ")


@pytest.mark.parametrize("verb", [("training",), ("sizes",), ("sizes", "--equal-risk")])
def test_a_share_of_the_limit_is_said_as_a_number(verb: tuple[str, ...], shell) -> None:
    words = ("--dim", "50", "--samples", "100", "--precision", "d:add(0.1)")
    expected = il.linear.excess_risk(Regression(50), SGD(100), "d:add(0.1)").step_size
    (row,) = data(shell, *verb, *words)[verb[0]]
    assert row["gamma"] == pytest.approx(expected, rel=1e-12)
    assert f"0.5 limit = {expected:.4g}" in shell("theory", *verb, *words).stdout


def test_an_array_of_two_columns_is_no_spectrum(shell, tmp_path: Path) -> None:
    np.save(tmp_path / "lam.npy", np.ones((2, 3)))
    said = shell("theory", "limit", "--spectrum", "lam.npy").stderr
    assert said == (
        "error: 'lam.npy' holds an array of shape (2, 3) and type float64; accepted is one row of "
        "numbers\n"
    )


# ---- a problem from data
@pytest.fixture
def sample(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    data = rng.normal(size=(40, 3)) * [2, 1, 0.5]
    np.save(tmp_path / "x.npy", data)
    table = pl.DataFrame(data, schema=["a", "b", "c"])
    table = table.with_columns(y=table["a"] - table["c"] + rng.normal(size=40))
    table.write_csv(tmp_path / "x.csv")
    table.with_columns(word=pl.lit("x")).write_parquet(tmp_path / "words.parquet")
    return tmp_path


def test_data_give_spectrum_target_and_noise(shell, sample: Path) -> None:
    table = pl.read_csv(sample / "x.csv")
    features = table.drop("y").to_numpy()
    plain, fitted = Regression.from_data(features), Regression.from_data(features, table["y"])
    found = il.simulate(fitted, {"steps": [50]})["loss"][0]
    words = ("--features", "x.csv", "--labels", "y", "--steps", "50", "--json")
    assert json.loads(shell("simulate", *words).stdout)["runs"][0]["loss"] == pytest.approx(found)
    (row,) = data(shell, "limit", "--features", "x.npy")["limit"]
    assert row["limit"] == pytest.approx(il.linear.stability_limit(plain, SGD(1)))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--labels", "y"), "--labels is a column of --features; give the file too"),
        (("--features", "x.csv", "--labels", "z"),
         "'x.csv' has no column 'z'; there are a, b, c, y"),
        (("--features", "x.npy", "--labels", "z"),
         "'x.npy' has no column 'z'; labels are a column of a table"),
        (("--features", "words.parquet"),
         "column 'word' of 'words.parquet' is no number; leave it out of the file"),
        (("--features", "x.txt"), "cannot read 'x.txt'; data are .npy .csv .tsv .parquet"),
        (("--features", "none.csv"), "cannot use 'none.csv': No such file or directory"),
        (("--features", "x.npy", "--dim", "5"), "--dim 5 is not the 3 of 'x.npy'; leave --dim out"),
        (("--features", "x.npy", "--spectrum", "exp 1"),
         "--spectrum and --features both give the eigenvalues; give one"),
    ],
)  # fmt: skip
def test_what_data_are_refused(words: tuple[str, ...], message: str, shell, sample: Path) -> None:
    assert shell("theory", "limit", *words).stderr == f"error: {message}\n"


# ---- effective sizes
def test_effective_sizes_are_those_of_the_notebook(shell) -> None:
    words = (*WORDS, "--size", "10,20", "--precision", "d:add(0.01),a:vec(0.1)")
    found = data(shell, "sizes", *words)["sizes"]
    for row, (precision, size) in zip(
        found, itertools.product(("d:add(0.01)", "a:vec(0.1)"), (10, 20)), strict=True
    ):
        expected = il.linear.effective_sizes(P, D, precision, size=size)
        assert row["precision"] == precision
        assert (row["effective_size"], row["effective_samples"], row["additive_error"]) == (
            expected.model_size, expected.samples, expected.additive_error,
        )  # fmt: skip
    one = shell("theory", "sizes", *WORDS, "--precision", "d:add(0.01)").stdout
    expected = str(il.linear.effective_sizes(P, D, "d:add(0.01)"))
    assert [line for line in expected.splitlines() if line not in one] == []


def test_sizes_of_equal_risk_are_those_of_the_notebook(shell) -> None:
    words = (*WORDS, "--size", "20", "--precision", "d:add(0.01)", "--equal-risk")
    text = shell("theory", "sizes", *words).stdout
    assert str(il.linear.equal_risk_size(P, 20, D, "d:add(0.01)")) in text
    assert str(il.linear.equal_risk_samples(P, D, "d:add(0.01)", size=20)) in text
    (row,) = data(shell, "sizes", *words)["sizes"]
    assert row["equal_size"] == il.linear.equal_risk_size(P, 20, D, "d:add(0.01)").value


def test_samples_that_are_none_say_why(shell) -> None:
    words = ("--dim", "979", "--decay", "2.29", "--noise-var", "2.5", "--target", "source 2.09",
             "--steps", "350509", "--batch", "32", "--step-size", "0.111 limit", "--schedule",
             "geometric", "--size", "13", "--iterate", "last", "--precision",
             "d:add(0.0011)")  # fmt: skip
    (none,) = data(shell, "sizes", *words)["sizes"]
    assert none["effective_samples"] is None
    assert none["reason"] in shell("theory", "sizes", *words).stdout


def test_a_run_worse_than_no_training_is_worth_none(shell) -> None:
    words = ("--dim", "20", "--decay", "1.5", "--noise-var", "100", "--target", "0.01", "--steps",
             "500", "--precision", "a:add(50)", "--iterate", "last")  # fmt: skip
    (row,) = data(shell, "sizes", *words)["sizes"]
    assert (row["effective_samples"], row["effective_size"]) == (0, 20)


@pytest.mark.parametrize(
    ("precision", "inputs", "name"),
    [("d:add(0.1)", "in use", "floor"), ("d:add(0.1) -> w4", "clean", "rounding")],
)
def test_what_no_direction_has_is_said(precision: str, inputs: str, name: str, shell) -> None:
    words = ("directions", *WORDS, "--precision", precision, "--inputs", inputs)
    found = data(shell, *words)
    whole = il.linear.excess_risk(P, D, precision, "average", inputs)
    assert found["risk"] == whole.value
    assert sum(row["risk"] for row in found["directions"]) + found[name] == pytest.approx(
        whole.value, rel=1e-12
    )
    said = f"the whole risk is {whole.value:.6g}, of which {name} {found[name]:.6g} in no direction"
    assert said in shell("theory", *words).stdout
