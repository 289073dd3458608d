"""Studies and speeds: each prints the figures that the README, the docs and the notes state."""
