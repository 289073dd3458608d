"""Slurm, by submitit: tasks as arrays of jobs, which go on while the driver is away.

Before the time limit, and on preemption, a job keeps a checkpoint and is queued again. Whether jobs
are there is asked of ``squeue``, which needs no accounting. The same on processes of this machine
(`local`) stands in for Slurm in tests. Nothing of submitit is imported before a sweep begins.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from isoloss.files import shown_value
from isoloss.runs.problems import StoreError
from isoloss.runs.sweeps.crew import cores
from isoloss.runs.sweeps.engines.engine import Handle
from isoloss.runs.sweeps.engines.errand import Errand
from isoloss.runs.sweeps.engines.letters import FolderPost, Letter, Post
from isoloss.runs.sweeps.engines.settings import check_share, check_whole
from isoloss.runs.sweeps.folders import folder_of
from isoloss.runs.sweeps.process_id import Owner

#: The folder of submitit's own files, beside those of tasks.
JOBS = "isoloss-jobs"
#: Jobs in the queue at once, unless told: under what most sites allow a person.
QUEUED = 1000
#: Seconds before the time limit at which a job is told to leave, and that its work has for that.
NOTICE, LEAVING = 120, 60.0
#: Seconds between two questions to the queue, and for which a job's result may be on its way.
ASK, ON_ITS_WAY = 5.0, 15.0
_UNITS = {"s": 1 / 60, "m": 1.0, "min": 1.0, "h": 60.0, "d": 1440.0}


_LEAVE = "leave it out"
#: Options of sbatch that are not given beside isoloss's own, and what to do instead.
OWN = {
    "partition": "say --partition", "time": "say --time", "gpus_per_task": "say --gpus-per-task",
    "cpus_per_task": "say cpus_per_task of Slurm(...)", "mem": "say memory of Slurm(...)",
    **dict.fromkeys(("signal", "requeue", "no_requeue", "array", "output", "error", "job_name",
                     "open_mode", "wrap", "wait", "parsable"), _LEAVE),
}  # fmt: skip


class Slurm:
    """Slurm as an engine.

    Parameters
    ----------
    partition
        Where jobs are queued; by default the site's own choice.
    time
        Their time limit: "4h", "90min", "1-12:00:00". A task that takes longer goes on in the next.
    gpus_per_task, cpus_per_task
        What a job has; devices are whole.
    memory
        Of a job, as "8GB"; by default the site's own choice.
    more
        Other options of sbatch, by their long names: {"account": "lab", "qos": "low"}.
    at_once
        Jobs in the queue at most.
    local
        Processes of this machine in place of Slurm, for tests.
    """

    stays = True
    most = 1

    def __init__(
        self,
        partition: str | None = None,
        time: str = "1h",
        gpus_per_task: float = 0,
        cpus_per_task: int = 1,
        memory: str | None = None,
        more: Mapping[str, str] | None = None,
        at_once: int | None = None,
        local: bool = False,
    ) -> None:
        check_whole("at_once", at_once)
        check_whole("cpus_per_task", cpus_per_task)
        check_share("gpus_per_task", gpus_per_task)
        if gpus_per_task != int(gpus_per_task):
            raise StoreError(
                f"gpus_per_task is {gpus_per_task:g} on Slurm, which gives whole devices; accepted "
                "is a whole number (Ray shares devices out)"
            )
        if taken := sorted(OWN.keys() & {name.replace("-", "_") for name in more or {}}):
            raise StoreError(
                f"sbatch option {taken[0]!r} is set by isoloss, whose checkpoints and queueing "
                f"depend on it; {OWN[taken[0]]}"
            )
        self.name = "submitit-local" if local else "slurm"
        self.every = 0.1 if local else 1.0
        self.here = local
        self.at_once = at_once or (cores() if local else QUEUED)
        self.minutes = minutes_of(time)
        asked = {
            "partition": partition,
            "gpus_per_task": int(gpus_per_task) or None,
            "mem": None if memory is None else memory.removesuffix("B"),
        }
        self._asked = {name: value for name, value in asked.items() if value is not None}
        self._cpus, self._more = cpus_per_task, dict(more or {})
        self._executor: Any = None
        self._queue = None if local else Queue()
        self._jobs: list[SubmittedJob] = []

    def start(self, store: Path) -> Post:
        """Make submitit ready, with a folder beside those of tasks."""
        submitit = _submitit()
        folder = folder_of(store, JOBS)
        folder.mkdir(parents=True, exist_ok=True)
        if self.here:
            self._executor = submitit.LocalExecutor(folder)
            self._executor.update_parameters(timeout_min=max(1, round(self.minutes)))
            return FolderPost(store)
        try:
            self._executor = submitit.SlurmExecutor(folder, max_num_timeout=10**6)
        except RuntimeError as error:
            raise StoreError(
                f"there is no Slurm here ({error}); start from a machine that has sbatch"
            ) from None
        self._executor.update_parameters(
            job_name="isoloss",
            time=max(1, round(self.minutes)),
            cpus_per_task=self._cpus,
            signal_delay_s=min(NOTICE, round(self.minutes * 20)),
            array_parallelism=self.at_once,
            additional_parameters=self._more | {"requeue": True},
            **self._asked,
        )
        return FolderPost(store)

    def places(self) -> int | None:
        """So many jobs in the queue."""
        return self.at_once

    def submit(self, errands: Sequence[Errand]) -> Sequence[Handle]:
        """Those that come together are one array."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with self._executor.batch():
                jobs = [self._executor.submit(Leavable(errand)) for errand in errands]
        made = [SubmittedJob(job, self._queue, self._process_of(job)) for job in jobs]
        self._jobs += made
        return made

    def _process_of(self, job: Any) -> Owner | None:
        return Owner.of(job._process.pid) if self.here else None

    def reference(self, handle: Handle) -> str:
        """The number of the job, and its process where that is on this machine."""
        assert isinstance(handle, SubmittedJob)
        return f"{handle.job.job_id} {handle.process or ''}".strip()

    def again(self, reference: str) -> Handle | None:
        """The job of an earlier driver, whether or not it has ended since."""
        submitit = _submitit()
        number, _, process = reference.partition(" ")
        kind = submitit.LocalJob if self.here else submitit.SlurmJob
        job = kind(folder=self._executor.folder, job_id=number)
        self._jobs.append(SubmittedJob(job, self._queue, Owner.parse(process) if process else None))
        return self._jobs[-1]

    def cancel(self, handle: Handle) -> None:
        """By scancel, or a signal."""
        assert isinstance(handle, SubmittedJob)
        handle.job.cancel(check=False)

    def stop(self, done: bool) -> None:
        """Jobs are the queue's; the files of ours go once none is of use."""
        if done and self._executor is not None:
            for job in self._jobs:
                job.remove_files()
            for link in self._executor.folder.glob(".submission_file_*"):
                if not link.exists():  # it led to a file of a job that is removed
                    link.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                self._executor.folder.rmdir()


