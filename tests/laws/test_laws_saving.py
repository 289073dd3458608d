"""Laws in files: every preset and a law of one's own, read in a new process, and files of
isoloss 0.1.
"""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from isoloss.files import FilesError, load
from isoloss.laws import (
    LAWS,
    Composed,
    DomainError,
    FormatLink,
    Law,
    as_inputs,
    as_law,
    law_from_json,
    preset,
    presets,
    saturating,
    scale,
)

GOLDEN = Path(__file__).parent / "golden"
NAMES = [law.name for law in presets()]
PRECISIONS = [
    "fp", "w4", "w4 a4", "w8 a8 kv8", "w:e4m3", "w:mxfp4 a:mxfp4", "fp -> w4", "w4/128 a4/128",
    "g:mxfp4",
    "w4+had@quest a4+had@quest", "d:int6", "w8 a8 kv8 -> w4",
]  # fmt: skip
OWN = '''
"""A law of one's own: a link with its own function, a term and a formula of its own."""

from dataclasses import dataclass

import numpy as np

from isoloss.laws import Composed, Constant, FormatLink, Law, Rounded, amplitude, register, scale


def rising(bits, rate):
    return 1 - np.exp(-rate * bits)


@dataclass(frozen=True)
class Floor:
    """F 4^-bits of the weights, whatever params and tokens."""

    size: Constant
    links: tuple[FormatLink, ...] = ()

    @property
    def constants(self):
        return (self.size,)

    def applies(self, levels):
        return levels.is_set("w")

    def __call__(self, c, x, log_params):
        bits = np.where(self.applies(x.levels), x.levels.bits("w"), np.inf)
        return c[self.size.name] * np.exp(-np.log(4.0) * bits)[x.level]


RATE = scale("rate", "how fast the factor rises", 0.1, 5.0, (0.2, 1.0), "1/bits")
law = Law(
    "own2027",
    Composed((FormatLink("w", (RATE,), rising),), penalties=(Floor(amplitude("F", "floor")),)),
    {"A": 400.0, "alpha": 0.34, "B": 700.0, "beta": 0.3, "E": 1.8, "rate": 0.6, "F": 0.1},
).fix(kappa=1.0)
register(law)
'''


def losses_of(law: Law, group: str | None = None) -> dict[str, float]:
    """The loss wherever the law is defined, unknown constants at the middle of the range of
    their starts.
    """
    filled = {
        k.name: sum(k.start) / 2 for k in law.constants if k.value is None or math.isnan(k.value)
    }
    law, found = law.with_values(filled), {}
    for params, tokens in ((1e8, 1e10), (1.3e9, 2.7e10)):
        for precision in PRECISIONS:
            try:
                key = f"{params:g} {tokens:g} {precision}"
                found[key] = float(law(params, tokens, precision, group=group))
            except DomainError:
                continue
    return found


