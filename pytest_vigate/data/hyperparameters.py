"""Files of hyperparameters: what the gate names, what a tool writes beside its log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pytest_vigate.data.files import holds, inside, shown
from pytest_vigate.data.objects import read_object, scalars
from pytest_vigate.data.syntaxes import Syntax
from pytest_vigate.data.tables import Source
from pytest_vigate.errors import DataError

#: Bytes of a file of hyperparameters: the longest that tools write have some hundred lines.
LARGEST: Final = 1 << 22

_JSON = Syntax("json", nan=True, surrogates=True)
_YAML = Syntax("yaml")


def read_declared(source: Source) -> dict[str, object]:
    """What the gate names, by dotted name.

    Raises:
        DataError: If it is not one file, cannot be read or is no mapping.
    """
    if not source.paths:
        raise DataError(source.file, "no file has this name; check the path, it is relative to the gate file")
    if len(source.paths) > 1:
        raise DataError(source.file, f"{len(source.paths)} files of hyperparameters; name the one of the run")
    return _read(source, source.paths[0])


def read_beside(source: Source, names: Sequence[str]) -> tuple[dict[str, object], tuple[str, ...]]:
    """What a tool wrote beside its log, by dotted name, and notes.

    It is an offer: a file that is no plain JSON or YAML (Lightning may write Python objects) is noted, and then there
    are none.

    Args:
        source: The log: a file or its folder.
        names: Of the tool's files; the first that is there counts.
    """
    path = source.paths[0]
    folder = path if inside(source, path).is_dir() else path.parent
    offered = next((folder / name for name in names if holds(folder, name)), None)
    if offered is None:
        return {}, ()
    try:
        return _read(source, offered), ()
    except DataError as error:
        return {}, (f"hyperparameters are not read: {error}",)


def _read(source: Source, path: Path) -> dict[str, object]:
    syntax = _JSON if path.suffix.lower() == ".json" else _YAML
    return scalars(read_object(source, path, syntax, largest=LARGEST, blank=True), shown(source, path))
