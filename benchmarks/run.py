"""Every study, one after the other, into docs/results.md (make bench); a name or more runs just
those.

Each prints to stdout what it measured. Long ones repeat ISOLOSS_REPEATS times (200 unless set).
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import platform
import sys
from pathlib import Path

from isoloss.runs import RunsError

STUDIES = (
    "imports",
    "rounding",
    "exact_risk",
    "exact_against_sampled",
    "sampled_sgd",
    "regression_studies",
    "theory_bounds",
    "fit_speed",
    "plan_speed",
    "next_runs",
    "decision_quality",
    "quest",
    "extrapolation",
    "recovery",
    "wrong_law",
    "sweep_killed",
    "synthetic_language",
    "gptq",
    "training_speed",
    "cell_speed",
    "sweep_of_72",
    "measured2026",
    "gap_intervals",
)
PAGE = Path(__file__).parents[1] / "docs" / "results.md"


def main() -> None:
    wanted = sys.argv[1:] or list(STUDIES)
    unknown = [name for name in wanted if name not in STUDIES]
    if unknown:
        raise SystemExit(f"unknown study {unknown[0]!r}; there are {', '.join(STUDIES)}")
    parts = {name: _kept(name) for name in STUDIES}
    for name in wanted:
        print(f"{name} ...", file=sys.stderr, flush=True)
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said):
                importlib.import_module(f"benchmarks.{name}").main()
        except RunsError as error:
            print(f"{name} left out: {error}", file=sys.stderr)
            continue
        parts[name] = said.getvalue().strip()
        print(parts[name], flush=True)
        _write(parts)


def _write(parts: dict[str, str]) -> None:
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'unset')}"
    head = f"# What isoloss measured\n\nWritten by `make bench` ({machine}). Seconds are of one run on one machine: read them as ratios.\n"
    body = [f"<!-- {name} -->\n\n{text}\n" for name, text in parts.items() if text]
    PAGE.write_text("\n".join([head, *body]))


def _kept(name: str) -> str:
    """What an earlier run wrote for a study."""
    if not PAGE.exists():
        return ""
    _, found, rest = PAGE.read_text().partition(f"<!-- {name} -->\n\n")
    return rest.partition("\n\n<!-- ")[0].strip() if found else ""


if __name__ == "__main__":
    main()
