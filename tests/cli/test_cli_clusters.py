"""``isoloss train`` beyond one machine: shards and their join, engines by name, what is refused."""

import pytest

from isoloss.runs import Run, Store

TINY = ("train", "--params", "4k", "--tokens", "10k", "--precision", "fp,w4", "--workers", 1)


def test_shards_are_joined_to_the_table_of_the_whole(shell, tmp_path):
    for shard in ("1/2", "2/2"):
        assert shell(*TINY, "--shard", shard).exit_code == 0
    joined = shell("runs", "runs-1-of-2.db", "runs-2-of-2.db", "-o", "all.db")
    assert joined.exit_code == 0, joined.stderr
    assert "joined 2 stores: 2 rows as all.db" in joined.stderr
    assert "Tasks of all.db: 2 done" in joined.stdout
    assert "not among them" not in joined.stderr
    half = shell("runs", "runs-1-of-2.db", "-o", "half.sqlite")
    assert "these are not all parts of a sweep: 2-of-2 not among them" in half.stderr
    assert "joined 1 store: 1 row as half.sqlite" in half.stderr
    again = shell(*TINY, "--store", "all.db")
    assert "nothing to do: all 2 rows of 2 tasks are in all.db" in again.stderr
    dry = shell(*TINY, "--store", "all.db", "--seeds", 2, "--dry-run", "--price", 3)
    assert "money   " in dry.stdout
    assert ", without an interval: tasks done are 2, and it takes 3" in dry.stdout
    assert [path.name for path in sorted(tmp_path.glob("*.db"))] == [
        "all.db", "runs-1-of-2.db", "runs-2-of-2.db",
    ]  # fmt: skip


def test_a_dry_run_says_where_nobody_said_how_many_work(shell):
    some = TINY[: TINY.index("--workers")]
    assert "workers not said" in shell(*some, "--on", "ray", "--dry-run").stdout
    assert "workers not said" not in shell(*TINY, "--on", "ray", "--dry-run").stdout
    assert "workers not said" not in shell(*some, "--dry-run").stdout


def test_where_rows_cannot_be_sent_no_store_is_written(shell, tmp_path):
    for name in "ab":
        Store(f"{name}.db").add("t", Run(1e6, 2e7, "w4", 3.0, key=name))
    refused = shell("runs", "a.db", "b.db", "-o", "all.db", "--to", "nowhere:lab/sweep")
    assert refused.exit_code != 0
    assert "nowhere:lab/sweep" in refused.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.db", "b.db"]


def test_the_same_line_on_another_engine(shell, tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    done = shell(*TINY, "--on", "submitit-local", "--time", "10min", "--folder", str(tmp_path))
    assert done.exit_code == 0, done.stderr
    assert "runs.db: 2 rows of 2 tasks, 2 done now" in done.stderr
    whole = shell(*TINY, "--store", "whole.db")
    assert whole.exit_code == 0
    one, two = Store("runs.db").runs(), Store("whole.db").runs()
    assert one["loss"].tolist() == two["loss"].tolist()
    assert one["key"].tolist() == two["key"].tolist()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--on", "rya"), "error: unknown engine 'rya'; did you mean 'ray'"),
        (("--partition", "gpu"), "error: --partition is for workers elsewhere; name an engine"),
        (("--gpus-per-task", ".5"), "error: --gpus-per-task is for workers elsewhere; name an"),
        (("--on", "ray", "--time", "4h"), "error: the engine 'ray' knows no time ('4h')"),
        (
            ("--on", "ray", "--sbatch", "account=lab"),
            "'ray' knows no options of sbatch ('account')",
        ),
        (("--on", "slurm", "--gpus-per-task", ".5"), "error: gpus_per_task is 0.5 on Slurm"),
        (("--on", "slurm", "--sbatch", "account"), "'account' is no option with a value"),
        (("--shard", "3"), "error: shard is '3'; accepted is a number of a count, such as 3/16"),
        (("--price", "3"), "error: --price is for --dry-run, which trains nothing"),
        (("--on", "slurm", "--sbatch", "time=3"), "error: sbatch option 'time' is set by isoloss"),
        (("--shard", "3/9"), "error: shard is '3/9' and there are 2 tasks"),
    ],
)
def test_what_is_refused(words, message, shell, tmp_path):
    result = shell(*TINY, *words)
    assert result.exit_code != 0
    assert message in result.stderr.replace("│\n│ ", "")
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_store_takes_whole_stores(shell, table):
    result = shell("runs", table, "-o", "all.db")
    assert result.exit_code == 1
    assert "error: " in result.stderr
    result = shell("runs", table, "--where", "params=1M", "-o", "all.db")
    assert "'all.db' is a store, which takes whole stores" in result.stderr
