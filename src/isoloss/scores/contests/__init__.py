"""The arena: laws and baselines on the same held-out runs of the same tables.

Read in this order: `protocols` (what is held out), `entrants` (what predicts it: laws, their
average, baselines), `standing` (the values), `entering` (the verb).
"""

from isoloss.scores.contests.entering import arena, known_tables, trained
from isoloss.scores.contests.entrants import BASELINES, Told
from isoloss.scores.contests.protocols import PROTOCOLS, Protocol
from isoloss.scores.contests.standing import Arena, Entrant

__all__ = [
    "BASELINES",
    "PROTOCOLS",
    "Arena",
    "Entrant",
    "Protocol",
    "Told",
    "arena",
    "known_tables",
    "trained",
]
