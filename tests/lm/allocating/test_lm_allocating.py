"""Bits a layer: units, what each costs alone, the predicted sum, the choice within a budget against
all choices there are, and recipes of other tools.
"""

from __future__ import annotations

import copy
import itertools
import json
import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from isoloss.formats import Format
from isoloss.lm import (
    BitAllocation,
    Calibration,
    Degradation,
    Language,
    Model,
    ModelError,
    Recipe,
    Sensitivity,
    allocate_bits,
    degradation,
    quantised,
    sensitivity,
    train_one,
)
from isoloss.lm.allocating import gguf_arguments, llmcompressor_recipe
from isoloss.lm.allocating.assembling import stand_alone
from isoloss.lm.allocating.units import units_of
from isoloss.runs import Decoder

LANGUAGE = Language(vocab=64, context=16)
SHAPE = Decoder(2, 32, 4, 64, ffn=48)
FORMATS = ["int2", "int3", "int4/16@gptq"]


@pytest.fixture(scope="module")
def model() -> Model:
    recipe = Recipe(sequences=8, validation=64, compiled=False)
    return train_one(SHAPE, 100 * 8 * 16, corpus=LANGUAGE, recipe=recipe).model


@pytest.fixture(scope="module")
def tokens() -> np.ndarray:
    return LANGUAGE.validation(64)


@pytest.fixture(scope="module")
def measured(model: Model, tokens: np.ndarray) -> Sensitivity:
    return sensitivity(model, FORMATS, tokens, Calibration(8).tokens(LANGUAGE), by="matrix")


def made(kl: dict[str, list[float]], gap: list[float], formats: list[str]) -> Sensitivity:
    """Sensitivities with these divergences alone, and gaps of all."""
    alone = {
        (unit, known): Degradation(3.0, 0.1, value, 0.1 * value, value, 0.1 * value)
        for unit, values in kl.items()
        for known, value in zip(formats, values, strict=True)
    }
    whole = {
        k: Degradation(3.0, 0.1, g, 0.05 * g, g, 0.1) for k, g in zip(formats, gap, strict=True)
    }
    return Sensitivity(
        {unit: 100 * (n + 1) for n, unit in enumerate(kl)}, tuple(formats), alone, whole
    )


def test_a_unit_alone_is_the_model_rounded_there_alone(
    model: Model, tokens: np.ndarray, measured: Sensitivity
) -> None:
    assert list(measured.units)[:4] == [f"layers.0.{name}" for name in ("qkv", "out", "fc1", "fc2")]
    assert sum(measured.units.values()) == SHAPE.matrix_params
    calibration = Calibration(8).tokens(LANGUAGE)
    for unit, known in (("layers.1.fc2", "int2"), ("layers.0.qkv", "int4/16@gptq")):
        found = degradation(model, quantised(model, f"w.{unit}:{known}", calibration), tokens)
        assert measured.alone[unit, known] == found
    assert measured.whole["int3"] == degradation(model, quantised(model, "w3"), tokens)


def test_a_format_alone_is_predicted_as_it_was_measured(measured: Sensitivity) -> None:
    for known in measured.formats:
        gap, error = measured.predicted(dict.fromkeys(measured.units, known))
        assert gap == pytest.approx(measured.whole[known].gap)
        assert error >= measured.whole[known].gap_se * (1 - 1e-9)
    with pytest.raises(
        ModelError, match=r"'layers\.0\.qkv' has the format None; accepted is one of"
    ):
        measured.predicted({})


def test_the_predicted_gap_is_the_scaled_sum() -> None:
    found = made({"layers.0": [0.1, 0.02], "layers.1": [0.3, 0.03]}, [0.6, 0.04], ["int2", "int3"])
    gap, error = found.predicted({"layers.0": "int2", "layers.1": "int3"})
    assert gap == pytest.approx(0.1 * 0.6 / 0.4 + 0.03 * 0.04 / 0.05)
    common = 0.25 * 0.03 + 0.6 * 0.002  # shares of the divergence times errors of whole gaps
    own = (0.01 * 1.5) ** 2 + (0.003 * 0.8) ** 2
    assert error == pytest.approx((common**2 + own) ** 0.5)


