"""A trial run: targets drawn, replicates spread over threads, results back in order."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isoloss.files import in_threads
from isoloss.linear.descent import SGD
from isoloss.linear.exact import check_walk
from isoloss.linear.sampled.kernels import NORMAL, SIGNED, SPARSE, TARGET, Task
from isoloss.linear.sampled.trial import Trial

Array = NDArray[np.float64]
Advance = Callable[[int], None]
#: Targets, results and rounded results, a row each, of some replicates: from the first, and how
#: many.
Runner = Callable[[int, int, Advance], tuple[Array, Array, Array]]
#: Pieces of a chunk that each thread gets.
PIECES = 8


def runner_of(trial: Trial, seed: int) -> Runner:
    """What runs replicates of a trial. Raises ModuleNotFoundError, in one sentence, without
    numba.
    """
    kernel = _kernel()
    streams = kernel.streams_of(seed)
    task, loops = _task(trial, streams), kernel.loops()
    problem, source = trial.problem, trial.source

    def run(low: int, rows: int, advance: Advance) -> tuple[Array, Array, Array]:
        if problem.random_target:
            # Random targets (rows, dim), one for two replicates; a fixed one is a single row for
            # all.
            targets = np.empty((rows, problem.dim))
            loops.targets(low, streams[TARGET], targets)
            targets *= np.sqrt(problem.target_squares)
        else:
            targets = np.broadcast_to(np.asarray(problem.target, dtype=float), (1, problem.dim))
        # What a sketch misses of <w*, x> is label noise to it, where x itself is not drawn.
        residual = 0.0 if source.before else 2 * source.missed(problem.lam, targets)
        # The compiled loop works in float32 on samples: deviations and slopes are cast once here.
        noise = np.sqrt(problem.noise_var + residual + np.zeros(len(targets))).astype(np.float32)
        slopes = source.slopes(targets).astype(np.float32)
        out, rounded = (np.empty((rows, source.weights)) for _ in range(2))

        def piece(here: slice) -> None:
            mine = here if problem.random_target else slice(0, 1)
            loops.replicates(
                low + here.start, task, slopes[mine], noise[mine], out[here], rounded[here]
            )

        # More pieces than threads, so that none waits long for the last; results land in order in
        # `out`. Compiled loops hear of no interrupt: they read a flag.
        in_threads(
            piece, _pieces(rows, loops.threads), loops.threads,
            ended=lambda here: advance(here.stop - here.start),
            halt=lambda: task.halted.fill(1),
        )  # fmt: skip
        return targets, out, rounded

    return run


def _pieces(rows: int, threads: int) -> list[slice]:
    step = max(1, math.ceil(rows / (PIECES * threads)))
    return [slice(at, min(at + step, rows)) for at in range(0, rows, step)]


def _kernel() -> Any:
    """The compiled loops, loaded only here: numba takes a while and is optional."""
    try:
        from isoloss.linear.sampled.kernels import loops
    except ModuleNotFoundError as error:
        if error.name not in ("numba", "llvmlite"):
            raise
        raise ModuleNotFoundError("sampling needs numba; pip install 'isoloss[sample]'") from None
    return loops


def _task(trial: Trial, streams: NDArray[np.uint64]) -> Task:
    source, sgd = trial.source, trial.sgd
    keep, carry, direct = sgd.coefficients
    kind, share, gain = _shape(trial.problem.kurtosis)
    sizes, ends = stages_of(sgd, trial.step_size)
    return Task(
        deviation=source.deviation.astype(np.float32),
        mix=np.ascontiguousarray(source.mix, dtype=np.float32),
        before=source.before,
        kind=kind,
        share=np.float32(share),
        gain=np.float32(gain),
        sizes=sizes,
        ends=ends,
        batch=sgd.batch,
        keep=keep,
        carry=carry,
        direct=direct,
        first=-1 if trial.first is None else trial.first,
        held=trial.held,
        feedback=trial.manner.feedback,
        streams=streams,
        halted=np.zeros(1, np.uint8),
        **trial.rules(),
    )


def stages_of(sgd: SGD, step_size: float) -> tuple[Array, NDArray[np.int64]]:
    """The step size of each stage, and the steps that are made by its end.

    Raises ValueError where every step is a stage of its own and there are more than can be held.
    """
    stages = sgd.stages(step_size)
    if stages is None:
        check_walk(sgd.steps)
        return sgd.step_sizes(step_size), np.arange(1, sgd.steps + 1)
    sizes, counts = zip(*stages, strict=True)
    return np.array(sizes), np.cumsum(counts)


def _shape(kurtosis: float) -> tuple[int, float, float]:
    """Kind, share and gain of features of a kurtosis, as data_source.py says."""
    if kurtosis == 3.0:
        return NORMAL, 1.0, 1.0
    if kurtosis > 3.0:
        return SPARSE, 3 / kurtosis, math.sqrt(kurtosis / 3)
    # Shares q, 1 - q of a normal and a sign: kurtosis 3 - 2 (1 - q)^2.
    normal = 1 - math.sqrt((3 - kurtosis) / 2)
    return SIGNED, math.sqrt(normal), math.sqrt(1 - normal)
