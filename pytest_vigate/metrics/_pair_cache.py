"""What is dear to compute of a pair of texts, kept on disk from run to run.

One sqlite file, safe with several processes. It is never needed: a file that is broken, locked or cannot be written
costs time and nothing else. As with all of pytest's cache, whoever can write into the folder is believed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

#: Layout of the file; another layout takes another name.
FILE = "pairs-1.sqlite"
#: Seconds to wait for another process that writes.
PATIENCE = 20.0
#: Keys of one query: older builds of sqlite take 999.
ASKED = 900
#: Bytes beyond which a file is begun anew: some five million pairs, mostly of models and data long gone.
LARGEST = 500_000_000
#: Result codes after which the file is replaced: what is in it can be had again.
_BROKEN = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_MISMATCH)
_TABLES = (
    "CREATE TABLE IF NOT EXISTS pairs (key BLOB PRIMARY KEY, value BLOB NOT NULL, sum INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS files (stamp TEXT PRIMARY KEY, digest TEXT NOT NULL) WITHOUT ROWID",
)
#: Digests of files that this process has read.
_KNOWN: dict[str, str] = {}


class PairCache:
    """Values by key, and digests of large files; a context manager.

    Args:
        folder: Where the file is kept, made where it is missing; None to keep nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = None if folder is None else folder / FILE
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        if self._path is not None:
            self._open(self._path)
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The value of every key, None where there is none, or it is not as it was written."""
        found: dict[bytes, bytes] = {}
        spoiled: list[tuple[bytes]] = []
        for start in range(0, len(keys), ASKED):
            part = keys[start : start + ASKED]
            marks = ",".join("?" * len(part))
            for key, value, check in self._run(f"SELECT key, value, sum FROM pairs WHERE key IN ({marks})", part):
                if isinstance(value, bytes) and check == _check(key, value):
                    found[key] = value
                else:
                    spoiled.append((key,))
        if spoiled:
            self._write("DELETE FROM pairs WHERE key = ?", spoiled)
        return [found.get(key) for key in keys]

    def put(self, keys: Sequence[bytes], values: Sequence[bytes]) -> list[bytes]:
        """Keep values that were not there; returns what is kept now.

        The first to write a value is believed by all, so that processes that compute the same pair on the way to
        different last bits go on with the same bits.
        """
        rows = [(key, value, _check(key, value)) for key, value in zip(keys, values, strict=True)]
        self._write("INSERT OR IGNORE INTO pairs VALUES (?, ?, ?)", rows)
        return [kept or value for kept, value in zip(self.get(keys), values, strict=True)]

    def digest(self, path: Path) -> str:
        """SHA-256 of a file, read again only where its size or time has changed."""
        status = path.stat()
        name = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()
        stamp = f"{name}|{status.st_size}|{status.st_mtime_ns}"
        if stamp not in _KNOWN:
            rows = self._run("SELECT digest FROM files WHERE stamp = ?", [stamp])
            kept = next((row[0] for row in rows if isinstance(row[0], str)), None)
            if kept is None:
                with path.open("rb") as file:
                    kept = hashlib.file_digest(file, "sha256").hexdigest()
                self._write("INSERT OR REPLACE INTO files VALUES (?, ?)", [(stamp, kept)])
            _KNOWN[stamp] = kept
        return _KNOWN[stamp]

    def _run(self, query: str, values: Sequence[object]) -> list[Any]:
        """The rows of a query; none where there is no file."""
        with self._forgiving():
            if self._connection is not None:
                return self._connection.execute(query, values).fetchall()
        return []

    def _write(self, query: str, rows: Sequence[tuple[object, ...]]) -> None:
        with self._forgiving():
            if self._connection is not None and rows:
                with self._connection:  # one transaction: other processes see all of it or nothing
                    self._connection.executemany(query, rows)

    def _open(self, path: Path) -> None:
        with self._forgiving():
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists() and path.stat().st_size > LARGEST:
                path.unlink()
            self._connection = sqlite3.connect(path, timeout=PATIENCE)
            for table in _TABLES:
                self._connection.execute(table)

    @contextlib.contextmanager
    def _forgiving(self) -> Iterator[None]:
        """Go on without the file where it fails, and begin a new one where it is broken."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            self._close()
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            path, self._path = self._path, None  # once is enough
            if code in _BROKEN and path is not None:
                with contextlib.suppress(OSError):
                    path.with_name(f"{path.name}-journal").unlink(missing_ok=True)  # it would be played back
                    path.unlink()
                    self._open(path)

    def _close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


def _check(key: bytes, value: bytes) -> int:
    return zlib.crc32(value, zlib.crc32(key))
