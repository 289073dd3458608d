"""The command line: one thin command per verb."""

from isoloss.cli.entry import app, main

__all__ = ["app", "main"]
