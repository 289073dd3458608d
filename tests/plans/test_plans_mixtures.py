"""Mixtures of experts: cost and laws by active params, memory by all of them, bad words."""

import numpy as np
import pytest

from isoloss.laws import preset
from isoloss.plans import Budget, PlanError, as_machine, plan, rank_serving, training_memory
from isoloss.runs import SHAPES, Mixture, compact

DEEPSEEK = SHAPES["deepseek-v3"].shape
ALL = 671_026_419_200
#: 36,624,596,992 in matrices with the head, norms of 61 blocks and one, biases of 58 routers.
ACTIVE = 36_624_596_992 - 129_280 * 7168 + 61 * (2 * 7168 + 1536 + 512) + 7168 + 58 * 256
MONTHS = {"train": "2048 h100 for 60 days", "decoder": "deepseek-v3"}


def test_a_plan_pays_for_active_params_and_keeps_all() -> None:
    machine = as_machine("h100").with_mfu({"all": 0.4})
    found = plan("kumar2024", Budget(**MONTHS), machine, precision="bf16", extrapolate=True)
    c = found.choices[0]
    assert c.params == pytest.approx(ACTIVE)
    assert c.all_params == ALL
    seconds = 2048 * 60 * 86400
    assert 6 * ACTIVE * c.tokens == pytest.approx(seconds * 0.4 * 989.4e12)
    assert c.training_bytes == pytest.approx(16 * ALL / 2048)
    assert c.serving_bytes == pytest.approx(2 * ALL)
    assert c.loss == pytest.approx(float(preset("kumar2024")(ACTIVE, c.tokens, "bf16")))
    assert "35.7B active params of 671B" in str(found)


def test_a_warning_says_what_n_means_and_gives_the_loss_of_all_params() -> None:
    found = plan("kumar2024", Budget(**MONTHS), precision="bf16", extrapolate=True)
    (said,) = (w.text for w in found.warnings if w.kind == "mixture_of_experts")
    assert "laws take the 35.7B params that one token uses for N, of 671B" in said
    dense = float(preset("kumar2024")(ALL, found.choices[0].tokens, "bf16"))
    assert said.endswith(f"a dense model of all of them would have {dense:.4f}")
    plain = plan("kumar2024", "64 h100 for 30 days", precision="bf16")
    assert "mixture_of_experts" not in {w.kind for w in plain.warnings}


def test_all_params_must_fit_the_devices_that_train() -> None:
    with pytest.raises(PlanError, match=r"training 671B params on 64 h100 keeps 167\.8 GB"):
        plan("kumar2024", Budget("64 h100 for 60 days", decoder="deepseek-v3"))
    words = Budget("64 h100 for 60 days", params="671B active 37B")
    with pytest.raises(PlanError, match=r"training 671B params on 64 h100 .*; 135 would hold it"):
        plan("kumar2024", words)


@pytest.mark.parametrize("batch", [1, 16])
def test_serving_keeps_all_experts_and_reads_those_that_a_batch_chooses(batch: int) -> None:
    use = Budget(decoder="deepseek-v3", tokens="14.8T", context=8192, batch=batch)
    found = rank_serving("published", use, "h100", ["w8"])
    c = found.choices[0]
    kept = 61 * 576 * 2 * 8192 * batch
    expert, table = 3 * 7168 * 2048, 129_280 * 7168
    norms = 61 * (2 * 7168 + 1536 + 512) + 7168 + 58 * 256 * (7168 + 1)
    matrices = ALL - 2 * table - norms
    assert c.bytes == pytest.approx(matrices + 2 * (norms + 2 * table) + kept, rel=1e-12)
    idle = 256 * (1 - 8 / 256) ** batch
    assert c.bytes - c.bytes_read == pytest.approx(58 * idle * expert + 2 * table, rel=1e-9)
    assert c.speed == pytest.approx(3.35e12 / c.bytes_read)
    law = preset("kumar2024")
    assert c.by_law["kumar2024"] == pytest.approx(law.gap(ACTIVE, 14.8e12, "fp -> w8"))
    assert c.gap_of_all < c.gap
    assert "if N is all params" in str(found)
    assert "35.7B active of 671B params" in str(found)


def test_experts_that_a_batch_reads_are_those_of_a_simulation() -> None:
    rng = np.random.default_rng(0)
    chosen = [
        len({int(e) for _ in range(16) for e in rng.choice(256, 8, replace=False)})
        for _ in range(400)
    ]
    error = np.std(chosen) / 20
    assert isinstance(DEEPSEEK, Mixture)
    assert DEEPSEEK.experts_read(16) == pytest.approx(np.mean(chosen), abs=4 * error)
    assert DEEPSEEK.experts_read(1) == 8


