"""Rounding inside of another's module: grids against numpy, gradients against formulas, and what is
refused by name.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from isoloss.formats import Precision
from isoloss.lm import ModelError, TrainingTask, next_token_loss
from isoloss.lm.after import weights_of_model
from isoloss.lm.tasks import LookedOver, TaskJob, TaskTrainer
from isoloss.lm.tasks.rounded_module import RoundedModule, check_in_training, roundings_of
from own_modules import CORPUS, RECIPE, STEP, Experts, Plain

TOKENS = torch.from_numpy(CORPUS.batch(0, 4, 0)[:, :-1].copy())


def by_hand(x: Any, bits: int, rows: bool) -> np.ndarray:
    """An integer grid scaled to the largest number, of each row or of all."""
    wide = np.asarray(x.detach(), np.float32)
    top = np.float32(2 ** (bits - 1) - 1)
    largest = np.abs(wide).max(-1, keepdims=True) if rows else np.abs(wide).max()
    scale = (largest / top).astype(np.float32)
    return np.clip(np.round(wide / scale), -top, top).astype(np.float32) * scale


def build(params: float | None, seed: int) -> nn.Module:
    return Plain(dropout=0.0)


def own_loss(module: nn.Module, batch: Tensor) -> Tensor:
    found: Tensor = module(batch).float().square().mean()
    return found


TASK = TrainingTask("plain", build, CORPUS, loss=own_loss, version="1")


def rounded(module: nn.Module, precision: str, loss: Any = own_loss) -> RoundedModule:
    known = Precision(precision)
    weights = weights_of_model(module, TOKENS)
    task = TrainingTask("plain", build, CORPUS, loss=loss, version="1")
    return RoundedModule(task, module, roundings_of(module, known, weights), torch.Generator())


def test_the_forward_pass_multiplies_by_the_grid_of_the_format() -> None:
    torch.manual_seed(0)
    module, seen = Plain(), dict[str, Tensor]()
    hidden = {"mix": module.mix, "out": module.out, "head": module.head}
    for name, layer in hidden.items():
        layer.register_forward_hook(
            lambda layer, args, out, name=name: seen.update(
                {f"w.{name}": layer.weight.detach().clone(), f"a.{name}": args[0].detach()}
            )
        )
    before = {name: layer.weight.detach().clone() for name, layer in hidden.items()}
    inputs = {}
    module.out.register_forward_pre_hook(lambda layer, args: inputs.update(out=args[0].detach()))
    whole = rounded(module, "w4 a8 w.out:int3")
    whole.round_weights()
    whole(TOKENS)
    whole.unround_weights()
    assert np.array_equal(seen["w.mix"], by_hand(before["mix"], 4, rows=True))
    assert np.array_equal(seen["w.out"], by_hand(before["out"], 3, rows=True))
    assert torch.equal(seen["w.head"], before["head"])
    # The hook that notes it stands before the one that rounds.
    np.testing.assert_allclose(seen["a.out"], by_hand(inputs["out"], 8, rows=False), rtol=1e-6)
    assert all(torch.equal(layer.weight, before[name]) for name, layer in hidden.items())
    with whole.as_trained() as itself:
        assert np.array_equal(itself.mix.weight.detach(), by_hand(before["mix"], 4, rows=True))
    assert torch.equal(module.mix.weight, before["mix"])


def test_gradients_pass_straight_through_and_meet_rounded_operands() -> None:
    torch.manual_seed(1)
    outer = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 3))
    layer, x, c = outer[0], torch.randn(7, 6, requires_grad=True), torch.randn(7, 3)

    def loss(module: nn.Module, batch: Tensor) -> Tensor:
        found: Tensor = (module(batch) * c).sum()
        return found

    weights = weights_of_model(outer, probe=lambda module: module(x))
    known = Precision("w3 a4 g4 w.1:fp a.1:fp g.1:fp")
    whole = RoundedModule(
        TrainingTask("linear", build, CORPUS, loss=loss, version="1"),
        outer, roundings_of(outer, known, weights), torch.Generator(),
    )  # fmt: skip
    whole.round_weights()
    whole(x).backward()
    whole.unround_weights()
    weight = by_hand(layer.weight, 3, rows=True)
    inputs = by_hand(x, 4, rows=False)
    dy = (c @ outer[1].weight).detach()
    g = by_hand(dy, 4, rows=False)
    np.testing.assert_allclose(layer.weight.grad, g.T @ inputs, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(x.grad, g @ weight, rtol=1e-5, atol=1e-6)
    # The bias is in no product: its gradient is that of the unrounded sum.
    np.testing.assert_allclose(layer.bias.grad, dy.sum(0), rtol=1e-5, atol=1e-6)


def test_what_is_computed_anew_on_the_way_back_sees_rounded_weights() -> None:
    """Checkpointing runs a part of the module again while gradients are taken."""

    class Again(Plain):
        def forward(self, tokens: Tensor) -> Tensor:
            return checkpoint(super().forward, tokens, use_reentrant=False)

    gradients = []
    for kind in (Plain, Again):
        torch.manual_seed(3)
        module = kind(dropout=0.0)
        looked = LookedOver(TASK, None, module, weights_of_model(module, TOKENS))
        trainer = TaskTrainer(TaskJob.of(looked, STEP, "w2 a3", RECIPE))
        trainer.model = rounded(module, "w2 a3", next_token_loss)
        loss = trainer._loss(0, RECIPE)
        trainer._backward(loss)
        gradients.append([p.grad for p in module.parameters()])
    for one, two in zip(*gradients, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-7)


def test_experts_of_a_stack_are_rounded_along_their_inputs() -> None:
    torch.manual_seed(2)
    module = Experts()
    whole = rounded(module, "w3/tensor")
    with whole.as_trained():
        stack = module.stack.detach().clone()
    for k in range(2):
        assert np.array_equal(stack[k].T, by_hand(module.stack[k].T, 3, rows=False))
    whole = rounded(module, "w3")
    with whole.as_trained():
        stack = module.stack.detach().clone()
        gate = module.gate.weight.detach().clone()
    for k in range(2):  # inputs come first here, and a row is that of an output
        assert np.array_equal(stack[k].T, by_hand(module.stack[k].T, 3, rows=True))
    assert torch.equal(gate, module.gate.weight)  # what chooses experts stays


def test_what_cannot_be_rounded_is_refused_by_name() -> None:
    class Convolved(Plain):
        def __init__(self) -> None:
            super().__init__()
            self.filter = nn.Conv1d(32, 32, 1)

        def forward(self, tokens: Tensor) -> Tensor:
            return self.filter(super().forward(tokens).mT).mT

    cases = [
        (Convolved(), "w4", r"'filter.weight' cannot be rounded: it is the kernel of a conv.*"
                            r"leave it as it is by 'w.filter:fp'"),
        (Convolved(), "a4", "the activations that meet 'filter.weight' cannot be rounded"),
        (Convolved(), "g4", r"the output gradients of 'filter.weight' cannot be rounded in training"
                            r".*by 'g.filter:fp'"),
        (Experts(), "a4", r"the activations that meet 'stack\[0\]' cannot be rounded in training: "
                          r"it is not multiplied by a torch.nn.Linear; leave .* 'a.stack:fp'"),
        (Plain(), "w4 w.fc9:int3", "the model has no 'w.fc9'"),
        (Plain(), "g8 g.fc9:int4", "the model has no 'g.fc9'"),
        (Plain(), "w4/5@quest", r"'w.mix:int4/5@quest' rounds in groups of 5, and 'mix' has 36"),
        (Plain(), "w:int4/5+had", "groups of 5"),
        (Plain(), "w4 w.fc9:int3", r"no 'w.fc9' \('w4 w.fc9:int3'\)"),
    ]  # fmt: skip
    for module, precision, message in cases:
        with pytest.raises(ModelError, match=message):
            rounded(module, precision)
    share = rounded(Convolved(), "w4 w.filter:fp").roundings.rounded_share
    inside = 36 * 24 + 24 * 12
    assert share == pytest.approx(inside / (inside + 32 * 32))


@pytest.mark.parametrize(
    ("precision", "message"),
    [
        ("w4@lsq", "'w:int4@lsq' has learned steps, which the module of 'x' has no place for"),
        ("w4 kv4", "'kv' of the module of 'x' is out of reach in training .*accepted are w a g"),
        ("bf16", "'kv' of the module of 'x' is out of reach .*such as 'w:bf16 a:bf16'"),
        ("w4 q8", "'q' of the module of 'x' is out of reach"),
        ("w4 -> w3", "says how to serve; training takes 'w4' alone"),
        ("w4 then bf16 from 80%", "'kv' of the module of 'x' is out of reach"),
        ("w4 then w4@lsq from 50%", "has learned steps"),
        ("g.dw:mxfp4", "'g.dw' is an operand of a backward product, which only the decoder"),
        ("w4@gptq", "gptq"),
        ("g4@quest", "has no gradient to pass on"),
    ],
)
def test_parts_and_methods_that_training_lacks(precision: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        check_in_training(Precision(precision), "x")


def test_params_are_counted_without_embedding_and_head() -> None:
    looked = LookedOver.of(TrainingTask("plain", build, CORPUS), None)
    embedding = 32 * 12 + 32 * 12
    assert looked.embedding_params == embedding
    assert looked.non_embedding_params == sum(p.numel() for p in Plain().parameters()) - embedding


def test_weight_decay_is_for_matrices_alone() -> None:
    whole = rounded(Plain(), "fp")
    decays, others = whole.groups(0.1, 0.5)
    assert {p.dim() for p in decays["params"]} == {2}
    assert {tuple(p.shape) for p in others["params"] if p.dim() == 2} == {(32, 12)}
    assert (decays["weight_decay"], others["weight_decay"]) == (0.5, 0.0)
    assert len(decays["params"]) + len(others["params"]) == len(list(Plain().parameters()))
    assert math.isfinite(RECIPE.lr)
