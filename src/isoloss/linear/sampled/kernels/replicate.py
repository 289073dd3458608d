"""One run of quantised SGD, compiled: the loop that sampling spends its time in.

Features, labels and what is rounded once a sample are float32; the weights, their sum and what is
rounded once a step are float64. Every random number is a function of seed, purpose, replicate and
place (counter_rng.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from isoloss.linear.sampled.kernels.compiled import apart, loose, strict
from isoloss.linear.sampled.kernels.counter_rng import key_at, normal, normal_row
from isoloss.linear.sampled.kernels.sample_rows import add_row, dot, feature_row, mixed_row, shuffle
from isoloss.linear.sampled.kernels.task import (
    ACTIVATION,
    DATA,
    FEATURE,
    GRADIENT,
    LABEL,
    LABELS,
    ORDER,
    RESULT,
    SHAPE,
    STORED,
    WEIGHTS,
)
from isoloss.linear.sampled.kernels.twin_rows import round_row, rounded_one


@loose
def move(
    w: Any,
    speed: Any,
    error: Any,
    stored: Any,
    pull: Any,
    size: float,
    task: Any,
    key: Any,
    noise: Any,
) -> None:
    """One step of the weights along the batch's mean gradient, `pull` / batch, and the rounding
    they are kept in.
    """
    # pull is the sum of u o over the batch, o = label - activation: minus the gradient times B.
    rate = size / task.batch
    if task.keep > 0:
        for i in range(w.size):
            # speed is u of the theory.
            speed[i] = task.keep * speed[i] + rate * pull[i]
            w[i] += task.carry * speed[i]
        if task.direct > 0:
            for i in range(w.size):
                w[i] += task.direct * rate * pull[i]
    else:
        rate = (task.carry + task.direct) * rate
        for i in range(w.size):
            w[i] += rate * pull[i]
    # Weights without a master copy are rounded after the step; what is cut off is kept for the next
    # one.
    if task.stored[0] > 0:
        if task.feedback:
            for i in range(w.size):
                w[i] += error[i]
        round_row(stored, w, task.stored, key, noise)
        for i in range(w.size):
            error[i] = w[i] - stored[i]
            w[i] = stored[i]


@strict
def see(u: Any, x: Any, between: Any, task: Any, key: Any, noise: Any) -> None:
    """Fill u (n,) with what the model sees of features x (k,): rounded, mixed, or both."""
    if task.mix.size == 0:
        round_row(u, x, task.data, key, noise[: u.size])
    elif task.before:
        round_row(between[: x.size], x, task.data, key, noise[: x.size])
        mixed_row(u, between[: x.size], task.mix)
    else:
        mixed_row(between[: u.size], x, task.mix)
        round_row(u, between[: u.size], task.data, key, noise[: u.size])


@strict
def batch_pull(
    pull: Any,
    used: Any,
    room: Any,
    order: Any,
    slope: Any,
    noise_sd: Any,
    task: Any,
    at: int,
    t: int,
) -> None:
    """Fill pull (n,) with the sum of u o over the batch of step t, o the rounded error of each
    sample.
    """
    # Room for one sample: features (k,), what is between (max(k, n),), what the model sees (n,),
    # normal numbers.
    x, between, u, noise = room
    # Keys of this replicate by purpose. Features and labels depend on the sample, rounding on the
    # place in time, so that a second pass rounds the same samples anew.
    features, shapes, labels = (
        key_at(task.streams[FEATURE], at),
        key_at(task.streams[SHAPE], at),
        key_at(task.streams[LABEL], at),
    )
    data, first = key_at(task.streams[DATA], at), key_at(task.streams[LABELS], at)
    second, third = key_at(task.streams[ACTIVATION], at), key_at(task.streams[GRADIENT], at)
    # A factor that the batch shares has a key of its own kind: that of the step, below zero.
    # The three parts whose factor a batch may share: labels, activations, gradients.
    shared = (key_at(first, -2 - t), key_at(second, -2 - t), key_at(third, -2 - t))
    pull[:] = np.float32(0)
    # Sample by sample: o needs the whole row u first, so samples are not vectorised, rows are.
    for b in range(task.batch):
        place = t * task.batch + b
        sample = order[place % order.size] if order.size else place
        feature_row(x, task, key_at(features, sample), key_at(shapes, sample))
        y = dot(x, slope) + noise_sd * normal(key_at(labels, sample))
        see(u, x, between, task, key_at(data, place), noise)
        label = rounded_one(y, task.label, key_at(first, place), shared[0])
        activation = rounded_one(dot(u, used), task.activation, key_at(second, place), shared[1])
        error = rounded_one(label - activation, task.gradient, key_at(third, place), shared[2])
        add_row(pull, error, u)


@apart
def replicate(at: int, task: Any, slope: Any, noise_sd: Any, out: Any, rounded: Any) -> None:
    """Fill out (n,) with the result of replicate `at`, and rounded (n,) with that rounded once
    more.

    Labels are <slope (k,), features> + noise_sd times a normal number.
    """
    # All arrays of a replicate are allocated once; the loops below allocate nothing.
    k, n = task.deviation.size, out.size
    x, between, noise = (
        np.empty(k, np.float32),
        np.empty(max(k, n), np.float32),
        np.empty(max(k, n), np.float32),
    )
    u, used, pull = np.empty(n, np.float32), np.empty(n, np.float32), np.empty(n, np.float32)
    w, speed, error, other, total = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    order, short = np.empty(task.held, np.int64), noise[:n]
    weights, stored = key_at(task.streams[WEIGHTS], at), key_at(task.streams[STORED], at)
    orders, steps, stage = key_at(task.streams[ORDER], at), task.ends[-1], 0
    for t in range(steps):
        if task.halted[0]:
            return
        while t >= task.ends[stage]:
            stage += 1
        # w_t before the step: the average is over w_first..w_{T-1}.
        if 0 <= task.first <= t:
            add_row(total, 1.0, w)
        # A new pass through the data set starts with a new order.
        if task.held > 0 and (t * task.batch) % task.held == 0:
            shuffle(order, key_at(orders, t))
        round_row(other, w, task.weights, key_at(weights, t), short)
        for i in range(n):
            # The parameter is rounded in float64 and used in float32, once a step for the whole
            # batch.
            used[i] = other[i]
        batch_pull(pull, used, (x, between, u, noise), order, slope, noise_sd, task, at, t)
        move(w, speed, error, other, pull, task.sizes[stage], task, key_at(stored, t), short)
    for i in range(n):
        out[i] = w[i] if task.first < 0 else total[i] / (steps - task.first)
    round_row(rounded, out, task.result, key_at(key_at(task.streams[RESULT], at), 0), short)


@apart
def target_row(out: Any, at: int, stream: Any, noise: Any) -> None:
    """Fill out (d,) with standard normal numbers, the same for replicates 2 j and 2 j + 1."""
    normal_row(noise, key_at(stream, at // 2))
    for i in range(out.size):
        out[i] = noise[i]
