"""ms-swift: ``logging.jsonl``."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pytest_vigate.data.curves import Training, TrainingLog
from pytest_vigate.data.logs import LogReader
from pytest_vigate.data.logs._rows import Record, read_lines
from pytest_vigate.data.logs._series import file_of, make_training
from pytest_vigate.data.logs._trainer import (
    LLAMA_FACTORY,
    MS_SWIFT,
    is_bookkeeping,
    is_summary,
    trainer_names,
    writer_of,
)

_STEP = "global_step/max_steps"
#: Of the record that ms-swift ends a run with: facts of the run, at no step.
_LAST = "last_model_checkpoint"


class MsSwiftLog(LogReader):
    """Records a line, appended: a run that was resumed repeats steps.

    ``loss`` is the train loss, ``eval_loss`` the validation loss. The step is the first number of
    ``global_step/max_steps``, which is text as ``"10/100"``; older versions write ``global_step``. ``args.json`` beside
    the log holds the hyperparameters.
    """

    name: ClassVar[str] = "ms-swift"
    beside: ClassVar[tuple[str, ...]] = ("args.json",)

    def sniff(self, path: Path, head: bytes) -> bool:
        if path.is_dir():
            return writer_of(path) == self.name
        old = path.name == MS_SWIFT and b'"global_step"' in head.split(b"\n", 1)[0]
        own = path.suffix.lower() == ".jsonl" and b'"global_step/max_steps"' in head
        return path.name != LLAMA_FACTORY and (old or own)

    def read(self, log: TrainingLog) -> Training:
        path = file_of(log, MS_SWIFT)
        columns = read_lines(log, path, _point).without(is_bookkeeping)
        return make_training(log, columns, trainer_names(columns, (_STEP, "global_step")), filtered=True)


def _point(record: Record) -> Record | None:
    if _LAST in record or is_summary(record):
        return None
    step = record.get(_STEP)
    if isinstance(step, str):
        record[_STEP] = step.partition("/")[0]
    return record
