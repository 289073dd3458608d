"""How a value is named and kept: open sets by name, modules that add to them, and files written whole."""

from isoloss.files.coding import UNSAVED, decode, encode, fields_of, formerly, was
from isoloss.files.keeping import load, save
from isoloss.files.kinds import KINDS, Kind
from isoloss.files.plugins import load_entry_points, use, used
from isoloss.files.problems import FilesError
from isoloss.files.registry import Registry
from isoloss.files.writing import check_target, write

__all__ = [
    "KINDS",
    "UNSAVED",
    "FilesError",
    "Kind",
    "Registry",
    "check_target",
    "decode",
    "encode",
    "fields_of",
    "formerly",
    "load",
    "load_entry_points",
    "save",
    "use",
    "used",
    "was",
    "write",
]
