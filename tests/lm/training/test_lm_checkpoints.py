"""Checkpoints: training goes on to the last bit, branches equal whole runs, and damaged files are
refused.
"""

import hashlib
import json
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from isoloss.lm import (
    CheckpointError,
    Language,
    Recipe,
    evaluate,
    load_checkpoint,
    quantise,
    train_one,
)
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
    """The trunk's first steps, then the decay: every number equal to that of the run trained
    alone.
    """
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


def test_a_model_that_rounds_stochastically_is_quantised_from_its_file(tmp_path: Path) -> None:
    done = train_one(SHAPE, 5 * STEP, "w4~sr", corpus=LANGUAGE, recipe=RECIPE)
    save_model(tmp_path / "model.safetensors", done.model, done.job, done.run)
    tokens = LANGUAGE.validation(64)
    one, two = (
        evaluate(load_checkpoint(tmp_path / "model.safetensors").model, tokens) for _ in range(2)
    )
    assert np.array_equal(one.each, two.each)
    assert one.loss == pytest.approx(done.run.loss, abs=done.run.loss_se)
    whole, few = quantise(tmp_path / "model.safetensors", ["w8", "w2"])["loss"]
    assert whole == pytest.approx(done.run.loss, abs=done.run.loss_se)
    assert few > whole


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


# ---- crafted files: each is one sentence, and no model is made of it
Parts = tuple[dict[str, Any], bytes]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("small") / "model.safetensors"
    done = train_one(SHAPE, 2 * STEP, "w4 a8", corpus=LANGUAGE, recipe=RECIPE)
    save_model(path, done.model, done.job, done.run)
    return path


def parts(path: Path) -> Parts:
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:end]), content[end:]


def joined(header: Any, body: bytes, text: str | None = None) -> bytes:
    """A file whose digest is right, so that only what was changed is wrong with it."""
    if isinstance(header, dict) and isinstance(header.get("__metadata__"), dict):
        header["__metadata__"].pop("sha256", None)
        whole = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
        whole.update(body)
        header["__metadata__"]["sha256"] = whole.hexdigest()
    head = (json.dumps(header) if text is None else text).encode()
    return struct.pack("<Q", len(head)) + head + body


def rewritten(change: Callable[[dict[str, torch.Tensor], dict[str, Any]], object]) -> Any:
    def craft(path: Path) -> bytes:
        tensors, about = read_checkpoint(path)
        change(tensors, about)
        save_checkpoint(path, tensors, about)
        return path.read_bytes()

    return craft


def reheaded(change: Callable[[dict[str, Any]], Any], text: Any = None) -> Any:
    def craft(path: Path) -> bytes:
        header, body = parts(path)
        changed = change(header)
        header = header if changed is None else changed
        return joined(header, body, None if text is None else text(json.dumps(header)))

    return craft


def _named(tensors: dict[str, torch.Tensor]) -> str:
    return max(tensors, key=lambda name: tensors[name].numel())


def _first(header: dict[str, Any]) -> dict[str, Any]:
    return next(entry for name, entry in header.items() if name != "__metadata__")


