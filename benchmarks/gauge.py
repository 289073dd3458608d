"""Faults put into runs in four bits: by which share of the tokens the gauge finds them, and how
often it is alarmed by runs without one.

``python -m benchmarks.gauge [FOLDER [SEEDS [FAULTY [STEPS]]]]``: trains what the folder of logs
lacks (SEEDS pairs without a fault, the first FAULTY seeds of each fault), then reports. A run of
5k params and 500 steps takes about ten seconds of a core, its control three.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from benchmarks.timing import asked, share, table
from isoloss.fits import Expectation, Gauge, gauge
from isoloss.fits.gauging.sequential import CAUTION, found_at
from isoloss.formats import Format
from isoloss.lm import GradientRule, Language, Recipe, fake_quantise, model_of, register_rule
from isoloss.lm.training import Job, Trainer
from isoloss.runs import TrainingLog

SIZE, SEQUENCES = "5k", 8
#: Steps by which the scale of activations is late where it is stale.
STALE = 100
PLANNED = "w4 a4 g3~sr"
#: Level of false alarms, the share of the tokens by which faults are to be found, parts of a run in
#: which an expected gap is known, and runs that are made of others.
ALARM, PART, SPANS, BOOTSTRAPS = 0.05, 0.25, 10, 200
#: Share of a run whose mean the oracle looks at, once, knowing when.
LOOKED = 0.05
#: Training losses of each step by precision and seed.
Losses = Mapping[tuple[str, int], np.ndarray]
#: What was trained in place of the planned recipe, by what is wrong with it.
FAULTS = {
    "gradients to nearest, not stochastic": "w4 a4 g3",
    "scales rounded to powers of two": "w4+pow2 a4+pow2 g3+pow2~sr",
    f"largest activation of {STALE} steps ago": "w4 a4@stale g3~sr",
    "one matrix of each block (fc1) in 2 bits": "w4 a4 g3~sr w.fc1:int2",
}


def main(folder: str = "", seeds: int = 19, faulty: int = 5, steps: int = 500) -> None:
    """Train what is missing, and report."""
    with tempfile.TemporaryDirectory() as made:
        logs = Path(folder or made)
        logs.mkdir(parents=True, exist_ok=True)
        trained(logs, seeds, faulty, steps)
        losses = {
            (kind, seed): np.load(log_of(logs, kind, seed))
            for kind in ("fp", PLANNED, *FAULTS.values())
            for seed in range(seeds)
            if log_of(logs, kind, seed).exists()
        }
    report(losses)
    simulated()


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
    late = _LATE
    late.begin()
    corpus, recipe = Language(vocab=64, context=32), Recipe(sequences=SEQUENCES)
    tokens = steps * SEQUENCES * corpus.context
    job = Job.of(model_of(SIZE, corpus.vocab), tokens, precision, corpus, recipe, seed)
    trainer = Trainer(job)
    trainer.advance(steps, steps, recipe, each=lambda *_: late.next_step())
    return np.array(trainer.losses)[:, 0]


def report(losses: Losses) -> None:
    """What is found, and false alarms."""
    seeds = [s for kind, s in losses if kind == PLANNED and ("fp", s) in losses]
    gaps = np.stack([losses[PLANNED, s] - losses["fp", s] for s in seeds])
    steps = gaps.shape[1]
    early = [_gauged(gaps[k], np.delete(gaps, k, 0), steps // 4) for k in range(len(seeds))]
    least = np.array([e.smallest for e in early])
    told = np.isfinite(least)
    added = float(np.median(least[told])) - float(gaps[:, steps // 4].mean())
    print(
        f"{SIZE} params, {steps} steps of {SEQUENCES} sequences, planned {PLANNED}; expected of a "
        f"seed: mean and spread of the gap over the other {len(seeds) - 1} seeds without a fault, "
        f"by tenths of the run; level of false alarms {ALARM:.0%}.\n"
    )
    head = ["fault", "seeds", "adds (later half)", f"found by {PART:.0%} of the tokens",
            "found by the end", "share of the tokens when found, median",
            f"spreads of seeds that it lies off at {PART:.0%}, and at the end",
            f"one look at {PART:.0%} finds"]  # fmt: skip
    print(table(head, list(_faults(losses, seeds, gaps))), "\n")
    print(
        f"One look: a test that knows when to look, once, at the mean of {LOOKED:.0%} of the run, "
        "and mean and spread of seeds without a fault exactly, with 5% false alarms: a test of the "
        "height of the gap that looks all along cannot do better. What lies off by less than two "
        "spreads of seeds is not found by the losses of one run.\n"
    )
    print(
        f"A gap of {added:+.3f} nats beyond the expected one would have been found by {PART:.0%} "
        f"of the tokens (median over {told.sum()} of {len(told)} seeds, whose rows wander too "
        "little to be found by themselves); what adds less is not told from rounding there.\n"
    )
    own = [_is_alarm(_gauged(gaps[k], np.delete(gaps, k, 0))) for k in range(len(seeds))]
    drawn = [_is_alarm(_gauged(each, gaps)) for each in _spliced(gaps, BOOTSTRAPS)]
    normal = [_is_alarm(_gauged(*_normal(gaps, k))) for k in range(BOOTSTRAPS)]
    rows = [
        ["trained, each beside the others", len(own), sum(own), share(own)],
        ["made of tenths of those, drawn by seed", len(drawn), sum(drawn), share(drawn)],
        ["normal, mean and covariance over steps of those, each beside as many others",
         len(normal), sum(normal), share(normal)],
    ]  # fmt: skip
    print(table(["runs without a fault", "runs", "alarms", "share"], rows), "\n")
    print(
        "Runs that are made of others keep the noise within a tenth of a run and lose what a seed "
        "has in common over all of it: read theirs as a lower bound. No alarm in n runs leaves up "
        "to 3 / n at 95%.\n"
    )


def simulated(runs: int = 300) -> None:
    """False alarms of the test alone, at a mean of zero and under noise that is correlated."""
    rows = []
    for correlated in (0.0, 0.6, 0.9):
        for steps in (300, 3000):
            noise = np.random.default_rng(0).normal(size=(runs, steps))
            for t in range(1, steps):
                fresh = math.sqrt(1 - correlated**2) * noise[:, t]
                noise[:, t] = correlated * noise[:, t - 1] + fresh
            found = [
                share([found_at(each, ALARM, caution) is not None for each in noise])
                for caution in (CAUTION, 1.0)
            ]
            rows.append([correlated, steps, runs, *found])
    head = ["correlation of steps (AR(1))", "steps", "runs", "alarms at 5%",
            "with evidence divided by the inflation itself"]  # fmt: skip
    print(f"### The sequential test alone\n\n{table(head, rows)}")


def _faults(losses: Losses, seeds: Sequence[int], gaps: np.ndarray) -> Iterator[list[object]]:
    """One row a fault."""
    for name, kind in FAULTS.items():
        own = [s for s in seeds if (kind, s) in losses]
        if not own:
            continue
        wrong = np.stack([losses[kind, s] - losses["fp", s] for s in own])
        planned = gaps[[seeds.index(s) for s in own]]
        half = wrong.shape[1] // 2
        added = (wrong - planned)[:, half:].mean(1)
        found = [
            _gauged(gap, np.delete(gaps, seeds.index(s), 0))
            for s, gap in zip(own, wrong, strict=True)
        ]
        at = [e.found_share if _is_worse(e) and e.found_share else math.inf for e in found]
        middle = float(np.median(at))
        error = added.std(ddof=1) / math.sqrt(len(own)) if len(own) > 1 else math.nan
        yield [name, len(own), f"{added.mean():+.3f} +- {error:.3f}",
               f"{sum(e <= PART for e in at)} of {len(own)}",
               f"{sum(map(math.isfinite, at))} of {len(own)}",
               f"{middle:.0%}" if math.isfinite(middle) else "not found",
               *_oracle(wrong, gaps)]  # fmt: skip


def _oracle(wrong: np.ndarray, gaps: np.ndarray) -> tuple[str, str]:
    """How far runs lie off in spreads of seeds, and how many one look finds."""
    steps = gaps.shape[1]
    width, ends = int(LOOKED * steps), (int(PART * steps), steps)
    seen = [gaps[:, end - width : end].mean(1) for end in ends]
    off = [
        (wrong[:, end - width : end].mean(1) - each.mean()) / each.std(ddof=1)
        for end, each in zip(ends, seen, strict=True)
    ]
    found = int((off[0] >= stats.norm.ppf(1 - ALARM)).sum())
    return " and ".join(f"{each.mean():+.1f}" for each in off), f"{found} of {len(wrong)}"


def _gauged(gap: np.ndarray, others: np.ndarray, rows: int | None = None) -> Gauge:
    """A run of these differences beside those of other seeds, as far as some rows."""
    step = np.arange(1.0, len(gap) + 1)
    tokens = step * SEQUENCES * 32
    run = TrainingLog("run", step[:rows], tokens[:rows], gap[:rows])
    control = TrainingLog("control", step, tokens, np.zeros(len(gap)))
    return gauge(run, control, expected=_expected(others), alarm=ALARM)


def _expected(gaps: np.ndarray) -> Expectation:
    """The gap of one more seed, by tenths of the run: Student's t about the mean of others."""
    count, steps = gaps.shape
    spans = np.array_split(np.arange(steps), SPANS)
    means = np.stack([gaps[:, span].mean(1) for span in spans], axis=1)
    tokens = np.array([1 + span.mean() for span in spans]) * SEQUENCES * 32
    spread = means.std(0, ddof=1) * math.sqrt(1 + 1 / count)
    reach = stats.t.ppf(1 - ALARM / 4, count - 1) * spread
    gap = means.mean(0)
    return Expectation("by other seeds", tokens, gap, gap - reach, gap + reach)


