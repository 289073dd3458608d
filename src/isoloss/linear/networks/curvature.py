"""The Gauss-Newton matrix of a network, its eigenvalues, and the step size that they allow.

With J(x) the gradient of f(x) by all trained weights, G = E J J' is the Hessian of the loss without
the part that vanishes with the error, and its eigenvalues other than zero are those of the neural
tangent kernel. In the linear laboratory G is H, and with rounded data H_q. Here it is the mean over
sampled inputs; rounded and exact inputs are the same samples, so that ratios of eigenvalues are
far sharper than either.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

try:
    import torch
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "isoloss.linear.networks and its studies need torch; pip install 'isoloss[lm]'"
    ) from None
from numpy.typing import NDArray
from torch import Tensor

from isoloss.formats import Precision
from isoloss.linear.checks import whole
from isoloss.linear.descent import SGD
from isoloss.linear.networks.drawing import Kind, Layers, first_weights
from isoloss.linear.networks.network import Network
from isoloss.linear.networks.quantiser import Quantiser, formats_of
from isoloss.linear.regression import Regression
from isoloss.linear.risk_of import stability_limit

Array = NDArray[np.float64]
#: Replicates and inputs from which the limit of the step size is found.
_STARTS, _INPUTS = 4, 512


@dataclass(frozen=True, eq=False)
class Curvature:
    """Eigenvalues of the Gauss-Newton matrix of some networks.

    Attributes
    ----------
    values : array (R, n)
        Descending, of each replicate.
    """

    values: Array


def gauss_newton(
    network: Network,
    layers: Layers,
    precision: Precision | str = "fp",
    *,
    inputs: int = 4096,
    seed: int = 0,
) -> Curvature:
    """Eigenvalues of E J J' with the inputs rounded as a precision rounds data.

    Parameters
    ----------
    network : Network
        The problem.
    layers : Layers
        Weights of R networks, (R, m, d) and (R, m).
    precision : Precision or str
        Its data format d counts, the others do not.
    inputs : int
        Sampled inputs a network.
    seed : int
        Of the inputs; the same for every precision.

    Returns
    -------
    Curvature
        The eigenvalues, those of the smaller of the two Gram matrices.

    Raises
    ------
    ValueError
        Bad input.
    """
    kind = Kind(layers.first.dtype, layers.first.device)
    signs = torch.ones(1, dtype=kind.dtype, device=kind.device)
    formats = formats_of([Precision.parse(precision)])["d"]
    rounded, random = (
        Quantiser("d", formats, signs, seed),
        kind.generator(8 * whole("seed", seed, 0)),
    )
    deviations = torch.as_tensor(network.lam, dtype=kind.dtype, device=kind.device).sqrt()
    found = []
    for first, second in zip(layers.first, layers.second, strict=True):
        x = deviations * kind.normal(random, whole("inputs", inputs), network.dim)
        by_sample = _jacobian(network, first, second, rounded(x[None, None, None], 1)[0, 0, 0])
        wide = by_sample.shape[0] < by_sample.shape[1]
        gram = by_sample @ by_sample.mT if wide else by_sample.mT @ by_sample
        found.append(torch.linalg.eigvalsh(gram.double() / inputs).flip(0).clamp(min=0))
    return Curvature(torch.stack(found).cpu().numpy())


def _jacobian(network: Network, first: Tensor, second: Tensor, x: Tensor) -> Tensor:
    """Gradients of f at inputs (n, d) by the trained weights, (n, P)."""
    z = x @ first.mT
    slopes = (z > 0).to(x.dtype) if network.activation == "relu" else torch.ones_like(z)
    by_first = ((slopes * second)[..., None] * x[:, None, :]).flatten(1)
    parts = [by_first, z * slopes] if network.second_layer else [by_first]
    return torch.cat(parts, 1) / float(network.width**0.5)


def network_limit(network: Network, batch: int = 1, seed: int = 0) -> float:
    """Largest stable step size of linear regression on the network's first Gauss-Newton matrix.

    Training moves the matrix, so that a share well below 1 is needed: 0.1 is used in the studies.

    Parameters
    ----------
    network : Network
        The problem.
    batch : int
        Samples of a step.
    seed : int
        Of the initial weights, four of which are averaged.

    Returns
    -------
    float
        The limit of gamma.

    Raises
    ------
    ValueError
        Bad input.
    """
    kind = Kind(torch.float64, torch.device("cpu"))
    start = first_weights(network, _STARTS, whole("seed", seed, 0), kind)
    inputs = max(_INPUTS, 2 * network.dim)
    found = gauss_newton(network, start, inputs=inputs, seed=seed).values
    spectrum = found.mean(axis=0)
    problem = Regression(len(spectrum), spectrum=spectrum)
    return stability_limit(problem, SGD(1, batch=batch))
