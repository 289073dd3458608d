"""Another's module in training: its matrices rounded, their inputs and output gradients too, with
gradients by the rules of rounding.

Weights are rounded once a step, whatever multiplies by them, and the module runs on the rounded
ones, forward and, where it computes activations anew (checkpointing), on the way back:
y = Q_a(x) Q_w(W)^T + b, the gradient through both roundings that of their rule, with g = Q_g(dy) in
both backward products where g is set; that of the bias b is the sum of dy as it is.
Which weights are matrices, and what cannot be rounded, is found as it is after training.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from isoloss.formats import Precision, fills_up, is_operand, unexecuted
from isoloss.lm.after import (
    ALONE,
    Matrix,
    Weights,
    apart_from,
    asked_of,
    ends_of,
    names_of,
    scope_of,
)
from isoloss.lm.rounding import (
    Rounding,
    check_method,
    rounding_of,
    rule_of,
    without_method,
)
from isoloss.lm.shape import ModelError
from isoloss.lm.tasks.training_task import TrainingTask

PARTS = ("w", "a", "g")
#: What is rounded by a part, in words.
_WORDS = {"a": "activations that meet", "g": "output gradients of"}


@dataclass(frozen=True, eq=False)
class Roundings:
    """What a precision rounds of a module in training.

    Attributes
    ----------
    weights
        The matrices of each parameter, by its name, and how each is rounded.
    inputs, gradients
        Linear layers whose inputs, and output gradients, are rounded.
    rounded_share
        The share of the weights outside embedding and head that is rounded.
    """

    weights: Mapping[str, tuple[tuple[Matrix, Rounding], ...]]
    inputs: tuple[tuple[nn.Module, Rounding], ...]
    gradients: tuple[tuple[nn.Module, Rounding], ...]
    rounded_share: float


def check_in_training(precision: Precision, name: str) -> None:
    """Raise ModelError for parts or methods that the module of a task cannot have in training."""
    if precision.serve:
        raise ModelError(
            f"'{precision}' says how to serve; training takes '{precision.trained}' alone, and "
            "post what comes after it"
        )
    for stage in precision.stages:
        _check_stage(stage, precision, name)


def _check_stage(stage: Precision, precision: Precision, name: str) -> None:
    for scope, known in stage.train.items():
        if known.is_exact:
            continue
        if is_operand(scope):
            raise ModelError(
                f"'{scope}' is an operand of a backward product, which only the decoder of isoloss "
                f"rounds apart ('{precision}'); take 'g', which enters both"
            )
        if scope.partition(".")[0] not in PARTS:
            raise ModelError(
                f"'{scope}' of the module of '{name}' is out of reach in training ('{precision}'); "
                f"accepted are {' '.join(PARTS)}, such as 'w:{known} a:{known}'"
            )
        if why := unexecuted(known):
            raise ModelError(f"'{scope}:{known}' cannot be: {why}")
        check_method(known, scope, stage.granularity(scope))
        if rule_of(known).learned:
            raise ModelError(
                f"'{scope}:{known}' has learned steps, which the module of '{name}' has no place "
                "for; take @ste, @clipped or @quest"
            )


def roundings_of(
    module: nn.Module, precision: Precision, weights: Weights, compiled: bool = False
) -> Roundings:
    """What a precision rounds of a module, whose weights are accounted for.

    Raises
    ------
    ModelError
        It names a part that the module lacks, or all weights while some cannot be rounded, by name.
    """
    met = {scope: known for scope, known in precision.train.items() if not known.is_exact}
    plain = {s: without_method(known) for s, known in precision.train.items() if s[0] in "wa"}
    as_served = Precision("fp", plain)
    rules: dict[str, dict[Matrix, Rounding]] = {part: {} for part in PARTS}
    share, table = 0.0, None
    if as_served.serve:
        try:
            asked = asked_of(as_served, weights, module)
        except ModelError as error:  # of what training was asked for, not serving
            raise ModelError(str(error).replace(f"'{as_served}'", f"'{precision}'")) from None
        share, table = asked.rounded_share, asked.embedding
        rules["w"] = {m: _rule(precision, "w", m, weights, compiled) for m in asked.matrices}
    layers = (*weights.matrices, *weights.again)
    _check_names(precision, weights)
    for part in ("a", "g"):
        if any(scope.partition(".")[0] == part for scope in met):
            found = {m: _rule(precision, part, m, weights, compiled) for m in layers}
            rules[part] = {m: rule for m, rule in found.items() if rule is not None}
            _check_reach(precision, part, weights, rules[part])
    for part, by_matrix in rules.items():
        for matrix, rule in by_matrix.items():
            _check_group(matrix, rule, f"{part}.{matrix.scope}", part)
    names = {id(p): name for name, p in module.named_parameters()}
    held: dict[str, tuple[tuple[Matrix, Rounding], ...]] = {}
    for matrix, rule in rules["w"].items():
        name = names[id(matrix.weight)]
        held[name] = (*held.get(name, ()), (matrix, rule))
    if table is not None:
        end: Any = ends_of(module)["embedding"]
        place = Matrix("embedding", "embedding", end, end.weight)
        looked_up: Any = rounding_of(precision, "w", "embedding", compiled)
        held[names[id(end.weight)]] = ((place, looked_up),)
    return Roundings(
        held,
        tuple((m.module, rule) for m, rule in rules["a"].items()),
        tuple((m.module, rule) for m, rule in rules["g"].items()),
        share,
    )


def _rule(precision: Precision, part: str, matrix: Matrix, weights: Weights, compiled: bool) -> Any:
    """How a part of a matrix is rounded; None where it stays."""
    names = names_of(matrix.scope, matrix.path, weights.blocks)
    scope = scope_of(precision, part, matrix.scope, names)
    if scope in ALONE and f"{part}.{scope}" not in precision.train:
        return None
    return rounding_of(precision, part, scope, compiled)


def _check_names(precision: Precision, weights: Weights) -> None:
    """Raise ModelError for a scope of output gradients that no layer has; those of other parts are
    checked as after training.
    """
    layers = (*weights.matrices, *weights.again)
    there = {each for m in layers for each in names_of(m.scope, m.path, weights.blocks)}
    there |= {each.lower() for name in weights.beyond for each in name.split(".")}
    for scope in precision.train:
        part, _, name = scope.partition(".")
        if part == "g" and name and name not in there:
            has = ", ".join(f"g.{each}" for each in dict.fromkeys(m.scope for m in layers))
            raise ModelError(f"the model has no '{scope}' ('{precision}'); it has {has}")


def _check_reach(
    precision: Precision, part: str, weights: Weights, rules: Mapping[Matrix, Rounding]
) -> None:
    """Raise ModelError where inputs or output gradients of no linear layer would be left."""
    reasons = {m.name: "it is not multiplied by a torch.nn.Linear" for m in rules if m.held}
    if part == "g":
        for name, reason in weights.beyond.items():
            parts = name.split(".")
            names = names_of(name, parts, weights.blocks)
            scope = scope_of(precision, part, name, names)
            if rounding_of(precision, part, scope) is not None:
                reasons[name] = reason
    others = [m for m in (*weights.matrices, *weights.again) if m.name not in reasons]
    taken = {each for m in others for each in names_of(m.scope, m.path, weights.blocks)}
    for name, reason in reasons.items():
        whole = name.partition("[")[0].split(".")
        path = whole[:-1] if whole[-1] == "weight" else whole
        last = apart_from(path, names_of(name, whole, weights.blocks), taken)
        raise ModelError(
            f"the {_WORDS[part]} '{name}' cannot be rounded in training: {reason}; leave them as "
            f"they are by '{part}.{last}:fp' ('{precision}')"
        )


def _check_group(matrix: Matrix, rule: Rounding, scope: str, part: str) -> None:
    """Raise ModelError for a last, smaller group that would not have the scale it means."""
    known = rule.known
    group = known.granularity or known.block
    length = matrix.outputs if part == "g" else matrix.inputs
    if not isinstance(group, int) or length % group == 0:
        return
    if not (fills_up(known) and rule_of(known).any_groups):
        raise ModelError(
            f"'{scope}:{known}' rounds in groups of {group}, and '{matrix.name}' has {length} "
            "numbers there; choose a group that divides"
        )


class RoundedModule(nn.Module):
    """A task's module whose matrices, inputs and output gradients are rounded while it trains.

    random: where stochastic rounding draws from.
    """

    def __init__(
        self,
        task: TrainingTask,
        module: nn.Module,
        roundings: Roundings,
        random: torch.Generator,
    ) -> None:
        super().__init__()
        self.module = module
        self.task, self.random = task, random
        #: Where rounded weights stand, with the parameters whose place it is.
        self._held: list[tuple[nn.Module, str, nn.Parameter]] = []
        self._hooks: list[RemovableHandle] = []
        self.round_as(roundings)

    def round_as(self, roundings: Roundings) -> None:
        """Round as these say from now on: those of a phase of training."""
        self.unround_weights()
        self.bare()
        self.roundings = roundings
        self._hooks = [
            *(
                layer.register_forward_pre_hook(self._input(rule), with_kwargs=True)
                for layer, rule in roundings.inputs
            ),
            *(
                layer.register_forward_hook(self._output(rule))
                for layer, rule in roundings.gradients
            ),
        ]

    def forward(self, batch: Any) -> Tensor:
        """The loss of a batch, with weights as they stand."""
        return self.task.loss(self.module, batch)

    def round_weights(self) -> None:
        """Put rounded weights in the place of those that the optimiser holds, at which the gradient
        of a loss arrives by the rules of rounding.
        """
        self.unround_weights()
        rounded = {
            self.module.get_parameter(name): _rounded(
                self.module.get_parameter(name), held, self.random
            )
            for name, held in self.roundings.weights.items()
        }
        for each in self.module.modules():  # wherever one is shared
            for name, p in each._parameters.items():
                if p is not None and p in rounded:
                    self._held.append((each, name, p))
        for each, name, p in self._held:
            each._parameters[name] = rounded[p]  # type: ignore[assignment]

    def unround_weights(self) -> None:
        """Put the weights that the optimiser holds in their place again."""
        while self._held:
            each, name, p = self._held.pop()
            each._parameters[name] = p

    @contextmanager
    def as_trained(self) -> Iterator[nn.Module]:
        """A context in which the module itself runs as training ran it, on rounded weights."""
        with torch.no_grad():
            self.round_weights()
        try:
            yield self.module
        finally:
            self.unround_weights()

    def bare(self) -> nn.Module:
        """The module itself with nothing rounded, from now on."""
        while self._hooks:
            self._hooks.pop().remove()
        return self.module

    def groups(self, lr: float, decay: float) -> list[dict[str, Any]]:
        """The parameter groups of AdamW: one learning rate, weight decay on matrices alone."""
        tables = {id(table.weight) for table in self.modules() if isinstance(table, nn.Embedding)}
        trained = [p for p in self.parameters() if p.requires_grad]
        decays = [p for p in trained if p.dim() >= 2 and id(p) not in tables]
        others = [p for p in trained if p.dim() < 2 or id(p) in tables]
        groups = [
            {"params": decays, "weight_decay": decay},
            {"params": others, "weight_decay": 0.0},
        ]
        return [group | {"lr": lr} for group in groups if group["params"]]

    def _input(self, rule: Rounding) -> Any:
        def rounded(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if args:
                return (rule(args[0], self.random), *args[1:]), kwargs
            return args, kwargs | {"input": rule(kwargs["input"], self.random)}

        return rounded

    def _output(self, rule: Rounding) -> Any:
        def passed(layer: Any, args: object, out: Tensor) -> Any:
            apply: Any = _RoundedGradient.apply
            return apply(out, layer.bias, rule, self.random)

        return passed


def _rounded(
    weight: Tensor, held: tuple[tuple[Matrix, Rounding], ...], random: torch.Generator
) -> Tensor:
    """A parameter with its matrices rounded along their inputs."""

    def turned(x: Tensor, matrix: Matrix, rule: Rounding) -> Tensor:
        return rule(x.mT.contiguous(), random).mT if matrix.turned else rule(x, random)

    (first, rule), *_ = held
    if first.expert is None:
        return turned(weight, first, rule)
    parts = list(weight.unbind())
    for matrix, rule in held:
        assert matrix.expert is not None
        parts[matrix.expert] = turned(parts[matrix.expert].contiguous(), matrix, rule)
    return torch.stack(parts)


class _RoundedGradient(torch.autograd.Function):
    """The identity forward, rounding backward; the gradient of the bias that was added stays."""

    @staticmethod
    def forward(
        ctx: Any, y: Tensor, bias: Tensor | None, rule: Rounding, random: torch.Generator
    ) -> Tensor:
        ctx.rule, ctx.random, ctx.bias = rule, random, bias is not None
        return y.view_as(y)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        whole = gradients[0].contiguous()
        rounded = ctx.rule(whole, ctx.random)
        # The layer sums the rounded gradient for its bias; this is what that lacks.
        left = (whole - rounded).flatten(0, -2).sum(0) if ctx.bias else None
        return rounded, left, None, None
