"""The contract of a task: what its key knows, and what is refused in a sentence before any step."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import isoloss as il
from isoloss.lm import ModelError, Recipe, TrainingTask, hub_task, model_of, train_one, train_task
from isoloss.lm.sweeps.task_jobs import task_jobs_of
from isoloss.runs import Grid
from own_modules import CORPUS, RECIPE, Plain, held_pairs, pair_loss, pairs, plain, regressor

SOURCE = """
from torch import nn

LAYERS = 1

def width(params):
    return 8 * LAYERS

class Base(nn.Module):
    def forward(self, tokens):
        return self.head(self.embedding(tokens))

class Tiny(Base):
    def __init__(self, size):
        super().__init__()
        self.embedding, self.head = nn.Embedding(32, size), nn.Linear(size, 32)

def build(params, seed):
    return Tiny(width(params))

def unused():
    return 1
"""


def module_of(folder: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    (folder / f"{name}.py").write_text(text)
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


def test_without_a_version_the_source_tells_tasks_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However deep, and whatever the file is called; what is not used does not count."""

    def code(name: str, old: str = "", new: str = "") -> Any:
        assert old in SOURCE
        module = module_of(tmp_path, name, SOURCE.replace(old, new), monkeypatch)
        return TrainingTask("t", module.build, CORPUS)

    first = code("one").code
    assert code("two").code == first
    assert code("three", "return 1", "return 2").code == first
    changed = [
        code("four", "8 * LAYERS", "9 * LAYERS"),
        code("five", "LAYERS = 1", "LAYERS = 2"),
        code("six", "self.head(self.embedding(tokens))", "-self.head(self.embedding(tokens))"),
        code("seven", "nn.Linear(size, 32)", "nn.Linear(size, 32, bias=False)"),
        code("eight", "Tiny(width(params))", "Tiny( width(params))"),
    ]
    assert len({each.code["source"] for each in changed} | {first["source"]}) == 6


def key(task: TrainingTask, **more: Any) -> str:
    (job,) = task_jobs_of(Grid(tokens=128, **more), task, RECIPE)
    return job.key


def test_keys_differ_by_all_that_determines_a_run() -> None:
    def task(name: str = "t", corpus: Any = CORPUS, version: str = "1", **more: Any) -> Any:
        return TrainingTask(name, plain, corpus, version=version, **more)

    first = key(task())
    assert first == key(task())
    others = [
        key(task("u")),
        key(task(version="2")),
        key(task(settings={"depth": 2})),
        key(task(settings=lambda params: {"size": params})),
        key(task(corpus=il.lm.Language(vocab=32, context=16, seed=1))),
        key(task(), params=12),
        key(task(), precision="w4"),
        key(task(), seed=1),
        key(task(), lr=0.5),
    ]
    assert len({first, *others}) == 10


def closed_over(size: int) -> Callable[..., nn.Module]:
    def build(params: float | None, seed: int) -> nn.Module:
        return Plain(size)

    return build


VALUE = object()


def hidden(params: float | None, seed: int) -> nn.Module:
    return Plain(id(VALUE))


@pytest.mark.parametrize(
    ("build", "why"),
    [
        (closed_over(3), "it is closed over 'size'"),
        (partial(plain, seed=1), "it is a partial"),
        (hidden, "it depends on 'VALUE', a object"),
        (eval("lambda params, seed: None"), "it has no source that can be read"),
    ],
)
def test_what_no_source_tells_needs_a_version(build: Any, why: str) -> None:
    asked = "; give the task a version, such as version='1'"
    told = f"build of the task 't' cannot be told by its source: {why}{asked}"
    with pytest.raises(ModelError, match=told):
        TrainingTask("t", build, CORPUS)
    assert TrainingTask("t", build, CORPUS, version="1").code == {"version": "1"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": ""}, "the name of a task is ''; accepted is printable text other than 'isoloss'"),
        ({"name": "isoloss"}, "the name of a task is 'isoloss'"),
        ({"name": 3}, "name is 3; accepted is the name of a model family"),
        ({"build": "Plain"}, "build of the task 't' is 'Plain'; accepted is a function"),
        ({"build": Plain()}, r"build of the task 't' is a Plain; accepted is a function of"),
        ({"corpus": 3}, "a int is no corpus"),
        ({"corpus": None}, "batches of the task 't' is None; accepted is a function"),
        ({"loss": 1.0}, "loss of the task 't' is 1.0; accepted is a function"),
        ({"context": 4}, "the task 't' has a corpus and context; accepted is either a corpus or"),
        ({"version": 1}, "version is 1; accepted is text such as '1', or None"),
        ({"settings": [1]}, r"settings is \[1\]; accepted is a dictionary of JSON values"),
        ({"corpus": None, "batches": pairs, "held_out": held_pairs},
         r"context \(tokens a sequence\) of the task 't' is None; accepted is a whole number from"),
    ],
)  # fmt: skip
def test_what_is_no_contract(given: dict[str, Any], message: str) -> None:
    whole = {"name": "t", "build": plain, "corpus": CORPUS, "version": "1"} | given
    with pytest.raises(
        ModelError if given.get("corpus", 0) != 3 else il.lm.TextError, match=message
    ):
        TrainingTask(**whole)


