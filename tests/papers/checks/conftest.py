"""Tables of runs made by a formula, in the place of the bundled ones."""

from itertools import product

import polars as pl
import pytest

from isoloss.papers import CHECKS, Laboratory, Reproduction, claims
from isoloss.runs import Runs

SIZES, RATIOS = (2e4, 4e4, 8e4), (10, 25, 60, 150, 400)


def _base(params, tokens):
    return 2.0 + 30 * params**-0.5 + 100 * tokens**-0.5


@pytest.fixture
def made():
    """Runs whose gaps are a function of params, tokens, precision and schedule."""

    def make(gap_of, precisions, ratios=RATIOS, schedules=("wsd", "constant"), sizes=SIZES):
        rows = []
        for n, ratio, seed, schedule in product(sizes, ratios, range(3), schedules):
            shared = {"params": n, "tokens": ratio * n, "seed": seed, "schedule": schedule}
            shared |= {"lr_peak": 0.01, "block": "length", "source": "isoloss2026"}
            loss = _base(n, ratio * n) * (1 + 0.001 * seed)
            rows.append(shared | {"precision": "fp", "loss": loss, "gap": None})
            for precision in precisions:
                # Seeds differ a little, so that errors are not zero.
                gap = gap_of(n, ratio * n, precision, schedule) * (1 + 0.01 * (seed - 1))
                own = {"precision": precision, "loss": loss + gap, "gap": gap}
                parent = "trained" if "->" in precision else None
                rows.append(shared | own | {"parent": parent, "gap_se": 0.001})
        return Runs.from_frame(pl.DataFrame(rows, infer_schema_length=None))

    return make


@pytest.fixture
def put():
    """A claim put to the test on a table of one's own."""

    def _put(paper, name, runs=None, table="isoloss2026", **given):
        laboratory = Laboratory()
        if runs is not None:
            laboratory.once(("runs", table), lambda: runs)
        (claim,) = claims(paper, name)
        return Reproduction(claim, CHECKS[claim.check](laboratory, **{**claim.given, **given}))

    return _put
