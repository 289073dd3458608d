"""What the loss of a table is, and the unit it is printed in: the one place that knows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """What a loss is, as reports, figures and JSON name it.

    Attributes
    ----------
    name
        As column ``metric`` and `Law.metric` have it.
    unit
        Of a loss and of a gap between two.
    per_run
        The unit of the loss of a run, in full.
    short
        The same for a column of units and for JSON.
    axis
        The loss with its unit, as an axis of a figure has it.
    """

    name: str
    unit: str
    per_run: str
    short: str
    axis: str

    def amount(self, value: str) -> str:
        """A printed amount with its unit: '0.0123 nats', '0.0123 in excess risk'."""
        return f"{value} {self.unit}" if self.unit == "nats" else f"{value} in {self.unit}"


_RISK = "excess risk"
_KNOWN = (
    Metric("nats", "nats", "nats per token", "nats/token", "loss (nats per token)"),
    # Squared units of the label, which the problem leaves open: the risk names itself.
    Metric("excess_risk", _RISK, _RISK, _RISK, _RISK),
    Metric("nats/byte", "nats", "nats per byte", "nats/byte", "loss (nats per byte)"),
    Metric(
        "nats/character",
        "nats",
        "nats per character",
        "nats/character",
        "loss (nats per character)",
    ),
)
METRICS: tuple[str, ...] = tuple(each.name for each in _KNOWN)


def metric_of(name: str) -> Metric:
    """The metric of a name.

    Parameters
    ----------
    name
        As "nats"; of a table of several, or a metric that is not known here, any other text.

    Returns
    -------
    Metric
        One whose unit is "as metric says" for other texts: nothing is guessed.
    """
    other = Metric(name, "the unit of the metric", "as metric says", "as metric says", "loss")
    return next((each for each in _KNOWN if each.name == name), other)
