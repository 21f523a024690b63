"""PyTorch Lightning's CSVLogger: ``metrics.csv`` beside ``hparams.yaml``."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pytest_vigate.data.curves import Training, TrainingLog
from pytest_vigate.data.files import head_in, shown
from pytest_vigate.data.logs import LogReader
from pytest_vigate.data.logs._columns import header_of, read_columns
from pytest_vigate.data.logs._series import Names, file_of, make_training
from pytest_vigate.errors import DataError

_FILE = "metrics.csv"
#: Where both are logged, the loss of steps: that of epochs is its mean.
_TRAIN = (
    *("train_loss", "train_loss_step", "train_loss_epoch", "train/loss", "train/loss_step", "train/loss_epoch"),
    *("training_loss", "loss", "loss_step", "loss_epoch"),
)
_VALIDATION = (
    *("val_loss", "val_loss_epoch", "val/loss", "val/loss_epoch", "valid_loss", "valid/loss"),
    *("validation_loss", "validation/loss"),
)


class LightningMetrics(LogReader):
    """``metrics.csv``, or its folder ``version_N``: train and validation on rows of their own, blanks elsewhere.

    Steps are as logged, from 0; epochs are the running ones, from 0, and one more here. Names are the user's:
    ``train_loss`` (or with ``_step``, ``_epoch``) and ``val_loss`` are the losses, and some common others. A learning
    rate is ``lr``, or of the first optimizer that the monitor logs, ``lr-…``. ``hparams.yaml`` beside the log holds the
    hyperparameters.
    """

    name: ClassVar[str] = "lightning"
    beside: ClassVar[tuple[str, ...]] = ("hparams.yaml",)

    def sniff(self, path: Path, head: bytes) -> bool:
        if path.is_dir():
            return "step" in header_of(head_in(path, _FILE), ",")
        return path.name == _FILE and "step" in header_of(head, ",")

    def read(self, log: TrainingLog) -> Training:
        path = file_of(log, _FILE)
        columns = read_columns(log, path)
        if "step" not in log.series and columns.names() and "step" not in columns.names():
            raise DataError(
                shown(log.source, path),
                "there is no column 'step', which Lightning writes; declare format: csv, or series: {step: …}",
            )
        monitored = tuple(name for name in columns.names() if name.startswith("lr-"))
        names = Names(
            step=("step",),
            epoch=("epoch",),
            train=_TRAIN,
            validation=_VALIDATION,
            learning_rate=("lr", "learning_rate", *monitored),
            epochs="running",
        )
        return make_training(log, columns, names)