@pytest.mark.parametrize(
    ("task", "what"),
    [("llama", "'llama'"), (Plain, "a class"), (Plain(), "a Plain"), (None, "None")],
)
def test_what_is_no_task(task: Any, what: str) -> None:
    accepted = r"; accepted is a TrainingTask\(name, build, corpus\), or hub_task\(config, corpus\)"
    with pytest.raises(ModelError, match=f"task is {what}{accepted}"):
        train_task(task, "1k")
    if task is not None:
        with pytest.raises(ModelError, match=f"task is {what}{accepted}"):
            il.train(Grid(tokens="1k"), task=task, show=False)
        with pytest.raises(ModelError, match="train_task trains a module of one's own, a Training"):
            train_one(task, "1k")


def test_words_that_a_task_does_not_go_with() -> None:
    task = TrainingTask("t", plain, CORPUS, version="1")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"corpus": "texts/"}, "a task has batches of its own; give the corpus to the task"),
        ({"cells": True}, "cells=True trains decoders side by side, and a task has a module"),
        ({"post": "w4 z3"}, "cannot read 'z3'"),
        ({"post": "g4"}, "serving has no part 'g'"),
        ({"post": "kv4"}, "Plain keeps no keys and values|needs? .*transformers"),
        ({"post": "w.fc7:int3"}, "the model has no 'w.fc7'"),
    ]
    for more, message in cases:
        with pytest.raises(ModelError, match=message):
            il.train(Grid(tokens="1k"), task=task, show=False, **more)
    with pytest.raises(ModelError, match="a grid cannot vary 'tied' in training; lists are"):
        il.train(Grid(tokens="1k", tied=[True]), task=task, show=False)
    with pytest.raises(ModelError, match="a grid of training needs either tokens or"):
        il.train(Grid(params=12), task=task, show=False)
    with pytest.raises(ModelError, match="1 tokens are less than half a batch of 256"):
        train_task(task, 1)


# ---- what the functions give
def text(params: float | None, seed: int) -> Any:
    return "a module"


def failing(params: float | None, seed: int) -> nn.Module:
    raise RuntimeError("no such size")


def half(params: float | None, seed: int) -> nn.Module:
    return Plain().to(torch.bfloat16)


def nowhere(params: float | None, seed: int) -> nn.Module:
    return Plain().to("meta")


def unseeded(params: float | None, seed: int) -> nn.Module:
    module = Plain()
    module.head.bias.data.fill_(next(TIMES))
    return module


TIMES = itertools.count()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            text,
            "what build of the task 't' gave is 'a module'; accepted is a model: a torch",
        ),
        (failing, "build of the task 't' failed for params None and seed 0: RuntimeError: no such"),
        (
            half,
            "'embedding.weight' of the module of 't' is bfloat16 on cpu; accepted is float32",
        ),
        (nowhere, "'embedding.weight' of the module of 't' is float32 on meta"),
        (unseeded, "build of the task 't' gives other weights for the same seed 0; draw them from"),
    ],
)
def test_what_build_may_not_give(build: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        train_task(TrainingTask("t", build, CORPUS, version="1"), "1k", recipe=RECIPE)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda m, b: 1.0, "the loss of the task 't' is 1.0; accepted is the mean nats a token"),
        (lambda m, b: m(b["x"]), r"is float32 of shape \(2, 4\); accepted"),
        (lambda m, b: m(b["x"]).argmax(), r"is int64 of shape \(\); accepted"),
        (lambda m, b: m(b["x"]).sum() * torch.nan, "is nan before any step; accepted"),
        (lambda m, b: m(b["x"]).sum().detach(), "does not depend on the weights of its module"),
        (lambda m, b: m(b["y"]), "the loss of the task 't' failed on its first batch: KeyError"),
    ],
)
def test_what_is_no_loss(loss: Any, message: str) -> None:
    task = TrainingTask(
        "t", regressor, loss=loss, batches=pairs, held_out=held_pairs, context=1, version="1"
    )
    with pytest.raises(ModelError, match=message):
        train_task(task, 40, recipe=RECIPE)


