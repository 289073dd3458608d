"""What was measured: runs, tables of them, readers and checks, public tables by name, and model
counts.
"""

from isoloss.runs.columns import COLUMNS, Column
from isoloss.runs.decoder import Decoder, Flops
from isoloss.runs.grid import Grid
from isoloss.runs.intake import READERS, Opened, Origin, Reader
from isoloss.runs.metrics import METRICS, Metric, metric_of
from isoloss.runs.numbers import compact, number
from isoloss.runs.problems import (
    DownloadError,
    LossConverted,
    NothingUsable,
    PerplexitySuspected,
    RunsError,
    RunsWarning,
    StoreError,
    ValueIgnored,
)
from isoloss.runs.provenance import Provenance
from isoloss.runs.published import TABLES, PublicTable, bundled_table, data_folder
from isoloss.runs.reading import as_runs, read
from isoloss.runs.run import Run
from isoloss.runs.saving import WRITERS, save_frame
from isoloss.runs.shapes import (
    MODELS,
    SHAPES,
    GroupedHeads,
    LatentHeads,
    Mixture,
    PublishedModel,
    PublishedShape,
    as_shape,
    nearest_models,
    read_config,
)
from isoloss.runs.stored import STORES
from isoloss.runs.sweeps import (
    Crew,
    Outlook,
    Store,
    Swept,
    Task,
    TaskState,
    Watch,
    cores,
    outlook,
    sweep,
)
from isoloss.runs.table import Runs

# fmt: off
__all__ = [
    "COLUMNS", "METRICS", "MODELS", "READERS", "SHAPES", "STORES", "TABLES", "WRITERS", "Column",
    "Crew", "Decoder", "DownloadError", "Flops", "Grid", "GroupedHeads", "LatentHeads",
    "LossConverted", "Metric", "Mixture", "NothingUsable", "Opened", "Origin", "Outlook",
    "PerplexitySuspected", "Provenance", "PublicTable", "PublishedModel", "PublishedShape",
    "Reader", "Run", "Runs", "RunsError", "RunsWarning", "Store", "StoreError", "Swept", "Task",
    "TaskState", "ValueIgnored", "Watch", "as_runs", "as_shape", "bundled_table", "compact",
    "cores", "data_folder", "metric_of", "nearest_models", "number", "outlook", "read",
    "read_config", "save_frame", "sweep",
]
