"""A matrix rounded column by column on scales that were taken before (grids.py), each error fed
forward to the columns to come (feeding.py).
"""

from isoloss.lm.after.columns.feeding import fed_forward
from isoloss.lm.after.columns.grids import Columns

__all__ = ["Columns", "fed_forward"]
