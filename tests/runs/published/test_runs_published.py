"""The public tables against their raw files, read here with nothing but json and csv."""

import csv
import json
from collections import Counter

import numpy as np
import pytest

from isoloss.runs import TABLES, Runs, RunsError, read

ROWS = {
    "quest2025": (104, 0),
    "hoffmann2022": (245, 5),
    "gadre2024_c4": (34, 0),
    "gadre2024_redpajama": (35, 0),
    "gemstones2025_dclm": (770, 1),
    "gemstones2025_fineweb_edu": (770, 1),
    "fp4_llama8b": (58, 10),
}


@pytest.fixture
def quest(data_folder):
    raw = json.loads((data_folder / "quest_runs" / "runs_for_scaling.json").read_text())
    return raw, read("quest2025")


@pytest.mark.parametrize("name", ROWS)
def test_every_table_has_its_rows_and_says_whose_they_are(data_folder, name):
    table = read(name)
    assert (len(table), len(table.excluded)) == ROWS[name]
    assert set(table["source"]) == {name}
    assert table.licence == {name: "MIT"}
    assert "arXiv" in table.citation[name] or name == "fp4_llama8b"
    assert len(table.provenance[name].commit) == 40
    assert f"{name}: " in str(TABLES[name])
    assert len(table.usable.precisions) == len(table.usable)
    assert np.isfinite(table.usable["loss"]).all()


def test_the_registry_lists_every_table_with_its_files():
    counts = {name: len(table.listed()) for name, table in TABLES.items() if not table.bundled}
    assert counts.pop("gptq_llama2023") == 1  # which no folder has; its parser is tested apart
    assert counts == dict(zip(ROWS, (1, 1, 34, 35, 22, 22, 2), strict=True))
    files = [file for table in TABLES.values() for file in table.listed()]
    assert len({file.sha256 for file in files}) == len(files)
    assert {len(file.sha256) for file in files} == {64}


def test_quest_has_sixteen_levels_beside_bf16(quest):
    _, table = quest
    levels = Counter(zip(table["precision"], table["sparsity"], strict=True))
    wanted = {
        ("bf16", None): 6,
        ("w1+had@quest a1+had@quest", None): 6,
        ("w2+had@quest a2+had@quest", None): 12,
        ("w3+had@quest a3+had@quest", None): 13,
        ("w4+had@quest a4+had@quest", None): 14,
        ("w8+had@quest a8+had@quest", None): 3,
        ("w4+had@quest a4+had@quest", "2:4"): 6,
        ("w:e2m1+had@quest a:e2m1+had@quest", None): 4,
        ("w1@quest a1@quest", None): 5,
        ("w2@quest a2@quest", None): 4,
        ("w3@quest a3@quest", None): 5,
        ("w4@quest a4@quest", None): 6,
        ("w8@quest a8@quest", None): 4,
    }
    wanted |= {(f"w{bits}+had@quest", None): 4 for bits in (1, 2, 3, 4)}
    assert levels == wanted
    assert len(levels) == 17


def test_quest_rows_are_the_raw_ones(quest):
    raw, table = quest
    assert table["params"].tolist() == [row["non_embedding_parameters"] for row in raw]
    assert table["tokens"].tolist() == [row["tokens"] for row in raw]
    assert table["loss"].tolist() == [row["loss"] for row in raw]
    assert table["lr_peak"].tolist() == [row["args"]["lr"] for row in raw]
    assert set(table["batch_tokens"]) == {512 * 512}
    assert set(table["params_kind"]) == {"non_embedding"}
    named = [name.split()[0] for name in table["quantiser"]]
    assert named == [row["w_quant"] for row in raw]


def test_quest_traps_are_read_from_the_quantiser_and_not_from_the_bits(quest):
    raw, table = quest
    for row, precision, sparsity in zip(raw, table.precisions, table["sparsity"], strict=True):
        if "FP4" in row["w_quant"]:
            assert row["w_bits"] == 16
            assert precision.bits("w") == precision.bits("a") == 4
            assert precision.format("w").exponent == 2
        elif row["w_quant"] != "NoQuantizer":
            assert precision.bits("w") == row["w_bits"]
            assert precision.bits("a") == (
                None if row["a_quant"] == "NoQuantizer" else row["a_bits"]
            )
        assert (sparsity == "2:4") == ("FourEight" in row["w_quant"])


