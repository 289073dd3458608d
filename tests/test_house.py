"""The rules of the house: who imports whom, wings and circles, what a face lists, what ``import
isoloss`` loads.
"""

import ast
import importlib
import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType

import pytest

import isoloss

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "isoloss"
FRONT = "isoloss"
FLOORS = {
    "formats": 0,
    "files": -1,
    "laws": 1,
    "runs": 1,
    "linear": 2,
    "lm": 2,
    "fits": 2,
    "plans": 3,
    "scores": 3,
    "plots": 4,
    "papers": 5,
    FRONT: 6,
    "app": 7,
    "cli": 8,
}
# Heavy or optional libraries, and the only rooms that may name them.
HOMES = {
    "torch": {"lm", "formats", "linear"},
    "matplotlib": {"plots"},
    "numba": {"formats", "linear"},
}
#: Wings that other rooms enter by a face of their own, since it loads a library that the room
#: itself does without.
DOORS = {"formats.numba_twin", "formats.torch_twin", "linear.networks"}
TYPES = [
    "Budget",
    "Claim",
    "Comparison",
    "Fit",
    "Forecast",
    "Format",
    "Grid",
    "Law",
    "NextRuns",
    "Plan",
    "Precision",
    "Regression",
    "Risk",
    "Run",
    "Runs",
    "SGD",
]
VERBS = [
    "compare",
    "fit",
    "forecast",
    "load",
    "next_runs",
    "pays",
    "plan",
    "plot",
    "predict",
    "quantise",
    "read",
    "report",
    "reproduce",
    "score",
    "simulate",
    "train",
    "use",
]
ROOMS = sorted(path.parent.name for path in SOURCE.glob("*/__init__.py"))
FILES = sorted(SOURCE.rglob("*.py"))
#: Every folder with a face, "linear" and "linear.exact" alike.
FACES = sorted(
    ".".join(path.parent.relative_to(SOURCE).parts) for path in SOURCE.glob("*/**/__init__.py")
)
#: Folders whose files are entries of a registry or of a list: they may hold as many as there are.
OPEN = {"laws.families", "cli.verbs", "plots.panels", "lm.after.methods"}
MOST_FILES = 16
#: A value and its own printed report: the one circle that may stand, and only for types.
VALUE_AND_REPORT: set[frozenset[str]] = set()


def _name(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def _targets(node: ast.AST, package: str) -> Iterator[str]:
    """The absolute dotted names that one node imports; `package` is what a relative import starts
    from.
    """
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
        module = ".".join([*above, *([node.module] if node.module else [])])
        yield from (f"{module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
        "import_module",
        "importlib.import_module",
    ):
        constants = (argument.value for argument in node.args if isinstance(argument, ast.Constant))
        yield from (value for value in constants if isinstance(value, str))


def _refusals(text: str, room: str, package: str) -> list[str]:
    """The imports of one source file that the house refuses, each with the reason."""
    found = []
    for node in ast.walk(ast.parse(text)):
        for target in _targets(node, package):
            if reason := _reason(target, room, whole=isinstance(node, (ast.Import, ast.Call))):
                found.append(f"{target}: {reason}")
    return found


def _reason(target: str, room: str, whole: bool) -> str | None:
    """Why `room` may not import `target` (`whole`: as a module, not a name out of one); None if it
    may.
    """
    head, *rest = target.split(".")
    if head != FRONT:
        return (
            None if room in HOMES.get(head, {room}) else f"only {sorted(HOMES[head])} may import it"
        )
    if not rest or (rest[0] not in FLOORS):
        return (
            None
            if FLOORS[room] > FLOORS[FRONT]
            else "the package root is for users, import from the room"
        )
    if not whole and len(rest) == 1 and FLOORS[room] < FLOORS[FRONT]:
        return "import names from the room's face, not the room from the package root"
    if rest[0] == room:
        return None
    if FLOORS[rest[0]] >= FLOORS[room]:
        return f"{rest[0]} is not below {room}"
    if ".".join(rest[:2]) in DOORS and len(rest) == (2 if whole else 3):
        return "private to its room" if rest[-1].startswith("_") else None
    if len(rest) > (1 if whole else 2) or SOURCE.joinpath(*rest[:2]).with_suffix(".py").is_file():
        return "only the face of another room may be imported"
    return "private to its room" if rest[-1].startswith("_") else None


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_imports_run_one_way(path: Path) -> None:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    room = parts[0] if len(parts) > 1 else {"__main__": "cli"}.get(parts[0], FRONT)
    package = ".".join([FRONT, *parts[:-1]])
    assert _refusals(path.read_text(encoding="utf-8"), room, package) == []


@pytest.mark.parametrize(
    ("room", "line", "why"),
    [
        ("formats", "from isoloss.laws import Law", "laws is not below formats"),
        ("laws", "import isoloss.runs", "runs is not below laws"),
        ("fits", "from isoloss.linear import Risk", "linear is not below fits"),
        ("fits", "from ..plots import plot", "plots is not below fits"),
        ("fits", "from isoloss.runs.table import Runs", "only the face"),
        ("fits", "import isoloss.runs.table", "only the face"),
        ("fits", "import_module('isoloss.runs.table')", "only the face"),
        ("fits", "from isoloss.runs import _checked", "private to its room"),
        ("lm", "from isoloss.formats.torch_twin.compiled import straight", "only the face"),
        ("runs", "def f():\n    import torch", "only ['formats', 'linear', 'lm'] may import it"),
        ("plots", "import isoloss as il", "the package root is for users"),
        ("plots", "from isoloss import Runs", "the package root is for users"),
        ("plots", "from isoloss import fits", "not the room from the package root"),
        ("plots", "from .. import fits", "not the room from the package root"),
        ("fits", "def f():\n    import matplotlib.pyplot", "only ['plots'] may import it"),
    ],
)
def test_a_crooked_import_is_seen(room: str, line: str, why: str) -> None:
    assert [why in found for found in _refusals(line, room, f"isoloss.{room}")] == [True]


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("fits", "from isoloss.runs import Runs"),
        ("fits", "from ..laws import Law"),
        ("fits", "from ._draws import _resample"),
        ("fits", "import isoloss.formats"),
        ("lm", "from isoloss.formats.torch_twin import fake_quantise"),
        ("cli", "import isoloss as il"),
        ("cli", "from isoloss.fits import fit"),
        ("plots", "import matplotlib.pyplot as plt"),
    ],
)
def test_a_straight_import_passes(room: str, line: str) -> None:
    assert _refusals(line, room, f"isoloss.{room}") == []


