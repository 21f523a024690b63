"""TensorBoard event files: scalars as simple values and as tensors (TensorFlow 2, Keras)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from pytest_vigate.data.coordinates import Bool, Float, Int
from pytest_vigate.data.curves import Points, Training, TrainingLog, assemble, finished, listed, restarts, survive
from pytest_vigate.data.files import encodable, entries, inside, read_binary, shown
from pytest_vigate.data.logs import LogReader
from pytest_vigate.data.logs._events import Events, Numbers, read_events
from pytest_vigate.data.logs._records import place
from pytest_vigate.data.replies import quoted
from pytest_vigate.data.tables import Source
from pytest_vigate.errors import DataError, did_you_mean

_SIGN = "tfevents"
#: Folders in which tools keep the files of one side of a run, and what they call that side.
_TRAIN: Final = ("train", "training")
_VALIDATION: Final = ("eval", "val", "validation", "valid")
#: Transformers and Lightning, PyTorch's examples, Keras, `add_scalars` (which makes a folder of every curve).
_FORMS: Final = (
    *("{}/loss", "{}/Loss", "loss/{}", "Loss/{}", "{}_loss", "{}_loss_epoch", "{}/epoch_loss"),
    *("loss_{}/loss", "Loss_{}/Loss"),
)
_BARE: Final = ("loss", "epoch_loss")
#: Ultralytics has no total; heads without distribution focal loss have the other one.
_BOXES: Final = (("box_loss", "cls_loss", "dfl_loss"), ("box_loss", "cls_loss", "l1_loss"))
_RATES: Final = (
    *("train/learning_rate", "learning_rate", "lr", "train/lr", "train/epoch_learning_rate", "epoch_learning_rate"),
    "lr/pg0",
)
_EPOCHS: Final = ("train/epoch", "epoch")
#: Lightning writes it anew, at step 0, whenever it opens a file: it says nothing of where the run was taken up.
_PLACEHOLDER: Final = "hp_metric"
#: What steps count: those of the training, epochs from 0, nothing that others do. A clock that is put back says nothing
#: of the others.
_STEPS, _RUNNING, _OWN = 0, 1, 2


class TensorBoard(LogReader):
    """Files that a ``SummaryWriter``, Keras or Lightning wrote: one, several of a glob, or those of a folder.

    Files in folders below the path have the folder in front of their tags: ``validation/epoch_loss``. ``run`` names one
    of these folders, which is then read as if it were the path. Several files of one folder are one run that was taken
    up again: their events are put in the order of their times, and where a tag goes back to a lower step in a later
    file, all that was logged before from that step on is replaced.
    """

    name: ClassVar[str] = "tensorboard"
    runs: ClassVar[bool] = True

    def sniff(self, path: Path, head: bytes) -> bool:
        if not path.is_dir():
            return _SIGN in path.name
        folders = (path, *(path / side for side in (*_TRAIN, *_VALIDATION)))
        try:
            return any(_SIGN in file.name for folder in folders if folder.is_dir() for file in folder.iterdir())
        except OSError:
            return False

    def read(self, log: TrainingLog) -> Training:
        if "step" in log.series:
            raise DataError(log.source.file, "series.step: every record of an event file has its step; leave it out")
        top, folders = _folders(log)
        notes: list[str] = []
        points: dict[str, Points] = {}
        files: dict[str, str] = {}
        others: set[str] = set()
        for folder, paths in folders.items():
            events = [read_events(read_binary(log.source, path), shown(log.source, path)) for path in paths]
            prefix = "" if folder == top else f"{encodable(folder.relative_to(top).as_posix())}/"
            notes += [event.tail for event in events if event.tail]
            passed = {f"{prefix}{tag}" for event in events for tag in event.others}
            for name, found in _series(log, prefix, events, notes):
                if name in points:
                    raise DataError(
                        log.source.file,
                        f"two series are called {quoted(name)}, one of {files[name]} and one of {events[0].file}; "
                        "name one of the files as the path",
                    )
                points[name], files[name] = found, events[0].file
                if name in passed:
                    notes.append(f"{quoted(name)} has values that are no scalars; they are passed over")
            others |= passed
        if not points:
            raise DataError(log.source.file, _nothing(others, notes))
        points = _with_epochs(log, points)
        return assemble(
            log,
            points,
            train=_names(_TRAIN, () if top.name in _VALIDATION else _BARE),
            validation=_names(_VALIDATION, _BARE if top.name in _VALIDATION else ()),
            learning_rate=_RATES,
            notes=notes,
        )


def _names(sides: Sequence[str], bare: Sequence[str]) -> list[str | tuple[str, ...]]:
    """What a loss may be called, the surest first."""
    known: list[str | tuple[str, ...]] = [form.format(side) for form in _FORMS for side in sides]
    return [*known, *bare, *(tuple(f"{side}/{name}" for name in parts) for parts in _BOXES for side in sides)]


def _nothing(others: set[str], notes: Sequence[str]) -> str:
    has = f"tags of other kinds: {listed(sorted(others)).removeprefix('it has ')}" if others else "no tags at all"
    more = "".join(f"; {note}" for note in notes)
    return f"the log has no scalars and {has}; zero points prove nothing, log the losses as scalars{more}"


def _folders(log: TrainingLog) -> tuple[Path, dict[Path, list[Path]]]:
    """The folder that tags are named from, and the event files of every folder, by name.

    Raises:
        DataError: If there are none, or none of the run that the gate declares.
    """
    source = log.source
    files: list[Path] = []
    tops = []
    for path in source.paths:
        folder = inside(source, path).is_dir()
        files += _below(source, path) if folder else [path]
        tops.append(path if folder else path.parent)
    if not files:
        raise DataError(source.file, f"this folder holds no event files (*{_SIGN}*); check the path")
    top = Path(os.path.commonpath(tops))
    if log.run is not None:
        chosen = [file for file in files if file.is_relative_to(top / log.run)]
        if not chosen:
            runs = sorted({encodable(file.parent.relative_to(top).as_posix()) for file in files})
            hint = did_you_mean(log.run, tuple(runs)) or f"the folders with event files: {listed(runs)}"
            raise DataError(source.file, f"run: there is no folder {quoted(log.run)} with event files; {hint}")
        top, files = top / log.run, chosen
    folders: dict[Path, list[Path]] = {}
    for file in sorted(set(files)):
        folders.setdefault(file.parent, []).append(file)
    return top, folders


def _below(source: Source, top: Path) -> list[Path]:
    """The event files of a folder and of those in it; hidden folders hold copies."""
    found: list[Path] = []
    seen: set[Path] = set()
    todo = [top]
    while todo:
        folder = todo.pop()
        if (resolved := inside(source, folder)) in seen:
            continue
        seen.add(resolved)
        for entry in entries(source, folder):
            if entry.is_dir():
                todo += [] if entry.name.startswith(".") else [entry]
            elif _SIGN in entry.name:
                found.append(entry)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Timeline:
    """The scalars of one folder in the order of their times; p of them.

    Args:
        files: Names in messages.
        tags: By number.
        clock: What the steps of each tag count.
        tag: (p,) number of the tag.
        step: (p,)
        value: (p,)
        record: (p,) in its file.
        file: (p,) number of the file.
        starts: Points at which a writer said that the run was taken up, and the step.
        by: (p,) points by tag, each in the order of time.
    """

    files: Sequence[str]
    tags: Sequence[str]
    clock: NDArray[np.int8]
    tag: Numbers
    step: Int
    value: Float
    record: Int
    file: Numbers
    starts: Sequence[tuple[int, int]]
    by: Int

    def place(self, point: int) -> str:
        """``events.out.tfevents.1: record 17``."""
        return place(self.files[int(self.file[point])], int(self.record[point]))


def _timeline(events: Sequence[Events]) -> _Timeline:
    numbers: dict[str, int] = {}
    for one in events:
        for name in one.tags:
            numbers.setdefault(name, len(numbers))
    tensors = frozenset[str]().union(*(one.tensors for one in events))
    first = np.cumsum([0, *(len(one.tag) for one in events)])
    count = int(first[-1])
    order = np.arange(count)
    if len(events) > 1:
        order = np.argsort(np.concatenate([np.fmax.accumulate(one.wall) for one in events]), kind="stable")
    place_of = np.empty(count, dtype=np.int64)
    place_of[order] = np.arange(count)
    starts = []
    for one, begin in zip(events, first[:-1], strict=True):
        for record, step in one.starts:
            behind = int(np.searchsorted(one.record, record))
            if behind < len(one.record):  # as long as nothing is logged anew, nothing is replaced
                starts.append((int(place_of[begin + behind]), step))
    of_file = [np.array([numbers[name] for name in one.tags], dtype=np.int32) for one in events]
    tag = np.concatenate([own[one.tag] for own, one in zip(of_file, events, strict=True)])[order]
    return _Timeline(
        files=[one.file for one in events],
        tags=list(numbers),
        clock=np.array([_clock(name, tensor=name in tensors) for name in numbers], dtype=np.int8),
        tag=tag,
        step=np.concatenate([one.step for one in events])[order],
        value=np.concatenate([one.value for one in events])[order],
        record=np.concatenate([one.record for one in events])[order],
        file=np.repeat(np.arange(len(events), dtype=np.int32), np.diff(first))[order],
        starts=starts,
        by=np.argsort(tag.astype(np.uint16) if len(numbers) < 1 << 16 else tag, kind="stable"),
    )


def _clock(tag: str, *, tensor: bool) -> int:
    """What the steps of a tag count. Keras writes tensors, and names what it logs at the end of an epoch."""
    if tensor and tag.rpartition("/")[2].startswith("epoch_"):
        return _RUNNING
    return _OWN if tag == _PLACEHOLDER else _STEPS


def _series(log: TrainingLog, prefix: str, events: Sequence[Events], notes: list[str]) -> Iterator[tuple[str, Points]]:
    """The series of one folder."""
    line = _timeline(events)
    kept, lowest = _kept(line, within=log.on_resume == "last")
    if lowest is not None:
        where = prefix.rstrip("/") or log.source.file
        notes.append(f"{where}: the run was taken up again; what was logged before from step {lowest} on is replaced")
    bounds = np.searchsorted(line.tag[line.by], np.arange(len(line.tags) + 1))
    for number, tag in enumerate(line.tags):
        point = line.by[bounds[number] : bounds[number + 1]]
        point = point[kept[point]]
        step, epoch = line.step[point], None
        if line.clock[number] == _RUNNING:
            step = step + 1
            epoch = step.astype(np.float64)
            notes.append(f"the steps of {quoted(prefix + tag)} are running epochs; they are counted from 1")
        yield f"{prefix}{tag}", Points(step, line.value[point], epoch, point, line.place)


def _kept(line: _Timeline, *, within: bool) -> tuple[Bool, int | None]:
    """Which points count, and the lowest step from which on some were replaced.

    Args:
        line: The points.
        within: A step that goes back inside one file was taken up again too.
    """
    tag, step = line.tag[line.by], line.step[line.by]
    back = np.flatnonzero((tag[1:] == tag[:-1]) & (step[1:] < step[:-1]))
    row, before = line.by[back + 1], line.by[back]
    if not within:
        other = line.file[row] != line.file[before]
        row, before = row[other], before[other]
    kept, lowest = np.ones(len(tag), dtype=np.bool_), []
    for clock in (_STEPS, _RUNNING, _OWN):
        some = line.clock[line.tag[row]] == clock
        said = [(at, at, step) for at, step in line.starts] if clock == _STEPS else []
        signs = zip(row[some].tolist(), before[some].tolist(), line.step[row[some]].tolist(), strict=True)
        resumed = restarts([*signs, *said])
        if not len(resumed):
            continue
        own = np.flatnonzero(line.clock[line.tag] == clock)
        kept[own] = survive(own, line.step[own], resumed)
        if clock != _OWN and not kept[own].all():
            lowest.append(int(resumed[:, 1].min()) + (clock == _RUNNING))
    return kept, min(lowest, default=None)


def _with_epochs(log: TrainingLog, points: dict[str, Points]) -> dict[str, Points]:
    """Points with the epoch that was logged at their step.

    Raises:
        DataError: If the gate names a series of epochs that is not there.
    """
    declared = log.series.get("epoch")
    name = declared if isinstance(declared, str) else next((name for name in _EPOCHS if name in points), None)
    if isinstance(declared, tuple):
        raise DataError(log.source.file, "series.epoch: epochs of several series cannot be added up; name one")
    if name is None:
        return points
    if name not in points:
        hint = did_you_mean(name, tuple(points)) or listed(points)
        raise DataError(log.source.file, f"series.epoch: the log has no series {quoted(name)}; {hint}")
    order = np.argsort(points[name].step, kind="stable")
    step = points[name].step[order]
    epoch = finished(points[name].value[order], step)
    found = {}
    for series, given in points.items():
        at = np.searchsorted(step, given.step, side="right") - 1
        known = np.where((at >= 0) & (step[at] == given.step), epoch[at], np.nan)
        found[series] = given if given.epoch is not None else replace(given, epoch=known)
    return found
