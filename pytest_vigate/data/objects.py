"""Small files that are one object of values by name, nested or flat: scores, hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pytest_vigate.data.files import inside, read_bytes, shown
from pytest_vigate.data.replies import ParseFailure, quoted
from pytest_vigate.data.syntaxes import Syntax, parse
from pytest_vigate.data.tables import Source
from pytest_vigate.errors import DataError

#: Bytes of a file, entries in it and characters of a dotted name that are read.
LARGEST: Final = 16 << 20
ENTRIES: Final = 100_000
LONGEST: Final = 500


def read_object(
    source: Source, path: Path, syntax: Syntax, *, largest: int = LARGEST, blank: bool = False
) -> Mapping[str, object]:
    """The object that fills a file.

    Args:
        source: What the file belongs to.
        path: The file.
        syntax: What it is written in.
        largest: Bytes that are read.
        blank: A file of white space is an empty object.

    Raises:
        DataError: If the file cannot be read, is larger, or is no object in the syntax.
    """
    where = shown(source, path)
    try:
        size = inside(source, path).stat().st_size
    except OSError:
        size = 0  # reading says what is wrong
    if size > largest:
        raise DataError(
            where, f"the file has {size} bytes, and {largest} are read; write what is judged into a file of its own"
        )
    text = read_bytes(source, path, empty=blank).decode()
    if blank and not text.strip():
        return {}
    found = parse(text, syntax)
    if isinstance(found, ParseFailure):
        at = found.position or 0
        line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
        raise DataError(f"{where}:{line}:{column}", f"this is not {syntax.name.upper()}: {found.cause}; correct it")
    if not isinstance(found, dict):
        raise DataError(where, f"the file holds {in_words(found)}, where an object of values by name is due")
    return found


def entries(values: Mapping[str, object], where: str) -> dict[str, object]:
    """What is no object, by dotted name, in the order of the file; an empty object is an entry.

    Raises:
        DataError: If there are more than `ENTRIES`, a name is longer than `LONGEST`, or two are the same.
    """
    found: dict[str, object] = {}
    todo = [*values.items()][::-1]
    while todo:
        name, value = todo.pop()
        if len(name) > LONGEST:
            raise DataError(where, f"the name {quoted(name)} is longer than {LONGEST} characters; shorten it")
        if len(todo) + len(found) + (len(value) if isinstance(value, dict) and value else 1) > ENTRIES:
            raise DataError(
                where, f"the file has more than {ENTRIES} entries; write what is judged into one of its own"
            )
        if isinstance(value, dict) and value:
            todo += [(f"{name}.{key}", inner) for key, inner in [*value.items()][::-1]]
        elif name in found:
            raise DataError(where, f"the name {quoted(name)} is there twice, nested and with dots; keep the one meant")
        else:
            found[name] = value
    return found


def scalars(values: Mapping[str, object], where: str) -> dict[str, object]:
    """`entries`, with the text of what is no number, text, boolean or null.

    Raises:
        DataError: As `entries` does.
    """
    return {
        name: value if value is None or isinstance(value, (str, bool, int, float)) else str(value)
        for name, value in entries(values, where).items()
    }


def in_words(value: object) -> str:
    """What stands in place of what is due."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else f"{value}".lower()
    if isinstance(value, str):
        return f"the text {quoted(value)}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "an object" if value else "an empty object"
    return f"the number {value}"[:60]
