"""Files that a command is to write: refused before the work is done, not after."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import isoloss as il
from isoloss.cli.refusing import Refused

#: Endings by what is kept; the help shows them without loading the rooms that write them.
FIGURES = (".svg", ".png", ".pdf")
TABLES = (".parquet", ".csv", ".tsv", ".json", ".jsonl")
#: A saved result, and the page of one.
SAVED, PAGES = (".json",), (".html",)
RESULTS = (*SAVED, *PAGES)
TABLES_OR_PAGES = (*TABLES, *PAGES)
#: Endings of files that are read as tables.
READ = (
    ".csv", ".tsv", ".json", ".jsonl", ".parquet", ".xlsx", ".gz", ".bz2", ".xz", ".zst", ".db",
)  # fmt: skip
#: Trackers that are read as tables; the first two are written too.
TRACKERS = (
    "mlflow:URI#experiment", "wandb:entity/project", "tensorboard:FOLDER",
    "optuna:sqlite:///FILE#study", "trackio:project",
)  # fmt: skip
#: What a table may be, as the help says it.
A_TABLE = f"Files ({' '.join(READ)}), trackers ({' '.join(TRACKERS)}) or public tables by name"


def check_target(
    path: Path | None, endings: tuple[str, ...], force: bool, read: Sequence[str] = ()
) -> None:
    """Raise Refused, in one sentence, where a result cannot be written to the path, or would
    replace what it is made of (`read`: files that are read, and names of tables).
    """
    if path is not None:
        if any(Path(each).exists() and path.exists() and path.samefile(each) for each in read):
            raise Refused(f"{path} is what is read here; give the result another name")
        # Help lists what isoloss writes; a module that --use loads may write more.
        more = il.runs.WRITERS if set(TABLES) <= set(endings) else ()
        accepted = tuple(dict.fromkeys((*endings, *more)))
        il.files.check_target(path, force, accepted, Refused)
