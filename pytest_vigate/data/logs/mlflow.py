"""MLflow: a run in ``mlflow.db`` or in the folders of the file store, read only, without MLflow."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, ClassVar, Final, Literal, NoReturn

import numpy as np

from pytest_vigate.data.coordinates import Float, Int
from pytest_vigate.data.curves import Points, Training, TrainingLog, assemble, listed, single
from pytest_vigate.data.files import entries, inside, read_binary, read_bytes, read_text, shown
from pytest_vigate.data.logs import LogReader
from pytest_vigate.data.logs._declared import find_hyperparameters
from pytest_vigate.data.replies import ParseFailure, quoted
from pytest_vigate.data.syntaxes import Syntax, parse
from pytest_vigate.errors import DataError, did_you_mean

if TYPE_CHECKING:
    import sqlite3

#: Series of one run: each is a curve of its own.
MOST_SERIES: Final = 100_000

_SQLITE: Final = b"SQLite format 3\0"
#: Runs that a message lists.
_SHOWN: Final = 10
#: What MLflow stores for an infinity: SqlAlchemyStore.sanitize_metric_value, MLflow 3.17.
_INFINITE: Final = 1.7976931348623157e308
#: MLflow's RunStatus, which the file store writes as a number.
_STATUS: Final = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
_NAME_TAG: Final = "mlflow.runName"
_PATHS: Final = "the path is that of mlflow.db, of mlruns, or of an experiment or run in it"

_BOXES: Final = (("box_loss", "cls_loss", "dfl_loss"), ("box_loss", "cls_loss", "l1_loss"))
#: Transformers and Keras, Lightning, their TensorBoard names, Ultralytics.
_TRAIN: Final[tuple[str | tuple[str, ...], ...]] = (
    *("loss", "train_loss", "train/loss", "training_loss", "train_loss_epoch"),
    *(tuple(f"train/{name}" for name in names) for names in _BOXES),
)
_VALIDATION: Final[tuple[str | tuple[str, ...], ...]] = (
    *("eval_loss", "val_loss", "eval/loss", "val/loss", "validation_loss", "validation/loss", "valid_loss"),
    *(tuple(f"val/{name}" for name in names) for names in _BOXES),
)
_RATE: Final = ("learning_rate", "lr", "train/learning_rate", "lr/pg0")


@dataclass(frozen=True, slots=True)
class _Run:
    """A run that was not deleted."""

    identifier: str
    name: str
    status: str
    folder: Path | None = None
    """In the file store."""


@dataclass(frozen=True, slots=True, eq=False)
class _Series:
    """What was logged under one key, as it is stored."""

    time: Int  # (m,) milliseconds
    step: Int  # (m,)
    value: Float  # (m,)
    file: str = ""
    line: Int | None = None  # (m,) in the file; None for a database


class MLflow(LogReader):
    """A run of MLflow: ``mlflow.db``, ``mlruns``, the folder of an experiment or that of a run.

    Of several runs ``run`` names one by its id or name; deleted ones are left out. Points are taken in the order of
    their times: of several at one step the latest counts, and a step that goes back is a run that was resumed.
    Steps are those of MLflow, 0 where none was given to ``log_metric``. Parameters are hyperparameters, numbers among
    them as numbers. A logged metric ``epoch``, or the one that ``series.epoch`` names, dates the points of its steps.

    A database is read whole and looked at in memory, so that nothing is written beside it and what is judged is what
    the digest is of.
    """

    name: ClassVar[str] = "mlflow"

    def sniff(self, path: Path, head: bytes) -> bool:
        if path.is_file():
            return head.startswith(_SQLITE)
        return _bears_signs(path) or any(_bears_signs(child) for child in _folders(path))

    def read(self, log: TrainingLog) -> Training:
        source = single(log)
        path = source.paths[0]
        if "step" in log.series:
            raise DataError(source.file, "MLflow has a step with every point; leave 'step' out of series")
        if inside(source, path).is_dir():
            return _FileStore(log, path).read()
        return _Database(log, path).read()


def _bears_signs(folder: Path) -> bool:
    """Whether it is the folder of an experiment or a run."""
    try:
        with (folder / "meta.yaml").open("rb") as stream:
            return re.search(rb"^experiment_id:", stream.read(1 << 16), re.MULTILINE) is not None
    except OSError:
        return False


def _folders(folder: Path) -> Iterator[Path]:
    try:
        yield from (child for child in folder.iterdir() if not child.is_symlink() and child.is_dir())
    except OSError:
        return


def _training(
    log: TrainingLog, run: _Run, series: Mapping[str, _Series], params: Mapping[str, str], notes: Sequence[str]
) -> Training:
    if len(series) > MOST_SERIES:
        raise DataError(log.source.file, f"{len(series)} series, which is more than any tool logs for a run")
    declared = None if log.hyperparameters is None else find_hyperparameters(log, log.source.paths[0])[0]
    said = [*notes]
    if run.status != "FINISHED":
        status = run.status or "of unknown status"
        said.append(f"the run {quoted(run.identifier)} is {status}: its log may not be whole")
    return assemble(
        log,
        _points(log, series),
        train=_TRAIN,
        validation=_VALIDATION,
        learning_rate=_RATE,
        hyperparameters={name: _parameter(text) for name, text in params.items()} if declared is None else declared,
        # Transformers' callback logs its arguments as parameters.
        filtered=params.get("logging_nan_inf_filter") == "True",
        notes=said,
    )


def _points(log: TrainingLog, series: Mapping[str, _Series]) -> dict[str, Points]:
    """All series in the order of time; what was logged at one time is one row."""
    if not series:
        return {}
    times = np.unique(np.concatenate([given.time for given in series.values()]))
    finished = _epochs(log, series)
    found = {}
    for name, given in series.items():
        # Equal times: by step; an equal step too: the greater value, NaN last, as MLflow's own tables do.
        order = np.lexsort((given.value, given.step, given.time))
        step, row = given.step[order], np.searchsorted(times, given.time[order])
        if len(step) and step.min() < 0:
            raise DataError(
                given.file or log.source.file,
                f"{quoted(name)} is logged at step {step.min()}; steps count from 0",
            )
        epoch = None if finished is None else _at_steps(step, *finished)
        places = None if given.line is None else partial(_place, given.file, row, given.line[order])
        found[name] = Points(step, given.value[order], epoch, row, places)
    return found


def _place(file: str, rows: Int, lines: Int, row: int) -> str:
    return f"{file}:{lines[np.searchsorted(rows, row)]}"


def _epochs(log: TrainingLog, series: Mapping[str, _Series]) -> tuple[Int, Float] | None:
    """Steps and finished epochs, by step; None where the run logged none."""
    declared = log.series.get("epoch")
    several = (declared or "epoch",) if isinstance(declared, (str, NoneType)) else declared
    if len(several) != 1:
        raise DataError(log.source.file, f"series: epoch is {len(several)} names, where one is due; name one metric")
    (name,) = several
    if name not in series:
        if declared is None:
            return None
        hint = did_you_mean(name, tuple(series)) or listed(series)
        raise DataError(log.source.file, f"series: epoch is {quoted(name)}, which the log does not have; {hint}")
    given = series[name]
    order = np.lexsort((given.time, given.step))
    step, epoch = given.step[order], given.value[order]
    last = np.append(np.diff(step) > 0, [True])
    step, epoch = step[last], epoch[last]
    # Lightning logs the epoch that runs, from 0, and Transformers those that are finished: after a step, not 0 of them.
    running = bool(np.all(epoch == np.floor(epoch)) and np.any((epoch == 0) & (step > 0)))
    return step, epoch + running


def _at_steps(wanted: Int, step: Int, epoch: Float) -> Float:
    place = np.minimum(np.searchsorted(step, wanted), len(step) - 1)
    return np.where(step[place] == wanted, epoch[place], np.nan)


_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_WORDS: Mapping[str, object] = {"True": True, "False": False, "None": None}


def _parameter(text: str) -> object:
    """A parameter as what its text says: MLflow stores ``str`` of the value."""
    if text in _WORDS:
        return _WORDS[text]
    if not _NUMBER.fullmatch(text):
        return text
    return float(text) if set(text) & {".", "e", "E"} else int(text)


def _choose(log: TrainingLog, runs: Sequence[_Run], deleted: Sequence[str]) -> _Run:
    """The run that the gate names, or the only one.

    Raises:
        DataError: If there is none, or it is not clear which one.
    """
    where, wanted = log.source.file, log.run
    if wanted is None:
        if len(runs) == 1:
            return runs[0]
        if not runs:
            more = f" but {len(deleted)} deleted" if deleted else ""
            raise DataError(where, f"there is no run{more}; check the path")
        raise DataError(where, f"there are {len(runs)} runs; say which one is judged, as run: ID. {_listing(runs)}")
    fitting = [run for run in runs if run.identifier == wanted] or [run for run in runs if run.name == wanted]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise DataError(
            where, f"{len(fitting)} runs have the name {quoted(wanted)}; say which one by its id. {_listing(fitting)}"
        )
    if wanted in deleted:
        raise DataError(where, f"the run {quoted(wanted)} is deleted; restore it, or name another one")
    hint = did_you_mean(wanted, [*(run.identifier for run in runs), *(run.name for run in runs)])
    raise DataError(where, f"there is no run {quoted(wanted)}; {hint or _listing(runs)}")


def _listing(runs: Sequence[_Run]) -> str:
    """``The runs: 'a1' ('first', FINISHED), …``."""
    if not runs:
        return "There are none"
    named = ", ".join(f"{quoted(run.identifier)} ({quoted(run.name)}, {run.status})" for run in runs[:_SHOWN])
    return f"The runs: {named}{f' and {len(runs) - _SHOWN} more' if len(runs) > _SHOWN else ''}"


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


class _Database:
    """``mlflow.db``, which may come from a stranger."""

    def __init__(self, log: TrainingLog, path: Path) -> None:
        self._log, self._path = log, path
        self._file = shown(log.source, path)

    def read(self) -> Training:
        import contextlib
        import sqlite3

        content = read_binary(self._log.source, self._path)
        if not content.startswith(_SQLITE):
            raise DataError(
                self._file,
                f"this is no SQLite database; {_PATHS}",
            )
        self._refuse_unfinished(content)
        try:
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
            try:
                with resolved.with_name(resolved.name + ending).open("rb") as stream:
                    pending = stream.read(28).strip(b"\0")  # what is left of a finished journal begins with zeros
            except OSError:
                continue
            if pending:
                raise DataError(
                    self._file,
                    f"{resolved.name}{ending} beside it holds changes that are not in the file yet; close what uses "
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

    def _read(self, connection: sqlite3.Connection) -> Training:
        rows = connection.execute(
            "SELECT run_uuid, name, status, lifecycle_stage FROM main.runs NOT INDEXED"
        ).fetchall()
        names = dict(connection.execute("SELECT run_uuid, value FROM main.tags NOT INDEXED WHERE key = ?", [_NAME_TAG]))
        deleted = [self._text(row[0]) for row in rows if row[3] == b"deleted"]
        runs = [
            _Run(self._text(row[0]), self._text(row[1] or names.get(row[0]) or b""), self._text(row[2] or b""))
            for row in rows
            if row[3] != b"deleted"
        ]
        run = _choose(self._log, sorted(runs, key=lambda run: run.identifier), deleted)
        return _training(self._log, run, self._series(connection, run), self._params(connection, run), ())

    def _params(self, connection: sqlite3.Connection, run: _Run) -> dict[str, str]:
        asked = "SELECT key, value FROM main.params NOT INDEXED WHERE CAST(run_uuid AS BLOB) = ?"
        found = {
            self._text(key): self._text(value)
            for key, value in connection.execute(asked, [run.identifier.encode()]).fetchall()
        }
        return dict(sorted(found.items()))

    def _series(self, connection: sqlite3.Connection, run: _Run) -> dict[str, _Series]:
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
            name: _Series(all_times[part], all_steps[part], all_values[part]) for name, part in sorted(found.items())
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


#: What a row of metrics may hold; texts come as bytes.
_KINDS: Final[tuple[set[type], ...]] = ({bytes}, {int}, {int}, {int, float}, {int})


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


#: ``timestamp value``, ``timestamp value step``, or with the name and digest of a data set behind it.
_LINE = re.compile(
    rb"(-?[0-9]{1,18}) (-?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?(?:[eE][+-]?[0-9]{1,5})?|nan|inf))"
    rb"(?: (-?[0-9]{1,18})(?: [^ ]+ [^ ]+)?)?\r?"
)
_META = Syntax("yaml")
_Kind = Literal["", "experiment", "run"]


class _FileStore:
    """``mlruns``, or the folder of an experiment or run in it."""

    def __init__(self, log: TrainingLog, path: Path) -> None:
        self._log, self._source, self._path = log, log.source, path
        self._notes: list[str] = []

    def read(self) -> Training:
        run = self._find()
        if run.folder is None:
            raise AssertionError("runs of the file store have folders")
        read_bytes(self._source, run.folder / "meta.yaml")  # for the digest
        series = {name: self._series(path) for name, path in self._files(run.folder / "metrics")}
        params = {name: self._param(path) for name, path in self._files(run.folder / "params")}
        return _training(self._log, run, series, params, self._notes)

    def _find(self) -> _Run:
        kind, meta = self._meta(self._path)
        if kind == "run":
            folders = [(self._path, meta)]
        else:
            experiments = [self._path]
            if kind != "experiment":
                experiments = [folder for folder, _ in self._below(self._path, "experiment")]
            if not experiments:
                raise DataError(self._source.file, f"no folder in it has a meta.yaml of MLflow; {_PATHS}")
            folders = [found for top in experiments for found in self._below(top, "run")]
        runs, deleted = [], []
        for folder, found in folders:
            identifier = folder.name
            # Before 1.0 there were no deleted runs.
            if found.get("lifecycle_stage", "active") == "deleted":
                deleted.append(identifier)
                continue
            status = found.get("status", 1)
            name = found.get("run_name") or self._tagged(folder)
            runs.append(_Run(identifier, str(name), _STATUS.get(status, "") if isinstance(status, int) else "", folder))
        return _choose(self._log, runs, deleted)

    def _below(self, folder: Path, kind: _Kind) -> list[tuple[Path, Mapping[str, object]]]:
        """Folders of experiments or runs in one, and what they say; MLflow keeps deleted experiments in ``.trash``."""
        children = (child for child in entries(self._source, folder) if not child.name.startswith("."))
        known = [(child, *self._meta(child)) for child in children if child.is_dir()]
        return [(child, meta) for child, found, meta in known if found == kind]

    def _meta(self, folder: Path) -> tuple[_Kind, Mapping[str, object]]:
        """What a folder is, and its meta.yaml."""
        path = folder / "meta.yaml"
        where = shown(self._source, path)
        if not path.exists():
            return "", {}
        found = parse(read_text(inside(self._source, path), where), _META)
        if isinstance(found, ParseFailure) or not isinstance(found, dict):
            cause = found.cause if isinstance(found, ParseFailure) else "it is no mapping"
            raise DataError(where, f"this is no meta.yaml of MLflow: {cause}")
        if "run_id" in found or "run_uuid" in found:
            return "run", found
        return ("experiment" if "experiment_id" in found else ""), found

    def _tagged(self, folder: Path) -> str:
        """The name in older versions, where it is a tag."""
        path = folder / "tags" / _NAME_TAG
        return read_text(inside(self._source, path), shown(self._source, path)) if path.exists() else ""

    def _files(self, folder: Path) -> list[tuple[str, Path]]:
        """Key and file of all metrics or parameters; a slash in a key is a folder."""
        if not folder.is_dir():
            return []
        found, todo, seen = [], [folder], {inside(self._source, folder)}
        while todo:
            for entry in entries(self._source, todo.pop()):
                if not entry.is_dir():
                    found.append((entry.relative_to(inside(self._source, folder)).as_posix(), entry))
                elif (resolved := inside(self._source, entry)) not in seen:
                    seen.add(resolved)
                    todo.append(entry)
        return sorted(found)

    def _param(self, path: Path) -> str:
        return read_bytes(self._source, path, empty=True).decode()

    def _series(self, path: Path) -> _Series:
        file = shown(self._source, path)
        lines = read_bytes(self._source, path, empty=True).split(b"\n")
        if lines.pop():
            self._notes.append(f"the last line of {quoted(file)} is cut off and left out")
        numbers, times, values, steps = [], [], [], []
        for number, line in enumerate(lines, start=1):
            if not line or line.isspace():
                continue
            found = _LINE.fullmatch(line)
            if found is None:
                raise DataError(
                    f"{file}:{number}",
                    f"{quoted(line.decode())} is no point of MLflow; 'timestamp value step' was expected",
                )
            time, value, step = found.groups()
            numbers.append(number)
            times.append(int(time))
            values.append(float(value))
            # MLflow reads step 0 where a data set is named, although its own writer puts the step there: 3.17.2,
            # file_store.py, _get_metric_from_line
            steps.append(int(step or 0))
        return _Series(
            np.array(times, dtype=np.int64),
            np.array(steps, dtype=np.int64),
            np.array(values, dtype=np.float64),
            file,
            np.array(numbers, dtype=np.int64),
        )
