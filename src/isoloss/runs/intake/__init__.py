"""What comes in: files opened, columns named and checked."""

from isoloss.runs.intake.check import Origin, checked
from isoloss.runs.intake.opening import STORES, Opened, frame_of, open_bytes, open_file
from isoloss.runs.intake.template import filled

# fmt: off
__all__ = [
    "STORES", "Opened", "Origin", "checked", "filled", "frame_of", "open_bytes", "open_file",
]
# fmt: on
