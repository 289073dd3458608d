"""What commands accept: options written once, budgets, laws, tables, places to write to."""

from isoloss.cli.arguments.budget_options import SPEND, Spending
from isoloss.cli.arguments.cluster_options import Beyond, engine_of, store_of
from isoloss.cli.arguments.law_choice import chosen_laws
from isoloss.cli.arguments.named_things import (
    AsMeaning,
    named_thing,
)
from isoloss.cli.arguments.options import (
    DOUBT,
    FITTING,
    OUTPUT,
    AsJson,
    Fitting,
    Force,
    Keeping,
    KeptPage,
    KeptTable,
    KeptTableOrPage,
    Level,
    LogTo,
    OfName,
    Reading,
    ResampleName,
    Saving,
    Tables,
    count,
    drawn,
    kept,
    listed,
    many,
    one,
    switch,
)
from isoloss.cli.arguments.regression_asked import (
    check_unserved,
    descent_of,
    flag,
    given,
    only,
    points_of,
    regression_of,
    scales_of,
    whole_numbers,
)
from isoloss.cli.arguments.regression_options import (
    MODEL,
    SAMPLING,
    AsInputs,
    AsIterate,
    AsModel,
    AsScales,
    DescentLists,
    ModelName,
    ProblemLists,
    ReadingLists,
    SamplingLists,
)
from isoloss.cli.arguments.tables import in_words, is_table, read_and_told, read_tables
from isoloss.cli.arguments.targets import (
    A_TABLE,
    FIGURES,
    PAGES,
    READ,
    RESULTS,
    SAVED,
    TABLES,
    TABLES_OR_PAGES,
    TRACKERS,
    check_target,
)
from isoloss.cli.arguments.things import names_a_file, saved_or_law
from isoloss.cli.arguments.training_options import (
    Lists,
    Sweeping,
    Teaching,
    corpus_of,
    grid_of,
)

# fmt: off
__all__ = [
    "A_TABLE", "DOUBT", "FIGURES", "FITTING", "MODEL", "OUTPUT", "PAGES", "READ", "RESULTS",
    "SAMPLING", "SAVED", "SPEND", "TABLES", "TABLES_OR_PAGES", "TRACKERS", "AsInputs", "AsIterate",
    "AsJson", "AsMeaning", "AsModel", "AsScales", "Beyond", "DescentLists", "Fitting", "Force",
    "Keeping", "KeptPage", "KeptTable", "KeptTableOrPage", "Level", "Lists", "LogTo",
    "ModelName", "OfName", "ProblemLists", "Reading", "ReadingLists", "ResampleName",
    "SamplingLists", "Saving", "Spending", "Sweeping", "Tables", "Teaching", "check_target",
    "check_unserved", "chosen_laws", "corpus_of", "count", "descent_of", "drawn", "engine_of",
    "flag", "given", "grid_of", "in_words", "is_table", "kept", "listed", "many", "named_thing",
    "names_a_file", "one", "only", "points_of", "read_and_told", "read_tables", "regression_of",
    "saved_or_law", "scales_of", "store_of", "switch", "whole_numbers",
]
# fmt: on
