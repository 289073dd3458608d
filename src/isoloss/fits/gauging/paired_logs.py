"""Two logs of the same batches, row by row: the loss of a run less that of its control."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isoloss.fits.arguments import FitError
from isoloss.laws import Array
from isoloss.runs import TrainingLog

#: Tokens a step that are given and logged agree up to this share: counts in logs are rounded.
AGREE = 0.01


@dataclass(frozen=True, eq=False)
class PairedLogs:
    """What a run and its control have both logged.

    Attributes
    ----------
    run, control
        Their names.
    tokens
        Tokens seen, shape (rows,); steps where no log says tokens.
    gap
        Loss of the run less that of the control, nats per token, shape (rows,).
    whole
        Tokens (or steps) of the whole run.
    unit
        What `tokens` counts.
    diverged
        Tokens or steps from which on the loss of the run is no number; None where the last is one.
    notes
        What was left out of the logs.
    """

    run: str
    control: str
    tokens: Array
    gap: Array
    whole: float
    unit: str
    diverged: float | None
    notes: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether the two losses are the same number at every row, which no gap is learnt from."""
        return len(self.gap) > 0 and not self.gap.any()

    def check_tokens(self) -> None:
        """FitError where tokens are not known, which a predicted gap depends on."""
        if self.unit != "tokens":
            raise FitError(
                f"{self.run} and {self.control} log steps and no tokens, on which the predicted "
                "gap depends; give the tokens of a step (--batch-tokens)"
            )


def paired_logs(
    run: TrainingLog,
    control: TrainingLog,
    batch_tokens: float | None = None,
    planned: float | None = None,
) -> PairedLogs:
    """The rows of two logs that are of one step.

    Parameters
    ----------
    run, control
        The logs, either of which may be the longer.
    batch_tokens
        Tokens of a step, where a log has steps alone; one that has tokens too must agree.
    planned
        Tokens (or steps, where there are no tokens) of the whole run; those of the longer log where
        it is None.

    Raises
    ------
    FitError
        The control diverged, one has steps and the other tokens, they share no step, have seen
        other tokens at one, or log another count of tokens a step than is given.
    """
    if control.diverged is not None:
        raise FitError(
            f"the loss of the control {control.name} is no number at {control.diverged:g}; a "
            "control that diverged is no reference"
        )
    for each in (run, control):
        _check_batch_tokens(each, batch_tokens)
    by = "step" if run.step is not None and control.step is not None else "tokens"
    places = [each.step if by == "step" else _tokens(each, batch_tokens) for each in (run, control)]
    one, two = places
    if one is None or two is None:
        raise FitError(
            f"one of {run.name} and {control.name} logs steps and the other tokens; give the "
            "tokens of a step (--batch-tokens)"
        )
    shared, mine, theirs = np.intersect1d(one, two, return_indices=True)
    if not len(shared) and run.diverged is None:
        raise FitError(
            f"{run.name} and {control.name} have no {by} in common: {_span(one)} and {_span(two)}; "
            "log both at the same steps"
        )
    seen = [_tokens(each, batch_tokens) for each in (run, control)]
    _check_batches(run, control, shared, [
        None if at is None else at[rows] for at, rows in zip(seen, (mine, theirs), strict=True)
    ])  # fmt: skip
    known = [at for at in seen if at is not None]
    unit = "tokens" if known else "steps"
    # Steps stand for tokens where neither log has any.
    tokens = shared if not known else (seen[0][mine] if seen[0] is not None else known[0][theirs])
    logged = max(float(at[-1]) for at in (known or [one, two]) if len(at))
    whole, more = _whole(planned, logged, tokens, unit)
    gap = run.loss[mine] - control.loss[theirs]
    notes = (*run.notes, *control.notes, *more)
    broken = run.diverged
    if broken is not None and by == "step" and unit == "tokens":
        broken *= _tokens_a_step(places, seen)
    return PairedLogs(run.name, control.name, tokens, gap, whole, unit, broken, notes)


def _whole(
    planned: float | None, logged: float, tokens: Array, unit: str
) -> tuple[float, tuple[str, ...]]:
    """The length of the whole run, and what to say where more of it was seen than planned."""
    if planned is None:
        return logged, ()
    if len(tokens) and tokens[-1] > planned:
        said = f"{tokens[-1]:g} {unit} were seen and {planned:g} planned; shares are of all logged"
        return logged, (said,)
    return float(planned), ()


def _tokens(log: TrainingLog, batch_tokens: float | None) -> Array | None:
    """Tokens at the rows of a log; None where nothing says them."""
    if log.tokens is not None or batch_tokens is None or log.step is None:
        return log.tokens
    return np.asarray(log.step * batch_tokens)


def _check_batch_tokens(log: TrainingLog, batch_tokens: float | None) -> None:
    """FitError where a log has other tokens a step than are given."""
    step, tokens = log.step, log.tokens
    if batch_tokens is None or step is None or tokens is None or not len(log):
        return
    # Of one row all since the begin; steps may be counted from 0 or 1.
    begin = (0.0, 0.0) if len(log) == 1 else (step[0], tokens[0])
    steps = float(step[-1] - begin[0])
    own = float(tokens[-1] - begin[1]) / steps if steps else batch_tokens
    if abs(own - batch_tokens) > AGREE * batch_tokens:
        raise FitError(
            f"{log.name} logs {own:.6g} tokens a step and {batch_tokens:.6g} are given "
            "(--batch-tokens); leave them out where logs have tokens"
        )


def _tokens_a_step(steps: Sequence[Array | None], tokens: Sequence[Array | None]) -> float:
    """Tokens a step as of the last row of a log that has both, NaN where none has."""
    both = zip(steps, tokens, strict=True)
    known = ((a[-1], b[-1]) for a, b in both if a is not None and b is not None and len(b))
    return next((float(b / a) for a, b in known if a > 0), math.nan)


def _check_batches(
    run: TrainingLog, control: TrainingLog, shared: Array, tokens: list[Array | None]
) -> None:
    """FitError where two runs have seen different tokens at one step."""
    one, two = tokens
    if one is None or two is None:
        return
    other = np.flatnonzero(one != two)
    if len(other):
        at = int(other[0])
        raise FitError(
            f"at step {shared[at]:g} {run.name} has seen {one[at]:g} tokens and {control.name} "
            f"{two[at]:g}; a run is gauged against a control on the same batches"
        )


def _span(places: Array) -> str:
    return f"{places[0]:g} to {places[-1]:g}" if len(places) else "none"
