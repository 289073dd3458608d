"""What a replicate is made of: its teacher, its first weights, and its stream of samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from isoloss.files import shown_value
from isoloss.linear.checks import one_of
from isoloss.linear.networks.network import Network

DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class Layers:
    """Weights of networks side by side: first (..., m, d) and second (..., m)."""

    first: Tensor
    second: Tensor


@dataclass(frozen=True)
class Kind:
    """Where tensors live and what numbers they hold."""

    dtype: torch.dtype
    device: torch.device

    def normal(self, random: torch.Generator, *shape: int) -> Tensor:
        """Standard normal numbers."""
        return torch.randn(shape, generator=random, dtype=self.dtype, device=self.device)

    def signs(self, random: torch.Generator, *shape: int) -> Tensor:
        """+1 and -1, each as often."""
        drawn = torch.randint(0, 2, shape, generator=random, device=self.device)
        one = torch.ones((), dtype=self.dtype, device=self.device)
        return torch.where(drawn > 0, one, -one)

    def generator(self, seed: int) -> torch.Generator:
        """A generator of its own for a seed."""
        return torch.Generator(self.device).manual_seed(seed)


def kind_of(dtype: str, device: str) -> Kind:
    """The kind that is meant. Raises ValueError for another dtype, or a device that is not here."""
    numbers = getattr(torch, one_of("dtype", dtype, DTYPES))
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        why = str(error).partition("\n")[0]
        raise ValueError(
            f"device is {shown_value(device)}, which this torch cannot use ({why}); accepted is "
            "one such as 'cpu' or 'cuda'"
        ) from None
    return Kind(numbers, torch.device(device))


def forward(network: Network, layers: Layers, x: Tensor) -> Tensor:
    """f(x) (..., n) of networks in full precision at inputs (..., n, d)."""
    hidden = x @ layers.first.mT
    if network.activation == "relu":
        hidden = hidden.relu()
    root: float = layers.second.shape[-1] ** 0.5
    return (hidden @ layers.second[..., None])[..., 0] / root


def teachers(network: Network, replicates: int, seed: int, kind: Kind) -> Layers:
    """A teacher for each replicate, (R, k, d) and (R, k)."""
    random, count = kind.generator(8 * seed + 6), network.teacher_width
    second = kind.signs(random, replicates, count)
    return Layers(_by_coordinate(kind, random, network.dim, replicates, count), second)


def first_weights(network: Network, replicates: int, seed: int, kind: Kind) -> Layers:
    """Initial students, (R, m, d) and (R, m); in pairs of opposite sign where the width is even."""
    random, width = kind.generator(8 * seed + 7), network.width
    half = width if width % 2 else width // 2
    second = kind.signs(random, replicates, half)
    first = network.init * _by_coordinate(kind, random, network.dim, replicates, half)
    if half < width:
        first, second = torch.cat([first, first], 1), torch.cat([second, -second], 1)
    return Layers(first, second)


def _by_coordinate(
    kind: Kind, random: torch.Generator, dim: int, replicates: int, count: int
) -> Tensor:
    """Weights (R, count, d) drawn one input after the other: those of the first inputs are the same
    for every dimension.
    """
    # One draw for each, since torch orders the numbers of a large draw by its size.
    return torch.stack([kind.normal(random, replicates, count) for _ in range(dim)], dim=-1)


def samples(
    network: Network, teacher: Layers, batch: int, seed: int, kind: Kind
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches without end, inputs (R, B, d) and noisy labels (R, B)."""
    random = kind.generator(8 * seed)
    deviations = torch.as_tensor(network.lam, dtype=kind.dtype, device=kind.device).sqrt()
    replicates = len(teacher.first)
    while True:
        x = deviations * kind.normal(random, replicates, batch, network.dim)
        noise = network.noise_var**0.5 * kind.normal(random, replicates, batch)
        yield x, forward(network, teacher, x) + noise
