"""The clip search and the columns of GPTQ in machine code beside arrays, one after the other.

``python -m benchmarks.clip_search [ROWS]``: weights of so many rows of 1152, seconds of processor.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from unittest import mock

import numpy as np
import torch

from benchmarks.timing import asked, table
from isoloss.formats import Format, fake_quantise
from isoloss.formats.rounding import scaling
from isoloss.lm.after.columns import feeding
from isoloss.lm.after.methods.gptq import gptq
from isoloss.lm.after.seen import Moments

WIDTH = 1152
SEARCHED = ("uint3/64+clip", "uint4/32+clip", "nf4/64+clip", "int4/row+clip")
FED = ("uint3/64", "nf4/64", "e4m3/row")


def main(rows: int = 2000) -> None:
    """Seconds of both, and their ratio."""
    torch.set_num_threads(1)
    draw = np.random.default_rng(0)
    w = torch.from_numpy(draw.standard_t(8, (rows, WIDTH)).astype(np.float32))
    x = torch.from_numpy(draw.normal(size=(2 * WIDTH, WIDTH)))
    moments = Moments.of_hessian(2 * x.T @ x)  # whose factor is found once
    found = [_beside(name, scaling, lambda n=name: fake_quantise(w, n)) for name in SEARCHED]
    found += [
        _beside(f"{name}@gptq", feeding, lambda n=name: gptq(w, moments, Format.parse(n)))
        for name in FED
    ]
    print(f"### Machine code beside arrays, {rows} x {WIDTH} weights\n")
    print(table(["", "machine code, s", "arrays, s", "ratio"], found), "\n")


def _beside(name: str, module: object, call: Callable[[], object]) -> list[str]:
    call()  # compiled, and in the cache
    fast = _seconds(call)
    with mock.patch.object(module, "find_spec", return_value=None):
        slow = _seconds(call)
    return [name, f"{fast:.2f}", f"{slow:.2f}", f"{slow / fast:.1f}"]


def _seconds(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


if __name__ == "__main__":
    main(*asked(__doc__, sys.argv[1:], int))
