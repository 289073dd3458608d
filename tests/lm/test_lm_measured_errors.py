"""Relative errors measured on a model, against the numbers taken out of it by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from isoloss.formats import Format, fake_quantise
from isoloss.lm import Language, Model, ModelError, model_of, rounding_errors
from isoloss.lm.model import rotated


@pytest.fixture(scope="module")
def model() -> Model:
    found = Model(model_of("20k"))
    with torch.no_grad():  # inputs with a few channels far larger than the others
        for block in found.blocks:
            block.norm1.weight[3] = 20.0
    return found


@pytest.fixture(scope="module")
def tokens() -> np.ndarray:
    return np.asarray(Language().validation(48))[:, :-1]


def ratio(x: np.ndarray, known: str) -> float:
    off = fake_quantise(x, Format.parse(known)) - x
    return float(np.sum(off**2) / np.sum(x**2))


def by_place(found) -> dict[tuple[str, str, str], float]:
    return {tuple(row[:3]): row[3] for row in found.table.iter_rows()}


def test_inputs_of_a_matrix_share_a_scale_in_a_batch(model: Model, tokens: np.ndarray) -> None:
    found = by_place(rounding_errors(model, tokens[:32], ["a4", "a8/row"]))
    with torch.no_grad():
        x = model.blocks[0].norm1(model.embedding[torch.as_tensor(tokens[:32])])
    numbers = x.double().numpy()
    place = "blocks.0.qkv"
    for known in ("int4/tensor", "int8/row"):
        assert found["a", place, known] == pytest.approx(ratio(numbers, known), rel=1e-4), known
    # One large channel makes the scale: far from rows of normal numbers (.0094 at 4 bits).
    assert found["a", place, "int4/tensor"] > 0.02


def test_keys_are_measured_behind_the_turns_and_values_as_they_are(
    model: Model, tokens: np.ndarray
) -> None:
    found = by_place(rounding_errors(model, tokens[:8], "kv4"))
    block, rows = model.blocks[0], torch.as_tensor(tokens[:8])
    with torch.no_grad():
        x = block.norm1(model.embedding[rows])
        heads = block.qkv(x).view(*rows.shape, -1, block.head).transpose(1, 2)
        _, k, v = heads.split([block.heads, block.kv_heads, block.kv_heads], 1)
        k = rotated(k, model._turns(rows.shape[1], x))
    for name, each in (("k", k), ("v", v)):
        expected = ratio(each.double().numpy(), "int4/row")
        assert found["kv", f"blocks.0.{name}", "int4/row"] == pytest.approx(expected, rel=1e-4)


def test_weights_need_no_tokens_to_run_and_the_head_is_left_out(
    model: Model, tokens: np.ndarray
) -> None:
    found = by_place(rounding_errors(model, tokens[:1], "w4/16"))
    weight = model.blocks[1].fc2.weight.detach().double().numpy()
    expected = ratio(weight, "int4/16")
    assert found["w", "blocks.1.fc2", "int4/16"] == pytest.approx(expected, rel=1e-4)
    assert not any("head" in matrix for _, matrix, _ in found)
    assert len(found) == 4 * len(model.blocks)


def test_largest_and_mean_are_over_matrices(model: Model, tokens: np.ndarray) -> None:
    found = rounding_errors(model, tokens[:8], ["a8", "a:e4m3"])
    own = [v for (_, _, known), v in by_place(found).items() if known == "int8/tensor"]
    assert found.largest("a")["int8/tensor"] == pytest.approx(max(own))
    assert found.mean("a")["int8/tensor"] == pytest.approx(np.mean(own))
    with pytest.raises(ModelError, match="no error of part 'kv' was measured; measured were a"):
        found.largest("kv")


def test_the_standard_error_is_that_of_batches(model: Model, tokens: np.ndarray) -> None:
    found = rounding_errors(model, tokens, "a4")  # 32 and 16 sequences
    with torch.no_grad():
        x = model.blocks[0].norm1(model.embedding[torch.as_tensor(tokens)]).double().numpy()
    parts = [x[:32], x[32:]]
    off = np.array([ratio(p, "int4/tensor") * np.sum(p**2) for p in parts])
    whole = np.array([np.sum(p**2) for p in parts])
    error = off.sum() / whole.sum()
    expected = np.sqrt(2 * np.sum((off - error * whole) ** 2)) / whole.sum()
    row = next(r for r in found.table.iter_rows(named=True) if r["matrix"] == "blocks.0.qkv")
    assert row["error"] == pytest.approx(error, rel=1e-4)
    assert row["se"] == pytest.approx(expected, rel=0.02)
    assert rounding_errors(model, tokens[:4], "a4").table["se"].is_nan().all()


def test_the_model_is_left_as_it_was(model: Model, tokens: np.ndarray) -> None:
    rows = torch.as_tensor(tokens[:2])
    with torch.no_grad():
        before = model(rows)
        rounding_errors(model, tokens[:2], ["a4", "kv4"])
        assert torch.equal(model(rows), before)
    assert all("mixed" not in vars(block) for block in model.blocks)
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_any_linear_layers_are_measured_but_keys_and_values_of_our_decoder_alone() -> None:
    class Other(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(50, 16)
            self.up = nn.Linear(16, 16)

        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            return self.up(self.table(rows))

    torch.manual_seed(0)
    other, rows = Other(), np.arange(40).reshape(4, 10)
    found = by_place(rounding_errors(other, rows, "a8"))
    x = other.table(torch.as_tensor(rows)).detach().double().numpy()
    assert found["a", "up", "int8/tensor"] == pytest.approx(ratio(x, "int8/tensor"), rel=1e-4)
    with pytest.raises(ModelError, match="keys and values of a Other are not reached"):
        rounding_errors(other, rows, "kv8")


@pytest.mark.parametrize(
    ("formats", "message"),
    [
        ("fp", "no format to measure"),
        ([], "no format to measure"),
        ("q8", "cannot measure 'q' of 'q8'; accepted are formats of w, a, kv"),
        ("fp -> a8", "no format to measure"),
        ("a8 -> w4", "cannot measure 'a' of 'a8 -> w4'"),
    ],
)
def test_what_cannot_be_measured_is_refused(model: Model, formats, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        rounding_errors(model, np.zeros((1, 4), dtype=int), formats)


def test_a_model_that_rounds_already_is_refused(tokens: np.ndarray) -> None:
    with pytest.raises(ModelError, match=r"rounds already \('w4'\)"):
        rounding_errors(Model(model_of("20k"), "w4"), tokens[:1], "a8")
    with pytest.raises(ModelError, match=r"tokens have the shape \(3,\)"):
        rounding_errors(Model(model_of("20k")), np.zeros(3), "a8")
