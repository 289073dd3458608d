"""Moments of calibration in a folder: other calls read them to the last bit and make no pass, and
what is damaged or of others is gathered anew, with a sentence.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from isoloss.lm import (
    Calibrated,
    Calibration,
    CheckpointError,
    Language,
    ModelError,
    MomentsWarning,
    PostMethod,
    Recipe,
    Trained,
    quantise,
    quantised,
    train_one,
)
from isoloss.lm.after.seen import calibrating
from isoloss.runs import Decoder, Runs

LANGUAGE = Language(vocab=64, context=16)
SHAPE = Decoder(2, 32, 4, 64, ffn=48)
RECIPE = Recipe(sequences=8, validation=64, compiled=False)
POSTS = ["w3@gptq", "w3/16@awq", "w8@smoothquant a8", "w3+had@gptq"]
COLUMNS = ("precision", "loss", "loss_se", "gap", "gap_se", "kl", "key", "rounded_share")


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train_one(SHAPE, 50 * 8 * 16, corpus=LANGUAGE, recipe=RECIPE)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows of calibration that pass a model."""
    found: list[int] = []
    true = calibrating.logits_of

    def counted(model: torch.nn.Module, batch: torch.Tensor) -> torch.Tensor:
        found.append(len(batch))
        return true(model, batch)

    monkeypatch.setattr(calibrating, "logits_of", counted)
    return found


def rows(trained: Trained, posts: list[str] | str, folder: Path | None, seed: int = 1) -> Runs:
    calibration = Calibration(24, seed=seed, draws=2)
    return quantise(trained, posts, calibration=calibration, moments=folder)


def same(one: Runs, other: Runs) -> bool:
    return all(list(one[name]) == list(other[name]) for name in COLUMNS)


def test_another_call_makes_no_pass_and_has_the_same_rows(
    trained: Trained, tmp_path: Path, passes: list[int]
) -> None:
    plain = rows(trained, POSTS, None)
    passes.clear()
    first = rows(trained, POSTS, tmp_path / "moments")
    assert sum(passes) >= 2 * 24
    passes.clear()
    again = rows(trained, POSTS, tmp_path / "moments")
    assert passes == []
    assert same(plain, first)
    assert same(plain, again)


def test_moments_are_there_as_soon_as_the_pass_is_done(
    trained: Trained, tmp_path: Path, passes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("isoloss.lm.after.serving_weights._rounded", killed)
    with pytest.raises(KeyboardInterrupt):  # at the first matrix
        rows(trained, "w3@gptq", tmp_path)
    monkeypatch.undo()
    plain = rows(trained, "w3@gptq", None)
    monkeypatch.setattr(calibrating, "logits_of", killed)
    kept = Calibrated(Calibration(24, seed=1).tokens(LANGUAGE), tmp_path)
    assert quantised(trained.model, "w3@gptq", kept) is not None  # of the draw that was gathered
    monkeypatch.undo()
    assert same(rows(trained, "w3@gptq", tmp_path), plain)


def test_what_is_damaged_is_gathered_anew(
    trained: Trained, tmp_path: Path, passes: list[int]
) -> None:
    plain = rows(trained, "w3@gptq", tmp_path)
    files = sorted(tmp_path.rglob("*.safetensors"))
    assert len(files) == 2 * 8  # of two draws: qkv, out, fc1 and fc2 of two blocks
    content = bytearray(files[0].read_bytes())
    content[-9] ^= 1  # a bit of a number
    files[0].write_bytes(content)
    files[1].write_bytes(files[1].read_bytes()[:-100])
    files[2].write_bytes(b"")
    files[3].write_bytes(files[8 if files[8].parent != files[3].parent else 4].read_bytes())
    passes.clear()
    with pytest.warns(MomentsWarning) as said:
        assert same(rows(trained, "w3@gptq", tmp_path), plain)
    assert passes
    texts = "\n".join(str(each.message) for each in said)
    assert "its content is not what was written); they are gathered anew" in texts
    assert "it is of another model or calibration); they are gathered anew" in texts
    assert len(said) == 4
    passes.clear()
    assert same(rows(trained, "w3@gptq", tmp_path), plain)
    assert passes == []


def test_moments_are_of_one_model_calibration_and_choice(
    trained: Trained, tmp_path: Path, passes: list[int]
) -> None:
    rows(trained, "w3@gptq", tmp_path)
    other = replace(trained, model=trained.model.__class__(SHAPE, "a8", 0, compiled=False))
    other.model.load_state_dict(trained.model.state_dict())  # the same weights, rounded inputs
    tokens = Calibration(24, seed=1).tokens(LANGUAGE)
    for model, post, seen in (
        (other.model, "w3@gptq", tokens),
        (trained.model, "w3@gptq", tokens[:-1]),
        (trained.model, "w3@gptq w.embedding:int2", tokens),
        (trained.model, "w3@gptq", tokens + 1 - 2 * (tokens == 63).long()),
    ):
        passes.clear()
        kept = quantised(model, post, Calibrated(seen, tmp_path))
        assert passes
        plain = quantised(model, post, seen)
        for name, weight in plain.state_dict().items():
            assert kept.state_dict()[name].equal(weight), name
    passes.clear()
    quantised(trained.model, "w4/8@awq", Calibrated(tokens, tmp_path))
    assert passes == []  # another format and method see the same moments


def test_inputs_themselves_are_not_kept(
    trained: Trained, tmp_path: Path, passes: list[int]
) -> None:
    from isoloss.lm.after.post_method import METHODS

    own = PostMethod("bysize", lambda w, known, x: w * (len(x) > 0), "inputs", layer_by_layer=False)
    METHODS.add(own)
    try:
        for _ in range(2):
            passes.clear()
            rows(trained, "w3@bysize", tmp_path / "moments")
            assert passes
    finally:
        METHODS.remove("bysize")
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_folder_that_cannot_be_is_refused_before_any_work(
    trained: Trained, tmp_path: Path, passes: list[int]
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ModelError, match=r"file.* is a file; moments are kept in a folder"):
        rows(trained, "w3@gptq", file)
    with pytest.raises(ModelError, match=r"moments is 3; accepted is a folder"):
        quantise(trained, "w3@gptq", moments=3)  # type: ignore[arg-type]
    assert passes == []


def test_a_folder_that_cannot_be_written_ends_in_a_sentence(
    trained: Trained, tmp_path: Path
) -> None:
    kept = Calibrated(Calibration(8).tokens(LANGUAGE), tmp_path / "moments")
    (tmp_path / "moments").write_text("a file that came meanwhile")
    with pytest.raises(CheckpointError, match=r"^cannot write the checkpoint"):
        quantised(trained.model, "w3@gptq", kept)
