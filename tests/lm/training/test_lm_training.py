"""The trainer: equal to a plain PyTorch model written here, paired seeds, schedules, divergence,
the row it returns.
"""

import math
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from isoloss.lm import Language, Model, ModelError, Recipe, evaluate, model_of, train_one
from isoloss.lm.training.job import Job
from isoloss.lm.training.trainer import batch_of
from isoloss.runs import Decoder, NothingUsable

LANGUAGE = Language(vocab=64, context=16)
SHAPE = Decoder(2, 32, 4, 64, ffn=48)
RECIPE = Recipe(sequences=8, validation=64, compiled=False)
STEP = 8 * 16


class Plain(nn.Module):
    """The same decoder from torch's own pieces: complex rotations, explicit masked attention,
    separate matrices.
    """

    def __init__(self, shape: Decoder, weights: dict[str, torch.Tensor]):
        super().__init__()
        self.shape = shape
        self.w = nn.ParameterDict(
            {k.replace(".", "_"): nn.Parameter(v.clone()) for k, v in weights.items()}
        )

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        length = tokens.shape[1]
        mask = torch.full((length, length), -torch.inf).triu(1)
        x = self.w["embedding"][tokens]
        for i in range(self.shape.layers):
            part = {
                k.removeprefix(f"blocks_{i}_"): v
                for k, v in self.w.items()
                if k.startswith(f"blocks_{i}_")
            }
            q, k, v = (
                (norm(x, part["norm1_weight"]) @ w.T).unflatten(-1, (self.shape.heads, -1))
                for w in part["qkv_weight"].chunk(3)
            )
            score = torch.einsum("bthd,bshd->bhts", turn(q), turn(k)) / math.sqrt(q.shape[-1])
            mixed = torch.einsum("bhts,bshd->bthd", (score + mask).softmax(-1), v).flatten(2)
            x = x + mixed @ part["out_weight"].T
            gate, up = (norm(x, part["norm2_weight"]) @ w.T for w in part["fc1_weight"].chunk(2))
            x = x + (gate * torch.sigmoid(gate) * up) @ part["fc2_weight"].T
        return norm(x, self.w["norm_weight"]) @ self.w["head_weight"].T


def norm(x: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
    return gain * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)


def turn(x: torch.Tensor) -> torch.Tensor:
    half = x.shape[-1] // 2
    angle = torch.arange(x.shape[1])[:, None] / 10_000.0 ** (torch.arange(half) / half)
    turned = (
        torch.complex(x[..., :half], x[..., half:])
        * torch.polar(torch.ones_like(angle), angle)[:, None]
    )
    return torch.cat([turned.real, turned.imag], -1)


def plain_losses(model: Plain, steps: int, recipe: Recipe, seed: int) -> list[float]:
    """AdamW by its formula, with warm-up, cosine, clipping and rates by width, one parameter at a
    time.
    """
    moments = {name: (torch.zeros_like(p), torch.zeros_like(p)) for name, p in model.w.items()}
    warm, losses = max(1, round(0.05 * steps)), []
    for step in range(steps):
        inputs, targets = batch_of(LANGUAGE, step, recipe, seed)
        loss = nn.CrossEntropyLoss()(model(inputs).transpose(1, 2), targets)
        losses.append(loss.item())
        gradients = dict(
            zip(model.w, torch.autograd.grad(loss, list(model.w.values())), strict=True)
        )
        length = math.sqrt(sum(g.square().sum().item() for g in gradients.values()))
        rise, fall = (
            (step + 1) / warm,
            0.5 * (1 + math.cos(math.pi * (step - warm) / (steps - warm))),
        )
        with torch.no_grad():
            for name, p in model.w.items():
                matrix = p.dim() == 2 and name != "embedding"
                rate = (
                    recipe.lr * (rise if step < warm else fall) * (64 / p.shape[1] if matrix else 1)
                )
                g = gradients[name] * min(1.0, recipe.clip / (length + 1e-6))
                m, v = moments[name]
                m.mul_(0.9).add_(0.1 * g)
                v.mul_(0.95).add_(0.05 * g * g)
                p.mul_(1 - rate * recipe.weight_decay * matrix)
                p -= (
                    rate
                    * (m / (1 - 0.9 ** (step + 1)))
                    / ((v / (1 - 0.95 ** (step + 1))).sqrt() + recipe.eps)
                )
    return losses


