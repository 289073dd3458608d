"""Which columns of a table are probably the ones that are missing: scored on the whole words of
their names and on whether their values look like the thing.

A hint never changes what a table says: a column of bits becomes a template, and no precision is
proposed for a table that holds one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

from isoloss.formats import Precision
from isoloss.runs.intake.content.magnitudes import factor_in_name, tells_its_unit
from isoloss.runs.numbers import number
from isoloss.runs.problems import RunsError

#: Words that speak for a column, with their weight, and words that speak against it.
FOR: dict[str, dict[str, int]] = {
    "params": {
        "params": 6, "param": 5, "parameters": 6, "parameter": 5, "nparams": 6, "n": 4, "size": 3,
        "model": 1, "non": 1, "embedding": 1, "count": 1, "num": 1, "total": 1,
    },
    "tokens": {
        "tokens": 6, "token": 5, "ntokens": 6, "d": 4, "seen": 2, "train": 1, "total": 1,
        "count": 1, "num": 1, "consumed": 1,
    },
    "loss": {
        "loss": 6, "nll": 5, "ce": 4, "entropy": 4, "bpb": 4, "bpc": 4, "ppl": 4, "perplexity": 4,
        "val": 2, "valid": 2, "validation": 2, "eval": 2, "test": 2, "final": 1,
    },
}  # fmt: skip
AGAINST: dict[str, frozenset[str]] = {
    "params": frozenset({
        "trainer", "batch", "lr", "loss", "tokens", "per", "dim", "layers", "head", "heads",
        "width", "embed", "vocab", "step", "steps", "seq", "optimizer", "effective", "cache",
    }),
    "tokens": frozenset({
        "per", "batch", "second", "sec", "s", "unique", "vocab", "loss", "params", "dim", "model",
        "eos", "bos", "pad", "max", "length", "seq",
    }),
    "loss": frozenset({
        "se", "std", "stderr", "min", "max", "scale", "weight", "aux", "z", "delta", "lr", "step",
        "balance", "router", "kl", "fn",
    }),
}  # fmt: skip
#: The least weight of a word that speaks for a column, and of one that names it plainly.
LEAST, PLAIN = 3, 5
#: The middle value of a column that may be proposed: a letter as D names many things.
VALUES = {"params": (1e4, 1e14), "tokens": (1e5, 1e17), "loss": (1e-3, 1e3)}
#: Names of columns of bits, and the part that each is of.
_PARTS = {
    "w": "w", "weight": "w", "weights": "w", "a": "a", "act": "a", "activation": "a",
    "activations": "a", "kv": "kv", "g": "g", "grad": "g",
}  # fmt: skip
_PRECISE = frozenset({"precision", "dtype", "format", "quantization", "quantisation", "quant"})


def words_of(name: str) -> list[str]:
    """The words of a name in lower case: 'evalLoss/macro_loss' is eval, loss, macro, loss."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)
    return [part.lower() for part in parts]


def naming(missing: Sequence[str], frame: pl.DataFrame) -> str:
    """What to write to name the missing columns of a table: one line to copy."""
    wanted = {name: ranked(name, frame) for name in missing if name != "precision"}
    options = [_option(name, found, frame) for name, found in wanted.items()]
    said = f"name {'it' if len(options) == 1 else 'them'} with {' '.join(options)}"
    parts = [said] if options else []
    for name, found in wanted.items():
        if len(found) > 1:
            parts.append(f"{name} may also be {' or '.join(found[1:3])}")
        if not found and name == "tokens" and (steps := _steps(frame)):
            parts.append(
                f"no column looks like tokens: {steps} x tokens a step is --column "
                f"tokens='{steps}*524288', with the tokens of your steps"
            )
        elif not found and name in ("params", "tokens"):
            parts.append(f"no column looks like {name}; one for all rows is --set {name}=30B")
    return "; ".join(parts + ([_precision(frame)] if "precision" in missing else []))


