"""Studies: the experiments of the papers and open questions, each a table by name."""

from isoloss.linear.studies.by_name import STUDIES, study
from isoloss.linear.studies.question import Study

# fmt: off
__all__ = [
    "STUDIES", "Study", "study",
]
# fmt: on
