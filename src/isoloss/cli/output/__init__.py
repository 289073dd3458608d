"""What commands print: results as text and data, reports of tables and stores, waiting."""

from isoloss.cli.output.keeping import (
    draw,
    keep,
    keep_result,
    log_plan,
    log_runs,
)
from isoloss.cli.output.point_report import Answers, answer, keep_rows, said_point
from isoloss.cli.output.showing import say, show, show_json, show_text
from isoloss.cli.output.spinner import counted, followed, naming, waiting

# fmt: off
__all__ = [
    "Answers", "answer", "counted", "draw", "followed", "keep", "keep_result", "keep_rows",
    "log_plan", "log_runs", "naming", "said_point", "say", "show", "show_json", "show_text",
    "waiting",
]
# fmt: on
