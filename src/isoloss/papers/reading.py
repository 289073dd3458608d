"""The claims of the papers, read from the files in `claims`: a folder a paper, a table a claim.

A figure of a claim gives the published number and how near ours must be (``theirs = 3.171, within =
0.001`` or ``within = "1%"``), or the range that it must lie in (``between = [6, 8]``, ``at_least``,
``at_most``).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from math import inf, isnan
from types import MappingProxyType
from typing import Any

from isoloss.files import did_you_mean, real_number, whole_number
from isoloss.papers.claim import ORIGINS, Claim, Expected, PapersError

_HEAD = {"title": str, "reference": str, "full_text": bool}
_CLAIM = {
    "name", "place", "says", "rows", "check", "given", "expected", "why", "numbers", "alternatives",
    "changed",
}  # fmt: skip
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
    order
        Its place among papers; those without one come last.
    """

    name: str
    title: str
    reference: str
    full_text: bool
    claims: Mapping[str, Claim]
    order: int = 1000


def papers() -> dict[str, Paper]:
    """All papers by name, in their order.

    Raises
    ------
    PapersError
        A file cannot be understood; the message says which claim and why.
    """
    folders = (files("isoloss.papers") / "claims").iterdir()
    found = [read_paper(each) for each in folders if each.is_dir()]
    return {each.name: each for each in sorted(found, key=lambda each: (each.order, each.name))}


def read_paper(folder: Traversable) -> Paper:
    """One paper: a folder of its name with ``paper.toml`` (title, reference, full_text, and where
    numbers come from unless a claim says otherwise) and files of tables ``claim``.

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
    _only(head, {*_HEAD, "order", "numbers"}, f"'paper.toml' of {folder.name}")
    for name, kind in _HEAD.items():
        if not isinstance(head.get(name), kind):
            raise PapersError(f"'paper.toml' of {folder.name} has no {name}")
    of_all = {"numbers": head.get("numbers", "paper")}
    claims: dict[str, Claim] = {}
    for source, table in tables.items():
        _only(table, {"claim"}, f"'{source}' of {folder.name}")
        for data in table.get("claim", ()):
            claim = _claim({**of_all, **data}, folder.name, head["full_text"], source)
            if claim.name in claims:
                raise PapersError(f"{folder.name} has the claim '{claim.name}' twice")
            claims[claim.name] = claim
    return Paper(
        folder.name,
        head["title"],
        head["reference"],
        head["full_text"],
        MappingProxyType(claims),
        _order(head, folder.name),
    )


def _order(head: Mapping[str, Any], name: str) -> int:
    order = whole_number(head.get("order", Paper.order))
    if order is None:
        raise PapersError(
            f"'paper.toml' of {name}: order is {head['order']!r}; accepted is a whole number"
        )
    return order


def _read(file: Traversable) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except tomllib.TOMLDecodeError as problem:
        raise PapersError(f"cannot read '{file.name}': {problem}") from None


def _origin(data: Mapping[str, Any], where: str) -> str:
    origin = data.get("numbers", "paper")
    if origin not in ORIGINS:
        raise PapersError(f"{where}: numbers is {origin!r}; accepted are {', '.join(ORIGINS)}")
    return str(origin)


def _claim(data: Mapping[str, Any], paper: str, full_text: bool, source: str) -> Claim:
    where = f"claim '{data.get('name')}' in '{source}'"
    _only(data, _CLAIM, where)
    for name in ("name", "place", "says"):
        if not data.get(name):
            raise PapersError(f"{where} has no {name}")
    rows = data.get("rows", [])
    if not isinstance(rows, list):
        raise PapersError(f"{where}: rows are {rows!r}; accepted is a list of names")
    claim = Claim(
        paper=paper,
        name=data["name"],
        place=data["place"],
        says=data["says"],
        rows=tuple(rows),
        check=data.get("check", ""),
        given=MappingProxyType(dict(data.get("given", {}))),
        expected=tuple(_expected(each, where) for each in data.get("expected", ())),
        full_text=full_text,
        why=data.get("why", ""),
        numbers=_origin(data, where),
        alternatives=bool(data.get("alternatives", False)),
        changed=data.get("changed", ""),
    )
    if bool(claim.check) != bool(claim.expected):
        raise PapersError(f"{where} needs both a check and what is expected of it, or neither")
    if not claim.check and not claim.why:
        raise PapersError(f"{where} has no check and does not say why")
    names = [each.name for each in claim.expected]
    if twice := [name for name in names if names.count(name) > 1]:
        raise PapersError(f"{where} has '{twice[0]}' twice")
    return claim


def _expected(data: Mapping[str, Any], where: str) -> Expected:
    if not data.get("name"):
        raise PapersError(f"a figure of {where} has no name")
    where = f"'{data['name']}' of {where}"
    _only(data, _EXPECTED, where)
    theirs = _number(data["theirs"], "theirs", where) if "theirs" in data else None
    ranges = [name for name in ("within", "between", "at_least", "at_most") if name in data]
    if len(ranges) != 1 and ranges != ["at_least", "at_most"]:
        raise PapersError(f"{where} needs one of within, between, at_least and at_most")
    return Expected(
        name=data["name"],
        theirs=theirs,
        range=_range(data, theirs, where),
        when=data.get("when", ""),
        unit=data.get("unit", ""),
    )


def _range(data: Mapping[str, Any], theirs: float | None, where: str) -> tuple[float, float]:
    if "between" in data:
        ends = data["between"]
        if not isinstance(ends, list) or len(ends) != 2:
            raise PapersError(f"{where}: between is {ends!r}; accepted are two numbers")
        return _number(ends[0], "between", where), _number(ends[1], "between", where)
    if "within" in data:
        if theirs is None:
            raise PapersError(f"{where} is within {data['within']} of nothing: give theirs")
        reach = _reach(data["within"], theirs, where)
        return theirs - reach, theirs + reach
    low, high = data.get("at_least", -inf), data.get("at_most", inf)
    return _number(low, "at_least", where), _number(high, "at_most", where)


def _reach(within: object, theirs: float, where: str) -> float:
    """How far ours may be from theirs: a number, or a share of theirs, as "5%"."""
    share = isinstance(within, str) and re.fullmatch(r"\d+(\.\d+)?%", within)
    reach = float(str(within)[:-1]) / 100 * abs(theirs) if share else real_number(within)
    if not reach >= 0:
        raise PapersError(f"{where}: within {within!r}; accepted is a number or a share, as '5%'")
    return reach


def _number(value: object, what: str, where: str) -> float:
    number = real_number(value)
    if isnan(number):
        raise PapersError(f"{where}: {what} is {value!r}; accepted is a number")
    return number


def _only(data: Mapping[str, Any], known: set[str], where: str) -> None:
    for name in sorted(set(data) - known):
        hint = did_you_mean(name, known) or f"accepted are {', '.join(sorted(known))}"
        raise PapersError(f"{where} has '{name}', which means nothing; {hint}")
