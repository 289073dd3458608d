"""What the commands print, save and draw when the input is good."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

import isoloss as il

SMALL = """\
name,n,d,w,a,val
a,20M,1B,4,8,3.5
b,20M,2B,16,16,3.25
c,0.1B,1e9,4,,nan
"""
OPTIONS = ("--column", "params=n", "--column", "tokens=d", "--column", "loss=val")
QUICK = ("--draws", "12", "--starts", "4")

REPORT = """\
small.csv: 3 runs, 2 usable, 1 excluded

Columns
  column  unit        known  values
  params  parameters  all    20M to 100M (2 values)
  tokens  tokens      all    1B to 2B (2 values)
  loss    nats/token  2      3.25 to 3.5
  metric              all    nats
  name                all    a, b, c
  w                   all    4 to 16
  a                   2      8 to 16

Usable runs by precision
  precision      runs  params  tokens  loss
  w4 a8             1     20M      1B   3.5
  w:bf16 a:bf16     1     20M      2B  3.25

Excluded rows
  column 'val' (loss) has 'nan'; accepted is a finite number above 0 (small.csv, row 4)
"""


@pytest.fixture
def small(shell) -> Path:
    path = Path("small.csv")
    path.write_text(SMALL, encoding="utf-8")
    return path


def test_runs_reports_columns_precisions_and_reasons(shell, small: Path) -> None:
    result = shell("runs", small, *OPTIONS, "--precision", "w{w} a{a}")
    assert result.exit_code == 0
    assert result.stderr.startswith("small.csv is read as:\n  params     column n ")
    assert result.stdout == REPORT


def test_runs_as_json_has_units(shell, small: Path) -> None:
    result = shell(
        "runs", small, *OPTIONS, "--precision", "w{w} a{a}", "--set", "source=me", "--json"
    )
    found = json.loads(result.stdout)
    assert (found["type"], found["rows"], found["usable"], len(found["excluded"])) == (
        "runs",
        3,
        2,
        1,
    )
    assert found["units"] == {"params": "parameters", "tokens": "tokens", "loss": "nats/token"}
    assert found["ranges"]["params"] == [2e7, 2e7]
    assert found["precisions"] == {"w4 a8": 1, "w:bf16 a:bf16": 1}


def test_runs_keeps_the_rows_it_is_asked_for(shell, small: Path) -> None:
    words = ["runs", small, *OPTIONS, "--precision", "w{w} a{a}"]
    result = shell(*words, "--where", "tokens=..1.5B", "--where", "name=a,b", "-o", "out.csv")
    assert result.exit_code == 0
    assert result.stderr.endswith("saved 1 rows as out.csv\n")
    assert [str(run.precision) for run in il.read("out.csv")] == ["w4 a8"]
    assert shell(*words, "--excluded", "-o", "out.csv").exit_code == 1
    assert shell(*words, "--excluded", "-o", "out.csv", "--force").exit_code == 0
    assert Path("out.csv").read_text(encoding="utf-8").splitlines()[1].split(",")[-3:] == [
        "c",
        "4.0",
        "",
    ]


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ("precision=w4,w8", 32),
        ("params=..50M", 24),
        ("params=100000000..", 24),
        ("tokens=2B..5e9", 24),
        ("precision=w:int4", 16),
        ("source=mine", 48),
        ("seed=unknown", 48),
    ],
)
def test_where(condition: str, count: int, shell, table: Path) -> None:
    found = json.loads(shell("runs", table, "--where", condition, "--json").stdout)
    assert found["rows"] == count


def test_perplexity_is_read_when_told_and_suspected_when_not(shell) -> None:
    Path("ppl.csv").write_text(
        "params,tokens,precision,loss\n1e7,1e9,bf16,20\n2e7,1e9,bf16,18\n", encoding="utf-8"
    )
    told = json.loads(shell("runs", "ppl.csv", "--perplexity", "--json").stdout)
    assert told["ranges"]["loss"] == pytest.approx([np.log(18), np.log(20)])
    result = shell("runs", "ppl.csv", "--json")
    assert json.loads(result.stdout)["usable"] == 2
    assert result.stderr.startswith("warning: 2 of 2 losses of ppl.csv are above ")
    assert result.stderr.endswith("read them with --perplexity\n")


def test_files_beside_a_public_table_keep_their_own_options(shell, table: Path) -> None:
    words = [
        "runs",
        table,
        "simulated2024",
        "--column",
        "loss=loss",
        "--set",
        "corpus=c4",
        "--json",
    ]
    found = json.loads(shell(*words).stdout)
    simulated = il.read("simulated2024")
    assert found["rows"] == 48 + len(simulated)
    assert set(found["sources"]) == {"simulated2024"}


def test_runs_without_a_table_lists_public_tables_with_licences(shell) -> None:
    found = json.loads(shell("runs", "--json").stdout)["tables"]
    assert [each["name"] for each in found] == list(il.runs.TABLES)
    assert {each["licence"] for each in found} <= {"MIT", "Apache-2.0"}
    text = shell("runs").stdout
    assert all(name in text for name in il.runs.TABLES)


def test_laws_lists_every_preset_on_one_line(shell) -> None:
    lines = shell("laws").stdout.splitlines()
    presets = il.laws.LAWS.values()
    assert lines[0] == f"{len(presets)} laws"
    assert [line.split()[0] for line in lines[2:]] == [law.name for law in presets]
    forms = {line.split()[0]: line for line in lines}
    assert "  E + A N^-alpha + B D^-beta  " in forms["epoch2024"]
    assert (
        "  E + A (N rho(w, a, kv))^-alpha + B D^-alpha + delta(-> w, w, a, kv)  "
        in forms["kumar2024"]
    )
    assert "  (A N^-alpha + B D^-beta)^kappa  " in forms["kaplan2020"]
    assert "  E + A N'^-alpha + B D'^-alpha  " in forms["muennighoff2023"]
    assert "  exp(a3 N^p3 + b3) + " in forms["farseer2025"]


def test_one_law_with_every_constant(shell) -> None:
    law = il.laws.preset("kumar2024")
    text = shell("laws", "kumar2024").stdout
    assert text.startswith(f"kumar2024: {law.title}\n  loss = E + A (N rho(w, a, kv))^-alpha")
    assert [k.name for k in law.constants if f"\n  {k.name} " not in text] == []
    assert [k.meaning for k in law.constants if k.meaning not in text] == []
    assert [note for note in law.notes if note not in text] == []


def test_a_saved_law_and_the_law_of_a_saved_fit_are_shown(
    shell, saved_fit: Path, tmp_path: Path
) -> None:
    path = il.laws.preset("epoch2024").save(tmp_path / "mine.json")
    assert shell("laws", str(path)).stdout == shell("laws", "epoch2024").stdout
    assert shell("laws", str(saved_fit)).stdout.startswith("frantar2025: ")


def test_a_law_of_ones_own_is_listed_and_says_that_it_is_none_of_a_paper(
    shell, tmp_path: Path
) -> None:
    law = il.Law("own_of_cli", il.laws.Composed(), {"A": 2.0})
    il.laws.register(law)
    try:
        assert "\n  own_of_cli  " in shell("laws").stdout
        shown = shell("laws", str(law.save(tmp_path / "own.json"))).stdout
    finally:
        il.laws.LAWS.remove("own_of_cli")
    assert "  source: none (own)\n" in shown


def test_laws_as_json(shell) -> None:
    (found,) = json.loads(shell("laws", "epoch2024", "--json").stdout)["laws"]
    law = il.laws.preset("epoch2024")
    assert {k["name"]: k["value"] for k in found["constants"]} == {
        k.name: k.value for k in law.constants
    }
    assert found["units"]["loss"] == "nats/token"
    assert found["box"]["tokens"] == list(law.box.tokens)
    assert len(json.loads(shell("laws", "--json").stdout)["laws"]) == len(il.laws.LAWS)


def test_fit_prints_the_report_and_saves_it(shell, saved_fit: Path) -> None:
    fit = il.load(saved_fit)
    assert fit.law.name == "frantar2025"
    assert fit.held_out.rule == "largest"
    assert fit.draws.shape[0] == 20
    assert fit.values["eff[w4]"] == pytest.approx(0.7, abs=0.25)


def test_fit_as_json_agrees_with_the_fit_itself(shell, table: Path) -> None:
    words = ["fit", table, "--law", "frantar2025", *QUICK, "--seed", "3", "--level", "0.8"]
    result = shell(*words, "--objective", "squares", "--how", "wild", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    fit = il.fit(
        "frantar2025",
        il.read(table),
        objective="squares",
        draws=12,
        how="wild",
        starts=4,
        level=0.8,
        seed=3,
    )
    constants = {k["name"]: k for k in found["constants"]}
    assert constants["eff[w4]"]["value"] == pytest.approx(fit.values["eff[w4]"])
    assert (constants["eff[w4]"]["low"], constants["eff[w4]"]["high"]) == pytest.approx(
        fit.interval("eff[w4]")
    )
    assert constants["kappa"]["status"] == "fixed"
    assert (constants["A"]["unit"], found["units"]["loss"]) == ("nats", "nats/token")
    assert [each["kind"] for each in found["warnings"]] == [each.kind for each in fit.warnings]


def test_the_printed_fit_is_that_of_the_notebook(shell, table: Path) -> None:
    result = shell("fit", table, "--law", "chinchilla", *QUICK, "--holdout", "longest")
    fit = il.fit("chinchilla", il.read(table), holdout="longest", draws=12, starts=4)
    assert result.stdout == f"{fit}\n"


def test_constants_are_fixed_and_freed(shell, table: Path) -> None:
    words = ["fit", table, "--law", "chinchilla_tied", *QUICK, "--json"]
    found = json.loads(shell(*words, "--fix", "E=1.8", "--free", "beta").stdout)
    constants = {k["name"]: k for k in found["constants"]}
    assert (constants["E"]["value"], constants["E"]["status"]) == (1.8, "fixed")
    assert constants["beta"]["status"] == "estimated"
    assert constants["beta"]["value"] != constants["alpha"]["value"]


def test_profiles_follow_the_report(shell, table: Path) -> None:
    words = ["fit", table, "--law", "chinchilla", "--fix", "E=1.8", *QUICK, "--profile", "alpha"]
    assert "\nProfile likelihood, 90% intervals\n" in shell(*words).stdout
    found = json.loads(shell(*words, "--json").stdout)
    (profile,) = found["profiles"]
    alpha = next(k["value"] for k in found["constants"] if k["name"] == "alpha")
    assert profile["low"] < alpha < profile["high"]


def test_two_sources_with_a_base_each(shell, two_sources: Path) -> None:
    words = [
        "fit",
        two_sources,
        "--law",
        "frantar2025",
        "--per",
        "source",
        *QUICK,
        "-o",
        "fit.json",
    ]
    assert shell(*words).exit_code == 0
    ask = [
        "predict",
        "fit.json",
        "--params",
        "100M",
        "--tokens",
        "2B",
        "--precision",
        "w4",
        "--json",
    ]
    mine, other = (
        json.loads(shell(*ask, "--group", name).stdout)["points"][0] for name in ("mine", "other")
    )
    assert other["loss"] - mine["loss"] == pytest.approx(0.2, abs=0.05)
    assert shell(*ask).exit_code == 1


def test_compare_ranks_and_saves(shell, table: Path, saved_comparison: Path) -> None:
    found = il.load(saved_comparison)
    assert [entry.fit.law.name for entry in found.entries] == ["frantar2025", "chinchilla"]
    words = [
        "compare",
        table,
        "--law",
        "chinchilla",
        "--law",
        "frantar2025",
        *QUICK,
        "--holdout",
        "largest",
    ]
    result = shell(*words, "--json")
    ranking = json.loads(result.stdout)
    assert [each["law"] for each in ranking["laws"]] == ["frantar2025", "chinchilla"]
    assert sum(each["weight"] for each in ranking["laws"]) == pytest.approx(1)
    assert ranking["rules"] == ["largest"]
    assert shell(*words).stdout.startswith("2 laws on 48 runs, ranked by held-out error\n")


def test_a_law_predicts_every_combination(shell) -> None:
    def loss(n: float, d: float) -> float:
        k = il.laws.preset("epoch2024").values
        return k["E"] + k["A"] / n ** k["alpha"] + k["B"] / d ** k["beta"]

    result = shell(
        "predict", "epoch2024", "--params", "1B,7B", "--tokens", "20B", "--tokens", "140B"
    )
    lines = result.stdout.splitlines()
    assert lines[:3] == [
        "Loss predicted by epoch2024",
        "  nats per token",
        "  params  tokens  precision    loss        low       high",
    ]
    expected = [
        ("1B", "20B", 1e9, 2e10),
        ("1B", "140B", 1e9, 1.4e11),
        ("7B", "20B", 7e9, 2e10),
        ("7B", "140B", 7e9, 1.4e11),
    ]
    assert [line.split() for line in lines[3:7]] == [
        [n, d, "fp", f"{loss(x, y):.4f}", *("point", "law") * 2] for n, d, x, y in expected
    ]
    assert "no interval: " in result.stdout


@pytest.mark.parametrize("saved", ["saved_fit", "saved_comparison"])
def test_a_saved_result_predicts_with_intervals(
    saved: str, shell, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(saved)
    ask = ["predict", path, "--params", "100M", "--tokens", "2B", "--precision", "w4, bf16"]
    found = json.loads(shell(*ask, "--json").stdout)
    assert (found["level"], found["of"], found["units"]["low"]) == (0.9, "run", "nats/token")
    assert [point["precision"] for point in found["points"]] == ["w4", "bf16"]
    assert all(point["low"] < point["loss"] < point["high"] for point in found["points"])
    narrow = json.loads(shell(*ask, "--level", "0.5", "--of", "mean", "--json").stdout)
    wide = [[point["high"] - point["low"] for point in each["points"]] for each in (narrow, found)]
    assert all(a < b for a, b in zip(*wide, strict=True))
    text = shell(*ask).stdout
    assert "low to high is the 90% interval of a new run" in text
    assert f"{found['points'][0]['loss']:.4f}" in text


def test_sparsity_is_part_of_what_is_asked(shell, saved_fit: Path) -> None:
    ask = ["predict", saved_fit, "--params", "100M", "--tokens", "2B", "--precision", "w4"]
    assert shell(*ask).exit_code == 0
    result = shell(*ask, "--sparsity", "2:4")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(
        "error: precision 'w4 2:4' gives no factor: the law has an entry 'eff' for "
    )


def test_figures_of_everything(shell, table: Path, saved_fit: Path, saved_comparison: Path) -> None:
    things = [
        [table],
        [saved_fit],
        [saved_fit, "--kind", "curves"],
        [saved_comparison],
        ["kumar2024"],
    ]
    things.append(["quest2025", "--as", "law"])
    for index, words in enumerate(things):
        result = shell("plot", *words, "-o", f"{index}.svg")
        assert (result.exit_code, result.stdout, result.stderr) == (0, "", f"drew {index}.svg\n")
        assert "<svg" in Path(f"{index}.svg").read_text(encoding="utf-8")


def test_a_fit_is_drawn_on_the_way(shell, table: Path) -> None:
    result = shell(
        "fit", table, "--law", "chinchilla", *QUICK, "-o", "fit.json", "--plot", "fit.png"
    )
    assert (result.exit_code, result.stderr) == (0, "saved fit.json\ndrew fit.png\n")
    assert Path("fit.png").read_bytes()[:4] == b"\x89PNG"
    again = shell("fit", table, "--law", "chinchilla", *QUICK, "-o", "fit.json", "--force")
    assert again.exit_code == 0


def test_a_table_that_is_json_is_no_saved_result(shell, table: Path) -> None:
    il.read(table).save("runs.json")
    assert shell("plot", "runs.json", "-o", "runs.svg").exit_code == 0
    assert shell("predict", "runs.json", "--params", "1M", "--tokens", "1M").exit_code == 1


@pytest.mark.skipif(not os.environ.get("ISOLOSS_DATA"), reason="ISOLOSS_DATA names no folder")
def test_the_first_command_of_a_new_user(shell) -> None:
    result = shell("fit", "quest2025", "--law", "kumar2024", "--draws", "10", "--starts", "4")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("kumar2024: ")
    assert "  104 runs of quest2025\n" in result.stdout


def test_formats_are_listed_with_bits_range_and_error(shell) -> None:
    lines = shell("formats").stdout.splitlines()
    assert lines[0] == f"{len(il.formats.catalogue())} formats"
    row = next(line.split() for line in lines if line.split()[0] == "mxfp4")
    assert row == ["mxfp4", "4", "4.25", "15", "6", "0.5", "0.01322", "3.885"]


def test_formats_of_a_group_show_the_error_of_its_own_scale(shell) -> None:
    found = json.loads(
        shell("formats", "int4/128", "e4m3", "uint4/64", "vec(0.01)", "--json").stdout
    )["formats"]
    assert [each["name"] for each in found] == ["int4/128", "e4m3", "uint4/64", "vec(0.01)"]
    assert found[0]["absmax_error"] == pytest.approx(il.formats.relative_error("int4", block=128))
    assert [each["absmax_error"] is None for each in found] == [False, True, True, True]
    assert (found[3]["bits"], found[3]["error"]) == (None, 0.01)


def test_a_grid_too_large_to_list_has_its_row_all_the_same(shell) -> None:
    result = shell("formats", "int32/16", "int24", "--block", "16")
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 6)


def test_formats_under_another_distribution(shell) -> None:
    found = json.loads(
        shell("formats", "int4", "--distribution", "laplace", "--block", "64", "--json").stdout
    )
    assert found["formats"][0]["error"] == pytest.approx(
        il.formats.relative_error("int4", "laplace")
    )
    assert found["formats"][0]["absmax_error"] == pytest.approx(
        il.formats.relative_error("int4", "laplace", 64)
    )


def test_an_unknown_format_is_one_sentence(shell) -> None:
    result = shell("formats", "int4", "e4m")
    assert (result.exit_code, result.stderr) == (
        1,
        "error: unknown format 'e4m'; did you mean 'e4m3'?\n",
    )


def test_a_simulated_grid_is_printed_and_kept(shell, tmp_path: Path) -> None:
    path = tmp_path / "risk.csv"
    result = shell(
        "simulate",
        "--dim",
        "200",
        "--samples",
        "100,1000",
        "--step-size",
        "0.1",
        "--precision",
        "fp,d:int6",
        "-o",
        str(path),
    )
    assert result.exit_code == 0
    row = next(
        line.split() for line in result.stdout.splitlines() if line.split()[:2] == ["200", "100"]
    )
    assert row == ["200", "100", "1", "0.1", "fp", "0.1668", "0.1527", "0.01407", "0", "exact"]
    assert len(il.read(path)) == 4


def test_features_rounded_in_use_are_told_apart_and_never_in_nats(shell, tmp_path: Path) -> None:
    path = tmp_path / "used.csv"
    words = ("simulate", "--dim", "20", "--samples", "100,1000", "--step-size", "0.1")
    words += ("--precision", "fp,d:add(0.1)")
    assert shell(*words, "--inputs", "quantised").stderr == (
        "error: inputs 'quantised' is now 'in use', whose value holds the floor; what it was is "
        "parts.quantised_norm\n"
    )
    text = shell(*words, "--inputs", "in use", "-o", str(path)).stdout
    assert "excess risk, average iterate, features rounded in use" in text
    assert "floor  quantised norm  how" in text
    gaps = json.loads(shell("gaps", str(path), "--json").stdout)
    assert gaps["units"] == {"gaps": "excess risk"}
    runs = shell("runs", str(path)).stdout
    assert "loss" in runs
    assert "nats" not in runs


def test_an_unstable_step_is_said_beside_the_others(shell) -> None:
    text = shell("simulate", "--steps", "100", "--step-size", "0.1,5").stdout
    assert "the step size 5 is unstable; the limit for this problem" in text
    assert text.count("diverged") == 1


def test_studies_are_listed_and_answered(shell, tmp_path: Path) -> None:
    assert [
        name
        for name in il.linear.STUDIES
        if name not in shell("simulate", "--study", "list").stdout
    ] == []
    picture = tmp_path / "batch.svg"
    result = shell("simulate", "--study", "batch", "--plot", str(picture))
    assert "additive, labels: slope -1.00 from batch 64 to 1024" in result.stdout
    assert picture.read_text().startswith("<?xml")
    found = json.loads(shell("simulate", "--study", "samples", "--json").stdout)
    assert found["name"] == "samples"
    assert len(found["table"]) == 104


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "say how long it descends: --samples 1e3,1e6 or --steps 1000"),
        (("--samples", "x"), "samples is 'x'; accepted is a whole number of at least 1"),
        (("--samples", "10", "--precision", "kv4"),
         "linear regression has no part 'kv', as in precision 'kv4'; parts are d l w a g"),
        (("--study", "bach"),
         "unknown study 'bach'; did you mean 'batch'? accepted are samples, dims, batch, "
         "dimension, spectrum, sketch, divergence, integers, elementwise, momentum, biased, "
         "passes, bounds, network-spectrum, network-batch, network-dimension, network-floor, "
         "network-width"),
        (("--samples", "10", "--sketch", "200"),
         "a sketch of 200 rows is larger than dim 100; accepted is 1 to 100"),
        (("--samples", "10", "--noise-var", "-1"), None),
        (("--samples", "10", "--step-size", "9"),
         "the step size 9 is unstable; the limit for this problem, batch, momentum and precision "
         "is 0.611809"),
    ],
)  # fmt: skip
def test_what_simulate_refuses(shell, words: tuple[str, ...], message: str | None) -> None:
    result = shell("simulate", *words)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert len(result.stderr.splitlines()) == 1
    assert message is None or result.stderr == f"error: {message}\n"
