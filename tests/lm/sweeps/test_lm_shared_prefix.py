"""Trunks: every run has the numbers that it has alone, wherever the work was cut off and taken up
again.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from isoloss.formats import Precision
from isoloss.lm import Language, Recipe, load_checkpoint, post_run, train_one
from isoloss.lm.sweeps.shared_prefix import SharedPrefix
from isoloss.lm.training.job import Job, in_batches
from isoloss.runs import Decoder, Run

LANGUAGE = Language(vocab=64, context=16)
SHAPE = Decoder(2, 32, 4, 64, ffn=48)
RECIPE = Recipe(sequences=8, validation=16, compiled=False, warmup=3, decay=0.4, schedule="wsd")
STEP = 8 * 16
POST = (Precision("w3"), Precision("w4 a4"))


class Cut(Exception):
    """The machine is gone."""


class Notebook:
    """A watch that keeps rows in a dictionary, and can break off at a moment."""

    leaving = False

    def __init__(
        self,
        prefix: SharedPrefix,
        folder: Path,
        rows: dict[str, Any] | None = None,
        cut: int | None = None,
    ):
        self.rows: dict[str, Any] = {} if rows is None else rows
        self.missing = frozenset(k for job in prefix.jobs for k in prefix.rows(job)) - set(
            self.rows
        )
        self.folder, self.cut, self.said, self.shares = folder, cut, [], [0.0]

    def add(self, run: Run, **extra: Any) -> None:
        self._moment()
        assert run.key is not None
        row = (replace(run, cost=None), extra)
        assert self.rows.setdefault(run.key, row) == row

    def tell(self, share: float, loss: float | None = None) -> None:
        self.shares.append(share)
        self._moment()

    def say(self, sentence: str) -> None:
        self.said.append(sentence)

    def _moment(self) -> None:
        if self.cut is not None:
            self.cut -= 1
            if self.cut < 0:
                raise Cut


def jobs(precision: str = "w4 a8", **settings: Any) -> tuple[Job, ...]:
    """Three decayed token counts and an undecayed one on one prefix."""
    wanted = [(10, "wsd"), (15, "wsd"), (20, "wsd"), (9, "constant")]
    recipes = [
        (steps, replace(RECIPE, schedule=schedule, **settings)) for steps, schedule in wanted
    ]  # type: ignore[arg-type]
    return tuple(Job.of(SHAPE, s * STEP, precision, LANGUAGE, r, seed=1) for s, r in recipes)


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    """The rows of the same runs, each trained by itself."""
    rows: dict[str, Any] = {}
    for job in jobs():
        done = train_one(SHAPE, job.tokens, "w4 a8", corpus=LANGUAGE, recipe=job.recipe, seed=1)
        rows[job.key] = (replace(done.run, cost=None), {})
        for post in POST:
            run, extra = post_run(done.run, post, done.model, LANGUAGE.validation(16), LANGUAGE)
            rows[run.key or ""] = (replace(run, cost=None), extra)
    return rows


def test_runs_of_a_trunk_are_the_runs_alone(tmp_path: Path, alone: dict[str, Any]) -> None:
    prefix = SharedPrefix(jobs(), POST)
    assert len({job.prefix for job in jobs()}) == 1
    assert prefix.steps == 12 + 4 + 6 + 8
    watch = Notebook(prefix, tmp_path)
    prefix(watch)
    assert watch.rows == alone
    assert watch.shares == sorted(watch.shares)
    assert watch.shares[-1] == 1.0


@pytest.mark.parametrize("every", [0.0, 1e9])
def test_cut_off_anywhere_it_ends_with_the_same_rows(
    tmp_path: Path, alone: dict[str, Any], every: float
) -> None:
    """Cut off every few moments, each time later: at every step of prefix and branches, and between
    rows.
    """
    prefix, rows, cuts = SharedPrefix(jobs(), POST, every=every), {}, 0
    while True:
        watch = Notebook(prefix, tmp_path, rows, cut=3 + cuts)
        try:
            prefix(watch)
            break
        except Cut:
            cuts += 1
    assert rows == alone
    assert cuts > 3
    assert not watch.said


def test_a_cell_cut_off_anywhere_ends_with_the_same_rows(tmp_path: Path) -> None:
    (cell,) = in_batches([*jobs(), *jobs("w3~sr")])
    undisturbed = Notebook(prefix := SharedPrefix(tuple(cell), POST), tmp_path / "undisturbed")
    prefix(undisturbed)
    assert len(undisturbed.rows) == 2 * 4 * 3
    assert undisturbed.shares == sorted(undisturbed.shares)
    prefix, rows, cuts = SharedPrefix(tuple(cell), POST, every=0.0), {}, 0
    while True:
        try:
            prefix(Notebook(prefix, tmp_path / "cut", rows, cut=3 + 2 * cuts))
            break
        except Cut:
            cuts += 1
    assert rows == undisturbed.rows
    assert cuts > 3


def test_a_damaged_state_is_said_and_its_steps_taken_again(
    tmp_path: Path, alone: dict[str, Any]
) -> None:
    prefix, rows = SharedPrefix(jobs(), POST, every=0.0), {}
    with pytest.raises(Cut):
        prefix(Notebook(prefix, tmp_path, rows, cut=14))
    files = sorted(tmp_path.iterdir())
    assert files
    for file in files:
        file.write_bytes(file.read_bytes()[:-7])
    watch = Notebook(prefix, tmp_path, rows)
    prefix(watch)
    assert rows == alone
    assert all(
        "is damaged" in said and said.endswith("; its steps are taken again") for said in watch.said
    )
    assert watch.said


def test_a_full_disk_is_said_once_and_nothing_is_lost(
    tmp_path: Path, alone: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    watch = Notebook(prefix := SharedPrefix(jobs(), POST, every=0.0), tmp_path)
    prefix(watch)
    assert watch.rows == alone
    assert watch.said == [
        "cannot write the checkpoint trunk.safetensors: No space left on device; training goes on "
        "without one"
    ]


def test_models_that_were_kept_are_not_trained_again(tmp_path: Path, alone: dict[str, Any]) -> None:
    keep = tmp_path / "models"
    first = Notebook(prefix := SharedPrefix(jobs(), keep=keep), tmp_path)
    prefix(first)
    assert {key: alone[key] for key in first.rows} == first.rows
    for key in first.rows:
        assert (
            replace(load_checkpoint(keep / f"{key}.safetensors").run, cost=None)
            == first.rows[key][0]
        )
    later = Notebook(prefix := SharedPrefix(jobs(), POST, keep=keep), tmp_path, first.rows)
    prefix(later)
    assert later.rows == alone
    assert later.shares == [0.0]  # not a step


def test_a_kept_model_that_is_damaged_is_trained_again(
    tmp_path: Path, alone: dict[str, Any]
) -> None:
    (job,) = jobs()[:1]
    file = tmp_path / f"{job.key}.safetensors"
    file.write_bytes(b"no model")
    watch = Notebook(prefix := SharedPrefix((job,), POST, keep=tmp_path), tmp_path / "work")
    prefix(watch)
    assert watch.rows == {key: alone[key] for key in prefix.rows(job)}
    assert "is damaged" in watch.said[0]
    assert load_checkpoint(file).run.key == job.key


def test_a_diverged_trunk_gives_diverged_rows(tmp_path: Path) -> None:
    prefix = SharedPrefix(jobs("fp", lr=1e6, clip=1e9), POST)
    watch = Notebook(prefix, tmp_path)
    prefix(watch)
    assert len(watch.rows) == 12
    assert {run.status for run, _ in watch.rows.values()} == {"diverged"}
