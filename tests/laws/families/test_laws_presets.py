"""The registry of published laws: what each states about itself, and that each can be saved and read again."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from isoloss.laws import Composed, DomainError, Law, as_inputs, law_from_json, preset, presets

NAMES = [law.name for law in presets()]
#: Laws of which every constant is known that a precision without serving needs.
EVALUABLE = {
    "hoffmann2022", "epoch2024", "muennighoff2023", "kumar2024", "kumar2024_float", "kumar2024_printed", "quest2025",
    "quartet2025", "sun2025", "chen2025", "ouyang2024", "ouyang2024_per_bit", "spectra2025",
}  # fmt: skip


def test_every_family_is_there() -> None:
    families = {name.partition("2")[0] for name in NAMES}
    assert families >= {
        "chinchilla", "chinchilla_tied", "hoffmann", "epoch", "gadre", "kaplan", "muennighoff", "busbridge", "farseer",
        "kumar", "frantar", "quest", "panferov", "quartet", "sun", "chen", "dremov", "ouyang", "shannon", "zhang",
        "thomassen", "spectra",
    }  # fmt: skip
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_law_says_what_it_is_and_where_it_is_from(name: str) -> None:
    law = preset(name)
    assert law.title
    assert law.source[:4].isdigit()
    assert law.evidence in ("P", "C", "D", "S", "A", "M")
    assert name in EVALUABLE or "to be fitted" in law.title
    assert all(k.meaning and k.lower <= k.start[0] < k.start[1] <= k.upper for k in law.constants)


@pytest.mark.parametrize("name", NAMES)
def test_only_constants_that_were_read_have_values(name: str) -> None:
    law = preset(name)
    if name in EVALUABLE:
        assert law(1e8, 1e10) > 1.5
        assert law.evidence not in ("A", "M")
    else:
        assert set(law.values) == set(law.fixed)
        with pytest.raises(DomainError, match=f"law '{name}' has no value for "):
            law(1e8, 1e10)


@pytest.mark.parametrize("name", sorted(EVALUABLE))
def test_published_constants_lie_within_their_bounds(name: str) -> None:
    assert all(k.lower <= k.value <= k.upper for k in preset(name).constants if k.value is not None)


@pytest.mark.parametrize(
    "name", ["sun2025", "kumar2024", "chen2025", "quest2025", "quartet2025", "epoch2024"]
)
def test_the_box_of_the_runs(name: str) -> None:
    box = preset(name).box
    assert box is not None
    inside = as_inputs(
        (box.params[0] * box.params[1]) ** 0.5, (box.tokens[0] * box.tokens[1]) ** 0.5
    )
    assert box.outside(inside).tolist() == [1.0]
    assert box.outside(as_inputs(10 * box.params[1], 10 * box.tokens[1]))[0] == pytest.approx(10.0)
    assert box.outside(as_inputs(box.params[0] / 7, box.tokens[0] / 7))[0] == pytest.approx(7.0)
    least, most = box.tokens_per_param
    assert (
        box.tokens[0] / box.params[1] <= 1.01 * least < most <= 1.01 * box.tokens[1] / box.params[0]
    )


@pytest.mark.parametrize("name", NAMES)
def test_saved_and_read_a_law_is_the_same(name: str) -> None:
    law = preset(name)
    assert law_from_json(json.loads(json.dumps(law.to_json()))) == law


@pytest.mark.parametrize(
    "name", ["chinchilla_tied", "kumar2024", "quest2025", "chen2025", "quartet2025", "farseer2025"]
)
def test_a_fitted_law_is_saved_with_its_labels_groups_fixes_and_bounds(name: str) -> None:
    levels = as_inputs(1e8, 1e10, ["w5 a5", "w3/64", "g:mxfp4", "w8 -> w4"]).levels
    law = preset(name).bind(levels)
    first = law.free[0].name
    law = (
        law.bounded(**{first: (0.5, 900.0)})
        .per([first], ["one", "two"])
        .fix(**{law.free[1].name: 0.25})
    )
    assert law.to_json()["preset"] == name
    law = replace(law, name="mine", evidence="F", title="fitted to my runs", notes=("a note",))
    assert law_from_json(json.loads(json.dumps(law.to_json()))) == law


def test_a_fitted_law_gives_the_same_losses_after_saving() -> None:
    law = preset("quest2025").per(["A", "B", "E"], ["c4", "dolma"])
    again = law_from_json(law.to_json())
    precision = "w4+had@quest a4+had@quest"
    assert again(1e8, 1e10, precision, group="dolma") == law(1e8, 1e10, precision, group="dolma")


def test_a_composition_of_ones_own_cannot_be_saved() -> None:
    law = Law("mine", Composed(params_factor=preset("kumar2024").formula.params_factor[:1]))  # type: ignore[attr-defined]
    kept = replace(law, formula=Composed(tokens_factor=law.formula.params_factor))  # type: ignore[attr-defined]
    with pytest.raises(
        ValueError, match="law 'mine' is a composition of its own and cannot be saved"
    ):
        kept.to_json()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "fit"}, "this is a saved fit, not a law"),
        (
            {"schema": 2},
            r"the law has schema 2 of isoloss .*; this isoloss .* reads up to 1, so update it",
        ),
        ({"preset": "kumar2025"}, r"unknown law 'kumar2025'; did you mean 'kumar2024'"),
        ({"values": {"zeta": 1.0}}, "law 'kumar2024' has no constant 'zeta'"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        law_from_json(preset("kumar2024").to_json() | change)


def test_a_field_that_is_missing_is_named() -> None:
    saved = preset("kumar2024").to_json()
    del saved["values"]
    with pytest.raises(ValueError, match="the saved law has no field 'values'"):
        law_from_json(saved)


def test_an_unknown_name_gets_near_ones_and_all() -> None:
    with pytest.raises(
        ValueError,
        match=r"unknown law 'kumar24'; did you mean 'kumar2024'.*\? accepted are chinchilla, .*zhang2026$",
    ):
        preset("kumar24")
    with pytest.raises(ValueError, match=r"unknown law '#'; accepted are chinchilla"):
        preset("#")


def test_a_preset_cannot_be_changed_by_its_user() -> None:
    values = preset("kumar2024").values
    values["A"] = 1.0  # type: ignore[index]
    assert preset("kumar2024").values["A"] == 4299.0
