"""How far formats move the numbers of a real model: relative errors of its weights, activations,
keys and values, measured once, so that laws of the error need no stand-in for them.

Rows of normal numbers tell what rounding does to weights. Activations share one scale in a tensor
and have numbers far larger than the others, keys and values are turned: their errors are measured,

    E |Q(x) - x|^2 / E |x|^2,

x what comes into a matrix, or the keys (behind the turns of positions) and values of a block, as
the model is in full precision.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from isoloss.files import displayed, shown_value
from isoloss.formats import Format, Precision
from isoloss.formats.torch_twin import fake_quantise
from isoloss.lm.model import Linear, Model
from isoloss.lm.rounding import Rounding, rounding_of
from isoloss.lm.shape import ModelError

#: Sequences that are run together, as where losses are measured: a scale of a tensor is theirs.
BATCH = 32
PARTS = ("w", "a", "kv")
_Layer = Linear | nn.Linear
#: A part and its format.
Asked = tuple[str, Format]


@displayed
@dataclass(frozen=True)
class RoundingErrors:
    """Relative errors of formats in the matrices of one model.

    Attributes
    ----------
    table
        Columns part ("w", "a", "kv"), matrix (its name in the model, ".k" and ".v" of a block),
        format (with what shares a scale), error, and se over batches (NaN of weights, and of one
        batch).
    """

    table: pl.DataFrame

    def largest(self, part: str) -> dict[str, float]:
        """The error of each format in the matrix that it moves most."""
        return self._over(part, pl.col("error").max())

    def mean(self, part: str) -> dict[str, float]:
        """The error of each format, a mean over matrices."""
        return self._over(part, pl.col("error").mean())

    def _over(self, part: str, how: pl.Expr) -> dict[str, float]:
        own = self.table.filter(pl.col("part") == part)
        if own.is_empty():
            raise ModelError(
                f"no error of part {part!r} was measured; measured were "
                f"{', '.join(self.table['part'].unique(maintain_order=True))}"
            )
        return dict(own.group_by("format", maintain_order=True).agg(error=how).iter_rows())

    def __str__(self) -> str:
        with pl.Config(tbl_rows=-1, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True):
            return str(self.table)


def rounding_errors(
    model: nn.Module, tokens: np.ndarray, formats: str | Sequence[str]
) -> RoundingErrors:
    """Measure the relative errors of formats on what a model multiplies and keeps.

    Parameters
    ----------
    model
        A model of `isoloss.lm`, or any of which the matrices are linear layers, as it was trained
        in full precision; keys and values of the former alone.
    tokens
        Sequences, shape (sequences, length): whole numbers that the model takes.
    formats
        What is rounded to which format, as "a8", "w4/128 a:e4m3" or "kv4", or a list of these.

    Returns
    -------
    RoundingErrors
        An error for each part, matrix and format; the head is left as it is, as when it is served.

    Raises
    ------
    ModelError
        A part has no such numbers in this model, nothing is rounded, or the model rounds already.
    """
    asked = _asked(formats)
    matrices = _matrices(model, asked)
    sums = _Sums()
    for name, layer in matrices.items():
        for known in (known for part, known in asked if part == "w"):
            sums.add("w", name, known, layer.weight.detach())
    rows = torch.as_tensor(np.asarray(tokens, dtype=np.int64))
    if rows.dim() != 2 or not len(rows):
        shape = tuple(rows.shape)
        raise ModelError(f"tokens have the shape {shape}; accepted is (sequences, length)")
    if any(part != "w" for part, _ in asked):
        device = next(model.parameters()).device
        with torch.no_grad(), _watched(model, matrices, asked, sums):
            for start in range(0, len(rows), BATCH):
                model(rows[start : start + BATCH].to(device))
    return RoundingErrors(sums.table())


def _asked(formats: str | Sequence[str]) -> list[Asked]:
    """Parts and their formats, what shares a scale filled in."""
    found: dict[Asked, None] = {}
    for text in [formats] if isinstance(formats, str) else formats:
        precision = Precision.parse(text)
        for scope in precision.train:
            rule = rounding_of(precision, scope) if scope in PARTS else None
            if not isinstance(rule, Rounding) or precision.serve:
                raise ModelError(
                    f"cannot measure {scope!r} of {shown_value(text)}; accepted are formats of "
                    f"{', '.join(PARTS)}, as 'a8'"
                )
            found[scope, rule.known] = None
    if not found:
        raise ModelError("no format to measure; give at least one, as 'a8'")
    return list(found)


def _matrices(model: nn.Module, asked: Sequence[Asked]) -> dict[str, _Layer]:
    """The linear layers of a model but its head, by name."""
    if any(part == "kv" for part, _ in asked) and not isinstance(model, Model):
        raise ModelError(
            f"keys and values of a {type(model).__name__} are not reached; accepted is a model of "
            "isoloss.lm for 'kv'"
        )
    layers = {n: m for n, m in model.named_modules() if isinstance(m, _Layer)}
    whole = {n: m for n, m in layers.items() if n.rpartition(".")[2] not in ("head", "lm_head")}
    if not whole:
        raise ModelError(f"a {type(model).__name__} has no linear layers to measure")
    if isinstance(model, Model) and not model.precision.is_wide:
        raise ModelError(
            f"the model rounds already ('{model.precision}'); measure one of full precision"
        )
    return whole


class _Sums:
    """Squares of errors and of numbers, by part, matrix and format, one pair a batch."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str, str], list[tuple[float, float]]] = {}

    def add(self, part: str, matrix: str, known: Format, x: Tensor) -> None:
        """Add the numbers of a batch."""
        wide = x.float().contiguous()
        random = None
        if known.is_random:
            random = torch.Generator(device=wide.device).manual_seed(0)
        off = fake_quantise(wide, known, random=random) - wide
        pair = float(off.square().sum()), float(wide.square().sum())
        self.found.setdefault((part, matrix, str(known)), []).append(pair)

    def table(self) -> pl.DataFrame:
        """The errors, each with its standard error over batches (of a ratio of sums)."""
        rows = []
        for place, pairs in self.found.items():
            off, whole = np.array(pairs).T
            error = off.sum() / whole.sum()
            spread = np.sqrt(np.sum((off - error * whole) ** 2) / max(1, len(off) - 1) * len(off))
            se = float(spread / whole.sum()) if len(off) > 1 else float("nan")
            rows.append((*place, float(error), se))
        names = dict.fromkeys(("part", "matrix", "format"), pl.String)
        numbers = dict.fromkeys(("error", "se"), pl.Float64)
        return pl.DataFrame(rows, schema={**names, **numbers}, orient="row")


