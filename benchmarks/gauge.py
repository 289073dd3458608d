"""Faults put into runs in four bits: by which share of the tokens the gauge finds them, and how
often it is alarmed by runs without one.

``python -m benchmarks.gauge [FOLDER [SEEDS [FAULTY [STEPS]]]]``: trains what the folder of logs
lacks (SEEDS pairs without a fault, the first FAULTY seeds of each fault), then reports. A run of
5k params and 300 steps takes about ten seconds of a core, its control three.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.timing import asked
from isoloss.formats import Format
from isoloss.lm import GradientRule, Language, Recipe, fake_quantise, model_of, register_rule
from isoloss.lm.training import Job, Trainer

FORMAT, SIZE, SEQUENCES = "e2m1/32", "5k", 8
#: Steps by which the scale of weights is late where it is stale.
STALE = 16
PLANNED = f"w:{FORMAT} a:{FORMAT} g:{FORMAT}~sr"
#: What was trained in place of the planned recipe, by what is wrong with it.
FAULTS = {
    "gradients to nearest, not stochastic": f"w:{FORMAT} a:{FORMAT} g:{FORMAT}",
    "scales floored to powers of two (mxfp4)": "w:mxfp4 a:mxfp4 g:mxfp4~sr",
    f"largest weight of {STALE} steps ago": f"w:e2m1/row@stale a:{FORMAT} g:{FORMAT}~sr",
    "one matrix (fc1) in 2 bits": f"{PLANNED} w.fc1:int2",
}


def main(folder: str = "", seeds: int = 40, faulty: int = 10, steps: int = 300) -> None:
    """Train what is missing, and report."""
    with tempfile.TemporaryDirectory() as made:
        logs = Path(folder or made)
        logs.mkdir(parents=True, exist_ok=True)
        trained(logs, seeds, faulty, steps)


def trained(logs: Path, seeds: int, faulty: int, steps: int) -> None:
    """The logs of the study: seed by seed, so that a part of them is a study too."""
    register_rule(GradientRule("stale", stale), replace=True)
    for seed in range(seeds):
        wrong = FAULTS.values() if seed < faulty else ()
        for precision in ("fp", PLANNED, *wrong):
            log = log_of(logs, precision, seed)
            if not log.exists():
                np.save(log, _losses(precision, seed, steps))


def log_of(logs: Path, precision: str, seed: int) -> Path:
    """The file of the losses of a run."""
    kind = ["fp", PLANNED, *FAULTS.values()].index(precision)
    return logs / f"{kind}_{seed}.npy"


def _losses(precision: str, seed: int, steps: int) -> np.ndarray:
    """The training loss of each step; batches and first weights depend on the seed alone."""
    _LATE.clear()
    corpus, recipe = Language(vocab=64, context=32), Recipe(sequences=SEQUENCES)
    tokens = steps * SEQUENCES * corpus.context
    job = Job.of(model_of(SIZE, corpus.vocab), tokens, precision, corpus, recipe, seed)
    trainer = Trainer(job)
    trainer.advance(steps, steps, recipe)
    return np.array(trainer.losses)[:, 0]


#: Largest magnitudes of the rows of each weight at its last steps, by where it lies.
_LATE: dict[int, list[Tensor]] = {}


def stale(x: Tensor, known: Format, random: object = None, compiled: bool = True) -> Tensor:
    """Weights rounded with the largest magnitude that each row had some steps ago."""
    seen = _LATE.setdefault(x.data_ptr(), [])
    seen.append(x.detach().abs().amax(-1, keepdim=True))
    largest = seen.pop(0) if len(seen) > STALE else seen[0]
    clipped = torch.minimum(torch.maximum(x.detach(), -largest), largest)
    # That magnitude as one more number of its row, whose scale it then is; rows are single groups.
    whole = fake_quantise(torch.cat([clipped, largest], -1), Format.parse("e2m1/row"))
    return x + (whole[..., :-1] - x).detach()


if __name__ == "__main__":
    main(*asked(__doc__, sys.argv[1:], str, int, int, int))
