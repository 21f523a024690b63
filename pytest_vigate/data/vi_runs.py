"""What ``vigate pull vi`` writes: a run of Datature Vi, read alike for its curves and for a checkpoint's scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from pytest_vigate.data.decoding import convert
from pytest_vigate.data.files import shown
from pytest_vigate.data.numbers import divide
from pytest_vigate.data.objects import entries, read_object
from pytest_vigate.data.replies import quoted
from pytest_vigate.data.syntaxes import Syntax
from pytest_vigate.data.tables import Source
from pytest_vigate.errors import DataError

_SYNTAX: Final = Syntax("json", nan=True)
#: Epochs lie below: floats, which curves date points with, know every whole number up to there.
_MOST: Final = 1 << 53


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


@dataclass(frozen=True, slots=True)
class ViCheckpoint:
    """A checkpoint and what Vi measured of it."""

    id: str
    step: int
    """Vi's own epoch; where no checkpoint has one, its place in the file, from 1."""
    metrics: Mapping[str, object] | None
    """As Vi gives them, nested or flat."""
    place: str
    """``file: checkpoint 3``, counted in the order of the file."""

    def scores(self) -> tuple[dict[str, float], dict[str, object]]:
        """Numbers and everything else, by dotted name.

        Raises:
            DataError: If two metrics have one name, or there are more or longer ones than `objects.entries` reads.
        """
        return divide(entries(self.metrics or {}, self.place), words=True)


@dataclass(frozen=True, slots=True)
class ViRun:
    """A run.

    Args:
        id: Of the run.
        flow: What was configured.
        checkpoints: By step, of one step in the order of the file: the last of them is the last checkpoint.
        dated: Whether steps are epochs; they count checkpoints otherwise.
        sorted: Whether the file has the checkpoints in another order.
    """

    id: str
    flow: Mapping[str, Any]
    checkpoints: tuple[ViCheckpoint, ...]
    dated: bool
    sorted: bool

    def named(self, checkpoint: ViCheckpoint) -> str:
        """``checkpoint 'b', epoch 2``."""
        return f"checkpoint {quoted(checkpoint.id)}, {'epoch' if self.dated else 'number'} {checkpoint.step}"


def is_vi_run(document: Mapping[str, object]) -> bool:
    """Whether a document says that it is such a file."""
    return document.get("source") == "vi" and "checkpoints" in document


def read_vi_run(source: Source, path: Path) -> ViRun:
    """The run that fills a file.

    Raises:
        DataError: If the file cannot be read or is none that ``vigate pull vi`` wrote, an epoch is none, or only some
            of the checkpoints have one.
    """
    return vi_run(read_object(source, path, _SYNTAX), shown(source, path))


def vi_run(document: Mapping[str, object], file: str) -> ViRun:
    """The run in a document.

    Raises:
        DataError: As `read_vi_run`.
    """
    pulled = convert(document, _Pulled, where=file, path="$")
    epochs = _epochs(file, pulled.checkpoints)
    steps = range(1, len(pulled.checkpoints) + 1) if epochs is None else epochs
    given = [
        ViCheckpoint(one.id, step, one.evaluation_metrics, f"{file}: checkpoint {i}")
        for i, (one, step) in enumerate(zip(pulled.checkpoints, steps, strict=True), start=1)
    ]
    ordered = sorted(given, key=lambda checkpoint: checkpoint.step)
    return ViRun(pulled.run.id, pulled.run.flow or {}, tuple(ordered), epochs is not None, ordered != given)


def _epochs(file: str, checkpoints: Sequence[_Checkpoint]) -> list[int] | None:
    """The epoch of each checkpoint, None if none has one."""
    found = [one.epoch for one in checkpoints if one.epoch is not None]
    if not found:
        return None
    for i, one in enumerate(checkpoints, start=1):
        where = f"{file}: checkpoint {i}"
        if one.epoch is None:
            raise DataError(
                where,
                f"it has no epoch, and {len(found)} of {len(checkpoints)} checkpoints have one: nothing says where it "
                "stands; remove it from the file, or give it its epoch",
            )
        if not 0 <= one.epoch < _MOST:
            raise DataError(where, f"the epoch {one.epoch} is none; epochs count from 0 or 1")
    return found
