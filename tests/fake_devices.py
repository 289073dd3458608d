"""A GPU that is not there: tensors with shapes and a device and no numbers, and the arithmetic that
differs there.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from array_api_compat import array_namespace
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from isoloss.lm.training.batched_model import BatchedModel

DEVICE = "meta"
_GENERATOR = torch.Generator


class Divisions(TorchDispatchMode):
    """Divides by a number as torch does on a GPU: times its reciprocal, in the type of the tensor.

    Source: div_true_kernel_cuda of torch.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.div.Tensor and not isinstance(args[1], torch.Tensor):
            return args[0] * (1 / torch.tensor(args[1], dtype=args[0].dtype))
        return func(*args, **(kwargs or {}))


class Reads(TorchDispatchMode):
    """Counts how often the host waits for a number of the device, and answers 1."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        reads = (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.equal.default)
        if func in reads and isinstance(args[0], FakeTensor):
            self.count += args[0].device.type == DEVICE
            return True if args[0].dtype == torch.bool or func is reads[1] else 1
        return func(*args, **(kwargs or {}))


@contextmanager
def fake_device(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reads]:
    """A block in which the device has tensors without numbers; mixing devices raises there."""
    for rule in ("rule", "fixed"):
        monkeypatch.setattr(f"isoloss.formats.rounding.{rule}.checked", array_namespace)
    monkeypatch.setattr(torch, "Generator", lambda device="cpu": _GENERATOR("cpu"))
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    monkeypatch.setattr(nn.Module, "to", _moved)
    monkeypatch.setattr(BatchedModel, "to", _members_moved)
    monkeypatch.setattr(torch.nn.utils.clip_grad, "_device_has_foreach_support", bool)
    with FakeTensorMode(allow_non_fake_inputs=True), Reads() as reads:
        yield reads


def _members_moved(model: BatchedModel, device: Any) -> BatchedModel:
    for name, p in model._parameters.items():
        model._parameters[name] = nn.Parameter(p.detach().to(device))
    return model


def _moved(module: nn.Module, device: Any, *_: Any, **__: Any) -> nn.Module:
    """`nn.Module.to`, whose swap of parameters tensors without numbers do not take."""
    for each in module.modules():
        for name, p in each._parameters.items():
            if p is not None and p.device != torch.device(device):
                moved = p.detach().to(device)
                each._parameters[name] = nn.Parameter(moved, requires_grad=p.requires_grad)
    return module
