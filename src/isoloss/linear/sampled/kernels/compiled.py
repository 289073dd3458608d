"""How the sampler is compiled: numba's decorator with types, for strict arithmetic and for loose
sums.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])


def strict(function: F) -> F:
    """The function in machine code, written into its callers; each operation as IEEE 754 has it."""
    # No fastmath: rounding must be the specification's, operation by operation.
    made: Any = numba.njit(forceinline=True, error_model="numpy")(function)
    return cast(F, made)


def loose(function: F) -> F:
    """The same, but sums may be taken in any order and products fused into them, so that loops run
    in vectors.
    """
    made: Any = numba.njit(
        # reassoc lets sums run in vector lanes, contract makes products fuse; nsz lets the compiler
        # drop signs of zero. NaN and infinities keep their meaning.
        forceinline=True,
        error_model="numpy",
        fastmath={"reassoc", "contract", "nsz"},
    )(function)
    return cast(F, made)


def apart(function: F) -> F:
    """The same as `loose`, but called and not written into its callers: compiled once for all of
    them.
    """
    made: Any = numba.njit(error_model="numpy", fastmath={"reassoc", "contract", "nsz"})(function)
    return cast(F, made)
