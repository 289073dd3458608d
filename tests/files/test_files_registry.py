"""Open sets: names, homes, plugins by module, by file and by entry point."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from isoloss.files import Registry, load_entry_points, plugins, use, used


@pytest.fixture
def colours() -> Registry[int]:
    def shipped() -> None:
        made.register("red", 1, home="isoloss.colours")

    made: Registry[int] = Registry("colour", load=shipped)
    return made


def test_what_is_shipped_is_there_at_the_first_look(colours: Registry[int]) -> None:
    assert (list(colours), len(colours), colours["red"], "red" in colours) == (["red"], 1, 1, True)
    assert colours.home("red") == "isoloss.colours"


def test_a_load_that_fails_says_so_at_every_look() -> None:
    def broken() -> None:
        raise OSError("not there")

    made: Registry[int] = Registry("colour", load=broken)
    for _ in range(2):
        with pytest.raises(OSError, match="not there"):
            made.find("red")


def test_one_more_is_registered_with_its_home(colours: Registry[int]) -> None:
    assert colours.register("blue", 2) == 2
    assert colours.home("blue") == __name__
    assert colours.items() == (("red", 1), ("blue", 2))


def test_a_taken_name_is_kept_unless_replaced(colours: Registry[int]) -> None:
    colours.register("red", 1)
    with pytest.raises(ValueError, match="colour 'red' is already registered by"):
        colours.register("red", 5)
    assert colours.register("red", 5, replace=True) == colours["red"] == 5


def test_an_unknown_name_has_near_ones(colours: Registry[int]) -> None:
    with pytest.raises(ValueError, match="unknown colour 'rde'; did you mean 'red'"):
        colours["rde"]
    assert colours.find("rde") is None
    assert "use('mine.colours') or --use mine.colours loads it" in colours.unknown(
        "x", "mine.colours"
    )
    assert "accepted are red" in colours.unknown("x", "isoloss.colours")


def test_a_module_is_used_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_colours_1.py").write_text(
        "import sys\nsys.used_times = getattr(sys, 'used_times', 0) + 1\n"
    )
    monkeypatch.setattr(plugins, "_USED", [])
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setattr(sys, "used_times", 0, raising=False)
    path = str(tmp_path / "my_colours_1.py")
    use(path, path)
    assert (sys.used_times, used()) == (1, (path,))  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["no_such_module_here", "nothing/here.py"])
def test_a_module_that_is_not_there_is_one_sentence(name: str) -> None:
    with pytest.raises(ValueError, match=f"cannot use module '{name}'") as caught:
        use(name)
    assert "\n" not in str(caught.value)


def test_entry_points_are_loaded_at_a_look_for_an_unknown_name(
    colours: Registry[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "my_colours_2.py").write_text("def start(): pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    point = importlib.metadata.EntryPoint("mine", "my_colours_2", plugins.GROUP)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [point])
    plugins._load_once.cache_clear()
    colours["red"]
    assert "my_colours_2" not in sys.modules
    assert colours.find("green") is None
    assert "my_colours_2" in sys.modules


def test_an_entry_point_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    point = importlib.metadata.EntryPoint("mine", "no_such_module_here", plugins.GROUP)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [point])
    plugins._load_once.cache_clear()
    with pytest.raises(ValueError, match="the plugin 'mine'"):
        load_entry_points()
    plugins._load_once.cache_clear()


def test_a_plugin_may_look_up_and_register_while_it_is_loaded(
    colours: Registry[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int | None] = []

    class Plugin:
        name, value = "mine", "my_colours_3:start"

        def load(self) -> None:
            looks.append(colours.find("green"))
            colours.register("green", 7)

    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [Plugin()])
    plugins._load_once.cache_clear()
    assert colours.find("green") == 7
    assert looks == [None]
    plugins._load_once.cache_clear()


WRAPPER = """
def register_colour(registry, name, record):
    def inner():
        return registry.register(name, record)
    return inner()