def test_everything_stands_in_a_known_room() -> None:
    names = {path.name for path in SOURCE.iterdir() if path.name != "__pycache__"}
    assert names <= {*FLOORS, "__init__.py", "__init__.pyi", "__main__.py", "py.typed"}


def _module(path: Path) -> str:
    """The dotted name of a source file; a face has that of its folder."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join([FRONT, *parts]).removesuffix(".__init__")


MODULES = {_module(path): path for path in FILES}


def _needs(text: str, package: str, modules: Container[str]) -> set[str]:
    """The modules that a source file imports, at its top, in functions and for types alike."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        for target in _targets(node, package):
            found |= {
                next(
                    (name for name in (target, target.rpartition(".")[0]) if name in modules), FRONT
                )
            }
    return found


def _circles(needs: Mapping[str, set[str]]) -> list[set[str]]:
    """The sets of modules that reach each other."""
    graph = _components({name: sorted(found - {name, FRONT}) for name, found in needs.items()})
    return [
        circle for circle in graph if len(circle) > 1 and frozenset(circle) not in VALUE_AND_REPORT
    ]


def _components(graph: Mapping[str, Sequence[str]]) -> list[set[str]]:
    """Strongly connected components: names that reach each other, by two walks in depth."""
    order: list[str] = []
    seen: set[str] = set()

    def walk(start: str, edges: Mapping[str, Sequence[str]], done: Callable[[str], None]) -> None:
        seen.add(start)
        stack = [(start, iter(edges.get(start, ())))]
        while stack:
            after = next((each for each in stack[-1][1] if each not in seen), None)
            if after is None:
                done(stack.pop()[0])
            else:
                seen.add(after)
                stack.append((after, iter(edges.get(after, ()))))

    for name in graph:
        if name not in seen:
            walk(name, graph, order.append)
    back: dict[str, list[str]] = {}
    for name, targets in graph.items():
        for target in targets:
            back.setdefault(target, []).append(name)
    seen.clear()
    found: list[set[str]] = []
    for name in reversed(order):
        if name not in seen:
            found.append(set())
            walk(name, back, found[-1].add)
    return found


def test_no_module_reaches_itself() -> None:
    """Imports inside functions and for types alone count too."""
    needs = {}
    for name, path in MODULES.items():
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        needs[name] = _needs(path.read_text(encoding="utf-8"), package, MODULES)
    assert [sorted(circle) for circle in _circles(needs)] == []


