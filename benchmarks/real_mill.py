"""The trainer as a mill for the study of killed sweeps: small models in two precisions, trunks with
branches, quantised after.

``python -m benchmarks.sweep_killed benchmarks.real_mill:small 30 11``
"""

from __future__ import annotations

from dataclasses import replace

from isoloss.lm import Recipe
from isoloss.lm.sweeps import jobs_of, tasks_of
from isoloss.runs import Grid, Task

GRID = Grid(
    params=["20k", "40k"],
    tokens=["0.2M", "0.4M"],
    precision=["fp", "w3 a8 kv8"],
    seed=[0, 1],
    schedule=["wsd", "constant"],
)
#: Seconds between states that are kept: often enough that a run cut short has some.
EVERY = 1.0


def small() -> list[Task]:
    """Eight trunks of four runs each, every model quantised twice: 96 rows, a minute of work on two
    cores.
    """
    tasks = tasks_of(jobs_of(GRID, recipe=Recipe(validation=128)), ["w3", "w4@gptq"])
    return [replace(task, work=replace(task.work, every=EVERY)) for task in tasks]
