"""What all replicates of a trial share, as compiled code takes it, and what its random numbers are
for.
"""

from __future__ import annotations

from typing import Any, NamedTuple

#: What a random number is for.
(
    # Each purpose has a stream of its own, so precisions of one seed share features, labels and
    # order.
    FEATURE,
    SHAPE,
    LABEL,
    ORDER,
    TARGET,
    DATA,
    LABELS,
    WEIGHTS,
    ACTIVATION,
    GRADIENT,
    STORED,
    RESULT,
) = range(12)
PURPOSES = 12
#: Distributions of features: normal, normal plus a sign, normal or zero.
NORMAL, SIGNED, SPARSE = range(3)


class Task(NamedTuple):
    """What all replicates of a point share; k inputs, n weights.

    deviation (k,), mix (k, n) or (0, 0): the model sees features, or features @ mix, rounded before
    or after. kind, share, gain: distribution of the features. sizes (stages,): the step size of
    each stage; ends (stages,): the steps that are made by its end. keep, carry, direct: the rule of
    updating. first: the first iterate that is averaged, or -1. held: samples of a data set that is
    used again, or 0. Rules (7,): of data, labels, activation and gradient in float32; of the
    weights in use, as stored, and of the result in float64. halted (1,): not 0 where nobody waits
    for the result any more.
    """

    deviation: Any
    mix: Any
    before: bool
    kind: int
    share: Any
    gain: Any
    sizes: Any
    ends: Any
    batch: int
    keep: float
    carry: float
    direct: float
    first: int
    held: int
    data: Any
    label: Any
    activation: Any
    gradient: Any
    weights: Any
    stored: Any
    result: Any
    feedback: bool
    streams: Any
    halted: Any
