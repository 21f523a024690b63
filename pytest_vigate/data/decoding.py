"""JSON into typed structs, with errors that name line, column and path."""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn, TypeVar

import msgspec

from pytest_vigate.data.files import read_bytes, shown
from pytest_vigate.data.tables import Source
from pytest_vigate.errors import DataError

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

_BYTE = re.compile(r" \(byte (\d+)\)$")
_NOT_JSON = (b"NaN", b"Infinity", b"-Infinity", b"nan", b"inf")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a JSONL file."""

    file: str
    number: int
    content: bytes

    @property
    def place(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.number}"


def read_lines(source: Source) -> Iterator[Line]:
    """The lines of all files of a JSONL source that are not blank."""
    for path in source.paths:
        file = shown(source, path)
        for number, content in enumerate(read_bytes(source, path).split(b"\n"), start=1):
            if stripped := content.rstrip():
                yield Line(file, number, stripped)


def decode_line(line: Line, decoder: msgspec.json.Decoder[T]) -> T:
    """The record of a line.

    Raises:
        DataError: With ``file:line:column`` if it is not JSON, with the JSON path if it is another record, or if an
            object in it has a key twice, of which JSON decoders keep the last.
    """
    try:
        record = decode(line.content, decoder)
        _KEYS.decode(line.content.decode())
    except _TwiceError as error:
        raise DataError(
            line.place, f"the key {error.args[0]!r} is there twice in one object; keep the one that is meant"
        ) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise _explained(error, line.content, line.file, line.number) from None
    return record


def decode_lines(source: Source, decoder: msgspec.json.Decoder[T]) -> tuple[list[str], list[T]]:
    """Place and value of every line of a JSONL source.

    Raises:
        DataError: If a line is not what the decoder wants.
    """
    places, found = [], []
    for line in read_lines(source):
        places.append(line.place)
        found.append(decode_line(line, decoder))
    return places, found


def decode(content: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """JSON as msgspec decodes it, and with halves of characters in its texts, which it refuses.

    Raises:
        msgspec.DecodeError: If it is not JSON, or of another type.
        RecursionError: If it is nested too deeply.
        UnicodeDecodeError: If it is not UTF-8.
    """
    try:
        return decoder.decode(content)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError as error:
        if not _HALF.search(content):
            raise
        text = content.decode()
        try:
            value = _PLAIN.decode(text)
        except json.JSONDecodeError as other:
            at, cause = len(text[: other.pos].encode()), other.msg
        except _ConstantError as other:
            at, cause = content.find(other.args[0].encode()), "a constant"
        else:
            return msgspec.convert(value, decoder.type)
        raise msgspec.DecodeError(f"JSON is malformed: {cause} (byte {at})") from error


class _ConstantError(Exception):
    """A number that JSON does not have."""


def _refuse_constant(name: str) -> NoReturn:
    raise _ConstantError(name)


_PLAIN = json.JSONDecoder(parse_constant=_refuse_constant)
_HALF = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)


class _TwiceError(Exception):
    """A key is there twice in an object."""


def _refuse_twice(members: Sequence[tuple[str, object]]) -> None:
    if len(members) < 2:
        return
    seen: set[str] = set()
    for key, _ in members:
        if key in seen:
            raise _TwiceError(key)
        seen.add(key)


# msgspec cannot tell that a key is there twice. Numbers stay text: nobody looks at them.
_KEYS = json.JSONDecoder(object_pairs_hook=_refuse_twice, parse_int=str, parse_float=str)


def decode_document(source: Source, path: Path, decoder: msgspec.json.Decoder[T]) -> T:
    """The document that fills a file.

    Raises:
        DataError: As `decode_line`.
    """
    content = read_bytes(source, path)
    collecting = gc.isenabled()
    gc.disable()  # nothing decoded can be garbage yet, and looking for it takes as long as decoding
    try:
        return decode(content, decoder)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _explained(error, content, shown(source, path), None) from None
    finally:
        if collecting:
            gc.enable()


def read_array(source: Source, decoder: msgspec.json.Decoder[list[T]]) -> tuple[list[T], Callable[[int], str]]:
    """The entries of the arrays that fill the files of a source, and where entry ``j`` stands.

    Raises:
        DataError: As `decode_line`.
    """
    found: list[T] = []
    starts: list[tuple[int, str]] = []
    for path in source.paths:
        starts.append((len(found), shown(source, path)))
        entries: list[T] = decode_document(source, path, decoder)
        found += entries
    return found, partial(_place_in_files, starts)


def _place_in_files(starts: Sequence[tuple[int, str]], j: int) -> str:
    start, file = next((start, file) for start, file in reversed(starts) if start <= j)
    return f"{file}: [{j - start}]"


def array_names(source: Source) -> Collection[str]:
    """Names of all fields of the entries of a source of arrays."""
    entries, _ = read_array(source, _FIELDS)
    return dict.fromkeys(name for entry in entries for name in entry)


_FIELDS = msgspec.json.Decoder(list[dict[str, object]])


def renamed(source: Source, kind: type[S], theirs: Mapping[str, str]) -> type[S]:
    """A struct whose fields have other names in the files of a source.

    Raises:
        DataError: If two have the same.
    """
    # msgspec renames only fields that a struct defines itself: all are repeated
    given = msgspec.structs.fields(kind)
    names = [theirs.get(field.name, field.encode_name) for field in given]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise DataError(source.file, f"fields: {twice!r} is named for two of the format's fields; name one of each")
    fields = [
        (field.name, field.type) if field.required else (field.name, field.type, field.default) for field in given
    ]
    made: type[S] = msgspec.defstruct("Renamed", fields, bases=(kind,), rename=dict(theirs))  # type: ignore[assignment]  # defstruct forgets its bases
    return made


def convert(value: object, kind: type[T], *, where: str, path: str) -> T:
    """A decoded value as a typed one.

    Raises:
        DataError: With the JSON path of what has another type.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise mismatch(error, where=where, path=path) from None


