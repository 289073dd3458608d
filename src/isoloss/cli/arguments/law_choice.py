"""Laws as the command line names them: by name or file, with constants held or freed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import isoloss as il
from isoloss.cli.arguments.options import Fitting
from isoloss.cli.arguments.things import saved_or_law
from isoloss.cli.refusing import Refused

if TYPE_CHECKING:
    from isoloss.laws import Law


def chosen_laws(names: Sequence[str], fitting: Fitting) -> list[Law]:
    """The laws of these names or files with --fix and --free applied where a law has the constant.

    Raises ValueError for a name that is no law, Refused for a constant that none of them has.
    """
    if repeated := {name for name in names if names.count(name) > 1}:
        raise Refused(f"law {min(repeated)!r} is named twice; name each once")
    laws = [il.laws.as_law(saved_or_law(name)) for name in names]
    held = dict(_held(text) for text in fitting.fix or [])
    freed = list(fitting.free or [])
    if both := [name for name in freed if name in held]:
        raise Refused(f"constant {both[0]!r} cannot be both fixed and free")
    for name in (*held, *freed):
        _check_known(name, laws)
    return [_changed(law, held, freed) for law in laws]


def _changed(law: Law, held: dict[str, float | None], freed: Sequence[str]) -> Law:
    own = {constant.name for constant in law.constants}
    law = law.release(*(name for name in freed if name in own))
    law = law.with_values(
        {name: value for name, value in held.items() if value is not None and name in own}
    )
    return law.fix(*(name for name in held if name in own))


def _held(text: str) -> tuple[str, float | None]:
    name, sign, value = text.rpartition("=") if "=" in text else (text, "", "")
    if not name.strip():
        raise Refused(
            f"cannot read --fix {text!r}; write it like kappa=1, or kappa for the law's own value"
        )
    return name.strip(), il.runs.number(value.strip()) if sign else None


def _check_known(name: str, laws: Sequence[Law]) -> None:
    known = dict.fromkeys(constant.name for law in laws for constant in law.constants)
    if name not in known:
        hint = il.files.did_you_mean(name, known, 1, 0.6) or f"there are {', '.join(known)}"
        raise Refused(
            f"{' and '.join(law.name for law in laws)} {'has' if len(laws) == 1 else 'have'} "
            f"no constant {name!r}; {hint}"
        )
