"""Activations of any model rounded as they come into its matrices, while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from isoloss.lm.after.seen import FACTORS, Matrix
from isoloss.lm.rounding import LearnedStep, Rounding

Rule = Rounding | LearnedStep


def round_inputs(rules: Mapping[Matrix, Rule | None], random: torch.Generator) -> None:
    """Have the inputs of each matrix rounded by its rule, None leaving them; `random` is drawn
    from.

    Those of one layer as they come in; those of experts in a stack as each of them is multiplied.
    """
    stacks: dict[nn.Module, dict[str, Rule]] = {}
    for matrix, rule in rules.items():
        if rule is None:
            continue
        if matrix.expert is None:
            matrix.module.register_forward_pre_hook(_Rounded(rule, random))
        else:
            own = next(n for n, p in matrix.module.named_parameters() if p is matrix.weight)
            stacks.setdefault(matrix.module, {})[own] = rule
    for module, by_name in stacks.items():
        inside = _Inside(by_name, random)
        module.register_forward_pre_hook(inside.begin)
        module.register_forward_hook(inside.end, always_call=True)


class _Rounded:
    """Rounds what comes into a layer; a class, so that the model can be copied and pickled."""

    def __init__(self, rule: Rule, random: torch.Generator) -> None:
        self.rule, self.random = rule, random

    def __call__(self, _: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self.rule(args[0], self.random), *args[1:])


class _Inside:
    """Rounds what meets the stacks of a module, from its beginning to its end."""

    def __init__(self, rules: Mapping[str, Rule], random: torch.Generator) -> None:
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

    def __init__(self, rules: Mapping[int, Rule], random: torch.Generator) -> None:
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
        return x if rule is None else rule(x.contiguous(), self._random)
