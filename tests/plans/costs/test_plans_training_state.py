"""Memory of training by hand: state over devices, activations of a block, bad input."""

import pytest

from isoloss.plans import Budget, PlanError, TrainingRule, plan, training_memory
from isoloss.runs import SHAPES, Decoder

BIG = 70_553_706_496


@pytest.mark.parametrize(("devices", "fits"), [(8, False), (64, True)])
def test_70b_fits_on_64_devices_of_80_gb_and_not_on_8(devices: int, fits: bool) -> None:
    found = training_memory("llama3-70b", devices, context=8192, recomputed="blocks")
    assert found.weights == found.gradients == 2 * BIG / devices
    assert found.optimizer == 12 * BIG / devices
    assert found.state == pytest.approx({8: 141.107e9, 64: 17.6384e9}[devices], rel=1e-5)
    # The head is the largest part: 128256 x 8192 against 80 blocks of 855,638,016.
    assert found.gathered == 2 * 128_256 * 8192
    block = 2 * (4 * 8192 + 2 * 8192 + 2 * 1024 + 4 * 28_672)
    assert found.activations == 8192 * (80 * 2 * 8192 + block + 4 * 128_256)
    assert found.total == found.state + found.gathered + found.activations
    assert (found.total <= 80e9) is fits


@pytest.mark.parametrize(
    ("sharding", "bytes_each"),
    [
        ("none", 16),
        ("optimizer", 4 + 12 / 64),
        ("gradients", 2 + 14 / 64),
        ("weights", 16 / 64),
    ],
)
def test_stages_of_sharding(sharding: str, bytes_each: float) -> None:
    """7.5B on 64 devices: 120, 31.4, 16.6 and 1.9 GB (Rajbhandari et al. 2020, figure 1)."""
    shape = Decoder(36, 4096, 32, 50_257, gated=False, biases=True, positions=1024)
    found = training_memory(shape, 64, sharding=sharding)  # type: ignore[arg-type]
    assert found.state == pytest.approx(bytes_each * shape.params)
    printed = {"none": 120, "optimizer": 31.4, "gradients": 16.6, "weights": 1.9}[sharding]
    assert 7.5 * bytes_each == pytest.approx(printed, rel=0.02)
    assert (found.gathered > 0) is (sharding == "weights")


def test_activations_of_a_block_are_32_widths_without_dropout() -> None:
    """Korthikanti et al. 2022, section 4.1: 34 widths a token, two of them masks of dropout."""
    gpt2 = SHAPES["gpt2"].shape
    found = training_memory("gpt2", sequences=4, context=1024)
    assert found.activations == 4096 * (12 * 32 * 768 + 4 * 50_257)
    less = training_memory(gpt2, sequences=4, context=1024, recomputed="blocks")
    assert less.activations == 4096 * (12 * 2 * 768 + 32 * 768 + 4 * 50_257)
    assert found.gathered == 0


