"""``reproduce``: which claims, by which check, in one process or several, and what is missing."""

import os
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

import isoloss as il
from isoloss.papers import (
    CHECKS,
    Claim,
    Expected,
    Finding,
    Laboratory,
    Ours,
    PapersError,
    Report,
    Reproduction,
    Verdict,
    claims,
    put_to_test,
    reproduce,
)
from isoloss.papers.testing import shared
from isoloss.runs import Crew, RunsError

SLOPE = (Expected("slope", 2.0, (1.9, 2.1)),)
LINE = Claim("lines", "slope", "page 1", "Lines rise.", ("K1",), "line", {"times": 2}, SLOPE)


@pytest.fixture(autouse=True)
def line() -> Iterator[None]:
    def line(laboratory: Laboratory, times: float) -> Finding:
        return Finding({"slope": Ours(float(times))}, f"It rises by {times:g}.", ("the line",))

    CHECKS.register("line", line, home="tests")
    yield
    CHECKS.remove("line")


def test_a_claim_is_told_with_its_number_and_ours() -> None:
    done = put_to_test(LINE, Laboratory())
    assert (done.verdict, done.least_digits) == (Verdict.HOLDS, 16.0)
    text = str(done)
    assert text == repr(done)
    assert text.startswith("lines, slope: holds\n  page 1: Lines rise.\n  ours: It rises by 2.")
    assert 'isoloss reproduce lines "slope"' in text
    assert "<table>" in done._repr_html_()
    assert done.table()["outcome"].to_list() == ["met"]


def test_a_report_has_a_line_a_claim_and_the_shares() -> None:
    bare = Claim("lines", "curve", "page 2", "Lines bend.", why="no such lines")
    report = Report((put_to_test(LINE, Laboratory()), put_to_test(bare, Laboratory())))
    assert report.shares["holds"] == report.shares["not testable here"] == 0.5
    assert "curve             -  not testable here: no such lines" in str(report)
    assert report.frame()["sentence"].to_list() == ["holds", "not testable here: no such lines"]
    assert len(report) == 2


def test_a_wrong_number_turns_the_verdict() -> None:
    other = Claim("lines", "slope", "", "", (), "line", {"times": 3}, SLOPE)
    assert put_to_test(other, Laboratory()).verdict is Verdict.FAILS


def test_a_check_that_gives_other_figures_is_refused() -> None:
    other = Claim(
        "lines", "slope", "", "", (), "line", {"times": 2}, (Expected("rise", 2.0, (1, 3)),)
    )
    with pytest.raises(
        PapersError, match=r"gives \['slope'\] for 'slope' of lines, which expects \['rise'\]"
    ):
        put_to_test(other, Laboratory())


def test_a_table_that_cannot_be_had_is_no_failure() -> None:
    def tabled(laboratory: Laboratory) -> Finding:
        laboratory.runs("no_such_table")
        raise AssertionError

    CHECKS.register("tabled", tabled, home="tests")
    try:
        done = put_to_test(Claim("p", "c", "", "", (), "tabled", {}, SLOPE), Laboratory())
    finally:
        CHECKS.remove("tabled")
    assert done.verdict is Verdict.NOT_TESTABLE
    assert "no_such_table" in done.sentence


