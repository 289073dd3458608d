"""Text: every window once an epoch, pure batches, disjoint validation, round trips, the stored
tokens, refusals.
"""

import json
import pickle
import subprocess
import sys
import types
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoloss.lm import Corpus, Recipe, Text, TextError, TextWarning, train_one
from isoloss.lm.data.shuffling import shuffled
from isoloss.lm.data.text import _part
from isoloss.lm.data.text_files import documents, files_of
from isoloss.runs import Decoder

WORDS = ["the", "wind", "and", "a", "sea", "ship", "of", "old", "oak,", "which", "went", "where"]


def story(sentences: int, seed: int = 0) -> str:
    draw = np.random.default_rng(seed)
    return "".join(" ".join(draw.choice(WORDS, 9)) + f" {n}.\n" for n in range(sentences))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOLOSS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.txt"
    path.write_text(story(150), "utf-8")
    return path


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """60 documents: two .txt, 29 lines of .jsonl and 29 rows of .parquet."""
    folder = tmp_path / "shelf"
    (folder / "deep").mkdir(parents=True)
    texts = [f"[{n}] {story(6, n)}" for n in range(60)]
    (folder / "a.txt").write_text(texts[0], "utf-8")
    (folder / "deep" / "z.txt").write_text(texts[1], "utf-8")
    lines = "\n".join(json.dumps({"text": text, "n": 1}) for text in texts[2:31])
    (folder / "b.jsonl").write_text(lines + "\n\n", "utf-8")
    pl.DataFrame({"text": texts[31:], "n": range(29)}).write_parquet(folder / "c.parquet")
    return folder


# ---- the order
@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3000), st.integers(0, 2**32), st.integers(0, 50))
def test_an_order_has_every_place_once(count: int, seed: int, epoch: int) -> None:
    order = shuffled(np.arange(count), count, seed, epoch)
    assert np.array_equal(np.sort(order), np.arange(count))
    some = np.arange(0, count, 3)
    assert np.array_equal(shuffled(some, count, seed, epoch), order[some])


def test_every_place_is_as_likely_as_another() -> None:
    seeds = 2000
    for count in (5, 24):
        went = np.array([shuffled(np.arange(count), count, seed) for seed in range(seeds)])
        for place in (0, 1, count - 1):
            came = np.bincount(went[:, place], minlength=count)
            chi2 = ((came - seeds / count) ** 2 / (seeds / count)).sum()
            assert chi2 < count - 1 + 5 * np.sqrt(2 * (count - 1))
        # Neighbours do not stay neighbours.
        assert np.mean(went[:, 1] - went[:, 0] == 1) == pytest.approx(1 / count, abs=0.03)


def test_an_order_stays_what_it_was() -> None:
    """Runs that are stored elsewhere were trained in this order."""
    assert shuffled(np.arange(10), 10, 3, 0, 0).tolist() == [4, 3, 0, 5, 9, 7, 8, 2, 1, 6]
    assert shuffled(np.array([0, 10**12]), 10**12 + 1, 7).max() < 10**12 + 1


# ---- batches
def windows_of(text: Text) -> set[bytes]:
    every = text._opened.training[: text.tokens + 1]
    return {
        every[i : i + text.context + 1].astype(np.int64).tobytes()
        for i in range(0, text.tokens, text.context)
    }


