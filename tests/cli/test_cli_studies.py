"""Studies on the command line: each with other parameters, saved and drawn, and nothing lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import Result

import isoloss as il
from isoloss.linear import STUDIES, Study

#: Words that change every study and make it small.
WORDS = {
    "samples": "--dim 20 --decay 1.5 --samples 100,1k --set eps=0.02,0.05",
    "dims": "--dim 10,20 --samples 100,1000 --noise-var 0.5 --set eps=0.02",
    "batch": "--dim 20 --decay 1.5 --batch 1,4 --steps 100 --set part=w,a",
    "dimension": "--dim 20,40,80 --samples 500 --schedule geometric --set factor=0.1",
    "spectrum": "--dim 12 --samples 400 --seed 3 --precision int4,e4m3",
    "sketch": "--dim 40 --sketch 4,8 --samples 1000 --seed 1 --set eps=0.05",
    "divergence": "--dim 20,40 --steps 200 --batch 2 --set eps=0.01",
    "integers": "--dim 10 --samples 500 --step-size 0.05 --set grid_step=0.1,0.5",
    "elementwise": "--dim 40 --sketch 4,8 --samples 1000 --set factor=0.1",
    "momentum": "--dim 10 --momentum 0,0.8 --steps 50,100 --batch 2",
    "biased": "--dim 6 --steps 20 --replicates 8 --seed 2 --set grid_step=0.2,0.8",
    "passes": "--dim 6 --samples 20 --replicates 8 --set passes=1,2",
    "bounds": "--dim 10 --steps 100,300 --decay 1.5",
    "network-spectrum": "--dim 6 --steps 10,30 --replicates 10 --set width=4 --set tests=64",
    "network-batch": "--dim 6 --batch 2,8 --steps 20 --replicates 10 --set width=4",
    "network-dimension": "--dim 4,8 --steps 20 --replicates 10 --set width=4",
    "network-floor": "--dim 6 --steps 20,40 --replicates 10 --set width=4 --set eps=0.01,0.1",
    "network-width": "--dim 8 --steps 20 --replicates 10 --set width=2,4 --set teacher_width=8",
}
Shell = Callable[..., Result]


def test_every_shipped_study_is_changed_below() -> None:
    assert [name for name in STUDIES if STUDIES.is_shipped(STUDIES.home(name))] == list(WORDS)


@pytest.mark.parametrize("name", WORDS)
def test_every_study_is_saved_and_drawn_with_other_parameters(
    shell: Shell, tmp_path: Path, name: str
) -> None:
    words = ("simulate", "--study", name, *WORDS[name].split())
    result = shell(*words, "-o", "t.csv", "--plot", "t.svg")
    assert result.exit_code == 0, result.stderr
    assert result.stderr.splitlines()[-1] == "drew t.svg"
    table = pl.read_csv(tmp_path / "t.csv")
    assert f"saved {len(table)} rows as t.csv" in result.stderr
    assert sorted(each.name for each in tmp_path.iterdir()) == ["t.csv", "t.svg"]
    if name in ("biased", "passes"):
        assert table["risk_se"].max() > 0
        cost = table.filter(pl.col("way") != "full precision")
        assert cost["difference_se"].max() > 0
        assert cost["difference_se"].null_count() == 0


def test_a_saved_study_of_runs_is_read_as_runs(shell: Shell, tmp_path: Path) -> None:
    shell("simulate", "--study", "samples", *WORDS["samples"].split(), "-o", "t.parquet")
    runs = il.read(tmp_path / "t.parquet")
    assert len(runs) == 12
    assert set(runs["metric"]) == {"excess_risk"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("batch", "--sketch", "10"), "the study 'batch' has no parameter 'sketch'; it has dim, "
         "decay, noise_var, noise, eps, part, batch, steps, step_size, schedule, iterate, inputs"),
        (("batch", "--iterate", "best"), "unknown iterate 'best'; accepted are"),
        (("batch", "--replicates", "1000"), "the study 'batch' has no parameter 'replicates'"),
        (("batch", "--dim", "10,20"), "dim of the study 'batch' takes one value, not"),
        (("batch", "--dim", "ten"), "dim is 'ten'; accepted is a whole number of at least 1"),
        (("batch", "--set", "eps"), "cannot read --set 'eps'; write it like eps=0.01 or"),
        (("batch", "--dim", "10", "--set", "dim=20"), "dim is given twice"),
        (("batch", "-o", "t.xyz"), "cannot write 't.xyz': accepted endings are"),
        (("batch", "--plot", "t.csv"), "cannot write 't.csv': accepted endings are"),
        (("batch", "-o", "nowhere/t.csv"), "cannot write 'nowhere/t.csv': there is no folder"),
    ],
)  # fmt: skip
def test_what_a_study_refuses_is_said_before_any_work(
    shell: Shell, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    result = shell("simulate", "--study", *words)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith(f"error: {message}")
    assert list(tmp_path.iterdir()) == []


def test_set_is_for_studies(shell: Shell) -> None:
    result = shell("simulate", "--samples", "10", "--set", "eps=1")
    assert result.stderr.startswith("error: --set is for the parameters of a --study")


def test_a_list_of_studies_has_their_parameters(shell: Shell) -> None:
    text = shell("simulate", "--study", "list").stdout
    assert "grid_step 0.02,0.0285418,...,1" in text
    assert all(f"  {name} " in text for name in WORDS)


# ---- what is done is not lost
@pytest.fixture
def slow() -> Iterator[list[int]]:
    """A study of four points whose third stops the first time, and the points that were made."""
    made: list[int] = []
    stops = iter([KeyboardInterrupt])

    def point(k: int, x: float) -> Callable[[], pl.DataFrame]:
        def rows() -> pl.DataFrame:
            if k == 2 and (stop := next(stops, None)):
                raise stop
            made.append(k)
            return pl.DataFrame({"x": [x * (k + 1)], "y": [1 / (k + 1)], "s": ["s"], "p": ["p"]})

        return rows

    def slow_study(*, scale: float = 1.0, work: Any = None) -> Study:
        """Takes its time."""
        table = work.table([point(k, scale) for k in range(4)])
        return Study("slow", "How slow? Very.", table, "x", "y", "s", "p", ("x", "y"), ("It is.",))

    state = STUDIES.state()
    STUDIES.register("slow", slow_study)
    yield made
    STUDIES.restore(state)


def test_a_stopped_study_says_how_to_go_on_and_does(
    shell: Shell, tmp_path: Path, slow: list[int]
) -> None:
    words = ("simulate", "--study", "slow", "-o", "t.csv", "--set", "scale=2")
    stopped = shell(*words)
    assert stopped.exit_code != 0
    assert stopped.stderr.splitlines()[0] == (
        "stopped after 2 of 4 points; they are kept in t.csv.unfinished, and the same command goes "
        "on from there"
    )
    assert [each.name for each in tmp_path.iterdir()] == ["t.csv.unfinished"]
    other = shell(*words[:-1], "scale=3")
    assert other.stderr.startswith("error: 't.csv.unfinished' is of other settings")
    assert shell(*words).exit_code == 0
    assert slow == [0, 1, 2, 3]
    assert pl.read_csv(tmp_path / "t.csv")["x"].to_list() == [2, 4, 6, 8]
    assert [each.name for each in tmp_path.iterdir()] == ["t.csv"]


def test_force_begins_anew(shell: Shell, tmp_path: Path, slow: list[int]) -> None:
    words = ("simulate", "--study", "slow", "-o", "t.csv")
    shell(*words)
    assert shell(*words, "--force", "--set", "scale=3").exit_code == 0
    assert slow == [0, 1, 0, 1, 2, 3]


@pytest.mark.parametrize("output", [(), ("-o", "mine.parquet")])
def test_a_figure_that_fails_leaves_the_table(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: tuple[str, ...]
) -> None:
    def fails(*given: object, **more: object) -> None:
        raise RuntimeError("no ink")

    monkeypatch.setattr(il, "plot", fails)
    (tmp_path / "t.csv").write_text("mine")
    words = ("simulate", "--study", "bounds", *WORDS["bounds"].split(), *output, "--plot", "t.svg")
    result = shell(*words)
    kept = tmp_path / (output[1] if output else "t-2.csv")
    assert not list(tmp_path.glob("*.unfinished"))
    assert result.exit_code == 1
    assert "What the table shows" in result.stdout
    assert result.stderr.splitlines()[-1] == (
        f"error: no figure: no ink; the table is kept as {kept.name}"
    )
    assert len(pl.read_parquet(kept) if output else pl.read_csv(kept)) == 24
    assert (tmp_path / "t.csv").read_text() == "mine"


def test_a_table_that_cannot_be_written_keeps_its_points(
    shell: Shell, tmp_path: Path, slow: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    shell("simulate", "--study", "slow", "-o", "t.csv")

    def full(*given: object, **more: object) -> None:
        raise il.runs.RunsError("cannot write 't.csv': the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(Study, "save", full)
        failed = shell("simulate", "--study", "slow", "-o", "t.csv")
    assert failed.stderr.endswith("the same command goes on from there\n")
    assert shell("simulate", "--study", "slow", "-o", "t.csv").exit_code == 0
    assert slow == [0, 1, 2, 3]


def test_a_stopped_figure_leaves_the_table_or_the_points(
    shell: Shell, tmp_path: Path, slow: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*given: object, **more: object) -> None:
        raise KeyboardInterrupt

    words = ("simulate", "--study", "slow", "--plot", "t.svg")
    shell(*words)
    monkeypatch.setattr(il, "plot", stopped)
    assert shell(*words).exit_code != 0
    assert [each.name for each in tmp_path.iterdir()] == ["t.svg.unfinished"]
    assert shell(*words, "-o", "t.csv").exit_code != 0
    assert sorted(each.name for each in tmp_path.iterdir()) == ["t.csv", "t.svg.unfinished"]
    assert slow == [0, 1, 2, 3, 0, 1, 2, 3]


def test_an_error_after_some_points_says_where_they_are(shell: Shell, slow: list[int]) -> None:
    def bad(*, work: Any = None) -> Study:
        def fails() -> pl.DataFrame:
            raise ValueError("the moon is full")

        work.table([lambda: pl.DataFrame({"x": [1]}), fails])
        raise AssertionError

    STUDIES.register("bad", bad)
    result = shell("simulate", "--study", "bad")
    assert result.stderr == (
        "error: after 1 of 2 points: the moon is full; they are kept in bad.unfinished, and the "
        "same command goes on from there\n"
    )
