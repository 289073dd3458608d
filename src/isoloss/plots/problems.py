"""What can be wrong with a request for a figure."""


class PlotError(ValueError):
    """A figure that cannot be drawn or saved, with the reason in one sentence."""
