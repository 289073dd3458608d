"""Documents of a text, one by one: .txt, .jsonl and .parquet files, or a hub data set."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ENDINGS = (".txt", ".jsonl", ".parquet")
HUB = "hub:"


class TextError(ValueError):
    """A text cannot be read or used: one sentence with the place and what is accepted."""


def files_of(paths: tuple[str, ...]) -> list[Path]:
    """The files of some paths in the order given, those of a folder (and its folders) by name.

    Raises TextError for what is not there, folders without texts and files of other kinds.
    """
    found = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = [
                each
                for each in path.rglob("*")
                if each.suffix.lower() in ENDINGS and each.is_file()
            ]
            if not inside:
                raise TextError(
                    f"the folder {path} holds no texts; accepted are files {_endings()}"
                )
            found += sorted(inside, key=lambda each: each.relative_to(path).as_posix())
        elif not path.is_file():
            raise TextError(
                f"there is no file or folder {path}; give one, or hub:NAME for a data set of the "
                "hub"
            )
        elif path.suffix.lower() not in ENDINGS:
            raise TextError(f"cannot read {path} as text; accepted are files {_endings()}")
        else:
            found.append(path)
    return found


def documents(paths: tuple[str, ...], field: str) -> Iterator[str]:
    """The documents: a .txt file is one, a line of .jsonl and a row of .parquet hold one in
    `field`.

    Raises TextError, with file and line, for a line or row without a document.
    """
    if paths[0].startswith(HUB):
        yield from _of_hub(paths[0].removeprefix(HUB), field)
        return
    for path in files_of(paths):
        kind = path.suffix.lower()
        if kind == ".txt":
            yield _decoded(path.read_bytes(), str(path))
        else:
            yield from (_of_lines if kind == ".jsonl" else _of_rows)(path, field)


def digest_of(paths: tuple[str, ...], field: str) -> str:
    """The sha256 of the text: of the files' bytes in order, or of a hub data set's documents."""
    total = hashlib.sha256()
    if paths[0].startswith(HUB):
        for document in documents(paths, field):
            data = document.encode()
            total.update(f"{len(data)} ".encode() + data)
        return total.hexdigest()
    for path in files_of(paths):
        with path.open("rb") as file:
            total.update(
                f"{path.suffix.lower()} {hashlib.file_digest(file, 'sha256').hexdigest()} ".encode()
            )
    return total.hexdigest()


def _of_lines(path: Path, field: str) -> Iterator[str]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            place = f"{path}, line {number}"
            text = _decoded(line, place)
            if not text.strip():
                continue
            try:
                row = json.loads(text)
            except json.JSONDecodeError as error:
                raise TextError(
                    f"{place} is no JSON: {error.msg} at column {error.colno}"
                ) from None
            if not isinstance(row, dict):
                raise TextError(f"{place} is no JSON object such as {{{json.dumps(field)}: ...}}")
            yield _text_in(row, field, place)


def _of_rows(path: Path, field: str) -> Iterator[str]:
    import polars as pl  # only where there are tables

    try:
        columns = pl.read_parquet_schema(path)
        rows = pl.read_parquet(path, columns=[field]) if field in columns else pl.DataFrame()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise TextError(f"cannot read {path} as parquet: {str(error).splitlines()[0]}") from None
    if field not in columns:
        raise TextError(_without_field(str(path), field, columns))
    for number, value in enumerate(rows[field], 1):
        yield _text_in({field: value}, field, f"{path}, row {number}")


def _of_hub(name: str, field: str) -> Iterator[str]:
    """The documents of the training split of NAME, or NAME:CONFIGURATION."""
    try:
        import datasets
    except ModuleNotFoundError:
        raise TextError(
            f"reading hub:{name} needs the package datasets; pip install 'isoloss[hub]'"
        ) from None
    try:
        rows = datasets.load_dataset(*name.split(":", 1), split="train")
    except (
        OSError,
        ValueError,
        RuntimeError,
    ) as error:  # what the hub and its network raise are all of these
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise TextError(f"cannot fetch hub:{name}: {reason}") from None
    for number, row in enumerate(rows, 1):
        yield _text_in(row, field, f"hub:{name}, row {number}")


def _text_in(row: dict[str, Any], field: str, place: str) -> str:
    if field not in row:
        raise TextError(_without_field(place, field, row))
    if not isinstance(row[field], str):
        raise TextError(f"{place}: {field!r} is {type(row[field]).__name__}, and a text is wanted")
    try:
        row[field].encode()
    except UnicodeEncodeError:
        raise TextError(
            f"{place}: {field!r} holds half a character (a lone surrogate); write whole ones"
        ) from None
    return str(row[field])


def _without_field(place: str, field: str, fields: Any) -> str:
    has = ", ".join(map(repr, fields)) or "none"
    return f"{place} has no field {field!r}; it has {has}: say field=..."


def _decoded(data: bytes, place: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TextError(
            f"{place} is no UTF-8: byte {error.start} is 0x{data[error.start]:02x}; save it as "
            "UTF-8"
        ) from None


def _endings() -> str:
    return " ".join(ENDINGS)
