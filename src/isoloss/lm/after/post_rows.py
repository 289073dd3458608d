"""The row of a quantised run: its parent, its gap, and a key to find it by."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from isoloss.formats import Precision
from isoloss.lm.after.degrading import Degradation, Predictions, degradation, pooled
from isoloss.lm.after.options import Options
from isoloss.lm.after.post_method import calibrated_methods, label_of, own_methods
from isoloss.lm.after.post_training import check_post, quantised, rounded_share
from isoloss.lm.after.seen import Calibrated
from isoloss.lm.after.serving_weights import served
from isoloss.lm.arguments import check_kind, check_whole
from isoloss.lm.data import Corpus, Language
from isoloss.lm.own_source import own_sources
from isoloss.lm.training import Recipe, key_of
from isoloss.runs import Run

#: A stream of batches that no run trains on, since runs count their seeds from 0.
CALIBRATION_SEED = 1 << 21


@dataclass(frozen=True)
class Calibration:
    """Sequences that methods such as '@gptq' look at: the first of one stream of the corpus.

    The stream has the training distribution but nobody's training batches, and is the same for
    every run of a corpus: runs that differ in seed, length or precision are calibrated alike, so
    their gaps stay paired. A text that is short hands out its training part in an order of this
    seed.

    Attributes
    ----------
    sequences
        How many, 1 or more.
    seed
        Of the stream; the default lies above the seeds of runs.
    draws
        How often other sequences are drawn, and other random numbers where anything is rounded by
        them: loss and gap are means over the draws, whose spread is part of their standard errors.
        A single draw has no spread, so that its errors are of the validation tokens alone.

    Raises
    ------
    ModelError
        A setting is no whole number, or out of range.
    """

    sequences: int = 128
    seed: int = CALIBRATION_SEED
    draws: int = 1

    def __post_init__(self) -> None:
        check_whole("calibration on sequences", self.sequences, 1)
        check_whole("seed", self.seed)
        check_whole("draws of calibration", self.draws, 1)

    def tokens(self, corpus: Corpus, draw: int = 0) -> Tensor:
        """The tokens of a draw, shape (sequences, context)."""
        drawn = corpus.batch(0, self.sequences, self.seed + draw)
        return torch.from_numpy(drawn[:, :-1].copy())

    def drawn(self, corpus: Corpus, folder: str | Path | None = None) -> tuple[Calibrated, ...]:
        """The tokens of every draw, which keep what they show of a model for all precisions; in a
        folder for other calls too, if one is given.
        """
        return tuple(Calibrated(self.tokens(corpus, k), folder) for k in range(self.draws))

    def settings(self) -> dict[str, int]:
        """What tells it from others."""
        found = asdict(self)
        return found if self.draws > 1 else {k: v for k, v in found.items() if k != "draws"}


def post_key(
    run_key: str,
    precision: str | Precision,
    calibration: Calibration | None = None,
    rotate: bool = False,
) -> str:
    """The key of a run's row after quantising; `precision` has the arrow. Known before the run is
    trained.
    """
    precision, looked_at = Precision.parse(precision), None
    methods = calibrated_methods(precision.serve.values())
    calibration, options = calibration or Calibration(), Options(rotate)
    if methods or (calibration.draws > 1 and options.is_drawn(precision)):
        looked_at = calibration.settings()
    as_trained, spelled = any(not method.layer_by_layer for method in methods), str(precision)
    if not as_trained:
        # Rows of GPTQ that saw rounded layers, as all did once, keep their keys.
        spelled = re.sub(r"@gptq_sequential\b", "@gptq", spelled)
    known: dict[str, object] = {"run": run_key, "precision": spelled, "calibration": looked_at}
    known |= {"inputs": "as trained"} if as_trained else {}
    formats = list(precision.serve.values())
    rounds = {f"method {method.name}": method.round for method in own_methods(formats)}
    known |= {"own": own} if (own := own_sources(formats, rounds)) else {}
    return key_of(known | options.columns)


def post_precision(
    trained: str | Precision, post: str | Precision, layers: int | None = None
) -> Precision:
    """The spelling of a row after quantising, "w8 a8 -> w4@gptq"; ModelError for what serving, or a
    model of so many layers, lacks.
    """
    precision = served(Precision.parse(trained), post)
    check_post(precision, layers=layers)
    return precision


def post_run(
    run: Run,
    post: str | Precision,
    model: nn.Module,
    tokens: np.ndarray,
    corpus: Corpus | None = None,
    calibration: Calibration | None = None,
    before: Predictions | None = None,
    recipe: Recipe | None = None,
    seen: Sequence[Calibrated] | None = None,
    rotate: bool = False,
) -> tuple[Run, dict[str, float]]:
    """Quantise the model of a run, and make the row of it.

    Parameters
    ----------
    run
        The run of the model; one that diverged gives a row that says so, and no model is quantised.
    post
        What is rounded to which format, as "w3/32@gptq".
    model
        The model that the run left.
    tokens
        The validation sequences that the run was evaluated on, shape (rows, context + 1).
    corpus
        Where calibration comes from; the synthetic language unless given.
    calibration
        The sequences that methods such as '@gptq' look at.
    before
        The model's own predictions of `tokens`, which spare computing them for every `post`.
    recipe
        The recipe of training, for the dtype of products.
    seen
        What `calibration.drawn(corpus)` gave, where further precisions of this very model are to be
        answered from it.
    rotate
        Whether the residual stream is rotated first (QuaRot), by another matrix for every draw of
        calibration.

    Returns
    -------
    run : Run
        The row after quantising: its parent, key, method, loss and status.
    columns : dict
        gap, gap_se, kl and kl_se in nats a token, which are left out where the loss is no number;
        rounded_share, of the weights outside embedding and head; `rotated` where it was.

    Raises
    ------
    ModelError
        An argument is of another kind, or the model has no such part or method.
    """
    check_kind("run", run, Run, "a Run, such as train_one(...).run")
    check_kind("calibration", calibration, (Calibration, type(None)), "a Calibration, or None")
    check_kind("corpus", corpus, (Corpus, type(None)), "a Corpus, or None")
    check_kind("before", before, (Predictions, type(None)), "Predictions of the tokens, or None")
    options, calibration = Options(rotate), calibration or Calibration()
    precision = served(Precision.parse(run.precision), post)

    def measured() -> Degradation:
        draws = draws_of(precision, calibration, corpus or Language(), seen, options)
        return pooled(
            degradation(
                before or model, quantised(model, post, each, draw=k, rotate=rotate), tokens, recipe
            )
            for k, each in enumerate(draws)
        )

    return post_row(
        run,
        precision,
        calibration,
        lambda: rounded_share(model, precision, rotate),
        measured,
        options,
    )


def post_row(
    run: Run,
    precision: Precision,
    calibration: Calibration,
    share: Callable[[], float],
    measured: Callable[[], Degradation],
    options: Options,
) -> tuple[Run, dict[str, float]]:
    """The row of a run whose model is quantised, and its further columns, as `post_run` gives them.

    precision: with the arrow; share: gives the rounded share; measured: quantises the model and
    gives what that costs. Neither is asked of a run that diverged.
    """
    start, formats = time.perf_counter(), precision.serve.values()
    row = replace(
        run,
        precision=str(precision),
        loss_se=None,
        kernels="simulated",
        method=label_of(formats, calibration.sequences) + options.label,
        parent=run.key,
        key=post_key(run.key or "", precision, calibration, options.rotate),
    )
    if run.status == "diverged":
        row = replace(
            row, loss=math.nan, reason=f"the run that it was quantised from diverged: {run.reason}"
        )
        return replace(row, cost=time.perf_counter() - start), {}
    columns = {"rounded_share": share()} | options.columns
    found = measured()
    row = replace(row, loss=found.loss, loss_se=found.loss_se, cost=time.perf_counter() - start)
    if not math.isfinite(found.loss):
        return replace(
            row, status="diverged", reason=f"the loss after quantising is {found.loss}"
        ), columns
    status = "ok" if run.status == "unfinished" else run.status
    return replace(row, status=status), _columns(found) | columns


def draws_of(
    precision: Precision,
    calibration: Calibration,
    corpus: Corpus,
    seen: Sequence[Calibrated] | None,
    options: Options,
) -> Sequence[Calibrated | None]:
    """What each draw is calibrated on; one where nothing of the precision depends on draws."""
    if calibrated_methods(precision.serve.values()):
        return calibration.drawn(corpus) if seen is None else seen
    return [None] * (calibration.draws if options.is_drawn(precision) else 1)


def _columns(found: Degradation) -> dict[str, float]:
    return {name: value for name, value in asdict(found).items() if name not in ("loss", "loss_se")}
