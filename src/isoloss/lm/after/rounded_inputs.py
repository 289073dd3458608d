"""Activations of any model rounded as they come into its matrices, while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode, _get_current_dispatch_mode_stack

from isoloss.lm.after.seen import CAST, FACTORS, Matrix, Places, in_parts
from isoloss.lm.rounding import LearnedStep, Rounding
from isoloss.lm.shape import ModelError

_ATEN = torch.ops.aten
#: Products of a matrix with one token: where the two factors stand among the arguments.
_WITH_VECTOR = {_ATEN.mv: (0, 1), _ATEN.addmv: (1, 2)}


@dataclass(frozen=True, eq=False)
class ScaledRounding:
    """Rounds x / s and multiplies by s again, x (..., inputs).

    Attributes
    ----------
    rule
        What rounds.
    scale
        s, that ends with the axis of inputs.
    """

    rule: Rounding
    scale: Tensor

    @property
    def compiled(self) -> bool:
        """Whether torch.compile may fuse the rounding."""
        return self.rule.compiled

    def __call__(self, x: Tensor, random: torch.Generator | None = None) -> Tensor:
        """x rounded in units of the scale, in 32 bits at least."""
        wide = x if x.dtype == torch.float64 else x.float()
        scale = self.scale.to(wide)
        return (self.rule(wide / scale, random) * scale).to(x.dtype)


@dataclass(frozen=True, eq=False)
class _ByExpert:
    """The same for experts in a stack, whose scales are (experts, inputs)."""

    rounding: ScaledRounding
    size: int

    def of(self, weight: Tensor, start: int) -> ScaledRounding:
        """That of a factor: one expert's matrix, told by its start in the stack, or all of them."""
        rule, scale = self.rounding.rule, self.rounding.scale
        if weight.dim() == 3:
            return ScaledRounding(rule, scale[:, None])
        return ScaledRounding(rule, scale[start // self.size])


Rule = Rounding | LearnedStep | ScaledRounding
_Inner = Rule | _ByExpert


def round_inputs(
    model: nn.Module,
    rules: Mapping[Matrix, Rule | None],
    random: torch.Generator,
    scales: Mapping[Matrix, Tensor] = MappingProxyType({}),
) -> None:
    """Have the inputs of each matrix of a model rounded by its rule, None leaving them; `random` is
    drawn from. `scales` are those by which inputs are divided before and multiplied after.

    Those of a linear layer as they come in; all others as they are multiplied, whichever module it
    is that multiplies them.
    """
    others: dict[Tensor, _Inner] = {}
    for matrix, rule in rules.items():
        if rule is None:
            continue
        if matrix.expert is None:
            scaled = scaled_rule(rule, scales[matrix]) if matrix in scales else rule
            if not matrix.held:
                rounded = _Rounded(scaled, random)
                matrix.module.register_forward_pre_hook(rounded, with_kwargs=True)
            else:
                others[matrix.weight] = scaled
        else:
            others[matrix.weight] = _with_expert(
                others.get(matrix.weight, rule), matrix, scales.get(matrix)
            )
    # The module that holds a weight need not be the one that multiplies by it.
    for module in model.modules():
        own = {n: others[p] for n, p in module.named_parameters() if p in others}
        if own:
            inside = _Inside(own, random)
            module.register_forward_pre_hook(inside.begin)
            module.register_forward_hook(inside.end, always_call=True)


def rounds_inputs(model: nn.Module) -> bool:
    """Whether the inputs of some of its matrices are rounded already."""
    hooks = (hook for each in model.modules() for hook in each._forward_pre_hooks.values())
    return any(isinstance(getattr(h, "__self__", h), _Rounded | _Inside) for h in hooks)


def scaled_rule(rule: Rule, scale: Tensor) -> ScaledRounding:
    """The rule in units of a scale.

    Raises
    ------
    ModelError
        Its step was learned for activations as they are.
    """
    if not isinstance(rule, Rounding):
        raise ModelError(
            "a learned step fits activations as they were trained, which a scale of inputs "
            "changes; name the activations anew, as 'a8'"
        )
    return ScaledRounding(rule, scale)


def _with_expert(rule: _Inner, matrix: Matrix, scale: Tensor | None) -> _Inner:
    """The rule of a stack once it knows the scale of one more of its experts."""
    if scale is None:
        return rule
    if not isinstance(rule, _ByExpert):
        ones = torch.ones(len(matrix.weight), matrix.inputs).to(scale)
        assert not isinstance(rule, ScaledRounding)
        rule = _ByExpert(scaled_rule(rule, ones), matrix.size)
    rule.rounding.scale[matrix.expert] = scale
    return rule


class _Rounded:
    """Rounds what comes into a layer; a class, so that the model can be copied and pickled."""

    def __init__(self, rule: Rule, random: torch.Generator) -> None:
        self.rule, self.random = rule, random

    def __call__(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if args:
            return (_by(self.rule, args[0], self.random), *args[1:]), kwargs
        return args, kwargs | {"input": _by(self.rule, kwargs["input"], self.random)}


class _Inside:
    """Rounds what meets the weights below a module, from its beginning to its end."""

    def __init__(self, rules: Mapping[str, _Inner], random: torch.Generator) -> None:
        self.rules, self.random = rules, random
        self._modes: list[_Factors] = []

    def begin(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        outside = [m for m in _get_current_dispatch_mode_stack() if isinstance(m, _Factors)]
        weights = {name: module.get_parameter(name) for name in self.rules}
        left = {
            name: weight
            for name, weight in weights.items()
            if not any(mode.knows(weight) for mode in outside)
        }
        self._modes.append(_Factors(self.rules, left, self.random))
        self._modes[-1].__enter__()  # type: ignore[no-untyped-call]

    def end(self, module: nn.Module, args: tuple[Any, ...], out: Any) -> None:
        self._modes.pop().__exit__(None, None, None)  # type: ignore[no-untyped-call]


class _Factors(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A context in which whatever multiplies some tensors is rounded before."""

    def __init__(
        self, rules: Mapping[str, _Inner], weights: Mapping[str, Tensor], random: torch.Generator
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._rules, self._places, self._random = rules, Places(weights), random

    def knows(self, weight: Tensor) -> bool:
        """Whether what multiplies it is rounded here."""
        return self._places.of(weight) is not None

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if (parts := in_parts(self, func, args, kwargs)) is not NotImplemented:
            return parts
        factors = FACTORS.get(func.overloadpacket) or _WITH_VECTOR.get(func.overloadpacket)
        if factors is not None:
            left, right = (args[k] for k in factors)
            new = list(args)
            new[factors[0]] = self._met(left, right)
            if right.dim() > 1:
                new[factors[1]] = self._met(right.mT, left.mT).mT
            else:
                new[factors[1]] = self._met(right[None], left.mT)[0]
            args = tuple(new)
        out = func(*args, **(kwargs or {}))
        if func.overloadpacket is CAST:
            self._places.copied(args[0], out)
        return out

    def _met(self, x: Tensor, weight: Tensor) -> Tensor:
        """The factor (tokens, inputs), rounded where the other one is a tensor with a rule."""
        place = self._places.of(weight)
        if place is None:
            return x
        rule = self._rules[place.name]
        if isinstance(rule, _ByExpert):
            rule = rule.of(weight, place.start_of(weight))
        return _by(rule, x.contiguous(), self._random)


def _by(rule: Rule, x: Tensor, random: torch.Generator) -> Tensor:
    """x rounded; an expert that no token came to takes nothing."""
    return rule(x, random) if x.numel() else x
