"""x."""


def quantise() -> None:
    """x."""
