"""A precision that changes during training: each phase as it is alone, and what knows of it."""

from pathlib import Path

import pytest
import torch

from isoloss.formats import Precision
from isoloss.lm import Language, ModelError, Recipe, load_checkpoint, model_of, train, train_one
from isoloss.lm.after import post_run
from isoloss.lm.training import Job, Trainer, in_batches
from isoloss.lm.training.one_run import evaluate
from isoloss.runs import Grid

CORPUS = Language(vocab=64, context=32)
RECIPE = Recipe(validation=16, compiled=False, schedule="wsd", warmup=5)
CHANGED = "w3 a3 then fp from 80%"


def trained(precision: str, recipe: Recipe = RECIPE) -> Trainer:
    job = Job.of(model_of("5k", 64), "51.2k", precision, CORPUS, recipe)
    trainer = Trainer(job)
    trainer.advance(job.steps, job.steps, job.recipe)
    return trainer


def test_each_phase_is_trained_as_it_is_alone() -> None:
    changed = train_one(model_of("5k", 64), "51.2k", CHANGED, corpus=CORPUS, recipe=RECIPE)
    begun = Trainer(Job.of(model_of("5k", 64), "51.2k", "w3 a3", CORPUS, RECIPE))
    begun.advance(80, 100, RECIPE)
    ended = Trainer(Job.of(model_of("5k", 64), "51.2k", "fp", CORPUS, RECIPE))
    ended.restore(begun.tensors())
    ended.advance(100, 100, RECIPE)
    assert changed.losses.tolist() == [*ended._history(0)]
    for one, other in zip(changed.model.parameters(), ended.model.parameters(), strict=True):
        assert torch.equal(one, other)
    whole = evaluate(ended.model, CORPUS.validation(16))
    assert changed.run.loss == whole.loss
    assert changed.run.loss != trained("w3 a3").losses[-1][0]


def test_a_state_of_any_step_goes_on_in_its_phase() -> None:
    job = Job.of(model_of("5k", 64), "51.2k", CHANGED, CORPUS, RECIPE)
    undisturbed = trained(CHANGED)
    for stop in (0, 79, 80, 81, 100):
        before, after = Trainer(job), Trainer(job)
        before.advance(stop, 100, RECIPE)
        after.restore(before.tensors())
        after.advance(100, 100, RECIPE)
        assert after.losses == undisturbed.losses
        (ended,) = after.ended()
        loss = evaluate(ended.model, CORPUS.validation(16)).loss
        assert loss == evaluate(undisturbed.ended()[0].model, CORPUS.validation(16)).loss


@pytest.mark.parametrize(
    ("precision", "steps", "begins"),
    [
        ("w4 then fp from 80%", 100, (0, 80)),
        ("w4 then fp from 80%", 333, (0, 266)),
        ("fp then w8 from 12.5% then w4 from 50%", 16, (0, 2, 8)),
        ("w4", 7, (0,)),
    ],
)
def test_phases_begin_at_the_step_of_their_percent(
    precision: str, steps: int, begins: tuple[int, ...]
) -> None:
    assert Precision(precision).begins(steps) == begins


def test_stages_are_precisions_of_their_own() -> None:
    stages = Precision("w4 a4 then w8 from 50% then fp from 90% -> w3").stages
    assert [str(each) for each in stages] == ["w4 a4", "w8", "fp"]


def test_runs_share_their_steps_until_they_change(tmp_path: Path) -> None:
    precisions = ["w3 a3", CHANGED, "w3 a3 then fp from 50%", "fp then w3 from 40%"]
    grid = Grid(
        params="5k", tokens=["25.6k", "51.2k"], precision=precisions,
        schedule=["wsd", "constant", "cosine"],
    )  # fmt: skip
    runs = train(
        grid, corpus=CORPUS, recipe=RECIPE, store=tmp_path / "runs.db", workers=1, show=False,
        keep=tmp_path / "models",
    )  # fmt: skip
    for row in runs.frame().to_dicts():
        recipe = Recipe(validation=16, compiled=False, schedule=row["schedule"], warmup=5)
        alone = train_one(
            model_of("5k", 64), row["tokens"], row["precision"], corpus=CORPUS, recipe=recipe
        )
        assert (alone.run.loss, alone.run.key, alone.run.group) == (
            row["loss"], row["key"], row["group"],
        )  # fmt: skip
        kept = load_checkpoint(tmp_path / "models" / f"{row['key']}.safetensors")
        assert evaluate(kept.model, CORPUS.validation(16)).loss == row["loss"]
    groups = runs.frame().filter(schedule="wsd").group_by("group").len()
    # The three that begin with w3 a3 are one trajectory, that which begins with fp another.
    assert sorted(groups["len"]) == [2, 6]


def test_keys_tell_when_and_to_what_a_precision_changes() -> None:
    spelled = ["w3 a3", CHANGED, "w3 a3 then fp from 79%", "w3 a3 then w8 from 80%"]
    jobs = [Job.of(model_of("5k", 64), "51.2k", each, CORPUS, RECIPE) for each in spelled]
    assert len({job.key for job in jobs}) == 4
    assert len({job.prefix for job in jobs}) == 1
    assert [job.shared for job in jobs] == [80, 80, 79, 80]


def test_a_changed_model_is_rounded_after_training_as_any_other() -> None:
    found = train_one(model_of("5k", 64), "51.2k", CHANGED, corpus=CORPUS, recipe=RECIPE)
    row, columns = post_run(
        found.run, "w3", found.model, CORPUS.validation(16), corpus=CORPUS, recipe=RECIPE
    )
    assert row.precision == f"{CHANGED} -> w3"
    assert columns["gap"] > 0
    assert found.run.method == "straight-through"
    assert found.run.kernels == "simulated"


@pytest.mark.parametrize(
    ("precision", "sentence"),
    [
        ("w4@lsq then fp from 50%", "has learned steps, which a precision that changes"),
        ("w4 then fp from 99.8%", r"the phase of 'w4 then fp from 99.8%' from 99.8% has none of "
                                  r"the 100 steps; train longer, or leave it out"),
        ("w4 then w8 from 10.1% then fp from 10.2%", "from 10.1% has none of the 100 steps"),
        ("w4 then w.up:int4 from 50%", "the model has no 'w.up'"),
    ],
)  # fmt: skip
def test_what_is_refused(precision: str, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        train_one(model_of("5k", 64), "51.2k", precision, corpus=CORPUS, recipe=RECIPE)


def test_a_batched_sweep_does_not_change_its_precision() -> None:
    jobs = [Job.of(model_of("5k", 64), "51.2k", p, CORPUS, RECIPE) for p in ("fp", CHANGED)]
    with pytest.raises(ModelError, match="changes during training, which cells=True"):
        in_batches(jobs)
