"""What follows from the published constants of Kumar et al. 2024: figures, numbers, errata."""

__all__: list[str] = []
