"""Serving formats ranked: gaps against the laws, bytes and speeds by hand, bad input."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from isoloss.fits import draw_runs, fit
from isoloss.laws import preset
from isoloss.plans import Budget, PlanError, as_machine, plan, rank_serving
from isoloss.runs import Decoder, Runs, read

MODEL = Budget(params="1B", tokens="20B")
BIG = Budget(params="3B", tokens="800B")


def by_precision(found):
    return {c.precision: c for c in found.choices}


def test_gaps_bytes_and_speeds_are_what_the_laws_and_the_datasheet_say() -> None:
    found = by_precision(rank_serving("published", MODEL, "h100", ["w8", "w4/128", "w2"]))
    two, both = ("kumar2024", "ouyang2024"), {"kumar2024": 0.5, "ouyang2024": 0.5}
    weights = {8: both, 2: dict(zip((*two, "ouyang2024_per_bit"), (0.5, 0.25, 0.25), strict=True))}
    for bits, stored in ((8, 8), (2, 2)):
        choice = found[f"fp -> w{bits}"]
        own = {name: preset(name).gap(1e9, 2e10, f"fp -> w{bits}") for name in weights[bits]}
        assert choice.by_law == pytest.approx(own)
        assert choice.gap == pytest.approx(sum(w * own[name] for name, w in weights[bits].items()))
        assert np.isnan(choice.gap_interval).all()  # laws without replicates have none
        assert choice.bytes == pytest.approx(1e9 * stored / 8, rel=1e-3)
    assert found["fp -> w4/128"].bytes == 1e9 * 4.125 / 8
    assert found["fp -> w4/128"].speed == pytest.approx(3.35e12 / (1e9 * 4.125 / 8))


OTHERS = ("bf16", "fp", "w2@rtn", "w6 kv5", "w3", "w:e2m1", "w8 -> w4", "w7 q2")


@pytest.mark.parametrize("asked", [[o, "w4/128"] for o in OTHERS] + [["w4/128", *OTHERS]])
def test_a_gap_does_not_depend_on_what_else_is_asked(asked: list[str]) -> None:
    laws = ["ouyang2024_per_bit", "kumar2024", "hoffmann2022"]
    alone = rank_serving(laws, BIG, "h100", ["w4/128"]).choices[0]
    found = by_precision(rank_serving(laws, BIG, "h100", asked))["fp -> w4/128"]
    assert abs(found.gap - alone.gap) <= 1e-12
    assert (found.by_law, found.critical) == (alone.by_law, alone.critical)


def test_laws_of_one_base_count_once_and_a_mapping_counts_by_its_weights() -> None:
    names = ("kumar2024", "ouyang2024", "ouyang2024_per_bit")
    kumar, one, two = (preset(name).gap(3e9, 8e11, "fp -> w4/128") for name in names)

    def gap(laws) -> float:
        return rank_serving(laws, BIG, "h100", ["w4/128"]).choices[0].gap

    assert gap("published") == pytest.approx(kumar / 2 + (one + two) / 4, rel=1e-12)
    assert gap(list(names)) == gap(list(names[::-1])) == gap("published")
    assert gap(dict.fromkeys(names, 1)) == pytest.approx((kumar + one + two) / 3, rel=1e-12)
    # A law that is left out leaves its base to the other of it.
    assert gap([*names, "chen2025"]) == gap("published")


def test_what_no_law_sees_is_unknown_or_a_bound_stands_last_and_beats_nothing() -> None:
    found = rank_serving("kumar2024", MODEL, "h100", ["w4@rtn", "w:e2m1", "w5 q3", "w4", "kv5"])
    assert [c.precision for c in found.choices[:2]] == ["fp -> w4", "fp -> w5 q3"]
    by = by_precision(found)
    bound = by["fp -> w5 q3"]
    assert bound.at_least == pytest.approx(preset("kumar2024").gap(1e9, 2e10, "fp -> w5"))
    for c in found.choices[1:]:
        assert np.isnan([c.gap, *c.gap_interval, *c.critical]).all()
        assert c.by_law == {}
        assert c.beaten_by == ()
        row = next(line for line in str(found).splitlines() if line.startswith(f"  {c.precision} "))
        assert f"at least {c.at_least:.4f}" in row or "unknown" in row
    assert all(c.at_least != c.at_least for c in found.choices[2:])
    assert by["fp -> w4"].beaten_by == ()  # kv5 takes no more memory, and no law sees it
    none = rank_serving("kumar2024", MODEL, "h100", ["w4@rtn"])
    assert none.best is None
    assert none.withheld == "no law sees a candidate that fits"


def test_order_critical_tokens_and_what_is_beaten() -> None:
    found = rank_serving("kumar2024", MODEL, "h100", ["w3", "w4", "w4/32"], extrapolate=True)
    assert [c.precision for c in found.choices] == ["fp -> w4", "fp -> w4/32", "fp -> w3"]
    assert found.best.precision == "fp -> w4"
    first = found.choices[0]
    assert first.critical[0] == pytest.approx(9.57e10, rel=0.01)
    assert by_precision(found)["fp -> w3"].beaten_by == ()
    tie = "law kumar2024 cannot tell apart 'fp -> w4' = 'fp -> w4/32': the same loss at equal size"
    assert any(tie in c.text for c in found.warnings)
    worse = rank_serving("published", MODEL, "h100", ["fp -> w:int4/16", "fp -> w5"])
    assert by_precision(worse)["fp -> w4/16"].beaten_by == ("fp -> w5",)


def test_keys_and_values_count_and_limits_leave_candidates_out_with_the_reason() -> None:
    shape = Decoder(16, 2048, 16, 32_000, kv_heads=8)
    use = Budget(tokens="20B", decoder=shape, context=8192, batch=4, memory="3.5 GB")
    found = rank_serving("published", use, "h100", ["w8", "w4", "w16"])
    assert by_precision(found)["fp -> w4"].bytes == shape.weight_bytes("fp -> w4") + shape.kv_bytes(
        8192, 4
    )
    (name,) = found.dropped
    assert name == "fp -> w:bf16"
    size = (shape.weight_bytes("fp") + shape.kv_bytes(8192, 4)) / 1e9
    assert found.dropped[name] == f"'{name}': {size:.4g} GB, and memory is 3.5 GB"


def test_outside_the_runs_nothing_is_recommended_until_asked() -> None:
    big = Budget(params="70B", tokens="15T")
    found = rank_serving("kumar2024", big, "h100", ["w8", "w4/128"])
    assert found.best is None
    assert "outside the runs of kumar2024 (by a factor of 573)" in str(found)
    assert (
        rank_serving("kumar2024", big, "h100", ["w8", "w4/128"], extrapolate=True).best.precision
        == "fp -> w8"
    )


def test_refits_give_an_interval_around_the_gap() -> None:
    cells = read("simulated2024").where(params=lambda n: n > 0)
    law = preset("ouyang2024")
    frame = cells.frame().select("params", "tokens").unique(maintain_order=True)
    asked = [f"fp -> w{b}" for b in (2, 3, 4)]
    rows = {"params": frame["params"].to_list() * 4, "tokens": frame["tokens"].to_list() * 4}
    rows["precision"] = [p for p in ("bf16", *asked) for _ in range(len(frame))]
    rows["loss"] = law(np.array(rows["params"]), np.array(rows["tokens"]), rows["precision"])
    noisy = draw_runs(law, Runs.from_frame(pl.DataFrame(rows)), 0.003, seed=1)
    fitted = fit(law.fix("A", "alpha", "B"), noisy, draws=60, starts=4)
    n, d = float(np.median(rows["params"])), float(np.median(rows["tokens"]))
    found = rank_serving(fitted, Budget(params=n, tokens=d), "h100", ["w3"]).choices[0]
    low, high = found.gap_interval
    assert low < found.gap < high
    assert low * 0.8 < law.gap(n, d, "fp -> w3") < high * 1.2


def test_measured_decode_speeds_come_first() -> None:
    device = replace(as_machine("h100"), decoding={"w4": 321.0})
    found = rank_serving("published", MODEL, device, ["w4", "w8"])
    assert by_precision(found)["fp -> w4"].speed == 321.0
    assert by_precision(found)["fp -> w4"].speed_from == "measured"
    assert by_precision(found)["fp -> w8"].speed_from == "bandwidth"
    assert "bandwidth allows" not in str(found)


def test_a_measured_decode_speed_above_the_bandwidth_is_of_another_model() -> None:
    device = replace(as_machine("h100"), decoding={"w4": 321.0})
    large = rank_serving("published", Budget(params="70B", tokens="1T"), device, ["w4"])
    # 70e9 params of 4 bits are 35 GB: 3.35e12 / 35e9 = 95.71 tokens/s.
    said = "is 321 tokens/s, and bandwidth allows this model 95.71: it was measured on a smaller"
    assert said in str(large)


def test_bad_input_is_said_in_one_sentence() -> None:
    with pytest.raises(PlanError, match="serving needs a model that exists"):
        rank_serving("kumar2024", Budget(params="1B"), "h100", ["w4"])
    with pytest.raises(PlanError, match="no format to serve in"):
        rank_serving("kumar2024", MODEL, "h100", [])
    with pytest.raises(
        PlanError, match="none of chinchilla has a term for rounding after training"
    ):
        rank_serving("chinchilla", MODEL, "h100", ["w4"])
    with pytest.raises(
        PlanError, match=r"no format meets the limits: 'fp -> w4': 0\.5 GB, and memory is 0\.1 GB"
    ):
        rank_serving(
            "kumar2024", Budget(params="1B", tokens="20B", memory="0.1 GB"), "h100", ["w4"]
        )
    with pytest.raises(PlanError, match="level is 2"):
        rank_serving("kumar2024", MODEL, "h100", ["w4"], level=2)
    paid = Budget("1e21 flop", params="1B", tokens="20B", served="1T")
    with pytest.raises(PlanError, match="train, served limits training, and the model exists"):
        rank_serving("kumar2024", paid, "h100", ["w4"])


def served_bytes(shape: str | Decoder, precision: str, **use: object) -> tuple[float, float, str]:
    """Memory and bytes read of one way to serve, and the shape as it is printed."""
    budget = Budget(tokens="2T", decoder=shape, **use)  # type: ignore[arg-type]
    found = rank_serving("published", budget, "h100", [precision])
    return found.choices[0].bytes, found.choices[0].bytes_read, found.shape


@pytest.mark.parametrize(
    ("shape", "precision", "use", "size", "table"),
    [
        # 6,738,415,616 params of 2 bytes, 2 x 32 layers x 4096 numbers of 2 bytes a token.
        ("llama2-7b", "bf16", (4096, 32), 6_738_415_616 * 2 + 524_288 * 4096 * 32, 32000 * 4096),
        # Blocks: 2 x 32 x 32 layers of 4096 x (4096 + 1024) and 3 x 4096 x 14336; 4.125 bits.
        (
            "layers=32,width=4096,heads=32,kv_heads=8,ffn=14336,vocab=128256",
            "w4/128",
            (8192, 1),
            32 * (2 * 4096 * 5120 + 3 * 4096 * 14336) * 4.125 / 8
            + (2 * 128256 + 65) * 4096 * 2
            + 131_072 * 8192,
            128256 * 4096,
        ),
        # 8-bit blocks and keys, a tied table of 16 bits that is read as the head; 4 norms a block.
        (
            "gemma2-9b",
            "w8 kv8",
            (1000, 3),
            42 * (2 * 3584 * 24 * 256 + 3 * 3584 * 14336)
            + (256000 + 4 * 42 + 1) * 3584 * 2
            + 42 * 2 * 8 * 256 * 3000,
            0,
        ),
    ],
    ids=["7B with 32 heads kept", "8B in 4 bits", "tied head"],
)
def test_memory_is_that_of_the_shape_and_the_table_is_not_read(
    shape: str, precision: str, use: tuple[int, int], size: float, table: int
) -> None:
    found = served_bytes(shape, precision, context=use[0], batch=use[1])
    assert found[0] == pytest.approx(size, rel=1e-12)
    assert found[1] == pytest.approx(size - 2 * table, rel=1e-12)
    assert found[2] == Budget(decoder=shape).decoder.in_words  # type: ignore[union-attr]


def test_memory_to_four_digits() -> None:
    assert f"{served_bytes('llama2-7b', 'bf16', context=4096, batch=32)[0] / 1e9:.4g}" == "82.2"
    assert f"{served_bytes('llama3-8b', 'w4/128', context=8192)[0] / 1e9:.4g}" == "6.774"


def test_the_assumed_shape_is_printed_beside_memory_and_speed() -> None:
    use = Budget(params="6.48B", tokens="2T", context=4096, batch=32)
    found = rank_serving("published", use, "h100", ["bf16"])
    layers = (6.48e9 / (12 * 128**2)) ** (1 / 3)
    words = f"an assumed shape: {layers:.3g} layers of width {128 * layers:.0f}, 8 heads of 128"
    assert f"memory and speed of {words}" in str(found)
    kept = 2 * layers * 8 * 128 * 4096 * 32 * 2
    assert found.choices[0].bytes == pytest.approx(6.48e9 * 2 + kept)
    assert "tokens/s a sequence" in str(found)
    assert "counted with an assumed shape" in str(Budget("1e21 flop", memory="16 GB"))
    assert "keys and values of full width" in str(Budget(params="10M", memory="16 GB"))


def test_a_limit_on_speed_is_one_on_the_bytes_that_are_read() -> None:
    shape = Decoder(16, 2048, 16, 128_256, kv_heads=8)
    reached = 3.35e12 / shape.read_bytes("bf16")
    slow, fast = (Budget("1e21 flop", decoder=shape, speed=x * reached) for x in (0.999, 1.001))
    first = plan("kumar2024", slow, "h100", precision="bf16").choices[0]
    assert first.params == pytest.approx(shape.non_embedding_params)
    with pytest.raises(PlanError, match=f"{reached:.4g} tokens/s would do"):
        plan("kumar2024", fast, "h100", precision="bf16")


@pytest.mark.parametrize(
    ("decoder", "said"),
    [
        ("llama4", "unknown model 'llama4'"),
        ("layers=3", "the decoder has no width"),
    ],
)
def test_a_shape_that_a_plan_cannot_take(decoder: str, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        Budget(decoder=decoder)
    with pytest.raises(PlanError, match="params is 8B and the decoder has"):
        Budget(params="8B", decoder="llama3-8b")


def test_a_cost_model_has_no_memory_or_speed_and_takes_no_limit_of_speed() -> None:
    use = Budget(params="150M", tokens="15B")
    report = str(rank_serving("kumar2024", use, "linear-bits", ["w8"]))
    row = next(line for line in report.splitlines() if line.startswith("  fp -> w8 "))
    assert row.split("GB")[1].split() == ["no", "device", "no", "device", "42.6T"]
    fast = Budget(params="150M", tokens="15B", speed=10.0)
    with pytest.raises(PlanError, match=r"^speed needs a device with bandwidth, and linear-bits"):
        rank_serving("kumar2024", fast, "linear-bits", ["w8"])


def test_a_warning_says_of_a_gap_what_the_table_says() -> None:
    ways = ["w8 a8", "w4 a8 kv8"]
    found = rank_serving("kumar2024", MODEL, "h100", ways, trained="w8 a8 kv8")
    for choice in found.choices:
        assert np.isnan([choice.gap, choice.at_least]).all()
        (said,) = [w.text for w in found.warnings if f"no law sees '{choice.precision}'" in w.text]
        assert said.endswith("so its loss is unknown")
        assert "needed at" not in said
    assert "has no value for C_w, C_a, C_kv; fit it" in str(found)
    bound = rank_serving("kumar2024", MODEL, "h100", ["w4 a8"]).choices[0]
    assert bound.gap != bound.gap
    assert bound.at_least == pytest.approx(preset("kumar2024").gap(1e9, 2e10, "fp -> w4"))


def test_the_least_gap_stands_first_and_the_headline_is_of_what_fits() -> None:
    use = Budget(decoder="deepseek-v3", tokens="14.8T", serving_devices=16, context=8192, batch=16)
    found = rank_serving("published", use, "h100", ["bf16", "w8"], extrapolate=True)
    said = str(found)
    assert "Choices, least gap first" in said
    assert [(c.precision, c.fits) for c in found.choices] == [
        ("fp -> bf16", False), ("fp -> w8", True)
    ]  # fmt: skip
    assert found.best.precision == "fp -> w8"
    assert "'fp -> w8': +0.0033 nats in 682.2 GB, 565 times beyond the runs" in said
