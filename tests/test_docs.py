"""Every code block of README and docs runs: Python as it is, shell lines that start with
isoloss.
"""

import ast
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

import isoloss
from isoloss.files import plugins

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
TABLES = ("quest2025", "hoffmann2022", "gadre2024", "gemstones2025", "fp4_llama8b")
#: A fence has one word after its ticks: the site's parser takes more for a paragraph.
FENCE = re.compile(
    r"(?:^ *<!-- no-test(?P<why>[^\n]*) -->\n)?"
    r"^(?P<indent> *)```(?P<language>\w+)\n(?P<code>.*?)^(?P=indent)```[ ]*$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One fenced block: language, code, the line where the code starts, why it is not run."""

    language: str
    code: str
    line: int
    why: str | None = None

    @property
    def runs(self) -> bool:
        return self.language in ("python", "sh", "bash") and self.why is None

    @property
    def table(self) -> str | None:
        """The first public table that the block reads, by name."""
        return next((name for name in TABLES if name in self.code), None)

    @property
    def needs(self) -> set[str]:
        """Names and files that the block uses; `gives` are those it makes."""
        if self.language == "python":
            tree = ast.parse(self.code)
            return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | _texts(tree)
        return {word for line in self.commands for word in line}

    @property
    def gives(self) -> set[str]:
        if self.language == "python":
            tree = ast.parse(self.code)
            stored = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
            imported = (
                node.asname or node.name for node in ast.walk(tree) if isinstance(node, ast.alias)
            )
            return (
                {node.id for node in stored if isinstance(node.ctx, ast.Store)}
                | {*imported}
                | _texts(tree)
            )
        return {after for words in self.commands for word, after in pairwise(words) if word == "-o"}

    @property
    def commands(self) -> list[list[str]]:
        """The words of each ``isoloss ...`` line, continued lines joined, without comments."""
        lines = self.code.replace("\\\n", " ").splitlines()
        bare = (line.strip().removeprefix("$ ") for line in lines)
        return [shlex.split(line, comments=True) for line in bare if line.startswith("isoloss ")]


def _texts(tree: ast.AST) -> set[str]:
    """File names written in a Python block."""
    texts = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return {text for text in texts if re.fullmatch(r"[\w/-]+\.[a-z]+", text)}


def _blocks(text: str) -> list[Block]:
    found = []
    for match in FENCE.finditer(text):
        lines = (
            line.removeprefix(match["indent"]) for line in match["code"].splitlines(keepends=True)
        )
        line = text.count("\n", 0, match.start("code")) + 1
        why = match["why"] and match["why"].removeprefix(":").strip()
        found.append(Block(match["language"], "".join(lines), line, why))
    return found


def _run_commands(block: Block) -> None:
    from isoloss.cli import app

    for words in block.commands:
        result = CliRunner().invoke(app, words[1:], prog_name="isoloss")
        assert result.exit_code == 0, f"{shlex.join(words)}\n{result.output}\n{result.exception!r}"


def _run(block: Block, page: Path, names: dict[str, object]) -> None:
    if block.language == "python":
        # Blank lines in front make the line numbers of a traceback those of the page.
        exec(compile("\n" * (block.line - 1) + block.code, str(page), "exec"), names)
    else:
        _run_commands(block)


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.fixture
def as_shipped() -> Iterator[None]:
    """What a page registers is gone after it: other tests of this process list what is shipped."""
    for room in isoloss.__all__:
        getattr(isoloss, room)  # its registries are there
    kept = [(registry, registry.state()) for registry in plugins.REGISTRIES]
    yield
    for registry, state in kept:
        registry.restore(state)


@pytest.mark.usefixtures("as_shipped")
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(b.runs for b in _blocks(page.read_text("utf-8")))],
    ids=_name,
)
def test_the_blocks_of_a_page_run_in_order(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    folder = os.environ.get("ISOLOSS_DATA")
    if folder:
        monkeypatch.setenv("ISOLOSS_DATA", str(Path(folder).resolve()))
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    missing: set[str] = set()
    for block in (block for block in _blocks(page.read_text("utf-8")) if block.runs):
        with subtests.test(f"{_name(page)}:{block.line}"):
            if absent := (not folder and block.table) or next(
                iter(sorted(missing & block.needs)), None
            ):
                missing |= block.gives
                pytest.skip(
                    f"needs {absent}, a public table or made from one; ISOLOSS_DATA names no folder"
                )
            _run(block, page, names)
            missing -= block.gives


def test_the_answers_of_the_front_page_are_those_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    """Commands of the first table, in order; code in the third column stands in what they print."""
    from isoloss.cli import app

    monkeypatch.chdir(tmp_path)
    table = (ROOT / "README.md").read_text("utf-8").partition("\n![")[0]
    rows = re.findall(r"^\| [^|]+ \| `(isoloss [^`|]+)` \| ([^|]+) \|$", table, re.MULTILINE)
    assert len(rows) == table.count("\n|") - 2
    for command, answer in rows:
        with subtests.test(command):
            result = CliRunner().invoke(app, shlex.split(command)[1:], prog_name="isoloss")
            printed = " ".join(result.stdout.split())
            told = re.findall(r"`([^`]+)`", answer)
            assert told
            assert [each for each in told if each not in printed] == []


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_a_block_that_does_not_run_says_why(page: Path) -> None:
    text = page.read_text("utf-8")
    blocks = _blocks(text)
    assert len(re.findall(r"^ *```", text, re.MULTILINE)) == 2 * len(blocks)
    assert text.count("<!-- no-test") == sum(block.why is not None for block in blocks)
    assert [block.line for block in blocks if block.why == ""] == []


PAGE = """
```python
import isoloss as il

runs = il.read("quest2025")
runs.save("runs.csv")
```
1. a list
   ```sh
   $ isoloss fit runs.csv \\
       --law kumar2024 -o fit.json   # a comment
   make demo
   ```
<!-- no-test: needs a GPU -->
```python
il.train()
```
```text
no code
```
"""


def test_blocks_are_found_with_their_lines() -> None:
    python, shell, untested, text = _blocks(PAGE)
    assert (python.line, python.code.splitlines()[0]) == (3, "import isoloss as il")
    assert shell.commands == [
        ["isoloss", "fit", "runs.csv", "--law", "kumar2024", "-o", "fit.json"]
    ]
    assert [block.runs for block in (python, shell, untested, text)] == [True, True, False, False]
    assert (untested.why, untested.line) == ("needs a GPU", 16)


def test_words_after_the_language_are_no_fence() -> None:
    """The site reads no block there: its code and all below it become a paragraph."""
    assert _blocks("```sh no-test needs mine.csv\nisoloss runs mine.csv\n```\n") == []


def test_what_a_block_without_its_table_would_have_made_is_known() -> None:
    python, shell, *_ = _blocks(PAGE)
    assert (python.table, shell.table) == ("quest2025", None)
    assert python.gives == {"il", "runs", "runs.csv"}
    assert shell.gives == {"fit.json"}
    assert python.gives & shell.needs == {"runs.csv"}


def test_a_failing_block_fails_with_the_line_of_the_page() -> None:
    block = _blocks("\n```python\nvalue = 1\nvalue / 0\n```\n")[0]
    with pytest.raises(ZeroDivisionError) as caught:
        _run(block, Path("page.md"), {})
    assert (Path(caught.traceback[-1].path).name, caught.traceback[-1].lineno + 1) == ("page.md", 4)


def test_a_failing_command_fails() -> None:
    with pytest.raises(AssertionError, match="no-such-command"):
        _run_commands(_blocks("```sh\nisoloss no-such-command\n```\n")[0])
