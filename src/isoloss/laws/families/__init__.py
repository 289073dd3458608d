"""The published laws, one file a family: `laws()` composes them of terms, `ORDER` places them.

A new law is a new file here and no other change: the folder is read at the first look-up, by
`ORDER` (a file without one comes last, by name).
"""

__all__: list[str] = []
