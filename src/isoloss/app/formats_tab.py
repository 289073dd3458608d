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
    rows = [_row(each, asked) for each in known]
    sizes = {"params": plain(asked.params), "tokens": plain(asked.tokens)}
    prices = ",".join(row["priced_as"] for row in rows)
    return {
        "formats": rows,
        "shell": [
            command("formats", *map(str, known), distribution=asked.distribution),
            command("predict", PRICE, gap=True, **sizes, precision=prices),
        ],
        "notebook": [
            "import isoloss as il",
            call("il.formats.relative_error", str(known[0]), asked.distribution),
            call("il.predict", PRICE, asked.params, asked.tokens, rows[0]["priced_as"], gap=True),
        ],
    }


def _row(known: Any, asked: FormatsAsked) -> dict[str, Any]:
    spelling = f"fp -> w:{known}"
    found = il.predict(PRICE, asked.params, asked.tokens, spelling, gap=True)
    grid = known.grid if known.has_grid and (known.levels or 0) <= MOST else []
    return {
        "name": str(known),
        "bits": known.bits,
        "storage_bits": known.storage_bits,
        "largest": known.max,
        "error": il.formats.relative_error(known, asked.distribution),
        "integer_bits": il.formats.integer_bits(il.formats.relative_error(known)),
        "numbers": grid,
        "priced_as": spelling,
        "gap": float(found.loss[0]),
        "low": float(found.low[0]),
        "high": float(found.high[0]),
        "warnings": [str(each) for each in found.warnings],
    }
