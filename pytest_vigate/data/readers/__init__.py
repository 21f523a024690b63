"""Readers: one file a format. A module here that defines a concrete `Reader` is its registration."""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import pkgutil
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

import msgspec

from pytest_vigate.data import presets as box_presets
from pytest_vigate.data.decoding import Line, decode, decode_line
from pytest_vigate.data.files import LONG_HEAD, has_lines, inside, read_bytes, read_head, read_tail, shown
from pytest_vigate.data.presets import Preset
from pytest_vigate.data.replies import quoted
from pytest_vigate.data.tables import Role, Source, Table
from pytest_vigate.errors import DataError, did_you_mean

#: Fields of a record that a message names.
_FIELDS = 10
#: Keys that tell annotations apart.
_SIGNS = (b"bbox", b"category_id", b"question_id", b"caption")


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
    if not fitting:
        raise _unknown(source, readers, *heads[0])
    where = shown(source, source.paths[0])
    both = " and ".join(reader.name for reader in fitting)
    raise DataError(where, f"the formats {both} both fit these {source.role}; declare format: one of them")


def _unknown(source: Source, readers: Mapping[str, Reader], path: Path, head: bytes) -> DataError:
    """Why no format fits the first file, as far as its beginning tells."""
    where = shown(source, source.paths[0])
    why = f"no format fits these {source.role}"
    lines, text = has_lines(path), head.strip()
    if lines and len(head) >= LONG_HEAD:
        why = f"the first record is longer than {LONG_HEAD >> 20} MiB, too long to tell the format by"
    elif not text.strip(b"[] \t\r\n") and text:
        return DataError(where, "the file holds no records; zero samples prove nothing, write at least one")
    elif lines or path.suffix.lower() in (".json", ".csv"):
        read_bytes(source, source.paths[0])  # what is no text is told
        if lines and not first_record(head):
            above = len(head) - len(head.lstrip())
            line = Line(where, head.count(b"\n", 0, above) + 1, text.split(b"\n", 1)[0].rstrip())
            decode_line(line, _RECORD)  # tells why it is no record
    record = first_record(head) if lines else first_result(head)
    if not record or "jsonl" not in readers:
        known = ", ".join(sorted(readers))
        return DataError(where, f"{why}; declare format: one of {known}")
    fields = tuple(record)
    some = ", ".join(quoted(name) for name in fields[:_FIELDS])
    more = f" and {len(fields) - _FIELDS} more" if len(fields) > _FIELDS else ""
    first = f"{why}: the first record has the fields {some}{more}"
    advice = "declare format: jsonl, and name them under 'fields'"
    return DataError(where, f"{first}; {advice if lines else f'write one record a line, as .jsonl, and {advice}'}")


_RECORD = msgspec.json.Decoder(dict[str, object])
_ANY = msgspec.json.Decoder()


def first_record(head: bytes) -> Mapping[str, object]:
    """The first record of what may be a JSONL file, for `Reader.sniff`; empty if it is none."""
    lines = head.lstrip().split(b"\n", 1)
    try:
        record = decode(lines[0], _ANY)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def first_result(head: bytes) -> Mapping[str, object]:
    """The first entry of what may be a JSON array, for `Reader.sniff`; empty if it is no object."""
    text = head.decode(errors="replace").lstrip()
    try:
        entry, _ = json.JSONDecoder().raw_decode(text.removeprefix("[").lstrip())
    except (ValueError, RecursionError):
        return {}
    return entry if text.startswith("[") and isinstance(entry, dict) else {}


def annotated(path: Path, head: bytes) -> Literal["", "boxes", "captions", "answers"]:
    """What a file of ``annotations`` says of its pictures, for `Reader.sniff`; empty if it is no such file.

    Boxes, unless the annotations say otherwise. Those of official files begin behind megabytes of pictures; the end of
    the file then shows some.
    """
    sections = {key for key in (b"images", b"annotations", b"questions") if b'"%b"' % key in head}
    if path.suffix.lower() != ".json" or not head.lstrip().startswith(b"{") or not sections:
        return ""
    tail = read_tail(path)
    for text in (head.partition(b'"annotations"')[2], tail.partition(b'"annotations"')[2] or tail):
        keys = {key for key in _SIGNS if re.search(rb'"%b"\s*:' % key, text)}
        if keys & {b"bbox", b"category_id"}:
            return "boxes"
        if b"question_id" in keys:
            return "answers"
        if b"caption" in keys:
            return "captions"
    return "" if sections == {b"questions"} else "boxes"
