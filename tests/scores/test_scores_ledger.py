"""Frozen forecasts: a chain of hashes, and every change of a file found."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from isoloss.files import FilesError
from isoloss.scores import PROBABILITIES, Forecast, ScoreError, forecast_of_quantiles, ledger, load
from isoloss.scores.ledger_files import in_order


def made(loss: float = 2.5) -> Forecast:
    quantiles = [loss + 0.01 * (np.array(PROBABILITIES) - 0.5), loss + np.arange(8) * 0.02]
    middle = [loss, loss + 0.07]
    return forecast_of_quantiles([1e9, 2e9], [2e10, 4e10], ["bf16", "W4A8"], middle, quantiles,
                  {"chinchilla": 1.0}, data="abc", note="before the runs")  # fmt: skip


def test_a_forecast_comes_back_equal_with_its_hash(tmp_path: Path) -> None:
    one = made()
    assert one.hash == ""
    kept = one.save(tmp_path / "a.json")
    again = load(tmp_path / "a.json")
    assert again == kept
    assert again.precision == ("bf16", "w4 a8")
    assert (again.previous, len(again.hash)) == ("", 64)
    assert again.level == 0.9
    assert f"hash {again.hash}" in str(again)
    assert "not frozen yet" in str(one)
    assert set(again.versions) == {"isoloss", "numpy", "scipy", "python"}


def test_the_hash_is_that_of_the_content_as_json(tmp_path: Path) -> None:
    """A reader without isoloss can check it."""
    kept = made().save(tmp_path / "a.json")
    value = json.loads((tmp_path / "a.json").read_text())["value"]["Forecast"]
    text = json.dumps(value | {"hash": ""}, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(text.encode()).hexdigest() == kept.hash


def test_forecasts_of_a_folder_are_a_chain(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"a": 1}')
    kept = [made(2.5 + k / 10).save(tmp_path / f"{name}.json") for k, name in enumerate("cab")]
    assert [each.previous for each in kept] == ["", kept[0].hash, kept[1].hash]
    found = ledger(tmp_path)
    assert found.names == ("c.json", "a.json", "b.json")
    assert found.head == kept[-1].hash
    assert found.head in str(found)
    assert "no forecasts, and not checked: other.json" in str(found)


def test_a_forecast_whose_keys_were_put_in_another_order_is_still_one(tmp_path: Path) -> None:
    kept = [made(2.5 + k / 10).save(tmp_path / f"{name}.json") for k, name in enumerate("ab")]
    last = tmp_path / "b.json"
    content = json.loads(last.read_text())
    last.write_text(json.dumps(dict(reversed(content.items()))))
    assert ledger(tmp_path).head == kept[1].hash
    content["value"]["Forecast"]["note"] = "after the runs"
    last.write_text(json.dumps(dict(reversed(content.items()))))
    with pytest.raises(FilesError, match="it was changed after it was frozen"):
        ledger(tmp_path)


@pytest.mark.parametrize("size", [0, 30, 400])
def test_a_forecast_that_was_cut_is_named(size: int, tmp_path: Path) -> None:
    for name in "ab":
        made(2.5 + ord(name) / 10).save(tmp_path / f"{name}.json")
    last = tmp_path / "b.json"
    last.write_bytes(last.read_bytes()[:size])
    for read in (lambda: ledger(tmp_path), lambda: made(2.7).save(tmp_path / "c.json")):
        with pytest.raises(ScoreError, match=r"cannot read '.*b.json', which may have been a"):
            read()


@pytest.mark.parametrize("field", ["middle", "made", "note", "data", "quantiles", "previous"])
def test_a_changed_file_is_refused_in_one_sentence(field: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    made().save(path)
    content = json.loads(path.read_text())
    value = content["value"]["Forecast"]
    if field in ("middle", "quantiles"):
        inner = value[field]["array"]
        value[field]["array"] = [inner[0], [x + 1e-12 for x in inner[1]]] if field == (
            "quantiles") else [inner[0] + 1e-12, inner[1]]  # fmt: skip
    else:
        value[field] = "ffff"
    path.write_text(json.dumps(content, indent=1) + "\n")
    with pytest.raises(FilesError, match="it was changed after it was frozen: its content has the"):
        load(path)


def test_a_change_that_is_hashed_again_breaks_the_chain(tmp_path: Path) -> None:
    made(2.5).save(tmp_path / "a.json")
    made(2.6).save(tmp_path / "b.json")
    other = tmp_path / "other"
    other.mkdir()
    (tmp_path / "a.json").unlink()
    made(2.4).save(other / "a.json")
    (other / "a.json").rename(tmp_path / "a.json")
    with pytest.raises(ScoreError, match="is missing from the ledger, or was changed"):
        ledger(tmp_path)
    with pytest.raises(ScoreError, match="is missing from the ledger"):
        made(2.7).save(tmp_path / "c.json")


def test_a_chain_that_was_bent_into_a_ring_takes_no_forecast(tmp_path: Path) -> None:
    made(2.5).save(tmp_path / "a.json")
    last = made(2.6).save(tmp_path / "b.json")
    first = (tmp_path / "a.json").read_text()
    ring = first.replace('"previous": ""', f'"previous": "{last.hash}"')
    assert ring != first
    (tmp_path / "a.json").write_text(ring)
    with pytest.raises(ScoreError, match=r"forecast '.*a.json': it was changed after it was froz"):
        made(2.7).save(tmp_path / "c.json")
    assert not (tmp_path / "c.json").exists()
    with pytest.raises(
        ScoreError, match="forecast 1111 is missing from the ledger, or was changed"
    ):
        in_order({"1111": "2222", "2222": "1111"})


def test_two_forecasts_after_one_are_refused(tmp_path: Path) -> None:
    made(2.5).save(tmp_path / "a.json")
    other = tmp_path / "other"
    other.mkdir()
    made(2.4).save(other / "b.json")
    (other / "b.json").rename(tmp_path / "b.json")
    with pytest.raises(ScoreError, match="both come after nothing: one of them was added behind"):
        ledger(tmp_path)


@pytest.mark.parametrize("name", ["a.txt", "a", "a.json.gz"])
def test_a_forecast_that_the_ledger_would_not_see_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(FilesError, match=r"cannot write .*: accepted endings are .json"):
        made().save(tmp_path / name)
    assert not list(tmp_path.iterdir())
    made().save(tmp_path / "a.JSON")
    assert ledger(tmp_path).names == ("a.JSON",)


def test_a_forecast_is_never_replaced_and_a_copy_is_told(tmp_path: Path) -> None:
    made().save(tmp_path / "a.json")
    with pytest.raises(FilesError, match="exists"):
        made(2.6).save(tmp_path / "a.json")
    (tmp_path / "b.json").write_bytes((tmp_path / "a.json").read_bytes())
    with pytest.raises(ScoreError, match="is the copy of another forecast"):
        ledger(tmp_path)
    with pytest.raises(ScoreError, match="has no forecasts"):
        ledger(tmp_path / "none")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"middle": []}, "a forecast has no points"),
        ({"tokens": [1e9]}, "has columns of different lengths"),
        ({"params": [0.0, 1e9]}, "params or tokens that are not above 0"),
        ({"quantiles": np.ones((2, 8))}, "no numbers that rise"),
        ({"middle": [np.nan, 1.0]}, "no numbers that rise"),
    ],
)
def test_what_is_no_forecast_is_refused(change: dict[str, object], message: str) -> None:
    asked = {"params": [1e9, 2e9], "tokens": [1e9, 1e9], "precision": ["fp", "fp"],
             "middle": [2.0, 2.0], "quantiles": np.tile(np.arange(8.0), (2, 1))}  # fmt: skip
    with pytest.raises(ScoreError, match=message):
        forecast_of_quantiles(**(asked | change), by={"x": 1.0})  # type: ignore[arg-type]
