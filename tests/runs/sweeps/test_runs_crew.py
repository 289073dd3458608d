"""The processes of a crew."""

import os
import signal
from concurrent.futures import BrokenExecutor

import pytest

from isoloss.runs.sweeps.crew import Crew


def test_how_a_process_died_is_known_after_its_place_is_taken():
    with Crew(1, main=False) as crew:
        killed = crew.submit(signal.raise_signal, signal.SIGKILL)
        with pytest.raises(BrokenExecutor):
            killed.result()
        assert crew.submit(os.getpid).result() != os.getpid()
        assert crew.exit_code(killed) == -signal.SIGKILL
