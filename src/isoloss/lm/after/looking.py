"""What tokens meet in a model: which of its weights they are multiplied by, along which axis, and
which they pass by.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from isoloss.lm.after.degrading import logits_of
from isoloss.lm.after.resting import at_rest
from isoloss.lm.after.seen import Product, Products
from isoloss.lm.arguments import vocabulary
from isoloss.lm.shape import ModelError

#: Tokens with which a model is looked at where none are given.
_LOOKED_AT = 16
#: Why a weight that no token meets cannot be judged.
UNREACHED = "no token of a text passes this"
#: Why a weight that scales activations is in no product that could be rounded.
SCALES = "activations are multiplied by it number by number"
#: Runs a model once, on what it takes.
Probe = Callable[[nn.Module], Any]
#: Weights by name, with the module that holds each.
Held = Mapping[str, tuple[nn.Module, Tensor]]


@dataclass
class Look:
    """What tokens met.

    Attributes
    ----------
    matrices
        Names of what activations are multiplied by, with the axis of their inputs.
    apart
        Names of what is in no product: biases of experts, tables of positions.
    beyond
        Names of what cannot be rounded as it stands, with the reason.
    elsewhere
        Names of weights of linear layers that other modules multiply by.
    """

    matrices: dict[str, int] = field(default_factory=dict)
    apart: tuple[str, ...] = ()
    beyond: dict[str, str] = field(default_factory=dict)
    elsewhere: frozenset[str] = frozenset()


def look_at(
    model: nn.Module,
    linear: Held,
    others: Held,
    tokens: Tensor | None = None,
    probe: Probe | None = None,
) -> Look:
    """Let tokens, (rows, context), pass a model once; some of its vocabulary unless given.

    others: of one axis too, which may be taken as matrices. probe: runs the model in place of that,
    for models that take something else than tokens.

    Of linear layers nothing has to be seen, so that a model of these and of vectors need not take
    tokens.

    Raises
    ------
    ModelError
        It has others, and cannot be run on tokens.
    """
    axes: dict[str, set[int]] = defaultdict(set)
    elsewhere: set[str] = set()
    called: list[nn.Linear] = []

    def met(product: Product) -> None:
        axes[product.name].add(product.axis)
        if product.name in linear:
            weight = linear[product.name][1]
            if all(module.weight is not weight for module in called):
                elsewhere.add(product.name)

    def in_use(name: str) -> bool:
        return name in linear and any(module.weight is linear[name][1] for module in called)

    named = {name: tensor for name, (_, tensor) in (*linear.items(), *others.items())}
    watch = Products(named, met, in_use)
    try:
        with torch.compiler.set_stance("force_eager"), at_rest(model), _calls(model, called), watch:
            if probe is not None:
                probe(model)
            else:
                logits_of(model, _some_tokens(model) if tokens is None else tokens[:1])
    except Exception as error:
        unknown = next((name for name in others if _may_be_matrix(others[name][1], linear)), None)
        if unknown is None:
            return Look()
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"'{unknown}' is no linear layer, and a {type(model).__name__} cannot be "
            f"run on {'a batch' if probe else 'tokens'} to see what it is "
            f"({type(error).__name__}: {reason})"
        ) from None
    return _judged(watch, axes, linear, others, frozenset(elsewhere))


def _judged(
    watch: Products,
    axes: Mapping[str, set[int]],
    linear: Held,
    others: Held,
    elsewhere: frozenset[str],
) -> Look:
    look = Look(elsewhere=elsewhere)
    for name in linear:
        if reason := _reason(watch, axes.get(name, set()), name):
            look.beyond[name] = reason
    for name, (module, tensor) in others.items():
        parameter = isinstance(tensor, nn.Parameter)
        met = axes.get(name, set())
        if reason := _reason(watch, met, name):
            look.beyond[name] = reason
        elif name in watch.convolved and not met:
            look.beyond[name] = "it is the kernel of a convolution"
        elif tensor.dim() < 2 and not _may_be_matrix(tensor, linear):
            continue
        elif met and not parameter:
            kept = any(held is tensor for held in module._buffers.values())
            look.beyond[name] = f"it is {'kept as a buffer' if kept else 'no parameter of torch'}"
        elif met and tensor.dim() > 3:
            look.beyond[name] = f"it has {tensor.dim()} axes"
        elif met:
            look.matrices[name] = min(met)
        elif parameter and name in watch.scaling and max(tensor.shape) < tensor.numel():
            look.beyond[name] = SCALES
        elif parameter and name not in watch.apart | watch.scaling:
            look.beyond[name] = f"{UNREACHED} {type(module).__name__}"
        elif parameter:
            look.apart = (*look.apart, name)
    return look


def _may_be_matrix(tensor: Tensor, linear: Held) -> bool:
    """Whether a tensor has two axes, or is a parameter longer than vectors beside the layers."""
    widest = max((max(weight.shape) for _, weight in linear.values()), default=0)
    long = isinstance(tensor, nn.Parameter) and linear and tensor.numel() > widest
    return tensor.dim() > 1 or bool(long)


def _reason(watch: Products, met: set[int], name: str) -> str | None:
    """Why a weight cannot be rounded, whatever holds it."""
    if name in watch.computed:
        return "what multiplies activations is computed from it"
    if name in watch.strange:
        return watch.strange[name]
    return "activations are multiplied along both of its axes" if len(met) > 1 else None


@contextmanager
def _calls(model: nn.Module, called: list[nn.Linear]) -> Iterator[None]:
    """A context in which `called` holds the linear layers of a model that are under way."""
    modules = [module for module in model.modules() if type(module) is nn.Linear]

    def begin(module: nn.Linear, args: object) -> None:
        called.append(module)

    def end(module: nn.Linear, args: object, out: object) -> None:
        called.pop()

    hooks = [module.register_forward_pre_hook(begin) for module in modules]
    hooks += [module.register_forward_hook(end, always_call=True) for module in modules]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _some_tokens(model: nn.Module) -> Tensor:
    known = vocabulary(model)
    return (torch.arange(_LOOKED_AT) % (known or _LOOKED_AT))[None]
