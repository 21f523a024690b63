"""MLflow: a run in ``mlflow.db`` or in the folders of the file store, read only, without MLflow."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import NoneType
from typing import ClassVar, Final

import numpy as np

from pytest_vigate.data.coordinates import Float, Int
from pytest_vigate.data.curves import Points, Training, TrainingLog, assemble, finished, listed, single
from pytest_vigate.data.files import head_in, inside
from pytest_vigate.data.logs import LogReader
from pytest_vigate.data.logs._mlflow_database import SQLITE, read_database
from pytest_vigate.data.logs._mlflow_files import read_file_store
from pytest_vigate.data.logs._mlflow_runs import Found, Series
from pytest_vigate.data.replies import quoted
from pytest_vigate.errors import DataError, did_you_mean

#: Series of one run: each is a curve of its own.
MOST_SERIES: Final = 100_000

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
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_WORDS: Final[Mapping[str, object]] = {"True": True, "False": False, "None": None}


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
    runs: ClassVar[bool] = True

    def sniff(self, path: Path, head: bytes) -> bool:
        if path.is_file():
            return head.startswith(SQLITE)
        return _bears_signs(path) or any(_bears_signs(child) for child in _folders(path))

    def read(self, log: TrainingLog) -> Training:
        source = single(log)
        path = source.paths[0]
        if "step" in log.series:
            raise DataError(source.file, "MLflow has a step with every point; leave 'step' out of series")
        found = read_file_store(log, path) if inside(source, path).is_dir() else read_database(log, path)
        return _training(log, found)


def _bears_signs(folder: Path) -> bool:
    """Whether it is the folder of an experiment or a run."""
    return re.search(rb"^experiment_id:", head_in(folder, "meta.yaml"), re.MULTILINE) is not None


def _folders(folder: Path) -> Iterator[Path]:
    try:
        yield from (child for child in folder.iterdir() if not child.is_symlink() and child.is_dir())
    except OSError:
        return


def _training(log: TrainingLog, found: Found) -> Training:
    if len(found.series) > MOST_SERIES:
        raise DataError(
            log.source.file,
            f"{len(found.series)} series, where {MOST_SERIES} are read; log what is judged in a run of its own",
        )
    said = [*found.notes]
    if found.run.status != "FINISHED":
        status = found.run.status or "of unknown status"
        said.append(f"the run {quoted(found.run.identifier)} is {status}: its log may not be whole")
    return assemble(
        log,
        _points(log, found.series),
        train=_TRAIN,
        validation=_VALIDATION,
        learning_rate=_RATE,
        hyperparameters={name: _parameter(text) for name, text in found.params.items()},
        # Transformers' callback logs its arguments as parameters.
        filtered=found.params.get("logging_nan_inf_filter") == "True",
        notes=said,
    )


def _points(log: TrainingLog, series: Mapping[str, Series]) -> dict[str, Points]:
    """All series in the order of time; what was logged at one time is one row."""
    if not series:
        return {}
    times = np.unique(np.concatenate([given.time for given in series.values()]))
    dated = _epochs(log, series)
    found = {}
    for name, given in series.items():
        # Equal times: by step; an equal step too: the greater value, NaN last, as MLflow's own tables do.
        order = np.lexsort((given.value, given.step, given.time))
        step, row = given.step[order], np.searchsorted(times, given.time[order])
        if len(step) and step.min() < 0:
            raise DataError(
                given.file or log.source.file, f"{quoted(name)} is logged at step {step.min()}; steps count from 0"
            )
        epoch = None if dated is None else _at_steps(step, *dated)
        places = None if given.line is None else partial(_place, given.file, row, given.line[order])
        found[name] = Points(step, given.value[order], epoch, row, places)
    return found


def _place(file: str, rows: Int, lines: Int, row: int) -> str:
    return f"{file}:{lines[np.searchsorted(rows, row)]}"


def _epochs(log: TrainingLog, series: Mapping[str, Series]) -> tuple[Int, Float] | None:
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
    return step[last], finished(epoch[last], step[last])


def _at_steps(wanted: Int, step: Int, epoch: Float) -> Float:
    place = np.minimum(np.searchsorted(step, wanted), len(step) - 1)
    return np.where(step[place] == wanted, epoch[place], np.nan)


def _parameter(text: str) -> object:
    """A parameter as what its text says: MLflow stores ``str`` of the value."""
    if text in _WORDS:
        return _WORDS[text]
    if not _NUMBER.fullmatch(text):
        return text
    return float(text) if set(text) & {".", "e", "E"} else int(text)
