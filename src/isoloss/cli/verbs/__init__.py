"""The commands, one thin file each, with their examples: ``isoloss.cli.entry`` lists the files."""

__all__: list[str] = []
