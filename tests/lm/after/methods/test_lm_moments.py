"""Sums over the inputs of a matrix, beside those of all inputs at once."""

import pytest
import torch

from isoloss.lm import Moments


@pytest.mark.parametrize("inputs", [5, 256, 300, 700])
def test_moments_are_those_of_all_inputs(inputs: int) -> None:
    draw = torch.Generator().manual_seed(inputs)
    x = torch.randn(90, inputs, generator=draw, dtype=torch.float64)
    found = Moments.of(inputs)
    for part in x.split([50, 0, 40]):  # type: ignore[no-untyped-call]
        found.add(part)
    assert torch.allclose(found.hessian, 2 * x.T @ x, rtol=1e-12, atol=1e-12)
    assert torch.allclose(found.hessian, found.hessian.T, rtol=1e-12, atol=1e-12)
    assert torch.allclose(found.magnitude, x.abs().mean(0), rtol=1e-12)
    assert torch.equal(found.largest, x.abs().amax(0))
    assert found.tokens == 90
