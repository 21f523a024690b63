"""The file store of MLflow: ``mlruns``, or the folder of an experiment or run in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import numpy as np

from pytest_vigate.data.curves import TrainingLog
from pytest_vigate.data.files import entries, inside, read_bytes, read_text, shown
from pytest_vigate.data.logs._mlflow_runs import NAME_TAG, PATHS, Found, Run, Series, choose
from pytest_vigate.data.replies import ParseFailure, quoted
from pytest_vigate.data.syntaxes import Syntax, parse
from pytest_vigate.errors import DataError

#: MLflow's RunStatus, which the file store writes as a number.
_STATUS: Final = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
#: ``timestamp value``, ``timestamp value step``, or with the name and digest of a data set behind it.
_LINE = re.compile(
    rb"(-?[0-9]{1,18}) (-?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?(?:[eE][+-]?[0-9]{1,5})?|nan|inf))"
    rb"(?: (-?[0-9]{1,18})(?: [^ ]+ [^ ]+)?)?\r?"
)
_META = Syntax("yaml")
_Kind = Literal["", "experiment", "run"]


def read_file_store(log: TrainingLog, path: Path) -> Found:
    """The run that is judged.

    Raises:
        DataError: If the folder is none of MLflow's, a file in it is another than MLflow writes, or there is no such
            run.
    """
    return _FileStore(log, path).read()


class _FileStore:
    """``mlruns``, or the folder of an experiment or run in it."""

    def __init__(self, log: TrainingLog, path: Path) -> None:
        self._log, self._source, self._path = log, log.source, path
        self._notes: list[str] = []

    def read(self) -> Found:
        run = self._find()
        if run.folder is None:
            raise AssertionError("runs of the file store have folders")
        read_bytes(self._source, run.folder / "meta.yaml")  # for the digest
        series = {name: self._series(path) for name, path in self._files(run.folder / "metrics")}
        params = {name: self._param(path) for name, path in self._files(run.folder / "params")}
        return Found(run, series, params, tuple(self._notes))

    def _find(self) -> Run:
        kind, meta = self._meta(self._path)
        if kind == "run":
            folders = [(self._path, meta)]
        else:
            experiments = [self._path]
            if kind != "experiment":
                experiments = [folder for folder, _ in self._below(self._path, "experiment")]
            if not experiments:
                raise DataError(self._source.file, f"no folder in it has a meta.yaml of MLflow; {PATHS}")
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
            runs.append(Run(identifier, str(name), _STATUS.get(status, "") if isinstance(status, int) else "", folder))
        return choose(self._log, runs, deleted)

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
        path = folder / "tags" / NAME_TAG
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

    def _series(self, path: Path) -> Series:
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
        return Series(
            np.array(times, dtype=np.int64),
            np.array(steps, dtype=np.int64),
            np.array(values, dtype=np.float64),
            file,
            np.array(numbers, dtype=np.int64),
        )
