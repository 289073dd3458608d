"""The model: its size, its rounding against the specification, gradients against their definition,
refusals.
"""

import shutil
from typing import Any

import pytest
import torch
from torch.nn import functional

from isoloss import formats
from isoloss.formats import Format, Precision
from isoloss.lm import Model, ModelError, model_of
from isoloss.lm.after import quantised
from isoloss.lm.model import Linear
from isoloss.lm.rounding.parts import check_groups, rounding_of
from isoloss.lm.shape import check_memory
from isoloss.runs import Decoder, number

SMALL = Decoder(2, 16, 2, 20, ffn=24)
DRAW = torch.Generator().manual_seed(0)
X, W, G = (torch.randn(shape, generator=DRAW) for shape in ((5, 7, 16), (12, 16), (5, 7, 12)))


def linear(precision: str, name: str = "fc1") -> Linear:
    known = Precision(precision)
    found = Linear(known, name, 12, 16, compiled=False)
    with torch.no_grad():
        found.weight.copy_(W)
    return found


@pytest.mark.parametrize("params", ["5k", "12k", "50k", 0.1e6, "0.4M", "1M", "10M", "100M"])
def test_the_ladder_hits_its_sizes(params: str | float) -> None:
    assert model_of(params).non_embedding_params == pytest.approx(number(params), rel=0.05)


@pytest.mark.parametrize(
    "shape", [SMALL, model_of("20k"), Decoder(1, 16, 4, 9, kv_heads=2, tied=True)]
)
def test_params_are_those_of_the_decoder(shape: Decoder) -> None:
    model = Model(shape)
    assert sum(p.numel() for p in model.parameters()) == shape.params
    ends = {id(p): p.numel() for p in (model.embedding, model.head.weight)}
    assert sum(ends.values()) == shape.embedding_params


@pytest.mark.parametrize(
    ("precision", "a", "w"),
    [
        ("w4 a8", "int8/tensor", "int4/row"),
        ("w3/8 a:e4m3/row", "e4m3/row", "int3/8"),
        ("a:nvfp4", "nvfp4", "fp"),
    ],
)
def test_a_linear_layer_rounds_as_the_formats_do(precision: str, a: str, w: str) -> None:
    expected = formats.fake_quantise(X, a) @ formats.fake_quantise(W, w).T
    assert torch.allclose(linear(precision)(X), expected, rtol=0, atol=1e-6)


def test_gradients_pass_straight_through() -> None:
    """y = Q(x) Q(W)^T: dx = g Q(W), dW = g^T Q(x), g rounded where it is set."""
    for precision, g in [("w3 a4", G), ("w3 a4 g5", formats.fake_quantise(G, "int5"))]:
        layer, x = linear(precision), X.clone().requires_grad_()
        layer(x).backward(G)
        qx, qw = formats.fake_quantise(X, "int4"), formats.fake_quantise(W, "int3/row")
        assert x.grad is not None
        assert layer.weight.grad is not None
        assert torch.allclose(x.grad, g @ qw, atol=1e-5)
        assert torch.allclose(layer.weight.grad, torch.einsum("bto,bti->oi", g, qx), atol=1e-5)


def test_gradients_change_only_where_g_is_set() -> None:
    tokens = torch.randint(1, 20, (3, 8), generator=torch.Generator().manual_seed(1))
    plain, rounded = Model(SMALL, "w4", compiled=False), Model(SMALL, "w4 g4", compiled=False)
    with torch.no_grad():
        for model in (plain, rounded):
            model.head.weight.normal_(generator=torch.Generator().manual_seed(2))
    a, b = (
        functional.cross_entropy(m(tokens).flatten(0, 1), tokens.flatten())
        for m in (plain, rounded)
    )
    assert torch.equal(a, b)
    (ga, gb) = (
        torch.autograd.grad(loss, m.blocks[0].fc2.weight)[0]
        for loss, m in ((a, plain), (b, rounded))
    )  # type: ignore[union-attr, arg-type]
    assert not torch.allclose(ga, gb)


@pytest.mark.parametrize(
    ("precision", "part", "name", "format"),
    [
        ("w4 a8", "w", "fc1", "int4/row"),
        ("w4 a8", "a", "qkv", "int8/tensor"),
        ("w4 a8", "w", "head", None),
        ("w4 a8 w.head:8", "w", "head", "int8/row"),
        ("w4 a8 a.fc2:e4m3", "a", "fc2", "e4m3/tensor"),
        ("w4 a8 a.fc2:e4m3", "a", "fc1", "int8/tensor"),
        ("kv4", "kv", "", "int4/row"),
        ("w4/128", "w", "out", "int4/128"),
        ("w:mxfp4", "w", "out", "mxfp4"),
        ("w:bf16", "w", "out", "bf16"),
        ("fp", "w", "out", None),
    ],
)
def test_defaults_and_scopes(precision: str, part: str, name: str, format: str | None) -> None:
    found = rounding_of(Precision(precision), part, name)
    assert (None if found is None else found.known) == (
        None if format is None else Format.parse(format)
    )


