"""LLaMA-Factory: ``trainer_log.jsonl``."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pytest_vigate.data.curves import Training, TrainingLog
from pytest_vigate.data.logs import LogReader
from pytest_vigate.data.logs._rows import Record, read_lines
from pytest_vigate.data.logs._series import file_of, make_training
from pytest_vigate.data.logs._trainer import LLAMA_FACTORY, is_bookkeeping, is_summary, trainer_names, writer_of


class LlamaFactoryLog(LogReader):
    """Records a line, appended: a run that was resumed repeats steps. Records of progress alone hold no point.

    ``loss`` is the train loss, ``eval_loss`` the validation loss, ``lr`` the learning rate; steps are
    ``current_steps``, or ``step`` as version 1 writes it. ``training_args.yaml`` beside the log holds the
    hyperparameters.
    """

    name: ClassVar[str] = "llama-factory"
    beside: ClassVar[tuple[str, ...]] = ("training_args.yaml",)

    def sniff(self, path: Path, head: bytes) -> bool:
        if path.is_dir():
            return writer_of(path) == self.name
        first = head.split(b"\n", 1)[0]
        counted = b'"total_steps"' in first and (b'"current_steps"' in first or b'"step"' in first)
        return path.suffix.lower() == ".jsonl" and (path.name == LLAMA_FACTORY or counted)

    def read(self, log: TrainingLog) -> Training:
        path = file_of(log, LLAMA_FACTORY)
        columns = read_lines(log, path, _point).without(is_bookkeeping)
        return make_training(log, columns, trainer_names(columns, ("current_steps", "step")), filtered=True)


def _point(record: Record) -> Record | None:
    return None if is_summary(record) else record
