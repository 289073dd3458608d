"""The figures, one file each: every file here is read when the first figure is drawn."""

__all__: list[str] = []
