"""Which columns of a table are probably the ones that are missing: scored on the whole words of
their names and on whether their values look like the thing.

A hint never changes what a table says: a column of bits becomes a template, and no precision is
proposed for a table that holds one.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

import polars as pl

from isoloss.formats import Precision
from isoloss.runs.intake.content.magnitudes import factor_in_name, tells_its_unit
from isoloss.runs.intake.content.token_hints import made_tokens, steps_of
from isoloss.runs.intake.content.words import words_of
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
        "log", "ln",
    }),
    "tokens": frozenset({
        "per", "batch", "second", "sec", "s", "unique", "vocab", "loss", "params", "dim", "model",
        "eos", "bos", "pad", "max", "length", "seq", "log", "ln",
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
#: Words of columns that say how often tokens are seen, of shares, and of tokens that are different.
_REPEATS = frozenset({"epochs", "passes", "repeats", "repetitions"})
_SHARES = frozenset({"fraction", "frac", "share"})
_UNIQUE = frozenset({"unique", "distinct"})
#: Words of columns of bits, and for those that were rounded to after training.
_BITS = frozenset({"bits", "bit", "wbits", "abits"})
_AFTER = frozenset({"ptq", "post", "posttraining", "gptq", "awq", "rtn"})
_PRECISE = frozenset({"precision", "dtype", "format", "quantization", "quantisation", "quant"})


def naming(missing: Sequence[str], frame: pl.DataFrame) -> str:
    """What to write to name the missing columns of a table: one line to copy."""
    wanted = {name: ranked(name, frame) for name in missing if name != "precision"}
    made, how = _tokens(wanted, frame)
    options = [
        made or _option(name, found, frame) if name == "tokens" else _option(name, found, frame)
        for name, found in wanted.items()
    ]
    said = f"name {'it' if len(options) == 1 else 'them'} with {' '.join(options)}"
    parts = [said] if options else []
    for name, found in wanted.items():
        if len(found) > 1:
            parts.append(f"{name} may also be {' or '.join(found[1:3])}")
        if not found and name == "tokens" and how:
            parts.append(how)
        elif not found and name in ("params", "tokens"):
            parts.append(f"no column looks like {name}; one for all rows is --set {name}=30B")
    return "; ".join(parts + ([_precision(frame)] if "precision" in missing else []))


def _tokens(wanted: Mapping[str, Sequence[str]], frame: pl.DataFrame) -> tuple[str, str]:
    """An option that makes tokens of other columns, where there are some, and what it supposes."""
    if wanted.get("tokens", ["found"]):
        return "", ""
    params = _own(wanted["params"][0], "params", frame) if wanted.get("params") else ""
    found = made_tokens(frame, "params" if "params" in frame.columns else params)
    if found is not None:
        return f"--column tokens='{found[0]}'", found[1]
    if steps := steps_of(frame):
        return "", (
            f"no column looks like tokens: {steps} x tokens a step is --column "
            f"tokens='{steps}*524288', with the tokens of your steps"
        )
    return "", ""


def _option(wanted: str, found: Sequence[str], frame: pl.DataFrame) -> str:
    if not found:
        return f"--column {wanted}=NAME"
    own = _own(found[0], wanted, frame)
    quoted = own if re.fullmatch(r"[\w./-]+", own) else f"'{own}'"
    return f"--column {wanted}={quoted}"


def _own(own: str, wanted: str, frame: pl.DataFrame) -> str:
    """A column, scaled where its name says a unit."""
    factor = factor_in_name(own, wanted) if wanted != "loss" else None
    if factor is not None and not tells_its_unit(frame[own]):
        return f"{own}*{factor:.0e}".replace("e+0", "e").replace("e+", "e")
    return own


def ranked(wanted: str, frame: pl.DataFrame) -> list[str]:
    """The columns that may hold the wanted one, best first; none where none looks like it."""
    scored = [(_score(wanted, name, frame[name]), name) for name in frame.columns]
    return [name for score, name in sorted(scored, key=lambda each: -each[0]) if score > 0]


def names_a_column(name: str) -> bool:
    """Whether a name says params, tokens or a loss plainly."""
    words = words_of(name)
    return any(known.get(word, 0) >= PLAIN for known in FOR.values() for word in words)


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


def repeats_named(columns: Sequence[str], frame: pl.DataFrame, tokens: str) -> str | None:
    """What to write where a column that is not used tells the unique tokens; None where none does.

    `tokens` is what the table's tokens are made from.
    """
    for own in columns:
        words = set(words_of(own))
        values = _numbers(frame[own]) if words & (_UNIQUE | _REPEATS) else []
        if not values or min(values) <= 0:
            continue
        if words & _UNIQUE and words & _SHARES and min(values) < 1 and max(values) <= 1:
            made = f"{tokens}*{own}"
        elif words & _REPEATS and max(values) > 1:
            made = f"{tokens}/{own}"
        elif words & _UNIQUE and words & {"tokens", "token"}:
            made = own
        else:
            continue
        asked = shlex.quote(f"unique_tokens={made}")
        return f"column {own} may tell them: --column {asked}; without it every token counts as new"
    return None


def _numbers(series: pl.Series) -> list[float]:
    """The values of a column; none where one of them is no number."""
    try:
        return [number(value) for value in series.drop_nulls().to_list() if value != ""]
    except (RunsError, OverflowError):
        return []


def _precision(frame: pl.DataFrame) -> str:
    """How to say the precision: a template of columns of bits, a column of spellings, or a word."""
    trained, after = _bits(frame, after=False), _bits(frame, after=True)
    own = next((n for n in frame.columns if _PRECISE & set(words_of(n)) and _spells(frame[n])), "")
    if after:
        # Trained in one precision, rounded to these bits afterwards: that is another loss.
        before = trained or (f"{{{own}}}" if own else "bf16")
        return f"build it like --precision '{before} -> {after}'"
    if trained:
        return f"build it like --precision '{trained}'"
    if own:
        return f"take the precision from --column precision={shlex.quote(own)}"
    return "say --precision bf16, or build it like --precision 'w{w_bits} a{a_bits}'"


def _bits(frame: pl.DataFrame, after: bool) -> str:
    """A template of the columns of bits in training, or of those after it; empty where none is."""
    parts: dict[str, str] = {}
    for name in frame.columns:
        words = set(words_of(name))
        if bool(words & _AFTER) != after or not words & _BITS or not _are_bits(frame[name]):
            continue
        part = next((_PARTS[word] for word in words_of(name) if word in _PARTS), None)
        parts.setdefault(part or ("a" if "abits" in words else "w"), name)
    return " ".join(f"{part}{{{name}}}" for part, name in parts.items())


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
