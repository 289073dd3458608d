"""The server: hostile files and links are one sentence, and nobody sees what another dropped in."""

import json
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from starlette.testclient import TestClient

import isoloss as il
from isoloss.app import AppError, explore, page_of
from isoloss.app.dropped import MOST_BYTES, MOST_FILES, Dropped
from isoloss.app.serving import is_local

Ask = Callable[..., dict[str, Any]]
GOLDEN = Path(__file__).parents[1] / "golden"
ROWS = "params,tokens,precision,loss\n" + "".join(
    f"{n:.0f},{d:.0f},bf16,{1.8 + 400 * n**-0.34 + 410 * d**-0.28:.5f}\n"
    for n in (2e7, 5e7, 1e8, 2e8)
    for d in (1e9, 2e9, 5e9, 1e10)
)


def drop(page: TestClient, name: str, content: bytes | str, law: str = "chinchilla") -> Any:
    headers = {"x-isoloss": "1"}
    given = {"name": name, "law": law}
    return page.post("/drop", params=given, content=content, headers=headers).json()


def test_the_page_names_what_it_needs_and_loads_nothing_else(page: TestClient) -> None:
    found = page.get("/")
    assert "default-src 'none'" in found.headers["content-security-policy"]
    assert "http://" not in found.text
    assert "https://" not in found.text
    assert "http" not in page.get("/page.js").text.replace("http://www.w3.org/2000/svg", "")
    assert "url(" not in page.get("/page.css").text


def test_a_table_of_ones_own_is_fitted_and_planned_with(page: TestClient, ask: Ask) -> None:
    own = drop(page, "my runs.csv", ROWS, law="chinchilla")
    assert own["name"] == "my_runs.csv"
    told = ask("plan", file=own["file"], precision="bf16")
    assert told["choices"][0]["loss_interval"][0] is not None
    assert told["shell"][0].startswith("isoloss fit my_runs.csv --law chinchilla --draws 50")
    assert "isoloss plan fit.json" in told["shell"][1]


@pytest.mark.parametrize("law", ["", "/etc/passwd", "../golden/fit.json", str(GOLDEN / "fit.json")])
def test_a_file_of_the_server_is_no_law(page: TestClient, law: str) -> None:
    told = drop(page, "mine.csv", ROWS, law=law)
    assert told["error"].startswith(f"unknown law '{law}'")


def test_what_others_are_warned_of_is_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(path: Path) -> Any:
        other = threading.Thread(target=warnings.warn, args=("of somebody else",))
        other.start()
        other.join()
        warnings.warn("of mine", stacklevel=1)
        return il.runs.as_runs(pl.read_csv(path))

    monkeypatch.setattr(il, "read", read)
    _, own = Dropped().add("mine.csv", ROWS.encode(), "chinchilla")
    assert "of mine" in own.told
    assert "of somebody else" not in own.told


def test_a_saved_fit_of_ones_own(page: TestClient, ask: Ask) -> None:
    own = drop(page, "fit.json", (GOLDEN / "fit.json").read_bytes())
    told = ask("here", file=own["file"], params="1e8", tokens="1e10", rounded="w4")
    fit = il.load(GOLDEN / "fit.json")
    assert told["laws"][0]["loss"] == pytest.approx(float(fit.predict(1e8, 1e10, "w4").loss[0]))


ENDLESS = (GOLDEN / "fit.json").read_text().replace('"level": 0.9', '"level": 1e999', 1)
BROKEN = json.dumps({**json.loads((GOLDEN / "fit.json").read_text()), "value": {"law": 3}})
NEWER = json.dumps({"isoloss": "9", "type": "fit", "schema": 99, "value": {}})


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("fit.json", BROKEN, "'fit.json' says it holds a fit but cannot be read as one"),
        ("fit.json", NEWER, "schema 99"),
        ("fit.json", ENDLESS, "beyond the largest number; the file is damaged or edited"),
        ("plan.json", (GOLDEN / "plan.json").read_text(), "holds a plan"),
        ("fit.json", "{" * 100_000, "fit.json"),
        ("mine.csv", "a,b\n1,2\n", "has no column"),
        ("mine.csv", b"\xff\xfe\x00\x01" * 999, "mine.csv"),
        ("mine.csv", "", "mine.csv"),
        ("../../etc/passwd", "x", "accepted are .csv"),
        ("bomb.zip", b"PK", "accepted are .csv"),
        ("mine.csv", "x" * (MOST_BYTES + 1), "the page takes 20 MB"),
    ],
)
def test_a_hostile_file_is_one_sentence(
    name: str, content: bytes | str, said: str, page: TestClient
) -> None:
    told = drop(page, name, content)
    assert said in told["error"]
    assert "\n" not in told["error"]
    assert "/tmp" not in told["error"]
    assert page.get("/").status_code == 200


