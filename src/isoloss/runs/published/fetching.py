"""Getting the files of a public table: from a local data folder, else from the pinned commit."""

from __future__ import annotations

import hashlib
import os
from importlib import resources
from pathlib import Path
from urllib.parse import quote

from isoloss.files import in_threads, write
from isoloss.runs.problems import DownloadError, RunsError
from isoloss.runs.published.public_table import PublicFile, PublicTable

MIRROR = "https://raw.githubusercontent.com"
#: The largest download, in bytes: the largest published file has 0.2 MB. It is measured before the
#: content is hashed, while it comes.
MOST_BYTES = 1 << 26
AT_ONCE = 8  # downloads; two of the tables are dozens of small files


def fetch(table: PublicTable) -> dict[str, bytes]:
    """The contents of a table's files by local path, each with the pinned hash.

    Looks into the folder that ISOLOSS_DATA names, then into the cache (ISOLOSS_CACHE, or the
    system's), then downloads from ISOLOSS_MIRROR or GitHub. RunsError says what to do where the
    folder is none, DownloadError where nothing has a file.
    """
    if table.bundled:
        return {table.bundled: bundled_folder().joinpath(table.bundled).read_bytes()}
    folder = data_folder()
    contents = {file.local: _from_folder(folder, file) for file in table.listed()}
    absent = [file for file in table.listed() if contents[file.local] is None]
    found = in_threads(lambda file: _download(table, file), absent, AT_ONCE)
    contents |= {file.local: content for file, content in zip(absent, found, strict=True)}
    return {local: content for local, content in contents.items() if content is not None}


def bundled_folder() -> resources.abc.Traversable:
    """The folder of the tables that come with isoloss."""
    return resources.files("isoloss.runs").joinpath("tables")


def data_folder() -> Path | None:
    """The folder that ISOLOSS_DATA names, None where it names none.

    Raises
    ------
    RunsError
        There is no such folder: a wrong name would be a download without a word.
    """
    named = os.environ.get("ISOLOSS_DATA")
    if not named:
        return None
    if not Path(named).is_dir():
        raise RunsError(
            f"ISOLOSS_DATA is '{named}', which is no folder; accepted is a folder that holds the "
            "files of public tables; unset it to download them"
        )
    return Path(named)


def _from_folder(folder: Path | None, file: PublicFile) -> bytes | None:
    """The file's content from a folder, None where it is not there."""
    path = folder / file.local if folder else None
    if path is None or not path.is_file():
        return None
    content = path.read_bytes()
    found = _sha256(content)
    if found != file.sha256:
        raise RunsError(
            f"'{path}' is not the published file: its sha256 is {found[:12]}... where "
            f"{file.sha256[:12]}... "
            "is expected; remove it or unset ISOLOSS_DATA"
        )
    return content


def _download(table: PublicTable, file: PublicFile) -> bytes:
    import pooch  # heavy, and needed only here

    base = os.environ.get("ISOLOSS_MIRROR", MIRROR).rstrip("/")
    url = f"{base}/{table.repository}/{table.provenance.commit}/{quote(file.path, safe='/=')}"
    cache = Path(os.environ.get("ISOLOSS_CACHE") or pooch.os_cache("isoloss"))
    path = cache / f"{file.sha256[:16]}-{Path(file.path).name}"
    if path.is_file() and _sha256(content := path.read_bytes()) == file.sha256:
        return content
    content = _got(url, f"'{table.name}'", file)
    if _sha256(content) != file.sha256:
        raise DownloadError(
            f"what {url} gives is not the published file (its sha256 differs); try again later"
        )
    cache.mkdir(parents=True, exist_ok=True)
    write(path, content, force=True, problem=RunsError)
    return content


def _got(url: str, wanted_by: str, file: PublicFile) -> bytes:
    """What stands at an address; DownloadError says what to do where nothing is to be had, or far
    more than a table.
    """
    import requests  # heavy, and needed only here

    content = bytearray()
    try:
        with requests.get(url, timeout=30, stream=True) as response:
            response.raise_for_status()
            for piece in response.iter_content(1 << 16):
                content += piece
                if len(content) > MOST_BYTES:
                    raise DownloadError(
                        f"what {url} gives is larger than {MOST_BYTES} bytes, so it is not the "
                        "published file; try again later, or set ISOLOSS_DATA to a folder that "
                        f"holds {file.local}"
                    )
    except OSError as error:
        raise DownloadError(
            f"cannot download {url} ({type(error).__name__}) for {wanted_by}; connect to the "
            "network and try again, or set "
            f"ISOLOSS_DATA to a folder that holds {file.local}"
        ) from None
    return bytes(content)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
