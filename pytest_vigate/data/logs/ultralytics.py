"""Ultralytics: ``results.csv`` beside ``args.yaml``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from pytest_vigate.data.curves import Training, TrainingLog
from pytest_vigate.data.files import holds
from pytest_vigate.data.logs import LogReader
from pytest_vigate.data.logs._columns import header_of, read_columns
from pytest_vigate.data.logs._series import Columns, Names, file_of, make_training
from pytest_vigate.data.replies import quoted

_FILE = "results.csv"
_TRAIN, _VALIDATION, _SCORES = "train/", "val/", "metrics/"


class UltralyticsResults(LogReader):
    """``results.csv``, or the folder of a run with it: a row an epoch, counted from 1, by older releases from 0.

    The train loss is the sum of the columns ``train/*loss``, the validation loss that of ``val/*loss``: there is no
    total. Both are sums of the same parts: one that only the train loss has is left out and noted. ``lr/pg0`` is the
    learning rate, YOLOv5's ``x/lr0``. ``args.yaml`` beside it holds the hyperparameters.

    With ``val: false`` the tool writes 0 for every loss and score of an epoch that it did not validate; there they have
    no point.
    """

    name: ClassVar[str] = "ultralytics"
    beside: ClassVar[tuple[str, ...]] = ("args.yaml",)

    def sniff(self, path: Path, head: bytes) -> bool:
        if path.is_dir():
            return holds(path, _FILE) and holds(path, "args.yaml")
        header = header_of(head, ",")
        return header[:1] == ("epoch",) and "step" not in header and bool(_parts(header, _TRAIN))

    def read(self, log: TrainingLog) -> Training:
        path = file_of(log, _FILE)
        columns = _validated(read_columns(log, path))
        train, validation, left_out = _losses(columns)
        names = Names(
            step=(),
            epoch=("epoch",),
            train=(train,) if train else (),
            validation=(validation,) if validation else (),
            learning_rate=("lr/pg0", "x/lr0"),
            epochs="either",
        )
        return make_training(log, replace(columns, notes=(*columns.notes, *left_out)), names)


def _parts(names: Sequence[str], prefix: str) -> tuple[str, ...]:
    """Losses of one side, without the prefix, in the order of the header."""
    return tuple(name.removeprefix(prefix) for name in names if name.startswith(prefix) and name.endswith("loss"))


def _losses(columns: Columns) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """The columns whose sums are the losses, and notes."""
    train = _parts(columns.names(), _TRAIN)
    validation = _parts(columns.names(), _VALIDATION)
    shared = tuple(part for part in train if part in validation)
    summed = shared or train
    alone = [_TRAIN + part for part in train if part not in summed]
    alone += [_VALIDATION + part for part in validation if part not in summed]
    notes = [f"only one side has {', '.join(map(quoted, alone))}; the losses are sums without it"] if alone else []
    return tuple(_TRAIN + part for part in summed), tuple(_VALIDATION + part for part in shared), tuple(notes)


def _validated(columns: Columns) -> Columns:
    """The columns without the points of epochs that were not validated."""
    judged = {name: column for name, column in columns.numbers.items() if name.startswith((_VALIDATION, _SCORES))}
    if not any(name.startswith(_VALIDATION) for name in judged):
        return columns
    written = np.concatenate([column.row for column in judged.values()])
    some = np.concatenate([column.row[column.value != 0] for column in judged.values()])
    empty = np.setdiff1d(written, some)
    if not len(empty):
        return columns
    kept = {name: column.take(~np.isin(column.row, empty)) for name, column in judged.items()}
    what = "1 epoch was" if len(empty) == 1 else f"{len(empty)} epochs were"
    note = f"{what} not validated: all losses and scores of val are 0 there"
    return replace(columns, numbers={**columns.numbers, **kept}, notes=(*columns.notes, note))
