"""Runs of MLflow, whichever way they are stored, and the one among them that is judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pytest_vigate.data.coordinates import Float, Int
from pytest_vigate.data.curves import TrainingLog
from pytest_vigate.data.replies import quoted
from pytest_vigate.errors import DataError, did_you_mean

#: The tag with the name of a run, in older versions.
NAME_TAG: Final = "mlflow.runName"
#: What a message says of paths that are none of MLflow's.
PATHS: Final = "the path is that of mlflow.db, of mlruns, or of an experiment or run in it"
#: Runs that a message lists.
_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class Run:
    """A run that was not deleted."""

    identifier: str
    name: str
    status: str
    folder: Path | None = None
    """In the file store."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """What was logged under one key, as it is stored."""

    time: Int  # (m,) milliseconds
    step: Int  # (m,)
    value: Float  # (m,)
    file: str = ""
    line: Int | None = None  # (m,) in the file; None for a database


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What is stored of a run."""

    run: Run
    series: Mapping[str, Series]
    params: Mapping[str, str]
    notes: tuple[str, ...] = ()


def choose(log: TrainingLog, runs: Sequence[Run], deleted: Sequence[str]) -> Run:
    """The run that the gate names, or the only one.

    Raises:
        DataError: If there is none, or it is not clear which one.
    """
    where, wanted = log.source.file, log.run
    if wanted is None:
        if len(runs) == 1:
            return runs[0]
        if not runs:
            more = f" but {len(deleted)} deleted" if deleted else ""
            raise DataError(where, f"there is no run{more}; check the path")
        raise DataError(where, f"there are {len(runs)} runs; say which one is judged, as run: ID. {_listing(runs)}")
    fitting = [run for run in runs if run.identifier == wanted] or [run for run in runs if run.name == wanted]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise DataError(
            where, f"{len(fitting)} runs have the name {quoted(wanted)}; say which one by its id. {_listing(fitting)}"
        )
    if wanted in deleted:
        raise DataError(where, f"the run {quoted(wanted)} is deleted; restore it, or name another one")
    hint = did_you_mean(wanted, [*(run.identifier for run in runs), *(run.name for run in runs)])
    raise DataError(where, f"there is no run {quoted(wanted)}; {hint or _listing(runs)}")


def _listing(runs: Sequence[Run]) -> str:
    """``The runs: 'a1' ('first', FINISHED), …``."""
    if not runs:
        return "There are none"
    named = ", ".join(f"{quoted(run.identifier)} ({quoted(run.name)}, {run.status})" for run in runs[:_SHOWN])
    return f"The runs: {named}{f' and {len(runs) - _SHOWN} more' if len(runs) > _SHOWN else ''}"
