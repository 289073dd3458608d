"""The three ideal noises of the theory in a language model's matrices: right size, right sharing,
each part.
"""

import pytest
import torch

from isoloss.formats import Precision
from isoloss.lm.model import Linear
from isoloss.lm.rounding import check_precision

SIZE, LEVEL = 300, 0.04


def _of_part(part: str, spelled: str) -> tuple[torch.Tensor, torch.Tensor]:
    """A part's tensor and what a matrix makes of it, read through a product with the identity."""
    layer = Linear(Precision.parse(f"{part}:{spelled}"), "fc1", SIZE, SIZE, compiled=False)
    layer.random = torch.Generator().manual_seed(0)
    x = 2 * torch.randn((SIZE, SIZE), generator=torch.Generator().manual_seed(1))
    one = torch.eye(SIZE)
    with torch.no_grad():
        layer.weight.copy_(x if part == "w" else one)
    given = (x if part == "a" else one).clone().requires_grad_()
    out = layer(given)
    if part != "g":
        return (x.T if part == "w" else x), out.detach()
    out.backward(x)
    assert given.grad is not None
    return x, given.grad


@pytest.mark.parametrize("part", ["w", "a", "g"])
@pytest.mark.parametrize("noise", ["add", "vec", "coord"])
def test_ideal_noise_has_its_variance_in_every_part(part: str, noise: str) -> None:
    exact, rounded = _of_part(part, f"{noise}({LEVEL})")
    apart = rounded - exact if noise == "add" else rounded / exact - 1
    # A vector is a row: an output of weights, a token of the others.
    rows = apart.T if part == "w" else apart
    variance = float(rows.var())
    assert variance == pytest.approx(LEVEL, rel=0.25 if noise == "vec" else 0.03)
    shared = float(rows.mean(dim=1).var()) / variance
    assert (shared > 0.95) == (noise == "vec")
    assert (shared < 0.05) == (noise != "vec")


def test_the_trainer_accepts_ideal_noise() -> None:
    check_precision(Precision.parse("w:add(1e-2) a:vec(0.1) kv:coord(0.1) g:coord(0.1)"))
