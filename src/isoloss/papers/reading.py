"""The claims of the papers, read from the files in `claims`: a folder a paper, a table a claim.

A figure of a claim gives the published number and how near ours must be (``theirs = 3.171, within =
0.001`` or ``within = "1%"``), or the range that it must lie in (``between = [6, 8]``, ``at_least``,
``at_most``).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from math import inf
from types import MappingProxyType
from typing import Any

from isoloss.files import did_you_mean
from isoloss.papers.claim import Claim, Expected, PapersError

_CLAIM = {"name", "place", "says", "rows", "check", "given", "expected", "why"}
_EXPECTED = {"name", "theirs", "within", "between", "at_least", "at_most", "when", "unit"}


@dataclass(frozen=True)
class Paper:
    """A paper, or another source of claims, and what it claims.

    Attributes
    ----------
    name
        The word by which it is asked for, as "kumar2024".
    title, reference
        Its title, and its authors, year and number.
    full_text
        Whether its text was at hand; where not, what fails *differs from our reading*.
    claims
        Its claims by name, in order.
    """

    name: str
    title: str
    reference: str
    full_text: bool
    claims: Mapping[str, Claim]


def papers() -> dict[str, Paper]:
    """All papers by name.

    Raises
    ------
    PapersError
        A file cannot be understood; the message says which claim and why.
    """
    folders = sorted((files("isoloss.papers") / "claims").iterdir(), key=lambda each: each.name)
    found = [read_paper(each) for each in folders if each.is_dir()]
    return {paper.name: paper for paper in found}


def read_paper(folder: Traversable) -> Paper:
    """One paper: a folder of its name with ``paper.toml`` (title, reference, full_text) and files
    of tables ``claim``.

    Raises
    ------
    PapersError
        A file is not such a file, or two claims share a name.
    """
    parts = sorted((each for each in folder.iterdir()), key=lambda each: each.name)
    tables = {each.name: _read(each) for each in parts if each.name.endswith(".toml")}
    if "paper.toml" not in tables:
        raise PapersError(f"'{folder.name}' has no paper.toml")
    head = tables.pop("paper.toml")
    _only(head, {"title", "reference", "full_text"}, f"'paper.toml' of {folder.name}")
    claims: dict[str, Claim] = {}
    for source, table in tables.items():
        for data in table.get("claim", ()):
            claim = _claim(data, folder.name, bool(head["full_text"]), source)
            if claim.name in claims:
                raise PapersError(f"{folder.name} has the claim '{claim.name}' twice")
            claims[claim.name] = claim
    return Paper(
        folder.name,
        head["title"],
        head["reference"],
        head["full_text"],
        MappingProxyType(claims),
    )


def _read(file: Traversable) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except tomllib.TOMLDecodeError as problem:
        raise PapersError(f"cannot read '{file.name}': {problem}") from None


def _claim(data: Mapping[str, Any], paper: str, full_text: bool, source: str) -> Claim:
    where = f"claim '{data.get('name')}' in '{source}'"
    _only(data, _CLAIM, where)
    for name in ("name", "place", "says"):
        if not data.get(name):
            raise PapersError(f"{where} has no {name}")
    claim = Claim(
        paper=paper,
        name=data["name"],
        place=data["place"],
        says=data["says"],
        rows=tuple(data.get("rows", ())),
        check=data.get("check", ""),
        given=MappingProxyType(dict(data.get("given", {}))),
        expected=tuple(_expected(each, where) for each in data.get("expected", ())),
        full_text=full_text,
        why=data.get("why", ""),
    )
    if bool(claim.check) != bool(claim.expected):
        raise PapersError(f"{where} needs both a check and what is expected of it, or neither")
    if not claim.check and not claim.why:
        raise PapersError(f"{where} has no check and does not say why")
    return claim


def _expected(data: Mapping[str, Any], where: str) -> Expected:
    where = f"'{data.get('name')}' of {where}"
    _only(data, _EXPECTED, where)
    theirs = data.get("theirs")
    ranges = [name for name in ("within", "between", "at_least", "at_most") if name in data]
    if len(ranges) != 1 and ranges != ["at_least", "at_most"]:
        raise PapersError(f"{where} needs one of within, between, at_least and at_most")
    if "within" in data and theirs is None:
        raise PapersError(f"{where} is within {data['within']} of nothing: give theirs")
    return Expected(
        name=data["name"],
        theirs=None if theirs is None else float(theirs),
        range=_range(data),
        when=data.get("when", ""),
        unit=data.get("unit", ""),
    )


def _range(data: Mapping[str, Any]) -> tuple[float, float]:
    if "between" in data:
        low, high = data["between"]
        return float(low), float(high)
    if "within" in data:
        theirs, within = float(data["theirs"]), data["within"]
        reach = float(within.rstrip("%")) / 100 * abs(theirs) if isinstance(within, str) else within
        return theirs - reach, theirs + reach
    return float(data.get("at_least", -inf)), float(data.get("at_most", inf))


def _only(data: Mapping[str, Any], known: set[str], where: str) -> None:
    for name in sorted(set(data) - known):
        raise PapersError(f"{where} has '{name}', which means nothing{did_you_mean(name, known)}")
