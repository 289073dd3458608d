"""``isoloss plan``: its report, its JSON, and one sentence for each budget that cannot be."""

import json
from dataclasses import replace

import pytest

import isoloss as il
from isoloss.cli.output.plans_data import of_serving

INSIDE = (
    "plan",
    "kumar2024",
    "--train",
    "1e18flop",
    "--hardware",
    "linear-bits",
    "--precision",
    "w7 a7 kv7,bf16",
)


def test_the_report_names_the_best(shell) -> None:
    text = shell(*INSIDE).stdout
    assert "169M params on 2.25B tokens in 'int7', loss 3.5852" in text
    assert "What each law alone would do" in text


def test_json_holds_the_choices(shell) -> None:
    found = json.loads(shell(*INSIDE, "--json").stdout)
    assert (found["type"], found["choices"][0]["precision"], found["withheld"]) == (
        "plan",
        "int7",
        None,
    )
    assert found["choices"][0]["spent_share"]["train"] == pytest.approx(1, abs=1e-9)


def test_a_plan_is_kept_and_is_no_law(shell, tmp_path) -> None:
    path = tmp_path / "plan.json"
    assert shell(*INSIDE, "-o", str(path)).stderr.endswith("plan.json\n")
    assert il.load(path).best.precision == "int7"
    assert "exists; give another name or --force" in shell(*INSIDE, "-o", str(path)).stderr
    refused = shell("predict", str(path), "--params", "1B", "--tokens", "20B")
    assert "holds a plan; give a fit, a comparison or a law" in refused.stderr


def test_a_plan_is_drawn_at_once_or_from_its_file(shell, tmp_path) -> None:
    kept, drawn, later = (tmp_path / name for name in ("plan.json", "plan.svg", "laws.svg"))
    result = shell(*INSIDE, "-o", str(kept), "--plot", str(drawn))
    assert result.stderr == f"saved {kept}\ndrew {drawn}\n"
    assert drawn.read_text() == il.plot(il.load(kept))._repr_svg_()
    assert shell("plot", str(kept), "--kind", "laws", "-o", str(later)).exit_code == 0
    assert later.is_file()
    lacking = shell("plot", str(kept), "--kind", "tokens", "-o", str(later), "--force")
    assert lacking.exit_code == 1
    assert "no precision of this plan is rounded after training" in lacking.stderr


def test_published_laws_side_by_side_withhold_one_answer(shell) -> None:
    text = shell("plan", "published", "--train", "1e23flop", "--hardware", "h100").stdout
    assert "recommendation withheld: " in text
    assert "no one size: laws of weight would train " in text
    assert "--extrapolate" not in text  # it does not make laws agree
    assert [
        name for name in ("hoffmann2022", "epoch2024", "sun2025", "chen2025") if name not in text
    ] == []


