"""What pays: loss gaps beside the speed that they buy, at equal hours, money, energy or loss.

Read in this order: `recipes` and `speeds` (what comes in), `beyond_cells` (how gaps go on with
tokens), `curve` (the reference's loss, its own cells and laws beyond), `margins` (what a recipe
gains, in draws), `payoff`, `payoffs` and `payoff_report` (the answer).
"""

from isoloss.plans.paying.beyond_cells import GapBeyond, GapsBeyond, gaps_beyond
from isoloss.plans.paying.paying import BASE_LAWS, pays
from isoloss.plans.paying.payoff import Indifference, LawMargin, Payoff, Terms
from isoloss.plans.paying.payoffs import Payoffs
from isoloss.plans.paying.recipes import Recipe, Recipes, Reference, recipes_of
from isoloss.plans.paying.speeds import Currency, Rates, Speed, Speeds, speeds_of

# fmt: off
__all__ = [
    "BASE_LAWS", "Currency", "GapBeyond", "GapsBeyond", "Indifference", "LawMargin", "Payoff",
    "Payoffs", "Rates", "Recipe", "Recipes", "Reference", "Speed", "Speeds", "Terms",
    "gaps_beyond", "pays", "recipes_of", "speeds_of",
]
# fmt: on
