"""The work of a run on ranks, here on one of them: cut off and taken up, stopped by its sweep,
kept; and what is refused.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from isoloss.cli.arguments import training_options
from isoloss.formats import Format
from isoloss.lm import Language, ModelError, Recipe, foreseen, load_checkpoint, model_of, train
from isoloss.lm.parallel import ParallelTrainer, Ranks, ranks_on, read_state, save_state
from isoloss.lm.parallel.part_rounding import asked
from isoloss.lm.sweeps.parallel_run import Company, ParallelRun
from isoloss.lm.sweeps.parallel_sweep import runs_of
from isoloss.lm.training import KINDS, CheckpointError, Job, Parallel, Trainer, finished
from isoloss.runs import ClaimLost, Run, StoreError

CORPUS = Language(vocab=32, context=16)
RECIPE = Recipe(sequences=4, validation=4, compiled=False)
STEPS = 8
DDP = Parallel()


class Cut(Exception):
    """The machine is gone."""


class Notebook:
    """A watch that keeps rows in a dictionary, and raises at a moment."""

    def __init__(self, run: ParallelRun, folder: Path, rows: dict[str, Any], cut: int = 99):
        self.rows, self.folder, self.cut = rows, folder, cut
        self.missing = frozenset(run.prefix.rows(run.job)) - set(rows)
        self.problem: type[Exception] = Cut
        self.leaving = False
        self.said: list[str] = []
        self.shares: list[float] = []
        folder.mkdir(exist_ok=True)

    def add(self, run: Run, **extra: Any) -> None:
        self.rows[run.key or ""] = (replace(run, cost=None), extra)

    def tell(self, share: float, loss: float | None = None) -> None:
        self.shares.append(share)
        self.cut -= 1
        if self.cut < 0:
            raise self.problem

    def say(self, sentence: str) -> None:
        self.said.append(sentence)


@pytest.fixture
def ranks() -> Iterator[Ranks]:
    with ranks_on("cpu") as met:
        yield met


def job(precision: str = "w4~sr a4", parallel: Parallel | None = DDP, **recipe: Any) -> Job:
    tokens, used = STEPS * RECIPE.sequences * CORPUS.context, replace(RECIPE, **recipe)
    return Job.of(model_of("3k", CORPUS.vocab), tokens, precision, CORPUS, used, parallel=parallel)


def run_of(ranks: Ranks, one: Job, keep: Path | None = None, post: Any = ()) -> ParallelRun:
    (prefix,) = runs_of([one], post, keep)
    return ParallelRun(replace(prefix, every=0.0), Company(ranks))


def row_alone(one: Job) -> Run:
    trainer = Trainer(replace(one, parallel=None))
    trainer.advance(one.steps, one.steps, one.recipe)
    return finished(trainer.ended()[0], replace(one, parallel=None)).run


@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_cut_off_anywhere_one_rank_ends_with_the_run_of_one_process(
    kind: Any, ranks: Ranks, tmp_path: Path
) -> None:
    one, rows, cuts = job(parallel=Parallel(kind)), {}, 0
    while not rows:
        run = run_of(ranks, one)
        try:
            run(Notebook(run, tmp_path, rows, cut=1 + cuts))  # type: ignore[arg-type]
        except Cut:
            cuts += 1
            assert [path.name for path in tmp_path.glob("*.json")] == ["state.json"]
    assert cuts >= 2
    (found, extra) = rows[one.key]
    assert extra == {"parallel": kind, "micro_batches": 1, "ranks": "1"}
    assert found.loss == row_alone(one).loss  # one rank sums in the order of one process
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_that_stops_is_heard_by_all_between_two_steps(ranks: Ranks, tmp_path: Path) -> None:
    run = run_of(ranks, job())
    watch = Notebook(run, tmp_path, {}, cut=3)
    watch.problem = ClaimLost
    with pytest.raises(ClaimLost):
        run(watch)  # type: ignore[arg-type]
    assert len(watch.shares) == 4
    assert run.company.lost is None
    again = Notebook(run, tmp_path, watch.rows)
    run(again)  # type: ignore[arg-type]
    assert again.shares[0] == 5 / STEPS  # the steps after the last state are taken again
    assert again.rows[run.job.key][0].loss == row_alone(run.job).loss


def test_ranks_that_lost_each_other_train_no_further_run(ranks: Ranks, tmp_path: Path) -> None:
    run = run_of(ranks, job())
    with pytest.raises(Cut):
        run(Notebook(run, tmp_path, {}, cut=3))  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="the ranks lost each other before"):
        run(Notebook(run, tmp_path, {}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("file", "content"),
    [("state.json", b"{"), ("state.json", b'{"schema": 1}'), ("state-*/__0_0.distcp", b"PK")],
)
def test_a_damaged_state_is_said_and_its_steps_taken_again(
    file: str, content: bytes, ranks: Ranks, tmp_path: Path
) -> None:
    run = run_of(ranks, job())
    with pytest.raises(Cut):
        run(Notebook(run, tmp_path, {}, cut=3))  # type: ignore[arg-type]
    (path,) = tmp_path.glob(file)
    path.write_bytes(content)
    run = run_of(ranks, job())
    watch = Notebook(run, tmp_path, {})
    run(watch)  # type: ignore[arg-type]
    (said,) = watch.said
    assert said.startswith("the state state.json is damaged: ")
    assert said.endswith("; its steps are taken again")
    assert watch.rows[run.job.key][0].loss == row_alone(run.job).loss


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"seconds": 1e6}, "it is not what was written"),
        ({"taken": [[1, 1]]}, "it is not what was written"),
        ({"step": 1}, "it is not what was written"),
        ({"sha256": "0"}, "it is not what was written"),
        ({"sha256": None, "step": 1}, "its step is 1 and its state 'state-3'"),
        ({"sha256": None, "state": "../state-3"}, "its step is 3 and its state '../state-3'"),
        ({"sha256": None, "taken": [[1]]}, "its seconds or the ranks that took its steps are none"),
        ({"sha256": None}, None),  # as older ones are
        ({}, None),
    ],
)
def test_a_note_that_was_changed_is_damaged_and_an_older_one_is_read(
    change: dict[str, object], why: str | None, ranks: Ranks, tmp_path: Path
) -> None:
    trainer = ParallelTrainer(job(), ranks)
    trainer.advance(3, STEPS, RECIPE)
    save_state(tmp_path, "state", trainer)
    note = tmp_path / "state.json"
    told = json.loads(note.read_text()) | change
    note.write_text(json.dumps({name: each for name, each in told.items() if each is not None}))
    other = ParallelTrainer(job(), ranks)
    if why is None:
        assert read_state(tmp_path, "state", other)
        assert (other.step, other.seconds) == (3, trainer.seconds)
        assert other.taken == trainer.taken
    else:
        with pytest.raises(CheckpointError, match=re.escape(f"state.json is damaged: {why}")):
            read_state(tmp_path, "state", other)


def test_a_full_disk_is_said_once_and_nothing_is_lost(
    ranks: Ranks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    run = run_of(ranks, job())
    watch = Notebook(run, tmp_path, {})
    run(watch)  # type: ignore[arg-type]
    (said,) = watch.said
    assert said.startswith("cannot write the state state-")
    assert "No space left on device" in said
    assert watch.rows[run.job.key][0].loss == row_alone(run.job).loss


def test_a_model_that_was_kept_is_quantised_without_a_step(ranks: Ranks, tmp_path: Path) -> None:
    one, keep = job("w4 a4"), tmp_path / "models"
    run, rows = run_of(ranks, one, keep), {}
    run(Notebook(run, tmp_path / "work", rows))  # type: ignore[arg-type]
    kept = load_checkpoint(keep / f"{one.key}.safetensors")
    assert kept.run.loss == rows[one.key][0].loss
    run = run_of(ranks, one, keep, "w3")
    later = Notebook(run, tmp_path / "work", rows)
    run(later)  # type: ignore[arg-type]
    assert later.shares == []
    assert len(rows) == 2


def test_a_run_that_diverges_ends_on_every_rank(ranks: Ranks, tmp_path: Path) -> None:
    run, rows = run_of(ranks, job("fp", lr=1e6, clip=1e9, schedule="constant")), {}
    run(Notebook(run, tmp_path, rows))  # type: ignore[arg-type]
    assert rows[run.job.key][0].status == "diverged"


def test_how_a_run_is_shared_out_is_part_of_its_key() -> None:
    ways = [None, Parallel("ddp"), Parallel("fsdp"), Parallel("ddp", 2)]
    assert len({job(parallel=way).key for way in ways}) == 4
    assert "parallel" not in job(parallel=None).settings


@pytest.mark.parametrize(
    ("known", "axis", "axes", "wanted"),
    [
        ("int4/row", 0, 3, "nothing"),
        ("int4/16", 0, 3, "nothing"),
        ("mxfp4", 0, 3, "nothing"),
        ("bf16", -1, 2, "nothing"),
        ("int4/tensor", 0, 3, "ends"),
        ("e4m3/tensor~sr", 0, 3, "ends"),
        ("nvfp4", 0, 3, "ends"),
        ("uint4/tensor", 0, 3, "ends"),
        ("int4/row", -1, 2, "batch"),
        ("ternary/tensor", 0, 3, "batch"),
        ("int4/tensor+clip", 0, 3, "batch"),
        ("nvfp4+had", 0, 3, "batch"),
        ("int4/tensor@quest", 0, 3, "batch"),
        ("vec(0.1)", 0, 3, "batch"),
        ("int4/4x4", 0, 3, "nothing"),
        ("int4/4x4", 0, 2, "batch"),
    ],
)
def test_what_a_rank_asks_of_the_others(known: str, axis: int, axes: int, wanted: str) -> None:
    assert asked(Format.parse(known), axis, axes) == wanted


def test_a_worker_that_must_leave_keeps_its_state_at_the_next_step(
    ranks: Ranks, tmp_path: Path
) -> None:
    run = run_of(ranks, job())
    run = ParallelRun(replace(run.prefix, every=1e9), run.company)
    watch = Notebook(run, tmp_path, {}, cut=4)
    watch.leaving = True
    with pytest.raises(Cut):
        run(watch)  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.glob("state-*")] == ["state-5"]


def test_states_are_kept_in_the_folder_that_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def reading(folder: Path, *others: Any) -> bool:
        seen.append(folder)
        return read_state(folder, *others)

    monkeypatch.setattr("isoloss.lm.sweeps.parallel_run.read_state", reading)
    store, folder = tmp_path / "runs.db", tmp_path / "shared"
    train(GRID, recipe=RECIPE, store=store, folder=folder, parallel="ddp", show=False)
    (place,) = seen
    assert place.is_relative_to(folder)


def test_a_price_is_that_of_all_ranks_of_a_run(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    train(GRID, recipe=RECIPE, store=store, parallel="ddp", show=False)
    more = GRID | {"tokens": [2048, 4096]}
    sized = foreseen(more, recipe=RECIPE, store=store, parallel="ddp", price=7.0).sized
    assert sized is not None
    assert sized.money == pytest.approx(7.0 * sized.hours)
    assert sized.places == 1


GRID = {"params": "3k", "tokens": 2048, "precision": "w4"}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"parallel": "tp"}, "parallel is 'tp'; accepted are ddp, fsdp"),
        ({"micro_batches": 2}, "micro_batches are of a run on ranks; give parallel='ddp'"),
        ({"parallel": "ddp", "micro_batches": 0}, "micro_batches is 0; accepted is a whole number"),
        ({"parallel": "ddp", "micro_batches": 3}, "a batch of 16 sequences is not parted evenly "
         "among 1 ranks and 3 micro-batches; choose sequences that 3 divides"),
        ({"parallel": "ddp", "cells": True}, "cells and parallel both say who trains"),
        ({"parallel": "ddp", "workers": 2}, "workers and parallel both say who trains"),
        ({"parallel": "fsdp", "post": "w3"}, "post quantises a whole model on one device and fsdp"),
        ({"parallel": "ddp", "recipe": Recipe(device="mps")}, "ranks train on cpu or cuda, not on"),
        ({"parallel": "ddp", "recipe": Recipe(device="cuda:1")}, "device 'cuda:1' is one GPU and"),
        ({"parallel": "ddp", "task": "mine"}, "ranks train decoders together, and a task has a"),
        ({"parallel": "fsdp", "grid": GRID | {"precision": "w4@lsq"}}, "has learned steps, which"),
    ],
)  # fmt: skip
def test_what_is_refused(more: dict[str, Any], message: str, tmp_path: Path) -> None:
    grid = more.pop("grid", GRID)
    with pytest.raises(ModelError) as refused:
        train(grid, store=tmp_path / "runs.db", show=False, **more)
    assert str(refused.value).startswith(message) or message in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_the_help_lists_the_kinds_that_there_are() -> None:
    assert training_options.PARALLEL == KINDS


def test_processes_of_torchrun_that_share_nothing_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "3", "RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ModelError, match="torchrun started 3 processes and nothing says what"):
        train(GRID, store=tmp_path / "runs.db", show=False)
    with pytest.raises(ModelError, match="16 sequences is not parted evenly among 3 ranks; choose"):
        train(GRID, store=tmp_path / "runs.db", parallel="ddp", show=False)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"this torch has no NCCL|finds 0 GPUs"):
        train(GRID, recipe=Recipe(device="cuda"), parallel="ddp", show=False)
