"""The trainer as a mill for the study of killed sweeps: small models in two precisions, trunks with
branches, quantised after.

``python -m benchmarks.real_mill [KILLS [SECONDS]]`` kills its sweep so often, within so many
seconds of a start or of work, as `benchmarks.sweep_killed` does with any mill.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from benchmarks.sweep_killed import main
from benchmarks.timing import asked
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


if __name__ == "__main__":
    kills, within = asked(__doc__, sys.argv[1:], int, float) + [30, 11.0][len(sys.argv) - 1 :]
    main(("benchmarks.real_mill:small", kills, within))
