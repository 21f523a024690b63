"""Keras's CSVLogger."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pytest_vigate.data.curves import Training, TrainingLog, single
from pytest_vigate.data.logs import LogReader
from pytest_vigate.data.logs._columns import SEPARATORS, first_cells, header_of, read_columns
from pytest_vigate.data.logs._series import Names, make_training

_NAMES = Names(step=(), epoch=("epoch",), train=("loss",), validation=("val_loss",), epochs="running")
#: ``NA`` stands where an epoch was not validated; whole columns of it where the first one was not.
_BLANK = frozenset({"", "NA"})


class KerasLog(LogReader):
    """A row an epoch, counted from 0: steps are finished epochs, from 1. ``NA`` is a blank.

    ``loss`` is the train loss, ``val_loss`` the validation loss. Between cells may be a comma, a semicolon or a tab.
    """

    name: ClassVar[str] = "keras"

    def sniff(self, path: Path, head: bytes) -> bool:
        header = header_of(head)
        own = [name for name in header[1:] if not name.startswith("val_")]
        keras = header[:1] == ("epoch",) and "loss" in own and "step" not in own and own == sorted(own)
        first, *second = first_cells(head, 2) or [""]
        # a second row of epoch 0: a log of batches, which is not Keras's
        return keras and first == "0" and second != ["0"] and not any("/" in name for name in header)

    def read(self, log: TrainingLog) -> Training:
        path = single(log).paths[0]
        columns = read_columns(log, path, separators=SEPARATORS, blank=_BLANK)
        return make_training(log, columns, _NAMES)
