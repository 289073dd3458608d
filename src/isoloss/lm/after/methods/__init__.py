"""The methods after training, one file each: its record under the name METHOD."""

__all__: list[str] = []
