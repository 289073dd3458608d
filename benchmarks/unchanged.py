"""Numbers that a change of names, files or words must leave alone, to the last bit.

``python -m benchmarks.unchanged before.json`` on one checkout writes them down; the same line on
the next one, on the same
machine, compares and ends with 1 where a figure differs. Without a file: the figures alone, in
hexadecimal.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import isoloss as il
from benchmarks.isoloss2026 import RECIPE, keys_of_design

Figures = Iterator[tuple[str, str]]
FORMATS = [
    "int2",
    "int3",
    "int4",
    "int8",
    "int4_full",
    "uint4",
    "ternary",
    "binary",
    "e2m1",
    "e3m2",
    "e4m3",
    "e5m2",
    "fp16",
    "bf16",
    "mxfp4",
    "mxfp6",
    "mxfp8",
    "mxint8",
    "nvfp4",
    "int4/128",
    "int4/row",
    "int4/row+clip",
    "int4/32+had",
    "e2m1/16",
    "uint4/64",
    "e4m3/tensor",
]
SPELLINGS = (
    "w4",
    "w3 a8 kv:e4m3",
    "w8 a8 -> w4/128@gptq",
    "w.head:bf16",
    "d:add(1e-3)",
    "bf16",
    "w4~sr g:e2m1/16+had",
)


def main(path: str | None = None) -> None:
    found = {f"{part.__name__[1:]} {name}": value for part in PARTS for name, value in part()}
    if path is None:
        print("\n".join(f"{name} = {value}" for name, value in found.items()))
    elif Path(path).exists():
        _compare(json.loads(Path(path).read_text()), found)
    else:
        Path(path).write_text(json.dumps(found, indent=1))
        print(f"wrote {len(found)} figures to {path}")


def _compare(before: dict[str, str], now: dict[str, str]) -> None:
    moved = [name for name in before | now if before.get(name) != now.get(name)]
    for name in moved:
        print(f"{name}: {before.get(name)} before, {now.get(name)} now")
    print(
        f"{len(before | now) - len(moved)} of {len(before | now)} figures are equal to the last bit"
    )
    raise SystemExit(1 if moved else 0)


def _hex(*values: object) -> str:
    return " ".join(float(value).hex() for value in values)


def _hash(values: object) -> str:
    data = (
        values.tobytes() if isinstance(values, np.ndarray) else "\n".join(map(str, values)).encode()
    )
    return hashlib.sha256(data).hexdigest()[:16]


def _keys() -> Figures:
    """The keys of the bundled table, and those that its recipe asks for."""
    yield "table", _hash(sorted(il.read("isoloss2026")["key"]))
    yield "recipe", _hash(sorted({key for key, _ in keys_of_design()}))


def _trained() -> Figures:
    """Three runs of the bundled table trained again, and two of their rows after training."""
    kept = {run.key: run for run in il.read("isoloss2026")}
    for precision in ("fp", "w3 a3 kv3", "w:e2m1"):
        grid = il.Grid(params="20k", tokens_per_param=10, precision=precision, seed=0)
        after = ("w3", "w4@gptq") if precision == "fp" else ()
        for run in il.train(grid, recipe=RECIPE, post=after, workers=1, show=False):
            there = kept[run.key]
            yield f"{run.precision}", f"{_hex(run.loss)}, in the table {_hex(there.loss)}"


def _risks() -> Figures:
    """Exact, averaged, walked, closed and sampled risks."""
    problem = il.Regression(dim=300, decay=1.5, noise_var=1.0)
    settings = {
        "fp": ("fp", {}), "data": ("d:add(1e-3)", {}),
        "five": ("d:add(1e-3) l:vec(0.1) w:coord(0.02) a:vec(0.02) g:add(1e-2)", {}),
        "integers": ("d:int6", {}), "in use": ("d:add(1e-3)", {"inputs": "in use"}),
    }  # fmt: skip
    for name, (precision, words) in settings.items():
        for iterate in ("last", "average", "tail"):
            sgd = il.SGD(steps=400, batch=2, step_size=0.05)
            risk = il.linear.excess_risk(problem, sgd, precision, iterate=iterate, **words)
            # In use the value holds the floor; the norm is what older versions called the value.
            norm = getattr(risk.parts, "quantised_norm", None)
            yield f"{name} {iterate}", _hex(risk.value if norm is None else norm)
    walked = il.SGD(steps=200, step_size=0.05, schedule="cosine")
    yield "cosine", _hex(il.linear.excess_risk(problem, walked, "d:add(1e-3)").value)
    sgd = il.SGD(steps=50, step_size=0.05)
    small = il.Regression(dim=40, decay=1.5, noise_var=1.0)
    yield "closure", _hex(il.linear.excess_risk(small, sgd, "w:int8").value)
    sampled = il.linear.excess_risk(small, sgd, "w:int4 d:int6", method="sampled")
    yield "sampled", _hex(sampled.value, sampled.standard_error)


def _fits() -> Figures:
    """Constants and replicates of fitted laws, and a prediction."""
    tables = {"chinchilla": "simulated2024", "kumar2024": "simulated2024"}
    for law, name in tables.items():
        fit = il.fit(law, il.read(name), draws=20)
        yield law, " ".join(_hex(value) for value in fit.values.values())
        told = fit.predict("150M", "12B", "bf16")
        yield f"{law} prediction", _hex(*told.loss, *told.low, *told.high)


def _laws() -> Figures:
    """Every published law at one point, at its reference precision and at w4."""
    for law in il.laws.presets():
        for precision in ("bf16", "w4 a8", "fp -> w4"):
            try:
                yield f"{law.name} {precision}", _hex(law("1B", "20B", precision))
            except ValueError as error:
                yield f"{law.name} {precision}", type(error).__name__


def _plans() -> Figures:
    """The answer of one law on both abstract machines and on a real one."""
    for law, hardware in (("kumar2024", "linear-bits"), ("kumar2024", "h100"), ("sun2025", "h100")):
        formats = ["bf16", "int8", "w8", "w4 a8", "int4"]
        for best in il.plan(law, il.Budget(train="1e21 flop"), hardware, precision=formats).choices:
            yield f"{law} {hardware} {best.precision}", _hex(best.params, best.tokens, best.loss)
    model = il.Budget(params="6.48B", tokens="2T")
    for served in il.plans.rank_serving("published", model, "h100", ["fp", "w8", "w4/128"]).choices:
        yield f"served {served.precision}", _hex(served.gap)


def _formats() -> Figures:
    """Rounded arrays, errors and storage bits of formats; canonical spellings and slugs."""
    x = np.random.default_rng(0).normal(size=(64, 256)).astype(np.float32)
    for name in FORMATS:
        known = il.Format.parse(name)
        error = (
            _hex(il.formats.relative_error(known))
            if known.granularity != "tensor" and not known.hadamard
            else ""
        )
        rounded = np.asarray(il.formats.fake_quantise(x, known))
        yield name, f"{known} {_hex(known.storage_bits, known.max)} {error} {_hash(rounded)}"
    for text in SPELLINGS:
        yield f"spelling {text}", f"{il.Precision.parse(text)} {il.Precision.parse(text).slug}"


PARTS: tuple[Callable[[], Figures], ...] = (_keys, _formats, _laws, _risks, _fits, _plans, _trained)

if __name__ == "__main__":
    main(*sys.argv[1:2])
