"""Tasks of one row for tests of sweeps."""

from isoloss.runs import Run, Task


def one_row(key: str, work, **more) -> Task:
    return Task(key, (f"row-{key}",), work, key, **more)


def row(watch, loss: float = 3.0) -> None:
    (key,) = watch.missing
    watch.add(Run(1e6, 2e7, "w4", loss, key=key))
