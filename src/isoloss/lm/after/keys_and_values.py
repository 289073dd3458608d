"""Keys and values of a model of Hugging Face, rounded as they are written into its cache."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from isoloss.lm.after.degrading import logits_of
from isoloss.lm.rounding import LearnedStep, Rounding
from isoloss.lm.shape import ModelError

#: What the cache is called among the arguments of a model, the newest name first.
_NAMES = ("cache", "past_key_values")


def round_keys_and_values(
    model: nn.Module, rule: Rounding | LearnedStep, random: torch.Generator
) -> None:
    """Have every key and value rounded where the model keeps it: behind the turns of positions, one
    head of one token a row.

    Raises
    ------
    ModelError
        The model keeps none, so that nothing would be rounded.
    """
    try:
        from transformers import DynamicCache
    except ImportError:
        raise ModelError(
            "keys and values of another's model need its cache (transformers); pip install "
            "'isoloss[hub]'"
        ) from None
    writes = _Written(rule, random, DynamicCache)
    model.register_forward_pre_hook(writes, with_kwargs=True)
    tokens = torch.zeros(1, 2, dtype=torch.long)
    try:
        logits_of(model, tokens)
    except Exception as error:
        writes.reason = " ".join(str(error).split())[:100]
    if not writes.count:
        why = f" ({writes.reason})" if writes.reason else ""
        raise ModelError(
            f"a {type(model).__name__} keeps no keys and values in a cache, so 'kv' would round "
            f"nothing{why}; leave it out"
        )


class _Written:
    """Gives a model a cache whose entries are rounded; a class, so that the model can be copied."""

    def __init__(self, rule: Any, random: torch.Generator, cache: Callable[[], Any]) -> None:
        self.rule, self.random, self.cache = rule, random, cache
        self.count, self.reason = 0, ""

    def __call__(
        self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        given = next((name for name in _NAMES if kwargs.get(name) is not None), None)
        takes = inspect.signature(model.forward).parameters
        name = given or next((name for name in _NAMES if name in takes), _NAMES[-1])
        cache = self.cache() if given is None else kwargs[name]
        if not hasattr(cache, "isoloss_rounded"):
            cache.update, cache.isoloss_rounded = self._rounding(cache.update), True
        return args, {**kwargs, name: cache, "use_cache": True}

    def _rounding(self, update: Callable[..., Any]) -> Callable[..., Any]:
        def rounded(keys: Tensor, values: Tensor, *args: Any, **kwargs: Any) -> Any:
            self.count += 1
            keys, values = (self.rule(x.contiguous(), self.random) for x in (keys, values))
            return update(keys, values, *args, **kwargs)

        return rounded
