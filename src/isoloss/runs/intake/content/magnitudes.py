"""Whole columns of counts that are in thousands, millions or billions, by their names and values.

A count is never scaled unasked. Where the name of a column says a unit, or no language model has
such counts, the table is refused with both readings; a column given as an expression, as
'tokens*1e9' or 'tokens*1', has said its unit. What is odd without being impossible is a warning.
"""

from __future__ import annotations

import itertools
import re
import warnings
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

import numpy as np
import polars as pl

from isoloss.runs.intake.cells import more_than
from isoloss.runs.intake.content.spans import (
    Array,
    count_of,
    logs_of,
    middle_of,
    power,
    scaled,
    span,
    within,
)
from isoloss.runs.intake.content.words import words_of
from isoloss.runs.intake.origin import Origin
from isoloss.runs.problems import OddCounts, RunsError

#: The least and the largest count that a language model has: of what was ever trained, with room.
LIKELY: dict[str, tuple[float, float]] = {
    "params": (1e4, 2e13),
    "tokens": (1e4, 5e14),
    "unique_tokens": (1e3, 5e14),
    "params_embedding": (1e2, 1e13),
    "batch_tokens": (16, 1e10),
    "flops": (1e9, 1e30),
}
#: Tokens per param that no run has, those that few have, and what most have about.
IMPOSSIBLE, ODD, USUAL = (1e-3, 1e7), (0.1, 1e5), 40.0
#: Tokens per param of a table that is read the other way round.
MOST_SWAPPED = 2e3
#: The count that an unsaid unit of a constant is taken to come near to.
USUAL_COUNT = 1e10
#: Epochs that no run has in the median.
MOST_EPOCHS = 1e4
#: Fewest different pairs of params and tokens of which a unit can be told.
FEWEST = 3
#: How far the one row stands from the others that is asked about.
FAR_COUNT, FAR_LOSS = 300.0, 2.0
#: How far counts in two units of one column are apart, and the largest logarithm of a count.
FAR_UNITS, MOST_LOG = 1e3, 100.0
#: Cells that are looked at at once.
PIECE = 10_000
#: A count of FLOPs this far off 6 N D is in another unit.
OFF_FLOPS = 30.0

