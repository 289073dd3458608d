"""Claims put to tables of runs: those of Kumar et al. 2024, and the disputes of the literature."""

__all__: list[str] = []
