"""Readers: one file a format. A module here that defines a concrete `Reader` is its registration."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import msgspec

from pytest_vigate.data import presets as box_presets
from pytest_vigate.data.files import LINES, LONG_HEAD, inside, read_head, shown
from pytest_vigate.data.presets import Preset
from pytest_vigate.data.replies import quoted
from pytest_vigate.data.tables import Role, Source, Table
from pytest_vigate.errors import DataError, did_you_mean

#: Fields of a record that a message names.
_FIELDS = 10


class Reader(ABC):
    """Reads the files of one side into a table."""

    name: ClassVar[str]
    """What a gate file calls the format."""

    @abstractmethod
    def sniff(self, path: Path, role: Role, head: bytes) -> bool:
        """Whether name and beginning of a file say without doubt that it has this format.

        Args:
            path: Resolved file or folder.
            role: The side that it is declared for.
            head: The first 64 KiB of the file, of a JSONL file its whole first record; empty for a folder.
        """

    @abstractmethod
    def read(self, source: Source) -> Table:
        """The table of a source.

        Files are opened with `files.read_bytes`, so that the digest in the run record is that of what was read.

        Raises:
            DataError: If a file cannot be read, or a record is not what the format says.
        """


@functools.cache
def builtin() -> tuple[Reader, ...]:
    """One reader of every format that comes with the package, by name."""
    found = []
    for module in pkgutil.iter_modules(__path__):
        members = vars(importlib.import_module(f"{__name__}.{module.name}")).values()
        found += [
            member()
            for member in members
            if inspect.isclass(member)
            and issubclass(member, Reader)
            and not inspect.isabstract(member)
            and member.__module__ == f"{__name__}.{module.name}"
        ]
    return tuple(sorted(found, key=lambda reader: reader.name))


def load(source: Source, readers: Mapping[str, Reader], presets: Mapping[str, Preset] | None = None) -> Table:
    """Read a source with the reader it declares, or with the one whose signs it bears.

    Args:
        source: What to read.
        readers: Registered formats by name.
        presets: Registered ways to write boxes by name; None for those of the package.

    Raises:
        DataError: If the format or the box preset is unknown, no format fits or several do, or the reader refuses a
            file.
    """
    if not source.paths:
        raise DataError(source.file, "no file has this name; check the path, it is relative to the gate file")
    reader = _choose(source, readers)
    known = {preset.name: preset for preset in box_presets.builtin()} if presets is None else presets
    if source.declared is not None:
        preset = source.declared.find(known, where=source.file)
        source = replace(source, preset=preset, boxes=source.declared.convention(preset))
    return reader.read(replace(source, format=reader.name, presets=known, sums={}))


def _choose(source: Source, readers: Mapping[str, Reader]) -> Reader:
    known = ", ".join(sorted(readers))
    if source.format is not None:
        if source.format in readers:
            return readers[source.format]
        hint = did_you_mean(source.format, tuple(readers))
        have = f"the formats are {known}"
        raise DataError(source.file, f"unknown format {source.format!r}; {hint or have}")
    heads = [(inside(source, path), read_head(source, path)) for path in source.paths]
    fitting = [
        reader for reader in readers.values() if all(reader.sniff(path, source.role, head) for path, head in heads)
    ]
    if len(fitting) == 1:
        return fitting[0]
    where = shown(source, source.paths[0])
    if not fitting:
        why = f"no format fits these {source.role}"
        if len(heads[0][1]) >= LONG_HEAD:
            why = f"the first record is longer than {LONG_HEAD >> 20} MiB, too long to tell the format by"
        path, head = heads[0]
        if path.suffix in LINES and "jsonl" in readers and (fields := tuple(first_record(head))):
            some = ", ".join(quoted(name) for name in fields[:_FIELDS])
            more = f" and {len(fields) - _FIELDS} more" if len(fields) > _FIELDS else ""
            raise DataError(
                where,
                f"{why}: the first record has the fields {some}{more}; declare format: jsonl, and name them under "
                "'fields'",
            )
        raise DataError(where, f"{why}; declare format: one of {known}")
    both = " and ".join(reader.name for reader in fitting)
    raise DataError(where, f"the formats {both} both fit these {source.role}; declare format: one of them")


def first_record(head: bytes) -> Mapping[str, object]:
    """The first record of what may be a JSONL file, for `Reader.sniff`; empty if it is none."""
    lines = head.lstrip().split(b"\n", 1)
    try:
        record = msgspec.json.decode(lines[0])
    except (msgspec.DecodeError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}
