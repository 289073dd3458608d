"""Methods of a user's own: registered from outside, spelled as the others, in rows, sweeps and
other processes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

import isoloss as il
from isoloss.formats import Format, fake_quantise
from isoloss.lm import (
    Calibration,
    Language,
    Model,
    ModelError,
    PostMethod,
    Recipe,
    degradation,
    post_key,
    quantise,
    quantised,
    register_method,
    train_one,
)
from isoloss.lm.after.post_method import METHODS, know_methods, own_methods
from isoloss.runs import Decoder

LANGUAGE = Language(vocab=64, context=16)
SHAPE = Decoder(2, 32, 4, 64, ffn=48)
RECIPE = Recipe(sequences=8, validation=32, compiled=False)
CALIBRATION = Calibration(32)


def halved(weight: Tensor, known: Format, seen: Tensor | None) -> Tensor:
    """Half of the weights to nearest: a method that is easy to tell."""
    return fake_quantise(weight / 2, known)


@pytest.fixture
def awq(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    il.use(str(Path(__file__).with_name("awq_like.py")))
    from awq_like import AWQ

    register_method(AWQ, replace=True)
    yield AWQ.name
    METHODS.remove("awqlike")


@pytest.fixture
def half() -> Iterator[PostMethod]:
    yield register_method(PostMethod("half", halved))
    METHODS.remove("half")


def model() -> Model:
    made = Model(SHAPE, compiled=False)
    with torch.no_grad():
        made.head.weight.normal_(0, 0.2, generator=torch.Generator().manual_seed(0))
    return made


def test_a_row_says_the_name_of_the_method(awq: str) -> None:
    done = train_one(SHAPE, 100 * 8 * 16, corpus=LANGUAGE, recipe=RECIPE)
    rows = quantise(done, ["w2", f"w2@{awq}", "w2@gptq"], calibration=CALIBRATION)
    assert list(rows["method"]) == ["rtn", "awqlike on 32 sequences", "gptq on 32 sequences"]
    assert list(rows["precision"]) == ["fp -> w2", "fp -> w2@awqlike", "fp -> w2@gptq"]
    assert rows["key"][1] == post_key(done.run.key or "", "fp -> w2@awqlike", CALIBRATION)
    assert rows["kl"][1] < rows["kl"][0]  # scaling channels pays at 2 bits


def test_a_method_sees_the_model_as_trained_or_as_rounded() -> None:
    """The second matrix of a block sees what the first one gives: rounded by then, or not."""
    seen: dict[bool, list[Tensor]] = {True: [], False: []}

    def taking(layered: bool) -> PostMethod:
        def keep(weight: Tensor, known: Format, x: Tensor | None) -> Tensor:
            assert x is not None
            seen[layered].append(x)
            return fake_quantise(weight, known)

        return PostMethod("keep", keep, sees="inputs", layer_by_layer=layered)

    tokens = CALIBRATION.tokens(LANGUAGE)
    for layered in (True, False):
        register_method(taking(layered), replace=True)
        after = quantised(model(), "w2@keep", tokens)
    METHODS.remove("keep")
    caught: list[Tensor] = []
    for source in (model(), after):
        hook = source.blocks[0].out.register_forward_pre_hook(lambda _, x: caught.append(x[0]))
        source(tokens)
        hook.remove()
    trained, rounded = (x.detach().reshape(-1, 32) for x in caught)
    torch.testing.assert_close(seen[False][1], trained, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(seen[True][1], rounded, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(trained, rounded, atol=1e-3)
    assert seen[True][0].equal(seen[False][0])


def test_methods_stand_side_by_side(half: PostMethod) -> None:
    before, tokens = model(), CALIBRATION.tokens(LANGUAGE)
    after = quantised(before, "w3@gptq w.fc2:int4@half w.embedding:int4@half", tokens)
    assert after.blocks[1].fc2.weight.equal(
        fake_quantise(before.blocks[1].fc2.weight.detach() / 2, "int4/row")
    )
    assert after.embedding.equal(fake_quantise(before.embedding.detach() / 2, "int4/row"))
    alone = quantised(before, "w3@gptq w.embedding:int4@half", tokens)
    assert after.blocks[0].qkv.weight.equal(alone.blocks[0].qkv.weight)


def test_any_model_with_linear_layers_takes_it(half: PostMethod) -> None:
    net = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Linear(8, 8))
    after = quantised(net, "w4@half")
    assert after[1].weight.equal(fake_quantise(net[1].weight.detach() / 2, "int4/row"))


def test_a_sweep_of_processes_knows_it(awq: str, tmp_path: Path) -> None:
    grid = il.Grid(params="4k", tokens=20 * 8 * 16)
    runs = il.train(
        grid,
        corpus=LANGUAGE,
        recipe=RECIPE,
        post=["w3@awqlike"],
        workers=1,
        show=False,
        store=tmp_path / "runs.db",
    )
    assert list(runs["method"])[1:] == ["awqlike on 128 sequences"]
    assert math.isfinite(runs["loss"][1])


def test_degradation_takes_the_model(half: PostMethod) -> None:
    before = model()
    found = degradation(before, quantised(before, "w4@half"), LANGUAGE.validation(8))
    assert found.kl > degradation(before, quantised(before, "w4"), LANGUAGE.validation(8)).kl


def test_work_that_comes_back_to_its_own_process_keeps_the_home(half: PostMethod) -> None:
    """Else the next sweep would take it for one that every process has."""
    home = METHODS.home("half")
    know_methods([half])
    assert METHODS.home("half") == home
    assert own_methods([Format.parse("int4@half"), Format.parse("int4@gptq")]) == (half,)
    METHODS.remove("half")
    know_methods([half])
    assert METHODS["half"] == half
    assert not METHODS.is_shipped(METHODS.home("half"))


# ---- bad input
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: PostMethod("No good", halved),
            "a method after training cannot be named 'No good'; use lower-case",
        ),
        (
            lambda: PostMethod("x", halved, sees="all"),
            "sees 'all'; accepted are nothing, hessian, inputs",
        ),
        (lambda: PostMethod("x", 3), "rounds by 3"),
        (
            lambda: register_method(PostMethod("gptq", halved)),
            "the method after training 'gptq' is already registered",
        ),
    ],
)
def test_what_is_no_method_is_refused(make: object, said: str) -> None:
    with pytest.raises(ModelError) as caught:
        make()  # type: ignore[operator]
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("method", "post", "said"),
    [
        (
            PostMethod("bad", lambda w, known, x: w[:1]),
            "w4@bad",
            r"blocks\.0\.qkv: @bad gave \(1, 32\) for a matrix of shape \(96, 32\)",
        ),
        (PostMethod("bad", lambda w, known, x: 3), "w4@bad", "@bad gave int for a matrix"),
        (
            PostMethod("bad", halved, refusal=lambda known: "no"),
            "w4@bad",
            "'w:int4@bad' cannot be: no",
        ),
        (
            PostMethod("bad", halved),
            "w4 a4@bad",
            "@bad applies to weights only; activations are rounded",
        ),
        (
            PostMethod("bad", halved, sees="inputs"),
            "w4@bad",
            "@bad looks at how inputs vary: pass calib",
        ),
    ],
)
def test_what_a_method_cannot_do_is_said(method: PostMethod, post: str, said: str) -> None:
    register_method(method, replace=True)
    try:
        with pytest.raises(ModelError, match=said):
            quantised(model(), post)
    finally:
        METHODS.remove("bad")
