"""Two-layer networks that learn a teacher by rounded SGD: a door of its own, since it needs
torch."""

from isoloss.linear.networks.curvature import Curvature, gauss_newton, network_limit
from isoloss.linear.networks.network import Network
from isoloss.linear.networks.risks import NetworkRisks, input_floors, network_risks
from isoloss.linear.networks.tables import simulate_networks
from isoloss.linear.networks.training import Trained, train_networks

# fmt: off
__all__ = [
    "Curvature", "Network", "NetworkRisks", "Trained", "gauss_newton", "input_floors",
    "network_limit", "network_risks", "simulate_networks", "train_networks",
]
# fmt: on
