"""Every verb with every spelling of each of its arguments: accepted, or refused in one sentence
before any work.

A case is a call that works, and for each argument values that must work in its place and values
that must not. What is refused ends in a ValueError or TypeError of one line that quotes the value,
never in an error of Python's own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isoloss as il
from own_modules import CORPUS as OWN_CORPUS
from own_modules import plain

LONG = "x" * 300
#: What no argument of a kind means.
NOT_A_LAW = [3, None, [], "no such law", LONG, object(), math.nan]
NOT_A_BUDGET = [3, None, "no such budget", "", {}, {"no_such_limit": 1}, object()]
NOT_A_MACHINE = [3, None, "no such machine", LONG, object(), []]
NOT_A_PRECISION = [3, "", "z8", "w4 z8", "w4 w8", LONG, object()]
NOT_A_COUNT = [math.nan, math.inf, -1, 0, "many", "1e999", "", object(), None]
NOT_RUNS = [3, None, "no_such_table", "no_such_file.csv", LONG, object(), []]
NOT_A_LEVEL = [math.nan, 0, 1, 2, -0.1, "most", None]
NOT_DRAWS = [math.nan, -1, "many", 1.5, None]
NOT_A_SEED = [math.nan, -1, "s", 1.5]
# Words of Python's own errors, which say nothing to a user.
PYTHON = re.compile(
    r"object has no attribute|is not (iterable|subscriptable|callable)|unsupported operand|"
    r"not supported between|"
    r"unexpected keyword|positional argument|must be real number|could not convert string|"
    r"unhashable|cannot unpack|"
    r"invalid literal|cannot convert float|expected str, bytes|argument should be|truth value"
)


@dataclass(frozen=True)
class Case:
    """A call that works, and what may and may not stand for each of its arguments."""

    verb: Callable[..., Any]
    works: Callable[[], dict[str, Any]]
    right: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    wrong: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return getattr(self.verb, "__name__", "read").replace("<lambda>", "read")


def runs() -> il.Runs:
    return il.read("simulated2024")


def fitted() -> il.Fit:
    return il.fit("chinchilla", runs(), draws=20, starts=4)


RUNS, FIT = runs(), fitted()
LAW = il.laws.preset("kumar2024")
BUDGET = il.Budget(train="1e21 flop")
PROBLEM, SGD = il.Regression(dim=8, decay=1.5, noise_var=1.0), il.SGD(steps=10, step_size=0.05)
MODEL = il.Budget(params="1B", tokens="20B")
TINY = il.lm.train_one(il.lm.model_of("4k"), 2048)
PLAIN = il.lm.TrainingTask("plain", plain, OWN_CORPUS)


def cases() -> list[Case]:
    return [
        Case(
            il.fit,
            lambda: {"law": "chinchilla", "runs": RUNS, "draws": 10, "starts": 2},
            right={
                "law": ["chinchilla", "kumar2024", il.laws.preset("chinchilla"), FIT],
                "runs": ["simulated2024", RUNS, RUNS.frame(), list(RUNS)],
                "holdout": [None, "largest"],
                "fixed": [None, {"E": 1.7}],
                "level": [0.5, 0.9],
            },
            wrong={
                "law": NOT_A_LAW,
                "runs": NOT_RUNS,
                "draws": NOT_DRAWS,
                "starts": NOT_DRAWS,
                "level": NOT_A_LEVEL,
                "seed": NOT_A_SEED,
                "holdout": ["rows", 3, LONG, object()],
                "objective": ["no such", 3, None],
                "fixed": [{"no_such": 1.0}, {"E": math.nan}, {"E": "x"}, 3],
                "per": ["no_such_column", 3],
            },
        ),
        Case(
            il.compare,
            lambda: {"laws": ["chinchilla", "kumar2024"], "runs": RUNS, "draws": 5, "starts": 2},
            right={"laws": [[FIT], "chinchilla", ["chinchilla", LAW]], "runs": ["simulated2024"]},
            wrong={
                "laws": [*NOT_A_LAW, ["chinchilla", "chinchilla"], [3]],
                "runs": NOT_RUNS,
                "draws": NOT_DRAWS,
                "level": NOT_A_LEVEL,
                "holdouts": ["rows", [], [3]],
            },
        ),
        Case(
            il.predict,
            lambda: {"law": FIT, "params": "1B", "tokens": 2e10},
            right={
                "law": ["kumar2024", LAW, FIT],
                "params": [1e9, "1.3B", [1e8, 1e9], np.array([1e8, 1e9])],
                "precision": ["bf16", il.Precision("bf16"), ["bf16", "fp"]],
            },
            wrong={
                "law": NOT_A_LAW,
                "params": [*NOT_A_COUNT, []],
                "tokens": [*NOT_A_COUNT, []],
                "precision": [*NOT_A_PRECISION, []],
                "level": NOT_A_LEVEL[:-1],
                "of": ["runs", 3, None],
            },
        ),
        Case(
            il.plan,
            lambda: {
                "laws": "kumar2024",
                "budget": BUDGET,
                "hardware": "h100",
                "precision": "bf16",
                "draws": 10,
            },
            right={
                "laws": ["kumar2024", LAW, FIT, ["kumar2024", "sun2025"], "published"],
                "budget": [BUDGET, {"train": "1e21 flop"}, "1e21 flop"],
                "hardware": ["h100", "linear-bits", il.plans.as_machine("h100")],
                "precision": ["bf16", ["bf16", "w8"], [il.Precision("bf16")]],
            },
            wrong={
                "laws": NOT_A_LAW,
                "budget": NOT_A_BUDGET,
                "hardware": NOT_A_MACHINE,
                "draws": NOT_DRAWS,
                "level": NOT_A_LEVEL,
                "precision": [*NOT_A_PRECISION, []],
                "extrapolate": ["no", 3, None],
            },
        ),
        Case(
            il.plans.rank_serving,
            lambda: {
                "laws": "kumar2024",
                "budget": MODEL,
                "hardware": "h100",
                "formats": ["fp", "w4"],
                "draws": 10,
            },
            right={
                "laws": [LAW, "published"],
                "budget": [{"params": "1B", "tokens": "20B"}],
                "hardware": [il.plans.as_machine("a100")],
            },
            wrong={
                "laws": NOT_A_LAW,
                "budget": NOT_A_BUDGET,
                "hardware": NOT_A_MACHINE,
                "formats": [[], 3, ["z8"], None],
                "draws": NOT_DRAWS,
                "level": NOT_A_LEVEL,
                "trained": NOT_A_PRECISION,
            },
        ),
        Case(
            il.plans.best_bits,
            lambda: {"law": "kumar2024", "budget": "1e21 flop"},
            right={"law": [LAW], "budget": [1e21, BUDGET], "hardware": ["linear-bits"]},
            wrong={
                "law": NOT_A_LAW,
                "budget": [-1, "many", None, math.nan, {}],
                "hardware": NOT_A_MACHINE,
                "precision": NOT_A_PRECISION,
                "within": [(3, 2), 3, "x", (math.nan, 2)],
            },
        ),
        Case(
            il.plans.critical_tokens,
            lambda: {"law": "kumar2024", "params": "1B", "precision": "fp -> w4"},
            right={"law": [LAW], "params": [1e9]},
            wrong={"law": NOT_A_LAW, "params": NOT_A_COUNT, "precision": NOT_A_PRECISION},
        ),
        Case(
            il.simulate,
            lambda: {"problem": PROBLEM, "grid": {"samples": 10, "precision": ["fp", "d:int6"]}},
            right={"grid": [il.Grid(samples=[10, 20])], "iterate": ["last", "tail"]},
            wrong={
                "problem": [3, None, "x", [PROBLEM], SGD, object()],
                "grid": [3, None, "x", {}, {"samples": []}, {"no_such": 1}, {"samples": "many"}],
                "sgd": ["x", 3, PROBLEM],
                "iterate": ["first", 3, None],
                "inputs": ["dirty", 3, None],
                "method": ["guess", 3, None],
                "replicates": [math.nan, -1, "many", 1.5],
                "seed": NOT_A_SEED,
            },
        ),
        Case(
            il.linear.excess_risk,
            lambda: {"problem": PROBLEM, "sgd": SGD},
            right={"precision": ["fp", il.Precision("d:int6")]},
            wrong={
                "problem": [3, None, "x", [PROBLEM], SGD],
                "sgd": [3, None, "x", PROBLEM],
                "precision": [*NOT_A_PRECISION, []],
                "iterate": ["first", 3],
            },
        ),
        Case(
            lambda source: il.read(source),
            lambda: {"source": "simulated2024"},
            right={"source": [RUNS, RUNS.frame(), list(RUNS)]},
            wrong={"source": NOT_RUNS},
        ),
        Case(
            il.load,
            dict,
            wrong={"path": ["no_such_file.json", LONG, 3, None, ""]},
        ),
        Case(
            il.plot,
            lambda: {"value": FIT},
            right={"value": ["kumar2024", RUNS, LAW, il.formats.as_format("e4m3")]},
            wrong={"value": [3, None, object(), [], LONG], "kind": ["no such kind", 3]},
        ),
        Case(
            il.fits.gap_table,
            lambda: {"runs": "isoloss2026"},
            wrong={"runs": NOT_RUNS, "level": NOT_A_LEVEL},
        ),
        Case(
            il.formats.fake_quantise,
            lambda: {"x": np.ones((2, 64), np.float32), "format": "int4/32"},
            right={"format": ["e4m3", il.formats.as_format("mxfp4")]},
            wrong={"x": ["x", None, object()], "format": [3, None, "", "z8", LONG, "int4@quest"]},
        ),
        Case(
            il.train,
            lambda: {"grid": {"params": "4k", "tokens": 2048}, "workers": 1, "show": False},
            wrong={
                "grid": [3, None, "x", {}, {"params": "4k"}, {"params": "x", "tokens": 1}],
                "corpus": [3, None, "no_such_file.txt"],
                "task": [3, "x", object(), TINY.model],
                "post": ["z8", [3], "w4@foo"],
                "store": ["runs.txt", 3],
                "workers": [0, -1, math.nan, "many"],
                "recipe": [3, "x"],
            },
        ),
        Case(
            il.lm.train_one,
            lambda: {"shape": il.lm.model_of("4k"), "tokens": 2048},
            wrong={
                "shape": [3, None, object()],
                "tokens": NOT_A_COUNT,
                "precision": NOT_A_PRECISION,
                "seed": NOT_A_SEED,
                "recipe": [3, "x"],
            },
        ),
        Case(
            il.lm.train_task,
            lambda: {"task": PLAIN, "tokens": 2048, "recipe": il.lm.Recipe(validation=4)},
            right={"params": ["1k"], "precision": ["w4 a8 g8", "w:e4m3"]},
            wrong={
                "task": [3, None, "x", object(), TINY.model],
                "tokens": NOT_A_COUNT,
                "params": ["x", math.nan, object()],
                "precision": NOT_A_PRECISION,
                "seed": NOT_A_SEED,
                "recipe": [3, "x"],
            },
        ),
        Case(
            il.lm.TrainingTask,
            lambda: {"name": "plain", "build": plain, "corpus": OWN_CORPUS},
            wrong={
                "name": [3, None, ""],
                "build": [3, None, "x", object()],
                "corpus": [3, None, object()],
                "loss": [3, None, "x"],
                "version": [3, object()],
                "settings": [3, None, "x"],
            },
        ),
        Case(
            il.quantise,
            lambda: {"model": TINY, "post": "w4", "corpus": "synthetic"},
            wrong={
                "model": [3, None, "no_such_folder", LONG, [], object()],
                "post": [3, "z8", [], "w4@foo", "w4 z8"],
            },
        ),
        Case(
            il.reproduce,
            lambda: {"paper": "kumar2024", "claim": "figure 6 left"},
            right={"paper": ["", "kumar2024"], "seed": [3, 2.0]},
            wrong={
                "paper": [3, None, "no such paper", LONG, [], object()],
                "claim": [3, None, "no such claim", LONG, [], object()],
                "seed": NOT_A_SEED,
                "workers": [0, -1, math.nan, "many"],
            },
        ),
    ]


CASES = cases()


def _named(case: Case, argument: str, value: object) -> str:
    plain = value is None or isinstance(value, str | int | float)
    shown = repr(value) if plain else type(value).__name__
    return f"{case.name} {argument} {shown[:30]}"


WRONG = [(c, name, value) for c in CASES for name, values in c.wrong.items() for value in values]
RIGHT = [(c, name, value) for c in CASES for name, values in c.right.items() for value in values]


def _signs(argument: str, value: object) -> set[str]:
    """What a refusal may say so that the user finds the argument: its name, the value (an entry of
    it), or the type of the value."""
    inside = [*value, *value.values()] if isinstance(value, dict) else value
    entries = inside if isinstance(inside, list) else [value]
    shown = {str(entry)[:20] for entry in entries} or {"no ", "empty"}
    return {argument.rstrip("s"), type(value).__name__, *shown}


@pytest.mark.parametrize(("case", "argument", "value"), WRONG, ids=[_named(*w) for w in WRONG])
def test_a_wrong_kind_is_refused_in_one_sentence(
    case: Case, argument: str, value: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ValueError, TypeError)) as caught:
        case.verb(**{**case.works(), argument: value})
    said = str(caught.value)
    assert any(sign in said.replace("hold-out", "holdout") for sign in _signs(argument, value))
    assert "\n" not in said
    assert len(said) <= 600
    assert not PYTHON.search(said), said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("case", [c for c in CASES if c.works()], ids=lambda c: c.name)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_call_that_others_vary_works(case: Case) -> None:
    assert case.verb(**case.works()) is not None


@pytest.mark.parametrize(("case", "argument", "value"), RIGHT, ids=[_named(*r) for r in RIGHT])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_spelling_of_a_right_kind_is_accepted(
    case: Case, argument: str, value: object
) -> None:
    assert case.verb(**{**case.works(), argument: value}) is not None
