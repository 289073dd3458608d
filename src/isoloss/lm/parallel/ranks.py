"""The ranks: processes that train one run together, each with a part of every batch.

`torchrun` starts them and tells each who it is; a process that nobody started so is the only rank.
What they say to each other goes three ways: gradients and weights through torch's own group, ends
and parts of what is rounded through a second one (both on the device), orders of the first rank
through a third (gloo, on the processor), whose patience outlasts whatever that rank does alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch._C._distributed_c10d import HashStore, PrefixStore
from torch.distributed.rendezvous import rendezvous

from isoloss.lm.shape import ModelError
from isoloss.lm.torchrun import started_by_torchrun

#: How long ranks wait for an order, while the first one quantises or writes.
PATIENCE = timedelta(days=7)


@dataclass(frozen=True, eq=False)
class Ranks:
    """Who this process is among the ranks.

    Attributes
    ----------
    rank, size
        Its number, from 0, and how many there are.
    beside
        How many of them are on this machine.
    device
        Where it trains.
    rounding, orders
        Groups for what is rounded, and for orders.
    """

    rank: int
    size: int
    beside: int
    device: torch.device
    rounding: Any
    orders: Any

    @property
    def leads(self) -> bool:
        """Whether this is the first rank, which alone writes and speaks."""
        return self.rank == 0

    # ---- parts of a batch
    def part(self, x: Tensor, axis: int = 0) -> Tensor:
        """The part of this rank of what all have along an axis."""
        length = x.shape[axis] // self.size
        return x.narrow(axis, self.rank * length, length)

    def whole(self, x: Tensor, axis: int = 0) -> Tensor:
        """The parts of all ranks side by side along an axis."""
        parts = [torch.empty_like(x) for _ in range(self.size)]
        dist.all_gather(parts, x.contiguous(), group=self.rounding)
        return torch.cat(parts, axis)

    def ends(self, x: Tensor) -> Tensor:
        """The smallest and the largest number that any rank has, shape (2,)."""
        low, high = torch.aminmax(x)
        # In float32, which all backends reduce, and which holds every number of 16 bits.
        found = torch.stack([-low, high]).to(torch.promote_types(x.dtype, torch.float32))
        dist.all_reduce(found, dist.ReduceOp.MAX, group=self.rounding)
        return (found * found.new_tensor([-1.0, 1.0])).to(x.dtype)

    # ---- orders
    def sums(self, *values: float) -> list[float]:
        """The sum over ranks of each value."""
        found = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(found, group=self.orders)
        result: list[float] = found.tolist()
        return result

    def told(self, value: Any = None) -> Any:
        """The value that the first rank has."""
        box = [value]
        dist.broadcast_object_list(box, group=self.orders, group_src=0)
        return box[0]

    def all_of(self, value: Any) -> list[Any]:
        """The value that each rank has."""
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value, group=self.orders)
        return found


@contextmanager
def ranks_on(device: str) -> Iterator[Ranks]:
    """The ranks, met for the length of a block.

    Parameters
    ----------
    device
        "cpu" or "cuda"; on the latter each rank has the GPU of its number on its machine.

    Raises
    ------
    ModelError
        The device names one of several, the GPUs are fewer than the ranks, or this torch lacks the
        backend.
    """
    place = _placed(device)
    ours = not dist.is_initialized()
    if ours:
        _meet("gloo" if place.type == "cpu" else "cpu:gloo,cuda:nccl")
    try:
        yield Ranks(
            rank=dist.get_rank(),
            size=dist.get_world_size(),
            beside=int(os.environ.get("LOCAL_WORLD_SIZE", "1")),
            device=place,
            rounding=dist.new_group(),
            orders=dist.new_group(timeout=PATIENCE, backend="gloo"),
        )
    finally:
        if ours:
            dist.destroy_process_group()


def _placed(device: str) -> torch.device:
    """The device of this rank."""
    kind, _, number = device.partition(":")
    if not dist.is_available() or not dist.is_gloo_available():
        raise ModelError("this torch has no gloo, by which ranks meet; install another build")
    if kind not in ("cpu", "cuda"):
        raise ModelError(f"ranks train on cpu or cuda, not on device {device!r}")
    if kind == "cpu":
        return torch.device("cpu")
    if number:
        raise ModelError(
            f"device {device!r} is one GPU and every rank has its own; give cuda, and name GPUs by "
            "CUDA_VISIBLE_DEVICES"
        )
    if not dist.is_nccl_available():
        raise ModelError("this torch has no NCCL, by which ranks meet on cuda; train on cpu")
    here, beside = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if here >= beside:
        raise ModelError(
            f"rank {here} of this machine finds {beside} GPUs; start as many processes as GPUs"
        )
    torch.cuda.set_device(here)
    return torch.device("cuda", here)


def _meet(backend: str) -> None:
    store: Any = HashStore()
    rank, size = 0, 1
    if started_by_torchrun():
        store, rank, size = next(iter(rendezvous("env://")))
        # Processes that are started again meet anew: torch 2.13 would show them where those that
        # died were to be found.
        store = PrefixStore(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"), store)
    dist.init_process_group(backend, store=store, rank=rank, world_size=size)
