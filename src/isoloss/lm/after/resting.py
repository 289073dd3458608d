"""A model at rest: looked at without leaving a trace; and freed of torch.compile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def at_rest(model: nn.Module) -> Iterator[None]:
    """A context in which a model runs without dropout and gradients, as if served; behind it, its
    modules train as they did and its buffers (statistics of a BatchNorm, caches of positions) are
    those of before.
    """
    training = [module for module in model.modules() if module.training]
    buffers = [
        (module, name, buffer, None if buffer is None else buffer.clone())
        for module in model.modules()
        for name, buffer in module._buffers.items()
    ]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module in training:
            module.training = True
        for module, name, buffer, before in buffers:
            module._buffers[name] = buffer
            if buffer is not None and before is not None and not buffer.equal(before):
                with torch.no_grad():
                    buffer.copy_(before)


def uncompiled(model: nn.Module) -> nn.Module:
    """A model with the modules that torch.compile took, below it and itself, as they are; changed
    in place. Compiled code is shared by models of one class and sees no hooks that came later, so
    that roundings of inputs would be left out of it.
    """
    for module in list(model.modules()):
        for name, child in module.named_children():
            module._modules[name] = getattr(child, "_orig_mod", child)
    found: nn.Module = getattr(model, "_orig_mod", model)
    return found
