"""Every study, one after the other, into docs/results (make bench); names of some run just those.

Each prints to stdout what it measured. Long ones repeat ISOLOSS_REPEATS times (200 unless set).
A study is one file of this folder and one line here, under the room whose page it stands on.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import io
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path

from isoloss.runs import RunsError

#: Room -> study -> its title on the page.
PAGES: Mapping[str, Mapping[str, str]] = {
    "formats": {"rounding": "Speed of fake quantisation"},
    "runs": {
        "sweep_killed": "Sweeps that are killed",
        "tiny_tasks": "Tiny tasks through the store",
        "on_engines": "Sweeps on Ray, Slurm and in shards",
        "large_sweep": "A sweep of 100,000 tasks on 1,000 workers, simulated",
        "read_large": "How fast a large table is read",
        "file_killed": "Files that are replaced, and killed meanwhile",
        "stores_mutated": "Stores that were damaged",
    },
    "linear": {
        "exact_risk": "Speed and digits of the exact risk",
        "walked_risk": "Risks that are stepped through",
        "exact_against_sampled": "Exact risk against simulation",
        "closure_error": "Closures of nearest rounding against simulation",
        "sampled_sgd": "Speed of sampled SGD",
        "regression_studies": "Studies of quantised SGD",
        "effective_sizes": "Effective sizes",
        "theory_bounds": "Bounds, sizes of equal risk, the best allocation",
        "laws_on_exact_runs": "Laws on exact runs",
        "networks": "Non-linear networks beside the theory",
    },
    "fits": {
        "fit_speed": "Speed of the fit",
        "quest": "quest2025: published efficiencies and Kumar's form",
        "extrapolation": "Blind extrapolation",
        "recovery": "Recovery of known constants",
        "wrong_law": "Coverage under a wrong law",
        "units": "Runs that depend on one another",
        "identified": "What designs can tell",
        "coverage": "Coverage of intervals under truths of many kinds",
        "held_out_real": "Held-out runs of public tables",
        "gap_intervals": "Coverage of the gap table",
        "compare_weights": "Weights of compared laws",
        "differences": "Laws of differences",
        "error2026": "The shipped laws of the error",
        "gauge": "Faults in runs under way",
    },
    "plans": {
        "plan_speed": "Speed of a plan",
        "published_hours": "Hours of published runs",
        "pays": "Does FP4 pay",
        "serving_gap": "The gap of a way to serve",
        "next_runs": "What the next runs teach",
        "first_design": "Before the first run",
        "decision_quality": "Decisions under a truth that nobody fitted",
        "decision_rivals": "Decisions beside competent rivals",
        "explore": "Speed of the page",
    },
    "scores": {
        "forecasts": "Frozen forecasts, scored",
        "arena": "Laws on trial",
    },
    "lm": {
        "synthetic_language": "The synthetic language",
        "gptq": "GPTQ beside rounding to nearest",
        "training_speed": "Speed of quantised training",
        "cell_speed": "Many precisions as one batched model",
        "several_devices": "One run on several devices",
        "sweep_of_72": "72 runs on two cores",
        "own_modules": "Modules of one's own, killed and fitted beside the decoder",
        "atlas": "An atlas of checkpoints",
        "recipes": "Recipes of training in four bits",
        "own_methods": "Methods after training on decoders that are trained here",
        "clip_search": "GPTQ and the clip search in machine code",
        "measured2026": "What the bundled table isoloss2026 says",
    },
    "papers": {
        "papers_reproduced": "The papers, reproduced",
        "claims_can_fail": "Claims that can fail",
    },
    "house": {
        "imports": "What an import costs",
    },
}
STUDIES = tuple(name for studies in PAGES.values() for name in studies)
TITLES = {
    "formats": "number formats",
    "runs": "runs and sweeps",
    "linear": "linear regression",
    "fits": "fits",
    "plans": "plans",
    "scores": "forecasts and laws on trial",
    "lm": "language models",
    "papers": "claims of the papers",
    "house": "the package",
}
BENCHMARKS = Path(__file__).parent
DOCS = BENCHMARKS.parent / "docs"


def main() -> None:
    wanted = sys.argv[1:] or list(STUDIES)
    unknown = [name for name in wanted if name not in STUDIES]
    if unknown:
        raise SystemExit(f"unknown study {unknown[0]!r}; there are {', '.join(STUDIES)}")
    parts = kept(DOCS)
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
        write(DOCS, parts, machine())


def machine() -> str:
    """The sentence that says where the numbers were measured."""
    threads = os.environ.get("OMP_NUM_THREADS", "unset")
    where = f"{os.cpu_count()} cores, Python {platform.python_version()}, OMP_NUM_THREADS={threads}"
    return (
        f"Written by `make bench` ({where}). "
        "Seconds are of one run on one machine: read them as ratios."
    )


def write(docs: Path, parts: Mapping[str, str], said: str) -> None:
    """Write the overview and a page a room, from what each study printed."""
    (docs / "results").mkdir(exist_ok=True)
    index = [f"# What isoloss measured\n\n{said}\n"]
    for room, studies in PAGES.items():
        present = {name: title for name, title in studies.items() if parts.get(name)}
        if not present:
            continue
        link = f"results/{room}.md"
        body = [_section(name, title, parts[name]) for name, title in present.items()]
        head = f"# Measured: {TITLES[room]}\n\n{said}\n"
        (docs / link).write_text("\n".join([head, *body]), encoding="utf-8")
        rows = [
            f"| [{title}]({link}#{anchor(title)}) | `python -m benchmarks.{name}` |"
            for name, title in present.items()
        ]
        table = "\n".join(["| study | command |", "|---|---|", *rows])
        index.append(f"## {TITLES[room].capitalize()}\n\n{table}\n")
    (docs / "results.md").write_text("\n".join(index), encoding="utf-8")


def kept(docs: Path) -> dict[str, str]:
    """What earlier runs wrote, by study."""
    found = {}
    for room, studies in PAGES.items():
        page = docs / "results" / f"{room}.md"
        text = page.read_text(encoding="utf-8") if page.exists() else ""
        for name in studies:
            _, mark, rest = text.partition(f"<!-- {name} -->\n\n")
            if mark:
                found[name] = rest.partition("\n## ")[0].strip()
    return found


def anchor(title: str) -> str:
    """The anchor that the site gives to a heading of plain words."""
    plain = "".join(each for each in title.lower() if each.isalnum() or each in " -_")
    return "-".join(plain.split())


def _section(name: str, title: str, text: str) -> str:
    source = ast.parse((BENCHMARKS / f"{name}.py").read_text(encoding="utf-8"))
    says = " ".join((ast.get_docstring(source) or "").split("\n\n")[0].split())
    says = says.replace("``", "`")
    return f"## {title}\n\n{says} `python -m benchmarks.{name}`\n\n<!-- {name} -->\n\n{text}\n"


if __name__ == "__main__":
    main()
