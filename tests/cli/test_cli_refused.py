"""Input that a command refuses: exit code 1 and one sentence on stderr, never a traceback."""

import errno
import json
from pathlib import Path

import pytest

from isoloss.cli.entry import VERBS
from isoloss.cli.manual import spread
from isoloss.cli.manual.unnamed import paths_of
from isoloss.cli.refusing import in_one_sentence, sentence

HEAD = "params,tokens,precision,loss\n"
FILES = {
    "empty.csv": "",
    "other_names.csv": "params,tokens,precision,val_loss\n1e7,1e9,bf16,3.1\n",
    "none_usable.csv": HEAD + "1e7,1e9,bf16,nan\n1e7,-5,bf16,3.1\n",
    "taken.json": "{}",
    "list.json": "[1, 2]",
    "newer.json": json.dumps({"isoloss": "9.0", "type": "fit", "schema": 99, "value": {}}),
    "two.csv": HEAD + "1e7,1e9,bf16,3.1\n2e7,1e9,w4,3.0\n",
}
FIT = ("--draws", "10", "--starts", "4")
ASK = ("--params", "100M", "--tokens", "2B")

REFUSED = {
    "unknown law": (
        ["fit", "{table}", "--law", "kumar2034"],
        "error: unknown law 'kumar2034'; did you mean 'kumar2024' or",
    ),
    "unknown table": (
        ["runs", "quest2052"],
        "neither a file nor a public table; did you mean 'quest2025'",
    ),
    "file not there": (["fit", "absent.csv"], "error: cannot read 'absent.csv': it is not there\n"),
    "missing column": (
        ["fit", "other_names.csv"],
        "has no column 'loss'; its columns are params, tokens, precision, val_loss; "
        "name it with --column loss=val_loss\n",
    ),
    "mixed sources": (
        ["fit", "{two_sources}", *FIT],
        "runs differ in source (mine, other), so one base cannot hold for all; fit them with "
        "--per source, ",
    ),
    "mixed sources, where no base is fitted": (
        ["gaps", "{two_sources}"],
        "so one base cannot hold for all; select some with --where source=...\n",
    ),
    "--where without value": (
        ["runs", "{table}", "--where", "source"],
        "error: cannot read --where 'source'; write it like source=mine, precision=bf16,w4 or "
        "params=10M..1B\n",
    ),
    "--where on no column": (
        ["runs", "{table}", "--where", "colour=red"],
        "have no column 'colour'",
    ),
    "--where with no number": (
        ["runs", "{table}", "--where", "params=big"],
        "cannot read 'big' as a number",
    ),
    "--where keeps none": (
        ["fit", "{table}", "--where", "params=1B..2B"],
        "error: --where params=1B..2B keeps none of the 48 runs\n",
    ),
    "output exists": (
        ["fit", "{table}", "-o", "taken.json"],
        "error: 'taken.json' exists; give another name or --force to replace it\n",
    ),
    "figure with another ending": (
        ["fit", "{table}", "--plot", "fit.jpeg"],
        "error: cannot write 'fit.jpeg': accepted endings are .svg, .png, .pdf\n",
    ),
    "no folder for the output": (
        ["runs", "{table}", "-o", "deep/down.csv"],
        "error: cannot write 'deep/down.csv': there is no folder 'deep'\n",
    ),
    "precision that is none": (["predict", "kumar2024", *ASK, "--precision", "w4 q"], "'w4 q'"),
    "law undefined at a3": (
        ["predict", "kumar2024", *ASK, "--precision", "w4 a3"],
        "precision 'w4 a3' gives a factor of",
    ),
    "no usable rows": (
        ["fit", "none_usable.csv"],
        "none of the 2 runs is usable; see 'isoloss runs --excluded'",
    ),
    "empty file": (
        ["fit", "empty.csv"],
        "error: empty.csv is empty; a table of runs needs a header and rows\n",
    ),
    "strict": (["runs", "none_usable.csv", "--strict"], "row 2"),
    "column named twice": (
        ["runs", "two.csv", "--set", "source=a", "--set", "source=b"],
        "error: --set gives source twice, 'a' and 'b'\n",
    ),
    "--set without value": (["runs", "two.csv", "--set", "source"], "cannot read --set 'source'"),
    "options of files for a public table": (
        ["runs", "simulated2024", "--column", "loss=val"],
        "'simulated2024' is a public table",
    ),
    "unknown constant": (
        ["fit", "{table}", "--free", "kapa"],
        "kumar2024 has no constant 'kapa'; did you mean 'kappa'",
    ),
    "fixed and free": (
        ["fit", "{table}", "--fix", "kappa=1", "--free", "kappa"],
        "error: constant 'kappa' cannot be both fixed and free\n",
    ),
    "fixed without a value": (["fit", "{table}", "--law", "chinchilla", "--fix", "E"], "'E'"),
    "--fix that is none": (["fit", "{table}", "--fix", "=3"], "error: cannot read --fix '=3'"),
    "unknown hold-out": (
        ["fit", "{table}", "--holdout", "smallest", *FIT],
        "unknown hold-out 'smallest'",
    ),
    "no such column to fit per": (
        ["fit", "{table}", "--per", "colour", *FIT],
        "no column 'colour'",
    ),
    "profile of no constant": (
        ["fit", "{table}", "--law", "chinchilla", *FIT, "--profile", "kappa"],
        "constant 'kappa' is not free in this fit",
    ),
    "law named twice": (
        ["compare", "{table}", "--law", "chinchilla,chinchilla"],
        "error: law 'chinchilla' is named twice; name each once\n",
    ),
    "nothing saved there": (["predict", "absent.json", *ASK], "there is no file 'absent.json'"),
    "not saved by isoloss": (
        ["predict", "list.json", *ASK],
        "'list.json' is not a ",
    ),
    "newer schema": (["predict", "newer.json", *ASK], "'newer.json' has schema 99"),
    "a folder": (["predict", ".", *ASK], "error: cannot read '.': it is a folder\n"),
    "count that is none": (
        ["predict", "epoch2024", "--params", "many", "--tokens", "2B"],
        "cannot read 'many' as a number",
    ),
    "count of zero": (["predict", "epoch2024", "--params", "0", "--tokens", "2B"], "params is 0"),
    "law without constants": (
        ["predict", "chinchilla", *ASK],
        "has no value for A, alpha, B, beta, E",
    ),
    "interval of a law": (
        ["predict", "epoch2024", *ASK, "--level", "0.5"],
        "error: --level 0.5 is for a saved fit or comparison; a law alone has no interval\n",
    ),
    "group of a law": (
        ["predict", "epoch2024", *ASK, "--group", "c4"],
        "are for a saved fit or comparison",
    ),
    "figure of nothing": (
        ["plot", "kumer2024", "-o", "x.svg"],
        "'kumer2024' is neither a file nor the name of a table, a law or a format; did you mean "
        "'kumar2024'",
    ),
    "figure of a name of two things": (
        ["plot", "quest2025", "-o", "x.svg"],
        "error: 'quest2025' is a table and a law; say --as runs or --as law\n",
    ),
    "unknown kind of figure": (
        ["plot", "kumar2024", "-o", "x.svg", "--kind", "pie"],
        "cannot plot kind 'pie' of a Law; kinds are ",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_sentence(case: str, shell, table: Path, two_sources: Path) -> None:
    for name, text in FILES.items():
        Path(name).write_text(text, encoding="utf-8")
    words, said = REFUSED[case]
    result = shell(
        *(
            word.format(table=table, two_sources=two_sources) if "{" in word else word
            for word in words
        )
    )
    problem = [line for line in result.stderr.splitlines() if not line.startswith("warning: ")]
    assert (result.exit_code, result.stdout, len(problem)) == (1, "", 1), result.output
    assert problem[0].startswith("error: ")
    assert said.strip("\n") in problem[0]
    if said.endswith("\n"):
        assert problem[0].endswith(said[-40:-1])


USAGE = {
    "no such command": ["fitt"],
    "no such option": ["laws", "--colour"],
    "no table": ["fit"],
    "no law to compare": ["compare", "x.csv"],
    "no output": ["plot", "kumar2024"],
    "unknown objective": ["fit", "x.csv", "--objective", "absolute"],
    "level above one": ["fit", "x.csv", "--level", "90"],
    "no draws": ["fit", "x.csv", "--draws", "0"],
    "reading without a table": ["runs", "--where", "source=a"],
    "empty value": ["predict", "kumar2024", "--params", "1M,,2M", "--tokens", "1B"],
}


@pytest.mark.parametrize("case", USAGE)
def test_wrong_usage_ends_with_2(case: str, shell) -> None:
    result = shell(*USAGE[case])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage: isoloss" in result.stderr


def test_an_existing_output_is_refused_before_the_work(
    shell, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "isoloss.cli.verbs.fit_verbs.read_tables", lambda *_: pytest.fail("the table was read")
    )
    Path("fit.svg").write_text("here")
    assert shell("fit", table, "--plot", "fit.svg").exit_code == 1
    assert Path("fit.svg").read_text() == "here"


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (ValueError("two\n  lines"), "two lines"),
        (
            FileNotFoundError(errno.ENOENT, "No such file", "a.csv"),
            "cannot use 'a.csv': No such file",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (
            "fit with per='corpus' or where(corpus=...)",
            "fit with --per corpus or --where corpus=...",
        ),
        (
            "'x' exists; say force=True (--force) to replace it",
            "'x' exists; say --force to replace it",
        ),
    ],
)
def test_sentences_speak_the_language_of_the_shell(problem: Exception | str, said: str) -> None:
    assert sentence(problem) == said


@pytest.mark.parametrize(
    "problem", [BrokenPipeError(errno.EPIPE, "gone"), KeyError("a defect"), TypeError("a defect")]
)
def test_what_is_no_fault_of_the_input_is_not_hidden(problem: Exception) -> None:
    def command() -> None:
        raise problem

    with pytest.raises(type(problem)):
        in_one_sentence(command)()


WRITING = [each.name for each in VERBS if "output" in paths_of(spread(each.run))]


@pytest.mark.parametrize("verb", WRITING)
def test_a_file_without_a_name_is_refused_by_every_verb(verb: str, shell, tmp_path: Path) -> None:
    """An empty name would be read as the folder here, before any other word is looked at."""
    for words in (["-o", ""], ["--output="]):
        result = shell(*verb.split(), *words)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == "error: -o is ''; accepted is the name of a file or folder\n"
    assert list(tmp_path.iterdir()) == []


def test_the_folder_here_is_a_name_and_other_words_may_be_empty(shell) -> None:
    assert len(WRITING) > 15
    assert "-o is" not in shell("reproduce", "kumar2024", "no claim", "-o", ".").stderr
    assert "-o is" not in shell("fit", "absent.csv", "--law=", "-o", "x.json").stderr
