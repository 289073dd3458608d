"""Mutated tables: each is read with every row kept, or refused in one sentence."""

import importlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("seed", range(8))
def test_a_mutated_table_keeps_its_rows_or_is_refused_in_one_sentence(seed, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    report = importlib.import_module("benchmarks.tables_mutated").study(tmp_path, 250, seed)
    assert report.bad == []
    assert set(report.counts) == {"read", "refused"}
    assert min(report.counts.values()) > 50
    sys.modules.pop("benchmarks.tables_mutated")
