"""Tokens that no column holds and others make: steps and batches, tokens per param, FLOPs.

A proposal is one that gives counts of tokens as language models have them; what it supposes is said
beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import polars as pl

from isoloss.runs.intake.content.magnitudes import LIKELY, ODD, factor_in_name
from isoloss.runs.intake.content.words import words_of
from isoloss.runs.numbers import number
from isoloss.runs.problems import RunsError

#: Names of columns that count steps, and of tokens per param.
STEPS = ("step", "steps", "_step", "global_step", "trainer/global_step", "train_steps", "num_steps")
RATIOS = frozenset({"d/n", "tpp", "tokens/param", "tokens/params", "tok/param"})
_PER_PARAMS = ["tokens", "per", "params"]
#: Words of batches that are not what a step of training sees, and with those of no sequences.
_NOT_WHOLE = frozenset({"micro", "device", "gpu", "rank", "worker", "eval", "val", "test"})
_PARTIAL = _NOT_WHOLE | {"tokens", "per"}
#: Words of a column of tokens a sequence.
_LENGTH = frozenset({"seq", "sequence", "context", "ctx", "block", "seqlen"})
#: Rows that are looked at.
ROWS = 200


def steps_of(frame: pl.DataFrame) -> str | None:
    """The column that counts steps; None where there is none."""
    names = [name for name in frame.columns if name.lower().rsplit(".", 1)[-1] in STEPS]
    return next((name for name in names if _middle(frame, name) is not None), None)


def made_tokens(frame: pl.DataFrame, params: str) -> tuple[str, str] | None:
    """An expression of tokens, and what it supposes; None where no columns make them.

    params: the column of params or its expression, empty where it is not known.
    """
    sizes = _product(frame, params) if params else None
    for parts, signs, said in _candidates(frame, params):
        values = [_product(frame, part) for part in parts]
        if any(value is None for value in values):
            continue
        with np.errstate(all="ignore"):  # a product beyond the largest number is unlikely as it is
            tokens = float(np.prod(np.array(values, float) ** np.array(signs, float)))
        low, high = LIKELY["tokens"]
        usual = sizes is None or ODD[0] <= tokens / sizes <= ODD[1]
        if low <= tokens <= high and usual:
            return "".join(map(_written, parts, signs))[1:], said
    return None


def _written(part: str, sign: int) -> str:
    """A factor or a divisor of an expression, which is read from left to right."""
    return f"*{part}" if sign > 0 else f"/{part.replace('*1e', '/1e')}"


def _candidates(
    frame: pl.DataFrame, params: str
) -> Iterator[tuple[list[str], tuple[int, ...], str]]:
    """Columns that may make tokens, the power of each, and what is supposed."""
    words = {name: words_of(name.rsplit(".", 1)[-1]) for name in frame.columns}
    steps = steps_of(frame)
    if steps is not None:
        for name, said in words.items():
            if _NOT_WHOLE & set(said):
                continue
            if {"tokens", "batch"} <= set(said) or said[-3:] == ["tokens", "per", "step"]:
                yield [steps, name], (1, 1), f"tokens are {steps} x {name}, those of a step"
        batches = [n for n, w in words.items() if "batch" in w and not _PARTIAL & set(w)]
        batches.sort(key=lambda name: "global" not in words[name])
        lengths = [n for n, w in words.items() if _LENGTH & set(w) and "batch" not in w]
        for batch in batches:
            for length in lengths:
                supposed = f"tokens are {steps} x {batch} x {length}, if {batch} counts the "
                supposed += "sequences of a step on all devices"
                yield [steps, batch, length], (1, 1, 1), supposed
    if not params:
        return
    for name, said in words.items():
        if name.lower() in RATIOS or said[:3] in (["tokens", "per", "param"], _PER_PARAMS):
            yield [params, name], (1, 1), f"tokens are params x {name}"
    for name, said in words.items():
        if any(word.endswith(("flops", "flop")) for word in said) or name in ("C", "compute"):
            factor = factor_in_name(name, "flops")
            own = name if factor is None else f"{name}*1e{round(math.log10(factor))}"
            supposed = f"tokens are {name} / 6 / params, if these are 6 x params x tokens"
            yield [own, params, "6"], (1, -1, -1), supposed


def _product(frame: pl.DataFrame, text: str) -> float | None:
    """The middle value of a column, a number or their product; None for anything else."""
    if text in frame.columns:
        return _middle(frame, text)
    name, sign, factor = text.rpartition("*")
    try:
        scale = number(factor)
    except RunsError:
        return None
    if not sign:
        return scale
    middle = _middle(frame, name)
    return None if middle is None else middle * scale


def _middle(frame: pl.DataFrame, name: str) -> float | None:
    found = []
    for value in frame[name].drop_nulls().head(ROWS).to_list() if name in frame.columns else []:
        try:
            found.append(number(value))
        except (RunsError, OverflowError):
            continue
    middle = sorted(found)[len(found) // 2] if found else 0.0
    return middle if middle > 0 else None