@pytest.mark.parametrize(
    "line",
    [
        "from isoloss.fits.b import B",
        "def f():\n    from isoloss.fits.b import B",
        "if TYPE_CHECKING:\n    from isoloss.fits.b import B",
        "from isoloss.fits import b",
    ],
)
def test_a_circle_is_seen(line: str) -> None:
    names = {"isoloss.fits.a", "isoloss.fits.b", "isoloss.fits.c"}
    needs = {
        "isoloss.fits.a": _needs(line, "isoloss.fits", names),
        "isoloss.fits.b": {"isoloss.fits.c"},
        "isoloss.fits.c": {"isoloss.fits.a"},
    }
    assert _circles(needs) == [names]
    assert _circles({**needs, "isoloss.fits.c": set()}) == []


def test_a_full_folder_has_wings() -> None:
    full = {
        face: len(found)
        for face in FACES
        if face not in OPEN
        and len(found := [*SOURCE.joinpath(*face.split(".")).glob("*.py")]) > MOST_FILES
    }
    assert full == {}


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_a_wing_is_entered_by_its_face(path: Path) -> None:
    """At the top of a file; an import inside a function may name a file, so that heavy libraries
    stay out.
    """
    home = ".".join(path.relative_to(SOURCE).parts[:-1])
    crooked = [
        node.module
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(f"{FRONT}.")
        for wing in [node.module.removeprefix(f"{FRONT}.").rpartition(".")[0]]
        if wing.count(".") and wing in FACES and not f"{home}.".startswith(f"{wing}.")
    ]
    assert crooked == []


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_a_file_opens_with_one_sentence(path: Path) -> None:
    opening = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert opening, "no docstring"
    assert opening.split("\n\n")[0].rstrip().endswith((".", ":"))


@pytest.mark.parametrize("room", FACES)
def test_a_face_only_lists_what_it_re_exports(room: str) -> None:
    text = (SOURCE.joinpath(*room.split(".")) / "__init__.py").read_text(encoding="utf-8")
    tree = ast.parse(text)
    listed = next(
        (node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)), None
    )
    assert listed is not None, "no __all__"
    others = [
        node
        for node in tree.body
        if not isinstance(node, (ast.Import, ast.ImportFrom)) and node is not listed
    ]
    assert ast.unparse(listed).startswith("__all__")
    assert [ast.unparse(node) for node in others[1:]] == []  # the first is the docstring
    assert len(tree.body) < 40


@pytest.mark.parametrize("room", FACES)
def test_the_list_of_a_face_is_complete_and_sorted(room: str) -> None:
    module = importlib.import_module(f"isoloss.{room}")
    assert list(module.__all__) == sorted(set(module.__all__), key=_reading_order)
    assert set(module.__all__) == _offered(room)
    assert [name for name in module.__all__ if isinstance(getattr(module, name), ModuleType)] == []


def test_a_name_means_one_thing_in_all_rooms() -> None:
    """Two rooms may offer one object under one name, never two."""
    homes: dict[str, dict[int, str]] = {}
    for room in ROOMS:
        module = importlib.import_module(f"isoloss.{room}")
        for name in module.__all__:
            homes.setdefault(name, {}).setdefault(id(getattr(module, name)), room)
    twice = {name: [*rooms.values()] for name, rooms in homes.items() if len(rooms) > 1}
    # The compiled twin has the name of the rule that it is equal to, bit by bit.
    assert twice == {"fake_quantise": ["formats", "lm"]}


def _offered(room: str) -> set[str]:
    """The public names that a face imports from its own room."""
    tree = ast.parse(
        (SOURCE.joinpath(*room.split(".")) / "__init__.py").read_text(encoding="utf-8")
    )
    own = [
        node
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        and (
            f"isoloss.{room}." in f"{node.module}."
            or str(node.module).removeprefix(f"{FRONT}.") in DOORS
        )
    ]
    near = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.level == 1]
    names = {alias.asname or alias.name for node in [*own, *near] for alias in node.names}
    return {name for name in names if not name.startswith("_")}


