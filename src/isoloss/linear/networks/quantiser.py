"""One quantiser for many precisions side by side: each tensor rounded as each setting says.

Tensors have the axes (settings S, signs A, replicates R, ...). Settings and signs share the random
numbers, so that differences between precisions are paired; a sign of -1 turns every draw of noise
over (n to -n, u to 1 - u), so that the mean of both signs is free of what is odd in the noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from isoloss.formats import (
    DISTRIBUTIONS,
    Format,
    NoiseLevels,
    Precision,
    noise_model,
    unexecuted,
)
from isoloss.formats.torch_twin import fake_quantise
from isoloss.linear.quantisers import DEFAULT_SCALES, PARTS, Scales

#: Streams of random numbers besides that of the data: one a part, so that the draws of one do not
#: move when another is rounded too.
_STREAMS = {part: 1 + k for k, part in enumerate(PARTS)}


def formats_of(precisions: Sequence[Precision]) -> dict[str, list[Format | None]]:
    """The formats of each part, one a precision; None is exact.

    Raises ValueError for parts other than d l w a g, for what follows an arrow, and for formats
    that only special kernels execute.
    """
    for precision in precisions:
        if precision.serve or precision.changes:
            raise ValueError(
                f"precision '{precision}' changes in or after training; networks take one "
                "precision for the whole of it, such as 'd:add(0.01) w:int8'"
            )
        for scope, known in precision.train.items():
            if scope not in PARTS:
                raise ValueError(
                    f"a network has no part '{scope}', as in precision '{precision}'; parts are "
                    f"{' '.join(PARTS)}"
                )
            if why := unexecuted(known, tiles=False):
                raise ValueError(f"'{scope}:{known}' cannot be: {why}")
            if known.method is not None:
                raise ValueError(
                    f"'{scope}:{known}' names a method; gradients of networks pass straight through"
                )
    return {part: [_exact_is_none(each.train.get(part)) for each in precisions] for part in PARTS}


def _exact_is_none(known: Format | None) -> Format | None:
    return None if known is None or known.is_exact else known


@dataclass(frozen=True)
class _Noise:
    """Settings whose noise has one distribution, with the standard deviations of its three sources:
    added, an element's own factor, the factor that is shared.
    """

    settings: list[int]
    deviations: tuple[Tensor, Tensor, Tensor]
    table: Tensor | None


class Quantiser:
    """Rounds one part of the network, each setting to its own format or not at all."""

    def __init__(
        self,
        part: str,
        formats: Sequence[Format | None],
        signs: Tensor,
        seed: int,
        scales: Scales = DEFAULT_SCALES,
    ):
        self._signs, self._count = signs, len(formats)
        self._noises = _noises(formats, signs)
        self._real = [
            (k, known)
            for k, known in enumerate(formats)
            if known is not None and not known.is_noise
        ]
        self._scale: float | None = getattr(scales, part)
        self._random = torch.Generator(signs.device).manual_seed(8 * seed + _STREAMS[part])

    def __call__(self, x: Tensor, shared: int) -> Tensor:
        """x (S or 1, A or 1, R, ...) rounded, (S, A, R, ...); one factor serves the last `shared`
        axes.
        """
        if not self._noises and not self._real:
            return x
        tail = x.shape[2:]
        out = x.expand(self._count, len(self._signs), *tail).clone()
        for noise in self._noises:
            out[noise.settings] = self._with_noise(out[noise.settings], shared, noise)
        for k, known in self._real:
            out[k] = self._rounded(out[k], known)
        return out

    def _with_noise(self, x: Tensor, shared: int, at: _Noise) -> Tensor:
        flat = (slice(None), *(None,) * (x.dim() - 1))
        add, own, common = (each[flat] for each in at.deviations)
        signs = self._signs[(None, slice(None), *(None,) * (x.dim() - 2))]
        noise = factor = torch.zeros((), dtype=x.dtype, device=x.device)
        if add.any():
            noise = add * self._standard(x.shape[2:], at.table)
        if own.any():
            factor = own * self._standard(x.shape[2:], at.table)
        if common.any():
            kept = x.shape[2 : x.dim() - shared]
            factor = factor + common * self._standard((*kept, *(1,) * shared), at.table)
        return x + signs * (noise + x * factor)

    def _standard(self, shape: tuple[int, ...], table: Tensor | None) -> Tensor:
        """Numbers of mean zero and variance one; a table has equal shares of their distribution."""
        if table is None:
            kind = self._signs
            return torch.randn(shape, generator=self._random, dtype=kind.dtype, device=kind.device)
        at = torch.randint(len(table), shape, generator=self._random, device=self._signs.device)
        return table[at]

    def _rounded(self, x: Tensor, known: Format) -> Tensor:
        """x (A, R, ...) as a real format has it; each replicate has scales of its own."""
        rows = x
        if known.block is None and known.granularity is None:
            rows, known = x.flatten(2) if x.dim() > 2 else x[..., None], _by_row(known)
        uniform = None
        if known.is_random:
            drawn = torch.rand(
                rows.shape[1:], generator=self._random, dtype=x.dtype, device=x.device
            )
            # The other sign takes 1 - u; 1 itself, which u = 0 gives, is no uniform number.
            turned = torch.where(drawn > 0, 1 - drawn, drawn)
            uniform = torch.stack([drawn if sign > 0 else turned for sign in self._signs])
        scale = None if known.is_ideal else self._scale
        made = fake_quantise(rows, known, random=uniform, scale=scale, check=False, compiled=False)
        return made.reshape(x.shape)


def _noises(formats: Sequence[Format | None], signs: Tensor) -> list[_Noise]:
    """The noisy settings of a part, those of one distribution together."""
    groups: dict[str, list[int]] = {}
    for k, known in enumerate(formats):
        if known is not None and known.is_noise:
            groups.setdefault(noise_model(str(known.noise)).distribution, []).append(k)

    def tensor(values: Any) -> Tensor:
        return torch.tensor(values, dtype=signs.dtype, device=signs.device)

    made = []
    for name, settings in groups.items():
        levels = [levels_of_noise(formats[k]) for k in settings]
        deviations = (
            tensor([each.add**0.5 for each in levels]),
            tensor([(each.mul - each.shared) ** 0.5 for each in levels]),
            tensor([each.shared**0.5 for each in levels]),
        )
        table = DISTRIBUTIONS[name].table
        made.append(_Noise(settings, deviations, None if table is None else tensor(table)))
    return made


def levels_of_noise(known: Format | None) -> NoiseLevels:
    """The variances of a format that is ideal noise."""
    assert known is not None
    return noise_model(str(known.noise)).levels(known.eps or 0.0)


def _by_row(known: Format) -> Format:
    """A format whose scale serves one row, where it has scales and says nothing else."""
    return replace(known, granularity="row") if known.is_scaled else known