@pytest.mark.parametrize("tokenizer", ["bytes", "bpe:300"])
def test_an_epoch_has_every_window_once(book: Path, tokenizer: str) -> None:
    text = Text(book, tokenizer, context=16)
    count = text.tokens // 16
    rows = np.concatenate([text.batch(step, 1, seed=4) for step in range(count)])
    assert {row.tobytes() for row in rows} == windows_of(text)
    assert np.array_equal(
        np.concatenate([text.batch(s, 3, seed=4) for s in range(count // 3)]),
        rows[: count // 3 * 3],
    )


def test_unique_tokens_are_repeated_each_epoch_in_another_order(book: Path) -> None:
    text = Text(book, context=16, unique_tokens=16 * 20)
    epochs = [text.batch(epoch, 20, seed=1) for epoch in range(3)]
    kept = [Counter(row.tobytes() for row in rows) for rows in epochs]
    assert kept[0] == kept[1] == kept[2]
    assert set(kept[0].values()) == {1}
    assert set(kept[0]) <= windows_of(text)
    assert not np.array_equal(epochs[0], epochs[1])
    assert np.array_equal(
        text.batch(1, 30, seed=1)[:10], epochs[1][10:]
    )  # a batch across two epochs
    more = Text(book, context=16, unique_tokens="640")
    assert set(kept[0]) <= {
        row.tobytes() for row in more.batch(0, 40, seed=9)
    }  # the same 20 for every seed, and nested


def test_batches_are_pure_and_runs_are_paired(book: Path) -> None:
    one, two = Text(book, context=16), pickle.loads(pickle.dumps(Text(str(book), context=16)))
    late = two.batch(5, 8, seed=2)
    assert np.array_equal(one.batch(5, 8, seed=2), late)
    assert late.dtype == np.int64
    assert late.shape == (8, 17)
    assert not np.array_equal(one.batch(5, 8, seed=3), late)
    assert not np.array_equal(one.batch(6, 8, seed=2), late)
    assert np.array_equal(one.validation(12), two.validation(20)[:12])


def test_text_is_a_corpus(book: Path) -> None:
    assert isinstance(Text(book), Corpus)


def test_a_model_trains_on_text(book: Path) -> None:
    text = Text(book, context=16)
    recipe = Recipe(sequences=8, validation=16, compiled=False)
    done = train_one(
        Decoder(1, 16, 2, text.vocab, ffn=16), 20 * 8 * 16, "w4", corpus=text, recipe=recipe
    )
    assert (done.run.corpus, done.run.unique_tokens) == ("book.txt", 20 * 8 * 16)
    assert done.losses[-1] < done.losses[0] - 0.3
    with pytest.raises(
        TextError, match=r"^book.txt has .* tokens and the run asks for 4M; give more text"
    ):
        train_one(Decoder(1, 16, 2, text.vocab, ffn=16), "4M", "w4", corpus=text, recipe=recipe)


# ---- what is held out
@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(0, 1000), st.floats(0.02, 0.6))
def test_what_is_held_out_is_never_trained_on(count: int, seed: int, share: float) -> None:
    texts = [f"{n}:" + "x" * (50 + 7 * n % 90) for n in range(count)]
    text = Text("unread.txt", seed=seed, validation_share=share)
    lengths = np.array([len(each) for each in texts])
    training = text._training_lengths(iter(texts))
    held = lengths - training
    assert held.sum() == round(share * lengths.sum())
    assert (
        (held > 0) & (training > 0)
    ).sum() <= 1  # all but one are held out whole, or trained on whole
    parts = [list(_part(iter(texts), training, held_out=out)) for out in (False, True)]
    assert sorted(a for part in parts for a in part if a in texts) == sorted(
        each
        for each, trained, out in zip(texts, training, held, strict=True)
        if not trained or not out
    )
    assert sum(len(each) for part in parts for each in part) == lengths.sum()


def test_a_shelf_is_read_in_order_and_split_by_documents(shelf: Path) -> None:
    assert [path.name for path in files_of((str(shelf),))] == [
        "a.txt",
        "b.jsonl",
        "c.parquet",
        "z.txt",
    ]
    texts = list(documents((str(shelf),), "text"))
    assert len(texts) == 60
    assert sorted(texts) == sorted(f"[{n}] {story(6, n)}" for n in range(60))
    text = Text(shelf, context=16, validation_share=0.2)
    seen, held = (text.decode(part) for part in (text._opened.training, text._opened.validation))
    numbers = [{n for n in range(60) if f"[{n}]" in part} for part in (seen, held)]
    assert len(numbers[0] | numbers[1]) == 60
    assert len(numbers[0] & numbers[1]) == 0
    assert len(numbers[1]) == pytest.approx(12, abs=1)
    assert len(held) / len(seen + held) == pytest.approx(0.2, abs=0.01)
    # An end after each document, and the one that is cut has two.
    ends = sum(
        int((part == 256).sum()) for part in (text._opened.training, text._opened.validation)
    )
    assert ends in (60, 61)
    assert Text(shelf, seed=1).settings() != Text(shelf, seed=0).settings()


# ---- tokenisers
@pytest.mark.parametrize("tokenizer", ["bytes", "bpe:320"])
@given(anything=st.text())
@settings(max_examples=50, deadline=None)
def test_text_comes_back_from_its_tokens(
    tmp_path_factory: Any, tokenizer: str, anything: str
) -> None:
    text = TEXTS.get(tokenizer)
    if text is None:
        folder = tmp_path_factory.mktemp("round")
        (folder / "t.txt").write_text(story(100), "utf-8")
        text = TEXTS[tokenizer] = Text(folder / "t.txt", tokenizer, context=16, folder=folder)
    for written in (anything, f"{anything}<|end|>\r\n\x00 é日本"):
        tokens = text.encode(written)
        assert text.decode(tokens) == written
        assert text._opened.tokeniser.end not in tokens
        assert not len(tokens) or tokens.max() < text.vocab


TEXTS: dict[str, Text] = {}


def test_a_bpe_is_the_same_in_another_process_and_sees_the_training_part_only(
    book: Path, tmp_path: Path
) -> None:
    text = Text(book, "bpe:320", context=16)
    code = (
        f"from isoloss.lm import Text; t = Text({str(book)!r}, 'bpe:320', context=16, "
        f"folder={str(tmp_path / 'other')!r});"
        "print(t.settings()['tokens_sha256'], t.settings()['tokenizer_sha256'])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == [
        text.settings()["tokens_sha256"],
        text.settings()["tokenizer_sha256"],
    ]
    head = text.decode(text._opened.training)
    other = tmp_path / "tail.txt"
    other.write_text(head + "q" * (len(book.read_text("utf-8")) - len(head)), "utf-8")
    assert (
        Text(other, "bpe:320", context=16).settings()["tokenizer_sha256"] == run.stdout.split()[1]
    )


def test_a_tokenizer_of_ones_own(book: Path, tmp_path: Path) -> None:
    made = Text(book, "bpe:320", context=16)
    path = tmp_path / "tokenizer.json"
    path.write_text(str(made._opened.tokeniser.text), "utf-8")
    own = Text(book, str(path), context=16)
    assert own.settings() == made.settings()
    assert (own.vocab, made.vocab, Text(book).vocab) == (320, 320, 257)


# ---- the stored tokens
def stored(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache" / "tokens").iterdir())


def test_tokens_are_written_once_and_shared(book: Path, tmp_path: Path) -> None:
    text = Text(book, context=16)
    first = text.batch(0, 4)
    (file,) = stored(tmp_path)
    before = file.stat().st_mtime_ns
    again = Text(book, context=32)  # another length of sequence, the same tokens
    again.batch(0, 4)
    assert stored(tmp_path) == [file]
    assert file.stat().st_mtime_ns == before
    sent = pickle.dumps(text)
    assert len(sent) < 1000
    book.unlink()  # a worker that knows the key reads no text
    assert np.array_equal(pickle.loads(sent).batch(0, 4), first)


@pytest.mark.parametrize("damage", ["flipped", "short", "empty", "foreign", "other"])
def test_a_damaged_file_is_made_again(book: Path, tmp_path: Path, damage: str) -> None:
    text = Text(book, context=16)
    first = text.batch(0, 4)
    (file,) = stored(tmp_path)
    data = bytearray(file.read_bytes())
    if damage == "flipped":
        data[-700] ^= 1
    elif damage == "other":
        data = bytearray(bytes(data).replace(text._key.encode(), b"0" * 64))
    file.write_bytes(
        {"short": data[:-9], "empty": b"", "foreign": b"PK" + bytes(50)}.get(damage, data)
    )
    with pytest.warns(
        TextWarning,
        match=r"^the stored tokens .* are not what was written \(.*\); they are made again$",
    ):
        assert np.array_equal(Text(book, context=16).batch(0, 4), first)
    assert np.array_equal(Text(book, context=16).batch(0, 4), first)  # silently
    assert stored(tmp_path) == [file]


def test_a_changed_text_is_another_text(book: Path, tmp_path: Path) -> None:
    text = Text(book, context=16)
    sent, before = pickle.dumps(text), text.settings()
    sent = pickle.dumps(text)
    for file in stored(tmp_path):
        file.unlink()
    book.write_text(story(150, seed=1), "utf-8")
    assert Text(book, context=16).settings() != before
    with pytest.raises(
        TextError, match=r"^book.txt has changed since it was opened; make a new Text of it$"
    ):
        pickle.loads(sent).batch(0, 1)


def test_a_place_that_cannot_be_written(book: Path) -> None:
    with pytest.raises(
        TextError,
        match=r"^cannot write tokens to .*book.txt.cache .*; say folder=..., or set ISOLOSS_CACHE$",
    ):
        Text(book, context=16, folder=book / "cache").batch(0, 1)


# ---- too little, and what is refused
def test_too_few_tokens_are_refused_before_training(book: Path) -> None:
    text = Text(book, context=16)
    assert text.unique(1000.0) == 1000
    with pytest.raises(TextError) as caught:
        text.unique(4e6)
    assert str(caught.value) == (
        f"book.txt has {text.tokens / 1000:.3g}k tokens and the run asks for 4M; "
        "give more text, or unique_tokens=... to repeat them"
    )
    with pytest.raises(TextError, match=r"^book.txt has .* tokens and the run asks for"):
        text.batch(10**6, 4)
    assert Text(book, context=16, unique_tokens=1000).unique(4e6) == 62 * 16
    assert Text(book, context=16, unique_tokens=1000).unique(320.0) == 320


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"path": "none.txt"},
            "there is no file or folder none.txt; give one, or hub:NAME for a data set of the hub",
        ),
        (
            {"path": "bare"},
            "the folder bare holds no texts; accepted are files .txt .jsonl .parquet",
        ),
        ({"path": "x.pdf"}, "cannot read x.pdf as text; accepted are files .txt .jsonl .parquet"),
        ({"path": ()}, "path is (); accepted are files and folders, or one hub:NAME"),
        ({"path": "bad.jsonl"}, "bad.jsonl, line 2 is no JSON: Expecting value at column 1"),
        ({"path": "list.jsonl"}, 'list.jsonl, line 1 is no JSON object such as {"text": ...}'),
        (
            {"path": "good.jsonl"},
            "good.jsonl, line 1 has no field 'text'; it has 'story', 'n': say field=...",
        ),
        (
            {"path": "good.jsonl", "field": "n"},
            "good.jsonl, line 1: 'n' is int, and a text is wanted",
        ),
        (
            {"path": "half.jsonl"},
            "half.jsonl, line 1: 'text' holds half a character (a lone surrogate); write whole "
            "ones",
        ),
        (
            {"path": "rows.parquet"},
            "rows.parquet has no field 'text'; it has 'story': say field=...",
        ),
        (
            {"path": "rows.parquet", "field": "story"},
            "rows.parquet, row 2: 'story' is NoneType, and a text is wanted",
        ),
        ({"path": "latin.txt"}, "latin.txt is no UTF-8: byte 3 is 0xe9; save it as UTF-8"),
        ({"path": "empty.txt"}, "empty.txt holds no text: 1 documents without a character"),
        (
            {"path": "short.txt"},
            "the validation part of short.txt has 6 tokens, and one sequence of 64 takes 65; give "
            "more text",
        ),
        (
            {"tokenizer": "words"},
            "unknown tokenizer 'words'; accepted are 'bytes', 'bpe:1024' (or another size) or the "
            "path of a tokenizer.json",
        ),
        (
            {"tokenizer": "bpe:100"},
            "tokenizer 'bpe:100' is too small; accepted is bpe:257 (256 bytes and an end) or more",
        ),
        (
            {"tokenizer": "latin.txt"},
            "cannot read the tokenizer latin.txt: stream did not contain valid UTF-8",
        ),
        ({"context": 1}, "context is 1; accepted is at least 2 tokens"),
        (
            {"validation_share": 0.0},
            "validation_share is 0; accepted is a share above 0 and below 1",
        ),
        ({"seed": -1}, "seed is -1; accepted is 0 or more"),
        (
            {"unique_tokens": "9M"},
            "unique_tokens is 9M; accepted is from one sequence of 64 to the 6.21k tokens of "
            "fine.txt",
        ),
    ],
)
def test_what_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bare").mkdir()
    Path("x.pdf").write_bytes(b"%PDF")
    Path("bad.jsonl").write_text('{"text": "a"}\nnonsense\n', "utf-8")
    Path("list.jsonl").write_text("[1]\n", "utf-8")
    Path("good.jsonl").write_text('{"story": "a", "n": 1}\n', "utf-8")
    Path("half.jsonl").write_text('{"text": "\\ud83d"}\n', "utf-8")
    Path("latin.txt").write_bytes("caf\u00e9 noir".encode("latin-1"))
    Path("empty.txt").write_text("", "utf-8")
    Path("short.txt").write_text("x" * 100, "utf-8")
    Path("fine.txt").write_text(story(150), "utf-8")
    pl.DataFrame({"story": ["a", None]}).write_parquet("rows.parquet")
    with pytest.raises(TextError) as caught:
        Text(**{"path": "fine.txt", **settings}).batch(0, 1)
    assert str(caught.value) == message


