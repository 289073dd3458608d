"""What the help says: examples, and options written once."""

from isoloss.cli.manual.examples import EXAMPLES, as_epilog
from isoloss.cli.manual.signature import spread

# fmt: off
__all__ = [
    "EXAMPLES", "as_epilog", "spread",
]
# fmt: on