@pytest.mark.parametrize("workers", [1, 2])
def test_a_table_that_is_not_downloaded_is_counted_apart(
    workers: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("ISOLOSS_DATA", raising=False)
    monkeypatch.setenv("ISOLOSS_CACHE", str(tmp_path))
    monkeypatch.setenv("ISOLOSS_MIRROR", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    chosen = claims("kumar2024", "figure 4 on quest2025")
    if workers == 1:
        done = put_to_test(chosen[0], Laboratory())
    else:
        (done,) = shared(chosen, 0, workers, lambda *now: None)
    report = Report((done,))
    assert (done.verdict, done.least_digits) == (Verdict.NOT_DOWNLOADED, None)
    assert done.sentence.startswith("could not be downloaded: cannot download http://127.0.0.1:9/")
    assert "connect to the network and try again, or set ISOLOSS_DATA to a fol" in done.sentence
    assert report.shares["could not be downloaded"] == 1.0
    assert report.shares["not testable here"] == 0.0


def test_a_data_folder_that_is_none_is_refused_before_any_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ISOLOSS_DATA", str(tmp_path / "none"))
    with pytest.raises(RunsError, match=r"^ISOLOSS_DATA is '.*none', which is no folder; accepted"):
        reproduce("K6", progress=lambda *now: pytest.fail("it began"))


def test_a_laboratory_makes_each_thing_once() -> None:
    laboratory, made = Laboratory(), []
    for _ in range(2):
        assert laboratory.once("x", lambda: made.append(1) or len(made)) == 1
    assert laboratory.runs("simulated2024") is laboratory.runs("simulated2024")
    assert laboratory.law("kumar2024") is laboratory.law("kumar2024")
    assert Laboratory().once("x", lambda: 5) == 5


def test_processes_find_what_one_process_finds() -> None:
    chosen, told = claims("kumar2024", "figure 6 left"), []
    (there,) = shared(chosen, 0, 2, lambda *now: told.append(now))
    here = reproduce("kumar2024", "figure 6 left")
    assert isinstance(here, Reproduction)
    assert there.table().equals(here.table())
    assert (told[0][:2], told[-1]) == ((0, 1), (1, 1, ""))


def test_a_worker_that_ends_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ending(Crew):
        def submit(self, call: object, /, *args: object, **named: object) -> Future[None]:
            return super().submit(os._exit, 3)

    monkeypatch.setattr("isoloss.papers.testing.Crew", Ending)
    with pytest.raises(PapersError, match=r"^a worker ended while it tested kumar2024 figure"):
        shared(claims("kumar2024", "figure 6 left"), 0, 1, lambda *now: None)


def test_a_row_stands_alone_or_with_its_paper() -> None:
    assert [each.name for each in claims("kumar2024", "figure 6 left")] == ["figure 6 left"]
    assert {each.name for each in claims("kumar2024", "K6")} == {
        each.name for each in claims("K6") if each.paper == "kumar2024"
    }
    both = {(each.paper, each.name) for row in ("K6", "X3") for each in claims(row)}
    assert {(each.paper, each.name) for each in claims("K6", "X3")} == both
    assert claims("k6") == claims("K6")
    assert claims("KUMAR2024", "Figure 6 LEFT") == claims("kumar2024", "figure 6 left")
    assert len(claims()) == sum(len(each.claims) for each in il.papers.papers().values())


@pytest.mark.parametrize(
    ("words", "options", "message"),
    [
        (("kumar",), {}, "^no paper is called 'kumar'; did you mean 'kumar2024'"),
        ((3,), {}, "^no paper is called 3; there are kumar2024, "),
        (("K99",), {}, "^no claim answers a row 'K99'; the nearest of K1 to K8 are K6, K7, K8; '"),
        (("K6", "x0"), {}, "^no claim answers a row 'x0'; the nearest of X1 to X10 are X1, X2, X3"),
        (("Z3",), {}, "^no claim answers a row 'Z3'; rows begin with C, F, K, L, Q, R, S, X; 'iso"),
        (("kumar2024", "c3"), {}, "^no claim of kumar2024 is called 'c3', or .*bridge, disputes$"),
        (("figure 6",), {}, "^no paper, row or claim is called 'figure 6'; those that begin so"),
        (("kumar2024", "abc"), {}, "^no claim of kumar2024 is called 'abc'; 'isoloss reproduce"),
        (("K6",), {"seed": -1}, "^seed is -1; accepted is a whole number from 0$"),
        (("K6",), {"seed": np.nan}, "^seed is nan; accepted is a whole number from 0$"),
        (("K6",), {"workers": 0}, "^workers is 0; accepted is a whole number from 1$"),
    ],
)  # fmt: skip
def test_what_is_refused(words: tuple[str, ...], options: dict[str, int], message: str) -> None:
    with pytest.raises(PapersError, match=message):
        reproduce(*words, **options)


def test_a_claim_is_drawn_as_its_study() -> None:
    figure = il.plot(reproduce("kumar2024", "figure 6 left"))
    assert figure.kind == "study"
    with pytest.raises(PapersError, match=r"^the claim 'slope' of lines has no figure$"):
        il.plot(put_to_test(LINE, Laboratory()))
