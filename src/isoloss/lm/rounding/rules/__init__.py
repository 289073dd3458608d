"""The gradient rules of training, one file each: its record under the name RULE."""

__all__: list[str] = []
