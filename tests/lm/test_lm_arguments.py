"""Arguments of a wrong kind: every verb refuses them in one sentence, before any work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from isoloss.lm import (
    Calibration,
    Language,
    Model,
    ModelError,
    Recipe,
    TextError,
    corpus_of,
    degradation,
    evaluate,
    foreseen,
    model_of,
    post_run,
    quantise,
    quantised,
    train,
    train_one,
)
from isoloss.lm.arguments import posts_of
from isoloss.runs import Decoder, Run, RunsError

LANGUAGE = Language(vocab=32, context=16)
SHAPE = Decoder(1, 16, 2, 32, ffn=16)
GRID = {"params": "4k", "tokens": "1k"}
TOKENS = LANGUAGE.validation(4)
RUN = Run(params=1, tokens=1, precision="fp", loss=3.0)


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(SHAPE, compiled=False)


Call = Callable[[Model], Any]
REFUSED: dict[str, tuple[Call, str]] = {
    "train_one model": (
        lambda m: train_one(m, "1k"),
        "shape is a Model; accepted is a Decoder, as model_of('0.1M')",
    ),
    "train_one params": (lambda m: train_one("4k", "1k"), "shape is '4k'; accepted is a Decoder"),
    "train_one tokens": (
        lambda m: train_one(SHAPE, None, corpus=LANGUAGE),
        "cannot read None as a number",
    ),
    "train_one precision": (
        lambda m: train_one(SHAPE, "1k", 4, corpus=LANGUAGE),
        "precision is 4; accepted is a precision",
    ),
    "train_one corpus": (
        lambda m: train_one(SHAPE, "1k", corpus="synthetic"),
        "corpus is 'synthetic'; accepted is a Corpus",
    ),
    "train_one recipe": (
        lambda m: train_one(SHAPE, "1k", recipe={"lr": 1}),
        "recipe is {'lr': 1}; accepted is a Recipe",
    ),
    "train_one seed": (
        lambda m: train_one(SHAPE, "1k", seed=0.5),
        "seed is 0.5; accepted is a whole number from 0 on",
    ),
    "train_one seed below": (
        lambda m: train_one(SHAPE, "1k", seed=-1),
        "seed is -1; accepted is a whole number from 0 on",
    ),
    "train grid": (lambda m: train(3), "grid is 3; accepted is a Grid"),
    "train grid text": (lambda m: train("4k"), "grid is '4k'; accepted is a Grid"),
    "train grid model": (lambda m: train([m]), "grid is a Model; accepted is a Grid"),
    "train no grid": (lambda m: train([]), "grid is []; accepted is a Grid"),
    "train corpus": (
        lambda m: train(GRID, corpus=3),
        "a int is no corpus; accepted are 'synthetic', a path",
    ),
    "train corpus class": (lambda m: train(GRID, corpus=Language), "a Language is no corpus"),
    "train post": (
        lambda m: train(GRID, post=4),
        "post is 4; accepted is a precision such as 'w4', or a list",
    ),
    "train posts": (
        lambda m: train(GRID, post=["w4", 3]),
        "post is ['w4', 3]; accepted is a precision",
    ),
    "train store": (lambda m: train(GRID, store=3), "store is 3; accepted is a path, or None"),
    "train keep": (lambda m: train(GRID, keep=3), "keep is 3; accepted is a path, or None"),
    "train recipe": (
        lambda m: train(GRID, recipe="fast"),
        "recipe is 'fast'; accepted is a Recipe, or None",
    ),
    "train workers": (
        lambda m: train(GRID, workers=0),
        "workers is 0; accepted is a whole number from 1 on",
    ),
    "train executor": (
        lambda m: train(GRID, executor="rya"),
        "unknown engine 'rya'; did you mean 'ray'",
    ),
    "train no executor": (
        lambda m: train(GRID, executor=4),
        "executor is 4; accepted is an executor of concurrent.futures, anything with submit",
    ),
    "train shard": (
        lambda m: train(GRID, shard="17/16"),
        "shard is '17/16'; accepted is a number of a count, such as 3/16",
    ),
    "train cells": (
        lambda m: train(GRID, cells="yes"),
        "cells is 'yes'; accepted is True or False",
    ),
    "foreseen workers": (
        lambda m: foreseen(GRID, workers=1.5),
        "workers is 1.5; accepted is a whole number",
    ),
    "quantise": (
        lambda m: quantise(m, "w4"),
        "cannot quantise a Model; accepted are a trained model, its file",
    ),
    "quantise post": (
        lambda m: quantise("x", 4),
        "post is 4; accepted is a precision such as 'w4'",
    ),
    "quantise word": (lambda m: quantise("x", "z8"), "cannot read 'z8'"),
    "quantise method": (
        lambda m: quantise("x", "w4@foo"),
        "unknown method after training 'foo'; accepted are awq, gptq, gptq_sequential, "
        "hqq, rtn, smoothquant, and your own with --use or il.use (in 'fp -> w4@foo')",
    ),
    "train method": (
        lambda m: train(GRID, post="w4@foo"),
        "unknown method after training 'foo'; accepted are awq, gptq, gptq_sequential, "
        "hqq, rtn, smoothquant, and your own with --use or il.use (in 'fp -> w4@foo')",
    ),
    "train rule": (
        lambda m: train({**GRID, "precision": "w4@foo"}),
        "unknown training method 'foo'; accepted are clipped, lsq, quest, ste, and your own "
        "with --use or il.use (in 'w:int4@foo')",
    ),
    "quantise calibration": (
        lambda m: quantise("x", "w4", calibration=128),
        "calibration is 128; accepted is a Calibration",
    ),
    "quantise callback": (
        lambda m: quantise("x", "w4", callback=1),
        "callback is 1; accepted is a function of a count",
    ),
    "quantised": (
        lambda m: quantised("model", "w4"),
        "model is 'model'; accepted is a model: a torch.nn.Module",
    ),
    "quantised post": (
        lambda m: quantised(m, 4),
        "post is 4; accepted is a precision such as 'w4'",
    ),
    "quantised calibration": (
        lambda m: quantised(m, "w4@gptq", TOKENS),
        "calibration is a ndarray; accepted are tokens as a torch tensor",
    ),
    "post_run": (lambda m: post_run(m, "w4", m, TOKENS), "run is a Model; accepted is a Run"),
    "post_run model": (
        lambda m: post_run(RUN, "w4", RUN, TOKENS),
        "model is a Run; accepted is a model",
    ),
    "post_run tokens": (
        lambda m: post_run(RUN, "w4", m, "tokens"),
        "tokens are 'tokens'; accepted is an array",
    ),
    "post_run corpus": (
        lambda m: post_run(RUN, "w4", m, TOKENS, "text"),
        "corpus is 'text'; accepted is a Corpus",
    ),
    "degradation": (lambda m: degradation(RUN, m, TOKENS), "model is a Run; accepted is a model"),
    "degradation after": (
        lambda m: degradation(m, "w4", TOKENS),
        "quantised is 'w4'; accepted is a model",
    ),
    "degradation tokens": (
        lambda m: degradation(m, m, [[1, 2]]),
        "tokens are [[1, 2]]; accepted is an array of whole",
    ),
    "degradation floats": (
        lambda m: degradation(m, m, TOKENS / 2),
        "tokens are torch.float64; accepted are whole numbers",
    ),
    "evaluate": (
        lambda m: evaluate(torch.nn.Linear(2, 2), TOKENS),
        "model is a Linear; accepted is a Model",
    ),
    "evaluate tokens": (
        lambda m: evaluate(m, TOKENS[0]),
        "tokens have the shape (17,); accepted are 1 row or more",
    ),
    "evaluate vocabulary": (lambda m: evaluate(m, TOKENS + 30), "the model's are 0 to 31"),
    "evaluate recipe": (
        lambda m: evaluate(m, TOKENS, "float32"),
        "recipe is 'float32'; accepted is a Recipe, or None",
    ),
    "recipe": (lambda m: Recipe(lr="0.01"), "lr is '0.01'; accepted is a number"),
    "recipe whole": (
        lambda m: Recipe(sequences=2.5),
        "sequences is 2.5; accepted is a whole number",
    ),
    "recipe endless": (lambda m: Recipe(lr=np.inf), "lr is inf; accepted is a number above 0"),
    "recipe compiled": (
        lambda m: Recipe(compiled="yes"),
        "compiled is 'yes'; accepted are True, False and None",
    ),
    "calibration": (
        lambda m: Calibration(1.5),
        "calibration on sequences is 1.5; accepted is a whole number from 1 on",
    ),
    "corpus setting": (
        lambda m: corpus_of("synthetic", contxt=3),
        "unknown setting 'contxt' of a Language; accepted are",
    ),
    "corpus made": (
        lambda m: corpus_of(LANGUAGE, context=3),
        "context cannot change a corpus that is made",
    ),
    "model_of": (lambda m: model_of(None), "cannot read None as a number"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_kind_is_one_sentence(name: str, model: Model) -> None:
    call, said = REFUSED[name]
    with pytest.raises((ModelError, TextError, RunsError)) as caught:
        call(model)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_served_does_not_change() -> None:
    with pytest.raises(ModelError, match=r"^post is 'w4 a4 then fp from 50%', which changes"):
        posts_of(["w4", "w4 a4 then fp from 50%"])