def mismatch(error: Exception, *, where: str, path: str) -> DataError:
    """What msgspec found at fault inside the value at `path`, to be raised."""
    inner, message = _mismatch(error)
    return DataError(where, f"{path}{inner.removeprefix('$')}: {message}")


def _explained(error: Exception, content: bytes, file: str, line: int | None) -> DataError:
    place = file if line is None else f"{file}:{line}"
    if isinstance(error, msgspec.ValidationError):
        path, message = _mismatch(error)
        # convert makes no Raw, which msgspec 0.18 calls any
        if half := message.startswith(("expected raw", "expected any")) and _HALF.search(content):
            return _at(half.start(), content, file, line, "this is half of a character; correct it")
        if path == "$" and content.startswith(b"["):
            message += "; write one record a line"
        return DataError(place, f"{path}: {message}")
    if isinstance(error, RecursionError):
        return DataError(place, "the JSON is nested too deeply to be a record; write it flatter")
    text = str(error)
    if found := _BYTE.search(text):
        at = int(found[1])
        cause = text[: found.start()].removeprefix("JSON is malformed: ")
    else:
        at = len(content)
        cause = "the text ends before the JSON does"
    if content[at - 1 : at] == b"-" and content.startswith(b"I", at):
        at -= 1  # msgspec points behind the sign
    for literal in _NOT_JSON:
        if content.startswith(literal, at):
            cause = f"{literal.decode()} is no JSON number; write null or leave the value out"
            return _at(at, content, file, line, cause)
    return _at(at, content, file, line, f"this is not JSON: {cause}; correct it, or write the file again")


def _at(at: int, content: bytes, file: str, line: int | None, cause: str) -> DataError:
    """An error at a byte of a file, or of a line of it."""
    start = content.rfind(b"\n", 0, at) + 1
    row = (line or 1) + content.count(b"\n", 0, at)
    column = len(content[start:at].decode(errors="replace")) + 1
    return DataError(f"{file}:{row}:{column}", cause)


def _mismatch(error: Exception) -> tuple[str, str]:
    message, _, path = str(error).partition(" - at `")
    if message.startswith("Object missing required field"):
        message = f"the field {message.split('`')[1]!r} is missing"
    message = message.replace("`", "")
    return path.removesuffix("`") or "$", message[:1].lower() + message[1:]
