"""Warnings as typed values: every kind listed once, explained, and the same in files and pages."""

from __future__ import annotations

import pickle
import re
from dataclasses import replace
from pathlib import Path

import pytest

from isoloss import fits
from isoloss.fits import INHERITED, ResultWarning, WarningKind, by_law, fit, load
from isoloss.fits.warning import WITHHOLDING, kinds

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("kind", WarningKind)
def test_every_kind_is_explained_in_two_sentences(kind):
    assert kind == kind.value == str(kind) == kind.name.lower()
    for sentence in (kind.cause, kind.change):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert "\n" not in sentence


def test_the_page_lists_every_kind_in_order():
    page = (ROOT / "docs" / "fits.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \|$", page, re.M)
    assert rows == [(k.value, k.cause, k.change) for k in WarningKind]


def test_the_face_lists_every_kind_in_order():
    said = fits.__doc__.partition("Kinds of warnings")[2]
    assert re.findall(r'"(\w+)"', said) == [str(kind) for kind in WarningKind]


def test_a_warning_takes_the_spelling_of_its_kind():
    warning = ResultWarning("at_bound", "beta is at its bound 2", ("beta",))
    assert warning.kind is WarningKind.AT_BOUND
    assert str(warning) == "at bound: beta is at its bound 2"
    assert pickle.loads(pickle.dumps(warning)) == warning
    assert {"at_bound"} == kinds([warning])
    with pytest.raises(
        ValueError, match="unknown kind of warning 'bound'; accepted are lack_of_fit"
    ):
        ResultWarning("bound", "x")


def test_no_kind_is_spelled_out_above_its_list():
    """What reads a kind names the member, so that a kind can be found and renamed."""
    spelled = re.compile(r'kind\s*(==|!=|in)\s*\(?"(' + "|".join(WarningKind) + ")")
    files = (ROOT / "src").rglob("*.py")
    assert [str(f) for f in files if spelled.search(f.read_text(encoding="utf-8"))] == []
    assert set(WarningKind) > INHERITED | WITHHOLDING


def test_warnings_in_files_of_0_1_are_read(table, tmp_path):
    found = fit("chinchilla", table + table, draws=2, starts=2, holdout="largest")
    path = found.save(tmp_path / "fit.json")
    now = path.read_text()
    assert '"warnings"' in now
    assert '"ResultWarning"' in now
    path.write_text(now.replace('"warnings"', '"cautions"').replace("ResultWarning", "Caution"))
    again = load(path)
    assert again.warnings == found.warnings
    assert again.warnings[0].kind in WarningKind
    assert again.held_out.prediction.warnings == found.held_out.prediction.warnings


def test_warnings_of_laws_name_those_that_do_not_share_them() -> None:
    one, two = ResultWarning("few_runs", "few"), ResultWarning("at_bound", "E is", ("E",))
    assert by_law([("a", [one, two, one]), ("b", [one])]) == (one, replace(two, text="a: E is"))
    assert by_law([("a", [two])]) == (two,)
