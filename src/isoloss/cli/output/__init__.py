"""What commands print: results as text and data, reports of tables and stores, waiting."""

from isoloss.cli.output.showing import say, show, show_json, show_text
from isoloss.cli.output.spinner import counted, followed, waiting

# fmt: off
__all__ = [
    "counted", "followed", "say", "show", "show_json", "show_text", "waiting",
]
# fmt: on
