"""The one place where an input that cannot be used becomes a sentence on stderr and exit code 1."""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer

#: What the rooms say to a Python user, and how a user of the command line would do it.
SPOKEN = (
    (r"force=True \(--force\)", "--force"),
    (r"perplexity=True \(--perplexity\)", "--perplexity"),
    (r"\bper='(\w+)'", r"--per \1"),
    (r"\bwhere\((\w+)=\.\.\.\)", r"--where \1=..."),
    (r"\bruns\.excluded\b", "'isoloss runs --excluded'"),
    (r"\bat\(\)", "'isoloss fit'"),
    (r"\bmethod='sampled'", "--method sampled"),
    (r"\bas stored=", "with --stored"),
    (r"\bas corpus=\.\.\.", "with --corpus"),
    (r"\bcorpus='([^']+)'", r"--corpus \1"),
    (r"\btrained_on='(\w+)'", r"--trained-on \1"),
)


class Refused(ValueError):
    """An option or a file that a command cannot use, in one sentence."""


def in_one_sentence(command: Callable[..., None]) -> Callable[..., None]:
    """The command, with errors of its input as one sentence on stderr and exit code 1, without a
    traceback.

    The rooms raise subclasses of ValueError for input they refuse; files raise OSError.
    """

    @functools.wraps(command)
    def guarded(*args: Any, **options: Any) -> None:
        try:
            with _warnings_on_stderr():
                command(*args, **options)
        except BrokenPipeError:  # the reader of our output left, as in `isoloss laws | head`
            raise
        except (ValueError, OSError) as error:
            typer.echo(f"error: {sentence(error)}", err=True)
            raise typer.Exit(1) from None

    return guarded


def sentence(problem: Exception | Warning | str) -> str:
    """What was wrong, on one line and in the words of the command line."""
    text = str(problem)
    if isinstance(problem, OSError) and problem.strerror:
        text = (
            f"cannot use '{problem.filename}': {problem.strerror}"
            if problem.filename
            else problem.strerror
        )
    text = " ".join(text.split())
    text = "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)
    for python, shell in SPOKEN:
        text = re.sub(python, shell, text)
    return text


@contextmanager
def _warnings_on_stderr() -> Iterator[None]:
    """Shows what the rooms warn of as one line each; warnings of libraries keep the form they
    have.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        usual = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, UserWarning):
                typer.echo(f"warning: {sentence(message)}", err=True)
            else:
                usual(message, category, *place, **more)

        warnings.showwarning = show
        yield
