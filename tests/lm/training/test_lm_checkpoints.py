"""Checkpoints: training goes on to the last bit, branches equal whole runs, and damaged files are refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from isoloss.lm import CheckpointError, Language, Recipe, evaluate, load_checkpoint, train_one
from isoloss.lm.training.checkpoints import read_checkpoint, save_checkpoint, save_model
from isoloss.lm.training.job import Job, key_of
from isoloss.lm.training.trainer import Trainer
from isoloss.runs import Decoder

LANGUAGE = Language(vocab=64, context=16)
SHAPE = Decoder(2, 32, 4, 64, ffn=48)
RECIPE = Recipe(sequences=8, validation=64, compiled=False, warmup=3)
STEP = 8 * 16


def job(steps: int, precision: str = "fp", **recipe: Any) -> Job:
    return Job.of(SHAPE, steps * STEP, precision, LANGUAGE, replace(RECIPE, **recipe), seed=1)


def same(one: Trainer, two: Trainer) -> bool:
    pairs = zip(one.model.parameters(), two.model.parameters(), strict=True)
    return one.losses == two.losses and all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize(
    "precision", ["fp", "w3 a4 kv4", "w4~sr g4~sr", "w4@lsq a4@lsq kv:int4/tensor@lsq"]
)
@pytest.mark.parametrize("at", [0, 1, 7])
def test_training_goes_on_to_the_last_bit(tmp_path: Path, precision: str, at: int) -> None:
    asked = job(12, precision)
    whole = Trainer(asked)
    whole.advance(12, 12, asked.recipe)
    first = Trainer(asked)
    first.advance(at, 12, asked.recipe)
    save_checkpoint(tmp_path / "state", first.tensors(), {"step": at})
    tensors, about = read_checkpoint(tmp_path / "state")
    second = Trainer(asked)
    second.restore(tensors)
    assert (about["step"], second.step) == (at, at)
    second.advance(12, 12, asked.recipe)
    assert same(whole, second)


def test_a_branch_of_a_trunk_is_the_whole_run() -> None:
    """The trunk's first steps, then the decay: every number equal to that of the run trained alone."""
    trunk, branch = job(20, schedule="constant"), job(10, schedule="wsd", decay=0.4)
    assert (branch.shared, trunk.shared, trunk.prefix) == (6, 20, branch.prefix)
    alone = Trainer(branch)
    alone.advance(10, 10, branch.recipe)
    shared = Trainer(trunk)
    shared.advance(6, 20, trunk.recipe)
    off = Trainer(branch)
    off.restore(shared.tensors())
    off.advance(10, 10, branch.recipe)
    assert same(alone, off)
    shared.advance(20, 20, trunk.recipe)  # the branch left the trunk as it was
    whole = Trainer(trunk)
    whole.advance(20, 20, trunk.recipe)
    assert same(shared, whole)


def test_trunks_are_shared_by_what_is_equal_alone() -> None:
    wsd = job(10, schedule="wsd")
    assert wsd.prefix == job(30, schedule="wsd", lr_end=0.1, decay=0.5).prefix
    others = [job(10, schedule="wsd", lr=0.02), job(10, "w4", schedule="wsd"), job(10), job(11)]
    assert len({wsd.prefix, *(other.prefix for other in others)}) == 5
    assert job(10).prefix == job(10).key
    share = job(100, schedule="wsd", warmup=0.1), job(200, schedule="wsd", warmup=0.05)
    assert share[0].prefix == share[1].prefix  # both warm up for ten steps
    assert share[0].prefix != job(200, schedule="wsd", warmup=0.1).prefix


def test_a_model_comes_back_as_it_was(tmp_path: Path) -> None:
    done = train_one(SHAPE, 5 * STEP, "w4 a8", corpus=LANGUAGE, recipe=RECIPE)
    save_model(tmp_path / "model.safetensors", done.model, done.job, done.run)
    found = load_checkpoint(tmp_path / "model.safetensors")
    assert found.run == done.run
    assert key_of(found.settings) == done.job.key == found.run.key
    again = evaluate(found.model, LANGUAGE.validation(64))
    assert np.array_equal(again.each, done.evaluation.each)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    save_checkpoint(tmp_path / "state", {"x": torch.arange(40.0)}, {"kind": "state"})
    return tmp_path / "state"


def test_damage_is_seen(kept: Path) -> None:
    content = kept.read_bytes()
    rng = np.random.default_rng(0)
    for place in [9, len(content) - 1, *rng.integers(0, len(content), 30)]:
        hurt = bytearray(content)
        hurt[place] ^= 1 << int(rng.integers(8))
        kept.write_bytes(hurt)
        try:
            tensors, about = read_checkpoint(kept)
        except CheckpointError as error:
            assert "\n" not in str(error)  # noqa: PT017
        else:  # a bit of the version that is only told
            assert torch.equal(tensors["x"], torch.arange(40.0))
            assert about == {"kind": "state"}


@pytest.mark.parametrize("kept_bytes", [0, 4, 100, 300])
def test_a_cut_file_is_refused(kept: Path, kept_bytes: int) -> None:
    kept.write_bytes(kept.read_bytes()[:kept_bytes])
    with pytest.raises(CheckpointError, match="is damaged"):
        read_checkpoint(kept)


def test_what_is_no_model_is_refused(kept: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is the state of a training that has not ended"):
        load_checkpoint(kept)
    with pytest.raises(
        CheckpointError, match=r"cannot read the checkpoint .*nowhere: No such file"
    ):
        load_checkpoint(tmp_path / "nowhere")


def test_a_failed_write_leaves_what_was_there(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(
        CheckpointError, match="cannot write the checkpoint state: No space left on device"
    ):
        save_checkpoint(kept, {"x": torch.zeros(3)}, {})
    assert read_checkpoint(kept)[1] == {"kind": "state"}
    assert [path.name for path in kept.parent.iterdir()] == ["state"]
