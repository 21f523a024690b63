"""CSV: a table of numbers, a row a logged moment."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Final

from pytest_vigate.data.curves import Training, TrainingLog, single
from pytest_vigate.data.logs import LogReader
from pytest_vigate.data.logs._columns import SEPARATORS, read_columns
from pytest_vigate.data.logs._series import Names, make_training

#: What is read without a declaration; a note says what was read.
COMMON: Final = Names(
    step=("step", "global_step", "Step", "_step", "iteration"),
    epoch=("epoch", "Epoch"),
    train=("loss", "train_loss", "train/loss", "training_loss"),
    validation=("val_loss", "val/loss", "eval_loss", "eval/loss", "validation_loss", "validation/loss", "valid_loss"),
    epochs="either",
)


class CsvLog(LogReader):
    """A header and rows; ``series`` says what the columns are called. Only where the gate declares it.

    Without a column of steps the epochs are the steps, one more where they begin at 0. Beside steps, whole epochs are
    the running ones where a 0 stands at a step beyond 0. Between cells may be a comma, a semicolon or a tab, whichever
    the header has most. A cell is a number, ``nan``, ``inf`` or blank. A last line without an end is left out.
    """

    name: ClassVar[str] = "csv"

    def sniff(self, path: Path, head: bytes) -> bool:
        return False  # any table looks like it

    def read(self, log: TrainingLog) -> Training:
        path = single(log).paths[0]
        columns = read_columns(log, path, separators=SEPARATORS)
        return make_training(log, columns, COMMON)
