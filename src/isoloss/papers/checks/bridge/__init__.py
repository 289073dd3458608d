"""Laws of language models put to exact runs of regression."""

__all__: list[str] = []
