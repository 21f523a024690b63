"""``mlflow.db``, which may come from a stranger: read whole, looked at in memory, and never written to."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import numpy as np

from pytest_vigate.data.coordinates import Float, Int
from pytest_vigate.data.curves import TrainingLog
from pytest_vigate.data.files import inside, read_binary, shown
from pytest_vigate.data.logs._mlflow_runs import NAME_TAG, PATHS, Found, Run, Series, choose
from pytest_vigate.data.replies import quoted
from pytest_vigate.errors import DataError

if TYPE_CHECKING:
    import sqlite3

#: How such a file begins.
SQLITE: Final = b"SQLite format 3\0"
#: What MLflow stores for an infinity: SqlAlchemyStore.sanitize_metric_value, MLflow 3.17.
_INFINITE: Final = 1.7976931348623157e308
#: Longest text, blob or row that is read; MLflow's longest is a parameter of 8 000 characters.
_LONGEST: Final = 1 << 20
#: SQLite's steps for each byte of the database. A row of metrics has 60 bytes at least and takes about 20 steps; pages
#: that refer to each other in circles take more.
_WORK: Final = 4
#: Rows at a time.
_ROWS: Final = 1 << 16
_TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "runs": ("run_uuid", "name", "status", "lifecycle_stage"),
    "metrics": ("key", "value", "timestamp", "step", "is_nan", "run_uuid"),
    "params": ("key", "value", "run_uuid"),
    "tags": ("key", "value", "run_uuid"),
}
#: What a row of metrics may hold; texts come as bytes.
_KINDS: Final[tuple[set[type], ...]] = ({bytes}, {int}, {int}, {int, float}, {int})


def read_database(log: TrainingLog, path: Path) -> Found:
    """The run that is judged.

    Raises:
        DataError: If the file is no database that MLflow wrote, is damaged or is being written to, or there is no such
            run.
    """
    return _Database(log, path).read()


class _Database:
    """``mlflow.db``, which may come from a stranger."""

    def __init__(self, log: TrainingLog, path: Path) -> None:
        self._log, self._path = log, path
        self._file = shown(log.source, path)

    def read(self) -> Found:
        import contextlib
        import sqlite3

        content = read_binary(self._log.source, self._path)
        if not content.startswith(SQLITE):
            raise DataError(self._file, f"this is no SQLite database; {PATHS}")
        try:
            self._refuse_unfinished(content)
            with contextlib.closing(_in_memory(content)) as connection:
                del content
                self._refuse_others(connection)
                return self._read(connection)
        except (sqlite3.Error, OverflowError, MemoryError, UnicodeDecodeError) as error:  # the last: names in messages
            self._broken(str(error))

    def _broken(self, cause: str) -> NoReturn:
        raise DataError(
            self._file, f"the database cannot be read: {quoted(cause)}; check it with PRAGMA integrity_check"
        ) from None

    def _refuse_unfinished(self, content: bytes) -> None:
        """Raise where somebody writes: what is committed is then not all in the file."""
        import sqlite3

        resolved = inside(self._log.source, self._path)
        for ending in ("-wal", "-journal"):
            name = f"{resolved.name}{ending}"
            if self._is_pending(resolved.with_name(name)):
                raise DataError(
                    self._file,
                    f"{name} beside it holds changes that are not in the file yet; close what uses "
                    "the database, then run again",
                )
        if content[18:20] != b"\1\1":  # with a write-ahead log, readers take no lock and would leave files behind
            return
        try:
            connection = sqlite3.connect(f"{resolved.as_uri()}?mode=ro", timeout=1, uri=True)
            try:
                connection.execute("PRAGMA schema_version").fetchone()
            finally:
                connection.close()
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise DataError(
                    self._file, "the database is locked: somebody writes to it; close what uses it, then run again"
                ) from None

    def _is_pending(self, journal: Path) -> bool:
        """Whether a journal holds anything: what is left of a finished one begins with zeros."""
        try:
            if not stat.S_ISREG(journal.stat().st_mode):
                raise DataError(
                    self._file, f"{journal.name} beside it is no file, where SQLite keeps changes; remove it"
                )
            with inside(self._log.source, journal).open("rb") as stream:
                return bool(stream.read(28).strip(b"\0"))
        except FileNotFoundError:
            return False
        except OSError as error:
            raise DataError(
                self._file,
                f"{journal.name} beside it, which may hold changes, cannot be read: {error.strerror}; check its "
                "permissions",
            ) from None

    def _refuse_others(self, connection: sqlite3.Connection) -> None:
        """Raise unless the tables are MLflow's: plain ones, with the columns that are read."""
        kinds = dict(connection.execute("SELECT name, type = 'table' AND rootpage > 0 FROM main.sqlite_master"))
        for table, columns in _TABLES.items():
            name = table.encode()
            if name not in kinds:
                raise DataError(
                    self._file, f"this database has no table {table!r}: it is none of MLflow's; check the path"
                )
            if not kinds[name]:
                raise DataError(
                    self._file, f"{table!r} is no plain table in this database, as it is in one that MLflow wrote"
                )
            # A column that is generated is computed by what the file says.
            plain = {column[1] for column in connection.execute(f"PRAGMA main.table_xinfo({table})") if not column[6]}
            missing = [column for column in columns if column.encode() not in plain]
            if missing:
                raise DataError(
                    self._file,
                    f"the table {table!r} has no column {missing[0]!r}; databases of MLflow before 1.0 have to be "
                    "upgraded first, with mlflow db upgrade",
                )

    def _read(self, connection: sqlite3.Connection) -> Found:
        rows = connection.execute(
            "SELECT run_uuid, name, status, lifecycle_stage FROM main.runs NOT INDEXED"
        ).fetchall()
        names = dict(connection.execute("SELECT run_uuid, value FROM main.tags NOT INDEXED WHERE key = ?", [NAME_TAG]))
        deleted = [self._text(row[0]) for row in rows if row[3] == b"deleted"]
        runs = [
            Run(self._text(row[0]), self._text(row[1] or names.get(row[0]) or b""), self._text(row[2] or b""))
            for row in rows
            if row[3] != b"deleted"
        ]
        run = choose(self._log, sorted(runs, key=lambda run: run.identifier), deleted)
        return Found(run, self._series(connection, run), self._params(connection, run))

    def _params(self, connection: sqlite3.Connection, run: Run) -> dict[str, str]:
        asked = "SELECT key, value FROM main.params NOT INDEXED WHERE CAST(run_uuid AS BLOB) = ?"
        found = {
            self._text(key): self._text(value)
            for key, value in connection.execute(asked, [run.identifier.encode()]).fetchall()
        }
        return dict(sorted(found.items()))

    def _series(self, connection: sqlite3.Connection, run: Run) -> dict[str, Series]:
        # The index is passed over: in a file of a stranger it may know other rows than the table.
        cursor = connection.execute(
            "SELECT key, timestamp, step, value, is_nan FROM main.metrics NOT INDEXED WHERE CAST(run_uuid AS BLOB) = ?",
            [run.identifier.encode()],
        )
        numbers: dict[bytes, int] = {}
        keys: list[Int] = []
        times: list[Int] = []
        steps: list[Int] = []
        values: list[Float] = []
        while rows := cursor.fetchmany(_ROWS):
            key, time, step, value, absent = columns = tuple(zip(*rows, strict=True))
            if any(set(map(type, column)) - due for column, due in zip(columns, _KINDS, strict=True)):
                raise DataError(
                    self._file,
                    "a row of the table 'metrics' has other things than numbers, where a time, a step and a value are "
                    "due; MLflow did not write it",
                )
            keys.append(np.array([numbers.setdefault(name, len(numbers)) for name in key], dtype=np.int64))
            times.append(np.array(time, dtype=np.int64))
            steps.append(np.array(step, dtype=np.int64))
            logged = np.array(value, dtype=np.float64)
            logged[np.abs(logged) >= _INFINITE] *= np.inf
            logged[np.array(absent, dtype=np.bool_)] = np.nan
            values.append(logged)
        if not numbers:
            return {}
        which = np.concatenate(keys)
        parts = np.split(np.argsort(which, kind="stable"), np.cumsum(np.bincount(which))[:-1])
        all_times, all_steps, all_values = np.concatenate(times), np.concatenate(steps), np.concatenate(values)
        found = {self._text(name): parts[number] for name, number in numbers.items()}
        return {
            name: Series(all_times[part], all_steps[part], all_values[part]) for name, part in sorted(found.items())
        }

    def _text(self, value: object) -> str:
        if isinstance(value, bytes):
            try:
                return value.decode()
            except UnicodeDecodeError:
                pass
        elif isinstance(value, (int, float)):
            return str(value)
        raise DataError(self._file, f"{quoted(repr(value))} in it is no UTF-8 text; MLflow did not write it")


def _in_memory(content: bytes) -> sqlite3.Connection:
    """A connection to a copy that has no way to do anything but be read."""
    import sqlite3

    connection = sqlite3.connect(":memory:")
    # Written with a write-ahead log that is empty; in memory there is none: https://sqlite.org/fileformat.html, 1.3.3
    connection.deserialize(content[:18] + b"\1\1" + content[20:] if content[18:20] != b"\1\1" else content)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
    connection.text_factory = bytes
    left = _WORK * len(content) + (1 << 20)

    def spent() -> bool:
        nonlocal left
        left -= 1 << 10
        return left < 0

    connection.set_progress_handler(spent, 1 << 10)
    return connection
