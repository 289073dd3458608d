"""The published laws: what each states about itself, and how they are named."""

from __future__ import annotations

import pytest

from isoloss.laws import DomainError, as_inputs, preset, presets

NAMES = [law.name for law in presets()]
#: Laws of which every constant is known that a precision without serving needs, as titles say.
EVALUABLE = {law.name for law in presets() if "to be fitted" not in law.title}
#: Those that were checked against their papers; a new law needs no entry here.
KNOWN = {
    "hoffmann2022", "epoch2024", "muennighoff2023", "kumar2024", "kumar2024_float",
    "kumar2024_printed", "quest2025", "quartet2025", "sun2025", "chen2025", "ouyang2024",
    "ouyang2024_per_bit", "spectra2025",
}  # fmt: skip


def test_every_family_is_there() -> None:
    families = {name.partition("2")[0] for name in NAMES}
    assert families >= {
        "chinchilla", "chinchilla_tied", "hoffmann", "epoch", "gadre", "kaplan", "muennighoff",
        "busbridge", "farseer",
        "kumar", "frantar", "quest", "panferov", "quartet", "sun", "chen", "dremov", "ouyang",
        "shannon", "zhang",
        "thomassen", "spectra", "skaling", "cao",
    }  # fmt: skip
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_law_says_what_it_is_and_where_it_is_from(name: str) -> None:
    law = preset(name)
    assert law.title
    own = law.source == "isoloss"
    assert own or law.source[:4].isdigit()
    assert law.evidence in ("O" if own else ("P", "C", "D", "S", "A", "M"))
    assert name not in KNOWN or "to be fitted" not in law.title
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


def test_an_unknown_name_gets_near_ones_and_all() -> None:
    with pytest.raises(
        ValueError,
        match=r"unknown law 'kumar24'; did you mean 'kumar2024'.*\? accepted are chinchilla, "
        r".*zhang2026",
    ):
        preset("kumar24")
    with pytest.raises(ValueError, match=r"unknown law '#'; accepted are chinchilla"):
        preset("#")


def test_a_preset_cannot_be_changed_by_its_user() -> None:
    values = preset("kumar2024").values
    values["A"] = 1.0  # type: ignore[index]
    assert preset("kumar2024").values["A"] == 4299.0
