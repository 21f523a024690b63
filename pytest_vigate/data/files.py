"""Opening data files: nothing outside the roots, nothing that is not the text that is due."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Set
from pathlib import Path

from pytest_vigate.data.tables import Source
from pytest_vigate.errors import DataError

_SIGNS = {
    b"\x1f\x8b": "gzip data; decompress it first",
    b"PK\x03\x04": "a zip archive; unpack it first",
    b"\xff\xfe": "UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "UTF-16 text; save it as UTF-8",
    **{
        b"\x80" + bytes([protocol]): "a Python pickle, which is never loaded because it can run code; export it as JSON"
        for protocol in range(2, 6)
    },
}
#: Bytes that tell most formats apart.
HEAD = 1 << 16
#: Bytes in which the first line of a JSONL file has to end for its format to be found.
LONG_HEAD = 1 << 23
_LINES = frozenset({".jsonl", ".ndjson"})
_MARK = b"\xef\xbb\xbf"


def has_lines(path: Path) -> bool:
    """Whether a file has a JSON record a line, by its ending."""
    return path.suffix.lower() in _LINES


def encodable(text: str) -> str:
    """Text that can be written as UTF-8: halves of characters, as file names in other encodings have, as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def shown(source: Source, path: Path) -> str:
    """A file of the source as its user knows it."""
    if len(source.paths) == 1:
        top = source.paths[0]
        if path == top:
            return encodable(source.file)
        if path.is_relative_to(top):
            return encodable(f"{source.file.rstrip('/')}/{path.relative_to(top).as_posix()}")
    for root in source.roots:
        if path.is_relative_to(root):
            return encodable(path.relative_to(root).as_posix())
    return encodable(path.name)


def inside(source: Source, path: Path) -> Path:
    """The path with its links followed.

    Raises:
        DataError: If it leaves the roots.
    """
    try:
        resolved = path.resolve()
    except (OSError, RuntimeError, ValueError):  # before Python 3.13 a loop of links is a RuntimeError
        raise DataError(shown(source, path), "this path cannot be followed; check its links") from None
    if not any(resolved.is_relative_to(root) for root in source.roots):
        raise DataError(
            shown(source, path),
            "this path leads out of the folders that data may come from; move the file below the root, "
            "or name its folder in the ini option vigate_data_roots",
        )
    return resolved


def entries(source: Source, folder: Path) -> list[Path]:
    """What a folder holds, by name.

    Raises:
        DataError: If it is no folder, leaves the roots or cannot be listed.
    """
    resolved = inside(source, folder)
    if not resolved.is_dir():
        raise DataError(shown(source, folder), "there is no such folder; check the path")
    try:
        return sorted(resolved.iterdir())
    except OSError as error:
        raise DataError(shown(source, folder), f"the folder cannot be listed: {error.strerror}") from None


def holds(folder: Path, name: str) -> bool:
    """Whether a folder has a file of that name that can be seen."""
    try:
        return (folder / name).is_file()
    except OSError:
        return False


def head_in(folder: Path, name: str) -> bytes:
    """The first bytes of a file in a folder; empty if it is none, is unreadable or a link that leads out of it."""
    path = folder / name
    try:
        if not holds(folder, name) or not path.resolve().is_relative_to(folder):
            return b""
        with path.open("rb") as stream:
            return stream.read(HEAD)
    except (OSError, RuntimeError):  # before Python 3.13 a loop of links is a RuntimeError
        return b""


def refuse_deeper(source: Source, folder: Path, endings: Set[str], *, besides: Set[str] = frozenset()) -> None:
    """Raise for a file below the folders in `folder`, whose own files are the samples: it would be left out.

    Args:
        source: What the folder belongs to.
        folder: The folder.
        endings: Of the files that are samples, in lower case.
        besides: Names of files that are none.
    """
    seen: set[Path] = set()
    todo = [folder]
    while todo:
        inner = todo.pop()
        seen.add(inside(source, inner))
        for entry in entries(source, inner):
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                todo += [entry] if inside(source, entry) not in seen else []
            elif inner != folder and entry.suffix.lower() in endings and entry.name not in besides:
                raise DataError(
                    shown(source, entry),
                    f"this file lies in a folder below {shown(source, folder)} and would be left out; "
                    "name the folder that holds it as the path, or put all files into one folder",
                )


def read_bytes(source: Source, path: Path, *, empty: bool = False) -> bytes:
    """Content of a UTF-8 text file of the source, without a byte order mark. Its sum is kept for `digest`.

    Args:
        source: What the file belongs to.
        path: The file.
        empty: An empty file is an answer, as for YOLO labels.

    Raises:
        DataError: If the file is missing, leaves the roots, is a folder, is empty or is not UTF-8 text, or has changed
            since it was first read for the source.
    """
    where = shown(source, path)
    content = _unmarked(_read(source, path), where, empty=empty)
    _refuse_other_text(content, where)
    return content


