"""The one place where an input that cannot be used becomes a sentence on stderr and exit code 1."""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, requires
from typing import Any

import typer

import isoloss as il

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
    (r"\bparallel='(\w+)'", r"--parallel \1"),
    (r"\btrained_on='(\w+)'", r"--trained-on \1"),
)


#: What Python raises where something is too much, or not there.
BEYOND = (ArithmeticError, RecursionError, MemoryError, ImportError)
#: The longest that a message quotes; what is longer is cut in the middle.
LONGEST = 200
#: What is quoted, from a quote that opens (none is behind a letter) to the next, and single words.
_QUOTED = re.compile(r"(?<!\w)'[^']*'|[^\s']+")


class Refused(ValueError):
    """An option or a file that a command cannot use, in one sentence."""


def in_one_sentence(command: Callable[..., None]) -> Callable[..., None]:
    """The command, with errors of its input as one sentence on stderr and exit code 1, without a
    traceback.

    The rooms raise subclasses of ValueError for input they refuse; files raise OSError. A number
    that overflows, memory that is full, input nested too deep and a package that is not there are
    said as well; anything else is a defect of ours, and keeps its traceback.
    """

    @functools.wraps(command)
    def guarded(*args: Any, **options: Any) -> None:
        try:
            with _warnings_on_stderr():
                command(*args, **options)
        except BrokenPipeError:  # the reader of our output left, as in `isoloss laws | head`
            raise
        except KeyboardInterrupt as error:
            typer.echo(f"\n{sentence(il.files.stopped(error))}", err=True)
            raise typer.Exit(il.files.INTERRUPTED) from None
        except (ValueError, OSError, *BEYOND) as error:
            if _is_defect(error):
                raise
            typer.echo(f"error: {sentence(error)}", err=True)
            raise typer.Exit(1) from None

    return guarded


def sentence(problem: Exception | Warning | str) -> str:
    """What was wrong, on one line and in the words of the command line."""
    text = " ".join(_said(problem).split())
    text = _QUOTED.sub(lambda found: _cut(found.group()), il.files.printable(text))
    for python, shell in SPOKEN:
        text = re.sub(python, shell, text)
    return text


def _said(problem: Exception | Warning | str) -> str:
    """The words of a problem; of what Python itself raises, those that say what to do."""
    text = str(problem)
    match problem:
        case OSError(strerror=str(said)) if said:
            return f"cannot use '{problem.filename}': {said}" if problem.filename else said
        case MemoryError():
            return f"memory is full{_in_brackets(text)}; ask for less at once, or for smaller sizes"
        case RecursionError():
            return f"what was given is nested too deep{_in_brackets(text)}"
        case ArithmeticError():
            return (
                f"a number is out of the range of computing{_in_brackets(text)}; "
                "check the sizes that were given"
            )
        case ImportError() if problem.name:
            package = problem.name.partition(".")[0]
            extra = extra_of(package)
            install = f"pip install 'isoloss[{extra}]'" if extra else f"pip install {package}"
            return f"this needs the package {package}, which cannot be loaded; {install}"
        case _:
            return text


def extra_of(package: str) -> str | None:
    """The extra of isoloss that brings a package; None where none does."""
    try:
        wanted = requires("isoloss") or []
    except PackageNotFoundError:
        return None
    found = (re.match(r"([\w-]+).*extra == ['\"](\w+)['\"]", line) for line in wanted)
    names = {each[1].replace("-", "_").lower(): each[2] for each in found if each}
    return names.get(package.lower())


def _is_defect(error: Exception) -> bool:
    """Whether an error is one of our own code, not of the input: a module or a name of ours that is
    not there.
    """
    return isinstance(error, ImportError) and (
        (error.name or "").partition(".")[0] == "isoloss"
        or not isinstance(error, ModuleNotFoundError)
    )


def _in_brackets(text: str) -> str:
    return f" ({text})" if text else ""


def _cut(text: str) -> str:
    """A quotation or a word without its middle where it is too long."""
    bare = text.strip("'")
    short = f"{bare[: LONGEST // 2]}...{bare[-LONGEST // 2 :]}"
    return text if len(bare) <= LONGEST else text.replace(bare, short)


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
