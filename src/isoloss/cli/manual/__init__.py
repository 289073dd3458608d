"""What the help says: examples, and options written once."""

from isoloss.cli.manual.examples import FIRST, Example, as_epilog
from isoloss.cli.manual.given import given_options
from isoloss.cli.manual.lists import Command, filled
from isoloss.cli.manual.signature import spread
from isoloss.cli.manual.spoken import (
    noted,
    typed,
)

# fmt: off
__all__ = [
    "FIRST", "Command", "Example", "as_epilog", "filled", "given_options", "noted", "spread",
    "typed",
]
# fmt: on
