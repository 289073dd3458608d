"""An open set: records by name, `register` for one more, and where each comes from.

A format, a method after training, a law, a machine or a reader is one record with its behaviour.
What isoloss ships is registered by its own files; a user's own record is registered by a module of
theirs, which any process can import: by an entry point of an installed package (group "isoloss"),
by `use("module")`, or by ``--use module`` on the command line. A saved file or a task names that
module (`home`), and it is never imported because a file says so.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import Generic, TypeVar

from isoloss.files.plugins import REGISTRIES, load_entry_points
from isoloss.files.values import did_you_mean

T = TypeVar("T")
OWN = "isoloss"


class Registry(Generic[T]):
    """Records of one kind by name.

    Parameters
    ----------
    kind
        What a record is in a message: "format", "law", "machine".
    problem
        The ValueError to raise, so that a room keeps its own type.
    load
        Called once before the first look-up, to register what isoloss itself ships.
    of
        The type of its records; anything else is refused.
    """

    def __init__(
        self,
        kind: str,
        problem: type[ValueError] = ValueError,
        load: Callable[[], None] | None = None,
        of: type[T] | None = None,
    ) -> None:
        self.kind = kind
        self.problem = problem
        self._load = load
        self._of = of
        self._watchers: list[Callable[[], None]] = []
        self._records: dict[str, T] = {}
        self._homes: dict[str, str] = {}
        REGISTRIES.add(self)

    def register(
        self, name: str, record: T, *, replace: bool = False, home: str | None = None
    ) -> T:
        """Add a record under a name, and return it.

        Parameters
        ----------
        name
            Its name, as it is spelled everywhere.
        record
            The value.
        replace
            Give a taken name to this record, as when the cell of a notebook runs again.
        home
            The module that registers it; by default that of the caller, found through the
            functions of isoloss that registered on its behalf (`register_method` and the like).

        Raises
        ------
        ValueError
            The name is taken by another record, or the record is of another type.
        """
        self.check(record)
        self.check_free(name, record, replace)
        self._records[name] = record
        self._homes[name] = home or _calling_module()
        self._changed()
        return record

    def add(self, record: T, *, replace: bool = False, home: str | None = None) -> T:
        """Register a record under the name that it has itself; arguments as of `register`."""
        self.check(record)
        name: str = record.name  # type: ignore[attr-defined]
        return self.register(name, record, replace=replace, home=home)

    def check(self, record: object) -> None:
        """Raise the registry's ValueError for a record of another type than its own."""
        if self._of is not None and not isinstance(record, self._of):
            raise self.problem(
                f"cannot register a {type(record).__name__} as a {self.kind}; "
                f"it takes a {self._of.__name__}"
            )

    def when_changed(self, call: Callable[[], None]) -> None:
        """Call a function whenever a name gets another meaning, as to empty a cache of names."""
        self._watchers.append(call)

    def _changed(self) -> None:
        for call in self._watchers:
            call()

    def check_free(self, name: str, record: T, replace: bool = False) -> None:
        """Raise the registry's ValueError if the name is taken by another record."""
        self._ready()
        if not replace and name in self._records and self._records[name] != record:
            raise self.problem(
                f"the {self.kind} '{name}' is already registered by {self._homes[name]}; "
                "choose another name or say replace=True"
            )

    def state(self) -> tuple[dict[str, T], dict[str, str]]:
        """Records and homes as they are now, for `restore`."""
        self._ready()
        return dict(self._records), dict(self._homes)

    def restore(self, state: tuple[dict[str, T], dict[str, str]]) -> None:
        """Hold of a user's own what `state` gave; what isoloss loaded since then stays."""
        records, homes = state
        for name, home in list(self._homes.items()):
            if self.is_shipped(home):
                continue
            if name in records:
                self._records[name], self._homes[name] = records[name], homes[name]
                self._changed()
            else:
                self.remove(name)

    def remove(self, name: str) -> None:
        """Forget a record; unknown names are ignored."""
        self._records.pop(name, None)
        self._homes.pop(name, None)
        self._changed()

    def find(self, name: str) -> T | None:
        """The record of a name, or None; plugins of installed packages are loaded before giving
        up.
        """
        self._ready()
        if name not in self._records:
            load_entry_points()
        return self._records.get(name)

    def __getitem__(self, name: str) -> T:
        """The record of a name.

        Raises
        ------
        ValueError
            No record has this name; the message has the nearest names and all that there are.
        """
        found = self.find(name)
        if found is None:
            raise self.problem(self.unknown(name))
        return found

    def unknown(self, name: str, home: str | None = None) -> str:
        """The sentence for a name without a record; `home` is the module that a file says it comes
        from.
        """
        shown = repr(name[:60])
        if home and not self.is_shipped(home):
            return (
                f"the {self.kind} {shown} was registered by the module '{home}', which is not "
                "loaded here; "
                f"use('{home}') or --use {home} loads it, or the path of its .py file in place of "
                "the name"
            )
        asked = did_you_mean(name, self._records)
        accepted = f"accepted are {', '.join(self._records)}"
        if asked:
            return f"unknown {self.kind} {shown}; {asked} {accepted}"
        return f"unknown {self.kind} {shown}; {accepted}, and your own with --use or il.use"

    def own(self, records: Iterable[T]) -> tuple[T, ...]:
        """Those of some registered records that isoloss does not ship, each once: what a worker
        must be sent.
        """
        return tuple(
            record
            for record in dict.fromkeys(records)
            if not self.is_shipped(self.home(record.name))  # type: ignore[attr-defined]
        )

    def receive(self, record: T, home: str) -> None:
        """Register a record that another process sent; one that is known already keeps its home."""
        if self.find(record.name) != record:  # type: ignore[attr-defined]
            self.add(record, replace=True, home=home)

    def home(self, name: str) -> str:
        """The module that registered a name: what a saved file or a task carries beside the
        name.
        """
        self._ready()
        return self._homes[name]

    @staticmethod
    def is_shipped(home: str) -> bool:
        """Whether a module is a part of isoloss itself."""
        return home.partition(".")[0] == OWN

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.find(name) is not None

    def __iter__(self) -> Iterator[str]:
        """Names in the order of registration, plugins of installed packages included."""
        self._ready()
        load_entry_points()
        return iter(tuple(self._records))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def items(self) -> tuple[tuple[str, T], ...]:
        """Names with their records, in the order of registration."""
        return tuple((name, self._records[name]) for name in self)

    def values(self) -> tuple[T, ...]:
        """Records in the order of registration."""
        return tuple(record for _, record in self.items())

    def _ready(self) -> None:
        load, self._load = self._load, None
        if load is None:
            return
        try:
            load()
        except BaseException:
            self._load = load  # a second look says the same, and not that there are no names
            raise


def _calling_module() -> str:
    """The module that a call came from, past functions of isoloss.

    The body of a file of isoloss is where the way ends: a shipped file that registers at its top
    is the home itself, whoever had it imported.
    """
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_name != "<module>":
        if not Registry.is_shipped(_module_of(frame)):
            break
        frame = frame.f_back
    return _module_of(frame)


def _module_of(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "__main__"))
