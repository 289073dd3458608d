"""What was measured: runs, tables of them, readers and checks, public tables by name, and model
counts.
"""

from isoloss.runs.columns import COLUMNS, Column
from isoloss.runs.grid import Grid
from isoloss.runs.intake import (
    READERS,
    SOURCES,
    LoggedResult,
    LoggedRun,
    Opened,
    Origin,
    Reader,
    Sent,
    Source,
    TableMap,
    TrackedRow,
    Understood,
    check_once,
    check_sendable,
    client,
    is_source,
    read_apart,
    without_secrets,
)
from isoloss.runs.metrics import METRICS, Metric, metric_of
from isoloss.runs.numbers import compact, number
from isoloss.runs.problems import (
    DownloadError,
    EndingTaken,
    LossConverted,
    MissingColumns,
    NestedRuns,
    NothingUsable,
    OddCounts,
    PerplexitySuspected,
    RunsError,
    RunsWarning,
    StoreError,
    TrajectoriesFound,
    ValueIgnored,
)
from isoloss.runs.provenance import Provenance
from isoloss.runs.published import TABLES, PublicTable, bundled_table, data_folder
from isoloss.runs.reading import as_runs, joined, read
from isoloss.runs.run import Run
from isoloss.runs.saving import WRITERS, save_frame
from isoloss.runs.shapes import (
    ENDS,
    MODELS,
    SHAPES,
    Decoder,
    Flops,
    GroupedHeads,
    LatentHeads,
    Matrix,
    Mixture,
    PublishedModel,
    PublishedShape,
    as_shape,
    names_in,
    nearest_models,
    own_precisions,
    read_config,
)
from isoloss.runs.stored import STORES
from isoloss.runs.sweeps import (
    ENGINES,
    AnyExecutor,
    Asked,
    ClaimLost,
    Crew,
    Engine,
    Errand,
    FolderPost,
    Handle,
    Letter,
    Outlook,
    Post,
    Ray,
    Slurm,
    Store,
    Submits,
    Swept,
    Task,
    TaskState,
    Watch,
    cores,
    engine_for,
    engine_named,
    join_stores,
    outlook,
    register_engine,
    shard_numbers,
    shard_of,
    sweep,
)
from isoloss.runs.table import Runs
from isoloss.runs.tracking import log_result, log_runs
from isoloss.runs.training_log import TrainingLog, read_log

# fmt: off
__all__ = [
    "COLUMNS", "ENDS", "ENGINES", "METRICS", "MODELS", "READERS", "SHAPES", "SOURCES", "STORES",
    "TABLES", "WRITERS", "AnyExecutor", "Asked", "ClaimLost", "Column", "Crew", "Decoder",
    "DownloadError", "EndingTaken", "Engine", "Errand", "Flops", "FolderPost", "Grid",
    "GroupedHeads", "Handle", "LatentHeads", "Letter", "LoggedResult", "LoggedRun", "LossConverted",
    "Matrix", "Metric", "MissingColumns", "Mixture", "NestedRuns", "NothingUsable", "OddCounts",
    "Opened", "Origin", "Outlook", "PerplexitySuspected", "Post", "Provenance", "PublicTable",
    "PublishedModel", "PublishedShape", "Ray", "Reader", "Run", "Runs", "RunsError", "RunsWarning",
    "Sent", "Slurm", "Source", "Store", "StoreError", "Submits", "Swept", "TableMap", "Task",
    "TaskState", "TrackedRow", "TrainingLog", "TrajectoriesFound", "Understood", "ValueIgnored",
    "Watch", "as_runs", "as_shape", "bundled_table", "check_once", "check_sendable", "client",
    "compact", "cores", "data_folder", "engine_for", "engine_named", "is_source", "join_stores",
    "joined", "log_result", "log_runs", "metric_of", "names_in", "nearest_models", "number",
    "outlook", "own_precisions", "read", "read_apart", "read_config", "read_log", "register_engine",
    "save_frame", "shard_numbers", "shard_of", "sweep", "without_secrets",
]
