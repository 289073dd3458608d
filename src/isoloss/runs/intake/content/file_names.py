"""What files are called: by their names, and by the folders in which these differ."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from isoloss.files import shown
from isoloss.runs.problems import RunsError


def check_once(sources: Sequence[object]) -> None:
    """Raise RunsError for a file or public table that is given twice, and would count twice."""
    seen: set[object] = set()
    for source in sources:
        if not isinstance(source, str | Path):
            continue
        path = os.path.realpath(source) if os.path.exists(source) else str(source)
        if path in seen:
            raise RunsError(f"{shown(str(source))} is given twice; name each table once")
        seen.add(path)


def told_apart(paths: Sequence[str | None]) -> list[str | None]:
    """Short names of files, each as long as it takes to differ from all others.

    Parameters
    ----------
    paths
        Paths of files; None for what is no file.

    Returns
    -------
    list of str or None
        The name of each, with as many of its folders as tell it from files of the same name.
    """
    parts = [None if path is None else Path(path).parts or (path,) for path in paths]
    names = [None if each is None else called(each) for each in parts]
    whole = Counter(paths)
    for folders in range(2, max((len(each) for each in parts if each), default=0) + 1):
        counted = Counter(names)
        for place, each in enumerate(parts):
            # The same file given twice is one name.
            if each is not None and counted[names[place]] > whole[paths[place]]:
                names[place] = "/".join(each[-folders:])
    return names


def called(parts: Sequence[str]) -> str:
    """What a file is called in messages: with its folder where its name says nothing of its own.

    parts: the parts of its path.
    """
    last = parts[-1]
    if last.split(".")[0] not in ("trainer_state", "wandb-summary", "wandb-history"):
        return last
    before = [p for p in parts[:-1] if p not in ("files", "/", ".", "..")]
    # A checkpoint or folder of files stands in the folder of its run.
    steps = 2 if before and re.fullmatch(r"checkpoint-\d+", before[-1]) else 1
    return "/".join([*before[-steps:], last])