def test_a_format_that_changes_nothing_costs_nothing() -> None:
    found = made({"layers.0": [0.1, 0.0], "layers.1": [0.3, 0.0]}, [0.6, 0.0], ["int2", "int3"])
    assert found.predicted(dict.fromkeys(found.units, "int3")) == (0.0, 0.0)
    assert found.predicted({"layers.0": "int2", "layers.1": "int3"})[0] == pytest.approx(0.15)


@pytest.mark.parametrize("bits", [2.0, 2.3, 2.5, 2.9, 3.4, 4.0])
@pytest.mark.parametrize("size", [1.0, 1e-6, 1e-9])
def test_no_other_choice_within_the_budget_costs_less(bits: float, size: float) -> None:
    draw = np.random.default_rng(3)
    kl = {f"layers.{k}": list(size * np.sort(draw.uniform(0.01, 1.0, 3))[::-1]) for k in range(6)}
    found = made(kl, [2.0 * size, 0.9 * size, 0.3 * size], ["int2", "int3", "int4"])
    chosen = allocate_bits(found, bits)
    sizes, widths = list(found.units.values()), {"int2": 2, "int3": 3, "int4": 4}
    best = min(
        found.predicted(dict(zip(found.units, each, strict=True)))[0]
        for each in itertools.product(widths, repeat=6)
        if sum(n * widths[f] for n, f in zip(sizes, each, strict=True)) <= bits * sum(sizes)
    )
    assert chosen.gap == pytest.approx(best, rel=1e-9)
    assert chosen.bits <= bits * (1 + 1e-9)
    assert chosen.bytes == pytest.approx(chosen.bits * sum(sizes) / 8)
    assert allocate_bits(found, bytes=bits * sum(sizes) / 8).formats == chosen.formats


def test_an_allocation_is_a_precision_that_does_what_it_says(
    model: Model, tokens: np.ndarray, measured: Sensitivity
) -> None:
    chosen = allocate_bits(measured, 3.0)
    after = quantised(model, chosen.precision, Calibration(8).tokens(LANGUAGE))
    for k, block in enumerate(after.blocks):
        for name in ("qkv", "out", "fc1", "fc2"):
            known = Format.parse(chosen.formats[f"layers.{k}.{name}"])
            values = getattr(block, name).weight.unflatten(1, (-1, 16)).flatten(0, 1)
            counts = {len(torch.unique(row)) for row in values}
            assert max(counts) <= 2**known.bits
    found = degradation(model, after, tokens)
    assert abs(found.gap - chosen.gap) < 4 * (found.gap_se**2 + chosen.gap_se**2) ** 0.5


def test_a_gap_below_zero_by_chance_makes_no_choice() -> None:
    found = made({"layers.0": [0.1, 0.01], "layers.1": [0.3, 0.02]}, [0.4, 0.03], ["int2", "int3"])
    fine = replace(found.whole["int3"], gap=-0.001)
    chosen = allocate_bits(replace(found, whole={**found.whole, "int3": fine}), 3.0)
    assert set(chosen.formats.values()) == {"int3"}
    assert chosen.gap == pytest.approx(-0.001)


def test_a_model_without_a_finite_loss_is_said() -> None:
    found = made(
        {"layers.0": [0.1, 0.01], "layers.1": [math.nan, 0.02]}, [0.4, 0.03], ["int2", "int3"]
    )
    with pytest.raises(ModelError, match=r"rounded to int2, .* the model has no finite loss"):
        allocate_bits(found, 3.0)


def test_storage_of_groups_counts() -> None:
    found = made({"layers.0": [0.1, 0.09]}, [0.1, 0.09], ["int4", "int4/32"])
    assert allocate_bits(found, 4.2).formats == {"layers.0": "int4"}
    assert allocate_bits(found, 4.5).formats == {"layers.0": "int4/32"}
    assert allocate_bits(found, 4.5).bits == 4.5


