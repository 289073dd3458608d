"""The boxes of on_gpu.py: what each measures, in how many seconds, against which bar."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from isoloss import formats
from isoloss.formats import Format, catalogue
from isoloss.formats.torch_twin import compiled, fake_quantise
from isoloss.lm import Language, Recipe, model_of
from isoloss.lm.training import Job, Trainer, trainer_of

Row = dict[str, Any]
LONG = 10**6
#: What a step is measured in, the reference first.
STEPS = ("fp", "w4 a4 kv4", "w8 a8 kv8", "w:e4m3 a:e4m3", "w:mxfp4 a:mxfp4")
SIXTEEN = (
    "fp", "w2", "w3", "w4", "w6", "w8", "a3", "a4", "a6", "a8", "kv3", "kv4", "w:e2m1", "w:e4m3",
    "w4 a4 kv4", "w8 a8 kv8",
)  # fmt: skip
#: Formats that are compiled, each kind of rule once; all are rounded operation by operation.
COMPILED = ("int4/row", "e4m3/row", "mxfp4", "nvfp4", "int8", "nf4", "e2m1/32", "ternary/row")


@dataclass(frozen=True)
class Sizes:
    """How large everything is: at the size of a GPU unless `toy`."""

    device: str = "cuda"
    compiled: bool = True
    side: int = 16384
    small: str = "3M"
    middle: str = "30M"
    large: str = "300M"
    curve: str = "80k"
    context: int = 512
    sequences: int = 32
    rounds: int = 7
    steps: int = 200
    members: tuple[str, ...] = SIXTEEN

    @classmethod
    def toy(cls) -> Sizes:
        """A size at which a processor runs all boxes in seconds."""
        return cls("cpu", False, 128, "4k", "20k", "4k", "4k", 16, 2, 1, 3, SIXTEEN[:3])


@dataclass(frozen=True)
class Box:
    """One measurement: its rows come one by one, the most telling first."""

    name: str
    title: str
    seconds: float
    measure: Callable[[Sizes], Iterator[Row]]
    bar: str | None = None


class Held:
    """Tokens that are drawn once, so that a step does not wait for its batch to be made."""

    vocab, name = 256, "held"

    def __init__(self, context: int, sequences: int) -> None:
        self.context = context
        draw = np.random.default_rng(0)
        self._tokens = draw.integers(0, self.vocab, (sequences, context + 1))

    def batch(self, step: int, sequences: int, seed: int = 0) -> np.ndarray:
        return self._tokens[:sequences]

    def validation(self, sequences: int = 512) -> np.ndarray:
        return self._tokens[:2]

    def settings(self) -> dict[str, Any]:
        return {"kind": "held"}

    def unique(self, tokens: float) -> float:
        return tokens


# ---- timing
def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def _milliseconds(call: Callable[[], Any], device: str, times: int = 10) -> float:
    """Milliseconds of a call: by events of the device, which the host's own time is no part of."""
    for _ in range(2):
        call()
    if device != "cuda":
        start = time.process_time()
        for _ in range(times):
            call()
        return 1e3 * (time.process_time() - start) / times
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    for _ in range(times):
        call()
    end.record()
    _wait(device)
    return float(begin.elapsed_time(end)) / times


def _step_ms(trainer: Trainer, steps: int) -> float:
    device = trainer.device.type
    _wait(device)
    start = time.perf_counter()
    trainer.advance(trainer.step + steps, LONG, trainer.jobs[0].recipe)
    _wait(device)
    return 1e3 * (time.perf_counter() - start) / steps


def _job(size: str, precision: str, at: Sizes, **recipe: Any) -> Job:
    corpus = Held(at.context, at.sequences)
    how = Recipe(sequences=at.sequences, device=at.device, compiled=at.compiled, **recipe)
    tokens = LONG * at.sequences * at.context
    return Job.of(model_of(size), tokens, precision, corpus, how)


