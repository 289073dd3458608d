"""Excess risk of trained networks: exact given the weights, since inputs are normal.

For normal (z, z') with variances s^2, t^2 and the angle theta = arccos(cov / (s t)),

    E relu(z) relu(z') = s t / (2 pi) (sin theta + (pi - theta) cos theta)

(the arc-cosine kernel of order 1: Cho, Saul 2009), so that 1/2 E (f - f*)^2 is a sum over pairs of
neurons and no test set is needed. In use, with data rounded when the model is used too, the same
holds for added normal noise, whose inputs are normal with covariance H + eps I; for other formats
what rounding changes is sampled, on the same inputs with and without rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isoloss.formats import Format, noise_model
from isoloss.linear.checks import finite, of_type, one_of, whole
from isoloss.linear.networks.drawing import Kind, Layers, forward
from isoloss.linear.networks.network import Network
from isoloss.linear.networks.quantiser import Quantiser, formats_of, levels_of_noise
from isoloss.linear.networks.training import Trained

Array = NDArray[np.float64]
INPUTS = ("clean", "in use")


@dataclass(frozen=True, eq=False)
class NetworkRisks:
    """Excess risks 1/2 E (f - f*)^2 of trained networks, in squared units of the label.

    Attributes
    ----------
    trained : Trained
        What was trained.
    inputs : str
        'clean' or 'in use': whether data are rounded in use too.
    values : array (K, S, R)
        At each kept step, of each precision and replicate; the mean of both signs of noise.
    sampled : tuple of bool
        Of each precision, whether what rounding in use changes was sampled.
    """

    trained: Trained
    inputs: str
    values: Array = field(repr=False)
    sampled: tuple[bool, ...]

    @property
    def mean(self) -> Array:
        """Means over replicates, (K, S)."""
        return np.asarray(self.values.mean(axis=-1))

    @property
    def standard_error(self) -> Array:
        """Of the means, (K, S); not a number for one replicate."""
        count = self.values.shape[-1]
        if count == 1:
            return np.full(self.values.shape[:2], np.nan)
        return np.asarray(self.values.std(axis=-1, ddof=1) / count**0.5)

    def increments(self, over: int = 0) -> Array:
        """Each value less that of the precision `over` in the same replicate, (K, S, R)."""
        return np.asarray(self.values - self.values[:, over : over + 1])


def network_risks(trained: Trained, inputs: str = "clean", *, tests: int = 4096) -> NetworkRisks:
    """Excess risk of every network that was trained.

    Parameters
    ----------
    trained : Trained
        From `train_networks`.
    inputs : str
        'clean', or 'in use': data rounded in use as they were in training (only they, as in the
        linear laboratory).
    tests : int
        Fresh inputs a replicate, where rounding in use is sampled.

    Returns
    -------
    NetworkRisks
        The risks by step, precision and replicate.

    Raises
    ------
    ValueError
        Bad input.
    """
    of_type("trained", trained, Trained, "train_networks(Network(dim=32), SGD(1000))")
    one_of("inputs", inputs, INPUTS)
    whole("tests", tests)
    formats = formats_of(trained.precisions)["d"]
    rounded = [inputs == "in use" and known is not None for known in formats]
    added = [
        added_variance(known) if used else 0.0 for known, used in zip(formats, rounded, strict=True)
    ]
    by_step = []
    for layers in trained.layers:
        exact = _exact(trained, layers, [each or 0.0 for each in added])
        for k, level in enumerate(added):
            if level is None:
                exact[k] += _sampled_change(trained, layers, k, tests)
        by_step.append(exact.mean(dim=1).cpu().numpy())
    return NetworkRisks(trained, inputs, np.stack(by_step), tuple(e is None for e in added))


def input_floors(trained: Trained, eps: float) -> Array:
    """Risk in use of the best function of inputs with added normal noise, of each teacher.

    1/2 E Var(f*(x) | x_q), which no network can be below: given x_q the input is normal with the
    mean H (H + eps)^-1 x_q, so two copies of it have the covariance C = H (H + eps)^-1 H and
    E (E[f* | x_q])^2 is the product of the teacher with itself at inputs of covariance C.

    Parameters
    ----------
    trained : Trained
        Its teachers count.
    eps : float
        Variance of the noise.

    Returns
    -------
    array (R,)
        The floors.

    Raises
    ------
    ValueError
        Bad input.
    """
    eps = finite("eps", eps, 0.0)
    lam = torch.as_tensor(trained.network.lam, device=trained.kind.device)
    teacher = Layers(trained.teacher.first.double(), trained.teacher.second.double())
    known = _product(trained.network, teacher, teacher, lam * lam / (lam + eps), lam, lam)
    whole_moment = _product(trained.network, teacher, teacher, lam, lam, lam)
    return np.asarray((0.5 * (whole_moment - known)).cpu().numpy())


def added_variance(known: Format | None) -> float | None:
    """The variance of noise that keeps inputs normal; None where the format does not."""
    if known is None or not known.is_noise:
        return None
    levels, distribution = levels_of_noise(known), noise_model(str(known.noise)).distribution
    return levels.add if levels.only_added and distribution == "normal" else None


def _exact(trained: Trained, layers: Layers, added: list[float]) -> Tensor:
    """Risks (S, A, R) at inputs with noise of the variances (S,) added."""
    network, device = trained.network, trained.kind.device
    lam = torch.as_tensor(network.lam, device=device)
    level = torch.tensor(added, dtype=torch.float64, device=device)
    seen = (lam + level[:, None])[:, None, None, None, :]  # (S, 1, 1, 1, d)
    ours = Layers(layers.first.double(), layers.second.double())
    theirs = Layers(trained.teacher.first.double(), trained.teacher.second.double())
    both = _product(network, ours, ours, seen, seen, seen)
    cross = _product(network, ours, theirs, lam, seen, lam)
    return 0.5 * (both - 2 * cross + _product(network, theirs, theirs, lam, lam, lam))


def _product(
    network: Network, one: Layers, other: Layers, between: Tensor, lam: Tensor, mu: Tensor
) -> Tensor:
    """E f g (...,) of two networks whose inputs have the variances lam and mu and the covariance
    `between`.
    """
    moments = (one.first * between) @ other.first.mT
    if network.activation == "relu":
        sizes = (one.first**2 * lam).sum(-1).sqrt()[..., :, None]
        others = (other.first**2 * mu).sum(-1).sqrt()[..., None, :]
        scale = sizes * others
        cosine = (moments / scale.clamp(min=1e-300)).clamp(-1, 1)
        angle = cosine.arccos()
        sine = (1 - cosine**2).sqrt()
        moments = scale / (2 * torch.pi) * (sine + (torch.pi - angle) * cosine)
    whole_sum = (one.second * (moments @ other.second[..., None])[..., 0]).sum(-1)
    made: Tensor = whole_sum / (one.second.shape[-1] * other.second.shape[-1]) ** 0.5
    return made


def _sampled_change(trained: Trained, layers: Layers, k: int, tests: int) -> Tensor:
    """What rounding the inputs of one precision adds to the risk, (A, R), on fresh inputs."""
    network, kind = trained.network, Kind(trained.kind.dtype, trained.kind.device)
    random = kind.generator(8 * trained.seed + 5 + 1_000_003)
    deviations = torch.as_tensor(network.lam, dtype=kind.dtype, device=kind.device).sqrt()
    x = deviations * kind.normal(random, trained.replicates, tests, network.dim)
    known = formats_of(trained.precisions)["d"][k]
    # A seed of its own: noise in use is not the noise of training.
    rounding = Quantiser("d", [known], trained.signs, trained.seed + 1_000_003, trained.scales)
    target = forward(network, trained.teacher, x)
    chosen = Layers(layers.first[k], layers.second[k])
    exact = (forward(network, chosen, x) - target) ** 2
    in_use = (forward(network, chosen, rounding(x[None, None], 1)[0]) - target) ** 2
    return 0.5 * (in_use.double() - exact.double()).mean(dim=-1)