class Leavable:
    """An errand in a thread of its own, so that the main one can hear that it is time to leave."""

    def __init__(self, errand: Errand) -> None:
        self.errand = errand
        self._thread: threading.Thread | None = None

    def __call__(self) -> tuple[Letter, ...]:
        """Work until all is done."""
        found: list[tuple[Letter, ...] | BaseException] = []

        def work() -> None:
            try:
                found.append(self.errand())
            except BaseException as error:
                found.append(error)

        self._thread = threading.Thread(target=work, daemon=True)
        self._thread.start()
        while self._thread.is_alive():
            self._thread.join(0.2)  # signals are heard between two waits
        (result,) = found
        if isinstance(result, BaseException):
            raise result
        return result

    def checkpoint(self) -> Any:
        """Let the work keep a checkpoint and end; the job is then queued again."""
        self.errand.leave()
        if self._thread is not None:
            self._thread.join(LEAVING)
        return _submitit().helpers.DelayedSubmission(self)

    def __getstate__(self) -> dict[str, Any]:
        return {"errand": self.errand, "_thread": None}


class SubmittedJob:
    """A job that was submitted, by this driver or an earlier one: in a queue, or a process of this
    machine.
    """

    def __init__(self, job: Any, queue: Queue | None, process: Owner | None) -> None:
        self.job, self._queue, self.process = job, queue, process
        self._missed: float | None = None

    def done(self) -> bool:
        """Whether it left its result, or is gone without one."""
        result: Path = self.job.paths.result_pickle
        if result.exists():
            return True
        if self._goes_on():
            self._missed = None
            return False
        if self._missed is None:
            self._missed = time.monotonic()
        wait = 1.0 if self._queue is None else ON_ITS_WAY
        return time.monotonic() - self._missed > wait

    def _goes_on(self) -> bool:
        if self._queue is not None:
            return self._queue.has(str(self.job.job_id))
        return self.process is not None and not self.process.gone

    def remove_files(self) -> None:
        """Remove what submitit keeps of it."""
        paths, number = self.job.paths, self.job.job_id
        for file in (paths.submission_file, *paths.folder.glob(f"{number}_*")):
            file.unlink(missing_ok=True)

    def result(self) -> tuple[Letter, ...]:
        """What it returned; RuntimeError with the last line of its log where it left nothing."""
        if self.job.paths.result_pickle.exists():
            found: tuple[Letter, ...] = self.job.result()
            return found
        try:
            lines = self.job.paths.stderr.read_text(errors="replace").split("\n")
        except OSError:
            lines = []
        last = next((line for line in reversed(lines) if line.strip()), "no log")
        raise RuntimeError(f"job {self.job.job_id} left no result: {last.strip()[:160]}")


class Queue:
    """The jobs of this person in Slurm's queue, asked for every few seconds."""

    def __init__(self) -> None:
        self._jobs: frozenset[str] | None = None
        self._asked = -ASK

    def has(self, job: str) -> bool:
        """Whether a job waits or runs; also where the queue does not answer now."""
        now = time.monotonic()
        if now - self._asked >= ASK:
            self._asked = now
            words = ["squeue", "--me", "--noheader", "--array", "--format=%i"]
            try:
                done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=30)
                self._jobs = frozenset(done.stdout.split())
            except (OSError, subprocess.SubprocessError):
                self._jobs = None
        return self._jobs is None or job in self._jobs


def minutes_of(text: str) -> float:
    """The minutes of a time limit: 4h, 90min, 30s, 2d, or as Slurm writes it, 1-12:00:00."""
    given = str(text).strip()
    if found := re.fullmatch(r"([0-9]*\.?[0-9]+) *(s|m|min|h|d)", given):
        minutes = float(found[1]) * _UNITS[found[2]]
    elif found := re.fullmatch(r"(?:(\d+)-)?(\d+):(\d\d)(?::(\d\d))?", given):
        days, first, second, third = (int(each or 0) for each in found.groups())
        clock = (first, second, third) if found[4] or found[1] else (0, first, second)
        minutes = days * 1440 + clock[0] * 60 + clock[1] + clock[2] / 60
    else:
        minutes = 0.0
    if minutes <= 0:
        raise StoreError(
            f"time is {shown_value(text)}; accepted are limits such as 4h, 90min, 2d or 1-12:00:00"
        )
    return minutes


def _submitit() -> Any:
    try:
        import submitit
    except ImportError:
        raise StoreError(
            "sweeps on Slurm need the package submitit; install it with: pip install "
            "'isoloss[slurm]'"
        ) from None
    return submitit
