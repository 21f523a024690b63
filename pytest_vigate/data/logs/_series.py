"""Columns of numbers that a log in text form has, and the run that they make.

A column whose cells are no numbers, or stand where no step is, is left out whole: part of a series would be one that
nobody logged. Where the gate needs it, that is an error with its place instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np

from pytest_vigate.data.coordinates import Float, Int
from pytest_vigate.data.curves import ROLES, Points, Training, TrainingLog, assemble, finished, listed, single
from pytest_vigate.data.files import inside, shown
from pytest_vigate.data.replies import quoted
from pytest_vigate.errors import DataError, did_you_mean

#: Series of one log: trackers that log every layer's gradients stay far below.
MOST_SERIES: Final = 10_000
#: Whole numbers from here on are not exact as a double.
_EXACT = 2.0**53
#: What is read as a number: Python's own `float` also takes ``1_000`` and digits of other scripts.
_NUMBER = re.compile(r"[+-]?(?:(?:[0-9]++\.?+[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?|nan|inf(?:inity)?)", re.IGNORECASE)

#: What is never a series where rows are epochs.
_STEP: Final = "step"

#: How a log counts epochs: those that are finished, the running one from 0, or by what its numbers say.
Counting = Literal["finished", "running", "either"]


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """The cells of one name that are not blank."""

    row: Int  # (m,) rising
    value: Float  # (m,)

    def __len__(self) -> int:
        return len(self.row)

    def take(self, kept: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Column:
        """Some of the cells."""
        return Column(self.row[kept], self.value[kept])


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a column is no series."""

    row: int
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """What a log holds.

    Args:
        numbers: By name, in the order of the log.
        faults: Columns that are no series, by name.
        place: ``file:line`` of a row.
        notes: What every verdict has to say.
    """

    numbers: Mapping[str, Column]
    faults: Mapping[str, Fault]
    place: Callable[[int], str]
    notes: tuple[str, ...] = ()

    def names(self) -> tuple[str, ...]:
        """Of all that holds something."""
        return (*(name for name, column in self.numbers.items() if len(column)), *self.faults)

    def without(self, refused: Callable[[str], object]) -> Columns:
        """The columns whose names are not refused."""
        return replace(
            self,
            numbers={name: column for name, column in self.numbers.items() if not refused(name)},
            faults={name: fault for name, fault in self.faults.items() if not refused(name)},
        )


@dataclass(frozen=True, slots=True)
class Names:
    """What a format calls things, the first that is there counts; a tuple of losses is added up."""

    step: tuple[str, ...]
    """None where every row is an epoch: a log that has steps is none of the format."""
    epoch: tuple[str, ...]
    train: tuple[str | tuple[str, ...], ...]
    validation: tuple[str | tuple[str, ...], ...]
    learning_rate: tuple[str, ...] = ("learning_rate", "lr")
    epochs: Counting = "finished"


@dataclass(slots=True)
class _Axis:
    """Step and epoch of rows."""

    row: Int  # (m,) rising
    step: Int  # (m,)
    name: str
    shift: int = 0
    """What was added to the epochs that were logged."""
    notes: list[str] = field(default_factory=list)


def number(text: str) -> float | None:
    """The number that a text is; None if it is none."""
    text = text.strip()
    return float(text) if _NUMBER.fullmatch(text) else None


def no_number(name: str, row: int, found: str) -> Fault:
    """A cell that is no number."""
    return Fault(row, f"{quoted(name)} is {found}, where a number is due; correct it, or name another series")


def refuse_many(where: str, count: int) -> None:
    """Raise where a log has more series than any tool logs."""
    if count > MOST_SERIES:
        raise DataError(where, f"the log has more than {MOST_SERIES} series; leave out what no gate looks at")


def file_of(log: TrainingLog, name: str) -> Path:
    """The one file of a log, or the file of that name in its one folder.

    Raises:
        DataError: If there are several.
    """
    source = single(log)
    path = source.paths[0]
    return path / name if inside(source, path).is_dir() else path


