"""One-pass SGD on two-layer networks, all precisions and all replicates side by side.

Every product is one batched product over (settings, signs, replicates), so that the cost a step is
that of the arithmetic and not of Python; on a GPU the same code runs with `device="cuda"`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from isoloss.formats import Precision, as_precision
from isoloss.linear.asked import check_descent, check_scales
from isoloss.linear.checks import of_type, whole
from isoloss.linear.descent import SGD
from isoloss.linear.networks.curvature import network_limit
from isoloss.linear.networks.drawing import (
    Kind,
    Layers,
    first_weights,
    kind_of,
    samples,
    teachers,
)
from isoloss.linear.networks.network import Network
from isoloss.linear.networks.quantiser import Quantiser, formats_of
from isoloss.linear.quantisers import DEFAULT_SCALES, Scales


@dataclass(frozen=True, eq=False)
class Trained:
    """Networks that were trained side by side, at each step that was asked for.

    Attributes
    ----------
    network : Network
        The problem.
    sgd : SGD
        The descent.
    precisions : tuple of Precision
        The settings S.
    at : tuple of int
        Steps K at which the weights were kept.
    layers : tuple of Layers
        The weights at each of these, (S, A, R, m, d) and (S, A, R, m); A is 2 where noise was taken
        with both signs.
    teacher : Layers
        (R, k, d) and (R, k).
    step_size : float
        The largest step size as a number.
    scales : Scales
        Of real formats, where they are fixed.
    seed : int
        What all was drawn from.
    """

    network: Network
    sgd: SGD
    precisions: tuple[Precision, ...]
    at: tuple[int, ...]
    layers: tuple[Layers, ...] = field(repr=False)
    teacher: Layers = field(repr=False)
    step_size: float
    scales: Scales
    seed: int

    @property
    def replicates(self) -> int:
        """Number of replicates R, each with a teacher, a start and samples of its own."""
        return len(self.teacher.first)

    @property
    def kind(self) -> Kind:
        """Where the weights live and what numbers they hold."""
        return Kind(self.teacher.first.dtype, self.teacher.first.device)

    def weights(self, step: int, precision: int) -> Layers:
        """The weights of one precision at one kept step, by index: (R, m, d) and (R, m), with the
        noise as drawn.
        """
        layers = self.layers[step]
        return Layers(layers.first[precision, 0], layers.second[precision, 0])

    @property
    def signs(self) -> Tensor:
        """Signs A of the noise."""
        return _signs(self.layers[0].first.shape[1] == 2, self.kind)


def train_networks(
    network: Network,
    sgd: SGD,
    precisions: Sequence[Precision | str] = ("fp",),
    *,
    at: Sequence[int] = (),
    replicates: int = 16,
    both_signs: bool = False,
    scales: Scales = DEFAULT_SCALES,
    seed: int = 0,
    dtype: str = "float64",
    device: str = "cpu",
) -> Trained:
    """Train networks in every precision, on the same teachers, starts and samples.

    Parameters
    ----------
    network : Network
        Teacher and student.
    sgd : SGD
        Steps, batch, step size and schedule; a share such as '0.1 limit' is of `network_limit`,
        that of full precision, for all precisions alike.
    precisions : list of Precision or str
        Formats of data d, labels l, weights w, activations a, output gradients g.
    at : list of int
        Steps after which weights are kept, beside the last.
    replicates : int
        How many of each precision.
    both_signs : bool
        Train each replicate with its noise and with the negative of it: their mean is free of what
        is odd in the noise, and what a precision costs is far sharper.
    scales : Scales
        Fixed scales of real formats; None scales each tensor of each replicate by its largest
        magnitude.
    seed : int
        Of teachers, starts, samples and noise.
    dtype : str
        'float64' or 'float32'.
    device : str
        A device of torch.

    Returns
    -------
    Trained
        The weights.

    Raises
    ------
    ValueError
        Bad input, a descent with momentum, or weights that are not finite.
    """
    of_type("network", network, Network, "Network(dim=32)")
    check_scales(scales)
    if check_descent(sgd).momentum or sgd.rule != "heavy ball":
        raise ValueError(
            f"momentum is {sgd.momentum!r} by the rule {sgd.rule!r}; networks are trained without, "
            "momentum=0"
        )
    whole("seed", seed, 0)
    read = tuple(as_precision(each) for each in precisions)
    formats = formats_of(read)
    kept = _kept(at, sgd.steps)
    kind = kind_of(dtype, device)
    teacher = teachers(network, whole("replicates", replicates), seed, kind)
    signs = _signs(both_signs, kind)
    quantisers = {
        part: Quantiser(part, known, signs, seed, scales) for part, known in formats.items()
    }
    limit = 1.0 if sgd.share is None else network_limit(network, sgd.batch, seed)
    largest = float(sgd.step_size) if sgd.share is None else sgd.share * limit
    start = first_weights(network, replicates, seed, kind)
    shape = (len(read), len(signs))
    layers = Layers(
        start.first.expand(*shape, *start.first.shape).clone(),
        start.second.expand(*shape, *start.second.shape).clone(),
    )
    found = _descent(network, sgd, largest, layers, teacher, quantisers, kept, seed)
    return Trained(network, sgd, read, kept, found, teacher, largest, scales, seed)


def _kept(at: Sequence[int], steps: int) -> tuple[int, ...]:
    asked = sorted({*(whole("a step to keep", each, 0) for each in at), steps})
    if asked[-1] > steps:
        raise ValueError(f"a step to keep is {asked[-1]}; accepted is at most steps, {steps}")
    return tuple(asked)


def _signs(both: bool, kind: Kind) -> Tensor:
    return torch.tensor([1.0, -1.0][: 1 + both], dtype=kind.dtype, device=kind.device)


def _descent(
    network: Network,
    sgd: SGD,
    largest: float,
    layers: Layers,
    teacher: Layers,
    quantisers: dict[str, Quantiser],
    kept: tuple[int, ...],
    seed: int,
) -> tuple[Layers, ...]:
    """The weights after each of the kept steps."""
    kind = Kind(teacher.first.dtype, teacher.first.device)
    data = samples(network, teacher, sgd.batch, seed, kind)
    found = [_copied(layers)] if kept[0] == 0 else []
    for step, size in enumerate(sgd.step_sizes(largest), start=1):
        by_first, by_second = gradients(network, layers, *next(data), quantisers)
        layers.first.sub_(by_first, alpha=float(size))
        if network.second_layer:
            layers.second.sub_(by_second, alpha=float(size))
        if step in kept:
            _check_finite(layers, step, largest)
            found.append(_copied(layers))
    return tuple(found)


def gradients(
    network: Network, layers: Layers, x: Tensor, y: Tensor, quantisers: dict[str, Quantiser]
) -> tuple[Tensor, Tensor]:
    """Rounded gradients of the batch's mean loss by both layers, as network.py defines them.

    x (R, B, d) and y (R, B); gradients (S, A, R, m, d) and (S, A, R, m).
    """
    between, root = network.between, network.width**0.5
    x_q = quantisers["d"](x[None, None], 1)
    y_q = quantisers["l"](y[None, None], 1)
    first = quantisers["w"](layers.first, 2)
    second = quantisers["w"](layers.second, 1) if between else layers.second
    z = x_q @ first.mT  # (S, A, R, B, m)
    z = quantisers["a"](z, 2) if between else z
    hidden = z.relu() if network.activation == "relu" else z
    out = quantisers["a"]((hidden @ second[..., None])[..., 0] / root, 1)
    r = quantisers["g"](y_q - out, 1) / x.shape[-2]
    back = r[..., None] * (second / root)[..., None, :]
    if between:
        # The mean over the batch is taken after rounding, so its division is undone here.
        back = quantisers["g"](back * x.shape[-2], 2) / x.shape[-2]
    if network.activation == "relu":
        back = back * (z > 0)
    by_second = -(hidden.mT @ r[..., None])[..., 0] / root
    return -(back.mT @ x_q), by_second


def _copied(layers: Layers) -> Layers:
    return Layers(layers.first.clone(), layers.second.clone())


def _check_finite(layers: Layers, step: int, largest: float) -> None:
    if not bool(torch.isfinite(layers.first).all() & torch.isfinite(layers.second).all()):
        raise ValueError(
            f"the networks diverge at the step size {largest:.4g}: weights are not finite after "
            f"{step} steps; accepted is a smaller one, such as '0.1 limit'"
        )
