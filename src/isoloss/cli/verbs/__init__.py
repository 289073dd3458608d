"""The commands, one thin file each."""

from isoloss.cli.verbs.disagree_verb import disagree
from isoloss.cli.verbs.fit_verbs import compare, fit
from isoloss.cli.verbs.formats_verb import formats
from isoloss.cli.verbs.gaps_verb import gaps
from isoloss.cli.verbs.laws_verb import laws
from isoloss.cli.verbs.next_runs_verb import next_runs
from isoloss.cli.verbs.plan_verb import plan
from isoloss.cli.verbs.plot_verb import plot
from isoloss.cli.verbs.predict_verb import predict
from isoloss.cli.verbs.quantise_verb import quantise
from isoloss.cli.verbs.runs_verb import runs
from isoloss.cli.verbs.simulate_verb import simulate
from isoloss.cli.verbs.train_verb import train

# fmt: off
__all__ = [
    "compare", "disagree", "fit", "formats", "gaps", "laws", "next_runs", "plan", "plot", "predict",
    "quantise", "runs", "simulate", "train",
]
# fmt: on
