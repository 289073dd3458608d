"""The sampler: SGD with real rounding, replicate by replicate.

From a point to a risk in six steps, each in a file of its own.

1. trial.py. Problem, descent and precision are checked and become one value: which data, which norm
   of the risk, which step size as a number, which formats and scales.
2. data_source.py. How samples are drawn: independent features, or what a sketch makes of them; and
   the optimum and the norm that the result is measured with.
3. kernels/rules.py. Every quantiser becomes twelve numbers, the form in which compiled code reads
   it.
4. kernels/task.py. What all replicates share, as one tuple; random numbers are a function of seed,
   purpose, replicate and place (kernels/counter_rng.py), so nothing depends on threads or order.
5. running.py. Pieces of replicates run in threads through kernels/replicate.py, the compiled loop;
   kernels/twin.py and its rows and blocks are the rounding, bit for bit that of `formats`.
6. drawing.py and sampling.py. What is kept of the replicates: risks, their standard error, bias and
   variance; replicates.py has differences of pairs, sweeping.py the settings of a grid.
"""

from isoloss.linear.sampled.replicates import Difference, Replicates
from isoloss.linear.sampled.sampling import REPLICATES, sample_risk, sample_risks
from isoloss.linear.sampled.sweeping import Sampling, swept_risks
from isoloss.linear.sampled.trial import Manner, manner_of

# fmt: off
__all__ = [
    "REPLICATES", "Difference", "Manner", "Replicates", "Sampling", "manner_of", "sample_risk",
    "sample_risks", "swept_risks",
]
# fmt: on
