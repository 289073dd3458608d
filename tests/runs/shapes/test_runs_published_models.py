"""Published models: counts beside their shapes, the nearest to a point, records of one's own."""

import math

import pytest

from isoloss.runs import MODELS, SHAPES, Mixture, PublishedModel, RunsError, nearest_models


@pytest.mark.parametrize("name", [name for name in MODELS if name in SHAPES])
def test_a_model_with_a_shape_has_its_counts(name: str) -> None:
    model, shape = MODELS[name], SHAPES[name].shape
    assert model.params == pytest.approx(shape.params, rel=0.01)
    active = shape.active_params if isinstance(shape, Mixture) else shape.params
    assert model.active == pytest.approx(active, rel=0.02)
    assert model.is_mixture is isinstance(shape, Mixture)


def test_device_hours_give_the_flops_a_device_that_are_known_of_two_runs() -> None:
    """6 N D over device hours: 342 Tflop/s of Llama 3 405B, 343 of DeepSeek-V3."""
    for name, reached in (("llama3-405b", 342e12), ("deepseek-v3", 343e12)):
        m = MODELS[name]
        assert 6 * m.active * m.tokens / m.hours / 3600 == pytest.approx(reached, rel=0.005)


@pytest.mark.parametrize("name", MODELS)
def test_every_count_has_a_source_and_hours_have_a_device(name: str) -> None:
    m = MODELS[name]
    assert m.source[:4].isdigit()
    assert math.isfinite(m.hours) is bool(m.device)
    # No run here reaches a quarter of a token or a million tokens a param.
    assert 0.25 < m.tokens / m.active < 1e6


def test_the_nearest_models_are_those_of_least_distance_in_logarithms() -> None:
    near = nearest_models(8e9, 15e12, 3)
    assert near[0].name == "llama3-8b"
    far = {m.name: abs(math.log(m.active / 8e9) + 1j * math.log(m.tokens / 15e12)) for m in near}
    others = [m for m in MODELS.values() if m.name not in far]
    beyond = [abs(math.log(m.active / 8e9) + 1j * math.log(m.tokens / 15e12)) for m in others]
    assert sorted(far.values()) == list(far.values())
    assert max(far.values()) <= min(beyond)
    # A mixture stands at its active params.
    assert nearest_models(37e9, 14.8e12, 1)[0].name == "deepseek-v3"


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((0, 1e9), "params is 0; accepted is a count above 0"),
        ((1e9, float("nan")), "tokens is nan"),
        ((1e9, 1e9, "here", 2e9), r"active is 2e\+09, above params 1e\+09"),
    ],
)
def test_counts_that_no_model_has_are_refused(counts: tuple, said: str) -> None:
    with pytest.raises(RunsError, match=said):
        PublishedModel("mine", *(*counts, "here")[:3], *counts[3:])
