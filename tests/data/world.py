"""A folder with data files, and how a gate would read them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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


READERS = {reader.name: reader for reader in builtin()}


def message(action: Callable[[], object]) -> str:
    """The whole message of the data error that the action ends with."""
    with pytest.raises(DataError) as caught:
        action()
    return str(caught.value)
