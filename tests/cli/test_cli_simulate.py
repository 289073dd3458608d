"""``isoloss simulate``: an option is an argument of the notebook; a refusal is one sentence."""

import json
from pathlib import Path

import pytest

import isoloss as il
from isoloss.linear import SGD, Regression, Scales

DRAWN = {"method": "sampled", "replicates": 20}
SAMPLED = ("--method", "sampled", "--replicates", "20")


@pytest.mark.parametrize(
    ("words", "problem", "grid", "options"),
    [
        (("--kurtosis", "3,6"), Regression(100), {"kurtosis": [3, 6]}, {}),
        (("--dim", "30", "--sketch", "8", "--sketch-seed", "0,1", "--site", "after,before",
          "--precision", "d:int4~sr"), Regression(30, sketch=8),
         {"site": ["after", "before"], "seed": [0, 1], "precision": ["d:int4~sr"]}, {}),
        (("--precision", "d:int4~sr", "--scales", "d=0.2"), Regression(100),
         {"precision": ["d:int4~sr"]}, {"scales": Scales(d=0.2)}),
        (("--spectrum", "exp 0.3", "--dim", "20", "--target", "isotropic"),
         Regression.exponential(20, 0.3, target="isotropic"), {}, {}),
        (("--dim", "20", "--passes", "1,4", *SAMPLED), Regression(20), {"passes": [1, 4]}, DRAWN),
        (("--dim", "20", "--stored", "fp,int4", *SAMPLED), Regression(20),
         {"stored": ["fp", "int4"]}, DRAWN),
        (("--dim", "20", "--stored", "int4", "--error-feedback", "off,on", *SAMPLED),
         Regression(20), {"stored": ["int4"], "error_feedback": [False, True]}, DRAWN),
    ],
)  # fmt: skip
def test_an_option_is_an_argument_of_the_notebook(
    words, problem: Regression, grid: dict, options: dict, shell
) -> None:
    said = shell("simulate", "--steps", "40", "--step-size", "0.05", *words, "--json")
    rows = json.loads(said.stdout)["runs"]
    expected = il.simulate(problem, {"steps": [40], **grid}, SGD(1, step_size=0.05), **options)
    assert sorted(row["loss"] for row in rows) == sorted(expected["loss"].tolist())
    assert {row["precision"] for row in rows} == set(expected["precision"])


def test_rows_say_what_differs(shell, tmp_path: Path) -> None:
    words = ("--dim", "20", "--steps", "40", "--stored", "int4", "--error-feedback", "off,on")
    text = shell("simulate", *words, *SAMPLED, "-o", str(tmp_path / "t.csv")).stdout
    _, _, head, *rows = text.splitlines()
    assert head.split()[5:8] == ["precision", "error", "feedback"]
    assert [row.split()[5] for row in rows] == ["off", "on"]
    kept = il.read(tmp_path / "t.csv")
    assert (kept["loss_se"] > 0).all()
    assert kept.columns.count("stored") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--passes", "4"),
         "several passes, stored weights and error feedback have no exact risk; use "
         "--method sampled"),
        (("--passes", "3", *SAMPLED),
         "40 steps do not make 3 passes; give steps that are a multiple of passes"),
        (("--error-feedback", "on", *SAMPLED),
         "error_feedback keeps the rounding error of stored weights; give their format with "
         "--stored"),
        (("--error-feedback", "maybe", *SAMPLED),
         "--error-feedback is 'maybe'; accepted are off, on"),
        (("--sketch", "8", "--site", "inside"),
         "unknown site 'inside'; accepted are 'after', 'before'"),
        (("--sketch", "8", "--kurtosis", "6"),
         "a sketch needs normal features, kurtosis 3, not 6.0"),
        (("--study", "list", "-o", "l.csv"),
         "--study list shows the studies and takes no --steps"),
        (("--site", "before"), "--site is of a sketch; give --sketch M, its number of rows"),
        (("--replicates", "20"),
         "replicates is 20, but method 'exact' draws nothing; leave it out or use "
         "--method sampled"),
        (("--scales", "w=0.1"),
         "the scale of w is 0.1, but no precision here rounds w to an integer or a float of that "
         "scale; leave it out"),
        (("--scales", "0.1"),
         "cannot read --scales '0.1'; write it like w=0.1, with a part of d, l, w, a, g, post"),
    ],
)  # fmt: skip
def test_what_simulate_refuses(shell, words: tuple[str, ...], message: str) -> None:
    result = shell("simulate", "--steps", "40", *words)
    assert (result.exit_code, result.stderr) == (1, f"error: {message}\n")