def test_what_cannot_be_is_refused(model: Model, tokens: np.ndarray) -> None:
    found = made({"layers.0": [0.1, 0.02]}, [0.1, 0.02], ["int2", "int3"])
    with pytest.raises(ModelError, match=r"1\.5 bits a weight are too few .* at least 2$"):
        allocate_bits(found, 1.5)
    for given in ({}, {"bits": 3.0, "bytes": 10.0}):
        with pytest.raises(ModelError, match="give either bits a weight or bytes of all units"):
            allocate_bits(found, **given)
    with pytest.raises(ModelError, match="bits a weight are too few"):
        allocate_bits(found, float("nan"))
    with pytest.raises(ModelError, match=r"@gptq looks at inputs; pass calibration tokens"):
        sensitivity(model, FORMATS, tokens)
    with pytest.raises(ModelError, match="by is 'row'; accepted are 'block' and 'matrix'"):
        sensitivity(model, ["int2", "int3"], tokens, by="row")
    for formats in ("int3", ["int3"], ["int3", "int3"]):
        with pytest.raises(ModelError, match=r"formats is .*; accepted are two or more"):
            sensitivity(model, formats, tokens)
    with pytest.raises(ModelError, match="unknown format 'int'"):
        sensitivity(model, ["int", "int3"], tokens)


