"""One dial for a ladder of models: from a number of params to layers, width and heads."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path

import torch

from isoloss.runs import Decoder, compact, number

#: Width over layers: the ladder keeps it near this, so that 12 layers width^2 params fix both.
ASPECT = 32
#: Bytes a parameter in training: float32 weight, gradient and two moments, and what the optimiser
#: needs beside them.
TRAINING_BYTES = 20
#: Bytes of a number that a batch leaves to go back, by the dtype of products: norms, attention's
#: sums and logits stay float32 under autocast, which also casts every weight (2 bytes more).
LEFT_BYTES = {"float32": 4.0, "bfloat16": 2.5}
CAST_BYTES = {"float32": 0, "bfloat16": 2}
SMALLEST = 3_000
#: The feed-forward width is a multiple of the first of these that keeps the size, so that groups of
#: formats fit into it.
FFN_STEPS = (32, 16, 8, 4)
TOLERANCE = 0.05
#: Where Linux tells its memory.
MEMORY = Path("/proc/meminfo")


class ModelError(ValueError):
    """A model cannot be or do something: one sentence with the value and what is accepted."""


def model_of(params: float | str, vocab: int = 256, tied: bool = False) -> Decoder:
    """The decoder of the ladder with about `params` parameters without embeddings, within 5%.

    layers = the nearest to (params / (12 aspect^2))^(1/3), at least 2; the width follows in steps
    of a head, the feed-forward width takes up the rest, in steps of 32 where that is near enough.

    Parameters
    ----------
    params
        Parameters without embeddings, as 100_000 or "0.1M".
    vocab
        Different tokens; that of the corpus.
    tied
        Whether the head is the embedding.

    Returns
    -------
    Decoder
        Layers, width, heads and feed-forward width.

    Raises
    ------
    ModelError
        The size is too small for the ladder, or its training state does not fit in memory, that of
        the roomiest device.
    """
    found = ladder(params, vocab, tied)
    check_memory(found, available=max(map(free_memory, devices())))
    return found


def ladder(params: float | str, vocab: int = 256, tied: bool = False) -> Decoder:
    """What `model_of` gives, whether or not it can be trained here."""
    wanted = number(params)
    if wanted < SMALLEST:
        raise ModelError(
            f"a model of {params} params is below the ladder; accepted is at least "
            f"{compact(SMALLEST)}"
        )
    layers = max(2, round((wanted / (12 * ASPECT**2)) ** (1 / 3)))
    ideal = math.sqrt(wanted / (12 * layers))
    head_dim = 8 if ideal < 48 else 16 if ideal < 128 else 32 if ideal < 512 else 64
    width = max(1, round(ideal / head_dim)) * head_dim
    rest = wanted - layers * (4 * width**2 + 2 * width) - width
    each = 3 * layers * width
    for step in FFN_STEPS:
        ffn = max(1, round(rest / (each * step))) * step
        if abs(each * ffn - rest) <= TOLERANCE * wanted:
            break
    return Decoder(layers, width, width // head_dim, vocab, ffn=ffn, tied=tied)


def training_bytes(
    shape: Decoder, batch: int = 0, members: int = 1, dtype: str = "float32", shards: int = 1
) -> float:
    """About the bytes that training takes: weights, gradients and moments, and what a batch of
    tokens leaves to go back.

    members: models trained at once, each of which then has its weights twice; dtype: of products;
    shards: ranks that share out weights, gradients and moments.

    A token leaves about 18 widths and 8 feed-forward widths a layer, and four rows of logits, all
    float32: the peak of float32 training at 1M, 10M and 30M params, batches of 1k to 16k tokens,
    within a tenth (a throw-away script). In bfloat16 tensors that are kept for the way back have
    .61 of those bytes (counted at 1M and 10M params).
    """
    left = shape.layers * (18 * shape.width + 8 * (shape.ffn or 0)) + 4 * shape.vocab
    weights = TRAINING_BYTES / shards + (4 if members > 1 else 0) + CAST_BYTES[dtype]
    if shards > 1:  # what is rounded, or cast, of gathered weights stays until the way back
        weights += 4
    return float(members * (shape.params * weights + LEFT_BYTES[dtype] * batch * left))


def check_memory(
    shape: Decoder,
    batch: int = 0,
    workers: int = 1,
    members: int = 1,
    available: float | None = None,
    *,
    device: str = "cpu",
    dtype: str = "float32",
    shards: int = 1,
) -> None:
    """Raise ModelError if training on batches of so many tokens takes more memory than is free.

    members: models that a worker trains at once; device: whose memory it is, which all workers
    share; dtype: of products; shards: ranks that share out weights, gradients and moments.
    """
    needed = workers * training_bytes(shape, batch, members, dtype, shards)
    free = free_memory(device) if available is None else available
    if needed > free:
        where = "" if device == "cpu" else f" on {device}"
        many = f" in {workers} workers at once" if workers > 1 else ""
        batches = f" on batches of {batch} tokens" if batch else ""
        fewer = ", fewer precisions or seeds, or cells=False" if members > 1 else ""
        what = f"a batched sweep of {members} models" if members > 1 else "a model"
        raise ModelError(
            f"{what} of {compact(shape.params)} params{batches} needs {needed / 1e9:.3g} GB "
            f"to train{many} and {free / 1e9:.3g} GB are free{where}; choose a smaller one{fewer}"
        )


def devices() -> tuple[str, ...]:
    """The devices of this machine as torch names them, the processor first."""
    return ("cpu", *(f"cuda:{k}" for k in range(torch.cuda.device_count())))


def free_memory(device: str = "cpu") -> float:
    """Bytes of memory that are free on a device, infinite where the system does not say.

    On Linux what files hold for quicker reading counts as free, since it is given up when asked.
    """
    if device.partition(":")[0] == "cuda" and torch.cuda.is_available():
        return float(torch.cuda.mem_get_info(device)[0])
    with suppress(OSError, ValueError, StopIteration):
        lines = MEMORY.read_text(encoding="ascii").splitlines()
        return 1024.0 * int(next(w for w in lines if w.startswith("MemAvailable:")).split()[1])
    try:
        return float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (ValueError, OSError, AttributeError):
        return math.inf