def test_more_validation_than_there_is(book: Path) -> None:
    with pytest.raises(TextError) as caught:
        Text(book, context=16).validation(512)
    assert str(caught.value) == (
        "the validation part of book.txt has 20 sequences of 16 tokens and 512 are asked for; ask "
        "for fewer, "
        "give more text or a larger validation_share than 0.05"
    )


def test_a_bpe_larger_than_the_text(book: Path) -> None:
    with pytest.raises(
        TextError,
        match=r"^the text gives a BPE of \d+ tokens and bpe:5000 asks for more; ask for bpe:\d+, "
        r"or give more text$",
    ):
        Text(book, "bpe:5000", context=16).batch(0, 1)


# ---- the hub
def test_a_data_set_of_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    rows = [{"text": story(6, n)} for n in range(40)]
    hub: Any = types.ModuleType("datasets")
    hub.load_dataset = lambda *names, split: asked.append((*names, split)) or rows
    monkeypatch.setitem(sys.modules, "datasets", hub)
    text = Text("hub:someone/stories:short", context=16)
    assert text.batch(0, 4).shape == (4, 17)
    assert text.name == "stories:short"
    assert set(asked) == {("someone/stories", "short", "train")}

    def fail(*names: str, split: str) -> None:
        raise ConnectionError("no route to the hub\nand more")

    hub.load_dataset = fail
    with pytest.raises(TextError, match=r"^cannot fetch hub:someone/poems: no route to the hub$"):
        Text("hub:someone/poems").batch(0, 1)


def test_the_hub_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    message = r"^reading hub:a/b needs the package datasets; pip install 'isoloss\[hub\]'$"
    with pytest.raises(TextError, match=message):
        Text("hub:a/b").batch(0, 1)
