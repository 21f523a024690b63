"""Hyperparameters: what the gate names, or what a tool writes beside its log."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pytest_vigate.data.curves import TrainingLog
from pytest_vigate.data.files import read_bytes, shown
from pytest_vigate.data.logs._series import holds
from pytest_vigate.data.syntaxes import ParseFailure, Syntax, parse
from pytest_vigate.data.tables import Source
from pytest_vigate.errors import DataError

#: Bytes of a file of hyperparameters: the longest that tools write have some hundred lines.
LARGEST: Final = 1 << 22

_JSON = Syntax("json", nan=True, surrogates=True)
_YAML = Syntax("yaml")


def find_hyperparameters(log: TrainingLog, folder: Path, *names: str) -> tuple[dict[str, object], tuple[str, ...]]:
    """The hyperparameters of a run, and notes.

    What the gate names has to be there and to be read. A file that a tool wrote beside the log is an offer: one that is
    no plain JSON or YAML (Lightning may write Python objects) is noted, and then there are none.

    Args:
        log: The log.
        folder: Where the tool writes.
        names: Of the tool's files; the first that is there counts.

    Raises:
        DataError: If what the gate names cannot be read.
    """
    if log.hyperparameters is not None:
        source = log.hyperparameters
        if len(source.paths) != 1:
            raise DataError(source.file, f"{len(source.paths)} files of hyperparameters; name the one of the run")
        return read_hyperparameters(source, source.paths[0]), ()
    path = next((folder / name for name in names if holds(folder, name)), None)
    if path is None:
        return {}, ()
    try:
        return read_hyperparameters(log.source, path), ()
    except DataError as error:
        return {}, (f"hyperparameters are not read: {error}",)


def read_hyperparameters(source: Source, path: Path) -> dict[str, object]:
    """The names and values of a JSON or YAML file, nested as they are there; none of an empty file.

    Raises:
        DataError: If the file cannot be read, is too large or is no mapping.
    """
    file = shown(source, path)
    content = read_bytes(source, path, empty=True)
    if len(content) > LARGEST:
        raise DataError(file, f"{len(content)} bytes, where hyperparameters are due; name the file that holds them")
    text = content.decode()
    if not text.strip():
        return {}
    found = parse(text, _JSON if path.suffix.lower() == ".json" else _YAML)
    if isinstance(found, ParseFailure):
        before = text[: found.position or 0]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        place = file if found.position is None else f"{file}:{line}:{column}"
        syntax = "JSON" if path.suffix.lower() == ".json" else "YAML"
        raise DataError(place, f"this is no plain {syntax}: {found.cause}; correct it, or declare another file")
    if not isinstance(found, dict):
        raise DataError(file, "a list, where names with their values are due; write a mapping")
    return found