def in_a_new_process(code: str, *, folder: Path) -> subprocess.CompletedProcess[str]:
    head = f"import sys; sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(folder)!r}]\n"
    return subprocess.run(
        [sys.executable, "-c", head + code], capture_output=True, text=True, cwd=folder
    )


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The law of a module of one's own, in a folder where a new process finds that module."""
    (tmp_path / "own_laws.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    import own_laws  # type: ignore[import-not-found]

    yield own_laws.law
    LAWS.remove("own2027")
    del sys.modules["own_laws"]


@pytest.mark.parametrize("name", NAMES)
def test_saved_and_read_a_law_is_the_same(name: str) -> None:
    law = preset(name)
    saved = json.loads(json.dumps(law.to_json(), allow_nan=False))
    assert law_from_json(saved) == law
    assert "preset" not in saved


def test_every_preset_read_in_a_new_process_gives_the_same_losses_to_the_last_bit(
    tmp_path: Path,
) -> None:
    for name in NAMES:
        preset(name).save(tmp_path / f"{name}.json")
    code = (
        "import json; from pathlib import Path; from isoloss.files import load; import "
        "isoloss.laws\nfrom test_laws_saving import losses_of\nprint(json.dumps({p.stem: "
        "losses_of(load(p)) for p in Path('.').glob('*.json')}))"
    )
    run = in_a_new_process(code, folder=tmp_path)
    assert json.loads(run.stdout) == {name: losses_of(preset(name)) for name in NAMES}, run.stderr
    assert sum(map(len, json.loads(run.stdout).values())) > 400


@pytest.mark.parametrize(
    "name", ["chinchilla_tied", "kumar2024", "quest2025", "chen2025", "farseer2025"]
)
def test_a_fitted_law_is_saved_with_its_labels_groups_fixes_and_bounds(name: str) -> None:
    levels = as_inputs(1e8, 1e10, ["w5 a5", "w3/64", "g:mxfp4", "w8 -> w4"]).levels
    law = preset(name).bind(levels)
    first = law.free[0].name
    law = law.bounded(**{first: (0.5, math.inf)}).per([first], ["one", "two"])
    law = law.fix(**{law.free[1].name: 0.25}).with_values({f"{first}[one]": math.nan})
    law = replace(law, name="mine", evidence="F", title="fitted to my runs", notes=("a note",))
    again = law_from_json(json.loads(json.dumps(law.to_json(), allow_nan=False)))
    assert math.isnan(again.values[f"{first}[one]"])
    assert again.release().at().to_json() == law.to_json()
    assert again.formula == law.formula


def test_a_saved_preset_keeps_its_meaning_when_the_preset_is_edited() -> None:
    saved = preset("kumar2024").to_json()
    before = preset("kumar2024")
    LAWS.register("kumar2024", Law("kumar2024", Composed(), {"A": 1.0}), replace=True)
    try:
        assert law_from_json(saved) == before != preset("kumar2024")
    finally:
        LAWS.register("kumar2024", before, replace=True, home="isoloss.laws")


def test_a_composition_of_ones_own_needs_no_registration(tmp_path: Path) -> None:
    gamma = scale("gamma", "bits", 0.1, 5.0, (0.5, 2.0))
    law = Law(
        "mine", Composed(tokens_factor=(saturating("w", gamma),)), {"gamma": 1.2}, notes=("mine",)
    )
    law.save(tmp_path / "mine.json")
    assert load(tmp_path / "mine.json") == law
    assert "mine" not in LAWS


def test_a_law_of_ones_own_is_read_compared_and_planned_in_a_new_process(
    own: Law, tmp_path: Path
) -> None:
    own.save(tmp_path / "own.json")
    code = (
        "import isoloss as il, json; il.use('own_laws')\nfrom test_laws_saving import "
        "losses_of\nlaw = il.load('own.json')\nrows = [il.Run(params=n, tokens=d, precision=p, "
        "loss=law(n, d, p)) for n in (1e8, 3e8, 1e9)\n        for d in (1e9, 1e10, 1e11) for p "
        "in ('fp', 'w4', 'w3', 'w2')]\nbest = il.compare([law, 'chinchilla'], il.Runs(rows), "
        "draws=4, starts=2)\nassert best.entries[0].fit.law.name == 'own2027', "
        "best\nil.plan(law, il.Budget(train='1e21 flop'), 'h100', precision=['bf16', 'w4'], "
        "extrapolate=True)\nprint(json.dumps(losses_of(law)))"
    )
    run = in_a_new_process(code, folder=tmp_path)
    assert run.stdout, run.stderr
    assert json.loads(run.stdout) == losses_of(own)


def test_a_process_without_the_module_says_which_it_needs(own: Law, tmp_path: Path) -> None:
    own.save(tmp_path / "own.json")
    run = in_a_new_process("import isoloss as il; il.load('own.json')", folder=tmp_path)
    assert run.stderr.splitlines()[-1].endswith(
        "the term or function 'own_laws:rising' was registered by the module 'own_laws', which "
        "is not loaded here; use('own_laws') or --use own_laws loads it, or the path of its .py "
        "file in place of the name"
    )


def test_a_function_that_is_not_registered_is_not_saved(tmp_path: Path) -> None:
    law = Law("mine", Composed(params_factor=(FormatLink("w", (), math.sqrt),)))
    with pytest.raises(
        ValueError, match="'math:sqrt' is not registered, so a saved law would not find it"
    ):
        law.save(tmp_path / "mine.json")
    assert not (tmp_path / "mine.json").exists()


@pytest.mark.parametrize(
    "row", json.loads((GOLDEN / "laws_of_0_1.json").read_text()), ids=lambda r: r["saved"]["name"]
)
def test_a_law_saved_by_isoloss_0_1_gives_the_losses_it_gave_there(row: dict[str, Any]) -> None:
    law = law_from_json(row["saved"])
    found = [law(*point, group=row["group"]) for *point, _ in row["losses"]]
    assert found == pytest.approx([loss for *_, loss in row["losses"]], rel=1e-13)
    assert dict(law.values) == {
        k: math.nan if v is None else v for k, v in row["saved"]["values"].items()
    }


@pytest.mark.parametrize(
    "row",
    json.loads((GOLDEN / "laws_of_schema_2.json").read_text()),
    ids=lambda row: row["saved"]["name"],
)
def test_names_of_terms_and_functions_in_files_stay_what_they_are(row: dict[str, Any]) -> None:
    """A term, field or function of isoloss that gets another name must still be read by the old."""
    found = losses_of(law_from_json(row["saved"]), row["group"])
    assert found == pytest.approx(row["losses"], rel=1e-13)


def test_a_file_of_isoloss_0_1_loads() -> None:
    loaded, now = load(GOLDEN / "kumar2024_of_0_1.json"), preset("kumar2024")
    assert loaded.box is not None
    assert now.box is not None
    assert loaded.box.kinds == loaded.box.methods == loaded.box.shared == ()  # not known then
    box = replace(now.box, kinds=(), methods=(), shared=())
    assert loaded == replace(now, box=box)


def test_a_box_keeps_what_its_runs_were_rounded_to(tmp_path: Path) -> None:
    law = preset("kumar2024")
    assert law.box is not None
    box = replace(law.box, kinds=("float", "int"), methods=("quest", "-> gptq"), shared=("a", "g"))
    own = replace(law, name="own", box=box)
    assert load(own.save(tmp_path / "law.json")) == own


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "fit"}, "this is a saved fit, not a law"),
        (
            {"schema": 3},
            r"the law has schema 3 of isoloss .*; this isoloss .* reads up to 2, so update it",
        ),
        ({"schema": "2"}, "the law has schema 2 of"),
        ({"schema": 0}, "the law has schema 0 of"),
        ({"values": {"zeta": 1.0}}, "law 'kumar2024' has no constant 'zeta'"),
        ({"values": {"A": math.nan}}, "values.A is nan; write null"),
        ({"values": {"A": math.inf}}, "values.A is beyond the largest number; the file is damaged"),
        ({"values": {"A": "1"}}, "values.A is '1'; it must be a number"),
        ({"values": [1.0]}, r"values is '\[1.0\]'; it must be an object"),
        ({"name": 3}, "name is 3; it must be text"),
        ({"fixed": "kappa"}, "fixed is 'kappa'; it must be a list"),
        ({"ties": {"beta": 1}}, "ties.beta is 1; it must be text"),
        ({"bounds": {"A": [1.0]}}, "bounds.A has 1 values instead of 2"),
        ({"bounds": {"A": [2.0, 1.0]}}, r"bounds.A is \[2, 1\]; the lower one must be smaller"),
        ({"evidence": "X"}, "evidence is 'X'; it must be one of P, C, D"),
        ({"box": {"params": [1, 2]}}, "the saved box has no field 'tokens'"),
        ({"box": 3}, "box is '3'; it must be an object"),
        ({"formula": None}, "the saved law has null as its formula"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        law_from_json(preset("kumar2024").to_json() | change)
    assert "\n" not in str(caught.value)


def test_a_constant_without_end_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="A is infinite; a law is saved with finite constants"):
        preset("kumar2024").at(A=math.inf).save(tmp_path / "law.json")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("field", ["name", "formula", "values", "fixed", "ties", "box", "notes"])
