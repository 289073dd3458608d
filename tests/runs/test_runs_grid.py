import inspect
import itertools
import pickle

import pytest

from isoloss.formats import Precision
from isoloss.runs import Grid, RunsError


def test_a_grid_is_the_product_of_its_lists():
    grid = Grid(params=["0.1M", "0.4M"], tokens="2M", precision=["bf16", "w4"], seed=(0, 1))
    cells = list(grid)
    assert len(grid) == len(cells) == 8
    wanted = itertools.product([1e5, 4e5], [2e6], [Precision("bf16"), Precision("w4")], [0, 1])
    assert [tuple(cell.values()) for cell in cells] == list(wanted)
    assert list(cells[0]) == ["params", "tokens", "precision", "seed"]
    assert list(grid) == cells


def test_other_lists_are_numbers_where_they_read_as_such():
    cells = list(Grid(samples=[1e3, "1e4"], corpus="c4", iterate=["last", "average"]))
    assert cells[2] == {"samples": 1e4, "corpus": "c4", "iterate": "last"}


def test_a_grid_prints_itself_and_is_a_value():
    grid = Grid(params=["0.1M", "0.4M"], precision=["fp", "W4A8"])
    assert str(grid) == "grid of 4 cells (2 x 2)\nparams=100k, 400k\nprecision=fp, w4 a8"
    assert grid == Grid(params=[1e5, 4e5], precision=["fp", "w4 a8"])
    assert len({grid, Grid(params=[1e5, 4e5], precision=["fp", "w4 a8"])}) == 1


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({}, "a grid needs at least one list"),
        ({"params": []}, "the grid's list 'params' is empty"),
        ({"params": ["1M", 1e6]}, "the grid's list 'params' holds 1M twice"),
        ({"precision": ["w4", "W4"]}, "the grid's list 'precision' holds w4 twice"),
        ({"tokens": ["many"]}, "cannot read 'many' as a number"),
        (
            {"tokens": [-5]},
            "the grid's list 'tokens' holds -5; accepted is a finite number above 0",
        ),
    ],
)
def test_lists_that_make_no_grid_are_refused(lists, message):
    with pytest.raises(RunsError, match=message):
        Grid(**lists)


def test_a_wrong_precision_is_refused_in_its_own_words():
    with pytest.raises(ValueError, match="cannot read 'q8x' in precision 'w4 q8x'"):
        Grid(precision="w4 q8x")


def test_help_and_completion_see_the_words():
    words = inspect.signature(Grid).parameters
    assert {"params", "tokens", "tokens_per_param", "precision", "seed", "samples"} <= set(words)
    assert all(word in (Grid.__doc__ or "") for word in words)


def test_lists_run_in_the_order_in_which_they_are_written():
    grid = Grid(seed=[0, 1], lr=[0.1, 0.2], params="1M")
    assert list(grid.axes) == ["seed", "lr", "params"]
    assert [cell["lr"] for cell in grid] == [0.1, 0.2] * 2
    assert pickle.loads(pickle.dumps(grid)) == grid
