"""The block types of GGUF against plain loops over one block, what they store, what they refuse."""

import pickle

import numpy as np
import pytest
import torch

from isoloss.formats import GGUF_TYPES, Format, Precision, fake_quantise
from isoloss.lm import Model, quantised
from isoloss.runs import Decoder

NAMES = [known.name for known in GGUF_TYPES]
DRAW = np.random.default_rng(0)
X = (DRAW.standard_normal((40, 64)) * np.exp2(DRAW.integers(-12, 6, (40, 1)))).astype(np.float32)
X[3, :32] = 0.0
X[4, 32:] = 0.25
X[5, 0], X[5, 1] = 9.0, -9.0  # the first of two largest has its sign
f32 = np.float32


def half(x: f32) -> f32:
    return f32(np.float16(x))


def block(name: str, x: np.ndarray) -> list[f32]:
    """One block by the written rules, number by number."""
    bits = int(name[1])
    if name.endswith("_1"):
        top = f32(2**bits - 1)
        low, d = x.min(), (x.max() - x.min()) / top
        over = f32(1) / d if d else f32(0)
        codes = [min(int((v - low) * over + f32(0.5)), int(top)) for v in x]
        return [f32(half(d) * f32(c)) + half(low) for c in codes]
    if name == "q8_0":
        d = np.abs(x).max() / f32(127)
        over = f32(1) / d if d else f32(0)
        return [half(d) * f32(np.copysign(int(abs(v * over) + 0.5), v)) for v in x]
    middle = 2 ** (bits - 1)
    d = max(x, key=abs) / f32(-middle)
    over = f32(1) / d if d else f32(0)
    codes = [min(int(float(v) * float(over) + middle + 0.5), 2 * middle - 1) for v in x]
    return [half(d) * f32(c - middle) for c in codes]


@pytest.mark.parametrize("name", NAMES)
def test_each_block_is_rounded_by_its_rule(name: str) -> None:
    want = np.array([block(name, part) for part in X.reshape(-1, 32)]).reshape(X.shape)
    found = fake_quantise(X, name)
    assert np.array_equal(found, want)
    assert torch.equal(fake_quantise(torch.from_numpy(X), name), torch.from_numpy(want))
    assert np.array_equal(found[3, :32], np.zeros(32))


@pytest.mark.extras
@pytest.mark.parametrize("name", NAMES)
def test_the_package_of_llama_cpp_gives_the_same_bits(name: str) -> None:
    quants = pytest.importorskip("gguf.quants")
    kind = quants.GGMLQuantizationType[name.upper()]
    theirs = quants.dequantize(quants.quantize(X, kind), kind)
    assert np.array_equal(fake_quantise(X, name), theirs)


@pytest.mark.parametrize(
    ("name", "bits", "stored"),
    [("q4_0", 4, 4.5), ("q4_1", 4, 5.0), ("q5_0", 5, 5.5), ("q5_1", 5, 6.0), ("q8_0", 8, 8.5)],
)
def test_bits_are_those_of_the_file(name: str, bits: float, stored: float) -> None:
    known = Format.parse(name.upper())
    assert (known.bits, known.storage_bits, known.group) == (bits, stored, 32)
    assert pickle.loads(pickle.dumps(known)) == known
    assert str(Precision(f"w:{name} a8")) == f"w:{name} a8"
    assert Precision(name) == Precision(f"w:{name} a:{name} kv:{name}")


def test_weights_are_served_in_them() -> None:
    model = Model(Decoder(1, 32, 2, 20, ffn=64), compiled=False)
    found = quantised(model, "w:q4_0")
    want = fake_quantise(model.blocks[0].fc2.weight, "q4_0")
    assert torch.equal(found.blocks[0].fc2.weight, want)


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^groups of 32 in 'q4_0' do not divide the last axis"):
        fake_quantise(X[:, :48], "q4_0")
    with pytest.raises(ValueError, match=r"^types of GGUF have blocks of 32 numbers, not 64$"):
        fake_quantise(X, "q4_0/64")
    with pytest.raises(ValueError, match="rounds by its own function"):
        Format.parse("q4_0+clip")
    for name in ("q4_k", "q6_k", "iq4_nl", "q4_k_m"):
        with pytest.raises(ValueError, match="it is a file format of GGUF with scales that are"):
            Format.parse(name)
