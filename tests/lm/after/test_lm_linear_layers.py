"""Any model with linear layers: which are found, GPTQ through blocks that share inputs, and what is
refused.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from isoloss.formats import Format, fake_quantise
from isoloss.lm import (
    ModelError,
    PostMethod,
    RoundedTwiceWarning,
    degradation,
    quantised,
    register_method,
)
from isoloss.lm.after.hub import Windows, load_hub, windows
from isoloss.lm.after.methods.gptq import gptq
from isoloss.lm.after.post_method import METHODS
from isoloss.lm.data import TextWarning

WIDTH, VOCAB = 16, 40


class Block(nn.Module):
    """Three layers with one input, a gate, and a settings argument by name, as decoders of Hugging
    Face have.
    """

    def __init__(self) -> None:
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj = (
            nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(3)
        )
        self.up_proj, self.down_proj = nn.Linear(WIDTH, 24), nn.Linear(24, WIDTH)

    def forward(self, x: Tensor, *, scale: float) -> tuple[Tensor]:
        q, k, v = self.q_proj(x), self.k_proj(x), self.v_proj(x)
        x = x + nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale)
        return (x + self.down_proj(torch.relu(self.up_proj(x))),)


class Causal(nn.Module):
    """A causal language model in the form of those of Hugging Face; every block has its own
    scale.
    """

    def __init__(self, tied: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.config = SimpleNamespace(vocab_size=VOCAB, model_type="small")
        self.embed, self.layers = (
            nn.Embedding(VOCAB, WIDTH),
            nn.ModuleList(Block() for _ in range(3)),
        )
        self.lm_head = nn.Linear(WIDTH, VOCAB, bias=False)
        if tied:
            self.lm_head.weight = self.embed.weight

    def forward(self, tokens: Tensor, use_cache: bool = True) -> Any:
        x = self.embed(tokens)
        for k, layer in enumerate(self.layers):
            (x,) = layer(x, scale=0.2 + 0.1 * k)
        return SimpleNamespace(logits=3 * self.lm_head(x))

    def get_input_embeddings(self) -> nn.Module:
        return self.embed

    def get_output_embeddings(self) -> nn.Module:
        return self.lm_head


def tokens(rows: int = 24, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).zipf(1.5, (rows, 12)) % VOCAB)


def test_all_linear_layers_but_the_head_are_rounded_and_the_model_stays() -> None:
    model = Causal()
    after = quantised(model, "w4/8")
    for (name, before), now in zip(model.named_parameters(), after.parameters(), strict=True):
        rounded = name.startswith("layers") and before.dim() == 2
        expected = fake_quantise(before.detach(), "int4/8") if rounded else before
        assert now.equal(expected)
    assert not model.layers[0].q_proj.weight.equal(after.layers[0].q_proj.weight)


def test_scopes_are_the_last_names_of_layers() -> None:
    model, after = Causal(), quantised(Causal(), "w.down_proj:int3 w.head:int8")
    changed = {
        n
        for (n, p), q in zip(model.named_parameters(), after.parameters(), strict=True)
        if not p.equal(q)
    }
    assert changed == {*(f"layers.{k}.down_proj.weight" for k in range(3)), "lm_head.weight"}


def test_activations_are_rounded_as_they_come_in() -> None:
    model, after = Causal(), quantised(Causal(), "a.down_proj:int4")
    seen: list[Tensor] = []
    after.layers[2].down_proj.register_forward_pre_hook(lambda m, args: seen.append(args[0]))
    after(tokens())
    assert seen[0].equal(fake_quantise(seen[0], "int4", scale=float(seen[0].abs().max()) / 7))
    assert not after(tokens()).logits.equal(model(tokens()).logits)


@pytest.mark.parametrize(
    "post",
    [
        "w3/8@gptq_sequential",
        "w3@gptq_sequential a6",
        "w3@gptq_sequential w.head:int4@gptq_sequential",
    ],
)
def test_gptq_sees_the_inputs_that_rounded_layers_give(post: str) -> None:
    calibration = tokens(40)
    after = quantised(Causal(), post, calibration)
    slowly = quantised(Causal(), "a6") if "a6" in post else quantised(Causal(), "w.q_proj:fp32")
    formats = {"head": Format.parse("int4/row")} if "head" in post else {}
    known = Format.parse("int3/8" if "/8" in post else "int3/row")
    names = ["q_proj", "k_proj", "v_proj", "up_proj", "down_proj"]
    layers = [(f"layers.{k}.{name}", known) for k in range(3) for name in names]
    for path, one in [*layers, *(("lm_head", known) for known in formats.values())]:
        seen: list[Tensor] = []
        layer = slowly.get_submodule(path)
        hook = layer.register_forward_pre_hook(lambda m, args, seen=seen: seen.append(args[0]))
        with torch.no_grad():
            for part in calibration.split(16):
                slowly(part)
        hook.remove()
        x = torch.cat([s.reshape(-1, s.shape[-1]) for s in seen])
        layer.weight.data = gptq(layer.weight, 2 * x.T @ x, one)
        torch.testing.assert_close(
            after.get_submodule(path).weight, layer.weight, rtol=1e-5, atol=1e-6
        )


def test_gptq_keeps_predictions_closer() -> None:
    model, held_out = Causal(), tokens(64, seed=1).numpy()
    near, found = (
        degradation(model, quantised(model, post, tokens(200)), held_out)
        for post in ("w3", "w3@gptq")
    )
    assert 0 < found.kl + 2 * found.kl_se < near.kl


@pytest.mark.filterwarnings("ignore::isoloss.lm.RoundedTwiceWarning")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_types_of_weights_are_kept(dtype: torch.dtype) -> None:
    after = quantised(Causal().to(dtype), "w4@gptq", tokens())
    assert {p.dtype for p in after.parameters()} == {dtype}


@pytest.mark.parametrize(
    ("post", "said"),
    [
        ("q4", "'q' of a Causal is out of reach ('fp -> q4'); accepted are w a kv k v"),
        ("w.fc9:int4", "the model has no 'w.fc9' ('fp -> w.fc9:int4'); it has w.q_proj, w.k_proj"),
        ("w4@omni", "unknown method after training 'omni'"),
        ("fp", "nothing is named to quantise"),
        ("w4@gptq", "@gptq looks at how inputs vary: pass calibration"),
    ],
)
def test_what_a_model_lacks_is_refused(post: str, said: str) -> None:
    with pytest.raises(ModelError) as caught:
        quantised(Causal(), post)
    assert said in str(caught.value)


def test_a_model_without_linear_layers_is_refused() -> None:
    with pytest.raises(ModelError, match="a Embedding has no matrix to quantise besides its head"):
        quantised(nn.Embedding(3, 4), "w4")


def test_a_head_that_is_the_embedding_is_refused() -> None:
    with pytest.raises(ModelError, match="the head of this model is its embedding"):
        quantised(Causal(tied=True), "w.head:int4")


def test_tokens_that_a_model_lacks_are_refused() -> None:
    with pytest.raises(ModelError, match="tokens go from 0 to 40; the model's are 0 to 39"):
        quantised(Causal(), "w4@gptq", torch.tensor([[0, 40]]))
    with pytest.raises(ModelError, match="the model's are 0 to 39"):
        degradation(Causal(), Causal(), np.array([[0, 1, 40], [0, 1, 2]]))


# ---- text in windows, and models in folders
class Letters:
    """A tokenizer as of Hugging Face: one token a letter."""

    def __call__(self, text: str) -> dict[str, list[int]]:
        return {"input_ids": [ord(letter) for letter in text]}

    def __len__(self) -> int:
        return 128


def made(text: str = "abcdefghijklm") -> Windows:
    return windows(Letters(), [text, text.upper()], [text], context=4)


def test_windows_overlap_by_one_token_and_stay_inside_a_text() -> None:
    found = made()
    assert ["".join(map(chr, row)) for row in found.held_out] == ["abcde", "efghi", "ijklm"]
    assert ["".join(map(chr, row)) for row in found.training] == [
        "abcde",
        "efghi",
        "ijklm",
        "ABCDE",
        "EFGHI",
        "IJKLM",
    ]
    assert (found.context, found.vocab, found.unique(1e9)) == (4, 128, 24)
    assert "".join(map(chr, made("abcdefghijkl").held_out[-1])) == "efghi"


def test_batches_of_windows_depend_on_the_seed_alone_and_end() -> None:
    found = made()
    both = np.concatenate([found.batch(0, 3, 7), found.batch(1, 3, 7)])
    assert sorted(map(tuple, both)) == sorted(map(tuple, found.training))
    assert np.array_equal(found.batch(1, 3, 7), found.batch(1, 3, 7))
    assert np.array_equal(found.validation(2), found.held_out[[0, 2]])
    with pytest.raises(
        ModelError, match="has 6 windows of 4 tokens to calibrate on, and 9 are asked for"
    ):
        found.batch(2, 3, 7)


def test_settings_tell_windows_apart() -> None:
    assert made().settings() == made().settings() != made("abcdefghijkln").settings()
    assert replace(made(), name="other").settings() != made().settings()


def test_too_little_text_is_refused() -> None:
    with pytest.raises(
        ModelError,
        match="has 4 windows of 5 tokens to calibrate on and 0 held out; accepted are 2 or more",
    ):
        windows(Letters(), ["abcdefghi"] * 2, ["abc"], context=4)


def test_texts_that_are_shorter_than_a_window_are_said() -> None:
    said = "2 of 3 texts are shorter than a window of 5 tokens and are not used"
    with pytest.warns(TextWarning, match=said):
        found = windows(Letters(), ["abc", "abcdefghi", "ab"], ["abcdefghi"], context=4)
    assert len(found.training) == 2


def test_a_model_of_hugging_face_that_cannot_be_read_is_refused(tmp_path: Any) -> None:
    try:
        import transformers  # noqa: F401
    except ImportError:
        with pytest.raises(ModelError, match=r"pip install 'isoloss\[hub\]'"):
            load_hub(tmp_path)
        return
    with pytest.raises(
        ModelError, match=r"has no config\.json and 0 \.gguf files; accepted is one model"
    ):
        load_hub(tmp_path)
    with pytest.raises(ModelError, match="there is no folder"):
        load_hub(tmp_path / "nothing")


# ---- weights that are no numbers
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("post", ["w4", "w:uint4@hqq", "w4+clip", "w:e4m3", "w4~sr"])
def test_weights_that_are_no_numbers_are_refused(post: str, bad: float) -> None:
    model = Causal()
    with torch.no_grad():
        model.layers[1].up_proj.weight[0, 0] = bad
    with pytest.raises(ModelError, match=r"layers\.1\.up_proj: cannot round to .* holds NaN or"):
        quantised(model, post)


def test_weights_of_8_bits_are_not_rounded_again() -> None:
    model = Causal()
    for block in model.layers:
        block.up_proj.weight = nn.Parameter(block.up_proj.weight.to(torch.float8_e4m3fn))
    said = r"'layers\.0\.up_proj\.weight' cannot be rounded: it is stored as float8_e4m3fn"
    with pytest.raises(ModelError, match=said):
        quantised(model, "w4")
    after = quantised(model, "w4 w.up_proj:fp")
    assert not after.layers[1].q_proj.weight.equal(model.layers[1].q_proj.weight)


@pytest.mark.parametrize("post", ["a4", "w4", "w4 a8"])
def test_a_model_whose_activations_are_rounded_is_not_quantised_again(post: str) -> None:
    with pytest.raises(ModelError, match="so it is quantised already; quantise the one that was"):
        quantised(quantised(Causal(), "a8"), post)


# ---- weights of 16 bits
@pytest.mark.filterwarnings("ignore::isoloss.lm.RoundedTwiceWarning")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    "post", ["w4", "w:uint3/8@hqq", "w4+clip", "w4+had", "w3/8@gptq", "w3@awq", "w8@smoothquant"]
)
def test_weights_of_16_bits_are_rounded_in_32_and_cast_once(post: str, dtype: torch.dtype) -> None:
    small = Causal().to(dtype)
    with torch.no_grad():  # so that inputs of calibration are the same
        wide = Causal().to(dtype).float()
    name = "layers.0.q_proj.weight" if "@" in post and "hqq" not in post else "layers.2.up_proj"
    name = name.removesuffix(".weight")
    now, then = (quantised(each, post, tokens()) for each in (small, wide))
    found, expected = now.get_submodule(name).weight, then.get_submodule(name).weight
    assert found.dtype == dtype
    assert found.equal(expected.to(dtype))
    assert not found.equal(small.get_submodule(name).weight)


def test_weights_of_16_bits_are_said_to_be_rounded_twice() -> None:
    with pytest.warns(
        RoundedTwiceWarning, match="no numbers of bfloat16, so weights are rounded twice"
    ):
        quantised(Causal().bfloat16(), "w4")


@pytest.mark.filterwarnings("ignore::isoloss.lm.RoundedTwiceWarning")
def test_a_weight_that_leaves_the_range_of_its_type_is_refused() -> None:
    register_method(PostMethod("huge", lambda weight, known, seen: 1e9 * weight))
    try:
        with pytest.raises(ModelError, match=r"q_proj: @huge gave numbers that are not finite"):
            quantised(Causal().half(), "w4@huge")
    finally:
        METHODS.remove("huge")


class Skipping(nn.Module):
    """Blocks between which the beginning is added again, in a list or not."""

    def __init__(self, listed: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed, blocks = nn.Embedding(VOCAB, WIDTH), [Block() for _ in range(3)]
        self.one, self.two, self.three = [nn.Identity()] * 3 if listed else blocks
        self.layers = nn.ModuleList(blocks if listed else [])

    def forward(self, words: Tensor) -> Tensor:
        x = first = self.embed(words)
        for block in self.layers or (self.one, self.two, self.three):
            (x,) = block(x + first, scale=0.3)
        return x


def test_what_is_added_between_blocks_is_seen() -> None:
    listed, apart = (
        quantised(Skipping(each), "w3@gptq_sequential", tokens(40)) for each in (True, False)
    )
    for k, block in enumerate((apart.one, apart.two, apart.three)):
        for one, other in zip(block.parameters(), listed.layers[k].parameters(), strict=True):
            assert one.equal(other)
