"""What a gate names under `data` → what its families look at, and which files that was read from."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from pytest_vigate.data.coordinates import Int
from pytest_vigate.data.curves import TrainingLog
from pytest_vigate.data.dataset import Checkpoints, Dataset, Side, Workspace
from pytest_vigate.data.evidence import of_reported, of_training
from pytest_vigate.data.files import digest
from pytest_vigate.data.joining import join, picture_names
from pytest_vigate.data.logs import read_training
from pytest_vigate.data.presets import Preset
from pytest_vigate.data.readers import Reader, load
from pytest_vigate.data.reported import read_reported
from pytest_vigate.data.tables import Source, Table
from pytest_vigate.data.units import arrange
from pytest_vigate.errors import UnmeasurableError
from pytest_vigate.gates.model import Data


@dataclass(frozen=True, slots=True)
class DataFile:
    """Files as they were read, for the run record."""

    role: str
    path: str
    format: str
    digest: str
    samples: int


@dataclass(frozen=True, slots=True)
class Loader:
    """Reads data as the registered readers and presets do.

    Args:
        readers: Registered formats by name.
        presets: Registered ways to write boxes by name.
        workspace: What metrics may use beside the data.
    """

    readers: Mapping[str, Reader]
    presets: Mapping[str, Preset]
    workspace: Workspace

    @property
    def key(self) -> object:
        """What tells two loaders apart."""
        kinds = frozenset((name, type(reader)) for name, reader in self.readers.items())
        return kinds, frozenset(self.presets.values())

    def side(self, source: Source) -> tuple[Table, DataFile]:
        """One side before joining.

        Raises:
            DataError: If it cannot be read.
        """
        table = load(source, self.readers, self.presets)
        return table, DataFile(source.role, source.file, table.source.format or "", digest(table.source), len(table))

    def joined(self, data: Data, predictions: Table, references: Table | None, *, same: bool) -> Dataset:
        """Predictions joined to their references.

        Args:
            data: How they are joined.
            predictions: What the model said.
            references: What is true; None where the predictions hold it, or nothing is needed.
            same: Both were read from the same content.

        Raises:
            UnmeasurableError: If the two cannot be joined.
        """
        if references is None and predictions.counterpart is not None:
            references, same = predictions.counterpart(), True
        if references is not None:
            _refuse_self(data.references, predictions, references, same=same)
        dataset = join(predictions, references, attributes=data.attributes, missing=data.missing, extra=data.extra)
        if data.unit is not None:
            dataset = arrange(dataset, data.unit, pictures=picture_names(predictions, references))
        return replace(dataset, workspace=replace(self.workspace, roots=predictions.source.roots))

    def training(self, log: TrainingLog, data: Data) -> tuple[Dataset, tuple[DataFile, ...]]:
        """A training run, judged at the checkpoint of the gate.

        Raises:
            DataError: If its log cannot be read.
        """
        found = read_training(log)
        notes = found.notes
        judged = data.checkpoint if data.checkpoint is not None or not data.checkpoints else data.checkpoints[-1][0]
        last = int(found.steps[-1])
        if judged is not None and judged != last and (data.checkpoints or data.checkpoint is not None):
            notes = (*notes, f"checkpoint {judged} is judged, and the log of the run goes to step {last}")
        found = replace(found, judged=data.checkpoint, notes=notes)
        dataset = replace(of_training(found), workspace=replace(self.workspace, roots=log.source.roots))
        files = [DataFile("training", found.file, found.source.format or "", digest(found.source), len(dataset))]
        if found.declared is not None:
            declared = found.declared
            files.append(DataFile("hyperparameters", declared.file, "", digest(declared), len(found.hyperparameters)))
        return dataset, tuple(files)

    def reported(self, source: Source, *, checkpoint: int | None) -> tuple[Dataset, tuple[DataFile, ...]]:
        """Scores from elsewhere.

        Raises:
            DataError: If their file cannot be read.
        """
        found = read_reported(replace(source, sums={}), checkpoint=checkpoint)
        file = DataFile("reported", source.file, found.source.format or "json", digest(found.source), 1)
        return of_reported(found), (file,)


def prepared_once(table: Table) -> Table:
    """References that are held against several predictions: what their file holds is taken out of it once."""
    return replace(
        table,
        derive_boxes=None if table.derive_boxes is None else functools.cache(table.derive_boxes),
        derive_texts=None if table.derive_texts is None else functools.cache(table.derive_texts),
        documents=None if table.documents is None else functools.cache(table.documents),
        attribute=functools.cache(table.attribute),
    )


def beside(validation: Dataset, train: Dataset | None, checkpoints: Checkpoints) -> Dataset:
    """The samples to validate on and those of the training as one dataset, each drawn for itself."""
    parts = [validation] if train is None else [validation, train]
    marks = ["", "train: "]
    ids = [f"{mark}{identifier}" for mark, part in zip(marks, parts, strict=False) for identifier in part.ids]
    sizes = [len(part) for part in parts]
    nobody = Side("", np.zeros(len(ids), dtype=np.bool_))
    return Dataset(
        tuple(ids),
        {name: tuple(value for part in parts for value in part.attributes[name]) for name in validation.attributes},
        nobody,
        nobody,
        pictures=_pictures(parts) if any(part.pictures is not None for part in parts) else None,
        strata=np.repeat(np.arange(len(parts)), sizes),
        checkpoints=checkpoints,
        workspace=validation.workspace,
    )


def _pictures(parts: list[Dataset]) -> Int:
    """Pictures of all parts, none shared between two."""
    found, start = [], 0
    for part in parts:
        pictures = np.arange(len(part)) if part.pictures is None else part.pictures
        found.append(pictures + start)
        start += int(pictures.max(initial=-1)) + 1
    return np.concatenate(found)


def _refuse_self(referenced: Source | None, predictions: Table, references: Table, *, same: bool) -> None:
    """References that judge themselves are always right. One file may hold both sides, in different fields.

    Args:
        referenced: How the references are declared; None where the predictions hold them.
        predictions: What the model said.
        references: What is true.
        same: Both were read from the same content.
    """
    predicted = predictions.source
    boxes = predictions.derive_boxes is not None and references.derive_boxes is not None
    other = referenced or predicted
    alike = predicted.fields == other.fields and predicted.declared == other.declared
    said = predictions.replies is not None or predictions.documents is not None
    texts = said and (references.derive_texts is not None or references.documents is not None)
    one_field = texts and predictions.text_field == references.text_field
    if same and one_field and referenced is None:
        raise UnmeasurableError(
            f"{predicted.file}: predictions and references are both read from {predictions.text_field!r}, so "
            "the references would judge themselves; name the field of the model's outputs under 'fields'"
        )
    if same and (one_field or (boxes and alike)):
        raise UnmeasurableError(
            f"{predicted.file}: predictions and references have the same content, so the references would judge "
            "themselves; name the model's outputs under predictions"
        )
