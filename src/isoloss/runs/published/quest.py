"""QuEST (Panferov et al. 2025): 104 quantisation-aware pretraining runs with a bit-width axis."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import polars as pl

UNQUANTISED = "NoQuantizer"


def parse_quest(files: Mapping[str, bytes]) -> pl.DataFrame:
    """The runs, with one spelling per level: 16 levels beside bf16.

    Hadamard and HalfHadamard quantisers are pooled at equal bits, as the published fit does; those
    without a Hadamard transform are levels of their own. The raw quantiser names stay in
    'quantiser'.
    """
    (content,) = files.values()
    return pl.DataFrame([_row(run) for run in json.loads(content)])


def _row(run: Mapping[str, Any]) -> dict[str, Any]:
    weights, activations, args = run["w_quant"], run["a_quant"], run["args"]
    quantised = weights != UNQUANTISED
    return {
        "params": run["non_embedding_parameters"],
        "tokens": run["tokens"],
        "precision": spelled(weights, run["w_bits"], activations, run["a_bits"]),
        "loss": run["loss"],
        "seed": args["seed"],
        "params_kind": "non_embedding",
        "method": "quest" if quantised else "none",
        "kernels": "simulated" if quantised else None,
        # The files call these runs 4-bit; only half of those weights are kept.
        "sparsity": "2:4" if "FourEight" in weights else None,
        "source": "quest2025",
        "corpus": args["dataset"],
        "eval_set": f"{args['dataset']}_val",
        "tokenizer": args["tokenizer"],
        "family": args["model"],
        "optimizer": args["opt"],
        "batch_tokens": run["tokens"] / args["iterations"],
        "lr_peak": args["lr"],
        "schedule": {"cos": "cosine"}.get(args["scheduler"], args["scheduler"]),
        "quantiser": weights
        if activations in (weights, UNQUANTISED)
        else f"{weights} {activations}",
    }


def spelled(weights: str, w_bits: int, activations: str, a_bits: int) -> str:
    """The precision of a run, from its quantisers; the field 'bops' is N D and says nothing of
    it.
    """
    parts = [("w", weights, w_bits), ("a", activations, a_bits)]
    words = [f"{part}{_format(name, bits)}" for part, name, bits in parts if name != UNQUANTISED]
    return " ".join(words) or "bf16"


def _format(name: str, bits: int) -> str:
    # The FP4 runs carry 16 bits in the files.
    number = ":e2m1" if "FP4" in name else str(bits)
    return f"{number}{'+had' if 'Hadamard' in name else ''}@quest"
