"""The tab of formats: the numbers of each, its error, and what it costs a model by that error."""

from __future__ import annotations

from typing import Any

import isoloss as il
from isoloss.app.asked import FormatsAsked
from isoloss.app.lines import call, command, plain

#: The law that prices a format by its error.
PRICE = "error2026"
#: Numbers of a grid that are drawn.
MOST = 600


def formats(asked: FormatsAsked) -> dict[str, Any]:
    """Each format: bits, range, error, its numbers, and the gap that its error costs."""
    known = [il.Format.parse(word) for word in asked.formats.split()]
    spelled = [f"fp -> w:{each}" for each in known]
    count = len(known)
    sizes = [asked.params] * count, [asked.tokens] * count
    found = il.predict(PRICE, *sizes, spelled, gap=True)
    prices = zip(spelled, found.loss.tolist(), found.low.tolist(), found.high.tolist(), strict=True)
    words = {"params": plain(asked.params), "tokens": plain(asked.tokens)}
    return {
        "formats": [
            _row(each, asked) | dict(zip(("priced_as", "gap", "low", "high"), price, strict=True))
            for each, price in zip(known, prices, strict=True)
        ],
        "level": found.level,
        "warnings": [str(each) for each in found.warnings],
        "shell": [
            command("formats", *map(str, known), distribution=asked.distribution),
            command("predict", PRICE, gap=True, **words, precision=",".join(spelled)),
        ],
        "notebook": [
            "import isoloss as il",
            call("il.formats.relative_error", str(known[0]), asked.distribution),
            call("il.predict", PRICE, *sizes, spelled, gap=True),
        ],
    }


def _row(known: Any, asked: FormatsAsked) -> dict[str, Any]:
    """A format without its price."""
    return {
        "name": str(known),
        "bits": known.bits,
        "storage_bits": known.storage_bits,
        "largest": known.max,
        "error": il.formats.relative_error(known, asked.distribution),
        "integer_bits": il.formats.integer_bits(il.formats.relative_error(known)),
        "numbers": known.grid if known.has_grid and (known.levels or 0) <= MOST else [],
    }
