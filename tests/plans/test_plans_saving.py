"""A plan as a file and back: equal, refused in one sentence where it cannot be read."""

import json
import math
from dataclasses import replace

import pytest

from isoloss.files import FilesError
from isoloss.laws import preset
from isoloss.plans import Budget, Plan, load, plan

BITS = ["w4 a4 kv4", "w7 a7 kv7", "bf16"]


@pytest.fixture(scope="module")
def made() -> Plan:
    asked = [*BITS, "w3 a3", "w5 q2", "w5 w.head:bf16"]  # the last three are not seen
    return plan("kumar2024", Budget("1e18 flop", memory="1 GB"), "linear-bits", precision=asked)


def test_a_plan_comes_back_equal(made: Plan, tmp_path) -> None:
    again = load(made.save(tmp_path / "plan.json"))
    assert isinstance(again, Plan)
    assert again == made
    assert str(again) == str(made)
    assert math.isnan(again.choices[0].device_hours)
    assert [c.standing for c in again.choices[-3:]] == ["at least", "unknown", "unknown"]
    odd = replace(made, dropped={"w9": "'w9': odd"}, apart="far", repetition="4 epochs")
    assert load(odd.save(tmp_path / "odd.json")) == odd


def test_plans_that_differ_are_not_equal(made: Plan) -> None:
    other = plan("kumar2024", Budget("2e18 flop", memory="1 GB"), "linear-bits", precision=BITS)
    assert other != made
    assert made != "a plan"


def test_saved_twice_the_bytes_are_the_same(made: Plan, tmp_path) -> None:
    first = made.save(tmp_path / "a.json").read_bytes()
    assert load(tmp_path / "a.json").save(tmp_path / "b.json").read_bytes() == first


def test_the_file_says_what_it_is(made: Plan, tmp_path) -> None:
    content = json.loads(made.save(tmp_path / "plan.json").read_text())
    assert (content["type"], content["schema"]) == ("plan", 1)


def test_an_existing_file_is_kept(made: Plan, tmp_path) -> None:
    path = made.save(tmp_path / "plan.json")
    with pytest.raises(FilesError, match=r"plan\.json' exists; give another name or force=True"):
        made.save(path)
    assert made.save(path, force=True) == path


def test_a_newer_schema_is_refused_in_one_sentence(made: Plan, tmp_path) -> None:
    path = made.save(tmp_path / "plan.json")
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 2'))
    with pytest.raises(
        FilesError, match=r"has schema 2 but this isoloss .* reads up to 1; upgrade"
    ) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_the_same_verb_reads_laws_and_refuses_the_rest(tmp_path) -> None:
    from isoloss.fits import save

    assert load(save(preset("kumar2024"), tmp_path / "law.json")) == preset("kumar2024")
    (tmp_path / "x.json").write_text(
        '{"type": "plan", "schema": 1, "value": {"Plan": {"choices": []}}}'
    )
    with pytest.raises(FilesError, match="says it holds a plan but cannot be read as one"):
        load(tmp_path / "x.json")


@pytest.mark.parametrize("name", ["params", "tokens", "flop"])
@pytest.mark.parametrize("text", ["inf", "nan"])
def test_a_choice_without_a_size_is_refused(name: str, text: str, made: Plan, tmp_path) -> None:
    path = made.save(tmp_path / "plan.json")
    content = json.loads(path.read_text())
    content["value"]["Plan"]["choices"][1]["Choice"][name] = {"number": text}
    path.write_text(json.dumps(content))
    with pytest.raises(FilesError, match=f"{name} of the choice .* is {text}; the file is damaged"):
        load(path)