def test_a_field_that_is_missing_is_named(field: str) -> None:
    saved = preset("kumar2024").to_json()
    del saved[field]
    with pytest.raises(ValueError, match=f"the saved law has no field '{field}'"):
        law_from_json(saved)


def test_a_preset_that_0_1_knew_and_this_does_not_is_named() -> None:
    row = json.loads((GOLDEN / "laws_of_0_1.json").read_text())[0]
    with pytest.raises(ValueError, match=r"unknown law 'kumar2025'; did you mean 'kumar2024'"):
        law_from_json(row["saved"] | {"preset": "kumar2025"})


JUNK = (
    None, True, -1, 1e308, 10**400, math.nan, "", "Penalty", "x" * 500, [], {}, [[]],
    {"number": "nan"}, {"term": {"name": "Gate"}, "fields": {}},
    {"function": {"name": "bits_of"}}, {"name": "os:system"},
)  # fmt: skip


def places_in(value: object) -> Iterator[tuple[Any, Any]]:
    """Every container of JSON values with every key or index of it."""
    for key in (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    ):
        yield value, key
        yield from places_in(value[key])  # type: ignore[index]


@pytest.mark.parametrize("name", ["kumar2024", "quest2025", "dremov2025", "farseer2025"])
def test_a_law_with_any_one_value_replaced_is_read_or_refused_in_one_sentence(name: str) -> None:
    text = json.dumps(preset(name).to_json())
    draw, told = random.Random(0), []
    for _ in range(150):
        saved = json.loads(text)
        container, key = draw.choice(list(places_in(saved)))
        container[key] = draw.choice(JUNK)
        try:
            law_from_json(saved)
        except ValueError as error:
            told.append(str(error))
    assert len(told) > 100
    assert [each for each in told if "\n" in each or len(each) > 1500] == []