def _steps(frame: pl.DataFrame) -> str | None:
    """The column that counts steps; None where there is none."""
    names = ("step", "steps", "_step", "global_step", "trainer/global_step")
    return next((name for name in frame.columns if name.lower() in names), None)


def _option(wanted: str, found: Sequence[str], frame: pl.DataFrame) -> str:
    if not found:
        return f"--column {wanted}=NAME"
    own = found[0]
    factor = factor_in_name(own, wanted) if wanted != "loss" else None
    if factor is not None and not tells_its_unit(frame[own]):
        own = f"{own}*{factor:.0e}".replace("e+0", "e").replace("e+", "e")
    quoted = own if re.fullmatch(r"[\w./-]+", own) else f"'{own}'"
    return f"--column {wanted}={quoted}"


def ranked(wanted: str, frame: pl.DataFrame) -> list[str]:
    """The columns that may hold the wanted one, best first; none where none looks like it."""
    scored = [(_score(wanted, name, frame[name]), name) for name in frame.columns]
    return [name for score, name in sorted(scored, key=lambda each: -each[0]) if score > 0]


def _score(wanted: str, name: str, series: pl.Series) -> float:
    # What stands before a point or a slash says where a value is from, and speaks less.
    words = words_of(re.split(r"[./]", name)[-1])
    before = words_of(name)[: -len(words)] if words else words_of(name)
    known, against = FOR[wanted], AGAINST[wanted]
    strongest = max((known.get(word, 0) for word in words), default=0)
    if strongest < LEAST or against & set(words):
        return 0.0
    score = strongest + 0.3 * sum(known.get(word, 0) for word in words) - 0.2 * len(words)
    score += 0.3 * sum(known.get(word, 0) for word in before) - 0.5 * len(against & set(before))
    score -= 2.0 * ("train" in before or "train" in words) * (wanted == "loss")
    return score if _looks_like(wanted, series, strongest >= PLAIN) else 0.0


def _looks_like(wanted: str, series: pl.Series, plainly: bool) -> bool:
    """Whether most values are numbers, and of the size of the thing unless the name is plain."""
    known = series.drop_nulls().head(200).to_list()
    numbers = []
    for value in known:
        try:
            numbers.append(number(value))
        except (RunsError, OverflowError):
            continue
    if not numbers or 2 * len(numbers) < len(known):
        return False
    said = factor_in_name(series.name, wanted) if wanted != "loss" else None
    middle = sorted(numbers)[len(numbers) // 2] * (said or 1.0)
    low, high = VALUES[wanted]
    return middle > 0 if plainly and wanted != "loss" else low <= middle <= high


def _precision(frame: pl.DataFrame) -> str:
    """How to say the precision: a template of columns of bits, a column of spellings, or a word."""
    parts: dict[str, str] = {}
    for name in frame.columns:
        words = words_of(name)
        if "bits" in words or "bit" in words or "wbits" in words or "abits" in words:
            part = next((_PARTS[word] for word in words if word in _PARTS), None)
            part = part or ("a" if "abits" in words else "w")
            if _are_bits(frame[name]):
                parts.setdefault(part, name)
    if parts:
        template = " ".join(f"{part}{{{name}}}" for part, name in parts.items())
        return f"build it like --precision '{template}'"
    for name in frame.columns:
        if _PRECISE & set(words_of(name)) and _spells(frame[name]):
            return f"take the precision from --column precision={name}"
    return "say --precision bf16, or build it like --precision 'w{w_bits} a{a_bits}'"


def _are_bits(series: pl.Series) -> bool:
    try:
        values = {number(v) for v in series.drop_nulls().unique().to_list() if v != ""}
    except (RunsError, OverflowError):
        return False
    return bool(values) and all(0 < value <= 64 for value in values)


def _spells(series: pl.Series) -> bool:
    values = [str(value) for value in series.drop_nulls().unique().to_list() if value != ""]
    try:
        return bool(values) and all(Precision.parse(value) for value in values)
    except ValueError:
        return False
