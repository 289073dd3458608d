"""The commands of ``isoloss theory``: what the theory of the papers says, beside exact risk."""

__all__: list[str] = []
