"""The verb quantise: from a trained model, a checkpoint and a folder of them to rows, and what it
refuses.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from isoloss.formats import Precision
from isoloss.lm import (
    Calibration,
    Language,
    ModelError,
    Recipe,
    Text,
    Trained,
    Windows,
    degradation,
    load_checkpoint,
    post_key,
    quantise,
    quantised,
    train,
    train_one,
)
from isoloss.lm.after import quantising
from isoloss.lm.after.hub import hub_run, tokens_seen
from isoloss.lm.training.checkpoints import save_model
from isoloss.runs import Decoder, Runs, Store, StoreError

LANGUAGE = Language(vocab=64, context=16)
SHAPE = Decoder(2, 32, 4, 64, ffn=48)
RECIPE = Recipe(sequences=8, validation=64, compiled=False)


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train_one(SHAPE, 100 * 8 * 16, corpus=LANGUAGE, recipe=RECIPE)


@pytest.fixture
def folder(trained: Trained, tmp_path: Path) -> Path:
    other = replace(trained.run, seed=1, key="other")
    save_model(tmp_path / "a.safetensors", trained.model, trained.job, trained.run)
    save_model(tmp_path / "b.safetensors", trained.model, trained.job, other)
    return tmp_path


def test_a_row_for_each_precision_with_what_it_cost(trained: Trained) -> None:
    done: list[int] = []
    runs = quantise(
        trained, ["w3", Precision("w4@gptq kv8")], calibration=Calibration(32), callback=done.append
    )
    assert (len(runs), done) == (2, [1, 1])
    assert list(runs["precision"]) == ["fp -> w3", "fp -> w4@gptq kv8"]
    assert list(runs["parent"]) == [trained.run.key] * 2
    assert list(runs["key"]) == [
        post_key(trained.run.key or "", "fp -> w3"),
        post_key(trained.run.key or "", "fp -> w4@gptq kv8", Calibration(32)),
    ]
    found = degradation(trained.model, quantised(trained.model, "w3"), LANGUAGE.validation(64))
    for name in ("loss", "loss_se", "gap", "gap_se", "kl", "kl_se"):
        assert runs[name][0] == getattr(found, name)
    assert np.allclose(runs["loss"] - runs["gap"], trained.run.loss, atol=1e-6)


def test_a_table_of_quantised_runs_shows_what_it_cost(trained: Trained, tmp_path: Path) -> None:
    runs = quantise(trained, "w3")
    head = str(runs).splitlines()[-2].split()
    assert head == [
        "params",
        "tokens",
        "precision",
        "loss",
        "gap",
        "gap_se",
        "kl",
        "kl_se",
        "group",
    ]
    runs.save(tmp_path / "runs.parquet")
    assert f"{runs['gap'][0]:.5g}" in str(runs)


def test_a_checkpoint_gives_the_rows_of_its_model(trained: Trained, folder: Path) -> None:
    wanted = quantise(trained, ["w3", "w2@gptq"])
    for what in (
        folder / "a.safetensors",
        str(folder / "a.safetensors"),
        load_checkpoint(folder / "a.safetensors"),
    ):
        found = quantise(what, ["w3", "w2@gptq"])
        assert (found["key"] == wanted["key"]).all()
        assert (found["loss"] == wanted["loss"]).all()
        assert (found["kl"] == wanted["kl"]).all()


def test_a_folder_of_checkpoints_gives_the_rows_of_all(folder: Path) -> None:
    runs = quantise(folder, ["w3", "w4"])
    assert list(zip(runs["seed"], runs["precision"], strict=True)) == [
        (0, "fp -> w3"),
        (0, "fp -> w4"),
        (1, "fp -> w3"),
        (1, "fp -> w4"),
    ]


def test_a_model_trained_on_text_needs_that_text(tmp_path: Path) -> None:
    words = " ".join(np.random.default_rng(0).choice(["one", "two", "three"], 5000))
    for name in ("mine", "other"):
        (tmp_path / f"{name}.txt").write_text(f"{name} {words}")
    text, other = (
        Text(tmp_path / f"{name}.txt", context=16, folder=tmp_path) for name in ("mine", "other")
    )
    done = train_one(replace(SHAPE, vocab=text.vocab), 5 * 8 * 16, corpus=text, recipe=RECIPE)
    path = tmp_path / "text.safetensors"
    save_model(path, done.model, done.job, done.run)
    assert len(quantise(path, "w3@gptq", corpus=text, calibration=Calibration(16))) == 1
    with pytest.raises(ModelError, match=r"trained on the text 'mine.txt'; pass it as corpus="):
        quantise(path, "w3")
    with pytest.raises(
        ModelError, match=r"other tokens than those of 'other.txt'; pass its own corpus"
    ):
        quantise(path, "w3", corpus=other)


# ---- bad input
def test_another_corpus_than_that_of_training_is_seen(trained: Trained) -> None:
    with pytest.raises(
        ModelError, match=r"its run says \d\.\d+; pass the corpus that it was trained on"
    ):
        quantise(trained, "w3", corpus=replace(LANGUAGE, seed=1))


@pytest.mark.parametrize(
    ("post", "said"),
    [
        ([], r"post is \[\]"),
        (["w4", "w4"], "several different ones"),
        (["w4", "w3@omni"], "unknown method after training 'omni'"),
        ("w8 -> w4", "has an arrow"),
    ],
)
def test_what_is_asked_for_is_checked_before_anything_is_measured(
    trained: Trained, post: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.nn.functional, "linear", None)
    with pytest.raises(ModelError, match=said):
        quantise(trained, post)


def test_what_is_no_model_is_refused(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot quantise a int; accepted are"):
        quantise(3, "w4")
    with pytest.raises(
        ModelError, match=r"is no checkpoint of isoloss; of a model of Hugging Face say"
    ):
        quantise(tmp_path, "w4")
    with pytest.raises(ModelError, match=r"nowhere' is no file or folder; of a model of Hugging"):
        quantise(tmp_path / "nowhere", "w4")
    with pytest.raises(ValueError, match="cannot read the checkpoint"):
        quantise(tmp_path / "none.safetensors", "w4")


def test_rows_are_a_table_like_any_other(trained: Trained) -> None:
    runs = trained.runs + quantise(trained, ["w3", "w4"])
    assert isinstance(runs, Runs)
    assert len(runs.usable) == 3


def test_rows_of_a_rotated_model_say_so_and_hold_the_spread_of_rotations(trained: Trained) -> None:
    plain = quantise(trained, "w3", calibration=Calibration(4, draws=2))
    turned = quantise(trained, "w3", calibration=Calibration(4, draws=2), rotate=True)
    assert turned["rotated"][0]
    assert "rotated" not in plain.columns
    assert (plain["method"][0], turned["method"][0]) == ("rtn", "rtn, rotated")
    assert plain["key"][0] != turned["key"][0]
    gaps = [
        degradation(
            trained.model, quantised(trained.model, "w3", draw=k, rotate=True),
            LANGUAGE.validation(64),
        ).gap
        for k in (0, 1)
    ]  # fmt: skip
    assert turned["gap"][0] == pytest.approx(np.mean(gaps))
    assert turned["gap"][0] != pytest.approx(plain["gap"][0])


def test_rotate_is_true_or_false(trained: Trained) -> None:
    with pytest.raises(ModelError, match=r"rotate is 'yes'.* accepted is True or False"):
        quantise(trained, "w3", rotate="yes")


def test_a_store_keeps_every_row_and_goes_on(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, posts, done = tmp_path / "kept.db", ["w3", "w4", "w4@gptq"], []
    plain = quantise(trained, posts, calibration=Calibration(8))

    def killed(count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # behind the first row
        quantise(trained, posts, calibration=Calibration(8), store=store, callback=killed)
    assert list(Store(store).runs()["precision"]) == ["fp -> w3"]
    measured: list[str] = []
    true = quantising.post_run
    monkeypatch.setattr(
        quantising,
        "post_run",
        lambda run, post, *rest: measured.append(str(post)) or true(run, post, *rest),
    )
    again = quantise(trained, posts, calibration=Calibration(8), store=store, callback=done.append)
    assert measured == ["w4", "w4@gptq"]
    assert done == [1, 1, 1]
    for name in ("precision", "loss", "gap", "gap_se", "kl", "key", "parent", "rounded_share"):
        assert list(again[name]) == list(plain[name])
    quantise(trained, posts, calibration=Calibration(8), store=store)
    assert len(measured) == 2


def test_rows_of_training_are_not_measured_again(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    swept = train(
        {"params": "4k", "tokens": "20k"}, post="w3", store=store, keep=tmp_path / "models",
        recipe=RECIPE, workers=1, show=False,
    )  # fmt: skip
    rows = quantise(tmp_path / "models", ["w3", "w4"], store=store)
    assert rows["loss"][0] == swept["loss"][1]
    assert len(Store(store).runs()) == 3


def test_several_models_give_one_table(trained: Trained, folder: Path) -> None:
    rows = quantise([folder / "b.safetensors", folder / "a.safetensors"], ["w3", "w4"])
    assert list(rows["seed"]) == [1, 1, 0, 0]
    assert rows["gap"][0] == quantise(trained, "w3")["gap"][0]


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        ([], {}, "accepted is a model, or several different ones"),
        (["a", "a"], {}, "accepted is a model, or several different ones"),
        (["a", "b"], {"trained_on": "2T"}, "trained_on is '2T' for 2 models; accepted are as many"),
        (["a", "b"], {"trained_on": ["2T"]}, "trained_on has 1 values for 2 models"),
        (["a", 3], {"trained_on": ["2T", "3T"], "corpus": "c"}, "cannot quantise a int"),
        ("a", {"trained_on": [2, {}]}, "trained_on is {}; accepted is a number"),
    ],
)
def test_several_models_are_refused_before_any_is_read(
    model: object, options: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantising, "load_hub", None)
    with pytest.raises(ModelError, match=said):
        quantise(model, "w4", **options)
    with pytest.raises(StoreError, match=r"cannot keep runs in 'rows\.csv'"):
        quantise("a", "w4", store="rows.csv")


def test_the_folder_of_a_trainer_says_how_many_tokens_it_saw(tmp_path: Path) -> None:
    state = tmp_path / "trainer_state.json"
    assert tokens_seen(tmp_path) is None
    counted, none = '{"num_input_tokens_seen": 1234}', '{"num_input_tokens_seen": 0}'
    for text, seen in ((counted, 1234), (none, None), ("{", None), ("[]", None)):
        state.write_text(text, "utf-8")
        assert tokens_seen(tmp_path) == seen


@pytest.mark.extras
def test_rows_of_a_store_belong_to_their_tokens_and_configuration() -> None:
    transformers = pytest.importorskip("transformers", reason="pip install 'isoloss[hub]'")
    tokens = np.zeros((2, 9), np.int64)
    text = Windows("text", 50, tokens, tokens)

    def key(theta: float, trained_on: str) -> str | None:
        torch.manual_seed(0)
        config = transformers.LlamaConfig(
            vocab_size=50, hidden_size=16, intermediate_size=32, num_hidden_layers=1,
            num_attention_heads=2, num_key_value_heads=2,
            rope_parameters={"rope_type": "default", "rope_theta": theta},
        )  # fmt: skip
        model = transformers.AutoModelForCausalLM.from_config(config)
        return hub_run(model, "owner/name", text, trained_on).key

    first = key(10_000.0, "1B")
    assert first == key(10_000.0, "1B")
    assert len({first, key(10_000.0, "2B"), key(500.0, "1B")}) == 3


@pytest.mark.parametrize("trained_on", ["-5", 0, float("inf")])
def test_tokens_that_cannot_be_are_refused_before_a_model_is_read(
    trained_on: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantising, "load_hub", None)
    with pytest.raises((ModelError, ValueError), match=r"trained_on is|number"):
        quantise("owner/name", "w4", corpus="texts", trained_on=trained_on)
    with pytest.raises(ModelError, match="or several different ones"):
        quantise(["models", "models/"], "w4")


def test_a_model_of_ours_is_not_told_what_it_was_trained_on(trained: Trained, folder: Path) -> None:
    for model in (trained, folder, folder / "a.safetensors"):
        with pytest.raises(
            ModelError, match="trained_on is '2T', and a model that isoloss trained"
        ):
            quantise(model, "w4", trained_on="2T")