"""


@pytest.mark.parametrize(
    ("wrapper", "home"),
    [("isoloss.wrapping", __name__), ("isolossary", "isolossary"), ("theirs", "theirs")],
)
def test_home_is_the_module_that_called_a_wrapper_of_isoloss(
    colours: Registry[int], wrapper: str, home: str
) -> None:
    room = {"__name__": wrapper}
    exec(compile(WRAPPER, "wrapper", "exec"), room)
    room["register_colour"](colours, "blue", 2)  # type: ignore[operator]
    assert colours.home("blue") == home


def test_a_shipped_file_that_registers_at_its_top_is_the_home(colours: Registry[int]) -> None:
    room = {"__name__": "isoloss.shades", "colours": colours}
    exec(compile("colours.register('pink', 3)", "shades", "exec"), room)
    assert colours.home("pink") == "isoloss.shades"


def test_every_verb_that_registers_notes_the_module_that_called_it() -> None:
    import isoloss as il
    from isoloss.lm.after.post_method import METHODS
    from isoloss.lm.rounding.gradient_rule import RULES

    method = il.lm.PostMethod("wrapped", lambda weight, known, seen: weight)
    rule = il.lm.GradientRule("wrapped", lambda x, known: x)
    machine = il.plans.Hardware("wrapped", {"bf16": 1e12})
    made = [
        (METHODS, "wrapped", lambda: il.lm.register_method(method)),
        (RULES, "wrapped", lambda: il.lm.register_rule(rule)),
        (il.plans.MACHINES, "wrapped", lambda: il.plans.register_machine(machine)),
        (il.formats.FORMATS, "wrapped", lambda: il.formats.custom_format("wrapped", grid=[-1, 1])),
        (
            il.laws.LAWS,
            "wrapped",
            lambda: il.laws.register(il.laws.Law("wrapped", il.laws.Composed())),
        ),
    ]
    for registry, name, call in made:
        call()
        assert registry.home(name) == __name__
        registry.remove(name)


def test_what_a_failing_module_registered_goes(tmp_path: Path) -> None:
    colours: Registry[int] = Registry("shade")
    path = tmp_path / "my_colours_3.py"
    made = (
        "from isoloss.files import plugins\n"
        "c, = [r for r in plugins.REGISTRIES if r.kind == 'shade']\n"
    )
    path.write_text(f"{made}c.register('mauve', 7)\n1 / 0\n")
    with pytest.raises(ValueError, match="ZeroDivisionError"):
        use(str(path))
    assert colours.find("mauve") is None
    path.write_text(f"{made}c.register('mauve', 8)\n")
    use(str(path))
    assert colours["mauve"] == 8


@pytest.mark.parametrize("name", ["json.py", "isoloss.py", "my.colours.py", "pytest.py"])
def test_a_file_with_the_name_of_another_module_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("")
    with pytest.raises(ValueError, match=r"rename the file$"):
        use(str(tmp_path / name))


@pytest.mark.parametrize("given", [None, 3, "", [], Path("a.py")])
def test_what_is_no_name_of_a_module_is_refused(given: object) -> None:
    with pytest.raises(ValueError, match="accepted are names of modules"):
        use(given)  # type: ignore[arg-type]


def test_what_isoloss_loads_meanwhile_stays(colours: Registry[int]) -> None:
    before = colours.state()
    colours.register("blue", 2, home="isoloss.more_colours")
    colours.register("mauve", 3)
    colours.register("red", 9, replace=True)
    colours.restore(before)
    assert colours.items() == (("red", 1), ("blue", 2))


def test_a_module_that_ends_the_process_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "my_end.py").write_text("raise SystemExit(3)\n")
    with pytest.raises(ValueError, match=r"cannot use module .*my_end.py': SystemExit: 3"):
        use(str(tmp_path / "my_end.py"))


def test_what_came_with_a_registry_of_a_failing_module_goes_too(tmp_path: Path) -> None:
    """In a new process, where no room was loaded before the module loaded it."""
    (tmp_path / "my_late.py").write_text(
        "import isoloss as il\n"
        "il.formats.custom_format('onlyc', grid=[-1, 0, 1], block=32)\n"
        "1 / 0\n"
    )
    code = (
        "import isoloss as il\n"
        "for call in (lambda: il.use('my_late.py'), lambda: il.Precision('w:onlyc')):\n"
        "    try: call()\n"
        "    except ValueError as error: print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    first, second = run.stdout.splitlines()
    assert "ZeroDivisionError" in first
    assert "unknown format 'onlyc'" in second
