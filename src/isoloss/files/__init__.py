"""How a value is named and kept: open sets, modules that add to them, files written whole."""

from isoloss.files.coding import (
    UNSAVED,
    decode,
    encode,
    equal_by_content,
    equal_by_fields,
    fields_of,
    formerly,
    from_fields,
    was,
)
from isoloss.files.folders import modules_of
from isoloss.files.json_text import json_values, read_json
from isoloss.files.keeping import load, save
from isoloss.files.kinds import KINDS, Kind
from isoloss.files.names import checked_name
from isoloss.files.origin import FileOrigin, command, is_saved, made_by, origin_of, versions
from isoloss.files.plugins import load_entry_points, use, used
from isoloss.files.problems import INTERRUPTED, FilesError, printable, reason, shown, stopped
from isoloss.files.registry import Registry
from isoloss.files.showing import (
    brief,
    displayed,
    screen,
)
from isoloss.files.threads import AWAITED, in_threads
from isoloss.files.values import (
    checked_level,
    did_you_mean,
    least_draws,
    percent,
    real_number,
    shown_value,
    whole_number,
)
from isoloss.files.writing import check_target, write

# fmt: off
__all__ = [
    "AWAITED", "INTERRUPTED", "KINDS", "UNSAVED", "FileOrigin", "FilesError", "Kind", "Registry",
    "brief", "check_target", "checked_level", "checked_name", "command", "decode", "did_you_mean",
    "displayed", "encode", "equal_by_content", "equal_by_fields", "fields_of", "formerly",
    "from_fields", "in_threads", "is_saved", "json_values", "least_draws", "load",
    "load_entry_points", "made_by", "modules_of", "origin_of", "percent", "printable", "read_json",
    "real_number", "reason", "save", "screen", "shown", "shown_value", "stopped", "use", "used",
    "versions", "was", "whole_number", "write",
]
# fmt: on