def test_formats_of_the_state_and_the_rule_in_words() -> None:
    found = training_memory("gpt2", weights="fp32", master=None, moments="int8/128")
    assert found.weights == 4 * 124_439_808
    assert found.optimizer == pytest.approx(2 * 124_439_808 * 8.125 / 8)
    text = str(found)
    assert text.startswith(f"{found.total / 1e9:.4g} GB on each of 1 devices: weights 0.4978,")
    assert "Adam with moments in int8/128 and no master copy" in text
    assert "activations in 16 bits" in text


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"devices": 0}, "devices is 0; accepted is a whole number of at least 1"),
        ({"sequences": 1.5}, "sequences is 1.5"),
        ({"context": 0}, "context is 0"),
        ({"sharding": "zero3"}, "sharding is 'zero3'; accepted are none, optimizer, gradients"),
        ({"recomputed": True}, "recomputed is True; accepted are nothing, blocks"),
        ({"moments": "fp"}, "moments is 'fp'; accepted is a format with bits, as fp32"),
        ({"master": "add(0.01)"}, "master is 'add\\(0.01\\)'; accepted is a format with bits"),
        ({"decoder": "gpt3"}, "unknown model 'gpt3'"),
        ({"weights": "z8"}, "z8"),
    ],
)
def test_what_cannot_be_counted_is_refused(asked: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        training_memory(**{"decoder": "gpt2", **asked})
    assert issubclass(PlanError, ValueError)


def state(rule: dict | str = "off", **budget: object):
    budget = {"tokens": "1T", "training_memory": rule, **budget}
    return plan("kumar2024", Budget(**budget), "h100", precision="bf16", extrapolate=True)


@pytest.mark.parametrize(
    ("budget", "needed"),
    [
        # 16 bytes a param: 70e9 x 16 / 8 = 140 GB, and 14 x 80 GB hold 1,120 GB.
        ({"params": "70B", "devices": 8}, ("140 GB on each of 80 GB", "; 14 would hold it")),
        ({"params": "70B", "devices": 14}, None),
        ({"params": "70B"}, None),
        # With its embeddings: 70,553,706,496 x 16 / 14 = 80.6 GB.
        ({"decoder": "llama3-70b", "devices": 14}, ("80.63 GB", "; 15 would hold it")),
        ({"decoder": "llama3-70b", "devices": 15}, None),
    ],
    ids=["8", "14", "unknown", "decoder on 14", "decoder on 15"],
)
def test_without_the_limit_a_plan_warns_where_devices_cannot_hold_the_state(
    budget: dict, needed: tuple[str, str] | None
) -> None:
    found = state("off", **budget)
    said = [w.text for w in found.warnings if w.kind == "out_of_memory"]
    assert len(said) == (needed is not None)
    for part in needed or ():
        assert part in said[0]


@pytest.mark.parametrize("devices", [8, 13])
def test_what_devices_cannot_hold_is_not_planned(devices: int) -> None:
    held = f"training 70B params on {devices} h100 keeps {1120 / devices:.4g} GB on each of 80 GB"
    with pytest.raises(PlanError, match=f"{held} .*; 14 would hold it; training_memory='off'"):
        state(TrainingRule(), params="70B", devices=devices)


def test_the_memory_of_training_limits_params_and_is_said_to_bind() -> None:
    """16 bytes a param over 64 devices of 80 GB: 320B params, where the hours would train 1T."""
    long = {"hours": "100000 days", "devices": 64, "tokens": None}
    free, found = state("off", **long), state(TrainingRule(), **long)
    assert free.choices[0].params > 1e12
    assert found.choices[0].params == pytest.approx(64 * 80e9 / 16)
    assert found.choices[0].training_bytes == pytest.approx(80e9)
    assert found.choices[0].binding == ("hours", "training memory")
    assert "training memory: 80 of 80 GB on each of 64 h100 (at least: 16 bytes" in str(found)
    assert "out_of_memory" in {w.kind for w in found.warnings}


def test_the_limit_follows_the_rule_in_words() -> None:
    """Optimizer alone shared, moments of 8.125 bits, and one sequence of 4096 tokens a device."""
    words = "sharding=optimizer,moments=int8/128,sequences=1,context=4096,recomputed=blocks"
    found = state(words, hours="100000 days", devices=64, tokens=None)
    n = found.choices[0].params
    layers = (n / (12 * 128**2)) ** (1 / 3)
    width = 128 * layers
    block = 2 * (4 * width + 2 * width + 2 * 1024 + 4 * 8 / 3 * width)
    kept = 4096 * (2 * layers * width + block + 4 * 32_000)
    assert n * (4 + (2 * 8.125 / 8 + 4) / 64) + kept == pytest.approx(80e9)
    assert found.choices[0].binding[-1] == "training memory"
    assert "out_of_memory" not in {w.kind for w in found.warnings}


def test_a_rule_counts_a_given_shape_as_training_memory_does() -> None:
    rule = TrainingRule(sequences=2, context=8192, recomputed="blocks")
    own = training_memory("llama3-70b", 64, sequences=2, context=8192, recomputed="blocks")
    found = state(rule, decoder="llama3-70b", devices=64)
    assert found.choices[0].training_bytes == own.total
    with pytest.raises(PlanError, match="no number of devices would hold it"):
        state("sharding=none", decoder="llama3-70b", devices=64)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("moment=int8", "has 'moment=int8', did you mean 'moments'"),
        ("moments=fp32,moments=fp32", "given twice"),
        ("sequences=two", "sequences is 'two'; accepted is a whole number"),
        ("sharding=zero", "sharding is 'zero'; accepted are none"),
        ("master=none", "training_memory needs the number of devices"),
        (7, "training_memory is 7; give words"),
    ],
)
def test_words_of_a_rule_that_are_refused(words: object, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        Budget("1e21 flop", training_memory=words)  # type: ignore[arg-type]


def test_a_cost_model_holds_any_state() -> None:
    budget = Budget(params="70B", tokens="1T", devices=1)
    found = plan("kumar2024", budget, "linear-bits", precision="bf16")
    assert "out_of_memory" not in {w.kind for w in found.warnings}