def test_a_budget_in_a_sentence_says_what_was_understood(shell) -> None:
    said = ("--train", "64 h100 for 30 days at 2.5 EUR/h", "--precision", "bf16", "--draws", "10")
    text = shell("plan", "kumar2024", *said).stdout
    assert "budget: 720 hours on 64 h100 (115,200 EUR at 2.5 EUR a device hour)" in text
    assert "hardware: h100:" in text
    data = json.loads(shell("plan", "kumar2024", *said, "--json").stdout)
    assert (data["currency"], data["devices"], data["units"]["money"]) == ("EUR", 64, "EUR")
    assert data["choices"][0]["money"] == pytest.approx(115_200)
    assert data["choices"][0]["wall_hours"] == pytest.approx(720)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--train", "1e18", "--hardware", "h101"), "unknown machine 'h101'; did you mean 'h100'"),
        (
            ("--train", "a lot", "--hardware", "h100"),
            "cannot read 'a lot' as train; write it like 1e21 flop",
        ),
        (("--money", "1MUSD", "--hardware", "h100"), "money needs the price of a device hour"),
        (
            ("--money", "1MUSD at 2 EUR/h", "--hardware", "h100"),
            "money is in USD and the price of a device hour in EUR",
        ),
        (("--train", "1e18"), "or the name of a machine, as 'h100' (--hardware h100), or name it"),
        (
            ("--train", "64 h100 for 30 days", "--hardware", "a100"),
            "the budget names h100 and hardware is a100; give one machine",
        ),
        (
            ("--train", "1e18", "--hardware", "h100", "--precision", "w3 a3"),
            "holds only above 3.11 bits",
        ),
        (("--memory", "16GB", "--hardware", "h100"), "nothing limits tokens"),
    ],
)
def test_a_budget_that_cannot_be_is_one_sentence(words, said, shell) -> None:
    result = shell("plan", "kumar2024", *words)
    assert result.exit_code == 1
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_model_is_served_by_its_shape(shell, tmp_path) -> None:
    use = ("plan", "published", "--tokens", "15T", "--serve", "w4/128", "--hardware", "h100")
    named = shell(*use, "--like", "llama3-8b", "--context", "8192").stdout
    assert "6.774 GB" in named
    assert "memory and speed of 32 layers of width 4096" in named
    words = "layers=32,width=4096,heads=32,kv_heads=8,ffn=14336,vocab=128256"
    assert shell(*use, "--decoder", words, "--context", "8192").stdout == named
    both = shell(*use, "--decoder", words, "--like", "gpt2").stderr
    assert "--like and --decoder both give a shape; give one of them" in both
    assert "give words of a shape as --decoder" in shell(*use, "--like", words).stderr
    assert "give a name or a file as --like" in shell(*use, "--decoder", "gpt2").stderr
    sparse = shell(*use, "--like", "deepseek-v3").stdout
    assert "Serving 35.7B active of 671B params" in sparse
    assert "mixture of experts: laws take the 35.7B params that one token uses for N" in sparse
    told = shell(*use, "--params", "671B active 37B").stdout
    assert "671B params, 37B active; keys and values of a dense model of these" in told


FP8 = ("plan", "sun2025", "--train", "64 h100 for 30 days", "--precision", "bf16,e4m3 g:e5m2")


def test_the_fp8_question_prints_from_where_it_pays(shell) -> None:
    text = shell(*FP8).stdout
    assert "From which speed-up on they pay against bf16" in text
    assert "at least 1.01x" in text
    assert "published runs" in text
    found = json.loads(shell(*FP8, "--json").stdout)["break_evens"]
    assert [round(each["speed_up"], 2) for each in found] == [1.01]
    assert (found[0]["standing"], found[0]["figures"]) == ("at least", 13)


def test_shares_of_peaks_are_taken_as_exact_and_a_measured_table_comes_first(
    shell, tmp_path
) -> None:
    text = shell(*FP8, "--mfu", "bf16=.4,fp8=.25").stdout
    assert "throughput: bf16 peak x MFU 0.4; fp8 peak x MFU 0.25, taken as exact" in text
    assert "1.25x (given)" in text
    table = tmp_path / "rates.csv"
    table.write_text("precision,flop_per_s\nbf16,3e14\ne4m3 g:e5m2,3.3e14\n")
    told = shell(*FP8, "--mfu", "0.35", "--throughput", str(table)).stdout
    assert "throughput: measured, taken as exact" in told
    assert "1.10x (measured)" in told
    assert "measured rates of" not in told
    assert "a share of 0.35 of the peak in bf16 is not used: its rate is measured, 0.3" in told
    table.write_text("precision,flop_per_s\nbf16,3e14\nfp8,3.3e14\n")
    other = shell(*FP8, "--throughput", str(table)).stdout
    assert "measured rates of 'e4m3' are not used, and 'w:e4m3 a:e4m3 kv:e4m3 g:e5m2' has" in other
    refused = shell(*FP8, "--mfu", "fast")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "cannot read mfu 'fast'; write one share of the peak, as 0.4" in refused.stderr


