"""A folder of forecasts as a ledger: all of them in the order of their chain, none changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from isoloss.files import displayed, load
from isoloss.fits import Section, text
from isoloss.runs import compact
from isoloss.scores.frozen_forecast import Forecast
from isoloss.scores.ledger_files import files_of, in_order
from isoloss.scores.problems import ScoreError


@displayed
@dataclass(frozen=True, repr=False)
class Ledger:
    """The forecasts of a folder, the first first. Prints itself.

    Attributes
    ----------
    names
        Names of the files.
    forecasts
        What they hold.
    others
        Names of the other JSON files of the folder, which are no forecasts.
    """

    names: tuple[str, ...]
    forecasts: tuple[Forecast, ...]
    others: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.forecasts)

    def __iter__(self) -> Iterator[tuple[str, Forecast]]:
        yield from zip(self.names, self.forecasts, strict=True)

    @property
    def head(self) -> str:
        """The hash of the last forecast, which stands for all of them."""
        return self.forecasts[-1].hash

    def sections(self) -> list[Section]:
        """The report: one row a forecast, and the head."""
        rows = tuple(
            (name, each.made, each.quantity, str(len(each)), compact(float(each.params.max())),
             compact(float(each.tokens.max())), each.hash[:12])
            for name, each in self
        )  # fmt: skip
        head = ("file", "made", "of", "points", "most params", "most tokens", "hash")
        lines = [f"{len(self)} forecasts, none changed; head {self.head}"]
        lines += [f"no forecasts, and not checked: {', '.join(self.others)}"] if self.others else []
        return [Section("Ledger", tuple(lines), head, rows)]

    def __str__(self) -> str:
        return text(self.sections())


def ledger(folder: str | Path) -> Ledger:
    """Read all forecasts of a folder and check their chain of hashes.

    Parameters
    ----------
    folder
        The folder.

    Returns
    -------
    Ledger
        The forecasts in their order.

    Raises
    ------
    ScoreError
        There is none, a JSON file cannot be read, or the chain is broken: a forecast is missing or
        two come after one.
    FilesError
        A forecast was changed or cannot be read.
    """
    path = Path(folder)
    files, others = files_of(path)
    if not files:
        raise ScoreError(f"'{path}' has no forecasts; 'isoloss forecast -o' makes one")
    found = {}
    for each in files:
        value: Forecast = load(each)
        if value.hash in found:
            raise ScoreError(f"'{each}' is the copy of another forecast in its folder")
        found[value.hash] = (each.name, value)
    order = in_order({mine: value.previous for mine, (_, value) in found.items()})
    names, values = zip(*(found[mine] for mine in order), strict=True)
    return Ledger(names, values, tuple(each.name for each in others))