def test_a_formula_in_a_cell_is_no_number(page: TestClient) -> None:
    told = drop(page, "mine.csv", ROWS.replace("20000000", "=cmd()"))["told"]
    count = sum("20000000" in line for line in ROWS.splitlines())
    assert any(line.endswith(f", {count} excluded") for line in told)


def test_a_file_is_refused_by_its_size_before_it_is_sent(page: TestClient) -> None:
    headers = {"x-isoloss": "1", "content-length": str(10**9)}
    told = page.post("/drop", params={"name": "a.csv"}, content=b"x", headers=headers).json()
    assert "1000 MB; the page takes 20 MB" in told["error"]


def test_another_site_cannot_drop_a_file_in(page: TestClient) -> None:
    told = page.post("/drop", params={"name": "a.csv"}, content=ROWS).json()
    assert "on the page itself" in told["error"]


def test_a_file_is_seen_by_its_key_alone_and_the_oldest_goes(ask: Ask) -> None:
    page = TestClient(page_of(), base_url="http://127.0.0.1")
    keys = [drop(page, "law.json", (GOLDEN / "law.json").read_bytes())["file"] for _ in range(17)]
    assert len({*keys}) == MOST_FILES + 1
    gone = page.get("/at/plan", params={"file": keys[0]}).json()
    assert "no longer kept" in gone["error"]
    assert "no longer kept" in ask("plan", file=keys[-1])["error"]  # of another server


@pytest.mark.parametrize("token", ["a b", "a&b", "é", "a+b"])
def test_a_token_is_what_an_address_holds(token: str) -> None:
    with pytest.raises(AppError, match=r"accepted are letters, digits, and \. _ ~ -"):
        explore(port=0, token=token)


@pytest.mark.parametrize("given", [{}, {"token": "wrong"}, {"token": "é"}])
def test_a_token_is_asked_for(given: dict[str, str]) -> None:
    page = TestClient(page_of("sesame"), base_url="http://127.0.0.1")
    assert page.get("/at/plan", params=given).status_code == 403
    assert "sesame" not in page.get("/at/plan", params=given).text
    assert page.get("/", params={"token": "sesame"}).status_code == 200
    assert page.get("/page.js", headers={"x-token": "sesame"}).status_code == 200


def test_a_request_under_another_name_is_refused() -> None:
    """As that of a page which had its own name turned to this machine."""
    page = TestClient(page_of(), base_url="http://evil.example")
    assert page.get("/").status_code == 400


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("me", False)],
)
def test_what_is_on_this_machine_alone(host: str, local: bool) -> None:
    assert is_local(host) is local


@pytest.mark.parametrize(
    ("part", "given", "said"),
    [
        ("plan", {"laws": "kumar2042"}, "kumar2024"),
        ("plan", {"precision": "z8"}, "z8"),
        ("plan", {"train": "1e-9"}, "train 1e-09 does not pay for"),
        ("plan", {"hardware": "abacus"}, "abacus"),
        ("regression", {"precision": "d:add(-1)"}, "add"),
        ("plan", {"train": "1e400"}, "a finite number of zero or more"),
        ("regression", {"step_size": "50"}, "the step size 50 is unstable"),
        ("formats", {"formats": "int99999"}, "int99999"),
    ],
)
def test_a_hostile_link_is_one_sentence(
    part: str, given: dict[str, str], said: str, page: TestClient
) -> None:
    found = page.get(f"/at/{part}", params=given)
    assert found.status_code == 400
    assert said in found.json()["error"]


def test_a_field_that_stands_twice_is_refused(page: TestClient) -> None:
    found = page.get("/at/plan?train=1e18&train=1e20")
    assert found.json()["error"] == "the link has 'train' more than once; give it once"


def test_one_sentence_says_what_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from isoloss.app import AppError, explore

    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(AppError, match=r"needs uvicorn.*isoloss\[app\]"):
        explore()
