"""The quantiser of many precisions: noise of the right variance and sharing, real formats, and
refusals.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from isoloss.formats import NOISES, Format, NoiseModel, fake_quantise
from isoloss.linear import SGD, Scales
from isoloss.linear.networks import (
    Network,
    gauss_newton,
    network_risks,
    simulate_networks,
    train_networks,
)
from isoloss.linear.networks.quantiser import Quantiser

SIGNS = torch.tensor([1.0, -1.0], dtype=torch.float64)
NETWORK = Network(4, 2)


def _rounded(text: str, shared: int, x: torch.Tensor, scales: Scales | None = None) -> torch.Tensor:
    formats = [None, Format.parse(text)]
    return Quantiser("a", formats, SIGNS, 0, scales or Scales())(x, shared)


@pytest.fixture
def both() -> Iterator[None]:
    """Noise that is both added and relative, for one test."""
    NOISES.register("both", NoiseModel("both", added=1.0, relative=2.0))
    yield
    NOISES.remove("both")


@pytest.mark.parametrize(
    ("text", "shared", "variance", "together"),
    [
        ("add(0.04)", 2, 0.04, 0.0),
        ("coord(0.04)", 2, 0.36, 0.0),
        ("vec(0.04)", 2, 0.36, 0.36),
        ("vec(0.04)", 1, 0.36, 0.0),
        ("both(0.04)", 1, 0.08 * 9 + 0.04, 0.0),
        ("add_two_point(0.04)", 2, 0.04, 0.0),
        ("vec_uniform(0.04)", 2, 0.36, 0.36),
    ],
)
def test_noise_has_its_variance_and_its_sharing(
    text: str, shared: int, variance: float, together: float, both: None
) -> None:
    """At x = 3: of each element, and between elements of two rows of one batch."""
    x = torch.full((1, 1, 20_000, 2, 3), 3.0, dtype=torch.float64)
    apart = (_rounded(text, shared, x) - x).numpy()
    assert not apart[0].any()
    np.testing.assert_allclose(apart[1, 0], -apart[1, 1], rtol=1e-9, atol=1e-12)
    rows = apart[1, 0]
    assert np.abs(rows.mean(axis=0)).max() < 4 * (variance / 20_000) ** 0.5
    np.testing.assert_allclose((rows**2).mean(axis=0), variance, rtol=0.06)
    crossed = (rows[:, 0, 0] * rows[:, 1, 1]).mean()
    assert crossed == pytest.approx(together, abs=0.06 * variance)


@pytest.mark.parametrize("text", ["int4", "e4m3", "mxfp8", "e2m1"])
def test_real_formats_are_rounded_replicate_by_replicate(text: str) -> None:
    x = torch.randn((2, 2, 3, 2, 32), generator=torch.Generator().manual_seed(0))
    x = x.double() * torch.tensor([1.0, 10.0, 100.0]).reshape(3, 1, 1)
    found = _rounded(text, 2, x)
    assert torch.equal(found[0], x[0])
    for sign in range(2):
        for replicate in range(3):
            alone = fake_quantise(x[1, sign, replicate].numpy(), text)
            np.testing.assert_array_equal(found[1, sign, replicate].numpy(), alone)


def test_fixed_scales_and_stochastic_rounding_of_both_signs() -> None:
    x = torch.full((1, 1, 5000, 2), 0.3, dtype=torch.float64)
    found = _rounded("int8~sr", 1, x, Scales(a=0.5))[1]
    assert set(found.unique().tolist()) == {0.0, 0.5}
    assert float(found.mean()) == pytest.approx(0.3, abs=0.01)
    # 1 - u goes down where u went up: up with probability .6, both up with .2.
    assert float((found[0] * found[1]).mean() / 0.25) == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Network(0), "dim is 0; accepted is a whole number of at least 1"),
        (lambda: Network(4, init=0), "init is 0.0, where ReLU has no gradient"),
        (lambda: Network(4, activation="tanh"), "unknown activation 'tanh'"),
        (lambda: Network(4, between=1), "between is 1; accepted are True and False"),
        (lambda: train_networks(NETWORK, SGD(3, momentum=0.5)), "momentum is 0.5 by the"),
        (lambda: train_networks(NETWORK, SGD(3), ["kv:int8"]), "a network has no part 'kv'"),
        (lambda: train_networks(NETWORK, SGD(3), ["w8 -> w4"]), "changes in or after training"),
        (lambda: train_networks(NETWORK, SGD(3), ["w4@lsq"]), "names a method"),
        (lambda: train_networks(NETWORK, SGD(3), at=[4]), "a step to keep is 4; accepted is at"),
        (lambda: train_networks(NETWORK, SGD(3), dtype="bf16"), "unknown dtype 'bf16'"),
        (lambda: train_networks(NETWORK, SGD(3), device="moon"), "device is 'moon', which this"),
        (lambda: train_networks(NETWORK, SGD(300, step_size=80.0)), "the networks diverge at the"),
        (lambda: train_networks("net", SGD(3)), "network is 'net'; accepted is a value such as"),
        (lambda: network_risks("trained"), "trained is 'trained'; accepted is a value such as"),
        (lambda: network_risks(_trained(), "dirty"), "unknown inputs 'dirty'"),
        (lambda: gauss_newton(NETWORK, _trained().weights(0, 0), inputs=0), "inputs is 0; acc"),
        (lambda: simulate_networks(NETWORK, {"depth": [3]}), "cannot vary 'depth' in networks"),
        (lambda: simulate_networks(NETWORK, {"steps": 1, "samples": 2}), "samples or steps, not"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_bad_input_is_refused_in_a_sentence(call: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        call()


def _trained() -> Any:
    return train_networks(NETWORK, SGD(1, 1, 0.1), replicates=1)