def test_the_memory_of_training_is_counted_as_said(shell) -> None:
    month = ("plan", "kumar2024", "--train", "64 h100 for 100 years", "--precision", "bf16")
    usual = shell(*month).stdout
    assert "training memory: 80 of 80 GB on each of 64 h100 (at least: 16 bytes a param" in usual
    assert "hours, training memory" in usual
    words = "sequences=1,context=8192,recomputed=blocks"
    counted = shell(*month, "--training-memory", words).stdout
    assert "activations of 1 x 8192 tokens a device, blocks recomputed" in counted
    free = shell(*month, "--training-memory", "off").stdout
    assert "training memory" not in free
    assert "would hold it" in free
    assert "has 'moment=int8'" in shell(*month, "--training-memory", "moment=int8").stderr


def names_of_numbers(value, name="", found=None) -> set[str]:
    """The names under which numbers stand, those of an inner mapping of names under its own."""
    found = set() if found is None else found
    if isinstance(value, dict):
        for key, each in value.items():
            names_of_numbers(each, name if name in MAPPINGS else key, found)
    elif isinstance(value, list):
        for each in value:
            names_of_numbers(each, "" if isinstance(each, dict) else name, found)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        found.add(name)
    return found


MAPPINGS = ("spent_share", "by_law", "outside")
ASKED = ("--precision", "bf16,int8,e4m3", "--unique", "40B", "--draws", "20")
SERVED = ("--serve", "w4,w3", "--context", "8192", "--batch", "4", "--hardware", "h100")


@pytest.mark.parametrize(
    "words",
    [
        ("published", "--train", "64 h100 for 30 days at 2 EUR/h", *ASKED),
        ("kumar2024", "--params", "671B active 37B", "--tokens", "15T", "--hardware", "h100"),
        ("kumar2024", "--train", "64 b200 for 9 days", "--precision", "bf16,int8"),
        ("kumar2024", "--params", "671B active 37B", "--tokens", "15T", *SERVED),
    ],
)
def test_every_number_in_json_has_a_unit(shell, words: tuple[str, ...]) -> None:
    found = json.loads(shell("plan", *words, "--json").stdout)
    assert names_of_numbers({**found, "units": {}}) - set(found["units"]) == set()


def test_json_tells_as_read_from_unknown_and_never_from_both(shell) -> None:
    asked = ("--train", "64 h100 for 30 days", "--json", "--precision")
    found = json.loads(shell("plan", "kumar2024", *asked, "bf16,e4m3").stdout)
    (read,) = found["break_evens"]
    assert (read["standing"], read["by_law"][0]["standing"]) == ("as read", "as read")
    assert read["speed_up"] == pytest.approx(1.2, abs=0.01)
    other = found["choices"][1]
    assert (other["standing"], other["loss"], other["binding"]) == ("unknown", None, None)
    never = json.loads(shell("plan", "sun2025", *asked, "bf16,w:e1m1 a:e1m1").stdout)
    assert [each["speed_up"] for each in never["break_evens"]] == ["never"]
    budget = il.Budget(params="1B", tokens="20B")
    ways = il.plans.rank_serving("kumar2024", budget, "memory-bits", ["w4"])
    ways = replace(ways, choices=(replace(ways.choices[0], critical=(1e11, float("inf"))),))
    (way,) = of_serving(ways)["choices"]
    assert (way["critical"], way["speed"]) == ([1e11, "never"], "unlimited")


def test_help_names_mixtures_among_the_shapes(shell) -> None:
    said = " ".join(shell("plan", "--help").stdout.replace("│", " ").split())
    assert [name for name in il.runs.SHAPES if f"{name}," not in said.replace(")", ",")] == []
    assert "gradients with g, as 'fp8 g:e5m2'" in said


def test_a_law_that_is_named_twice_is_no_agreement(shell):
    asked = ("plan", "kumar2024,kumar2024", "--train", "1e21flop", "--hardware", "h100")
    told = shell(*asked)
    assert told.exit_code != 0
    assert "the laws hold 'kumar2024' twice; give each once" in told.stderr
