"""The published laws, one file a family: each is composed of terms, with its source."""

__all__: list[str] = []