def test_batches_are_a_function_of_step_and_seed() -> None:
    drawn = np.random.default_rng(0)

    def changing(step: int, sequences: int, seed: int) -> Any:
        return pairs(step, sequences, seed) | {"x": drawn.normal(size=(sequences, 8))}

    def task(**more: Any) -> TrainingTask:
        whole = {"batches": pairs, "held_out": held_pairs} | more
        return TrainingTask("t", regressor, loss=pair_loss, context=1, version="1", **whole)

    with pytest.raises(ModelError, match="batches of the task 't' gives another batch for the"):
        train_task(task(batches=changing), 40, recipe=RECIPE)
    with pytest.raises(
        ModelError, match="held_out of the task 't' gave 1 of them; accepted are two"
    ):
        train_task(task(held_out=lambda sequences: held_pairs(8)[:1]), 40, recipe=RECIPE)


def test_tokens_are_counted_by_the_sequences_of_a_batch() -> None:
    def task(batches: Any, context: int = 1) -> TrainingTask:
        return TrainingTask(
            "t", regressor, loss=pair_loss, batches=batches, held_out=held_pairs,
            context=context, version="1",
        )  # fmt: skip

    told = "gave tensors of {} rows where 2 sequences were asked for; accepted are 2 rows, or {} of"
    with pytest.raises(ModelError, match=told.format(8, 2)):
        train_task(task(lambda step, sequences, seed: pairs(step, 8, seed)), 40, recipe=RECIPE)
    with pytest.raises(ModelError, match=told.format("no", 6)):
        train_task(task(lambda step, sequences, seed: "text", 3), 40, recipe=RECIPE)
    flat = task(lambda step, sequences, seed: pairs(step, 3 * sequences, seed), 3)
    assert train_task(flat, 48, recipe=RECIPE).run.tokens == 48


def growing(module: nn.Module, batch: Any) -> Tensor:
    found = pair_loss(module, batch)
    return found.repeat(2) if len(batch["label"]) > 2 else found


def test_a_loss_that_is_no_scalar_later_is_refused() -> None:
    task = TrainingTask(
        "t", regressor, loss=growing, batches=pairs, held_out=held_pairs, context=1, version="1"
    )
    with pytest.raises(ModelError, match=r"the loss of the task 't' has the shape \(2,\) at step"):
        train_task(task, 40, recipe=RECIPE)


def test_a_function_of_the_hub_without_a_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="config is a function; accepted is a configuration, or a"):
        hub_task(lambda params: None, CORPUS)
    with pytest.raises(ModelError, match="config is a class; accepted"):
        hub_task(Plain, CORPUS, name="llama")
    with pytest.raises(ModelError, match=r"config is 'llama'; accepted is|need transformers"):
        hub_task("llama", CORPUS)


def test_the_decoder_keeps_its_own_door() -> None:
    with pytest.raises(ModelError, match="accepted is a Decoder, as model_of"):
        train_one("4k", "1k")  # type: ignore[arg-type]
    assert train_one(model_of("4k", 32), 64, corpus=CORPUS, recipe=Recipe(
        sequences=4, validation=4, compiled=False)).run.family == "isoloss"  # fmt: skip


def _of_width(width: int) -> Any:
    def build(params: float | None, seed: int, width: int = width) -> nn.Module:
        return nn.Sequential(nn.Embedding(64, width), nn.Linear(width, 64))

    return build


def _set_on_itself(params: float | None, seed: int) -> nn.Module:
    width = _set_on_itself.width  # type: ignore[attr-defined]
    return nn.Sequential(nn.Embedding(64, width), nn.Linear(width, 64))


class _SetOnTheClass(nn.Sequential):
    width = 8

    def __init__(self, params: float | None, seed: int) -> None:
        super().__init__(nn.Embedding(64, self.width), nn.Linear(self.width, 64))


def test_values_that_a_source_does_not_show_tell_tasks_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def told(build: Any) -> dict[str, Any]:
        return dict(TrainingTask("own", build, CORPUS).code)

    assert told(_of_width(8)) == told(_of_width(8)) != told(_of_width(16))
    found = []
    for width in (8, 16):
        monkeypatch.setattr(_set_on_itself, "width", width, raising=False)
        monkeypatch.setattr(_SetOnTheClass, "width", width)
        found.append((told(_set_on_itself), told(_SetOnTheClass)))
    assert all(one != other for one, other in zip(*found, strict=True))
