"""Readers of files, one file each: whatever stands in this folder registers the endings that it
reads.
"""

__all__: list[str] = []
