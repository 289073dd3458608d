"""Activations of any model rounded as they come into its matrices, while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from isoloss.lm.after.seen import FACTORS, Matrix
from isoloss.lm.rounding import LearnedStep, Rounding
from isoloss.lm.shape import ModelError


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
        """x rounded in units of the scale."""
        scale = self.scale.to(x)
        return self.rule(x / scale, random) * scale


@dataclass(frozen=True, eq=False)
class _ByExpert:
    """The same for experts in a stack, whose scales are (experts, inputs)."""

    rounding: ScaledRounding
    size: int

    def of(self, weight: Tensor) -> ScaledRounding:
        """That of a factor: one expert's matrix, told by its place in memory, or all of them."""
        rule, scale = self.rounding.rule, self.rounding.scale
        if weight.dim() == 3:
            return ScaledRounding(rule, scale[:, None])
        return ScaledRounding(rule, scale[weight.storage_offset() // self.size])


Rule = Rounding | LearnedStep | ScaledRounding
_Inner = Rule | _ByExpert


def round_inputs(
    rules: Mapping[Matrix, Rule | None],
    random: torch.Generator,
    scales: Mapping[Matrix, Tensor] = MappingProxyType({}),
) -> None:
    """Have the inputs of each matrix rounded by its rule, None leaving them; `random` is drawn
    from. `scales` are those by which inputs are divided before and multiplied after.

    Those of one layer as they come in; those of experts in a stack as each of them is multiplied.
    """
    stacks: dict[nn.Module, dict[str, _Inner]] = {}
    for matrix, rule in rules.items():
        if rule is None:
            continue
        if matrix.expert is None:
            scaled = scaled_rule(rule, scales[matrix]) if matrix in scales else rule
            matrix.module.register_forward_pre_hook(_Rounded(scaled, random))
        else:
            own = next(n for n, p in matrix.module.named_parameters() if p is matrix.weight)
            by_name = stacks.setdefault(matrix.module, {})
            by_name[own] = _with_expert(by_name.get(own, rule), matrix, scales.get(matrix))
    for module, by_name in stacks.items():
        inside = _Inside(by_name, random)
        module.register_forward_pre_hook(inside.begin)
        module.register_forward_hook(inside.end, always_call=True)


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

    def __call__(self, _: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self.rule(args[0], self.random), *args[1:])


class _Inside:
    """Rounds what meets the stacks of a module, from its beginning to its end."""

    def __init__(self, rules: Mapping[str, _Inner], random: torch.Generator) -> None:
        self.rules, self.random = rules, random
        self._modes: list[_Factors] = []

    def begin(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        rules = {
            module.get_parameter(name).untyped_storage().data_ptr(): rule
            for name, rule in self.rules.items()
        }
        self._modes.append(_Factors(rules, self.random))
        self._modes[-1].__enter__()  # type: ignore[no-untyped-call]

    def end(self, module: nn.Module, args: tuple[Any, ...], out: Any) -> None:
        self._modes.pop().__exit__(None, None, None)  # type: ignore[no-untyped-call]


class _Factors(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A context in which whatever multiplies some tensors is rounded before."""

    def __init__(self, rules: Mapping[int, _Inner], random: torch.Generator) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._rules, self._random = rules, random

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        factors = FACTORS.get(func.overloadpacket)
        if factors is not None:
            left, right = factors
            args = (
                *args[:left],
                self._met(args[left], args[right]),
                *args[left + 1 : right],
                self._met(args[right].mT, args[left].mT).mT,
                *args[right + 1 :],
            )
        return func(*args, **(kwargs or {}))

    def _met(self, x: Tensor, weight: Tensor) -> Tensor:
        """The factor (tokens, inputs), rounded where the other one is a tensor with a rule."""
        rule = self._rules.get(weight.untyped_storage().data_ptr())
        if isinstance(rule, _ByExpert):
            rule = rule.of(weight)
        return x if rule is None else rule(x.contiguous(), self._random)
