"""The open set of laws: the folder that is read, a law of one's own, and what another process
knows of it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from isoloss.laws import (
    LAWS,
    PIECES,
    Composed,
    FormatLink,
    Law,
    families,
    preset,
    presets,
    register,
    register_term,
    scale,
)
from isoloss.laws.pieces import key_of, reference, register_pieces
from isoloss.laws.shipped import shipped

FAMILY = '''"""A law in one file."""

from isoloss.laws.formula import Composed
from isoloss.laws.law import Law


def laws():
    """The form alone."""
    return (Law("one_file2027", Composed()),)
'''
RATE = scale("rate", "rate", 0.1, 10.0, (0.5, 2.0))


def one_over(bits: float, rate: float) -> float:
    return 1 - rate / bits


@pytest.fixture
def mine() -> Iterator[Law]:
    law = Law("law_of_a_test", Composed(params_factor=(FormatLink("w", (RATE,), one_over),)))
    yield law
    LAWS.remove("law_of_a_test")
    PIECES.remove(key_of(one_over))


def test_a_family_is_one_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [law.name for law in shipped()]
    (tmp_path / "one_file.py").write_text(FAMILY)
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(tmp_path)])
    names = [law.name for law in shipped.__wrapped__()]
    assert sorted(names) == sorted([*before, "one_file2027"])


def test_every_file_of_the_folder_is_read_and_no_place_is_taken_twice() -> None:
    shipped()
    files = sorted(path.stem for path in Path(families.__path__[0]).glob("[!_]*.py"))
    modules = [sys.modules[f"{families.__name__}.{name}"] for name in files]
    places = [module.ORDER for module in modules if hasattr(module, "ORDER")]
    assert sum(len(module.laws()) for module in modules) == len(shipped())
    assert len(places) == len(set(places)) >= 18


def test_a_law_of_ones_own_is_found_by_name_and_listed_last(mine: Law) -> None:
    assert register(mine) is mine
    assert preset("law_of_a_test") == mine
    assert list(LAWS)[-1] == "law_of_a_test"
    assert "law_of_a_test" not in [law.name for law in presets()]
    assert LAWS.home("law_of_a_test") == PIECES.home(key_of(one_over)) == __name__


def test_a_name_is_taken_once_unless_replaced(mine: Law) -> None:
    register(mine)
    register(replace(mine))
    with pytest.raises(ValueError, match="the law 'law_of_a_test' is already registered by"):
        register(replace(mine, title="another"))
    register(replace(mine, title="another"), replace=True)
    assert preset("law_of_a_test").title == "another"


@pytest.mark.parametrize(
    "name", ["", "a b", "a,b", "../x", "my.law", "2x", "published", "x" * 3 + "\n"]
)
def test_a_name_that_no_command_could_take_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="a law cannot be named"):
        register(Law(name, Composed()))


def test_a_function_without_a_name_is_refused(mine: Law) -> None:
    link = FormatLink("w", (RATE,), lambda bits, rate: rate / bits)
    with pytest.raises(
        ValueError, match="cannot be saved by name; write it at the top of a module"
    ):
        register(replace(mine, formula=Composed(params_factor=(link,))))
    assert "law_of_a_test" not in LAWS


def test_a_term_must_be_a_frozen_dataclass() -> None:
    with pytest.raises(ValueError, match="the class 'dict' is no frozen dataclass"):
        register_term(dict)
    with pytest.raises(ValueError, match="'Law' is neither a class nor a function"):
        register_term("Law")  # type: ignore[type-var]


def test_what_is_not_registered_or_was_defined_anew_is_not_saved(mine: Law) -> None:
    with pytest.raises(ValueError, match=r"one_over' is not registered"):
        reference(one_over)
    register(mine)
    assert reference(one_over) == {"name": f"{__name__}:one_over", "home": __name__}

    def another() -> None: ...

    another.__qualname__ = "one_over"
    with pytest.raises(ValueError, match=r"one_over' was defined anew"):
        reference(another)


def test_the_pieces_of_isoloss_have_bare_names() -> None:
    @dataclass(frozen=True)
    class Local: ...

    assert reference(FormatLink) == {"name": "FormatLink"}
    assert all(":" not in name for name in PIECES if PIECES.is_shipped(PIECES.home(name)))
    with pytest.raises(ValueError, match="top of a module"):
        register_term(Local)


def test_a_function_whose_name_another_shipped_file_has_is_refused_with_that_file() -> None:
    def bits_of(known: object) -> float:
        return 4.0

    bits_of.__module__, bits_of.__qualname__ = "isoloss.laws.families.another", "bits_of"
    link = FormatLink("w", (), abs, read=bits_of)
    with pytest.raises(
        ValueError, match=r"'bits_of' is already registered by isoloss\.laws\.inputs"
    ):
        register_pieces(link, "isoloss.laws.families.another")


def test_import_reads_no_family() -> None:
    code = "import sys, isoloss.laws; print([n for n in sys.modules if '.families.' in n])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