@pytest.mark.parametrize(
    "precision",
    ["w4", "a8", "kv4", "k4", "v4", "q4", "w.head:4", "w.embedding:4", "a.head:4", "a.fc2:3"],
)
def test_every_part_changes_what_comes_out(precision: str) -> None:
    tokens = torch.randint(1, 20, (3, 8), generator=torch.Generator().manual_seed(1))
    plain, rounded = Model(SMALL, compiled=False), Model(SMALL, precision, compiled=False)
    for model in (plain, rounded):
        with torch.no_grad():
            model.head.weight.normal_(generator=torch.Generator().manual_seed(2))
    assert not torch.equal(plain(tokens), rounded(tokens))


def test_keys_and_values_are_rounded_a_head_and_token() -> None:
    seen: list[torch.Tensor] = []
    model = Model(SMALL, "kv4", compiled=False)
    block: Any = model.blocks[0]
    plain = block.k
    block.k = block.v = lambda x, random: seen.append(x) or plain(x, random)
    model(torch.ones(3, 8, dtype=torch.long))
    assert [tuple(x.shape) for x in seen] == [(3, 2, 8, 8)] * 2
    assert torch.equal(plain(seen[0]), formats.fake_quantise(seen[0], "int4/row"))


def test_keys_and_values_have_formats_of_their_own() -> None:
    block: Any = Model(SMALL, "k3/4x1 v4/8", compiled=False).blocks[0]
    x = torch.randn(3, 2, 8, 8, generator=torch.Generator().manual_seed(1))
    # Four tokens of one channel share a scale, as in KIVI (2402.02750): the largest is 3 steps.
    steps = x.unflatten(2, (2, 4)).abs().amax(3, keepdim=True) / 3
    channels = (x.unflatten(2, (2, 4)) / steps).round() * steps
    assert torch.allclose(block.k(x), channels.flatten(2, 3), atol=1e-6)
    assert block.v(x).equal(formats.fake_quantise(x, "int4/8"))
    alone: Any = Model(SMALL, "v4", compiled=False).blocks[0]
    assert alone.k is None
    assert str(alone.v.known) == "int4/row"


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs g++")
def test_compiled_rounding_changes_nothing() -> None:
    tokens = torch.randint(1, 20, (3, 8), generator=torch.Generator().manual_seed(1))
    one, two = (Model(SMALL, "w4 a8 kv4", compiled=compiled) for compiled in (True, False))
    assert torch.equal(one(tokens), two(tokens))


