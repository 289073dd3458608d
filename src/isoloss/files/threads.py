"""Calls in threads, whose end the main thread awaits so that the keyboard is heard."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import TypeVar

Item = TypeVar("Item")
Found = TypeVar("Found")

#: Seconds that are waited at once. polars has interrupts restart what they interrupt, so that a
#: wait without an end would never hear of one.
AWAITED = 0.2


def in_threads(
    call: Callable[[Item], Found],
    items: Iterable[Item],
    threads: int,
    ended: Callable[[Item], None] | None = None,
    halt: Callable[[], None] | None = None,
) -> list[Found]:
    """What a function gives for each item, in their order.

    Parameters
    ----------
    call, items
        The function and what it is called with.
    threads
        How many calls run at once, 1 or more.
    ended
        Called with each item as its call ends, in the main thread.
    halt
        Called where an error or an interrupt ends the work early, so that calls that run, which are
        waited for, can end; those that have not begun never do.

    Raises
    ------
    BaseException
        What the first call to fail raised, or what `ended` did.
    """
    with ThreadPoolExecutor(threads) as pool:
        futures = {pool.submit(call, item): item for item in items}
        left = set(futures)
        try:
            while left:
                done, left = wait(left, AWAITED, FIRST_COMPLETED)
                for each in done:
                    each.result()
                    if ended is not None:
                        ended(futures[each])
        except BaseException:
            for each in left:
                each.cancel()
            if halt is not None:
                halt()
            raise
    return [each.result() for each in futures]
