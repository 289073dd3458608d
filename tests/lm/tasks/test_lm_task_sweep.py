"""Modules of one's own through the store: pairing, rows, a kill anywhere, post, and a table that is
fitted with the decoder's.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import isoloss as il
from isoloss.formats import Precision
from isoloss.lm import (
    ModelError,
    Recipe,
    TrainingTask,
    foreseen,
    next_token_loss,
    train,
    train_task,
)
from isoloss.lm.sweeps.shared_prefix import SharedPrefix
from isoloss.lm.sweeps.task_jobs import task_jobs_of
from isoloss.lm.tasks import LookedOver, TaskJob, TaskTrainer
from isoloss.runs import Grid, NothingUsable, Run, Runs
from own_modules import (
    CORPUS,
    RECIPE,
    STEP,
    Plain,
    experts,
    held_pairs,
    pair_loss,
    pairs,
    plain,
    regressor,
)

TASK = TrainingTask("plain", plain, CORPUS)
OWN = TrainingTask(
    "regressor", regressor, loss=pair_loss, batches=pairs, held_out=held_pairs, context=1
)
WSD = replace(RECIPE, schedule="wsd", warmup=3, decay=0.4)
POST = (Precision("w3"), Precision("w4 a4"), Precision("w4@gptq"))


def trained(grid: Any, store: Path | None = None, task: TrainingTask = TASK, **more: Any) -> Runs:
    with ThreadPoolExecutor(1) as executor:
        given = {"recipe": RECIPE, "store": store, "executor": executor, "show": False}
        return train(grid, task=task, **given | more)


def test_precisions_start_alike_and_see_the_same_batches() -> None:
    """Dropout and all: what differs is rounding alone."""
    looked = LookedOver.of(TASK, None)
    trainers = [
        TaskTrainer(TaskJob.of(looked, 4 * STEP, precision, RECIPE, seed))
        for precision, seed in (("fp", 0), ("w16 a16", 0), ("w2 a3", 0), ("fp", 1))
    ]
    first, _, other, apart = (list(t.model.module.state_dict().values()) for t in trainers)
    assert all(torch.equal(a, b) for a, b in zip(first, other, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, apart, strict=True))
    for trainer in trainers:
        trainer.advance(4, 4, RECIPE)
    losses = np.array([t.losses for t in trainers]).squeeze(-1)
    # Sixteen bits are next to none: whatever is drawn is drawn alike.
    np.testing.assert_allclose(losses[1], losses[0], atol=2e-3)
    assert np.abs(losses[2] - losses[0]).max() > 2e-3
    assert np.abs(losses[3] - losses[0]).max() > 2e-2


@pytest.mark.parametrize(
    ("task", "precision"),
    [
        (TASK, "w4~sr a8 g8~sr"),
        (TrainingTask("experts", experts, CORPUS), "w4@quest w.stack:fp"),
        (OWN, "w3 a4"),
    ],
    ids=["dropout and batch norm", "experts", "batches of one's own"],
)
@pytest.mark.parametrize("at", [0, 1, 6])
def test_training_goes_on_to_the_last_bit(task: TrainingTask, precision: str, at: int) -> None:
    job = TaskJob.of(LookedOver.of(task, None), 10 * 4 * task.length, precision, RECIPE, 3)
    whole, first, second = TaskTrainer(job), TaskTrainer(job), TaskTrainer(job)
    whole.advance(10, 10, RECIPE)
    first.advance(at, 10, RECIPE)
    torch.rand(7)  # whatever else draws from torch in between
    second.restore(first.tensors())
    second.advance(10, 10, RECIPE)
    assert whole.losses == second.losses
    one, two = whole.tensors(), second.tensors()
    assert set(one) == set(two)
    assert all(torch.equal(one[name], two[name]) for name in set(one) - {"seconds"})


class Notebook:
    """A watch that keeps rows in a dictionary, and can break off at a moment."""

    leaving = False

    def __init__(self, prefix: SharedPrefix, folder: Path, rows: dict[str, Any], cut: int) -> None:
        self.rows, self.folder, self.cut = rows, folder, cut
        self.missing = frozenset(k for job in prefix.jobs for k in prefix.rows(job)) - set(rows)

    def add(self, run: Run, **extra: Any) -> None:
        self.tell()
        assert run.key is not None
        self.rows[run.key] = (replace(run, cost=None), extra)

    def tell(self, share: float = 0.0, loss: float | None = None) -> None:
        self.cut -= 1
        if self.cut < 0:
            raise InterruptedError

    def say(self, sentence: str) -> None:
        raise AssertionError(sentence)


@pytest.mark.parametrize(("task", "post"), [(TASK, POST), (OWN, POST[:2])], ids=["tokens", "own"])
def test_cut_off_anywhere_it_ends_with_the_same_rows(
    tmp_path: Path, task: TrainingTask, post: tuple[Precision, ...]
) -> None:
    """At every step of the shared prefix and its branches, and between rows."""
    tokens = [k * 4 * task.length for k in (5, 8)]
    jobs = task_jobs_of(Grid(tokens=tokens, precision="w4 a8"), task, WSD, list(post))
    assert len({job.prefix for job in jobs}) == 1
    prefix, rows, cuts = SharedPrefix(tuple(jobs), post, every=0.0), {}, 0
    while True:
        try:
            prefix(Notebook(prefix, tmp_path, rows, cut=1 + cuts))
            break
        except InterruptedError:
            cuts += 1
    assert cuts > 3
    whole: dict[str, Any] = {}
    undisturbed = SharedPrefix(tuple(jobs), post)
    undisturbed(Notebook(undisturbed, tmp_path / "whole", whole, cut=1000))
    assert rows == whole
    assert len(rows) == 2 * (1 + len(post))


def test_served_as_it_was_trained_a_module_is_itself(tmp_path: Path) -> None:
    runs = trained(Grid(tokens=8 * STEP, precision="w3 a4"), post=["w3", "w3 a8", "fp", "a:fp"])
    frame = {row["precision"]: row for row in runs.frame().to_dicts()}
    own = frame["w3 a4 -> w3"]
    assert (own["gap"], own["kl"]) == pytest.approx((0.0, 0.0), abs=1e-7)
    assert own["loss"] == pytest.approx(frame["w3 a4"]["loss"], abs=1e-6)
    assert abs(frame["w3 a4 -> w3 a8"]["gap"]) > 1e-4
    assert frame["w3 a4 -> a:fp"]["gap"] == pytest.approx(frame["w3 a4 -> w3 a8"]["gap"], abs=1e-2)
    shares = {name: row["rounded_share"] for name, row in frame.items()}
    assert shares == {
        "w3 a4": 1.0, "w3 a4 -> w3": 1.0, "w3 a4 -> w3 a8": 1.0, "w3 a4 -> w:fp a:fp": 0.0,
        "w3 a4 -> a:fp": 1.0,
    }  # fmt: skip
    assert {row["parent"] for row in frame.values()} == {frame["w3 a4"]["key"], None}
    bare = train_task(TASK, 8 * STEP, "w3 a4", recipe=RECIPE).module.eval()
    tokens = torch.from_numpy(CORPUS.validation(16).copy())
    with torch.no_grad():
        lifted = float(next_token_loss(bare, tokens))
    assert frame["w3 a4 -> w:fp a:fp"]["loss"] == pytest.approx(lifted, abs=1e-6)
    with pytest.raises(ModelError, match="serving differs in nothing from 'fp'; name parts"):
        trained(Grid(tokens=8 * STEP), post="fp")
    with pytest.raises(ModelError, match="'w:int4@quest' was trained on the grid of @quest, which"):
        trained(Grid(tokens=8 * STEP, precision="w4@quest"), post="a8")


def test_a_loss_of_ones_own_has_gaps_by_it(tmp_path: Path) -> None:
    runs = trained(
        Grid(tokens=[40, 80], precision=["fp", "w2 a3"]), tmp_path / "runs.db", OWN, post="w2"
    )
    frame = runs.frame()
    assert len(runs) == 8
    assert "kl" not in frame.columns
    assert set(frame["eval_set"]) == {"regressor held out, 16 sequences of 1"}
    assert frame["loss_se"].null_count() == 0
    after = frame.filter(frame["parent"].is_not_null())
    losses = dict(zip(frame["key"], frame["loss"], strict=True))
    for row in after.to_dicts():
        assert row["gap"] == pytest.approx(row["loss"] - losses[row["parent"]], abs=1e-6)
        assert row["gap_se"] > 0 or row["precision"] == "w2 a3 -> w2"
    with pytest.raises(ModelError, match="@gptq looks at tokens of a corpus, and the task 'regre"):
        trained(Grid(tokens=40), None, OWN, post="w4@gptq")


def test_the_row_of_a_run() -> None:
    done = train_task(TASK, 10 * STEP, "w4 a8", params=16, recipe=RECIPE, seed=2)
    module, run = Plain(16), done.run
    ends = 2 * 32 * 16 + 32 - 32
    count = sum(p.numel() for p in module.parameters())
    assert (run.params, run.params_embedding) == (count - ends, ends)
    assert (run.tokens, run.batch_tokens, run.unique_tokens) == (10 * STEP, STEP, 10 * STEP)
    assert (run.flops, run.flop_rule) == (6 * run.params * run.tokens, "6ND")
    assert (run.family, run.precision, run.seed, run.status) == ("plain", "w4 a8", 2, "ok")
    assert (run.params_kind, run.kernels, run.method) == (
        "non_embedding", "simulated", "straight-through",
    )  # fmt: skip
    assert run.eval_set == "synthetic validation, 16 sequences of 16"
    assert run.loss_se is not None
    assert done.rounded_share == 1.0
    assert len(done.losses) == 10
    assert done.losses[-3:].mean() < done.losses[0]
    assert type(done.module) is Plain
    assert not done.module.mix._forward_pre_hooks
    assert done.runs["loss"][0] == run.loss


def test_a_store_of_two_modules_and_the_decoder_is_fitted(tmp_path: Path) -> None:
    store, grid = tmp_path / "runs.db", Grid(tokens=[4 * STEP, 8 * STEP], precision=["fp", "w3"])
    first = trained(grid, store, post="w4", keep=tmp_path / "kept")
    trained(replace_sizes(grid, [8, 12]), store, TrainingTask("wider", plain, CORPUS))
    with ThreadPoolExecutor(1) as executor:
        more = {"recipe": RECIPE, "executor": executor, "show": False}
        il.train(replace_sizes(grid, ["4k"]), corpus=CORPUS, store=store, **more)
    again = trained(grid, store, post="w4", keep=tmp_path / "kept")
    assert again == first
    runs = il.read(str(store))
    assert dict(runs.frame()["family"].value_counts().iter_rows()) == {
        "plain": 8, "wider": 8, "isoloss": 4,
    }  # fmt: skip
    fit = il.fit("chinchilla", runs, per="family", draws=10, starts=6)
    assert {"E[plain]", "E[wider]", "E[isoloss]"} <= {each.name for each in fit.law.constants}
    # A kept module answers further precisions without training.
    seen = trained(grid, store, post=["w4", "w2"], keep=tmp_path / "kept")
    assert len(seen) == len(first) + 4
    with pytest.raises(il.lm.CheckpointError, match="is a module of the task 'plain', which the"):
        il.quantise(tmp_path / "kept", "w2")


def replace_sizes(grid: Grid, params: list[Any]) -> Grid:
    return Grid(params=params, **grid.axes)


def test_a_kept_module_that_is_damaged_is_trained_again(tmp_path: Path) -> None:
    keep, grid = tmp_path / "kept", Grid(tokens=4 * STEP)
    first = trained(grid, tmp_path / "one.db", keep=keep)
    (file,) = keep.iterdir()
    file.write_bytes(file.read_bytes()[:-9])
    assert trained(grid, tmp_path / "two.db", keep=keep)["loss"] == first["loss"]


def test_what_diverges_is_a_row_that_says_so() -> None:
    wild = replace(RECIPE, lr=1e30, clip=1e30)
    with pytest.warns(NothingUsable, match="the training loss is"):
        runs = trained(Grid(tokens=8 * STEP), post="w4", recipe=wild)
    assert set(runs.frame()["status"]) == {"diverged"}
    module = train_task(TASK, 8 * STEP, "w4", recipe=wild).module
    assert all(isinstance(p, torch.nn.Parameter) for p in module.parameters())
    assert "the training loss is" in runs.frame()["reason"][0]


def test_what_would_be_done(tmp_path: Path) -> None:
    seen = foreseen(
        Grid(tokens=4 * STEP, seed=[0, 1]), task=TASK, recipe=RECIPE, post="w3",
        store=tmp_path / "runs.db", workers=1,
    )  # fmt: skip
    job = TaskJob.of(LookedOver.of(TASK, None), 4 * STEP, "fp", RECIPE)
    assert (seen.rows, seen.there) == (4, 0)
    assert seen.flops == 2 * job.row.flops


def test_tokens_per_param_and_lists_of_the_recipe() -> None:
    jobs = task_jobs_of(Grid(params=12, tokens_per_param=1, lr=[0.1, 0.2]), TASK, Recipe())
    assert [job.recipe.lr for job in jobs] == [0.1, 0.2]
    assert jobs[0].tokens == pytest.approx(jobs[0].non_embedding, rel=0.3)


def test_a_precision_changes_in_a_module_of_ones_own(tmp_path: Path) -> None:
    """Each phase as it is alone, in a sweep that shares its steps, and quantised as it ended."""
    changed, tokens = "w3 a4 then w8 from 60%", 20 * STEP
    grid = Grid(params=12, tokens=tokens, precision=["w3 a4", changed, "w3 a4 then fp from 50%"])
    runs = trained(grid, tmp_path / "runs.db", recipe=WSD, post=["w2"])
    looked = LookedOver.of(TASK, 12)
    jobs = [TaskJob.of(looked, tokens, each, WSD) for each in (changed, "w3 a4", "w8")]
    whole, begun, ended = (TaskTrainer(job) for job in jobs)
    whole.advance(20, 20, WSD)
    begun.advance(12, 20, WSD)
    ended.restore(begun.tensors())
    ended.advance(20, 20, WSD)
    assert whole.losses == ended.losses
    for one, other in zip(whole.model.parameters(), ended.model.parameters(), strict=True):
        assert torch.equal(one, other)
    rows = {row["precision"]: row for row in runs.frame().to_dicts()}
    assert (
        rows[changed]["loss"] == train_task(TASK, tokens, changed, params=12, recipe=WSD).run.loss
    )
    assert rows[changed]["loss"] != rows["w3 a4"]["loss"]
    assert f"{changed} -> w2" in rows
    assert rows["w3 a4"]["group"] == rows[changed]["group"]
    with pytest.raises(ModelError, match="from 99% has none of the 20 steps"):
        TaskJob.of(looked, tokens, "w3 then fp from 99%", WSD)