_WORDS = {1e3: "thousands", 1e6: "millions", 1e9: "billions", 1e12: "trillions"}
_SAID = {
    **dict.fromkeys(("k", "thousand", "thousands"), 1e3),
    **dict.fromkeys(("m", "mio", "mn", "million", "millions"), 1e6),
    **dict.fromkeys(("b", "g", "bn", "billion", "billions"), 1e9),
    **dict.fromkeys(("t", "tn", "trillion", "trillions"), 1e12),
}
_OF_FLOPS = {"k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "p": 1e15, "e": 1e18, "z": 1e21}
_OF_FLOPS |= {"giga": 1e9, "tera": 1e12, "peta": 1e15, "exa": 1e18, "zetta": 1e21}


def factor_in_name(own: str, column: str = "tokens") -> float | None:
    """The unit that the name of a column of counts says, as 1e9 of 'tokens_B' or 'tokens (B)'.

    Letters count at the end only, apart from what stands before them; words anywhere.
    """
    letter = re.search(r"\S(?:[_-]|\s*[\[(]|\s)\s*([a-z]{1,2})\s*[\])]?\s*$", own.lower())
    if letter is not None and letter[1] in _SAID:
        return _SAID[letter[1]]
    words = [word for word in re.split(r"[^A-Za-z0-9]+", own) if word]
    words = [part for word in words for part in re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+", word)]
    for word in (word.lower() for word in words):
        if len(word) > 2 and word in _SAID:
            return _SAID[word]
        flops = re.fullmatch(r"([kmgtpez]|giga|tera|peta|exa|zetta)flops?", word)
        if flops is not None and column == "flops":
            return _OF_FLOPS[flops[1]]
    return None


def tells_its_unit(series: pl.Series) -> bool:
    """Whether every known cell says its own unit, as '125M' and '2.5 billion' do."""
    if series.dtype != pl.String:
        return False
    found = False
    # The first cell that ends in a digit settles it.
    for at in range(0, len(series), PIECE):
        texts = [text for value in series[at : at + PIECE] if value and (text := value.strip())]
        if not all(text[-1].isalpha() for text in texts):
            return False
        found |= bool(texts)
    return found


def check_magnitudes(table: pl.DataFrame, origin: Origin, told: AbstractSet[str]) -> None:
    """Refuse counts that are in another unit, and warn of odd ones.

    Parameters
    ----------
    table
        Checked rows.
    origin
        Where they are from, with the file's own names of columns.
    told
        Columns whose unit is given: by an expression, a constant, or in every cell.

    Raises
    ------
    RunsError
        A column's name says a unit, or no language model has such counts; with both readings.
    """
    counts = [name for name in (*LIKELY, "loss", "status", "metric") if name in table.columns]
    rows = (
        table.select(counts)
        .with_row_index("_row")
        .filter((pl.col("status") == "ok") & pl.col("metric").str.starts_with("nats"))
    )
    if rows.is_empty():
        return
    told = told | {name for name in origin.given & LIKELY.keys() if _is_likely(rows, name)}
    problems = list(_by_constant(rows, origin, told)) or list(_by_name(rows, origin, told))
    problems = problems or list(_by_mixture(rows, origin, told))
    problems = problems or list(_by_value(rows, origin, told))
    problems = problems or list(_by_epochs(rows, origin, told))
    if problems:
        raise RunsError("; ".join(problems))
    if more_than(rows.select("params", "tokens"), FEWEST - 1):
        for message in itertools.chain(_odd_ratios(rows, origin), _odd_flops(rows, origin)):
            warnings.warn(message, OddCounts, stacklevel=2)
    for message in _odd_rows(rows, origin):
        warnings.warn(message, OddCounts, stacklevel=2)


def _is_likely(rows: pl.DataFrame, name: str) -> bool:
    return within(rows[name].to_numpy(), LIKELY[name])


def _by_constant(rows: pl.DataFrame, origin: Origin, told: AbstractSet[str]) -> Iterator[str]:
    """Counts given for all rows that no language model has, and that say no unit."""
    for name in sorted((origin.given & LIKELY.keys()) - told):
        value = float(rows[name][0])
        text, unit = f"{value:.12g}", name.rsplit("_", 1)[-1]
        unit = {"embedding": "params"}.get(unit, unit)
        usual = ""
        if value < LIKELY[name][0]:
            size = min("kMBT", key=lambda s: abs(np.log(value * _SAID[s.lower()] / USUAL_COUNT)))
            usual = f"write its unit, as {text}{size}, or, "
        yield (
            f"{name}={text} for all rows of {origin.name} is no count that a language model has: "
            f"{usual or 'write the count, or, '}where it is the count as it stands, "
            f"{name}='{text} {unit}'"
        )


def _by_name(rows: pl.DataFrame, origin: Origin, told: AbstractSet[str]) -> Iterator[str]:
    for name, ends in LIKELY.items():
        own = origin.called.get(name, name)
        factor = factor_in_name(own, name)
        if name in told or name not in rows.columns:
            continue
        values = rows[name].drop_nulls().to_numpy()
        if not len(values):
            continue
        yield from _by_logarithm(own, name, values, origin)
        if factor is None or (within(values, ends) and not within(values, ends, factor)):
            continue
        yield (
            f"{origin.column(name)} of {origin.name} holds {span(values)}, and its name says "
            f"{_WORDS.get(factor, f'{factor:g}')}: read it with --column {name}='{own}*"
            f"{power(factor)}', or, where the numbers are counts as they stand, with --column "
            f"{name}='{own}*1'"
        )


def _by_logarithm(own: str, name: str, values: Array, origin: Origin) -> Iterator[str]:
    """Counts of a column whose name says that these are logarithms, and whose values may be."""
    words = words_of(re.split(r"[./]", own)[-1])
    if {"log", "ln"} & set(words) and values.max() < MOST_LOG:
        yield (
            f"{origin.column(name)} of {origin.name} holds {span(values)}, and its name says "
            "logarithms: write the counts themselves, or, where the numbers are counts as they "
            f"stand, read it with --column {name}='{own}*1'"
        )


def _by_mixture(rows: pl.DataFrame, origin: Origin, told: AbstractSet[str]) -> Iterator[str]:
    """Counts of which several are far below those of any language model, and several are not."""
    for name in ("params", "tokens"):
        if name in told or len(rows) < 4 or rows[name].to_numpy().min() >= LIKELY[name][0]:
            continue
        logs = np.sort(logs_of(rows, name))
        at = int(np.argmax(np.diff(logs))) + 1
        if logs[at] - logs[at - 1] < np.log(FAR_UNITS) or not 2 <= at <= len(logs) - 2:
            continue
        low, high = np.exp(logs[:at]), np.exp(logs[at:])
        first = rows["_row"].gather((rows[name].log() <= logs[at - 1] + 1e-9).arg_true())[0]
        yield (
            f"{origin.column(name)} of {origin.name} holds {span(low)} in {at} rows and "
            f"{span(high)} in {len(high)}, as two units do {origin.place(int(first))}: write all "
            "in one unit, or each cell with its own, as 20B; if they are counts as they stand, "
            f"read them with {scaled(name, '1', origin)}"
        )


def _by_value(rows: pl.DataFrame, origin: Origin, told: AbstractSet[str]) -> Iterator[str]:
    if not more_than(rows.select("params", "tokens"), FEWEST - 1):
        return
    params, tokens = rows["params"].to_numpy(), rows["tokens"].to_numpy()
    ratio = middle_of(logs_of(rows, "tokens") - logs_of(rows, "params"))
    low = {name for name in ("params", "tokens") if rows[name].to_numpy().max() < LIKELY[name][0]}
    impossible = not IMPOSSIBLE[0] <= ratio <= IMPOSSIBLE[1]
    if not (low - told) and not (impossible and not {"params", "tokens"} & told):
        return
    text = (
        f"params of {origin.name} are {span(params)} and tokens {span(tokens)}, which no "
        "language model has"
    )
    factors = _likely_factors(params, tokens, ratio, told)
    names = list(factors) or sorted(low - told or {"tokens"})
    reads = " ".join(scaled(name, power(factors[name]), origin) for name in factors)
    stand = " ".join(scaled(name, "1", origin) for name in names)
    if factors:
        units = " and ".join(f"{name} are in {_WORDS[factor]}" for name, factor in factors.items())
        per_param = ratio * factors.get("tokens", 1.0) / factors.get("params", 1.0)
        text += f": if {units}, read them with {reads} ({per_param:.3g} tokens per param)"
    yield f"{text}; if they are counts as they stand, read them with {stand}"


def _likely_factors(
    params: Array, tokens: Array, middle: float, told: AbstractSet[str]
) -> dict[str, float]:
    """The fewest units that make both columns counts of language models, nearest to the usual.

    middle: tokens per param as they stand.
    """
    found = []
    for p, t in itertools.product((1.0, *_WORDS), repeat=2):
        changed = {name: f for name, f in (("params", p), ("tokens", t)) if f != 1.0}
        whole = within(params, LIKELY["params"], p) and within(tokens, LIKELY["tokens"], t)
        ratio = middle * t / p
        if whole and ODD[0] <= ratio <= ODD[1] and not set(changed) & told:
            # Of two that differ in both units alike, the one of models of about 1e9 params.
            size = abs(np.log(float(np.median(params)) * p / 1e9))
            found.append((len(changed), round(abs(np.log(ratio / USUAL)), 3), size, changed))
    return min(found, key=lambda each: each[:3])[3] if found else {}


def _odd_ratios(rows: pl.DataFrame, origin: Origin) -> Iterator[str]:
    ratio = logs_of(rows, "tokens") - logs_of(rows, "params")
    middle, more = middle_of(ratio), int(np.sum(ratio < 0))
    if not ODD[0] <= middle <= ODD[1]:
        yield (
            f"{origin.name} has {middle:.3g} tokens per param in the median, where runs have "
            f"{ODD[0]:g} to {ODD[1]:g}: are params or tokens in another unit?"
            + _likely_unit(middle, origin)
            + (_swapped(origin) if ODD[0] <= 1 / middle <= MOST_SWAPPED else "")
        )
    elif 2 * more > len(ratio):
        yield (
            f"{more} of {len(ratio)} runs of {origin.name} have more params than tokens: are they "
            f"named the right way round, and in one unit?{_swapped(origin)}"
        )


def _swapped(origin: Origin) -> str:
    """The options that read params as tokens and tokens as params."""
    params, tokens = (origin.called.get(name, name) for name in ("params", "tokens"))
    return f" --column params='{tokens}' --column tokens='{params}' reads them the other way round"


def _likely_unit(middle: float, origin: Origin) -> str:
    """The unit that brings the median tokens per param nearest to the usual, in words."""
    name, over = ("tokens", 1.0) if middle < ODD[0] else ("params", -1.0)
    near = [(abs(np.log(middle * f**over / USUAL)), f) for f in _WORDS]
    far, factor = min(near)
    if far > np.log(ODD[1] / USUAL):
        return ""
    return f" {scaled(name, power(factor), origin)} reads {name} in {_WORDS[factor]}"


def _by_epochs(rows: pl.DataFrame, origin: Origin, told: AbstractSet[str]) -> Iterator[str]:
    """Unique tokens of which tokens would be more epochs than anyone trains."""
    if "unique_tokens" in told or "unique_tokens" not in rows.columns:
        return
    known = rows.filter(pl.col("unique_tokens") > 0)
    if known.is_empty():
        return
    epochs = middle_of(logs_of(known, "tokens") - logs_of(known, "unique_tokens"))
    if epochs <= MOST_EPOCHS:
        return
    factor = min(_WORDS, key=lambda f: abs(np.log(epochs / f)))
    name = "unique_tokens"
    yield (
        f"{origin.column(name)} of {origin.name} makes {epochs:.3g} epochs in the median, which no "
        f"run has: if they are in {_WORDS[factor]}, read them with "
        f"{scaled(name, power(factor), origin)}; if they are counts as they stand, with "
        f"{scaled(name, '1', origin)}"
    )


def _odd_flops(rows: pl.DataFrame, origin: Origin) -> Iterator[str]:
    if "flops" not in rows.columns:
        return
    known = rows.filter(pl.col("flops").is_not_null())
    if known.is_empty():
        return
    rule = np.log(6) + logs_of(known, "params") + logs_of(known, "tokens")
    off = middle_of(logs_of(known, "flops") - rule)
    if not 1 / OFF_FLOPS <= off <= OFF_FLOPS:
        factor = 10.0 ** (3 * round(-float(np.log10(off)) / 3))
        yield (
            f"{origin.column('flops')} of {origin.name} is {off:.2g} times 6 x params x tokens in "
            "the median: is it in another unit? "
            f"{scaled('flops', power(factor), origin)} scales it"
        )


def _odd_rows(rows: pl.DataFrame, origin: Origin) -> Iterator[str]:
    """Single rows whose counts or losses stand far from all others, as one in another unit does."""
    params, tokens = logs_of(rows, "params"), logs_of(rows, "tokens")
    looked = {
        "params": (params, FAR_COUNT),
        "tokens": (tokens, FAR_COUNT),
        "tokens per param": (tokens - params, FAR_COUNT),
        "loss": (logs_of(rows, "loss"), FAR_LOSS),
    }
    said: set[int] = set()
    for name, (logs, least) in looked.items():
        row = _alone(logs, np.log(least))
        if row is None or row in said:
            continue
        said.add(row)
        rest = np.delete(logs, row)
        yield (
            f"one row has {name} {count_of(name, logs[row])} where all others have "
            f"{count_of(name, rest.min())} to {count_of(name, rest.max())} "
            f"{origin.place(int(rows['_row'][row]))}: is it in another unit? Nothing was dropped"
        )


def _alone(logs: Array, least: float) -> int | None:
    """The row at one end that stands apart by `least` and thrice any other gap; None for none."""
    if len(logs) < 6:
        return None
    ends = np.partition(logs, (0, 1, -2, -1))
    if max(ends[1] - ends[0], ends[-1] - ends[-2]) < least:
        return None
    order = np.argsort(logs, kind="stable")
    gaps = np.diff(logs[order])
    for end, gap in ((0, gaps[0]), (-1, gaps[-1])):
        others = gaps[1:] if end == 0 else gaps[:-1]
        if gap >= least and gap >= 3 * others.max():
            return int(order[end])
    return None
