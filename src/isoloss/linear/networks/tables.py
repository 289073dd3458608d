"""Networks of every combination of a grid as a table of runs, like those of linear regression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
import polars as pl

from isoloss.files import shown_value
from isoloss.linear.checks import of_type
from isoloss.linear.descent import SGD
from isoloss.linear.networks.network import Network
from isoloss.linear.networks.risks import NetworkRisks, network_risks
from isoloss.linear.networks.training import train_networks
from isoloss.runs import Grid, Runs

_OF_NETWORK = tuple(each.name for each in fields(Network))
_OF_DESCENT = ("steps", "samples", "batch", "step_size", "schedule")


def simulate_networks(
    network: Network,
    grid: Grid | Mapping[str, Any],
    sgd: SGD | None = None,
    *,
    inputs: str = "clean",
    **given: Any,
) -> Runs:
    """Excess risk of networks at every combination of a grid, as runs.

    Parameters
    ----------
    network : Network
        What the grid leaves out of the problem.
    grid : Grid or dict
        Lists of precision; of samples or steps, batch, step_size, schedule; and of fields of the
        network. Precisions of one combination are trained side by side, on the same random numbers.
    sgd : SGD, optional
        What the grid leaves out of the descent; by default one step of a tenth of the limit.
    inputs : str
        'clean' or 'in use'.
    given
        replicates, both_signs, scales, seed, dtype and device of `train_networks`.

    Returns
    -------
    Runs
        A row a combination: params, tokens (steps x batch), precision, loss (mean excess risk of
        the replicates) and loss_se, and what was varied.

    Raises
    ------
    ValueError
        An unknown list, or a value that is out of range.
    """
    of_type("network", network, Network, "Network(dim=32)")
    base = SGD(1, step_size="0.1 limit") if sgd is None else sgd
    cells: dict[tuple[Any, ...], list[str]] = {}
    for cell in map(dict, grid if isinstance(grid, Grid) else Grid(**grid)):
        precision = str(cell.pop("precision", "fp"))
        cells.setdefault(tuple(sorted(cell.items())), []).append(precision)
    rows = []
    for key, precisions in cells.items():
        posed, descent = _posed(network, base, dict(key))
        trained = train_networks(posed, descent, precisions, **given)
        rows += _rows(network_risks(trained, inputs))
    return Runs.from_frame(pl.DataFrame(rows, infer_schema_length=None))


def _posed(network: Network, sgd: SGD, cell: dict[str, Any]) -> tuple[Network, SGD]:
    for name in cell:
        if name not in (*_OF_NETWORK, *_OF_DESCENT):
            known = ", ".join(("precision", *_OF_DESCENT, *_OF_NETWORK))
            raise ValueError(f"cannot vary {shown_value(name)} in networks; lists are {known}")
    if "samples" in cell and "steps" in cell:
        raise ValueError("a grid has samples or steps, not both: samples are steps x batch")
    posed = replace(network, **{name: cell[name] for name in cell if name in _OF_NETWORK})
    theirs = {name: cell[name] for name in cell if name in _OF_DESCENT}
    if "samples" not in theirs:
        return posed, replace(sgd, **theirs)
    kept = {"batch": sgd.batch, "step_size": sgd.step_size, "schedule": sgd.schedule}
    return posed, SGD.samples(theirs.pop("samples"), **(kept | theirs))


def _rows(risks: NetworkRisks) -> list[dict[str, Any]]:
    trained, network = risks.trained, risks.trained.network
    means, errors = risks.mean[-1], risks.standard_error[-1]
    return [
        {
            "params": float(network.params),
            "tokens": float(trained.sgd.steps * trained.sgd.batch),
            "precision": str(precision),
            "loss": float(means[k]),
            "loss_se": float(errors[k]) if np.isfinite(errors[k]) else None,
            "metric": "excess_risk",
            "seed": trained.seed,
            "source": "isoloss.linear.networks",
            "family": f"{network}, last iterate, {risks.inputs} inputs",
            "optimizer": "sgd",
            "batch_tokens": float(trained.sgd.batch),
            "schedule": trained.sgd.schedule,
            "lr_peak": trained.step_size,
            "dim": network.dim,
            "width": network.width,
            "decay": network.decay,
            "steps": trained.sgd.steps,
            "iterate": "last",
            "inputs": risks.inputs,
            "how": "sampled",
            "replicates": trained.replicates,
        }
        for k, precision in enumerate(trained.precisions)
    ]