class Listed(nn.Module):
    """Blocks in lists of these names."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.names, self.embed, self.lm_head = names, nn.Embedding(20, 8), nn.Linear(8, 20)
        for name in names:
            setattr(self, name, nn.ModuleList(nn.Linear(8, 8) for _ in range(2)))

    def get_output_embeddings(self) -> nn.Module:
        return self.lm_head

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens)
        for name in self.names:
            for layer in getattr(self, name):
                x = x + layer(x)
        logits: Tensor = self.lm_head(x)
        return logits


def test_units_are_those_of_one_list_of_blocks() -> None:
    assert units_of(Listed("h"), "block") == ("h", {"layers.0": 64, "layers.1": 64})
    with pytest.raises(ModelError, match=r"has 2 lists of blocks \(h, tower\); accepted is one"):
        units_of(Listed("h", "tower"), "block")
    with pytest.raises(ModelError, match="has no matrix to quantise besides its head"):
        units_of(Listed(), "block")


def allocation(**formats: str) -> BitAllocation:
    named = {unit.replace("_", "."): known for unit, known in formats.items()}
    return BitAllocation(named, 4.0, 1.0, 0.1, 0.01)


def test_a_recipe_of_llm_compressor_targets_each_module_once() -> None:
    found: Any = json.loads(
        llmcompressor_recipe(
            allocation(
                layers_0="uint3/64@gptq", layers_1="uint4/64@gptq", layers_10="uint3/64@gptq"
            )
        )
    )
    groups = found["quant_stage"]["quant_modifiers"]["GPTQModifier"]["config_groups"]
    three, four = groups["group_0"], groups["group_1"]
    assert three["weights"] == {
        "num_bits": 3, "type": "int", "symmetric": False, "strategy": "group", "group_size": 64,
    }  # fmt: skip

    def hit(group: Any, path: str) -> bool:
        return any(re.match(target.removeprefix("re:"), path) for target in group["targets"])

    for block, group, other in ((0, three, four), (1, four, three), (10, three, four)):
        path = f"model.layers.{block}.mlp.up_proj"
        assert hit(group, path)
        assert not hit(other, path)
    matrices = BitAllocation(
        {"layers.0.q_proj": "int4", "layers.0.o_proj": "int3"}, 4, 1, 0.1, 0.01
    )
    groups = json.loads(llmcompressor_recipe(matrices))["quant_stage"]["quant_modifiers"]
    four = groups["QuantizationModifier"]["config_groups"]["group_0"]
    assert hit(four, "model.layers.0.self_attn.q_proj")
    assert not hit(four, "model.layers.0.self_attn.o_proj")
    assert four["weights"]["strategy"] == "channel"
    for known in ("e2m1", "int4+clip", "int4/8x8", "int4@hqq"):
        with pytest.raises(ModelError, match="llm-compressor has no"):
            llmcompressor_recipe(allocation(layers_0=known))
    with pytest.raises(ModelError, match="several methods"):
        llmcompressor_recipe(allocation(layers_0="int4", layers_1="int4@gptq"))


def test_a_recipe_names_blocks_as_the_model_does() -> None:
    model, tokens = Listed("h"), np.arange(18).reshape(2, 9)
    chosen = allocate_bits(sensitivity(model, ["int3", "int4"], tokens), 3.5)
    found: Any = json.loads(llmcompressor_recipe(chosen))["quant_stage"]["quant_modifiers"]
    groups = found["QuantizationModifier"]["config_groups"].values()
    assert sorted(t for group in groups for t in group["targets"]) == [
        r"re:(.*\.)?h\.0\..*",
        r"re:(.*\.)?h\.1\..*",
    ]


def test_arguments_of_llama_cpp_name_its_tensors() -> None:
    assert gguf_arguments(allocation(layers_0="q4_0", layers_1="q8_0")) == [
        "--tensor-type",
        r"blk\.0\.(attn|ffn).*=q4_0",
        "--tensor-type",
        r"blk\.1\.(attn|ffn).*=q8_0",
    ]
    one = BitAllocation({"layers.3.down_proj": "q5_1"}, 4, 1, 0.1, 0.01)
    assert gguf_arguments(one) == ["--tensor-type", r"blk\.3\.ffn_down=q5_1"]
    with pytest.raises(ModelError, match=r"llama\.cpp has no 'int4'; accepted are q4_0"):
        gguf_arguments(allocation(layers_0="int4"))
    with pytest.raises(ModelError, match=r"llama.cpp has no name for 'layers\.0\.qkv'"):
        gguf_arguments(BitAllocation({"layers.0.qkv": "q4_0"}, 4, 1, 0.1, 0.01))


def test_blocks_that_are_lent_are_those_rounded_alone(model: Model, tokens: np.ndarray) -> None:
    """By block, from models rounded as a whole; the same to the last bit, and nothing stays."""
    seen = Calibration(8).tokens(LANGUAGE)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    formats = ["int3+clip", "int4/16@gptq", "int3@awq", "int3@smoothquant", "uint3/16@hqq"]
    found = sensitivity(model, formats, tokens, seen)
    for (unit, known), lost in found.alone.items():
        other = quantised(model, f"w.{unit}:{known}", seen)
        assert lost == degradation(model, other, tokens)
    for known, lost in found.whole.items():
        other = quantised(model, " ".join(f"w.{u}:{known}" for u in found.units), seen)
        assert lost == degradation(model, other, tokens)
    for name, p in model.named_parameters():
        assert torch.equal(p, before[name])


def test_blocks_that_depend_on_others_are_rounded_again(model: Model, tokens: np.ndarray) -> None:
    blocks, _ = units_of(model, "block")
    assert stand_alone(model, blocks, ("int3", "int4/16@gptq"))
    assert not stand_alone(model, blocks, ("int3", "int4/16@gptq_sequential"))
    tied = copy.deepcopy(model)
    tied.blocks[1].fc1.weight = tied.blocks[0].fc1.weight
    assert not stand_alone(tied, blocks, ("int3", "int4"))
    seen = Calibration(8).tokens(LANGUAGE)
    formats = ["int3@gptq_sequential", "int4"]
    found = sensitivity(model, formats, tokens, seen)
    other = quantised(model, "w.layers.1:int3@gptq_sequential", seen)
    assert found.alone["layers.1", "int3@gptq_sequential"] == degradation(model, other, tokens)
