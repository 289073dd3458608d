"""A shape as someone gives it: the name of a published model, a `config.json`, or words."""

from __future__ import annotations

from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from isoloss.files import did_you_mean
from isoloss.runs.problems import RunsError
from isoloss.runs.shapes.config_json import read_config
from isoloss.runs.shapes.decoder import Decoder
from isoloss.runs.shapes.mixture import Mixture
from isoloss.runs.shapes.published_shapes import SHAPES


def as_shape(given: str | Path | Decoder | Mixture) -> Decoder | Mixture:
    """The shape that is meant.

    Parameters
    ----------
    given
        A shape, which comes back as it is; the name of a published model, as "llama3-8b"; the path
        of a `config.json`; or the words of a Decoder, as "layers=32,width=4096,heads=32,kv_heads=8,
        vocab=128256,ffn=14336" (switches as tied=yes).

    Raises
    ------
    RunsError
        No model has this name, the file cannot be read, or a word is unknown, missing or no number.
    """
    if isinstance(given, Decoder | Mixture):
        return given
    if not isinstance(given, str | Path):
        raise RunsError(f"shape is {given!r}; give a name, a config.json, words or a Decoder")
    text = str(given).strip()
    if text.endswith(".json") or isinstance(given, Path):
        return read_config(Path(text))
    if "=" in text:
        return _of_words(text)
    return SHAPES[text.lower().replace("_", "-")].shape


def _of_words(text: str) -> Decoder:
    known = {f.name: f for f in fields(Decoder)}
    found: dict[str, Any] = {}
    for part in text.split(","):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if name not in known:
            near = did_you_mean(name, known)
            raise RunsError(
                f"cannot read {part.strip()[:60]!r} of a decoder; {near + ' ' if near else ''}"
                f"accepted are {', '.join(f'{word}=' for word in known)}"
            )
        if name in found:
            raise RunsError(f"{name} is given twice; give it once")
        switch = isinstance(known[name].default, bool)
        found[name] = _switch(name, value) if switch else _whole(name, value)
    missing = [n for n, f in known.items() if f.default is MISSING and n not in found]
    if missing:
        raise RunsError(f"the decoder has no {', '.join(missing)}; give each, as {missing[0]}=32")
    return Decoder(**found)


def _whole(name: str, value: str) -> int:
    digits = value.replace("_", "")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 12):
        raise RunsError(f"{name} is {value[:60]!r}; accepted is a whole number")
    return int(digits)


def _switch(name: str, value: str) -> bool:
    switches = {"yes": True, "no": False, "true": True, "false": False, "1": True, "0": False}
    if value.lower() not in switches:
        raise RunsError(f"{name} is {value[:60]!r}; accepted are yes and no")
    return switches[value.lower()]
