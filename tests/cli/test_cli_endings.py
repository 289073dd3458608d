"""Help texts list the endings that the registries of readers and writers have."""

import re

import pytest

from isoloss.cli.arguments.options import KeptTable, Tables
from isoloss.cli.arguments.targets import TABLES, TABLES_OR_PAGES, check_target
from isoloss.cli.refusing import Refused
from isoloss.runs import READERS, STORES, WRITERS


def _endings(option: object) -> list[str]:
    """The endings in the help of an annotated option."""
    (said,) = option.__metadata__  # type: ignore[attr-defined]
    return re.findall(r"\.[a-z0-9]+\b", said.help.split(")")[0])


@pytest.mark.parametrize(
    ("option", "known"), [(Tables, READERS), (KeptTable, WRITERS)], ids=["read", "written"]
)
def test_help_lists_the_endings(option, known) -> None:
    assert set(_endings(option)) == set(known) - set(STORES[1:])  # one name of stores is enough


def test_a_target_has_an_ending_that_is_written(tmp_path) -> None:
    assert set(TABLES) == set(WRITERS)
    target = tmp_path / "runs.psv"
    with pytest.raises(Refused, match=r"\.psv"):
        check_target(target, TABLES, force=False)
    WRITERS.register(".psv", lambda frame, path: frame.write_csv(path, separator="|"))
    check_target(target, TABLES, force=False)
    check_target(target, TABLES_OR_PAGES, force=False)
    WRITERS.remove(".psv")
