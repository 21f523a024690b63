"""JSONL: a record of numbers a line, each a logged moment."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pytest_vigate.data.curves import Training, TrainingLog, single
from pytest_vigate.data.logs import LogReader
from pytest_vigate.data.logs._rows import read_lines
from pytest_vigate.data.logs._series import make_training
from pytest_vigate.data.logs.csv import COMMON


class JsonlLog(LogReader):
    """Records with numbers; ``series`` says what they are called. Only where the gate declares it.

    Records inside of others have dotted names. Numbers may be texts. Steps and epochs are read as in ``csv``. Of a name
    that a record has twice the last value counts.
    """

    name: ClassVar[str] = "jsonl"

    def sniff(self, path: Path, head: bytes) -> bool:
        return False  # any records look like it

    def read(self, log: TrainingLog) -> Training:
        path = single(log).paths[0]
        columns = read_lines(log, path, lambda record: record)
        return make_training(log, columns, COMMON)