def _spliced(gaps: np.ndarray, count: int) -> Iterator[np.ndarray]:
    """Differences of which each tenth of the run is that of a seed that is drawn."""
    draw, (seeds, steps) = np.random.default_rng(0), gaps.shape
    spans = np.array_split(np.arange(steps), SPANS)
    for _ in range(count):
        yield np.concatenate([gaps[draw.integers(seeds), span] for span in spans])


def _normal(gaps: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """One run and as many others as there are, of the mean and covariance over steps of seeds."""
    count, draw = len(gaps), np.random.default_rng(seed)
    weights = draw.normal(size=(count + 1, count)) / math.sqrt(count - 1)
    made = gaps.mean(0) + weights @ (gaps - gaps.mean(0))
    return made[0], made[1:]


def _is_worse(found: Gauge) -> bool:
    return found.verdict == "worse than rounding explains"


def _is_alarm(found: Gauge) -> bool:
    return found.verdict != "as predicted"


class _Late:
    """Largest magnitudes of each rounded tensor at the last steps, by its place in a step."""

    def begin(self) -> None:
        self.place, self.seen = 0, dict[int, list[Tensor]]()

    def next_step(self) -> None:
        self.place = 0

    def largest(self, x: Tensor) -> Tensor:
        """That of some steps ago, or of the first step."""
        seen = self.seen.setdefault(self.place, [])
        self.place += 1
        seen.append(x.detach().abs().amax().reshape(1))
        return seen.pop(0) if len(seen) > STALE else seen[0]


_LATE = _Late()


def stale(x: Tensor, known: Format, random: object = None, compiled: bool = True) -> Tensor:
    """Activations rounded with the largest magnitude that they had some steps ago."""
    largest = _LATE.largest(x)
    clipped = torch.minimum(torch.maximum(x.detach(), -largest), largest)
    # That magnitude as one more number of the tensor, whose scale it then is.
    whole = fake_quantise(torch.cat([clipped.flatten(), largest]), known, compiled=False)
    return x + (whole[:-1].reshape(x.shape) - x).detach()


if __name__ == "__main__":
    main(*asked(__doc__, sys.argv[1:], str, int, int, int))
