"""What several files are called: by their names, and by the folders in which these differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from isoloss.runs.intake.content import called


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