def test_hoffmann_tokens_come_from_flops_and_outliers_are_left_out(data_folder):
    lines = (data_folder / "hoffmann_svg" / "svg_extracted_data.csv").read_text().splitlines()
    raw = list(csv.DictReader(lines))
    table = read("hoffmann2022")
    tokens = [float(row["Training FLOP"]) / 6 / float(row["Model Size"]) for row in raw]
    np.testing.assert_allclose(table["tokens"], tokens, rtol=1e-12)
    worst = sorted((float(row["loss"]) for row in raw), reverse=True)[:5]
    assert sorted(table.excluded["loss"], reverse=True) == worst
    assert set(table.excluded["reason"]) == {
        "one of the 5 highest losses, below 0.41 tokens per param, that the replication leaves out"
    }
    ratio = table["tokens"] / table["params"]
    assert set(np.argsort(ratio)[:5]) == set(np.flatnonzero(table["status"] != "ok"))
    assert table["flop_rule"][0] == "tokens derived from flops by 6ND"


def raw_gadre(folder, start, shards):
    files = sorted((folder / "gadre_overtraining" / "models").glob(f"{start}-*.json"))
    for content in map(json.loads, (file.read_text() for file in files)):
        (loss,) = (
            result["loss"]
            for result in content["results"]
            if f"/{shards}/" in str(result["val_data"])
        )
        yield (
            content["name"],
            (content["hyperparameters"]["params"], content["hyperparameters"]["tokens"], loss),
        )


@pytest.mark.parametrize(
    ("name", "start"), [("gadre2024_c4", "c4_original"), ("gadre2024_redpajama", "rpj")]
)
@pytest.mark.parametrize("eval_set", ["c4_val", "openlm", "paloma_ptb"])
def test_gadre_losses_are_those_of_one_evaluation_set(data_folder, name, start, eval_set):
    table = read(name) if eval_set == "c4_val" else read(name, eval_set=eval_set)
    rows = zip(
        table["group"],
        zip(table["params"], table["tokens"], table["loss"], strict=True),
        strict=True,
    )
    assert dict(rows) == dict(raw_gadre(data_folder, start, eval_set))
    assert set(table["eval_set"]) == {eval_set}


def test_gadre_params_are_the_total_that_its_token_multiples_use(data_folder):
    table = read("gadre2024_c4")
    multiple = [float(name.rsplit("-", 1)[1]) for name in table["group"]]
    np.testing.assert_allclose(table["tokens"] / table["params"], 20 * np.array(multiple))
    # One vocabulary of 50432 vectors: the input embedding; the head is not in it.
    assert (table["params_embedding"] % 50432 == 0).all()
    assert set(table["params_kind"]) == {"total"}
    # The 6.9B run says a batch of one sequence; that is taken as unknown.
    assert np.isnan(table.where(params=(2e9, None))["batch_tokens"]).all()


def test_gadre_says_which_sets_there_are(data_folder):
    with pytest.raises(
        RunsError,
        match=r"no evaluation on 'pile'; its sets are c4_val, de-en, openlm, paloma_c4_en",
    ):
        read("gadre2024_c4", eval_set="pile")


@pytest.mark.parametrize("corpus", ["dclm", "fineweb_edu"])
def test_gemstones_are_22_trajectories_of_35_checkpoints(data_folder, corpus):
    table = read(f"gemstones2025_{corpus}")
    assert Counter(Counter(table["group"]).values()) == {35: 22}
    for name, part in table.split("group").items():
        raw = json.loads(
            (data_folder / "gemstones" / f"{corpus}_losses" / f"{name}.json").read_text()
        )
        steps = (part["tokens"] / 2048**2).astype(int)
        named = ["main" if step == 83475 else f"step_{step:08d}" for step in steps]
        assert part["loss"].tolist() == [raw[checkpoint] for checkpoint in named]
        width, depth = map(int, name.removeprefix("Gemstone-").split("x"))
        assert set(part["params"]) == {12 * width**2 * depth}
    assert set(table["schedule"]) == {"constant"}