@pytest.mark.parametrize("words", ["671B active 37B", "671B, 37B active", "671B total, 37b active"])
def test_words_say_active_and_all_params(words: str) -> None:
    budget = Budget(params=words, tokens="1T", context=100, batch=30)
    assert (budget.params, budget.all_params) == (37e9, 671e9)
    assert "37B active of 671B params" in str(budget)
    c = rank_serving("published", budget, "h100", ["w8"]).choices[0]
    layers = (37e9 / (12 * 128**2)) ** (1 / 3)
    kept = 2 * layers * 1024 * 100 * 30 * 2
    assert c.bytes == pytest.approx(671e9 + kept)
    assert c.bytes_read == pytest.approx(671e9 + kept)  # 30 x 37B are more than there are
    one = rank_serving("published", Budget(params=words, tokens="1T"), "h100", ["w8"]).choices[0]
    assert one.bytes_read == pytest.approx(37e9)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"params": "37B active 671B"}, "params has 671B active of 37B; at most all are active"),
        ({"params": "active 3B"}, "cannot read 'active 3B' as params; write it like '671B active"),
        ({"params": "3B active x"}, "cannot read 'x' as params"),
        (
            {"params": "5% active"},
            "mixtures of experts are planned at a held size",
        ),
        ({"params": "active 1/18"}, "mixtures of experts are planned at a held size"),
        ({"params": "37B", "decoder": "deepseek-v3"}, "params is 37B and the decoder has 35.7B"),
    ],
)
def test_words_of_params_that_are_refused(asked: dict, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        Budget("1e21 flop", **asked)


def test_activations_of_a_mixture_of_unknown_shape_are_refused() -> None:
    rule = {"devices": 64, "training_memory": "sequences=1"}
    asked = Budget("1e21 flop", params="671B active 37B", **rule)
    with pytest.raises(PlanError, match=r"activations in training .* need its shape, as --like"):
        plan("kumar2024", asked, "h100")
    rule = {"devices": 4096, "training_memory": "sequences=1,context=4096"}
    asked = Budget("1e21 flop", decoder="deepseek-v3", **rule)
    with pytest.raises(PlanError, match=r"on 4096 h100 keeps .* GB on each of 80 GB"):
        plan("kumar2024", asked, "h100")


@pytest.mark.parametrize("words", ["nothing", "blocks"])
def test_activations_of_deepseek_v3_by_hand(words: str) -> None:
    """61 blocks of width 7168, 3 of them dense; 8 of 256 experts and a shared one of width 2048."""
    heads = 128 * (192 + 192 + 128 + 128) + 2 * (1536 + 512) + 64
    plain = 4 * 7168 + heads
    dense, mixed = 2 * (plain + 4 * 18_432), 2 * (plain + 4 * 2048 * 9 + 8 * 7168) + 4 * 256
    bytes_a_token = 3 * dense + 58 * mixed + 4 * 129_280
    if words == "blocks":
        bytes_a_token = 2 * 61 * 7168 + max(dense, mixed) + 4 * 129_280
    found = training_memory("deepseek-v3", 2048, context=4096, recomputed=words)
    assert found.activations == 4096 * bytes_a_token
    assert found.state == pytest.approx(16 * 671_026_419_200 / 2048)
    # The head, 129,280 x 7168, is larger than a dense block, and experts are not gathered.
    assert found.gathered == 2 * 129_280 * 7168
    assert "experts evenly used and not gathered" in str(found)


def test_activations_of_mixtral_by_hand_limit_a_plan() -> None:
    a_token = 32 * (2 * (4 * 4096 + 80 * 128 + 8 * 14_336 + 2 * 4096) + 4 * 8) + 4 * 32_000
    found = training_memory("mixtral-8x7b", 64, context=4096)
    assert found.activations == 4096 * a_token
    budget = Budget(
        "1e22 flop", decoder="mixtral-8x7b", devices=64,
        training_memory="sequences=1,context=4096",
    )  # fmt: skip
    planned = plan("kumar2024", budget, "h100", precision="bf16")
    assert planned.choices[0].training_bytes == found.total
    assert "activations of 1 x 4096 tokens a device" in str(planned.training_memory)


def test_flops_of_a_mixture_by_hand() -> None:
    """DeepSeek-V3 at 4096 tokens: matrices, head and routers, and heads of 192 and 128 mixed."""
    found = DEEPSEEK.flops(4096)
    mixing = 2 * 61 * 128 * (192 + 128) * 4097 / 2
    used = 36_624_596_992  # routers and the head are among the published matrices
    assert found.forward == pytest.approx(2 * used + mixing, rel=1e-6)
    assert found.rule == 6 * ACTIVE
    assert compact(ACTIVE) == "35.7B"
