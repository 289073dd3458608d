"""Fields of a saved fit or comparison that do not belong together are refused in one sentence."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from isoloss.files import FilesError
from isoloss.fits import compare, fit, load

GOLDEN = Path(__file__).parents[1] / "golden"


def _array(fit: dict[str, Any], name: str) -> list[Any]:
    found: list[Any] = fit["points"]["Points"][name]["array"]
    return found


def _entry(comparison: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = comparison["entries"][0]["Entry"]
    return found


FITS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a run less": (lambda fit: _array(fit, "tokens").pop(), "points has columns of different"),
    "a loss of 0": (lambda fit: _array(fit, "observed").__setitem__(0, 0.0), "not above 0"),
    "a constant less": (
        lambda fit: [draw.pop() for draw in fit["draws"]["array"]],
        "draws has the shape .* free constants",
    ),
    "no draws": (lambda fit: fit.update(draws={"array": [], "dtype": "float64"}), "draws has the"),
    "a draw of no number": (
        lambda fit: fit["draws"]["array"][0].__setitem__(0, {"number": "nan"}),
        "draws holds values that are no numbers",
    ),
    "a level of 90": (
        lambda fit: fit.update(level=90),
        "level is 90; it must be above 0 and below",
    ),
    "a constant without end": (
        lambda fit: fit["law"]["Law"]["values"].update(A={"number": "inf"}),
        "values.A is inf; the file is damaged or edited",
    ),
    "a budget of no number": (
        lambda fit: fit.update(flop={"number": "nan"}),
        "flop is nan; the file is damaged or edited",
    ),
    "runs without an end": (
        lambda fit: fit["law"]["Law"]["box"].update(tokens=[1e9, {"number": "inf"}]),
        r"box.tokens is \[1e\+09, inf\]; the file is damaged or edited",
    ),
}
COMPARISONS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "no entries": (lambda found: found.update(entries=[]), "it has no entries"),
    "weights of 2": (lambda found: _entry(found).update(weight=2.0), "weights are no shares of 1"),
    "a loss less": (
        lambda found: _entry(found)["held_out"][0]["HeldOut"]["observed"]["array"].pop(),
        "the hold-out .* has columns of different lengths",
    ),
    "a loss of no number": (
        lambda found: _entry(found)["held_out"][0]["HeldOut"]["observed"]["array"].__setitem__(
            0, {"number": "nan"}
        ),
        "the hold-out .* has numbers that are not finite; the file is damaged or edited",
    ),
}


CASES = [
    *(("fit", change, message) for change, message in FITS.values()),
    *(("comparison", change, message) for change, message in COMPARISONS.values()),
]


@pytest.mark.parametrize(("name", "change", "message"), CASES, ids=[*FITS, *COMPARISONS])
def test_fields_that_do_not_agree_are_refused(name, change, message, tmp_path: Path) -> None:
    content = json.loads((GOLDEN / f"{name}.json").read_text())
    change(content["value"][name.capitalize()])
    path = tmp_path / "x.json"
    path.write_text(json.dumps(content))
    with pytest.raises(FilesError, match=message) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_a_loaded_value_equals_the_saved_one(table, tmp_path: Path) -> None:
    found = fit("chinchilla", table, draws=10, starts=4, holdout="largest")
    again = load(found.save(tmp_path / "fit.json"))
    assert again == found
    assert found != replace(again, flop=2 * again.flop)
    assert found != "a fit"
    both = compare(["chinchilla", "chinchilla_tied"], table, draws=10, starts=4)
    assert load(both.save(tmp_path / "laws.json")) == both
