"""Calls in threads: order, errors, and an interrupt that the main thread hears while it waits."""

import subprocess
import sys
import threading
import time

import pytest

from isoloss.files import in_threads

INTERRUPTED = """
import os, signal, threading, time
import polars  # whose handler of interrupts restarts what they interrupt
from isoloss.files import in_threads

signal.signal(signal.SIGINT, signal.default_int_handler)  # shells may have it ignored
halted, begun = threading.Event(), []

def call(item):
    begun.append(item)
    if len(begun) == 2:
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    halted.wait(60)

try:
    in_threads(call, range(50), 2, halt=halted.set)
except KeyboardInterrupt:
    print(halted.is_set(), len(begun))
"""


def test_results_are_in_order_whoever_ends_first() -> None:
    ended: list[int] = []

    def call(item: int) -> int:
        time.sleep(0.02 * (3 - item))
        return item**2

    assert in_threads(call, range(4), 4, ended=ended.append) == [0, 1, 4, 9]
    assert sorted(ended) == [0, 1, 2, 3]
    assert ended != [0, 1, 2, 3]
    assert in_threads(call, [], 2) == []


def test_calls_run_at_once_as_many_as_asked() -> None:
    together = threading.Barrier(3)
    assert in_threads(lambda _: together.wait(10) >= 0, range(3), 3) == [True] * 3


def test_an_error_ends_the_work_and_those_that_have_not_begun() -> None:
    begun: list[int] = []
    halted = threading.Event()

    def call(item: int) -> None:
        begun.append(item)
        if item == 1:
            raise ValueError("no such item")
        halted.wait(30)

    with pytest.raises(ValueError, match="no such item"):
        in_threads(call, range(50), 2, halt=halted.set)
    assert len(begun) < 5


def test_an_interrupt_is_heard_while_calls_run() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        capture_output=True, text=True, timeout=50,
    )  # fmt: skip
    assert done.stdout.split() == ["True", "2"], done.stderr