@pytest.mark.parametrize(
    ("precision", "message"),
    [
        ("w4 d8", "the model has no part 'd' ('w4 d8'); it has w a kv k v q g"),
        (
            "w.fc9:4",
            "the model has no 'w.fc9' ('w.fc9:int4'); it has w.qkv, w.out, w.fc1, w.fc2, "
            "w.embedding, w.head",
        ),
        (
            "a.embedding:4",
            "the model has no 'a.embedding' ('a.embedding:int4'); it has a.qkv, a.out, a.fc1, "
            "a.fc2, a.head",
        ),
        (
            "w4@gptq a8",
            "unknown training method 'gptq'; accepted are clipped, lsq, quest, ste, and your "
            "own with "
            "--use or il.use (in "
            "'w:int4@gptq')",
        ),
        ("kv.fc1:4", "the model has no 'kv.fc1' ('kv.fc1:int4'); it has kv alone"),
        (
            "w.layers.3:4",
            "the model has no 'w.layers.3' ('w.layers.3:int4'); it has w.qkv, w.out, w.fc1, w.fc2, "
            "w.embedding, w.head",
        ),
        (
            "w4/8x8@lsq",
            "'w:int4/8x8@lsq' cannot be: @lsq takes no tiles; accepted are /tensor, /row and a "
            "group size",
        ),
        (
            "w4/8x8+had",
            "'w:int4/8x8+had' cannot be: tiles take neither +had nor scales that are means",
        ),
        (
            "w4/channel a8/channel",
            "'a:int8/channel' cannot be: no code shares scales by '/channel' yet; accepted are "
            "/tensor, /row, a group size and a tile",
        ),
        (
            "w4@lsq then bf16 from 80%",
            "'w:int4@lsq' has learned steps, which a precision that changes during training "
            "('w4@lsq then bf16 from 80%') has no place for; take @ste, @clipped or @quest",
        ),
    ],
)
def test_parts_that_the_model_lacks(precision: str, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        Model(SMALL, precision)
    assert str(caught.value) == message


def test_shapes_that_the_model_is_not() -> None:
    with pytest.raises(
        ModelError, match=r"^the model is gated, without biases, with rotary positions"
    ):
        Model(Decoder(2, 16, 2, 20, gated=False))
    with pytest.raises(ModelError, match="two norms a block"):
        Model(Decoder(2, 16, 2, 20, block_extras=16))
    with pytest.raises(
        ModelError, match=r"^a tied head is the embedding: set w.head and w.embedding alike"
    ):
        Model(Decoder(2, 16, 2, 20, tied=True), "w.head:4")


def test_sizes_that_do_not_fit() -> None:
    with pytest.raises(
        ModelError, match=r"^a model of 10 params is below the ladder; accepted is at least 3k$"
    ):
        model_of(10)
    with pytest.raises(
        ModelError, match=r"^a model of 1e\+15 params needs 2e\+07 GB to train and .* GB are free"
    ):
        model_of("1000T")
    with pytest.raises(ModelError) as caught:
        check_memory(model_of("0.1M"), 1024, workers=2, available=1e7)
    assert str(caught.value) == (
        "a model of 133k params on batches of 1024 tokens needs 0.0557 GB to train in 2 workers at "
        "once "
        "and 0.01 GB are free; choose a smaller one"
    )


def test_a_token_does_not_see_what_comes_after_it() -> None:
    tokens = torch.randint(1, 20, (3, 8), generator=torch.Generator().manual_seed(1))
    model, later = Model(SMALL, "w4 kv4", compiled=False), tokens.clone()
    with torch.no_grad():
        model.head.weight.normal_(generator=torch.Generator().manual_seed(2))
    later[:, 5] = later[:, 5] % 19 + 1
    one, two = model(tokens), model(later)
    assert torch.allclose(one[:, :5], two[:, :5], atol=1e-6)
    assert not torch.allclose(one[:, 5:], two[:, 5:], atol=1e-3)


def test_learning_rates_follow_the_width() -> None:
    model = Model(Decoder(1, 128, 2, 20, ffn=256))
    rates = {
        id(p): (g["lr"], g["weight_decay"]) for g in model.groups(0.01, 0.1) for p in g["params"]
    }
    found = {name: rates[id(p)] for name, p in model.named_parameters()}
    assert (
        found["embedding"] == found["norm.weight"] == found["blocks.0.norm1.weight"] == (0.01, 0.0)
    )
    assert (
        found["blocks.0.qkv.weight"]
        == found["blocks.0.fc1.weight"]
        == found["head.weight"]
        == (0.005, 0.1)
    )
    assert found["blocks.0.fc2.weight"] == (0.0025, 0.1)


@pytest.mark.parametrize("size", ["3k", "20k", "80k", "0.4M", "3M", "30M"])
def test_the_ladder_keeps_its_sizes_and_leaves_room_for_groups(size: str) -> None:
    shape = model_of(size)
    assert shape.non_embedding_params == pytest.approx(number(size), rel=0.05)
    if size in ("20k", "80k", "3M", "30M"):
        assert shape.ffn is not None
        assert shape.ffn % 32 == 0


def test_groups_that_do_not_divide_are_refused_before_training() -> None:
    with pytest.raises(ModelError) as caught:
        check_groups(Precision("w1.58/32"), model_of("0.4M"), 1024)
    assert str(caught.value) == (
        "'w1.58/32' rounds w.qkv in groups of 32, and a model of 409k params has 112 there; "
        "choose a size or a group that divides"
    )
    check_groups(Precision("w:mxfp4 a:nvfp4 kv4 g8"), model_of("0.4M"), 1024)
    for precision in ("w4/32@lsq", "w4/32@quest", "a:mxfp4+had"):
        with pytest.raises(ModelError, match=r"rounds [wa].qkv in groups of 32"):
            check_groups(Precision(precision), model_of("0.4M"), 1024)


@pytest.mark.parametrize("precision", ["w4/32", "w:mxfp4", "w:e4m3/5x24", "w:uint4/24+clip"])
def test_tiles_and_smaller_last_groups_are_alike_in_training_and_serving(precision: str) -> None:
    model = Model(SMALL, compiled=False)
    after = quantised(model, precision)
    training = Model(SMALL, precision, compiled=False)
    for one, other, known in zip(after.blocks, model.blocks, training.blocks, strict=True):
        for name in ("qkv", "out", "fc1", "fc2"):
            weight = getattr(other, name).weight
            rounded = getattr(known, name).w(weight)
            assert torch.equal(getattr(one, name).weight, rounded)
            assert not torch.equal(rounded, weight)
