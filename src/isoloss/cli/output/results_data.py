"""Fits, comparisons and predictions as plain data for ``--json``, with units."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from isoloss.fits import (
    Comparison,
    Entry,
    Errors,
    Fit,
    HeldOut,
    Prediction,
    Profile,
    ResultWarning,
    Update,
)
from isoloss.runs import metric_of

UNITS = {
    "params": "parameters",
    "tokens": "tokens",
    "log_rmse": "log loss",
    "log_bias": "log loss",
}


def units_of(metric: str) -> dict[str, str]:
    """The unit of every number, where losses are of a metric."""
    return {"loss": metric_of(metric).short, **UNITS}


def of_fit(fit: Fit, profiles: Sequence[Profile] = ()) -> dict[str, Any]:
    """What the printed report says: constants, errors, certificate, warnings."""
    value, low, high = fit.exponent
    return {
        "law": fit.law.name,
        "runs": fit.facts.runs,
        "fitted": fit.fitted.rows,
        "excluded": dict(fit.facts.excluded),
        "sources": fit.facts.sources,
        "table": fit.facts.hash,
        "objective": str(fit.objective),
        "level": fit.level,
        "draws": len(fit.draws),
        "resample": fit.resample,
        "seed": fit.facts.seed,
        "units": units_of(fit.law.metric),
        "constants": [_constant(fit, k.name) for k in fit.law.constants],
        "errors": {
            "fitted": _errors(fit.fitted),
            "held_out": None if fit.held_out is None else _held(fit.held_out),
        },
        "optimum": str(fit.certificate),
        "exponent_of_params": {
            "value": value,
            "low": low,
            "high": high,
            "flop": fit.flop,
            "withheld": fit.withheld,
        },
        "profiles": [
            {"name": p.name, "low": p.ends[0], "high": p.ends[1], "level": p.level}
            for p in profiles
        ],
        "warnings": _warnings(fit.warnings),
    }


def of_comparison(comparison: Comparison) -> dict[str, Any]:
    """The ranking with weights, and why laws were left out."""
    value, low, high = comparison.exponent()
    return {
        "rules": comparison.rules,
        "level": comparison.level,
        "seed": comparison.seed,
        "units": units_of(comparison.entries[0].fit.law.metric),
        "excluded": dict(comparison.entries[0].fit.facts.excluded),
        "laws": [_entry(each) for each in comparison.entries],
        "refused": dict(comparison.refused),
        "exponent_of_params": {
            "value": value,
            "low": low,
            "high": high,
            "withheld": comparison.withheld,
        },
        "warnings": _warnings(comparison.warnings),
    }


def of_update(update: Update) -> dict[str, Any]:
    """The constants before and after, and the gaps that moved them."""
    before, after, moved, removed = (
        update.before.values, update.fit.values, update.moved, update.removed,
    )  # fmt: skip
    return {
        "law": update.before.law.name,
        "units": {**units_of(update.before.law.metric), "moved": "standard deviations before"},
        "constants": [
            {
                "name": k, "before": before[k], "after": after[k], "moved": moved[k],
                "removed": removed[k],
            }
            for k in moved
        ],
        "doubt_of_log_gap": {"before": update.doubt[0], "after": update.doubt[1]},
        "gaps": len(update.observed),
    }  # fmt: skip


def of_prediction(prediction: Prediction) -> dict[str, Any]:
    """The predicted points, one object each."""
    names = ("params", "tokens", "precision", "loss", "low", "high", "standing", "no_interval")
    unit = metric_of(prediction.metric).short
    columns = (
        prediction.params,
        prediction.tokens,
        prediction.precision,
        prediction.loss,
        prediction.low,
        prediction.high,
        prediction.standing or ("seen",) * len(prediction),
        prediction.absent,
    )
    return {
        "level": prediction.level,
        "of": prediction.of,
        "units": {
            "params": "parameters",
            "tokens": "tokens",
            "loss": unit,
            "low": unit,
            "high": unit,
        },
        "points": [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)],
        "warnings": _warnings(prediction.warnings),
    }


def _constant(fit: Fit, name: str) -> dict[str, Any]:
    constant = next(k for k in fit.law.constants if k.name == name)
    status = "estimated"
    if name in fit.absent:
        status = "not in the data"
    elif name in fit.law.fixed:
        status = "fixed"
    elif name in fit.law.ties:
        status = f"tied to {fit.law.ties[name]}"
    interval = fit.interval(name) if status == "estimated" else (None, None)
    if name in fit.identified.not_held(fit.level):
        status = "not held"
    return {
        "name": name,
        "value": constant.value,
        "low": interval[0],
        "high": interval[1],
        "unit": constant.unit,
        "status": status,
        "meaning": constant.meaning,
    }


def _errors(errors: Errors) -> dict[str, Any]:
    return {
        "rows": errors.rows,
        "log_rmse": errors.log_rmse,
        "log_bias": errors.log_bias,
        "r2": errors.r2,
        "covered": errors.covered,
    }


def _held(held: HeldOut) -> dict[str, Any]:
    return {"rule": held.rule, **_errors(held.errors)}


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "law": entry.fit.law.name,
        "held_out_log_rmse": entry.held_out_rmse,
        "low": entry.low,
        "high": entry.high,
        "win_rate": entry.win_rate,
        "weight": entry.weight,
        "weight_error": entry.weight_error,
        "same_form": list(entry.same_form),
        "fitted_log_rmse": entry.fit.fitted.log_rmse,
        "aicc": entry.aicc,
        "misses": entry.misses,
        "held_out": [_held(each) for each in entry.held_out],
        "warnings": _warnings(entry.fit.warnings),
    }


def _warnings(warnings: Iterable[ResultWarning]) -> list[dict[str, str]]:
    return [{"kind": each.kind, "text": each.text} for each in warnings]