def _reading_order(name: str) -> tuple[int, list[tuple[int, str]]]:
    """The order ruff sorts `__all__` in: CONSTANTS, Types, verbs, each with numbers as numbers."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2
    return kind, [
        (int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)
    ]


@pytest.mark.parametrize("room", FACES)
def test_no_module_has_the_name_of_what_a_face_offers(room: str) -> None:
    """Folders of data are no modules."""
    inside = SOURCE.joinpath(*room.split(".")).iterdir()
    modules = {each.stem for each in inside if each.is_file() or (each / "__init__.py").is_file()}
    assert modules & set(importlib.import_module(f"isoloss.{room}").__all__) == set()


def test_import_loads_nothing_heavy() -> None:
    code = "import sys, isoloss; print(*{name.partition('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (
        set(run.stdout.split()) & {"torch", "matplotlib", "numba", "scipy", "polars", "pandas"}
        == set()
    )


def test_the_front_door_offers_rooms_types_and_verbs() -> None:
    rooms = set(ROOMS) - {"app", "cli"}
    assert set(isoloss.__all__) == {*rooms, *TYPES, *VERBS}
    assert dir(isoloss) == sorted(isoloss.__all__)


def test_a_verb_is_never_replaced_by_a_room() -> None:
    for room in ROOMS:
        importlib.import_module(f"isoloss.{room}")
    assert all(isinstance(getattr(isoloss, name), type) for name in TYPES)
    assert [name for name in VERBS if isinstance(getattr(isoloss, name), ModuleType)] == []
    assert all(callable(getattr(isoloss, name)) for name in VERBS)
    assert all(
        isinstance(getattr(isoloss, name), ModuleType) for name in set(ROOMS) - {"app", "cli"}
    )


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        getattr(isoloss, "nonsense")  # noqa: B009  a type checker would refuse the attribute


def test_one_version_everywhere() -> None:
    assert isoloss.__version__ == importlib.metadata.version("isoloss")
    assert f"\nversion: {isoloss.__version__}\n" in (ROOT / "CITATION.cff").read_text(
        encoding="utf-8"
    )


def test_the_quick_tests_are_there_and_of_every_room() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    line = next(line for line in text.splitlines() if line.startswith("QUICK := "))
    words = line.split()[2:]
    assert [word for word in words if not any(ROOT.glob(word))] == []
    assert {*ROOMS} - {word.split("/")[1] for word in words} == set()


def streams(tree: ast.Module) -> Iterator[str]:
    """The random generators of a module that its functions draw from: what a test draws would
    hang on which tests ran before it in the same process.
    """
    made = {
        target.id
        for line in tree.body
        if isinstance(line, ast.Assign) and isinstance(line.value, ast.Call)
        for target in line.targets
        if isinstance(target, ast.Name)
        and re.search(
            r"(default_rng|RandomState|Generator|manual_seed)\([^()]*\)$", ast.unparse(line)
        )
    }
    for line in tree.body:
        if isinstance(line, ast.FunctionDef | ast.ClassDef):
            drawn = {word.id for word in ast.walk(line) if isinstance(word, ast.Name)}
            yield from sorted(made & drawn)


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("*.py")), ids=lambda path: path.stem)
def test_no_test_draws_from_a_stream_of_others(path: Path) -> None:
    assert list(streams(ast.parse(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    "made", ["np.random.default_rng(0)", "torch.Generator().manual_seed(0)", "RandomState()"]
)
def test_a_shared_stream_is_seen(made: str) -> None:
    assert list(streams(ast.parse(f"DRAW = {made}\ndef test(): DRAW.normal()"))) == ["DRAW"]
    assert list(streams(ast.parse(f"X = {made}.normal()\ndef test(): X"))) == []


def without_equality(tree: ast.Module) -> Iterator[str]:
    """Dataclasses whose number may be NaN by default, compared as the running Python compares:
    since 3.13 such a value is not equal even to itself.
    """
    for line in ast.walk(tree):
        if not isinstance(line, ast.ClassDef):
            continue
        said = " ".join(map(ast.unparse, line.decorator_list))
        unknown = any(
            isinstance(each, ast.AnnAssign)
            and each.value is not None
            and re.search(r"\bnan\b", ast.unparse(each.value))
            for each in line.body
        )
        own = any(isinstance(e, ast.FunctionDef) and e.name == "__eq__" for e in line.body)
        compared = own or "equal_by" in said or "eq=False" in said
        if unknown and "dataclass" in said and not compared:
            yield line.name


@pytest.mark.parametrize("path", sorted((ROOT / "src").rglob("*.py")), ids=lambda path: path.stem)
def test_a_value_that_may_hold_nan_equals_itself_on_every_python(path: Path) -> None:
    assert list(without_equality(ast.parse(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    ("decorator", "found"),
    [("@dataclass(frozen=True)", ["A"]), ("@equal_by_fields\n@dataclass(frozen=True)", [])],
)
def test_a_value_compared_by_chance_is_seen(decorator: str, found: list[str]) -> None:
    for default in ("math.nan", 'float("nan")'):
        tree = ast.parse(f"{decorator}\nclass A:\n    x: float = {default}")
        assert list(without_equality(tree)) == found


@pytest.mark.parametrize("path", [".ci/run", ".github/workflows/ci.yml"])
def test_ci_only_calls_words_of_the_makefile(path: str) -> None:
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    commands = [
        line.strip().removeprefix("- run: ")
        for line in lines
        if re.match(r"(\s*- run: )|make ", line)
    ]
    assert commands == ["make test", "make check", "make docs", "make test-extras"]
