"""What checks share: the laws, tables and fits that they rest on, each made once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from isoloss.fits import Fit, fit
from isoloss.laws import Law, as_law
from isoloss.papers.claim import NotAtHand, NotDownloaded
from isoloss.runs import DownloadError, Runs, RunsError, read

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Laboratory:
    """Laws, tables and fits by name, each made at its first use and kept.

    Attributes
    ----------
    seed
        Seed of everything that is drawn.
    """

    seed: int = 0
    _kept: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    def law(self, name: str) -> Law:
        """A published law."""
        return self.once(("law", name), lambda: as_law(name))

    def runs(self, name: str) -> Runs:
        """A bundled or public table of runs; raises NotAtHand where it cannot be read and
        NotDownloaded where it cannot be got, which is tried once.
        """
        found: Runs | NotAtHand = self.once(("runs", name), lambda: _read(name))
        if isinstance(found, NotAtHand):
            raise found
        return found

    def fit(self, law: str, runs: str, **options: Any) -> Fit:
        """A fit of a law to a table with the options of `isoloss.fit`."""
        return self.once(
            ("fit", law, runs, *sorted(options.items())),
            lambda: fit(law, self.runs(runs), seed=self.seed, **options),
        )

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, made at the first call with this key."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]  # type: ignore[no-any-return]


def _read(name: str) -> Runs | NotAtHand:
    try:
        return read(name)
    except DownloadError as error:
        return NotDownloaded(str(error))
    except RunsError as error:
        return NotAtHand(str(error))
