"""Forecasts and scores as kinds of files; a forecast that was changed is refused."""

from __future__ import annotations

from isoloss.files import KINDS, Kind, fields_of
from isoloss.files import load as load
from isoloss.scores.contests import Arena
from isoloss.scores.frozen_forecast import Forecast, check_columns
from isoloss.scores.ledger_files import check_hash
from isoloss.scores.problems import ScoreError
from isoloss.scores.scored import Score


def check_forecast(found: Forecast) -> None:
    """Raise ScoreError where a forecast that was read is not what its hash says."""
    check_columns(found)
    check_hash(fields_of(found))


def check_score(found: Score) -> None:
    """Raise ScoreError where a score that was read has no forecasts."""
    if not found.forecasts:
        raise ScoreError("it has no forecasts")


KINDS.register("forecast", Kind(Forecast, check=check_forecast))
KINDS.register("arena", Kind(Arena))
KINDS.register("score", Kind(Score, check=check_score))
