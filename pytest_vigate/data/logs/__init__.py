"""Training logs: one file a format. A module here that defines a concrete `LogReader` is its registration."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from pytest_vigate.data.curves import Training, TrainingLog
from pytest_vigate.data.files import inside, read_binary_head, shown
from pytest_vigate.data.hyperparameters import read_beside, read_declared
from pytest_vigate.errors import DataError, did_you_mean


class LogReader(ABC):
    """Reads the log of one run."""

    name: ClassVar[str]
    """What a gate file calls the format."""
    beside: ClassVar[tuple[str, ...]] = ()
    """Names of the files in which the tool writes hyperparameters beside its log; the first that is there counts."""

    runs: ClassVar[bool] = False
    """Whether the files may hold several runs, or say which they hold, so that a gate may name one."""

    @abstractmethod
    def sniff(self, path: Path, head: bytes) -> bool:
        """Whether name and beginning of a file or folder say without doubt that it is such a log.

        Args:
            path: Resolved file or folder.
            head: The first 64 KiB of the file; empty for a folder.
        """

    @abstractmethod
    def read(self, log: TrainingLog) -> Training:
        """The run.

        Files are opened with `files.read_bytes` or `files.read_binary`, so that the digest in the run record is that
        of what was read. Files of hyperparameters are none of the reader's: `read_training` reads them, for every
        format.

        Raises:
            DataError: If a file cannot be read, or is no such log.
        """


@functools.cache
def builtin() -> tuple[LogReader, ...]:
    """One reader of every format, by name."""
    found: list[LogReader] = []
    for module in pkgutil.iter_modules(__path__):
        if module.name.startswith("_"):
            continue
        members = vars(importlib.import_module(f"{__name__}.{module.name}")).values()
        found += [
            member()
            for member in members
            if inspect.isclass(member)
            and issubclass(member, LogReader)
            and not inspect.isabstract(member)
            and member.__module__ == f"{__name__}.{module.name}"
        ]
    return tuple(sorted(found, key=lambda reader: reader.name))


def read_training(log: TrainingLog) -> Training:
    """Read a log with the reader that the gate declares, or with the one whose signs it bears.

    Hyperparameters are those of the file that the gate names. Where it names none, those are taken that the log itself
    holds, and those that the tool wrote beside it.

    Raises:
        DataError: If the format is unknown, none fits or several do, the gate names a run where there is but one, the
            hyperparameters that it names cannot be read, or the reader refuses a file.
    """
    if not log.source.paths:
        raise DataError(log.source.file, "no file has this name; check the path, it is relative to the gate file")
    reader = _choose(log)
    if log.run is not None and not reader.runs:
        raise DataError(log.source.file, "run: a file of this format holds one run; leave run out")
    source = replace(log.source, format=reader.name, sums={})
    if log.hyperparameters is not None:
        declared = replace(log.hyperparameters, sums={})
        found = read_declared(declared)
        training = reader.read(replace(log, source=source, hyperparameters=declared))
        return replace(training, hyperparameters=found, declared=declared)
    training = reader.read(replace(log, source=source))
    if not reader.beside:
        return training
    offered, notes = read_beside(source, reader.beside)
    return replace(training, hyperparameters={**training.hyperparameters, **offered}, notes=(*notes, *training.notes))


def _choose(log: TrainingLog) -> LogReader:
    source, known = log.source, {reader.name: reader for reader in builtin()}
    if source.format is not None:
        if source.format not in known:
            hint = did_you_mean(source.format, tuple(known)) or f"the formats are {', '.join(known)}"
            raise DataError(source.file, f"unknown format {source.format!r} of a training log; {hint}")
        return known[source.format]
    heads = [(inside(source, path), read_binary_head(source, path)) for path in source.paths]
    fitting = [reader for reader in known.values() if all(reader.sniff(path, head) for path, head in heads)]
    if len(fitting) == 1:
        return fitting[0]
    where = shown(source, source.paths[0])
    if fitting:
        both = " and ".join(reader.name for reader in fitting)
        raise DataError(where, f"the formats {both} both fit this training log; declare format: one of them")
    raise DataError(where, f"no format of training logs fits; declare format: one of {', '.join(known)}")
