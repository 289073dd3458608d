"""Which mechanisms of the linear theory two-layer networks keep: studies with a verdict each."""

from isoloss.linear.studies.on_networks.batches import network_batch
from isoloss.linear.studies.on_networks.dimensions import network_dimension
from isoloss.linear.studies.on_networks.floors import network_floor
from isoloss.linear.studies.on_networks.spectra import network_spectrum
from isoloss.linear.studies.on_networks.verdict import Verdict, verdicts_of
from isoloss.linear.studies.on_networks.widths import network_width

# fmt: off
__all__ = [
    "Verdict", "network_batch", "network_dimension", "network_floor", "network_spectrum",
    "network_width", "verdicts_of",
]
# fmt: on
