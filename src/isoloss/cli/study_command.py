"""``isoloss simulate --study``: a study with the parameters that the command line gives, its table
and its figure kept, and what is done never lost.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import isoloss as il
from isoloss.cli.arguments import listed
from isoloss.cli.manual import given_options
from isoloss.cli.output import draw, followed, keep, say, show, show_json
from isoloss.cli.refusing import Refused

if TYPE_CHECKING:
    from isoloss.linear import Study

#: Options of the command that are about the study, not parameters of it.
OWN = ("study", "settings", "output", "drawing", "force", "as_json")
#: What stands behind the name of the file that finished points are kept in.
UNFINISHED = ".unfinished"


def list_studies() -> None:
    """Print the studies with what they show and their parameters."""
    rows = tuple(
        (
            name,
            " ".join((maker.__doc__ or "").split()),
            "; ".join(map(str, il.linear.study_parameters(name))),
        )
        for name, maker in il.linear.STUDIES.items()
    )
    head = ("name", "what it shows", "parameters, as by default")
    lines = ("options of the same name, --set NAME=VALUE for the others",)
    show([il.fits.Section(f"{len(rows)} studies", lines, head, rows)])


def run_study(
    name: str,
    settings: Sequence[str] | None,
    output: Path | None,
    drawing: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Compute a study, keep its table, print its answer, draw it; in this order, so that nothing
    that is done depends on what may fail after it.
    """
    given = _given(settings or ())
    store = Path(f"{output or drawing or name}{UNFINISHED}")
    if force:
        store.unlink(missing_ok=True)
    found = _computed(name, given, store)
    try:
        keep(found, len(found.table), output, force)
    except ValueError as error:
        raise Refused(f"{error}{_kept(store)}") from None
    if output is not None:
        store.unlink(missing_ok=True)  # the table holds every point now
    _print(found, as_json)
    try:
        draw(found, output, drawing, force)
    except Refused:  # the table is kept, as it says
        store.unlink(missing_ok=True)
        raise
    store.unlink(missing_ok=True)


def _given(settings: Sequence[str]) -> dict[str, Any]:
    """Parameters by name: options that the command line gives, and what --set says."""
    given: dict[str, Any] = {}
    for name, value in given_options().items():
        if name not in OWN:
            plain = getattr(value, "value", value)
            given[name] = listed(list(plain), name) if isinstance(plain, list | tuple) else plain
    for text in settings:
        name, sign, value = (part.strip() for part in text.partition("="))
        if not (name.isidentifier() and sign and value):
            raise Refused(f"cannot read --set {text!r}; write it like eps=0.01 or noise=add,vec")
        if name in given:
            raise Refused(f"{name} is given twice, {given[name]!r} and {value!r}")
        given[name] = listed([value], name)
    return given


def _computed(name: str, given: dict[str, Any], store: Path) -> Study:
    """The study; when it is stopped, a sentence says how to go on."""
    done = (0, 0)
    with followed(f"study {name}") as show_done, _terminated_like_interrupted():

        def tell(count: int, total: int) -> None:
            nonlocal done
            done = count, total
            show_done(count, total)

        try:
            return il.linear.study(name, progress=tell, store=store, **given)
        except KeyboardInterrupt:
            say(f"stopped after {done[0]} of {done[1]} points{_kept(store)}")
            raise
        except ValueError as error:
            if not done[0]:
                raise
            text = f"after {done[0]} of {done[1]} points: {error}{_kept(store)}"
            raise Refused(text) from None


def _kept(store: Path) -> str:
    """Where finished points are, as the end of a sentence."""
    if not store.exists():
        return ""
    return f"; they are kept in {store}, and the same command goes on from there"


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Lets a SIGTERM end the work as Ctrl-C does, so that what is done is kept."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    usual = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, usual)


def _print(found: Study, as_json: bool) -> None:
    if as_json:
        content = {
            "name": found.name,
            "question": found.question,
            "answer": found.answer,
            "table": found.table.to_dicts(),
        }
        show_json("study", content)
        return
    question = il.fits.Section(found.name, (found.question,))
    show([question, il.fits.Section("What the table shows", found.answer)])
