"""How a value is named and kept: open sets of records by name, and the modules that add to them."""

from isoloss.files.plugins import load_entry_points, use, used
from isoloss.files.registry import Registry

__all__ = ["Registry", "load_entry_points", "use", "used"]
