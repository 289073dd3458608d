"""Studies: the experiments of the papers and open questions, each a table by name."""

from isoloss.linear.studies.by_name import STUDIES, study, study_parameters
from isoloss.linear.studies.parameters import Parameter
from isoloss.linear.studies.question import Reference, Study

# fmt: off
__all__ = [
    "STUDIES", "Parameter", "Reference", "Study", "study", "study_parameters",
]
# fmt: on
