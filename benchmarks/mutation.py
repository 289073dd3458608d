"""Mutation sampling (`make mutate`): small changes of a module, drawn with a seed, and whether the
tests of its room notice each.

A comparison turned, an operator exchanged, a number moved, a condition denied, a statement left out
or a returned value lost; the tests run in a copy of the package, so that the working tree is left
alone. What nobody notices is listed: a test is missing there, or the code says it twice.
``python -m benchmarks.mutation [MUTANTS [SEED [FILE ...]]]``, files as in `ROOMS`.
"""

from __future__ import annotations

import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.timing import asked, table

ROOT = Path(__file__).parents[1]
PACKAGE = "src/isoloss"
#: Files that are mutated, under the package, and the fast tests that must notice.
ROOMS = {
    "files/parts.py": ("tests/files/test_files_writing.py",),
    "runs/database/checksums.py": ("tests/runs/sweeps/test_runs_mutated.py",),
    "runs/stored.py": (
        "tests/runs/sweeps/test_runs_mutated.py",
        "tests/runs/sweeps/test_runs_store.py",
    ),
    "fits/compare_laws/stacking.py": ("tests/fits/compare_laws/test_fits_stacking.py",),
    "fits/evidence/holdout.py": ("tests/fits/evidence/test_fits_holdout.py",),
    "plans/design/refit_gradients.py": ("tests/plans/design/test_plans_refit_gradients.py",),
    "fits/result.py": ("tests/fits/test_fits_result.py", "tests/fits/test_fits_fit.py"),
}
#: Seconds that the tests of one mutant may take, as a multiple of those of the code as it is.
PATIENCE = 5.0
TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
EXCHANGED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A change of one file: where, what it was and is, and the whole text."""

    file: str
    line: int
    was: str
    now: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.was}  ->  {self.now}"


def mutants(file: str) -> list[Mutant]:
    """Every mutant of a file of the package, in the order of the text."""
    source = (ROOT / PACKAGE / file).read_text(encoding="utf-8")
    return [_mutant(file, source, k) for k in range(sum(1 for _ in _places(ast.parse(source))))]


def _mutant(file: str, source: str, number: int) -> Mutant:
    tree = ast.parse(source)
    node, change = next(place for k, place in enumerate(_places(tree)) if k == number)
    line, was = getattr(node, "lineno", 0), _short(node)
    change()
    return Mutant(file, line, was, _short(node), ast.unparse(tree) + "\n")


def _short(node: ast.AST) -> str:
    text = ast.unparse(ast.fix_missing_locations(node)).splitlines()
    return text[0][:90] + (" ..." if len(text) > 1 or len(text[0]) > 90 else "")


def _places(tree: ast.Module) -> Iterator[tuple[ast.AST, Change]]:
    """Places inside functions that can be changed, each once with what changes it."""
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    bodies = (statement for function in functions for statement in function.body)
    # A function inside another one stands in both bodies.
    nodes = {id(node): node for statement in bodies for node in ast.walk(statement)}
    for node in nodes.values():
        yield from ((node, change) for change in _changes(node))


def _changes(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Compare(ops=[op]) if type(op) in TURNED:
            yield Change(node, "ops", [TURNED[type(op)]()])
        case ast.BinOp(op=op, left=left) if type(op) in EXCHANGED and not _is_text(left):
            yield Change(node, "op", EXCHANGED[type(op)]())
        case ast.BoolOp(op=op):
            yield Change(node, "op", ast.And() if isinstance(op, ast.Or) else ast.Or())
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert() as op, operand=operand):
            yield Change(node, "operand", ast.UnaryOp(op, operand))  # twice is not at all
        case ast.Constant(value=bool() as value):
            yield Change(node, "value", not value)
        case ast.Constant(value=int() | float() as value):
            yield Change(node, "value", value + 1 if isinstance(value, int) else 2 * value + 1e-9)
        case ast.If(test=test) | ast.IfExp(test=test):
            yield Change(node, "test", ast.UnaryOp(ast.Not(), test))
        case ast.Return(value=ast.expr()):
            yield Change(node, "value", ast.Constant(None))
        case ast.Expr(value=ast.Call()):  # a statement for what it does
            yield Change(node, "value", ast.Constant(...))
        case ast.AugAssign(op=op) if type(op) in EXCHANGED:
            yield Change(node, "op", EXCHANGED[type(op)]())


@dataclass(frozen=True)
class Change:
    """Another value of a field of a node."""

    node: ast.AST
    field: str
    value: object

    def __call__(self) -> None:
        setattr(self.node, self.field, self.value)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def survivors(folder: Path, file: str, drawn: list[Mutant]) -> list[Mutant]:
    """The mutants that the tests of a file's room do not notice."""
    place = folder / "src" / "isoloss" / file
    whole = place.read_text(encoding="utf-8")
    began = time.monotonic()
    if not _passes(folder, file, None):
        raise SystemExit(f"the tests of {file} fail without any change: {ROOMS[file]}")
    patience, left = PATIENCE * (time.monotonic() - began) + 30, []
    for mutant in drawn:
        place.write_text(mutant.text, encoding="utf-8")
        if _passes(folder, file, patience):
            left.append(mutant)
            print(f"survived: {mutant}", file=sys.stderr, flush=True)
    place.write_text(whole, encoding="utf-8")
    return left


def _passes(folder: Path, file: str, patience: float | None) -> bool:
    words = [sys.executable, "-m", "pytest", "-x", "-q", "-n0", "-p", "no:cacheprovider"]
    known = os.environ | {"PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [*words, *ROOMS[file]], cwd=ROOT, env=known, capture_output=True, timeout=patience
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def main(count: int = 20, seed: int = 0, *files: str) -> None:
    if unknown := [file for file in files if file not in ROOMS]:
        raise SystemExit(f"unknown file {unknown[0]!r}; there are {', '.join(ROOMS)}")
    rows, left = [], []
    with tempfile.TemporaryDirectory() as place:
        shutil.copytree(ROOT / "src", Path(place) / "src")
        for file in files or ROOMS:
            every = mutants(file)
            drawn = random.Random(f"{seed} {file}").sample(every, min(count, len(every)))
            alive = survivors(Path(place), file, drawn)
            rows.append([file, len(every), len(drawn), len(drawn) - len(alive), len(alive)])
            left += alive
            print(*rows[-1], file=sys.stderr, flush=True)
    print(f"### {count} mutants of each file at most (seed {seed})\n")
    print(table(["file", "mutants", "drawn", "killed", "survived"], rows), "\n")
    print("\n".join(map(str, left)))


if __name__ == "__main__":
    main(*asked(__doc__, sys.argv[1:], int, int, *[str] * len(ROOMS)))
