"""Matrices with formats of their own: bytes by hand, who comes first, names that are refused."""

import pytest

from isoloss.formats import Precision
from isoloss.runs import Decoder, GroupedHeads, Mixture, RunsError, names_in, own_precisions

#: Attention of 2 (64 + 32) x 64 numbers a block, three feed-forward matrices of 64 x 100.
SMALL = Decoder(6, 64, 4, 10, kv_heads=2, ffn=100)
QKVO, FEED = 64 * (64 + 32 + 32 + 64), 3 * 64 * 100
SPARSE = Mixture(3, 8, 10, GroupedHeads(2, 1, 4), 4, 1, 6, shared=1, dense_layers=1, dense_ffn=20)


def bits(precision: str) -> float:
    """Bits of the blocks' matrices alone."""
    rest = SMALL.params - SMALL.matrix_params
    return 8 * SMALL.weight_bytes(precision) - 16 * rest


@pytest.mark.parametrize(
    ("precision", "expected"),
    [
        ("w4", 6 * 4 * (QKVO + FEED)),
        ("w4 w.attention:int8", 6 * (8 * QKVO + 4 * FEED)),
        ("w4 w.qkv:int8", 6 * (8 * 64 * 128 + 4 * (64 * 64 + FEED))),
        ("w4 w.out:int8", 6 * (8 * 64 * 64 + 4 * (64 * 128 + FEED))),
        ("w4 w.k_proj:int8", 6 * (4 * (QKVO + FEED) + 4 * 64 * 32)),
        ("w4 w.ffn:int8", 6 * (4 * QKVO + 8 * FEED)),
        ("w4 w.fc1:int8", 6 * (4 * QKVO + (8 * 2 + 4) * 64 * 100)),
        ("w4 w.down_proj:int8", 6 * (4 * QKVO + (4 * 2 + 8) * 64 * 100)),
        ("w4 w.first2:int8", (2 * 8 + 4 * 4) * (QKVO + FEED)),
        ("w4 w.last1:bf16", (16 + 5 * 4) * (QKVO + FEED)),
        ("w.first6:int4 w.last1:bf16", (16 + 5 * 4) * (QKVO + FEED)),
        ("w.first1:bf16 w.last6:int4", (16 + 5 * 4) * (QKVO + FEED)),
        # Blocks before matrices, and narrow before wide.
        ("w4 w.last1:bf16 w.ffn:int8", 16 * (QKVO + FEED) + 5 * (4 * QKVO + 8 * FEED)),
        ("w4 w.ffn:int8 w.fc2:bf16", 6 * (4 * QKVO + (8 * 2 + 16) * 64 * 100)),
        # What is served comes before what was trained.
        ("w4 w.last1:bf16 -> w8", 6 * 8 * (QKVO + FEED)),
        ("w8 -> w4 w.first1:bf16", (16 + 5 * 4) * (QKVO + FEED)),
        ("w4 a.ffn:bf16", 6 * 4 * (QKVO + FEED)),
        ("w4 w.head:int8 w.embedding:int8", 6 * 4 * (QKVO + FEED) - 8 * 2 * 10 * 64),
    ],
)
def test_bytes_of_matrices_with_formats_of_their_own(precision: str, expected: float) -> None:
    assert bits(precision) == expected


def test_experts_and_dense_blocks_of_a_mixture() -> None:
    attention, expert, dense = 2 * 8 * 3 * 4, 3 * 8 * 6, 3 * 8 * 20
    plain = SPARSE.weight_bytes("w8")
    more = {
        "w.experts": 2 * 4 * expert, "w.shared": 2 * expert, "w.ffn": dense + 2 * 5 * expert,
        "w.attention": 3 * attention, "w.first1": attention + dense,
    }  # fmt: skip
    for scope, count in more.items():
        assert SPARSE.weight_bytes(f"w8 {scope}:bf16") - plain == count
    read = SPARSE.read_bytes("w8 w.experts:bf16") - SPARSE.read_bytes("w8")
    assert read == 2 * expert  # one of four is chosen


def test_shares_are_of_active_and_of_all_params() -> None:
    own = own_precisions(Precision("w4 w.experts:int8"), SPARSE.matrices, 3)
    expert = 3 * 8 * 6
    assert own[Precision("w8")] == (2 * 4 * expert, 2 * expert)
    assert sum(n for n, _ in own.values()) == SPARSE.params - (7 * 8 + 2 * 4 * 8) - 2 * 80


def test_operands_of_a_matrix_keep_their_product() -> None:
    (own,) = own_precisions(Precision("w4 g.fc2.dw:int8 g4"), list(SMALL.matrices)[6:7], 6)
    assert own.format("g.dw").bits == 8  # type: ignore[union-attr]
    assert own.format("g.dx").bits == 4  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("precision", "said"),
    [
        ("w4 w.foo:bf16", "cannot place 'w.foo' in a model; accepted are attention, qkv"),
        ("w4 w.ffn.last2:bf16", "cannot place 'w.ffn.last2' in a model; give one name"),
        ("w4 w.last7:bf16", "last7 are more blocks than the 6 of the model"),
        ("w4 w.last0:bf16", "cannot place 'w.last0'"),
        ("w4 w.experts:bf16", "the model has no experts to set apart"),
    ],
)
def test_names_that_no_matrix_has_are_refused(precision: str, said: str) -> None:
    with pytest.raises(RunsError, match=said):
        SMALL.weight_bytes(precision)


def test_names_are_those_of_blocks() -> None:
    assert names_in(Precision("w4 a8")) == ()
    assert names_in(Precision("w4 w.head:bf16 a.fc2:int8 -> w8 w.last4:bf16")) == ("fc2", "last4")