def read_binary(source: Source, path: Path) -> bytes:
    """Content of a file of the source as it is, also an empty one. Its sum is kept for `digest`.

    Raises:
        DataError: If the file is missing, leaves the roots, is a folder, or has changed since it was first read for the
            source.
    """
    return _read(source, path)


def read_text(path: Path, where: str) -> str:
    """A UTF-8 text file that a parameter names, without a byte order mark.

    Args:
        path: Resolved, below a root.
        where: Its name in messages.

    Raises:
        DataError: If the file is missing, is a folder or is not UTF-8 text.
    """
    content = _unmarked(_content(path, where), where, empty=True)
    _refuse_other_text(content, where)
    return content.decode()


def _read(source: Source, path: Path) -> bytes:
    where = shown(source, path)
    content = _content(inside(source, path), where)
    checksum = hashlib.sha256(content).hexdigest()
    if source.sums.setdefault(path, checksum) != checksum:
        raise DataError(where, "the file has changed since it was first read; wait until it is written, then run again")
    return content


def _content(resolved: Path, where: str) -> bytes:
    try:
        mode = resolved.stat().st_mode
        if stat.S_ISDIR(mode):
            raise DataError(where, "this is a folder, where a file is due; name a file in it")
        if not stat.S_ISREG(mode):
            raise DataError(where, "this is a device or a pipe, where a file is due; name a file")
        return resolved.read_bytes()
    except FileNotFoundError:
        raise DataError(where, "there is no such file; check the path, it is relative to the gate file") from None
    except OSError as error:
        raise DataError(where, f"the file cannot be read: {error.strerror}; check its permissions") from None


def _unmarked(content: bytes, where: str, *, empty: bool) -> bytes:
    for sign, meaning in _SIGNS.items():
        if content.startswith(sign):
            raise DataError(where, f"this is {meaning}")
    content = content.removeprefix(_MARK)
    if not empty and (not content or content.isspace()):
        raise DataError(where, "the file is empty; zero samples prove nothing, write at least one record")
    return content


def _refuse_other_text(content: bytes, where: str) -> None:
    if content.isascii():
        return
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{where}:{line}", f"byte 0x{content[error.start]:02x} is not UTF-8 text; save the file as UTF-8"
        ) from None


def read_head(source: Source, path: Path) -> bytes:
    """The first bytes of a file, for a format's signs: of a JSONL file its first line at least; empty for a folder.

    Raises:
        DataError: If the file is missing, leaves the roots, is empty or is no text.
    """
    resolved = inside(source, path)
    if resolved.is_dir():
        return b""
    if not resolved.is_file():
        return read_bytes(source, path)
    try:
        with resolved.open("rb") as stream:
            head = stream.read(HEAD)
            if has_lines(path) and b"\n" not in head.lstrip():
                head += stream.readline(LONG_HEAD - len(head))
    except OSError as error:
        raise DataError(
            shown(source, path), f"the file cannot be read: {error.strerror}; check its permissions"
        ) from None
    return _unmarked(head, shown(source, path), empty=False)


def read_binary_head(source: Source, path: Path) -> bytes:
    """The first bytes of a file, whatever they are; empty for a folder.

    Raises:
        DataError: If the file is missing, leaves the roots or cannot be read.
    """
    resolved = inside(source, path)
    if resolved.is_dir():
        return b""
    if not resolved.is_file():
        return _read(source, path)
    try:
        with resolved.open("rb") as stream:
            return stream.read(HEAD)
    except OSError as error:
        raise DataError(
            shown(source, path), f"the file cannot be read: {error.strerror}; check its permissions"
        ) from None


def read_tail(path: Path) -> bytes:
    """The last bytes of a file, for signs of its format that stand behind a long beginning; empty if it is unreadable.

    Args:
        path: Resolved file that `read_head` has read.
    """
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - HEAD))
            return stream.read(HEAD)
    except OSError:
        return b""


def digest(source: Source) -> str:
    """``sha256:…`` over the content of all files that were read for the source of a table.

    One file has the sum that ``sha256sum`` prints; folders and several files have the sum of such a listing, in
    the order of the names. Of pictures no more than the size is read, which stands there for their sum. The files of
    a reader that opened them on its own are read for their sums now.

    Raises:
        DataError: If nothing was read and a file cannot be.
    """
    if not source.sums:
        for path in source.paths:
            _read(source, path)
    sums = source.sums
    if len(source.paths) == 1 and list(sums) == [source.paths[0]]:
        return f"sha256:{sums[source.paths[0]]}"
    # a folder has the same sum wherever it stands
    top = f"{encodable(source.file).rstrip('/')}/"
    names = sorted((shown(source, path).removeprefix(top), checksum) for path, checksum in sums.items())
    listing = "".join(f"{checksum}  {name}\n" for name, checksum in names)
    return f"sha256:{hashlib.sha256(listing.encode()).hexdigest()}"
