"""Scores: predictions that were frozen before the runs, and how they did.

``forecast`` freezes what a fit predicts, ``score`` says what was hit. Read in this order:
`distribution` (a predictive distribution by its quantiles), `frozen_forecast` (the forecast as a
value), `ledgers` and `ledger_files` (a folder of forecasts as a chain of hashes), `forecasting`,
`scored` and `scoring`. The wing `contests` puts laws and baselines on trial by frozen protocols.
"""

from isoloss.scores.contests import (
    BASELINES,
    GAP_BASELINES,
    PROTOCOLS,
    Arena,
    Entrant,
    Protocol,
    Told,
    arena,
    known_tables,
    on_trial,
    trained,
)
from isoloss.scores.distribution import PROBABILITIES, interval_score, log_score
from isoloss.scores.forecasting import forecast
from isoloss.scores.frozen_forecast import Forecast, Quantity, forecast_of_quantiles
from isoloss.scores.ledger_files import check_new
from isoloss.scores.ledgers import Ledger, ledger
from isoloss.scores.problems import ScoreError
from isoloss.scores.saving import load
from isoloss.scores.scored import ForecastScore, Score, ScoredPoint
from isoloss.scores.scoring import score

__all__ = [
    "BASELINES",
    "GAP_BASELINES",
    "PROBABILITIES",
    "PROTOCOLS",
    "Arena",
    "Entrant",
    "Forecast",
    "ForecastScore",
    "Ledger",
    "Protocol",
    "Quantity",
    "Score",
    "ScoreError",
    "ScoredPoint",
    "Told",
    "arena",
    "check_new",
    "forecast",
    "forecast_of_quantiles",
    "interval_score",
    "known_tables",
    "ledger",
    "load",
    "log_score",
    "on_trial",
    "score",
    "trained",
]