# ---- the boxes
def facts(at: Sizes) -> Iterator[Row]:
    """What the machine is, and whether rounding and a step run at all."""
    yield {"what": "torch", "value": torch.__version__}
    if at.device == "cuda":
        yield {"what": "device", "value": torch.cuda.get_device_name()}
        free, whole = torch.cuda.mem_get_info()
        yield {"what": "memory, GB free of", "value": f"{free / 1e9:.1f} of {whole / 1e9:.1f}"}
    yield {"what": "option of exact division", "value": str(compiled.exact_division())}
    x = torch.randn(64, 64)
    same = torch.equal(
        fake_quantise(x.to(at.device), "int4/row", compiled=at.compiled).cpu(),
        formats.fake_quantise(x, "int4/row"),
    )
    yield {"what": "int4/row has the bits of the specification", "value": same}
    trainer = Trainer(_job(at.curve, "w4 a4 kv4", at, dtype="bfloat16"))
    trainer.advance(2, LONG, trainer.jobs[0].recipe)
    yield {"what": "loss of two steps", "value": str([round(x[0], 4) for x in trainer.losses])}


def bits(at: Sizes) -> Iterator[Row]:
    """How many numbers differ from the specification in numpy, on codes, midpoints and noise."""
    for name in COMPILED if at.compiled else ():
        yield _differing(name, at, compiled=True)
    names = [str(known) for known in catalogue() if known.has_grid and known.name != "fp64"]
    for name in (*COMPILED, *names, "int4/32+had", "int4/row+clip", "uint4/row"):
        yield _differing(name, at, compiled=False)


def _differing(name: str, at: Sizes, compiled: bool) -> Row:
    known = Format.parse(name)
    x = _points(known)
    there = fake_quantise(torch.from_numpy(x).to(at.device), known, compiled=compiled)
    want = formats.fake_quantise(x, known)
    unlike = int((there.cpu().numpy().view(np.int32) != want.view(np.int32)).sum())
    return {"format": name, "compiled": compiled, "numbers": x.size, "differ": unlike}


