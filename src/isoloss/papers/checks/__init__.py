"""The checks of claims: a file a subject, read in the order of their names."""

__all__: list[str] = []