@contextlib.contextmanager
def _watched(
    model: nn.Module, matrices: dict[str, _Layer], asked: Sequence[Asked], sums: _Sums
) -> Iterator[None]:
    """Add what comes into the matrices of a model, and its keys and values, while it runs."""

    def seen(name: str, part: str) -> Callable[[Tensor], None]:
        own = [known for each, known in asked if each == part]

        def take(x: Tensor) -> None:
            for known in own:
                sums.add(part, name, known, x)

        return take

    def inputs(name: str) -> Callable[..., None]:
        take = seen(name, "a")

        def hook(_: nn.Module, args: tuple[Tensor, ...]) -> None:
            take(args[0])

        return hook

    hooks = [layer.register_forward_pre_hook(inputs(name)) for name, layer in matrices.items()]
    blocks: dict[str, Any] = {}
    if isinstance(model, Model):
        blocks = dict(model.blocks.named_children())
    for name, block in blocks.items():
        takes = (seen(f"blocks.{name}.{part}", "kv") for part in "kv")
        block.mixed = _recorded(block.mixed, *takes)
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for block in blocks.values():
            del block.mixed  # the method of its class again


def _recorded(
    mixed: Callable[[Tensor, Tensor, Tensor], Tensor],
    keys: Callable[[Tensor], None],
    values: Callable[[Tensor], None],
) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    def taken(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        keys(k)
        values(v)
        return mixed(q, k, v)

    return taken
