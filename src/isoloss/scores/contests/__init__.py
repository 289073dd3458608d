"""The arena: laws and baselines on the same held-out runs of the same tables.

Read in this order: `tables` (which rows), `protocols` (what of them is held out), `entrants` (what
predicts it: laws, their average, baselines), `standing` (the values), `entering` (the verb).
"""

from isoloss.scores.contests.entering import arena
from isoloss.scores.contests.entrants import BASELINES, GAP_BASELINES, Told
from isoloss.scores.contests.protocols import PROTOCOLS, Protocol
from isoloss.scores.contests.standing import Arena, Entrant
from isoloss.scores.contests.tables import known_tables, on_trial, trained

__all__ = [
    "BASELINES",
    "GAP_BASELINES",
    "PROTOCOLS",
    "Arena",
    "Entrant",
    "Protocol",
    "Told",
    "arena",
    "known_tables",
    "on_trial",
    "trained",
]
