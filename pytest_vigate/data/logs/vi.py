"""Datature Vi: the checkpoints of a run as ``vigate pull vi`` has written them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np

from pytest_vigate.data.curves import Points, Training, TrainingLog, assemble, listed, single
from pytest_vigate.data.files import shown
from pytest_vigate.data.logs import LogReader
from pytest_vigate.data.objects import ENTRIES
from pytest_vigate.data.replies import quoted
from pytest_vigate.data.vi_runs import ViRun, read_vi_run
from pytest_vigate.errors import DataError

_SIGN: Final = re.compile(rb'\s*\{\s*"vigate"\s*:\s*1\s*,\s*"source"\s*:\s*"vi"\s*,')
#: Names of losses, folded. "loss" and "total loss" are in neither: nothing says on which data they were computed.
_TRAIN: Final = frozenset({"trainloss", "trainingloss", "traintotalloss", "trainingtotalloss", "totaltrainloss"})
_VALIDATION: Final = frozenset(
    f"{total}{side}{loss}"
    for side in ("val", "valid", "validation", "eval", "evaluation")
    for total, loss in (("", "loss"), ("", "totalloss"), ("total", "loss"))
)
_RATE: Final = frozenset({"learningrate", "lr"})


class Vi(LogReader):
    """What ``vigate pull vi RUN`` writes: every evaluation metric, by dotted name, is a curve over the checkpoints.

    A step is Vi's own epoch, whether it counts from 0 or 1, so that ``checkpoint: 2`` is one and the same here and for
    reported scores; checkpoints are taken by epoch. Where none has an epoch they are counted from 1, in the order of
    the file. A metric that is no number is left out, and so is a checkpoint without metrics; both are noted. A loss is
    read as one of training or of validation only where its name says which; declare series otherwise. The settings of
    the flow are hyperparameters: ``settings.NAME`` and ``BLOCK.NAME``.
    """

    name: ClassVar[str] = "vi"
    runs: ClassVar[bool] = True

    def sniff(self, path: Path, head: bytes) -> bool:
        return _SIGN.match(head) is not None

    def read(self, log: TrainingLog) -> Training:
        source = single(log)
        run = read_vi_run(source, source.paths[0])
        file = shown(source, source.paths[0])
        if log.run is not None and log.run != run.id:
            raise DataError(file, f"this is the run {quoted(run.id)}, not {quoted(log.run)}; pull that one")
        for role in ("step", "epoch"):
            if role in log.series:
                raise DataError(file, f"Vi's epochs are the steps of this log; leave {role!r} out of series")
        notes = _notes(run)
        points = _points(file, run, notes)
        return assemble(
            log,
            points,
            train=_only(file, points, _TRAIN, declared="train" in log.series),
            validation=_only(file, points, _VALIDATION, declared="validation" in log.series),
            learning_rate=_only(file, points, _RATE, declared=False)[:1],
            hyperparameters=_settings(run.flow),
            notes=notes,
        )


def _notes(run: ViRun) -> list[str]:
    """What the steps are, where it goes without saying that they are something else."""
    if not run.checkpoints:
        return []
    if not run.dated:
        return ["no checkpoint has an epoch: steps count checkpoints, from 1"]
    notes = []
    if run.checkpoints[0].step == 0:
        notes.append("epochs are counted from 0 in the log, and so are steps")
    if run.sorted:
        notes.append(f"checkpoints are sorted by epoch; the last is {run.named(run.checkpoints[-1])}")
    return notes


def _points(file: str, run: ViRun, notes: list[str]) -> dict[str, Points]:
    rows: dict[str, list[int]] = {}
    values: dict[str, list[float]] = {}
    others: dict[str, int] = {}
    bare = 0
    for i, checkpoint in enumerate(run.checkpoints):
        numbers, left = checkpoint.scores()
        stray = [name for name, value in left.items() if value is not None and value != {}]
        bare += not numbers and not stray
        for name, value in numbers.items():
            rows.setdefault(name, []).append(i)
            values.setdefault(name, []).append(value)
        for name in stray:
            others.setdefault(name, i)
        if len(rows) + len(others) > ENTRIES:
            raise DataError(file, f"more than {ENTRIES} metrics, which is more than any run has; pull anew")
    for name in others.keys() & rows.keys():
        raise DataError(
            run.checkpoints[others[name]].place,
            f"{quoted(name)} is no number here, and is one at other checkpoints; pull anew",
        )
    if bare:
        notes.append(f"{bare} of {len(run.checkpoints)} checkpoints have no metrics")
    if others:
        notes.append(f"metrics that are no numbers are left out: {listed(others)}")
    step = np.array([checkpoint.step for checkpoint in run.checkpoints], dtype=np.int64)
    # Finished epochs: a count that begins with 0 names the epoch that runs.
    finished = (step + (step.min(initial=1) == 0)).astype(np.float64)
    places = [checkpoint.place for checkpoint in run.checkpoints]
    found = {}
    for name, at in rows.items():
        row = np.array(at, dtype=np.int64)
        logged = np.array(values[name], dtype=np.float64)
        found[name] = Points(step[row], logged, finished[row] if run.dated else None, row, places.__getitem__)
    return found


def _only(file: str, points: Mapping[str, Points], known: frozenset[str], *, declared: bool) -> list[str]:
    """The one series whose name says what it is, however it is spelled.

    Raises:
        DataError: If there are several, and the gate does not say which.
    """
    fitting = [name for name in points if re.sub(r"[\W_]+", "", name).lower() in known]
    if len(fitting) > 1 and not declared and known is not _RATE:
        both = " and ".join(quoted(name) for name in fitting[:2])
        role = "train" if known is _TRAIN else "validation"
        raise DataError(file, f"{both} may both be the {role} loss; declare series: {{{role}: one of them}}")
    return fitting


def _settings(flow: Mapping[str, Any]) -> dict[str, object]:
    found: dict[str, object] = {"settings": flow.get("settings")}
    blocks = flow.get("blocks")
    for block in blocks if isinstance(blocks, list) else []:
        if isinstance(block, Mapping):
            name = str(block.get("block"))
            found[name if name not in found else f"{name}.{len(found)}"] = block.get("settings")
    return {name: settings for name, settings in found.items() if isinstance(settings, Mapping)}
