"""The arena: laws and baselines on the same held-out runs of the same tables.

Read in this order: `protocols` (what is held out), `entrants` (what predicts it: laws, their
average, baselines), `standing` (the values), `entering` (the verb).
"""

from isoloss.scores.arena.entering import arena
from isoloss.scores.arena.entrants import BASELINES, Told
from isoloss.scores.arena.protocols import PROTOCOLS, Protocol
from isoloss.scores.arena.standing import Arena, Entrant

__all__ = ["BASELINES", "PROTOCOLS", "Arena", "Entrant", "Protocol", "Told", "arena"]