def _points(known: Format) -> np.ndarray:
    """Rows of codes, midpoints and their neighbours, and of normal numbers of many sizes, (R, 256):
    groups end where rows do."""
    draw = np.random.default_rng(0)
    noise = draw.standard_normal((512, 256)) * np.exp2(draw.integers(-8, 8, (512, 1)))
    if known.levels is None or known.levels > 2**12:
        return noise.astype(np.float32)
    grid = known.grid
    near = np.concatenate([grid, (grid[1:] + grid[:-1]) / 2]).astype(np.float32)
    sides = [np.nextafter(near, np.float32(side)) for side in (-np.inf, np.inf)]
    hinges = np.concatenate([near, *sides])
    hinges = np.resize(hinges, (-(-hinges.size // 256), 256))
    hinges[:, 0] = known.max  # so that the scale of a row is one
    return np.concatenate([hinges, noise.astype(np.float32)])


def curves(at: Sizes) -> Iterator[Row]:
    """Losses of the same run on the device and on the processor."""
    language = Language()
    tokens = at.steps * 16 * language.context
    for precision in ("fp", "w4 a4 kv4"):
        losses = []
        for device in (at.device, "cpu"):
            recipe = Recipe(device=device, compiled=False, lr=0.01)
            job = Job.of(model_of(at.curve), tokens, precision, language, recipe)
            trainer = Trainer(job)
            trainer.advance(job.steps, job.steps, recipe)
            losses.append(np.array(trainer.losses)[:, 0])
        apart = np.abs(losses[0] - losses[1])
        for step in sorted({1, at.steps // 4, at.steps // 2, at.steps}):
            yield {
                "precision": precision, "step": step, "on the device": float(losses[0][step - 1]),
                "on the processor": float(losses[1][step - 1]), "apart": float(apart[step - 1]),
            }  # fmt: skip


def bandwidth(at: Sizes) -> Iterator[Row]:
    """GB/s of rounding, read and written, over those of a copy into memory that is there."""
    for dtype in (torch.float32, torch.bfloat16):
        x = torch.randn(at.side, at.side, device=at.device).to(dtype)
        out, size = torch.empty_like(x), 2e-6 * x.numel() * x.element_size()
        copied = _milliseconds(lambda x=x, out=out: out.copy_(x), at.device)
        for name in ("int4/row", "e4m3/row", "mxfp4", "int4", "nvfp4"):
            for exact in (True, False):
                took = _rounding_ms(x, out, name, at, exact)
                yield {
                    "dtype": str(dtype)[6:], "format": name, "exact division": exact,
                    "GB/s": size / took, "of a copy": copied / took, "copy GB/s": size / copied,
                }  # fmt: skip


def _rounding_ms(x: torch.Tensor, out: torch.Tensor, name: str, at: Sizes, exact: bool) -> float:
    """Milliseconds of one rounding into memory that is there, with divisions rounded or not."""
    asked = compiled.exact_division
    if not exact:
        compiled.exact_division = dict
    for programs in (compiled._program, compiled._program_into):
        programs.cache_clear()
    try:
        return _milliseconds(
            lambda: fake_quantise(x, name, out=out, check=False, compiled=at.compiled), at.device
        )
    finally:
        compiled.exact_division = asked


def _steps(size: str, at: Sizes, precisions: Sequence[str]) -> Iterator[Row]:
    """Steps in turns, so that all meet the same machine; a row for each precision and round."""
    trainers = [Trainer(_job(size, p, at, dtype="bfloat16")) for p in precisions]
    for trainer in trainers:
        _step_ms(trainer, 2)  # compiles
    took: list[list[float]] = []
    flops = model_of(size).training_flops(at.sequences * at.context, at.context)
    for k in range(at.rounds):
        took.append([_step_ms(trainer, 3) for trainer in trainers])
        middle = np.median(took, axis=0)
        ratio = np.median(np.array(took) / np.array(took)[:, :1], axis=0)
        for p, ms, over in zip(precisions, middle, ratio, strict=True):
            if k in (0, at.rounds - 1):
                yield {
                    "params": size, "precision": p, "rounds": k + 1, "ms a step": float(ms),
                    "over bf16": float(over), "Tflop/s": float(flops / ms / 1e9),
                }  # fmt: skip


def step(at: Sizes) -> Iterator[Row]:
    """A step of training at 30M params."""
    return _steps(at.middle, at, STEPS)


def large_step(at: Sizes) -> Iterator[Row]:
    """A step of training at 300M params."""
    return _steps(at.large, at, STEPS[:2])


def batch(at: Sizes) -> Iterator[Row]:
    """Sixteen precisions of 3M as one batched model, over one by one."""
    few = replace(at, context=min(at.context, 64), sequences=min(at.sequences, 16))
    jobs = [_job(at.small, p, few) for p in at.members]
    together = trainer_of(tuple(jobs))
    _step_ms(together, 2)
    once, alone = min(_step_ms(together, 3) for _ in range(3)), []
    for job in jobs:
        trainer = Trainer(job)
        _step_ms(trainer, 2)
        alone.append(min(_step_ms(trainer, 3) for _ in range(3)))
        yield {
            "precision": str(job.precision), "ms a step alone": alone[-1], "ms a step of all": once,
            "times faster, so far": float(np.mean(alone)) * len(jobs) / once,
        }  # fmt: skip


def determinism(at: Sizes) -> Iterator[Row]:
    """Whether the same run twice has the same losses, to the last bit."""
    for precision in ("fp", "w4 a4 kv4"):
        losses = []
        for _ in range(2):
            trainer = Trainer(_job(at.small, precision, at))
            trainer.advance(min(20, at.steps), LONG, trainer.jobs[0].recipe)
            losses.append(np.array(trainer.losses)[:, 0])
        unlike = losses[0] != losses[1]
        first = int(np.argmax(unlike)) + 1 if unlike.any() else None
        yield {
            "precision": precision, "steps": len(unlike), "first step apart": first or "none",
            "apart at the end": float(abs(losses[0][-1] - losses[1][-1])),
        }  # fmt: skip


#: In order: cheap and telling first. Their seconds are eight minutes together.
BOXES = {
    box.name: box
    for box in (
        Box("facts", "The machine, and a smoke test", 70, facts),
        Box("bits", "Numbers unlike the specification", 80, bits, "none differs"),
        Box("curves", "Losses on the device and on the processor", 40, curves),
        Box("bandwidth", "Rounding over a copy", 90, bandwidth, "at least .8 of a copy"),
        Box("step", "Steps at 30M params, bf16 products", 60, step, "w4 a4 kv4 at most 1.15"),
        Box("batch", "16 precisions at once over one by one", 60, batch, "at least 8 times"),
        Box("large_step", "Steps at 300M params, bf16 products", 60, large_step),
        Box("determinism", "The same run twice", 20, determinism),
    )
}
