"""Build the wheel and try it as a stranger gets it: ``make release PYTHONS="python3.11 ..."``.

Each Python has a clean environment with the newest dependencies, the first also one with the least
that `pyproject.toml` allows; the core is tried alone, then tests of every room that needs no torch.
What was tried is kept in dist.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: Extras that are tried, all but those that need torch, a cluster or a tracker.
EXTRAS = ("sample", "app", "excel", "zst")
#: What the tests need themselves.
TOOLS = ("pytest>=9", "pytest-xdist>=3.6", "hypothesis>=6.100", "httpx>=0.27", "pandas>=2.2",
         "ml_dtypes>=0.5", "gfloat>=0.5")  # fmt: skip
#: Tests of every room but `lm` that need no torch.
TESTS = ("formats/test_formats_number.py", "files/test_files_golden.py", "laws", "runs/intake",
         "linear/test_linear_values.py", "linear/test_linear_refused.py", "fits/test_fits_fit.py",
         "fits/test_fits_result.py", "plans/test_plans_plan.py", "plans/test_plans_saving.py",
         "scores", "plots/test_plots_kinds.py", "plots/test_plots_plan.py",
         "plots/test_plots_report.py", "app", "cli/test_cli_report.py")  # fmt: skip
#: Other releases than those of `constraints.txt` warn of other things, which is not tried here.
QUIET = ("-W", "default")
#: What the core alone does, without an extra.
ALONE = """
import sys
import isoloss as il
fit = il.fit("kumar2024", "simulated2024", draws=20, starts=4)
print(il.plan(fit, "1e18 flop", "linear-bits", precision=["w6 a6 kv6", "bf16"]))
il.plot(fit, "fit.svg")
assert len(il.read("isoloss2026")) == 5220
assert not {"torch", "jinja2", "ray", "submitit"} & set(sys.modules)
assert "site-packages" in il.__file__, il.__file__
"""


def main(pythons: list[str]) -> None:
    """Try the wheel with each Python; stops at the first fault."""
    with tempfile.TemporaryDirectory(prefix="isoloss") as folder:
        wheel = built(Path(folder))
        print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB", flush=True)
        for k, python in enumerate(pythons):
            for least in (True, False)[bool(k) :]:
                tried(python, wheel, Path(folder) / f"{k}-{least}", least)
        shutil.copytree(wheel.parent, ROOT / "dist", dirs_exist_ok=True)


def built(folder: Path) -> Path:
    """The wheel, made from the source archive and not from the tree, so that both are whole."""
    python = environment(sys.executable, folder / "build")
    run(python, "-m", "pip", "install", "-q", "build")
    run(python, "-m", "build", "-o", str(folder / "dist"), str(ROOT))
    return next((folder / "dist").glob("*.whl"))


def tried(python: str, wheel: Path, folder: Path, least: bool) -> None:
    """The wheel in an environment of its own: the core alone, then tests of the other rooms."""
    own = environment(python, folder)
    limits = folder / "least.txt"
    limits.write_text("\n".join(lowest()) if least else "", encoding="utf-8")
    install = (own, "-m", "pip", "install", "-q", "-c", str(limits))
    run(*install, str(wheel))
    run(own, "-c", ALONE, cwd=folder)
    run(*install, f"{wheel}[{','.join(EXTRAS)}]", *TOOLS)
    run(own, "-m", "pip", "check")
    places = [str(ROOT / "tests" / name) for name in TESTS]
    run(own, "-m", "pytest", "-q", "-n", "2", *QUIET, "-m", "not (extras or slow)", *places)
    print(f"{python}, {'least' if least else 'newest'} versions: whole", flush=True)


def environment(python: str, folder: Path) -> str:
    """The interpreter of a new environment."""
    run(python, "-m", "venv", str(folder))
    return str(folder / "bin" / "python")


def lowest() -> Iterator[str]:
    """The least version of each dependency of the core and the extras, as constraints."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    for each in (*project["dependencies"], *(d for name in EXTRAS for d in extras[name])):
        name, least = re.fullmatch(r"([\w.-]+)>=([\w.]+)", each).groups()  # type: ignore[union-attr]
        yield f"{name}=={least}"


def run(*words: str, cwd: Path = ROOT) -> None:
    """Run a command; its fault ends the trial."""
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if subprocess.run(words, cwd=cwd, env=bare).returncode:
        sys.exit(f"failed: {' '.join(words)[:300]}")


if __name__ == "__main__":
    main(sys.argv[1:] or [sys.executable])