class Fitted:
    """Anything with a law, as a fit has."""

    law = preset("epoch2024")


@pytest.mark.parametrize("given", ["epoch2024", preset("epoch2024"), Fitted()])
def test_a_name_a_law_and_a_fit_stand_for_a_law(given: object) -> None:
    assert as_law(given) == preset("epoch2024")


def test_a_path_stands_for_the_law_in_it(tmp_path: Path) -> None:
    path = preset("epoch2024").save(tmp_path / "mine.json")
    assert as_law(path) == as_law(str(path)) == preset("epoch2024")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            None,
            "cannot take None for a law; accepted are a law's name, a Law, a fit, and the path of",
        ),
        (3, "cannot take 3 for a law"),
        (["epoch2024"], r"cannot take \["),
        ("kumar24", "unknown law 'kumar24'; did you mean 'kumar2024'"),
        ("", "unknown law ''"),
        ("x" * 300, "unknown law 'x{60}'"),
        ("nowhere.json", "there is no file 'nowhere.json'"),
        ("a/" * 200, "a/a"),
        (Path("nowhere"), "there is no file 'nowhere'"),
    ],
)
def test_what_is_no_law_is_refused_in_one_sentence(given: object, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        as_law(given)
    assert "\n" not in str(caught.value)


def test_a_file_of_something_else_is_no_law(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(
        '{"isoloss": "0.1.0", "type": "plan9", "schema": 1, "value": {}}'
    )
    with pytest.raises(FilesError, match="plan9"):
        as_law(tmp_path / "x.json")
