import math

import pytest

from isoloss.runs import Decoder, RunsError

LLAMA2_7B = Decoder(layers=32, width=4096, heads=32, vocab=32000, ffn=11008)
LLAMA3_8B = Decoder(layers=32, width=4096, heads=32, kv_heads=8, vocab=128256, ffn=14336)
GPT2 = Decoder(
    layers=12, width=768, heads=12, vocab=50257, tied=True, gated=False, biases=True, positions=1024
)


@pytest.mark.parametrize(
    ("model", "params"),
    [
        (LLAMA2_7B, 6_738_415_616),
        (LLAMA3_8B, 8_030_261_248),
        (GPT2, 124_439_808),
        (Decoder(80, 8192, 64, 32000, kv_heads=8, ffn=28672), 68_976_648_192),  # Llama-2 70B
    ],
)
def test_params_of_public_models(model, params):
    assert model.params == params
    assert model.params == model.non_embedding_params + model.embedding_params


@pytest.mark.parametrize(
    ("width", "layers", "params"),
    [
        (640, 6, 30482560),
        (768, 7, 49556736),
        (1024, 8, 102777856),
        (1280, 10, 203188480),
        (1664, 13, 443068288),
    ],
)
def test_non_embedding_params_are_those_that_quest_counted(width, layers, params):
    ffn = 256 * math.ceil(int(2 / 3 * 4 * width) / 256)
    assert Decoder(layers, width, width // 128, 50304, ffn=ffn).non_embedding_params == params


def brute_force_forward(model, context, causal):
    """2 flop for every multiply-add of every matrix product in a forward pass, token by token."""
    total = 0
    for position in range(context):
        for rows, columns in [
            (model.heads * model.head_dim, model.width),
            (model.kv_heads * model.head_dim, model.width),
            (model.kv_heads * model.head_dim, model.width),
            (model.width, model.heads * model.head_dim),
            (model.ffn, model.width),
            (model.width, model.ffn),
        ] + ([(model.ffn, model.width)] if model.gated else []):
            total += 2 * rows * columns * model.layers
        seen = position + 1 if causal else context
        total += model.layers * model.heads * 2 * (2 * model.head_dim * seen)
        total += 2 * model.vocab * model.width
    return total / context


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(
    "model", [LLAMA3_8B, GPT2, Decoder(3, 64, 4, 100, kv_heads=2, head_dim=32, ffn=96)]
)
def test_forward_flops_equal_a_count_of_every_product(model, causal):
    flops = model.flops(37, causal=causal)
    assert flops.forward == pytest.approx(brute_force_forward(model, 37, causal), rel=1e-12)
    assert flops.training == 3 * flops.forward


def test_rules_of_thumb_stand_beside_the_count():
    flops = LLAMA2_7B.flops(4096)
    assert flops.rule == 6 * LLAMA2_7B.non_embedding_params
    assert LLAMA2_7B.flops(4096, embeddings=True).rule == 6 * 6_738_415_616
    assert LLAMA2_7B.rule_6nd(1e9) == 6e9 * LLAMA2_7B.non_embedding_params
    assert LLAMA2_7B.training_flops(1e9, 4096) == flops.training * 1e9
    assert "1.103 x 6N" in str(flops)


def test_generating_a_sequence_costs_its_forward_pass():
    one_by_one = sum(LLAMA3_8B.decode_flops(position) for position in range(1, 65))
    assert one_by_one == pytest.approx(64 * LLAMA3_8B.flops(64).forward, rel=1e-12)


def test_weight_bytes_count_scales_and_keep_embeddings():
    assert LLAMA2_7B.weight_bytes() == 2 * 6_738_415_616
    kept = 2 * (6_738_415_616 - LLAMA2_7B.matrix_params)
    assert LLAMA2_7B.weight_bytes("w4/128") == kept + LLAMA2_7B.matrix_params * 4.125 / 8
    assert LLAMA2_7B.weight_bytes("fp -> w:mxfp4") == kept + LLAMA2_7B.matrix_params * 4.25 / 8
    head = 32000 * 4096
    everywhere = LLAMA2_7B.weight_bytes("w8 w.embedding:int8 w.head:int8")
    assert everywhere == LLAMA2_7B.weight_bytes("w8") - 2 * head


def test_the_arrow_decides_what_is_served():
    assert LLAMA2_7B.weight_bytes("w8 -> w4") == LLAMA2_7B.weight_bytes("w4")
    assert LLAMA2_7B.weight_bytes("w:add(0.01)") == LLAMA2_7B.weight_bytes()


def test_keys_and_values():
    # 32 layers, 8 heads of 128, keys and values, 2 bytes: 128 KiB a token.
    assert LLAMA3_8B.kv_bytes(1) == 128 * 1024
    assert LLAMA3_8B.kv_bytes(8192, batch=4, precision="kv8") == 64 * 1024 * 8192 * 4
    assert LLAMA3_8B.kv_bytes(8192, batch=4, precision="k8 v4") == 48 * 1024 * 8192 * 4


def test_training_state():
    assert GPT2.training_bytes() == 16 * 124_439_808
    assert GPT2.training_bytes(master=0, moments=4) == 8 * 124_439_808


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"heads": 7}, "width 64 is no multiple of heads 7; give head_dim"),
        ({"heads": 4, "kv_heads": 3}, "heads 4 is no multiple of kv_heads 3"),
        ({"heads": 4, "layers": 0}, "layers is 0; accepted is a whole number of at least 1"),
    ],
)
def test_shapes_that_cannot_be(shape, message):
    with pytest.raises(RunsError, match=message):
        Decoder(**{"layers": 2, "width": 64, "vocab": 100, **shape})


def test_a_token_reads_no_table_of_embeddings_unless_it_is_the_head():
    table = 128_256 * 4096
    assert LLAMA3_8B.read_bytes() == 2 * (8_030_261_248 - table)
    assert LLAMA3_8B.read_bytes("w4 w.embedding:int8") == LLAMA3_8B.weight_bytes("w4") - 2 * table
    assert GPT2.read_bytes() == 2 * (124_439_808 - 1024 * 768)


def test_extras_of_blocks_count_once_a_block():
    more = Decoder(12, 768, 12, 50257, biases=True, block_extras=10)
    assert more.params == Decoder(12, 768, 12, 50257, biases=True).params + 120
    for name in ("block_extras", "positions"):
        with pytest.raises(RunsError, match=f"{name} is -1; accepted is a whole number of at"):
            Decoder(12, 768, 12, 50257, **{name: -1})
