"""Keys and values of a model of Hugging Face, rounded as they are written into its cache."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from isoloss.lm.after.degrading import logits_of
from isoloss.lm.rounding import LearnedStep, Rounding
from isoloss.lm.shape import ModelError

#: What the cache is called among the arguments of a model, the newest name first.
_NAMES = ("cache", "past_key_values")


#: How keys or values are rounded; None leaves them.
Rule = Rounding | LearnedStep | None


def round_keys_and_values(
    model: nn.Module, keys: Rule, values: Rule, random: torch.Generator
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
    cache = partial(DynamicCache, config=getattr(model, "config", None))
    writes = _Written(keys, values, random, cache)
    tokens = torch.zeros(1, 2, dtype=torch.long)
    hooks = writes.attach(model)
    reason = ""
    try:
        logits_of(model, tokens)
    except Exception as error:
        reason = f" ({' '.join(str(error).split())[:100]})"
    finally:
        for hook in hooks:
            hook.remove()
    _check_layers(model, writes.layers, reason)
    writes.layers = set()
    writes.attach(model)


def _check_layers(model: nn.Module, written: set[int], reason: str) -> None:
    """Raise ModelError unless every layer of a model wrote keys and values."""
    kind = type(model).__name__
    if not written:
        raise ModelError(
            f"a {kind} keeps no keys and values in a cache, so 'kv' would round nothing{reason}; "
            "leave it out"
        )
    settings: Any = getattr(model, "config", None)
    layers = getattr(settings, "num_hidden_layers", None) or len(written)
    if missing := sorted(set(range(layers)) - written):
        raise ModelError(
            f"{len(missing)} of {layers} layers of a {kind} keep no keys and values of their own "
            f"in a cache, such as layer {missing[0]}, so 'kv' would round a part of them{reason}; "
            "leave it out"
        )


class _Written:
    """Gives a model a cache whose entries are rounded; a class, so that the model can be copied."""

    def __init__(
        self, keys: Rule, values: Rule, random: torch.Generator, cache: Callable[[], Any]
    ) -> None:
        self.rules, self.random, self.cache = (keys, values), random, cache
        self.layers: set[int] = set()
        self._own: list[Any] = []

    def attach(self, model: nn.Module) -> list[Any]:
        """Watch a model, and the one inside that has no head, from now on; gives what to remove to
        end that.
        """
        hooks: list[Any] = []
        for each in dict.fromkeys((model, getattr(model, "base_model", model))):
            hooks.append(each.register_forward_pre_hook(self.begin, with_kwargs=True))
            hooks.append(each.register_forward_hook(self.end, with_kwargs=True, always_call=True))
        return hooks

    def begin(
        self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Put a cache where none was given, and have its entries rounded."""
        given = next((name for name in _NAMES if kwargs.get(name) is not None), None)
        takes = inspect.signature(model.forward).parameters
        name = given or next((name for name in _NAMES if name in takes), _NAMES[-1])
        cache = self.cache() if given is None else kwargs[name]
        if not hasattr(cache, "isoloss_rounded"):
            cache.update, cache.isoloss_rounded = _Update(cache, self), True
        hidden = given is None and kwargs.get("use_cache") is False
        self._own.append(cache if hidden else None)
        return args, {**kwargs, name: cache, "use_cache": True}

    def end(self, model: nn.Module, args: object, kwargs: object, out: Any) -> Any:
        """Take a cache that the caller did not want out of what the model gives: it would be handed
        in again beside tokens that it holds.
        """
        cache = self._own.pop()
        if cache is None:
            return out
        if isinstance(out, tuple):
            return tuple(each for each in out if each is not cache)
        if not is_dataclass(out) or isinstance(out, type):
            return out
        found = {field.name: getattr(out, field.name) for field in fields(out)}
        return replace(out, **{name: None for name, each in found.items() if each is cache})


class _Update:
    """Rounds what is written to a cache; a class, so that a copy of the cache has its own."""

    def __init__(self, cache: Any, writes: _Written) -> None:
        self.cache, self.writes = cache, writes

    def __call__(self, keys: Tensor, values: Tensor, layer_idx: int, *args: Any, **kw: Any) -> Any:
        self.writes.layers.add(layer_idx)
        rounded = []
        for rule, x in zip(self.writes.rules, (keys, values), strict=True):
            if rule is not None:
                self._check_whole(rule, layer_idx)
                x = rule(x.contiguous(), self.writes.random)
            rounded.append(x)
        return type(self.cache).update(self.cache, *rounded, layer_idx, *args, **kw)

    def _check_whole(self, rule: Rounding | LearnedStep, layer_idx: int) -> None:
        """Raise ModelError where tokens that share a scale come one after another."""
        share = rule.known.granularity
        if (share == "tensor" or rule.known.tile) and self.cache.get_seq_length(layer_idx):
            raise ModelError(
                f"'/{share}' shares a scale among tokens, and tokens were added to a cache that "
                "holds others, whose scale is settled; give whole texts, or share scales in a row"
            )
