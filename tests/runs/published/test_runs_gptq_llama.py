"""The README of GPTQ-for-LLaMa, as a text of the same kind."""

import math

import pytest

from isoloss.runs import TABLES
from isoloss.runs.published.gptq_llama import MODELS, parse_gptq_llama

TEXT = """
# A program

| [LLaMA-7B](https://a.b/c) | Bits | group-size | memory(MiB) | Wikitext2 | checkpoint size(GB) |
| ---- | ---- | --- | --- | --- | --- |
| FP16 | 16 | - | 13940 | 5.0 | 12.5 |
| RTN | 4 | - | - | 6.5 | - |
| [GPTQ](https://d.e/f) | 3 | 128 | 4116 | 8.25 | 3.0 |

words

| LLaMA-65B | Bits | group-size | memory(MiB) | Wikitext2 | checkpoint size(GB) |
|---|---|---|---|---|---|
| FP16 | 16 | - | OOM | 3.5 | 121.0 |

| [LLaMA-7B(seqlen=2048)](https://a.b/c) | Bits Per Weight(BPW)| memory(MiB) | c4(ppl) |
| --- | --- | --- | --- |
| FP16 | 16 | 13948 | 5.22 |
"""


def test_rows_are_logarithms_of_perplexity_by_model_and_precision() -> None:
    frame = parse_gptq_llama({"README.md": TEXT.encode()})
    assert frame["precision"].to_list() == [
        "bf16", "bf16 -> w:uint4/row", "bf16 -> w:uint3/128@gptq", "bf16",
    ]  # fmt: skip
    assert frame["loss"].to_list() == [math.log(v) for v in (5.0, 6.5, 8.25, 3.5)]
    assert frame["params"].to_list() == [6.74e9] * 3 + [65.2e9]
    assert frame["tokens"].to_list() == [1e12] * 3 + [1.4e12]
    assert frame["method"].to_list() == ["none", "rtn", "gptq", "none"]


def test_a_model_that_is_not_known_is_no_guess() -> None:
    with pytest.raises(KeyError, match="LLaMA-9B"):
        parse_gptq_llama({"README.md": TEXT.replace("LLaMA-7B]", "LLaMA-9B]").encode()})
    assert len(MODELS) == 4


def test_the_table_says_whose_it_is() -> None:
    table = TABLES["gptq_llama2023"]
    assert table.provenance.licence == "Apache-2.0"
    assert "arXiv 2210.17323" in table.provenance.citation
    assert len(table.provenance.commit) == 40
