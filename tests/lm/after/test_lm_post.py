"""Models rounded after training: which numbers each part gets, what it costs, and the rows that
come of it.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from isoloss.formats import fake_quantise
from isoloss.lm import (
    Calibration,
    Degradation,
    Language,
    Model,
    ModelError,
    Predictions,
    Recipe,
    Trained,
    degradation,
    evaluate,
    post_key,
    post_run,
    quantised,
    train_one,
)
from isoloss.lm.after.degrading import logits_of
from isoloss.lm.after.methods.gptq import gptq
from isoloss.lm.after.post_training import rounded_share
from isoloss.runs import Decoder

LANGUAGE = Language(vocab=64, context=16)
SHAPE = Decoder(2, 32, 4, 64, ffn=48)
RECIPE = Recipe(sequences=8, validation=64, compiled=False)
CALIBRATION = Calibration(48)
MATRICES = ("qkv", "out", "fc1", "fc2")


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train_one(SHAPE, 400 * 8 * 16, corpus=LANGUAGE, recipe=RECIPE)


@pytest.fixture(scope="module")
def validation() -> np.ndarray:
    return LANGUAGE.validation(RECIPE.validation)


def model(precision: str = "fp", seed: int = 0, tied: bool = False) -> Model:
    """A model with a head that says something, untrained."""
    made = Model(replace(SHAPE, tied=tied), precision, seed, compiled=False)
    with torch.no_grad():
        made.head.weight.normal_(0, 0.2, generator=torch.Generator().manual_seed(seed))
    return made


def tokens() -> Tensor:
    return CALIBRATION.tokens(LANGUAGE)


@pytest.mark.parametrize(
    "spelled", ["w4", "w3/16@rtn", "w3+clip", "w:mxfp4", "w:e2m1", "w4~sr", "w:coord(0.01)"]
)
def test_every_matrix_of_the_blocks_is_rounded_and_nothing_else(spelled: str) -> None:
    before = model()
    after = quantised(before, spelled)
    known = after.precision.serve["w"]
    changed = {
        name
        for (name, p), q in zip(before.named_parameters(), after.parameters(), strict=True)
        if not p.equal(q)
    }
    assert changed == {f"blocks.{k}.{name}.weight" for k in range(2) for name in MATRICES}
    if not known.rounding and known.kind != "noise":
        fc2 = before.blocks[1].fc2.weight.detach()
        share = known.granularity or ("row" if known.block is None else None)
        assert after.blocks[1].fc2.weight.equal(_rounded(fc2, replace(known, granularity=share)))


def _rounded(w: Tensor, known: object) -> Tensor:
    missing = -w.shape[1] % (known.group or 1)
    return fake_quantise(torch.nn.functional.pad(w, (0, missing)), known)[:, : w.shape[1]]


def test_the_model_that_was_trained_stays_as_it_is(trained: Trained) -> None:
    before = {name: p.clone() for name, p in trained.model.named_parameters()}
    quantised(trained.model, "w3@gptq a4 kv4 w.head:int4 w.embedding:int4", tokens())
    assert all(p.equal(before[name]) for name, p in trained.model.named_parameters())
    assert str(trained.model.precision) == "fp"


@pytest.mark.parametrize("precision", ["w3", "w4 a8 kv8", "a8 w.fc2:int4 w.head:int4", "w4/16"])
def test_served_as_it_was_trained_a_model_stays_itself(
    precision: str, validation: np.ndarray
) -> None:
    before = model(precision)
    found = degradation(before, quantised(before, precision), validation)
    assert (found.gap, found.kl) == (0.0, 0.0)


@pytest.mark.parametrize(
    "part", ["a8", "kv4", "k4", "v4", "k4/4x1 v3", "q4", "a.fc2:int3", "a.head:int4", "a4 kv4"]
)
def test_activations_served_are_activations_trained(part: str, validation: np.ndarray) -> None:
    served, trained = quantised(model(), part), model(part)
    assert (
        evaluate(served, validation).loss
        == evaluate(trained, validation).loss
        != evaluate(model(), validation).loss
    )


def test_parts_that_are_not_named_stay_as_trained(validation: np.ndarray) -> None:
    after = quantised(model("w8 a4 kv4"), "w3")
    assert str(after.precision) == "w8 a4 kv4 -> w3"
    assert evaluate(after, validation).loss == evaluate(model("w3 a4 kv4"), validation).loss


def test_fp_lifts_what_training_rounded(validation: np.ndarray) -> None:
    after = quantised(model("w3 a4 kv4"), "w:fp a:fp")
    assert evaluate(after, validation).loss == evaluate(model("kv4"), validation).loss


def test_single_blocks_have_formats_of_their_own() -> None:
    before = model()
    after = quantised(before, "w4 w.fc1:int3 w.layers.0.out:int2 w.last1:int8 w.head:int4")
    expected = [
        {"qkv": "int4", "out": "int2", "fc1": "int3", "fc2": "int4"},
        {"qkv": "int8", "out": "int8", "fc1": "int8", "fc2": "int8"},
    ]
    for block, plain, formats in zip(after.blocks, before.blocks, expected, strict=True):
        for name, known in formats.items():
            weight = getattr(plain, name).weight.detach()
            assert getattr(block, name).weight.equal(fake_quantise(weight, f"{known}/row"))
    found = quantised(before, "w.layers.1.fc2:int4")
    assert found.blocks[0].fc2.weight.equal(before.blocks[0].fc2.weight)
    shape = before.shape
    size = 2 * sum(getattr(before.blocks[0], name).weight.numel() for name in MATRICES)
    assert rounded_share(before, found.precision) == shape.width * shape.ffn / size


@pytest.mark.parametrize("scope", ["w.layers.2", "w.first3", "a.layers.0", "w.layers.0.q_proj"])
def test_blocks_that_there_are_not_are_refused(scope: str) -> None:
    with pytest.raises(
        ModelError, match=f"the model has no '{scope}' .* accepted are weights of its 2 layers"
    ):
        quantised(model(), f"{scope}:int4")


def test_one_of_keys_and_values_is_served_anew(validation: np.ndarray) -> None:
    after = quantised(model("kv4"), "v3")
    assert evaluate(after, validation).loss == evaluate(model("k4 v3"), validation).loss


def test_scopes_name_single_matrices(validation: np.ndarray) -> None:
    before, after = model(), quantised(model(), "w.fc2:int3 w.head:int4 w.embedding:int4")
    assert after.blocks[0].qkv.weight.equal(before.blocks[0].qkv.weight)
    assert after.head.weight.equal(fake_quantise(before.head.weight.detach(), "int4/row"))
    assert (
        evaluate(after, validation).loss
        == evaluate(model("w.fc2:int3 w.head:int4 w.embedding:int4"), validation).loss
    )


def test_a_tied_head_is_rounded_with_the_embedding() -> None:
    after = quantised(model(tied=True), "w3 w.head:int4 w.embedding:int4")
    assert after.head.weight is after.embedding
    assert after.embedding.equal(fake_quantise(model(tied=True).embedding.detach(), "int4/row"))


# ---- GPTQ through the model
def test_gptq_takes_inputs_from_the_layers_already_rounded() -> None:
    before, calibration = model(), tokens()
    after = quantised(before, "w3@gptq_sequential a8", calibration)
    step_by_step = quantised(before, "a8")
    for k, block in enumerate(step_by_step.blocks):
        for name in MATRICES:
            seen: list[Tensor] = []
            layer = getattr(block, name)
            hook = layer.register_forward_pre_hook(
                lambda m, args, seen=seen: seen.append(m.a(args[0]))
            )
            with torch.no_grad():
                for part in calibration.split(16):
                    step_by_step(part)
            hook.remove()
            x = torch.cat([s.reshape(-1, s.shape[-1]) for s in seen])
            layer.weight.copy_(
                gptq(
                    layer.weight,
                    2 * x.T @ x,
                    replace(after.precision.serve["w"], granularity="row"),
                )
            )
            torch.testing.assert_close(
                getattr(after.blocks[k], name).weight, layer.weight, rtol=1e-5, atol=1e-6
            )


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_gptq_loses_less_than_rounding_to_nearest(
    trained: Trained, validation: np.ndarray, bits: int
) -> None:
    near = degradation(trained.model, quantised(trained.model, f"w{bits}"), validation)
    found = degradation(
        trained.model, quantised(trained.model, f"w{bits}@gptq", tokens()), validation
    )
    assert found.kl + 2 * found.kl_se < near.kl
    # A thousand tokens resolve no gap of some thousandths of a nat, which is what 3 and 4 bits cost
    # this small model.
    assert bits > 2 or found.gap + 2 * found.gap_se < near.gap


@pytest.mark.parametrize(
    "spelled",
    [
        "w.head:int3@gptq",
        "w3/16@gptq",
        "w:mxfp4@gptq",
        "w3+had@gptq",
        "w.fc1:uint2/8@gptq w.fc2:int8",
    ],
)
def test_gptq_of_scopes_and_formats(trained: Trained, validation: np.ndarray, spelled: str) -> None:
    near = degradation(
        trained.model, quantised(trained.model, spelled.replace("@gptq", "")), validation
    )
    assert (
        degradation(trained.model, quantised(trained.model, spelled, tokens()), validation).kl
        < near.kl
    )


# ---- what it costs
def test_loss_gap_and_divergence_by_their_definitions(
    trained: Trained, validation: np.ndarray
) -> None:
    after = quantised(trained.model, "w3")
    found = degradation(trained.model, after, validation)
    with torch.no_grad():
        x = torch.from_numpy(validation)
        p, q = (logits_of(m, x[:, :-1]).double().log_softmax(-1) for m in (trained.model, after))
        own = -torch.gather(q, 2, x[:, 1:, None])[..., 0].mean(1)
        gap = own + torch.gather(p, 2, x[:, 1:, None])[..., 0].mean(1)
        kl = (p.exp() * (p - q)).sum(-1).mean(1)
    for value, se, each in (
        (found.loss, found.loss_se, own),
        (found.gap, found.gap_se, gap),
        (found.kl, found.kl_se, kl),
    ):
        assert value == pytest.approx(float(each.mean()), rel=1e-4)
        assert se == pytest.approx(float(each.std()) / math.sqrt(len(each)), rel=1e-4)
    assert found.loss == evaluate(after, validation).loss


def test_predictions_kept_give_the_same_numbers(trained: Trained, validation: np.ndarray) -> None:
    after = quantised(trained.model, "w3")
    kept = Predictions.of(trained.model, validation)
    assert degradation(kept, after, validation) == degradation(trained.model, after, validation)
    with pytest.raises(ModelError, match="of other tokens"):
        degradation(kept, after, validation[:40])


def test_a_degradation_prints_itself() -> None:
    shown = str(Degradation(2.0, 0.01, 0.0123, 0.001, 1e-5, 1e-6))
    assert shown == "loss 2.0000 +- 0.0100, gap +0.0123 +- 0.001, KL 1e-05 +- 1e-06 nats a token"


# ---- the rows
def test_the_row_of_a_quantised_run(trained: Trained, validation: np.ndarray) -> None:
    row, extra = post_run(trained.run, "w3@gptq", trained.model, validation, LANGUAGE, CALIBRATION)
    found = degradation(trained.model, quantised(trained.model, "w3@gptq", tokens()), validation)
    assert (row.precision, row.parent, row.method) == (
        "fp -> w3@gptq",
        trained.run.key,
        "gptq on 48 sequences",
    )
    assert (row.loss, row.loss_se, row.status) == (found.loss, found.loss_se, "ok")
    measured = {name: getattr(found, name) for name in ("gap", "gap_se", "kl", "kl_se")}
    assert extra == measured | {"rounded_share": 1.0}
    assert row.key == post_key(trained.run.key or "", "fp -> w3@gptq", CALIBRATION)
    assert extra["gap"] == pytest.approx(row.loss - trained.run.loss, abs=1e-6)


def test_a_key_holds_what_determines_the_row() -> None:
    keys = [
        post_key("a", "fp -> w3"),
        post_key("b", "fp -> w3"),
        post_key("a", "fp -> w4"),
        post_key("a", "fp -> w3@gptq"),
        post_key("a", "fp -> w3@gptq", Calibration(64)),
        post_key("a", "fp -> w3@gptq", Calibration(seed=5)),
        post_key("a", "fp -> w3@gptq_sequential"),
        post_key("a", "fp -> w3@gptq_sequential w.fc2:int3@gptq"),
        post_key("a", "fp -> w3@gptq w.fc2:int3@gptq_sequential"),
        post_key("a", "fp -> w3@gptq w.fc2:int3@gptq"),
        post_key("a", "fp -> w3@gptq", rotate=True),
    ]
    assert len(set(keys)) == len(keys)
    assert (
        post_key("a", "fp -> w3", Calibration(64)) == keys[0]
    )  # rounding to nearest looks at no tokens
    assert post_key("a", "fp -> w:int3/row") == keys[0]


def test_a_run_that_diverged_has_a_row_that_says_so(
    trained: Trained, validation: np.ndarray
) -> None:
    run = replace(trained.run, status="diverged", reason="the loss is nan", loss=math.nan)
    row, extra = post_run(run, "w3", trained.model, validation)
    assert (row.status, extra) == ("diverged", {})
    assert math.isnan(row.loss)
    assert row.reason == "the run that it was quantised from diverged: the loss is nan"


def test_calibration_is_no_batch_of_training_and_the_same_for_every_run() -> None:
    found = tokens()
    assert found.shape == (48, 16)
    assert found.equal(CALIBRATION.tokens(LANGUAGE))
    assert not any(
        np.array_equal(found.numpy(), LANGUAGE.batch(0, 48, seed)[:, :-1]) for seed in range(4)
    )


# ---- bad input
@pytest.mark.parametrize(
    ("post", "said"),
    [
        ("g4", "serving has no part 'g' ('fp -> g4'); it has w a kv k v q"),
        ("d:int4", "serving has no part 'd'"),
        (
            "w4@omni",
            "unknown method after training 'omni'; accepted are awq, gptq, gptq_sequential, "
            "hqq, rtn, smoothquant, and your own with --use or il.use (in 'fp -> w4@omni')",
        ),
        (
            "a8@gptq",
            "'a:int8@gptq' cannot be: @gptq applies to weights only; activations are rounded at "
            "run time",
        ),
        ("w.embedding:int4@gptq", "an embedding is looked up, so @gptq sees no inputs of it"),
        (
            "w4~sr@gptq",
            "'w:int4~sr@gptq' cannot be: @gptq takes formats that round to nearest on a grid",
        ),
        ("w.fc9:int4", "the model has no 'w.fc9'"),
        ("w8 -> w4", "'w8 -> w4' has an arrow; name the formats of serving alone, such as 'w4 a8'"),
        ("fp", "serving differs in nothing from 'fp'; name parts such as 'w4' or 'w4 a8 kv4'"),
        ("w4 x8", "cannot read 'x8'"),
        (
            "w4@gptq",
            "@gptq looks at how inputs vary: pass calibration, tokens of shape (rows, context)",
        ),
        ("w1.58/32", "groups of 32 in 'ternary/32' do not divide the 48 inputs of blocks.0.fc2"),
    ],
)
def test_what_cannot_be_served_is_refused(post: str, said: str) -> None:
    with pytest.raises(ModelError) as caught:
        quantised(model(), post)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_model_is_quantised_once() -> None:
    with pytest.raises(ModelError, match="quantised already"):
        quantised(quantised(model(), "w4"), "w3")


@pytest.mark.parametrize("post", ["w.head:int4", "w.head:int4@gptq w.embedding:int4"])
def test_half_a_tied_head_is_refused(post: str) -> None:
    with pytest.raises(ModelError, match="a tied head is the embedding"):
        quantised(model(tied=True), post)


def test_weights_that_are_no_numbers_are_refused() -> None:
    broken = model()
    with torch.no_grad():
        broken.blocks[0].fc1.weight[0, 0] = math.nan
    with pytest.raises(
        ModelError, match=r"blocks\.0\.fc1: cannot round to 'int4/row': the array holds NaN"
    ):
        quantised(broken, "w4")
    with pytest.raises(ModelError, match="NaN or infinity"):
        quantised(broken, "w4@gptq", tokens())


@pytest.mark.parametrize(
    "calibration",
    [torch.zeros(3, dtype=torch.long), torch.zeros(2, 4), torch.zeros(0, 4, dtype=torch.long)],
)
def test_calibration_that_is_no_table_of_tokens_is_refused(calibration: Tensor) -> None:
    with pytest.raises(ModelError, match="accepted are whole numbers"):
        quantised(model(), "w4@gptq", calibration)


def test_too_few_tokens_to_compare_on_are_refused(validation: np.ndarray) -> None:
    with pytest.raises(ModelError, match="accepted are 2 rows or more"):
        degradation(model(), model(), validation[:1])
    with pytest.raises(ModelError, match="accepted is a whole number from 1 on"):
        Calibration(0)


def test_a_model_with_learned_steps_is_served_in_other_formats() -> None:
    """Its own steps go where serving names the part, and stay where it does not."""
    done = train_one(
        SHAPE, 20 * 8 * 16, "w4@lsq a4@lsq kv:int4/tensor@lsq", corpus=LANGUAGE, recipe=RECIPE
    )
    tokens = LANGUAGE.validation(8)
    wide = evaluate(quantised(done.model, "w16 a16 kv16"), tokens).loss
    plain = train_one(SHAPE, 20 * 8 * 16, corpus=LANGUAGE, recipe=RECIPE).model
    mine = dict(done.model.weights())
    for name, p in plain.named_parameters():
        p.data.copy_(mine[name])
    assert wide == pytest.approx(evaluate(plain, tokens).loss, abs=2e-3)
    weights = quantised(done.model, "w3")
    assert weights.blocks[0].fc1.a is not None
    assert evaluate(weights, tokens).loss != evaluate(done.model, tokens).loss
