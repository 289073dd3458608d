"""Claims of the two theory papers put to the exact and to the sampled risk."""

__all__: list[str] = []