@pytest.fixture
def doubles() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def furthest(steps: int, recipe: Recipe = RECIPE) -> float:
    """The largest difference of the two losses over some steps from the same first weights."""
    ours = train_one(SHAPE, steps * STEP, corpus=LANGUAGE, recipe=recipe, seed=5)
    plain = Plain(SHAPE, dict(Model(SHAPE, seed=5).state_dict()))
    assert ours.losses[0] == pytest.approx(math.log(64), abs=1e-6)
    assert ours.losses[-1] < ours.losses[0] - 0.2
    return float(np.abs(ours.losses - plain_losses(plain, steps, recipe, 5)).max())


def test_full_precision_equals_plain_torch() -> None:
    assert furthest(20) < 1e-5


def test_full_precision_equals_plain_torch_for_long() -> None:
    """At a small rate: at lr 0.01, float32 sums taken in another order are 3e-4 apart by step
    200.
    """
    assert furthest(200, replace(RECIPE, lr=1e-3)) < 1e-5


@pytest.mark.usefixtures("doubles")
def test_full_precision_equals_plain_torch_in_float64() -> None:
    assert furthest(100) < 1e-9


def test_the_row_holds_what_a_table_needs() -> None:
    done = train_one(SHAPE, "1k", "w4 a8", corpus=LANGUAGE, recipe=RECIPE, seed=2)
    run = done.run
    assert (run.params, run.params_kind) == (SHAPE.non_embedding_params, "non_embedding")
    assert run.params_embedding == SHAPE.embedding_params
    assert (run.tokens, run.batch_tokens, run.precision) == (8 * STEP, STEP, "w4 a8")
    assert run.flops == SHAPE.training_flops(8 * STEP, 16)
    assert (run.status, run.seed, run.method, run.kernels) == (
        "ok",
        2,
        "straight-through",
        "simulated",
    )
    again = evaluate(done.model, LANGUAGE.validation(64))
    assert run.loss == again.loss
    assert run.loss_se == pytest.approx(again.each.std(ddof=1) / 8)
    assert len(done.runs) == 1
    assert str(done.runs["status"][0]) == "ok"


def test_the_same_run_twice_is_the_same_run() -> None:
    one, two = (
        train_one(SHAPE, 4 * STEP, "w4", corpus=LANGUAGE, recipe=RECIPE, seed=1) for _ in range(2)
    )
    assert replace(one.run, cost=None) == replace(two.run, cost=None)
    assert np.array_equal(one.losses, two.losses)
    others = [
        train_one(SHAPE, 4 * STEP, "w4", corpus=LANGUAGE, recipe=RECIPE, seed=2),
        train_one(SHAPE, 4 * STEP, "w5", corpus=LANGUAGE, recipe=RECIPE, seed=1),
        train_one(SHAPE, 4 * STEP, "w4", corpus=LANGUAGE, recipe=replace(RECIPE, lr=0.02), seed=1),
    ]
    assert len({one.run.key, *(other.run.key for other in others)}) == 4


def test_seeds_are_paired_across_precisions() -> None:
    """One seed: the same first weights and batches, so that 16 bits train as full precision
    does.
    """
    fp, w16 = (
        train_one(SHAPE, 6 * STEP, p, corpus=LANGUAGE, recipe=RECIPE, seed=4)
        for p in ("fp", "w16 a16")
    )
    assert fp.run.loss == pytest.approx(w16.run.loss, abs=1e-3)
    other = train_one(SHAPE, 6 * STEP, corpus=LANGUAGE, recipe=RECIPE, seed=5)
    assert abs(other.losses[-1] - fp.losses[-1]) > 10 * abs(w16.losses[-1] - fp.losses[-1])


def test_random_rounding_is_seeded_too() -> None:
    one, two = (
        train_one(SHAPE, 3 * STEP, "w4~sr g4~sr", corpus=LANGUAGE, recipe=RECIPE, seed=1)
        for _ in range(2)
    )
    assert one.run.loss == two.run.loss


