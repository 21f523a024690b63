"""A folder with data files, and how a gate would read them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from pytest_vigate.data.curves import Training, TrainingLog
from pytest_vigate.data.logs import read_training
from pytest_vigate.data.readers import builtin, load
from pytest_vigate.data.tables import Role, Source, Table
from pytest_vigate.errors import DataError


class World:
    """Data files below one root."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file as it is."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def write_json(self, name: str, value: object) -> Path:
        """Write one JSON document."""
        return self.write(name, json.dumps(value))

    def write_lines(self, name: str, *values: object) -> Path:
        """Write one JSON record a line."""
        return self.write(name, "".join(json.dumps(value) + "\n" for value in values))

    def source(self, role: Role, name: str, **declared: Any) -> Source:
        """A source of one file or folder."""
        return Source(role, name, (self.root / name,), (self.root,), **declared)

    def predictions(self, name: str, **declared: Any) -> Table:
        """Read a file as predictions."""
        return load(self.source("predictions", name, **declared), READERS)

    def references(self, name: str, **declared: Any) -> Table:
        """Read a file as references."""
        return load(self.source("references", name, **declared), READERS)

    def log(
        self, *names: str, form: str | None = None, hyperparameters: str | None = None, **declared: Any
    ) -> TrainingLog:
        """The log of one run, as a gate would declare it."""
        paths = tuple(self.root / name for name in names)
        beside = None if hyperparameters is None else self.source("hyperparameters", hyperparameters)
        return TrainingLog(
            Source("training", names[0], paths, (self.root,), format=form), hyperparameters=beside, **declared
        )

    def training(self, *names: str, **declared: Any) -> Training:
        """Read a training log."""
        return read_training(self.log(*names, **declared))


READERS = {reader.name: reader for reader in builtin()}
#: All formats, as messages list them.
FORMATS = "coco, coco-captions, csv, jsonl, llava, lmms-eval, refcoco, ultralytics, vi, voc, vqa2, yolo"


def steps(action: Callable[[], object]) -> int:
    """Lines of Python that the action executes: how its work grows, whatever else the machine does."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        action()
    finally:
        sys.settrace(before)
    return count


def message(action: Callable[[], object]) -> str:
    """The whole message of the data error that the action ends with."""
    with pytest.raises(DataError) as caught:
        action()
    return str(caught.value)
