"""Whatever a verb writes over a good file, a full disk leaves the good file."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from isoloss.laws import preset
from isoloss.plans import load
from isoloss.plots import plot
from isoloss.runs import Run, Runs

GOLDEN = Path(__file__).parents[1] / "golden"
RUNS = Runs([Run(1e6, 2e7, "w4", 3.0)])


def _checkpoint(path: Path) -> object:
    torch = pytest.importorskip("torch")
    from isoloss.lm.training.checkpoints import save_checkpoint

    return save_checkpoint(path, {"x": torch.zeros(3)}, {})


def _tokens(path: Path) -> object:
    from isoloss.lm.data.tokenising import Tokeniser
    from isoloss.lm.data.tokens_file import _write, tokenised

    tokens = np.arange(5, dtype=np.uint16)
    return _write(path, "key", tokenised(tokens, tokens, Tokeniser(None, 9, 0)))


WRITERS: dict[str, Callable[[Path], object]] = {
    "fit.json": lambda path: load(GOLDEN / "fit.json").save(path, force=True),
    "comparison.json": lambda path: load(GOLDEN / "comparison.json").save(path, force=True),
    "plan.json": lambda path: load(GOLDEN / "plan.json").save(path, force=True),
    "law.json": lambda path: preset("kumar2024").save(path, force=True),
    "runs.csv": lambda path: RUNS.save(path, force=True),
    "runs.parquet": lambda path: RUNS.save(path, force=True),
    "plan.svg": lambda path: plot("kumar2024", path, force=True),
    "model.safetensors": _checkpoint,
    "text.tokens": _tokens,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_leaves_what_was_there(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / name
    WRITERS[name](path)
    good = path.read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ValueError, match="No space left on device") as caught:
        WRITERS[name](path)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == good
    assert os.listdir(tmp_path) == [name]
