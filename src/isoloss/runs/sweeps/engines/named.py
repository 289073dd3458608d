"""Engines by name, as ``--on`` takes them: ray, ray:HOST:PORT, slurm, submitit-local, your own.

One more is one call, ``register_engine("name", make)``, in a module that ``--use`` names: `make` is
given what was asked for and returns an `Engine`, or anything with ``submit``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from isoloss.files import Registry, shown_value
from isoloss.runs.problems import StoreError
from isoloss.runs.sweeps.engines.engine import PARTS, AnyExecutor, Engine, Submits
from isoloss.runs.sweeps.engines.ray_cluster import Ray
from isoloss.runs.sweeps.engines.slurm import Slurm


@dataclass(frozen=True)
class Asked:
    """What a person asks of an engine.

    Attributes
    ----------
    address
        What follows the colon of its name, "" for nothing.
    at_once
        Calls under way at most, None for the engine's own choice.
    gpus_per_task
        Devices of a task.
    partition, time
        The queue and the time limit of jobs, where there are any.
    more
        Other options, by name.
    """

    address: str = ""
    at_once: int | None = None
    gpus_per_task: float = 0
    partition: str | None = None
    time: str | None = None
    more: Mapping[str, str] = field(default_factory=dict)

    def only(self, engine: str, *known: str) -> None:
        """Raise StoreError for what an engine has no use for."""
        for name in ("address", "gpus_per_task", "partition", "time", "more"):
            value = getattr(self, name)
            if value and name not in known:
                what = f"no {name} ({shown_value(value)})"
                if name == "more":
                    what = f"no options of sbatch ({', '.join(map(shown_value, value))})"
                raise StoreError(f"the engine '{engine}' knows {what}; leave it out")


Make = Callable[[Asked], Engine | Submits]


def _ray(asked: Asked) -> Any:
    asked.only("ray", "address", "gpus_per_task")
    return Ray(asked.address or None, asked.gpus_per_task, at_once=asked.at_once)


def _slurm(asked: Asked, local: bool = False) -> Any:
    known = ("time",) if local else ("gpus_per_task", "partition", "time", "more")
    asked.only("submitit-local" if local else "slurm", *known)
    return Slurm(
        asked.partition,
        asked.time or "1h",
        asked.gpus_per_task,
        more=asked.more,
        at_once=asked.at_once,
        local=local,
    )


#: Every engine by name.
ENGINES: Registry[Make] = Registry("engine", StoreError)
ENGINES.register("ray", _ray)
ENGINES.register("slurm", _slurm)
ENGINES.register("submitit-local", lambda asked: _slurm(asked, local=True))


def register_engine(name: str, make: Make, *, replace: bool = False) -> None:
    """Add an engine by name.

    Parameters
    ----------
    name
        As ``--on`` is to take it, without a colon.
    make
        Given what was `Asked`, returns the engine, or anything with ``submit``.
    replace
        Give a taken name to this one.

    Raises
    ------
    StoreError
        The name is taken or has a colon.
    """
    if ":" in name:
        raise StoreError(f"the engine's name is {shown_value(name)}; accepted is one without ':'")
    ENGINES.register(name, make, replace=replace)


def engine_named(text: str, asked: Asked | None = None) -> Engine:
    """The engine of a name such as ``ray:HOST:PORT``, with what is asked of it.

    Raises
    ------
    StoreError
        There is none of that name, or it has no use for something that is asked.
    """
    name, _, address = text.partition(":")
    wanted = replace(asked or Asked(), address=address)
    return engine_for(ENGINES[name](wanted), wanted.at_once)


def engine_for(given: Submits | Engine | str, at_once: int | None = None) -> Engine:
    """The engine that something is, makes or names; StoreError for what has no ``submit``.

    at_once: calls to have under way at most, None for as many as it takes.
    """
    if isinstance(given, str):
        return engine_named(given, Asked(at_once=at_once))
    if isinstance(given, Engine):
        return given
    if not isinstance(given, Submits):
        raise StoreError(
            f"executor is {shown_value(given)}; accepted is an executor of concurrent.futures, "
            "anything with submit whose calls have result and done, an engine, or its name"
        )
    lacking = [part for part in PARTS if not hasattr(given, part)]
    if {"start", "places"}.isdisjoint(lacking):
        raise StoreError(
            f"{type(given).__name__} begins as an engine and has no {', '.join(lacking)}; an "
            f"engine has {', '.join(PARTS)}, an executor submit alone"
        )
    return AnyExecutor(given, at_once)
