"""A formula by its structure: each term written with its fields, and what a wrong file is told."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from isoloss.laws import (
    PIECES,
    Composed,
    Constant,
    FormatLink,
    as_inputs,
    bits_power,
    decaying,
    float_fields,
    halving,
    presets,
    register,
    register_term,
    saturating,
    scale,
    tanh_error,
)
from isoloss.laws.structure import DEEPEST, formula_from_json, formula_to_json

LEVELS = as_inputs(1e8, 1e10, ["w5 a5", "w3/64", "g:mxfp4", "w8 -> w4"]).levels
K = [scale(name, name, 0.1, 10.0, (0.5, 2.0)) for name in "abc"]
LINK = {"term": {"name": "FormatLink"}, "fields": {}}
SAVED = formula_to_json(Composed(params_factor=(saturating("w", K[0]),)))


def again(formula: Any) -> Any:
    return formula_from_json(json.loads(json.dumps(formula_to_json(formula), allow_nan=False)))


@pytest.mark.parametrize("law", presets(), ids=lambda law: law.name)
def test_every_published_formula_comes_back_bound_and_grouped(law: Any) -> None:
    bound = law.bind(LEVELS)
    grouped = bound.per([law.free[0].name], ["one", "two"])
    assert [again(each.formula) for each in (law, bound, grouped)] == [
        law.formula, bound.formula, grouped.formula,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "link",
    [
        saturating("w", K[0]), saturating("w", K[0], K[1]), decaying("w", K[0], K[1]),
        halving("a", K[0]),
        bits_power("w", K[0]), *float_fields("w", K[0], K[1]), tanh_error("w", *K),
    ],
)  # fmt: skip
def test_every_link_that_is_offered_can_be_saved(link: FormatLink) -> None:
    assert again(Composed(params_factor=(link,))).params_factor == (link,)


def test_a_bound_may_be_infinite_and_of_any_number_type() -> None:
    wide = Constant("n", "shift", -math.inf, np.float64(3.5), (0, 1))  # type: ignore[arg-type]
    assert again(Composed(params_factor=(saturating("w", K[0], wide),))).constants[-1] == wide


def test_a_file_says_what_a_term_is_without_knowing_its_preset() -> None:
    (factor,) = SAVED["fields"]["params_factor"]
    assert factor["term"] == {"name": "FormatLink"}
    assert factor["fields"]["shape"] == {"function": {"name": "saturating"}}
    assert factor["fields"]["constants"][0]["fields"]["upper"] == 10.0


@pytest.mark.parametrize("held", [[1.0], {"a": 1}, np.zeros(2), {1.0}])
def test_a_field_that_no_file_holds_is_named(held: object) -> None:
    with pytest.raises(ValueError, match=r"^formula.maps is a \w+; a law can be saved that holds"):
        formula_to_json(Composed(maps=held))  # type: ignore[arg-type]


def test_nan_is_not_saved() -> None:
    nan = Constant("n", "shift", -1.0, 1.0, (math.nan, 1.0))
    with pytest.raises(ValueError, match=r"constants\[1\].start\[0\] is nan"):
        formula_to_json(Composed(params_factor=(saturating("w", K[0], nan),)))


@dataclass(frozen=True)
class Counted:
    """A formula with a field of a declared type."""

    count: int
    constants: tuple[Constant, ...] = ()

    def loss(self, c: object, x: object) -> float:
        return 1.0

    def check(self, c: object, x: object) -> None: ...


@dataclass(frozen=True)
class Hidden:
    """A term whose type nobody can read."""

    size: Missing  # type: ignore[name-defined]  # noqa: F821


@pytest.fixture
def own() -> Iterator[None]:
    register_term(Counted)
    register_term(Hidden)
    yield
    PIECES.remove(f"{__name__}:Counted")
    PIECES.remove(f"{__name__}:Hidden")


@pytest.mark.usefixtures("own")
def test_a_term_of_ones_own_is_checked_by_the_types_that_it_declares() -> None:
    assert again(Counted(3, (K[0],))) == Counted(3, (K[0],))
    with pytest.raises(
        ValueError, match=r"formula.count is 2.5; term 'Counted' takes a whole number"
    ):
        formula_to_json(Counted(2.5))  # type: ignore[arg-type]
    saved = formula_to_json(Counted(3))
    saved["fields"]["count"] = "3"
    with pytest.raises(ValueError, match=r"has '3' at formula.count; term 'Counted' takes a whole"):
        formula_from_json(saved)


@pytest.mark.usefixtures("own")
def test_types_that_are_imported_for_checking_alone_are_named() -> None:
    with pytest.raises(ValueError, match=r"fields of term 'Hidden' cannot be read .*'Missing'"):
        formula_to_json(Hidden(1.0))  # type: ignore[arg-type]


def changed(path: Sequence[str | int], value: object) -> Any:
    """The saved formula with one value replaced; the path leads into its one link."""
    copy = json.loads(json.dumps(SAVED))
    inner = copy["fields"]["params_factor"][0]
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return copy


CONSTANT = ("fields", "constants", 0, "fields")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["term", "name"], "Formatlink", "unknown term or function 'Formatlink'; did you mean "
                                         "'FormatLink'"),
        (["term"], {"name": "m9:T", "home": "m9"}, r"module 'm9', which is not loaded here; "
                                                   r"use\('m9'\)"),
        (["term"], {"name": "m9:T"}, r"module 'm9', which is not loaded here; use\('m9'\)"),
        (["term"], {"name": "math:exp"}, "the module 'math' has registered no term or function "
                                         "'math:exp'"),
        (["term"], "FormatLink", "has 'FormatLink' at formula.params_factor.0.; a term or "
                                 "function is written"),
        (["term", "name"], "saturating", "has the function '_saturating' at .*, not a term"),
        (["fields", "shape"], {"function": {"name": "Gate"}}, "has the term 'Gate' at .*shape, "
                                                              "not a function"),
        (["fields", "shape"], "saturating", "has 'saturating' at .*shape; term 'FormatLink' "
                                            "takes a function"),
        (["fields", "read"], {"function": {"name": "tanh"}}, "takes a function there"),
        (["fields", "shape"], {"function": {"name": "tanh"}}, "shape of the link on part 'w' "
                                                              "cannot be called with 2"),
        (["fields", "part"], 3, "has 3 at .*part; term 'FormatLink' takes text there"),
        (["fields", "part"], None, "has null at .*part; term 'FormatLink' takes text"),
        (["fields", "stage"], "later", "takes 'train' or 'serve' there"),
        (["fields", "size"], 1, "unknown field 'size' at .*; term 'FormatLink' has part, "
                                "constants, shape"),
        (["fields"], {"part": "w"}, "no field 'constants' at .*, which term 'FormatLink' needs"),
        (["fields", "constants", 0], 1.0, "takes a list, each a term of type Constant there"),
        ([*CONSTANT, "lower"], math.nan, "has nan at .*lower; give a number"),
        ([*CONSTANT, "lower"], 10**400, "has an integer of 2.63 or more at .*lower; give a float"),
        ([*CONSTANT, "lower"], True, "has true at .*lower; term 'Constant' takes a number there"),
        ([*CONSTANT, "lower"], {"number": "nan"}, "accepted are a term, a function, a number"),
        ([*CONSTANT, "lower"], 11.0, r"no valid 'Constant' at .*: constant 'a' has bounds \[11, "
                                     r"10\]"),
        ([*CONSTANT, "start"], [1.0], "takes a list of 2: a number, a number there"),
        ([*CONSTANT, "amplitude"], 1, "takes true or false there"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_one_sentence(path: list[Any], value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        formula_from_json(changed(path, value))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("slot", ["maps", "penalties", "tokens_factor"])
@pytest.mark.parametrize("name", ["frantar2023", "muennighoff2023", "dremov2025"])
def test_a_term_in_the_place_of_another_is_refused(slot: str, name: str) -> None:
    law = next(law for law in presets() if law.name == name)
    fields = formula_to_json(law.formula)["fields"]
    own = next(key for key in ("params_factor", "maps", "penalties") if fields[key])
    moved = {"term": {"name": "Composed"}, "fields": {slot: fields[own]}}
    if slot == own or (slot, own) == ("tokens_factor", "params_factor"):
        assert formula_from_json(moved)
        return
    with pytest.raises(ValueError, match=f"at formula.{slot}; term 'Composed' takes a list, each"):
        formula_from_json(moved)


@pytest.mark.parametrize(
    "saved", [None, 3, "kumar2024", [], {}, LINK, {"function": {"name": "root"}}, SAVED["fields"]]
)
def test_what_is_no_formula_is_refused(saved: object) -> None:
    with pytest.raises(ValueError, match="the saved law has "):
        formula_from_json(saved)


@pytest.mark.parametrize("name", ["farseer2025", "shannon2026"])
def test_a_formula_has_the_constants_that_it_computes_with(name: str) -> None:
    saved = formula_to_json(next(law for law in presets() if law.name == name).formula)
    saved["fields"]["constants"].pop()
    with pytest.raises(ValueError, match="at formula: its constants are a"):
        formula_from_json(saved)


def test_terms_nested_too_deep_are_refused() -> None:
    saved = SAVED
    for _ in range(DEEPEST + 1):
        saved = {"term": {"name": "Grouped"}, "fields": {"inner": saved, "names": [], "groups": []}}
    with pytest.raises(ValueError, match=f"nests terms deeper than {DEEPEST} levels"):
        formula_from_json(saved)


@pytest.mark.parametrize("given", ["chinchilla", None, 3])
def test_what_is_no_law_is_not_registered(given: Any) -> None:
    with pytest.raises(ValueError, match="as a law; it takes a Law"):
        register(given)
