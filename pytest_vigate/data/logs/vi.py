"""Datature Vi: the checkpoints of a run as ``vigate pull vi`` has written them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

import msgspec
import numpy as np

from pytest_vigate.data.coordinates import Float, Int
from pytest_vigate.data.curves import Points, Training, TrainingLog, assemble, listed, single
from pytest_vigate.data.decoding import decode_document
from pytest_vigate.data.files import shown
from pytest_vigate.data.logs import LogReader
from pytest_vigate.data.logs._declared import find_hyperparameters
from pytest_vigate.data.replies import quoted
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
#: Texts that stand for numbers JSON does not have.
_WORDS: Final = {"nan": math.nan, "infinity": math.inf, "inf": math.inf, "-infinity": -math.inf, "-inf": -math.inf}


class _Checkpoint(msgspec.Struct):
    id: str
    evaluation_metrics: dict[str, Any] | None
    epoch: int | None = None


class _Facts(msgspec.Struct):
    id: str
    flow: dict[str, Any] | None = None


class _Pulled(msgspec.Struct):
    vigate: Literal[1]
    source: Literal["vi"]
    run: _Facts
    checkpoints: list[_Checkpoint]


_DECODER = msgspec.json.Decoder(_Pulled)


class Vi(LogReader):
    """What ``vigate pull vi RUN`` writes: every evaluation metric, by dotted name, is a curve over the checkpoints.

    A step is an epoch, counted from 1: where Vi's count begins with 0, all are shifted by one. Where no checkpoint has
    an epoch, checkpoints are counted. A metric that is no number is left out, and so is a checkpoint without metrics;
    both are noted. A loss is read as one of training or of validation only where its name says which; declare series
    otherwise. The settings of the flow are hyperparameters: ``settings.NAME`` and ``BLOCK.NAME``.
    """

    name: ClassVar[str] = "vi"

    def sniff(self, path: Path, head: bytes) -> bool:
        return _SIGN.match(head) is not None

    def read(self, log: TrainingLog) -> Training:
        source = single(log)
        pulled = decode_document(source, source.paths[0], _DECODER)
        file = shown(source, source.paths[0])
        if log.run is not None and log.run != pulled.run.id:
            raise DataError(file, f"this is the run {quoted(pulled.run.id)}, not {quoted(log.run)}; pull that one")
        for role in ("step", "epoch"):
            if role in log.series:
                raise DataError(file, f"Vi's epochs are the steps of this log; leave {role!r} out of series")
        notes: list[str] = []
        step, epoch = _steps(file, pulled.checkpoints, notes)
        points = _points(file, pulled.checkpoints, step, epoch, notes)
        declared = None if log.hyperparameters is None else find_hyperparameters(log, source.paths[0].parent)[0]
        return assemble(
            log,
            points,
            train=_only(file, points, _TRAIN, declared="train" in log.series),
            validation=_only(file, points, _VALIDATION, declared="validation" in log.series),
            learning_rate=_only(file, points, _RATE, declared=False)[:1],
            hyperparameters=_settings(pulled.run.flow or {}) if declared is None else declared,
            notes=notes,
        )


def _steps(file: str, checkpoints: Sequence[_Checkpoint], notes: list[str]) -> tuple[Int, Float | None]:
    """(m,) Steps of the checkpoints and (m,) finished epochs."""
    given = [checkpoint.epoch for checkpoint in checkpoints if checkpoint.epoch is not None]
    if not given:
        if checkpoints:
            notes.append("no checkpoint has an epoch: steps count checkpoints, from 1")
        return np.arange(1, len(checkpoints) + 1), None
    if len(given) < len(checkpoints):
        i = next(i for i, checkpoint in enumerate(checkpoints) if checkpoint.epoch is None)
        raise DataError(
            _place(file, i),
            f"it has no epoch, and {len(given)} of {len(checkpoints)} checkpoints have one: nothing says where it "
            "stands; remove it from the file, or give it its epoch",
        )
    if not 0 <= min(given) <= max(given) < 1 << 53:
        i = next(i for i, epoch in enumerate(given) if not 0 <= epoch < 1 << 53)
        raise DataError(_place(file, i), f"the epoch {given[i]} is none; epochs count from 0 or 1")
    if min(given) == 0:
        notes.append("epochs are counted from 0 in the log: step = epoch + 1")
    step = np.array(given, dtype=np.int64) + (min(given) == 0)
    return step, step.astype(np.float64)


def _points(
    file: str, checkpoints: Sequence[_Checkpoint], step: Int, epoch: Float | None, notes: list[str]
) -> dict[str, Points]:
    rows: dict[str, list[int]] = {}
    values: dict[str, list[float]] = {}
    others: dict[str, int] = {}
    bare = 0
    for i, checkpoint in enumerate(checkpoints):
        metrics = _metrics(_place(file, i), checkpoint.evaluation_metrics or {})
        bare += not metrics
        for name, value in metrics.items():
            number = _number(value)
            if number is not None:
                rows.setdefault(name, []).append(i)
                values.setdefault(name, []).append(number)
            elif value is not None:
                others.setdefault(name, i)
    for name in others.keys() & rows.keys():
        raise DataError(
            _place(file, others[name]), f"{quoted(name)} is no number here, and is one at other checkpoints; pull anew"
        )
    if bare:
        notes.append(f"{bare} of {len(checkpoints)} checkpoints have no metrics")
    if others:
        notes.append(f"metrics that are no numbers are left out: {listed(others)}")
    found = {}
    for name, at in rows.items():
        row = np.array(at, dtype=np.int64)
        value = np.array(values[name], dtype=np.float64)
        found[name] = Points(step[row], value, None if epoch is None else epoch[row], row, partial(_place, file))
    return found


def _place(file: str, row: int) -> str:
    return f"{file}: checkpoint {row + 1}"


def _metrics(where: str, nested: Mapping[str, object]) -> dict[str, object]:
    """Metrics by dotted name."""
    found: dict[str, object] = {}
    todo: list[tuple[str, object]] = [*reversed([*nested.items()])]
    while todo:
        name, value = todo.pop()
        if isinstance(value, Mapping):
            todo += [(f"{name}.{key}", inner) for key, inner in reversed([*value.items()])]
        elif name in found:
            raise DataError(where, f"two metrics have the name {quoted(name)}, one nested and one flat; rename one")
        else:
            found[name] = value
    return found


def _number(value: object) -> float | None:
    if isinstance(value, str):
        return _WORDS.get(value.strip().lower())
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


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
