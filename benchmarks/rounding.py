"""Speed of fake quantisation on a 4096 x 4096 float32 array: ours in numpy, torch, compiled; other
libraries; plain copies.

On one thread of the processor; on_gpu.py has that of a GPU.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes
import numpy as np
import torch

from benchmarks.timing import seconds, table
from isoloss import formats, lm

SIDE = 4096
NAMES = ("int4/row", "e4m3/row", "e2m1/row", "mxfp4")
BYTES = 4.0 * SIDE * SIDE
Ways = Iterator[tuple[str, Callable[[], Any]]]


def main() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    x = torch.randn(SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    copies = _copies(x)
    machine = f"one thread, torch {torch.__version__}"
    print(f"### Fake quantisation, {SIDE} x {SIDE} float32, GB/s of input ({machine})\n")
    print(table(["copy", "GB/s"], [[name, f"{rate:.2f}"] for name, rate in copies.items()]), "\n")
    rates = {name: _rates(x, name) for name in NAMES}
    ways = list(dict.fromkeys(way for found in rates.values() for way in found))
    rows = [
        [way, *(f"{rates[name][way]:.2f}" if way in rates[name] else "-" for name in NAMES)]
        for way in ways
    ]
    print(table(["way", *NAMES], rows), "\n")
    print(table(["compiled", *NAMES], _verdicts(rates, copies)), "\n")


def _rate(call: Callable[[], Any]) -> float:
    """GB of input a second, the best of several calls after two to warm up."""
    call()
    call()
    return BYTES / seconds(call, 7)[0] / 1e9


def _copies(x: torch.Tensor) -> dict[str, float]:
    out = torch.empty_like(x)
    return {
        "into memory that is there": _rate(lambda: out.copy_(x)),
        "into a fresh result": _rate(x.clone),
    }


def _rates(x: torch.Tensor, name: str) -> dict[str, float]:
    found = {}
    for way, call in (*_ours(x, name), *_cast(x, name), *_torchao(x, name)):
        try:
            found[way] = _rate(call)
        except Exception as error:
            print(
                f"{way} on {name} did not run: {type(error).__name__}: "
                f"{str(error).splitlines()[0]}\n"
            )
    return found


def _ours(x: torch.Tensor, name: str) -> Ways:
    out = torch.empty_like(x)
    array = x.numpy()
    yield "isoloss, numpy", lambda: formats.fake_quantise(array, name)
    yield "isoloss, torch, one operation at a time", lambda: formats.fake_quantise(x, name)
    yield "isoloss, compiled", lambda: lm.fake_quantise(x, name)
    yield "isoloss, compiled, unchecked", lambda: lm.fake_quantise(x, name, check=False)
    yield "isoloss, compiled, into memory that is there", lambda: lm.fake_quantise(x, name, out=out)
    yield "isoloss, the same, unchecked", lambda: lm.fake_quantise(x, name, out=out, check=False)


def _cast(x: torch.Tensor, name: str) -> Ways:
    """Casts there and back, without any scale: less work than ours."""
    dtype = {"e4m3/row": ml_dtypes.float8_e4m3fn, "e2m1/row": ml_dtypes.float4_e2m1fn}.get(name)
    if dtype is not None:
        array = x.numpy()
        yield "ml_dtypes cast, no scale", lambda: array.astype(dtype).astype(np.float32)
    if name == "e4m3/row":
        fused = torch.compile(lambda y: y.to(torch.float8_e4m3fn).to(torch.float32))
        yield "torch cast, no scale", lambda: x.to(torch.float8_e4m3fn).to(torch.float32)
        yield "torch cast, no scale, compiled", lambda: fused(x)


def _torchao(x: torch.Tensor, name: str) -> Ways:
    try:
        call = _torchao_call(name)
    except ImportError as error:
        print(f"torchao is left out: {error}\n")
        return
    fused = torch.compile(call)
    yield "torchao", lambda: call(x)
    yield "torchao, compiled", lambda: fused(x)


def _torchao_call(name: str) -> Callable[[torch.Tensor], torch.Tensor]:
    """torchao's way to the same format with the same scales."""
    from torchao.prototype.custom_fp_utils import _f32_to_floatx_unpacked, _floatx_unpacked_to_f32
    from torchao.prototype.mx_formats.mx_tensor import MXTensor
    from torchao.quantization import PerRow
    from torchao.quantization.qat import (
        Float8FakeQuantizeConfig,
        Float8FakeQuantizer,
        IntxFakeQuantizeConfig,
        IntxFakeQuantizer,
    )

    def e2m1(x: torch.Tensor) -> torch.Tensor:
        step = x.abs().amax(-1, keepdim=True) / 6.0
        return _floatx_unpacked_to_f32(_f32_to_floatx_unpacked(x / step, 2, 1), 2, 1) * step

    def mxfp4(x: torch.Tensor) -> torch.Tensor:
        return MXTensor.to_mx(x, torch.float4_e2m1fn_x2, 32).dequantize(torch.float32)

    return {
        "int4/row": IntxFakeQuantizer(
            IntxFakeQuantizeConfig(torch.int4, "per_channel", is_symmetric=True)
        ),
        "e4m3/row": Float8FakeQuantizer(Float8FakeQuantizeConfig(torch.float8_e4m3fn, PerRow())),
        "e2m1/row": e2m1,
        "mxfp4": mxfp4,
    }[name]


def _verdicts(rates: dict[str, dict[str, float]], copies: dict[str, float]) -> list[list[str]]:
    """Ours over the fastest other way, and over the copies."""
    fresh, there = "isoloss, compiled", "isoloss, the same, unchecked"
    unchecked = "isoloss, compiled, unchecked"
    others = {
        name: max((r for way, r in found.items() if "isoloss" not in way), default=float("nan"))
        for name, found in rates.items()
    }
    return [
        [
            "checked, over the fastest other (bar 0.9)",
            *(f"{rates[n][fresh] / others[n]:.2f}" for n in rates)],
        [
            "unchecked, as the others are, over the fastest other (bar 0.9)",
            *(f"{rates[n][unchecked] / others[n]:.2f}" for n in rates)],
        [
            "unchecked, over a copy into a fresh result",
            *(f"{rates[n][unchecked] / copies['into a fresh result']:.2f}" for n in rates)],
        [
            "into memory that is there, over such a copy",
            *(f"{rates[n][there] / copies['into memory that is there']:.2f}" for n in rates)],
    ]  # fmt: skip


if __name__ == "__main__":
    main()
