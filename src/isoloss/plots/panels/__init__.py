"""The figures, one file each."""

from isoloss.plots.panels.comparison_panels import levels_figure, ranking_figure
from isoloss.plots.panels.curves import curves_figure
from isoloss.plots.panels.fit_panels import fit_figure
from isoloss.plots.panels.formats_panels import grids_figure
from isoloss.plots.panels.gap_panels import gaps_figure
from isoloss.plots.panels.law_panels import factors_figure, gap_figure, law_figure, law_loss_figure
from isoloss.plots.panels.plan_frontier import frontier_figure
from isoloss.plots.panels.plan_laws import laws_figure
from isoloss.plots.panels.plan_panels import plan_figure
from isoloss.plots.panels.plan_tokens import tokens_figure
from isoloss.plots.panels.profile_panel import profile_figure
from isoloss.plots.panels.runs_panels import design_figure, loss_figure
from isoloss.plots.panels.study_panels import study_figure

# fmt: off
__all__ = [
    "curves_figure", "design_figure", "factors_figure", "fit_figure", "frontier_figure",
    "gap_figure", "gaps_figure", "grids_figure", "law_figure", "law_loss_figure", "laws_figure",
    "levels_figure", "loss_figure", "plan_figure", "profile_figure", "ranking_figure",
    "study_figure", "tokens_figure",
]
# fmt: on
