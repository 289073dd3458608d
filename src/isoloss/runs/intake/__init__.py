"""What comes in: files opened, columns named and checked."""

from isoloss.runs.intake.check import Origin, checked
from isoloss.runs.intake.frames import frame_of
from isoloss.runs.intake.loss_units import unit_of
from isoloss.runs.intake.opening import open_bytes, open_file
from isoloss.runs.intake.reader import READERS, Opened, Reader
from isoloss.runs.intake.template import filled

# fmt: off
__all__ = [
    "READERS", "Opened", "Origin", "Reader", "checked", "filled", "frame_of", "open_bytes",
    "open_file", "unit_of",
]
# fmt: on
