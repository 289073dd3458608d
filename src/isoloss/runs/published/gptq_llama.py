"""LLaMA 7B to 65B after rounding to nearest and GPTQ, as the README of GPTQ-for-LLaMa has them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

#: Params (all of them) and training tokens, from the paper of the models (arXiv 2302.13971); the
#: paper calls the third 33B, and weights of it are named 30B.
MODELS = {
    "LLaMA-7B": (6.74e9, 1e12),
    "LLaMA-13B": (13.0e9, 1e12),
    "LLaMA-33B": (32.5e9, 1.4e12),
    "LLaMA-65B": (65.2e9, 1.4e12),
}
#: Marks of precisions, and the method of a row.
METHODS = {"RTN": ("", "rtn"), "GPTQ": ("@gptq", "gptq")}
#: The perplexity column of the tables that are read; others of the file are of another text and
#: count bits a weight.
PERPLEXITY = "Wikitext2"


def parse_gptq_llama(files: Mapping[str, bytes]) -> pl.DataFrame:
    """The rows: loss is the logarithm of the perplexity on WikiText2, nats a token.

    Integers are asymmetric (a minimum and a maximum, the default of its program), a scale for each
    output or group; RTN is rounding to nearest.
    """
    (content,) = files.values()
    return pl.DataFrame(list(_rows(content.decode("utf-8"))))


def _rows(text: str) -> Iterator[dict[str, Any]]:
    model, head = None, []
    for line in text.splitlines():
        if not line.lstrip().startswith("|"):
            model = None
            continue
        cells = [_words(cell) for cell in line.strip().strip("|").split("|")]
        if model is None:
            model, head = cells[0], cells
        elif PERPLEXITY in head and set(cells[0]) != {"-"}:
            yield _row(model, dict(zip(head[1:], cells[1:], strict=True)), cells[0])


def _words(cell: str) -> str:
    """What a cell says, a link's address left out."""
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", cell).strip()


def _row(model: str, cells: Mapping[str, str], method: str) -> dict[str, Any]:
    params, tokens = MODELS[model]
    group = "row" if cells["group-size"] == "-" else cells["group-size"]
    mark, named = METHODS.get(method, ("", "none"))
    served = f" -> w:uint{cells['Bits']}/{group}{mark}" if method in METHODS else ""
    return {
        "params": params,
        "tokens": tokens,
        "precision": f"bf16{served}",
        "loss": math.log(float(cells[PERPLEXITY])),
        "params_kind": "total",
        "method": named,
        "kernels": "simulated" if served else None,
        "source": "gptq_llama2023",
        "eval_set": "wikitext2",
        "tokenizer": "llama",
        "family": "llama",
        "group": model,
    }
