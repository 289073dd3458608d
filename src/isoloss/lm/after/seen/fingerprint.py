"""What tells a model from others: its weights, and what it does with them."""

from __future__ import annotations

import hashlib
import json

import torch
from torch import Tensor, nn

#: Of a configuration, what says where it came from and who reads it.
_ASIDE = ("_name_or_path", "transformers_version", "dtype", "torch_dtype")


def weights_hash(model: nn.Module) -> str:
    """A hash of the weights of a model: names, types, shapes and numbers."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        if isinstance(tensor, Tensor):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            flat = tensor.detach().cpu().contiguous().flatten()
            digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def settings_text(model: nn.Module) -> str:
    """What a configuration says beside weights, such as the base of positions."""
    to_dict = getattr(getattr(model, "config", None), "to_dict", dict)
    kept = {name: value for name, value in to_dict().items() if name not in _ASIDE}
    return json.dumps(kept, sort_keys=True, default=str)


def model_hash(model: nn.Module, weights: str) -> str:
    """A hash of a model: that of its weights, its modules as they print, its configuration, and the
    shape and roundings of a model of this package.
    """
    kind = type(model)
    own = [str(getattr(model, name, "")) for name in ("shape", "precision")]
    told = [weights, kind.__module__, kind.__qualname__, repr(model), *own]
    return hashlib.sha256(json.dumps([*told, settings_text(model)]).encode()).hexdigest()