def _replace(value: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    def change(tensors: dict[str, torch.Tensor], about: dict[str, Any]) -> None:
        name = _named(tensors)
        tensors[name] = value(tensors[name])

    return rewritten(change)


CRAFTED = {
    "a tensor missing": (
        rewritten(lambda t, a: t.pop(min(t, key=lambda n: t[n].numel()))),
        "tensor|params",
    ),
    "a tensor more": (rewritten(lambda t, a: t.update(more=torch.zeros(2))), "has a tensor 'more'"),
    "another shape": (_replace(lambda x: x.T.contiguous().reshape(-1)), "where the model has"),
    "one number for a matrix": (
        rewritten(
            lambda t, a: t.update(
                {_named(t): t[_named(t)][:1, :1].reshape(1), "x": torch.zeros(10**5)}
            )
        ),
        "where the model has|has a tensor",
    ),
    "another type": (_replace(lambda x: x.double()), "is float64 .* where the model has float32"),
    "no numbers": (_replace(lambda x: x * torch.nan), "hold values that are no numbers"),
    "cut": (lambda path: path.read_bytes()[:-5], "bytes follow|bytes and"),
    "a header too long": (
        lambda path: struct.pack("<Q", 1 << 60) + path.read_bytes()[8:],
        "header of 1152921504606846976 bytes is longer than the file",
    ),
    "a header that is no JSON": (reheaded(lambda h: None, lambda text: "{" + text), "is no JSON"),
    "a header that is a list": (reheaded(lambda h: [h]), "its header is no object"),
    "a deep header": (reheaded(lambda h: None, lambda text: "[" * 100_000), "nested too deeply"),
    "negative offsets": (reheaded(lambda h: _first(h).update(data_offsets=[-8, 8])), "no counts"),
    "overlapping tensors": (
        reheaded(
            lambda h: (
                [
                    e.update(data_offsets=[0, e["data_offsets"][1] - e["data_offsets"][0]])
                    for n, e in h.items()
                    if n != "__metadata__"
                ]
                and None
            )
        ),
        "begins at 0 where",
    ),
    "a shape of 10^18": (
        reheaded(lambda h: _first(h).update(shape=[10**18])),
        "more or fewer bytes",
    ),
    "a key twice": (
        reheaded(lambda h: None, lambda text: text[:-1] + ", " + text[1:]),
        "stands twice",
    ),
    "metadata of numbers": (
        reheaded(lambda h: h["__metadata__"].update(schema=1)),
        "no object of texts",
    ),
    "a schema that is no number": (
        reheaded(lambda h: h["__metadata__"].update(schema="x")),
        "schema is 'x'",
    ),
    "about that is no JSON": (
        reheaded(lambda h: h["__metadata__"].update(about="{")),
        "is damaged",
    ),
    "about that is a list": (
        reheaded(lambda h: h["__metadata__"].update(about="[1]")),
        "is no object",
    ),
    "no settings": (rewritten(lambda t, a: a.pop("settings")), "does not say its 'settings'"),
    "settings of another type": (rewritten(lambda t, a: a.update(settings=[1])), "is damaged"),
    "a format that is not loaded": (
        rewritten(lambda t, a: a["settings"].update(precision="w:unheard_of")),
        r"cannot be read here: .*unknown format 'unheard_of'.* --use module loads",
    ),
    "a shape larger than the file": (
        rewritten(lambda t, a: a["settings"]["shape"].update(layers=10**12)),
        "params and its tensors hold",
    ),
    "a run of another type": (
        rewritten(lambda t, a: a["run"].update(loss="low")),
        "run.loss is 'low'",
    ),
    "nothing": (lambda path: b"", "ends before its header"),
}


@pytest.mark.parametrize("case", CRAFTED)
def test_a_crafted_file_is_one_sentence(case: str, small: Path, tmp_path: Path) -> None:
    craft, message = CRAFTED[case]
    path = tmp_path / "model.safetensors"
    path.write_bytes(small.read_bytes())
    assert isinstance(load_checkpoint(path).model, torch.nn.Module)
    path.write_bytes(craft(path))
    with pytest.raises(CheckpointError, match=message) as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(path))


def test_a_state_of_another_model_is_refused(tmp_path: Path) -> None:
    trainer, other = Trainer(job(4)), Trainer(job(4, "w4@lsq"))
    trainer.advance(2, 4, RECIPE)
    save_checkpoint(tmp_path / "state", trainer.tensors(), {})
    assert (
        read_checkpoint(tmp_path / "state", Trainer(job(4)).tensors())[0].keys()
        == trainer.tensors().keys()
    )
    with pytest.raises(CheckpointError, match="it lacks a tensor"):
        read_checkpoint(tmp_path / "state", other.tensors())