@pytest.mark.parametrize("corpus", ["dclm", "fineweb_edu"])
def test_the_gemstone_off_its_curve_is_left_out_for_a_reason_that_holds(data_folder, corpus):
    table = read(f"gemstones2025_{corpus}")
    assert table.excluded["group"].tolist() == ["Gemstone-1024x28"]
    assert table.excluded["tokens"].tolist() == [28620 * 2048**2]
    bends = []
    for part in table.split("group").values():
        x, y = np.log(part["tokens"]), np.log(part["loss"])
        between = y[:-2] + (y[2:] - y[:-2]) * (x[1:-1] - x[:-2]) / (x[2:] - x[:-2])
        bends += list(zip(y[1:-1] - between, part["status"][1:-1], strict=True))
    ((worst, status), *_) = sorted(bends, key=lambda bend: -abs(bend[0]))
    assert status == "excluded"
    assert 0.02 < worst < 0.025
    assert worst > 10 * np.std([bend for bend, _ in bends])


def test_documented_exclusions_are_no_error_under_strict(data_folder):
    assert len(read("hoffmann2022", strict=True).excluded) == 5


def test_public_tables_add_up(data_folder):
    both = read(["quest2025", "hoffmann2022"])
    assert {name: len(part) for name, part in both.split().items()} == {
        "quest2025": 104,
        "hoffmann2022": 245,
    }
    assert set(both.licence) == {"quest2025", "hoffmann2022"}
    assert isinstance(both.usable, Runs)


def test_a_file_joins_a_public_table_with_its_own_columns(data_folder, tmp_path):
    (tmp_path / "mine.csv").write_text("N,tokens,bits,loss\n1M,20M,4,4\n")
    both = read([tmp_path / "mine.csv", "quest2025"], columns={"params": "N"}, precision="w{bits}")
    assert both["source"].tolist()[:2] == ["mine.csv", "quest2025"]
    assert len(both) == 105


def test_a_public_table_takes_constants_but_no_columns(data_folder):
    assert set(read("quest2025", kernels="simulated")["kernels"]) == {"simulated"}
    with pytest.raises(
        RunsError, match="'quest2025' is a public table; columns, precision, perplexity, last and"
    ):
        read("quest2025", columns={"loss": "bops"})
    with pytest.raises(
        RunsError, match="quest2025 says corpus is 'c4' where corpus='pile' is given"
    ):
        read("quest2025", corpus="pile")
    with pytest.raises(
        RunsError, match="quest2025 says eval_set is 'c4_val' where eval_set='openlm'"
    ):
        read("quest2025", eval_set="openlm")


def test_the_bundled_table_says_that_it_is_simulated():
    table = read("simulated2024")
    assert len(table.usable) == 465
    assert len(set(zip(table["params"], table["tokens"], strict=True))) == 18
    assert "SIMULATED" in TABLES["simulated2024"].summary
    assert "simulated" in table.citation["simulated2024"]


#: Gaps to BF16 at the last common step, in nats, and speeds over it, computed from the ledgers.
FP4 = {
    "te_native": (0.0103, 1.468), "te_fol4": (0.0073, 1.439), "pure_v5": (0.0319, 1.727),
    "localcta": (0.0301, 1.767), "localcta_h16": (0.0436, 1.695),
    "localcta_mxfp4_hybrid": (0.1079, 1.761), "mxfp4": (0.1629, 2.013),
    "mxfp4_h32": (-0.0074, 1.980), "operand_h16": (0.0400, 1.849), "operand_h32": (0.0336, 1.865),
}  # fmt: skip


def test_fp4_recipes_have_their_gaps_and_speeds(data_folder):
    frame = read("fp4_llama8b").usable.frame()
    last = frame.filter(frame["step"] == 38000)
    base = last.filter(last["group"] == "bf16")["loss"][0]
    found = {
        row["group"]: (round(row["loss"] - base, 4), round(row["speed_over_bf16"], 3))
        for row in last.iter_rows(named=True)
        if row["group"] != "bf16"
    }
    assert found == FP4
    assert set(last["tokens"]) == {38000 * 4_194_304}
    assert last.filter(last["group"] == "te_native")["precision"].to_list() == [
        "w:nvfp4@te a:nvfp4@te g:nvfp4+had~sr@te"
    ]
    assert frame["step"].min() == 3000