def test_products_in_bf16_train_nearly_as_well() -> None:
    """Each loss within bf16's resolution of float32's at first, and not the same numbers."""
    fp, bf = (
        train_one(
            SHAPE,
            40 * STEP,
            "w8 a8",
            corpus=LANGUAGE,
            recipe=replace(RECIPE, dtype=numbers, lr=3e-3),
            seed=4,
        )
        for numbers in ("float32", "bfloat16")
    )
    assert bf.run.key != fp.run.key
    assert bf.losses[:5] == pytest.approx(fp.losses[:5], rel=2**-7)
    assert 0 < abs(bf.run.loss - fp.run.loss) < 0.02
    assert all(p.dtype == torch.float32 for p in bf.model.parameters())


@pytest.mark.parametrize("settings", [{"lr": 1e6, "clip": 1e9}, {"lr": 1e3, "warmup": 0.0}])
def test_a_diverged_run_is_recorded_as_one(settings: dict[str, Any]) -> None:
    done = train_one(SHAPE, 12 * STEP, corpus=LANGUAGE, recipe=replace(RECIPE, **settings))
    run = done.run
    assert run.status == "diverged"
    assert run.reason is not None
    assert "loss is" in run.reason
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NothingUsable)
        assert done.runs["status"][0] == "diverged"


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ("cosine", [0.5, 1.0, 1.0, 0.9619, 0.5, 0.0381]),
        ("wsd", [0.5, 1.0, 1.0, 1.0, 1.0, 0.5]),
        ("constant", [0.5, 1.0, 1.0, 1.0, 1.0, 1.0]),
    ],
)
def test_schedules(schedule: Any, rates: list[float]) -> None:
    recipe = Recipe(schedule=schedule, warmup=0.1, decay=0.2)
    found = [recipe.rate(step, 20) for step in (0, 1, 2, 2 + 18 // 8, 11, 18)]
    expected = (
        rates
        if schedule != "cosine"
        else [
            0.5,
            1.0,
            1.0,
            0.5 * (1 + math.cos(math.pi * 2 / 18)),
            0.5,
            0.5 * (1 + math.cos(math.pi * 16 / 18)),
        ]
    )
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: train_one(SHAPE, 10, corpus=LANGUAGE, recipe=RECIPE),
            "10 tokens are less than half a batch of 128; ask for more",
        ),
        (
            lambda: train_one(model_of("20k"), "1k", corpus=LANGUAGE),
            "the model has 256 tokens and the corpus 64; make them equal",
        ),
        (
            lambda: train_one(SHAPE, "1k", "w4 l4", corpus=LANGUAGE),
            "the model has no part 'l' ('w4 l4'); it has w a kv k v q g",
        ),
        (
            lambda: train_one(SHAPE, "1k", "w8 -> w4", corpus=LANGUAGE),
            "'w8 -> w4' says how to serve; training takes 'w8' alone",
        ),
        (
            lambda: Recipe(schedule="linear"),
            "unknown schedule 'linear'; accepted are cosine, wsd, constant",
        ),
        (lambda: Recipe(lr=-1), "lr is -1; accepted is a number above 0"),
        (lambda: Recipe(warmup=-1), "warmup is -1; accepted is a number of 0 or more"),
        (lambda: Recipe(dtype="fp8"), "unknown dtype 'fp8'; accepted are float32, bfloat16"),
        (
            lambda: Recipe(validation=1),
            "validation is 1; accepted are 2 sequences or more, for a standard error",
        ),
        (
            lambda: train_one(
                SHAPE, "1k", corpus=LANGUAGE, recipe=replace(RECIPE, device="abacus")
            ),
            "cannot train on device 'abacus': ",
        ),
    ],
)
def test_what_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        call()
    assert str(caught.value).startswith(message)


def test_rounding_is_fused_where_it_pays() -> None:
    small, large = (
        Job.of(model_of(n, 64), d, "w4", LANGUAGE, Recipe())
        for n, d in (("4k", "20k"), ("0.4M", "1M"))
    )
    assert (small.compiled, large.compiled) == (False, True)
    asked = Job.of(model_of("4k", 64), "20k", "w4", LANGUAGE, Recipe(compiled=True))
    assert asked.compiled
    assert asked.key == small.key


def test_fused_rounding_gives_the_same_run() -> None:
    one, two = (
        train_one(
            SHAPE,
            12 * STEP,
            "w3 a:e4m3 kv4",
            corpus=LANGUAGE,
            recipe=replace(RECIPE, compiled=fused),
        )
        for fused in (True, False)
    )
    assert np.array_equal(one.losses, two.losses)
    assert one.run.loss == two.run.loss
