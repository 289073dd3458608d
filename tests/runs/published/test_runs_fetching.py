"""Fetching: a local folder, the download at the pinned commit, bundled tables, and what to do
without any.
"""

import dataclasses
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest

from isoloss.runs import TABLES, DownloadError, Provenance, PublicTable, RunsError, read
from isoloss.runs.published import bundled_table, fetching
from isoloss.runs.published.public_table import PublicFile

CONTENT = {
    "small/a=1.csv": b"params,tokens,precision,loss\n1M,20M,w4,4\n",
    "small/b.csv": b"params\n7\n",
}


def parse(files, note="none"):
    frame = pl.read_csv(files["small/a=1.csv"])
    return frame.with_columns(
        source=pl.lit("small"), other=pl.lit(len(files["small/b.csv"])), note=pl.lit(note)
    )


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A public table of two files, reachable by name, with an empty cache and no local folder."""
    files = tuple(
        PublicFile(f"data/{Path(local).name}", local, hashlib.sha256(content).hexdigest())
        for local, content in CONTENT.items()
    )
    table = PublicTable(
        "small",
        "a test",
        Provenance("MIT", "nobody", "url", "c" * 40),
        parse,
        "who/what",
        files,
        {"note": "a note"},
    )
    monkeypatch.setitem(TABLES, "small", table)
    monkeypatch.setenv("ISOLOSS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ISOLOSS_DATA", raising=False)
    return table


@pytest.fixture
def mirror(monkeypatch):
    """A local HTTP server with the files; asked lists the paths that were requested."""
    served = {
        f"/who/what/{'c' * 40}/data/{Path(local).name}": content
        for local, content in CONTENT.items()
    }
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            content = served.get(self.path)
            self.send_response(200 if content is not None else 404)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("ISOLOSS_MIRROR", f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield served, asked
        server.shutdown()
        thread.join()


def in_folder(folder, content=CONTENT):
    for local, data in content.items():
        (folder / local).parent.mkdir(parents=True, exist_ok=True)
        (folder / local).write_bytes(data)


def test_a_local_folder_is_looked_into_first(small, mirror, monkeypatch, tmp_path):
    in_folder(tmp_path)
    monkeypatch.setenv("ISOLOSS_DATA", str(tmp_path))
    assert read("small", note="mine")["note"].tolist() == ["mine"]
    assert mirror[1] == []


def test_files_are_downloaded_once_at_the_pinned_commit(small, mirror):
    table = read("small")
    assert (table["params"].tolist(), table["other"].tolist()) == ([1e6], [9.0])
    assert table.citation == {"small": "nobody"}
    assert sorted(mirror[1]) == sorted(mirror[0])
    assert read("small") == table
    assert len(mirror[1]) == 2


def test_only_what_the_folder_lacks_is_downloaded(small, mirror, monkeypatch, tmp_path):
    in_folder(tmp_path, {"small/b.csv": CONTENT["small/b.csv"]})
    monkeypatch.setenv("ISOLOSS_DATA", str(tmp_path))
    assert len(read("small")) == 1
    assert [Path(path).name for path in mirror[1]] == ["a=1.csv"]


def test_a_changed_file_in_the_folder_is_refused(small, monkeypatch, tmp_path):
    in_folder(tmp_path, {"small/a=1.csv": b"changed"})
    monkeypatch.setenv("ISOLOSS_DATA", str(tmp_path))
    with pytest.raises(
        RunsError,
        match=r"a=1\.csv' is not the published file: its sha256 is [0-9a-f]{12}.*unset ISOLOSS",
    ):
        read("small")


def test_a_changed_download_is_refused(small, mirror):
    path = next(path for path in mirror[0] if path.endswith("b.csv"))
    mirror[0][path] = b"changed"
    with pytest.raises(
        RunsError, match=r"what http://127\.0\.0\.1:\d+/who/what/c{40}/data/b\.csv gives is not the"
    ):
        read("small")


def test_a_download_without_end_is_cut_off(small, mirror, monkeypatch):
    """It is not hashed, and no more is taken than the bound and one piece; the other file is."""
    hashed = fetching._sha256
    monkeypatch.setattr(fetching, "MOST_BYTES", 20)
    monkeypatch.setattr(
        fetching,
        "_sha256",
        lambda content: pytest.fail("it was hashed") if len(content) > 20 else hashed(content),
    )
    with pytest.raises(RunsError, match=r"gives is larger than 20 bytes, so it is not the publish"):
        read("small")


def test_without_network_or_folder_the_error_says_what_to_do(small, mirror):
    mirror[0].clear()
    with pytest.raises(DownloadError) as error:
        read("small")
    assert "cannot download http://127.0.0.1:" in str(error.value)
    assert (
        "connect to the network and try again, or set ISOLOSS_DATA to a folder that holds small/"
        in str(error.value)
    )


def test_a_folder_that_does_not_exist_is_named(small, mirror, monkeypatch, tmp_path):
    monkeypatch.setenv("ISOLOSS_DATA", str(tmp_path / "none"))
    with pytest.raises(
        RunsError, match=r"ISOLOSS_DATA is '.*none', which is no folder; accepted is a folder that"
    ):
        read("small")
    assert mirror[1] == []


def test_an_unreachable_mirror_is_one_sentence_too(small, monkeypatch):
    monkeypatch.setenv("ISOLOSS_MIRROR", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(
        RunsError,
        match=r"cannot download http://127\.0\.0\.1:9/who.*\(ConnectionError\) for 'small'",
    ):
        read("small")


def test_real_tables_download_under_their_own_paths(data_folder, mirror, monkeypatch, tmp_path):
    """Every listed path of a table of many files is asked for, and its content has the listed
    hash.
    """
    served, asked = mirror
    table = TABLES["gadre2024_c4"]
    for file in table.listed():
        url = f"/mlfoundations/scaling/{table.provenance.commit}/{file.path}"
        served[url] = (data_folder / file.local).read_bytes()
    local = read("gadre2024_c4")
    monkeypatch.delenv("ISOLOSS_DATA")
    monkeypatch.setenv("ISOLOSS_CACHE", str(tmp_path))
    assert read("gadre2024_c4") == local
    assert len(asked) == 34


def test_bundled_tables_are_read_from_the_package(monkeypatch, tmp_path):
    (tmp_path / "mine.csv").write_text("params,tokens,precision,loss\n1M,20M,w4,4\n1M,40M,w4,3\n")
    monkeypatch.setattr(fetching, "bundled_folder", lambda: tmp_path)
    monkeypatch.setitem(TABLES, "mine", bundled_table("mine", "two runs", "mine.csv"))
    table = read("mine")
    assert table["tokens"].tolist() == [2e7, 4e7]
    assert table.licence == {"mine": "Apache-2.0"}
    assert table.citation == {"mine": "isoloss, simulated"}


def test_the_bundled_folder_is_in_the_package():
    assert fetching.bundled_folder().is_dir()


def test_a_table_is_a_value(small):
    assert dataclasses.replace(small) == small
    assert small.listed() == small.files
