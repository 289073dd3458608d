"""AWQ beside a search on the inputs themselves, HQQ beside its formula number by number."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from isoloss.formats import Format, fake_quantise
from isoloss.lm import Calibrated, Calibration, Language, ModelError, Moments, model_of, quantised
from isoloss.lm.after.methods.awq import awq
from isoloss.lm.after.methods.hqq import hqq
from isoloss.lm.model import Model

LANGUAGE = Language()


def problem(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Weights, (outputs, inputs), and inputs of very different sizes, (tokens, inputs)."""
    random = torch.Generator().manual_seed(seed)
    sizes = torch.logspace(-1, 1.5, 16)[torch.randperm(16, generator=random)]
    return torch.randn(6, 16, generator=random), torch.randn(200, 16, generator=random) * sizes


def moments(x: Tensor) -> Moments:
    found = Moments.of(x.shape[1])
    for part in x.split(37):
        found.add(part)
    return found


def test_moments_are_those_of_all_inputs_at_once() -> None:
    _, x = problem()
    found = moments(x)
    torch.testing.assert_close(found.hessian, (2 * x.T @ x).double(), rtol=1e-5, atol=1e-3)
    torch.testing.assert_close(found.magnitude, x.abs().mean(0).double(), rtol=1e-5, atol=1e-7)
    assert found.largest.equal(x.abs().amax(0).double())
    assert found.tokens == len(x)


@pytest.mark.parametrize("spelled", ["int3/row", "int4/8", "uint3/8"])
def test_awq_takes_the_exponent_that_changes_outputs_least(spelled: str) -> None:
    w, x = problem()
    size, errors, tried = x.abs().mean(0), [], []
    for k in range(20):
        scale = size ** (k / 20)
        scale = scale / (scale.max() * scale.min()).sqrt()
        tried.append(fake_quantise(w * scale, spelled) / scale)
        errors.append(float((x @ (w - tried[-1]).T).square().sum()))
    found = awq(w, Format.parse(spelled), moments(x))
    torch.testing.assert_close(found, tried[int(np.argmin(errors))])
    assert min(errors) < 0.8 * errors[0]


def test_awq_of_inputs_that_never_came_is_rounding_to_nearest() -> None:
    w, _ = problem()
    found = awq(w, Format.parse("int4/row"), Moments.of(16))
    assert found.equal(fake_quantise(w, "int4/row"))


def slowly(w: np.ndarray, top: int) -> np.ndarray:
    """HQQ of one group in float64, by the formulas of its description."""
    step = (w.max() - w.min()) / top
    zero, split, least, best = -w.min() / step, 10.0, np.inf, w
    for _ in range(20):
        codes = np.clip(np.round(w / step + zero), 0, top)
        near = step * (codes - zero)
        rest = w - near
        if np.abs(rest).mean() >= least * (1 - 1e-6):
            return best
        least, best = np.abs(rest).mean(), near
        size = np.maximum(np.abs(rest), 1e-12)
        errors = np.sign(rest) * np.maximum(0, np.abs(rest) - size ** (0.7 - 1) / split)
        zero = np.mean(codes - (w - errors) / step)
        split *= 1.01
    return best


def test_hqq_is_its_formula_group_by_group() -> None:
    w = torch.randn(5, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    found = hqq(w, Format.parse("uint3/8")).numpy()
    for row, mine in zip(found, w.numpy(), strict=True):
        for start in (0, 8, 16):
            part = slice(start, start + 8)
            np.testing.assert_allclose(row[part], slowly(mine[part], 7), rtol=1e-10)


def test_hqq_hits_heavy_tails_better_than_the_zero_point_of_the_range() -> None:
    drawn = np.random.default_rng(0).standard_t(3, (64, 64))
    w = torch.from_numpy(drawn)
    near, found = (
        (w - each).abs().mean()
        for each in (fake_quantise(w, "uint3/64"), hqq(w, Format.parse("uint3/64")))
    )
    assert found < near


def test_queries_keys_and_values_share_one_scale_of_awq() -> None:
    from tests.lm.after.test_lm_linear_layers import Causal, tokens

    model, calibration = Causal(), tokens(40)
    after = quantised(model, "w3/8@awq", calibration)
    block, x = model.layers[0], model.embed(calibration).reshape(-1, 16).detach()
    names = ("q_proj", "k_proj", "v_proj")
    whole = torch.cat([getattr(block, name).weight.detach() for name in names])
    expected = awq(whole, Format.parse("int3/8"), moments(x))
    found = torch.cat([getattr(after.layers[0], name).weight for name in names])
    torch.testing.assert_close(found, expected)


def test_one_calibration_answers_every_format() -> None:
    model = Model(model_of(8_000))
    seen = Calibrated(Calibration(16).tokens(LANGUAGE))
    for post in ("w3/8@awq", "w3@gptq", "w4/16@gptq", "w3/8@gptq a8"):
        once = quantised(model, post, seen)
        anew = quantised(model, post, seen.tokens)
        for one, other in zip(once.parameters(), anew.parameters(), strict=True):
            assert one.equal(other)


@pytest.mark.parametrize(
    ("post", "said"),
    [
        ("w4@hqq", "@hqq moves zero points, which only 'uintN' has"),
        ("w4/tensor@awq", "@awq scales matrices that share an input together"),
        ("w4~sr@awq", "@awq takes formats that round to nearest on a grid"),
    ],
)
def test_formats_that_a_method_cannot_round_are_refused(post: str, said: str) -> None:
    with pytest.raises(ModelError) as caught:
        quantised(Model(model_of(8_000)), post)
    assert said in str(caught.value)
