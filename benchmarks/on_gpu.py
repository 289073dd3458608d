"""Everything that has waited for a GPU, measured in eight minutes by one command.

    python -m benchmarks.on_gpu FOLDER [BOX ...]        on a machine with a GPU
    python -m benchmarks.on_gpu FOLDER --cpu            the same at toy size, to see that it runs

Each box (on_gpu_boxes.py) is a process of its own with a time box; its rows are in FOLDER/BOX.json
as soon as they are known, so that a box that fails or runs out of time loses neither them nor the
other boxes. FOLDER/all.json has all of them and how each box ended.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.on_gpu_boxes import BOXES, Box, Sizes
from benchmarks.timing import table

Row = dict[str, Any]


def main(words: Sequence[str]) -> int:
    if {"-h", "--help"} & set(words):
        print((__doc__ or "").strip())
        return 0
    cpu, rest = "--cpu" in words, [word for word in words if word != "--cpu"]
    if not rest or rest[0].startswith("-"):
        raise SystemExit("name the folder for the results: python -m benchmarks.on_gpu FOLDER")
    folder, names = Path(rest[0]), rest[1:] or list(BOXES)
    if unknown := [name for name in names if name not in BOXES]:
        raise SystemExit(f"{unknown[0]!r} is no box; boxes are {', '.join(BOXES)}")
    if not cpu and not _has_gpu():
        raise SystemExit(
            "there is no GPU that torch can use here; --cpu runs every box at toy size without one"
        )
    folder.mkdir(parents=True, exist_ok=True)
    ended = [_run(BOXES[name], folder, cpu) for name in names]
    _write(folder / "all.json", ended)
    print(table(["box", "ended", "seconds"], [[e["box"], e["ended"], e["seconds"]] for e in ended]))
    return int(any(e["ended"] != "whole" for e in ended))


def _has_gpu() -> bool:
    # Asked without a context of CUDA, which the processes of the boxes could not take over.
    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"
    import torch

    return torch.cuda.is_available()


def _run(box: Box, folder: Path, cpu: bool) -> dict[str, Any]:
    """Run a box in a process of its own, print its rows and say how it ended."""
    file, start = folder / f"{box.name}.json", time.monotonic()
    file.unlink(missing_ok=True)
    process = multiprocessing.get_context("fork").Process(target=_child, args=(box, file, cpu))
    process.start()
    process.join(box.seconds)
    late = process.is_alive()
    if late:
        process.kill()
        process.join()
    kept = json.loads(file.read_text()) if file.exists() else {"rows": []}
    failed = kept.get("failed") or f"failed with exit code {process.exitcode}"
    how = "out of time" if late else "whole" if process.exitcode == 0 else failed
    _print(box, kept["rows"], how)
    taken = round(time.monotonic() - start, 1)
    return {"box": box.name, "ended": how, "seconds": taken, "rows": kept["rows"]}


def _child(box: Box, file: Path, cpu: bool) -> None:
    rows: list[Row] = []
    try:
        for row in box.measure(Sizes.toy() if cpu else Sizes()):
            rows.append(row)
            _write(file, {"box": box.name, "rows": rows})
    except Exception as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())[:400]
        _write(file, {"box": box.name, "rows": rows, "failed": why})
        raise SystemExit(1) from None


def _write(file: Path, value: Any) -> None:
    # Whole or not at all: the process may be ended while it writes.
    new = file.with_suffix(".new")
    new.write_text(json.dumps(value, indent=1))
    new.replace(file)


def _print(box: Box, rows: Sequence[Row], how: str) -> None:
    print(f"### {box.title}\n")
    if box.bar:
        print(f"Bar: {box.bar}.\n")
    heads = list(dict.fromkeys(name for row in rows for name in row))
    if rows:
        print(table(heads, [[_shown(row.get(name, "")) for name in heads] for row in rows]), "\n")
    if how != "whole":
        print(f"{how}.\n")
    sys.stdout.flush()


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
