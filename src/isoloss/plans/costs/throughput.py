"""A measured table of throughput (CSV): what kernels reach, in place of datasheet peaks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl

from isoloss.formats import Precision
from isoloss.plans.costs.hardware import Hardware
from isoloss.plans.costs.rates import BF16, peak_of
from isoloss.plans.problems import PlanError
from isoloss.runs import number

#: Columns of the file; a row has flop_per_s, or tokens_per_s with the params of the model it was
#: measured on.
COLUMNS = ("precision", "stage", "flop_per_s", "tokens_per_s", "params")
STAGES = ("train", "decode")
#: A smaller share of the peak is a slip of units: 400 for 400 TFLOP/s.
LEAST_SHARE = 1e-4
#: Bytes that a step of decoding reads at least: no model is smaller.
LEAST_READ = 1e6
#: Two columns that give one rate agree within this share.
AGREE = 0.02


def measured(machine: Hardware, path: str | Path) -> Hardware:
    """The machine with the rates of a CSV file in place of its peaks.

    Parameters
    ----------
    machine
        A device.
    path
        A CSV file with the columns precision; stage (train, the default, or decode); for training
        flop_per_s, the FLOP/s of 6 N D that a device reaches, or tokens_per_s a device and the
        params of the model measured; for decoding tokens_per_s of one sequence.

    Returns
    -------
    Hardware
        The machine with `measured` and `decoding` filled.

    Raises
    ------
    PlanError
        A row cannot be read (the message names it), a rate is above the peak of its formats or a
        ten-thousandth of it, the machine is abstract, or bf16 has no row.
    """
    if machine.is_abstract:
        raise PlanError(
            f"{machine.name} is a cost model and has no throughput; name a device, as h100"
        )
    rows = _rows(Path(path))
    training: dict[str, float] = {}
    decoding: dict[str, float] = {}
    for place, row in enumerate(rows, 2):
        where = f"{path}, line {place}"
        stage = str(row.get("stage") or "train").strip()
        if stage not in STAGES:
            raise PlanError(f"stage is {stage!r} in {where}; accepted are {' and '.join(STAGES)}")
        table = training if stage == "train" else decoding
        name, value = _named(row, where), _rate(row, stage, where)
        if name in table:
            raise PlanError(
                f"{name!r} stands twice for stage {stage} in {where}; "
                "give one rate for each precision"
            )
        _check_rate(machine, name, stage, value, where)
        table[name] = value
    if training and "bf16" not in training:
        raise PlanError(
            f"{path} has no row of bf16 for training, which the FLOPs of a budget are counted in"
        )
    pages = {**machine.pages, str(path): ("measured",)}
    return replace(machine, measured=training, decoding=decoding, pages=pages)


def _rows(path: Path) -> list[dict[str, object]]:
    try:
        frame = pl.read_csv(path, infer_schema=False, comment_prefix="#")
    except FileNotFoundError:
        raise PlanError(f"there is no file {path}") from None
    except (pl.exceptions.PolarsError, OSError) as error:
        raise PlanError(f"cannot read {path} as CSV: {str(error).splitlines()[0]}") from None
    unknown = [c for c in frame.columns if c not in COLUMNS]
    if unknown or "precision" not in frame.columns:
        found = f"column {unknown[0]!r}" if unknown else "no column 'precision'"
        raise PlanError(f"{path} has {found}; a table of throughput has {', '.join(COLUMNS)}")
    if not len(frame):
        raise PlanError(f"{path} has no rows")
    return frame.to_dicts()


def _named(row: dict[str, object], where: str) -> str:
    try:
        spelled = str(Precision.parse(str(row["precision"] or "")))
    except ValueError as error:
        raise PlanError(f"{error} ({where})") from None
    return "bf16" if spelled in ("fp", BF16) else spelled


def _rate(row: dict[str, object], stage: str, where: str) -> float:
    found = {name: _number(row, name, where) for name in COLUMNS[2:]}
    tokens, params, flop = found["tokens_per_s"], found["params"], found["flop_per_s"]
    if stage == "decode" and tokens is not None:
        return tokens
    counted = None if tokens is None or params is None else 6.0 * params * tokens
    if stage == "train" and flop is not None:
        if counted is not None and abs(counted / flop - 1) > AGREE:
            raise PlanError(
                f"flop_per_s is {flop:.4g} and 6 params tokens_per_s {counted:.4g} in {where}; "
                "give one of the two"
            )
        return flop
    if stage == "train" and counted is not None:
        return counted
    needed = "tokens_per_s" if stage == "decode" else "flop_per_s, or tokens_per_s and params"
    raise PlanError(f"a row for stage {stage} needs {needed}; {where} lacks it")


def _check_rate(machine: Hardware, name: str, stage: str, value: float, where: str) -> None:
    """Raise PlanError for a rate that the machine cannot have, as one in other units has."""
    if stage == "decode":
        most = machine.bandwidth / LEAST_READ
        if value > most:
            raise PlanError(
                f"tokens_per_s of '{name}' is {value:.4g} in {where}; {machine.name} reads "
                f"{machine.bandwidth:.4g} bytes/s, so that no model of a million bytes decodes "
                f"more than {most:.4g} tokens/s; give those of one sequence"
            )
        return
    peak = peak_of(machine, Precision(name))
    if not LEAST_SHARE * peak <= value <= peak:
        raise PlanError(
            f"'{name}' is trained at {value:.4g} FLOP/s in {where}, and the peak of its formats on "
            f"{machine.name} is {peak:.4g}; give flop_per_s of one device, as {0.4 * peak:.3g}, or "
            "its tokens_per_s with the params of the model"
        )


def _number(row: dict[str, object], name: str, where: str) -> float | None:
    if row.get(name) in (None, ""):
        return None
    try:
        value = number(row[name])
    except ValueError as error:
        raise PlanError(f"{error} ({where}, {name})") from None
    if value <= 0:
        raise PlanError(f"{name} is {value:g} in {where}; accepted is a positive number")
    return value