def make_training(
    log: TrainingLog,
    columns: Columns,
    names: Names,
    *,
    hyperparameters: Mapping[str, object] | None = None,
    filtered: bool = False,
) -> Training:
    """The run that the columns of a log make.

    Raises:
        DataError: If nothing says the steps, or what the gate needs is no series of numbers with steps.
    """
    file = log.source.file
    if not columns.names():
        raise DataError(file, "the log has no points; zero points prove nothing")
    if not names.step and "step" not in log.series and _STEP in columns.names():
        raise DataError(
            file,
            f"there is a column {quoted(_STEP)}, and {log.source.format or 'this format'} counts epochs only; declare "
            "format: csv, or series: {step: …}",
        )
    step, epoch = _chosen(log, columns, "step", names.step), _chosen(log, columns, "epoch", names.epoch)
    if step == epoch:
        step = None  # a gate that names the epochs as the steps: they are epochs
    if step is None and epoch is None:
        raise DataError(
            file, f"no column says the step; declare series: {{step: …}} or {{epoch: …}}, {listed(columns.names())}"
        )
    if step is not None:
        axis = _Axis(columns.numbers[step].row, _whole(columns, step), step)
    else:
        axis = _epochs_as_steps(columns, epoch or "", names.epochs)
    epochs = None if epoch is None else _epochs(columns.numbers[epoch], axis, names.epochs, counted=step is not None)
    points, faults = {}, dict(columns.faults)
    several: dict[str, Fault] = {}
    for name, column in columns.numbers.items():
        if name in (step, epoch) or not len(column):
            continue
        at = _places(axis.row, column.row)
        if at is None or np.any(at < 0):
            row = int(column.row[0 if at is None else np.argmax(at < 0)])
            faults[name] = Fault(
                row, f"{quoted(name)} stands where {quoted(axis.name)} is missing; a value without a step is no point"
            )
            continue
        same = np.array_equal(column.row, axis.row)
        steps = axis.step if same else axis.step[at]
        if step is None and np.any(again := np.diff(steps) == 0):
            i = int(np.argmax(again))
            ended = np.append(np.flatnonzero(np.diff(steps)), len(steps) - 1)
            rows = int(ended[np.searchsorted(ended, i)]) - i + 1
            counted = int(steps[i]) - axis.shift
            several[name] = faults[name] = Fault(
                int(column.row[i + 1]),
                f"epoch {counted} has {rows} rows of {quoted(name)}, where nothing counts finer than epochs; declare "
                "series: {step: …}, or log it once an epoch",
            )
            continue
        points[name] = Points(
            step=steps,
            value=column.value,
            epoch=epochs if epochs is None or same else epochs[at],
            row=column.row,
            places=columns.place,
        )
    _refuse_faults(log, columns, faults, points, names)
    if several and not points:
        fault = next(iter(several.values()))
        raise DataError(columns.place(fault.row), fault.message)
    if several:
        axis.notes.append(f"series with several rows an epoch are left out: {listed(several).removeprefix('it has ')}")
    return assemble(
        log,
        points,
        train=names.train,
        validation=names.validation,
        learning_rate=names.learning_rate,
        hyperparameters=hyperparameters,
        filtered=filtered,
        notes=(*columns.notes, *axis.notes),
    )


def _chosen(log: TrainingLog, columns: Columns, role: Literal["step", "epoch"], known: Sequence[str]) -> str | None:
    """The column of the steps or epochs; None if there is none."""
    there = columns.names()
    declared = log.series.get(role)
    if declared is None:
        name = next((name for name in known if name in there), None)
    else:
        several = (declared,) if isinstance(declared, str) else declared
        if len(several) != 1:
            raise DataError(log.source.file, f"series: {role} is {len(several)} names; name one column")
        name = several[0]
        if name not in there:
            hint = did_you_mean(name, there) or listed(there)
            raise DataError(log.source.file, f"series: {role} is {quoted(name)}, which the log does not have; {hint}")
    fault = columns.faults.get(name or "")
    if fault is not None:
        raise DataError(columns.place(fault.row), fault.message)
    return name


def _whole(columns: Columns, name: str) -> Int:
    column = columns.numbers[name]
    value = column.value
    whole = np.isfinite(value) & (value == np.floor(value)) & (value >= 0) & (value < _EXACT)
    if not whole.all():
        i = int(np.argmin(whole))
        raise DataError(
            columns.place(int(column.row[i])),
            f"{quoted(name)} is {value[i]:.17g}, where a step is due: a whole number from 0 to 2^53; correct it, or "
            "declare another series as step",
        )
    return value.astype(np.int64)


def _epochs_as_steps(columns: Columns, name: str, counting: Counting) -> _Axis:
    """Finished epochs, counted from 1, of a log that has nothing finer."""
    axis = _Axis(columns.numbers[name].row, _whole(columns, name), name)
    if counting == "running" or (counting == "either" and np.any(axis.step == 0)):
        axis.step, axis.shift = axis.step + 1, 1
        axis.notes.append(f"{quoted(name)} counts from 0; steps are finished epochs, from 1")
    return axis


def _epochs(column: Column, axis: _Axis, counting: Counting, *, counted: bool) -> Float:
    """Finished epochs of the rows of an axis, NaN where unknown.

    Args:
        column: The epochs as logged.
        axis: The rows.
        counting: How the log counts.
        counted: Whether steps are counted beside the epochs; else they are the finished epochs.
    """
    if not counted:
        return axis.step.astype(np.float64)
    at = _places(column.row, axis.row)
    if at is None:
        return np.full(len(axis.row), np.nan)
    epoch = np.where(at < 0, np.nan, column.value[at])
    if counting == "either":
        return finished(epoch, axis.step)
    return epoch + 1 if counting == "running" else epoch


def _places(known: Int, rows: Int) -> Int | None:
    """Where rows stand among known ones, -1 where they do not; None if none is known."""
    if not len(known):
        return None
    at = np.minimum(np.searchsorted(known, rows), len(known) - 1)
    return np.where(known[at] == rows, at, -1)


def _refuse_faults(
    log: TrainingLog, columns: Columns, faults: Mapping[str, Fault], points: Mapping[str, Points], names: Names
) -> None:
    """Raise if the gate or a loss needs a column that is no series."""
    needed: list[str | tuple[str, ...]] = [series for name, series in log.series.items() if name not in ROLES]
    for role, known in (("train", names.train), ("validation", names.validation)):
        declared = log.series.get(role)
        there = (series for series in known if all(name in points or name in faults for name in _each(series)))
        chosen = declared or next(there, None)
        needed += [] if chosen is None else [chosen]
    for name in (name for series in needed for name in _each(series)):
        if name in faults:
            raise DataError(columns.place(faults[name].row), faults[name].message)


def _each(series: str | tuple[str, ...]) -> tuple[str, ...]:
    return (series,) if isinstance(series, str) else series


def place_in(log: TrainingLog, path: Path) -> Callable[[int], str]:
    """``file:line`` of the lines of a file."""
    file = shown(log.source, path)
    return lambda row: f"{file}:{row}"
