"""Files that hold others: compressed ones, and Excel workbooks."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
from datetime import date
from zipfile import ZIP_DEFLATED, ZipFile

import openpyxl
import pytest
import zstandard

from isoloss.runs import READERS, NothingUsable, RunsError, read
from isoloss.runs.intake import unpacking

TEXT = b"params,tokens,precision,loss\n1M,20M,w4,3.5\n"
MORE = b"2M,40M,w4,3.25\n"
PACKERS = {"gz": gzip, "bz2": bz2, "xz": lzma, "zst": zstandard}
NAMES = ("params", "tokens", "precision", "loss")


@pytest.fixture
def put(tmp_path):
    def to(data: bytes, name: str):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return to


@pytest.mark.parametrize("ending", PACKERS)
def test_a_compressed_table_of_several_pieces_is_read_whole(put, ending):
    pack = PACKERS[ending].compress
    runs = read(put(pack(TEXT) + pack(MORE), f"runs.csv.{ending}"))
    assert runs["loss"].tolist() == [3.5, 3.25]
    assert runs.understood.is_plain
    tabs = read(put(pack(TEXT.replace(b",", b"\t")), f"runs.TSV.{ending.upper()}"))
    assert tabs["loss"].tolist() == [3.5]


@pytest.mark.parametrize("ending", PACKERS)
def test_what_is_cut_or_fills_memory_is_refused(put, ending, monkeypatch):
    whole = PACKERS[ending].compress(TEXT)
    for data in (whole[:-5], whole[:8], b"no such thing"):
        with pytest.raises(RunsError, match=f"^cannot unpack runs.csv.{ending}: .+"):
            read(put(data, f"runs.csv.{ending}"))
    monkeypatch.setattr(unpacking, "ALWAYS", 1 << 20)
    bomb = PACKERS[ending].compress(bytes(5 << 20))
    with pytest.raises(RunsError, match=r"bytes that unpack to more than 1 MiB; unpack it yours"):
        read(put(bomb, f"bomb.csv.{ending}"))


@pytest.mark.parametrize("name", ["runs.gz", "runs.csv.gz.gz", "runs.db.gz", "runs.txt.gz"])
def test_what_is_packed_has_an_ending(put, name):
    with pytest.raises(RunsError, match=r"before \.gz stands the ending of what is packed, one of"):
        read(put(gzip.compress(TEXT), name))
    with pytest.raises(RunsError, match=r"runs\.csv\.gz is empty"):
        read(put(gzip.compress(b""), "runs.csv.gz"))


def workbook(*rows, title=None) -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    for row in ([title] if title else [], NAMES, *rows):
        if row:
            book.active.append(row)
    return book


def saved(book: openpyxl.Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


FEW = ((1e6, 2e7, "w4", 3.5), ("2M", "40M", "bf16", "3.25"))


def test_a_sheet_is_read_with_numbers_as_text_too(put):
    runs = read(put(saved(workbook(*FEW)), "runs.xlsx"))
    assert runs["params"].tolist() == [1e6, 2e6]
    assert runs["loss"].tolist() == [3.5, 3.25]
    assert read(put(gzip.compress(saved(workbook(*FEW))), "runs.xlsx.gz")) == runs


def test_of_several_sheets_one_is_named(put):
    book = workbook(*FEW)
    book.create_sheet("old 1.5").append(NAMES)
    book["old 1.5"].append((3e6, 2e7, "w4", 3.4))
    book.create_sheet("empty")
    path = put(saved(book), "runs.xlsx")
    with pytest.raises(RunsError, match=r"has several sheets, Sheet, old 1.5: name one behind it"):
        read(path)
    with pytest.raises(RunsError, match=r"no sheet 'x'; its sheets are Sheet, old 1.5, empty"):
        read(f"{path}#x")
    runs = read([f"{path}#Sheet", f"{path}#old 1.5"])
    assert runs["params"].tolist() == [1e6, 2e6, 3e6]
    assert set(runs["source"]) == {"runs.xlsx#Sheet", "runs.xlsx#old 1.5"}
    book["empty"].title = "a.db"
    book["a.db"].append(NAMES)
    book["a.db"].append((1e6, 2e7, "w4", 3.4))
    assert read(f"{put(saved(book), 'runs.xlsx')}#a.db").understood is not None
    book["old 1.5"].sheet_state = book["a.db"].sheet_state = "hidden"
    assert len(read(put(saved(book), "runs.xlsx"))) == 2


def test_formulas_without_a_value_and_dates_cost_their_rows(put):
    rows = (("=1e6+1", 2e7, "w4", 3.5), (1e6, 2e7, "w4", date(2026, 5, 3)))
    with pytest.warns(NothingUsable):
        runs = read(put(saved(workbook(*rows)), "runs.xlsx"))
    assert "column 'params' has '=1e6+1'; write" in runs["reason"][0]
    assert "column 'loss' has '2026-05-03 00:00:00 (a date)'; write" in runs["reason"][1]
    assert runs["reason"][1].endswith("(runs.xlsx, row 3)")


def test_a_formula_that_was_computed_is_its_value(put):
    book = workbook(("=1e6*2", 2e7, "w4", 3.5), FEW[0])
    parts, out = ZipFile(io.BytesIO(saved(book))), io.BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        for name in parts.namelist():
            content = parts.read(name).replace(b"<v></v>", b"<v>2000000</v>")
            archive.writestr(name, content.replace(b"<v />", b"<v>2000000</v>"))
    assert read(put(out.getvalue(), "runs.xlsx"))["params"].tolist() == [2e6, 1e6]


def test_a_title_merged_cells_and_hidden_rows_are_read_and_said(put):
    book = workbook((1e6, 2e7, "w4", 3.5), (2e6, 2e7, None, 3.25), title="Our runs")
    book.active.merge_cells("A1:D1")
    book.active.merge_cells("C3:C4")
    book.active.row_dimensions[4].hidden = True
    runs = read(put(saved(book), "runs.xlsx"))
    assert [str(each) for each in runs.precisions] == ["w4", "w4"]
    assert dict(runs.understood.facts)["file"] == (
        "1 merged areas read as their value in every row; 1 hidden rows are read too; "
        "1 row of a title above the names left out"
    )


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((("count", "billions", "", "nats"), *FEW), r"row 2 holds no number"),
        ((), r"runs\.xlsx has columns but no rows"),
        ((FEW[0] + (7,),), r"row 1 has no name for column 5, which holds values"),
    ],
)
def test_what_is_no_table_of_a_sheet_is_one_sentence(put, rows, said):
    with pytest.raises(RunsError, match=said):
        read(put(saved(workbook(*rows)), "runs.xlsx"))


def test_what_is_no_workbook_is_one_sentence(put):
    whole = saved(workbook(*FEW))
    for data in (b"PK no", whole[:900], whole.replace(b"xl/workbook.xml", b"xl/workbook.xxx")):
        with pytest.raises(RunsError, match=r"^cannot read runs\.xlsx as an Excel workbook"):
            read(put(data, "runs.xlsx"))
    with pytest.raises(RunsError, match=r"files that end in \.xlsx alone a part may be named"):
        read(f"{put(TEXT, 'runs.csv')}#x")
    bomb = io.BytesIO()
    with ZipFile(bomb, "w", ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", bytes(66 << 20))
    with pytest.raises(RunsError, match="unpack to more than 64 MiB"):
        read(put(bomb.getvalue(), "runs.xlsx"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"</sheetData>", b'</sheetData><mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells>'),
        (b'r="D3"', b'r="XFD1048576"'),
        (b"</sheetData>", b"<row>" + b"<c/>" * 1001 + b"</row></sheetData>"),
    ],
)
def test_a_sheet_of_more_cells_than_memory_holds_is_refused(put, old, new, monkeypatch):
    assert ".xlsx" in READERS  # which loads them all, in their order
    monkeypatch.setattr("isoloss.runs.intake.readers.excel.MOST_CELLS", 1000)
    parts, out = ZipFile(io.BytesIO(saved(workbook(*FEW)))), io.BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        for name in parts.namelist():
            content = parts.read(name)
            archive.writestr(name, content.replace(old, new) if "sheet1" in name else content)
    with pytest.raises(RunsError, match=r"runs\.xlsx holds a sheet of \d+ cells; 1000 are read"):
        read(put(out.getvalue(), "runs.xlsx"))


@pytest.mark.parametrize(
    ("package", "name", "extra"),
    [("openpyxl", "a.xlsx", "excel"), ("zstandard", "a.csv.zst", "zst")],
)
def test_a_missing_package_is_said_with_its_extra(put, package, name, extra, monkeypatch):
    data = saved(workbook(*FEW)) if extra == "excel" else zstandard.compress(TEXT)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(RunsError, match=rf"need the package {package}; pip install .*\[{extra}\]"):
        read(put(data, name))
