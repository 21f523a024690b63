"""The Hugging Face Trainer: ``trainer_state.json`` of a run or of a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import numpy as np

from pytest_vigate.data.curves import Training, TrainingLog, single
from pytest_vigate.data.files import entries, holds, inside, read_bytes, shown
from pytest_vigate.data.logs import LogReader
from pytest_vigate.data.logs._rows import NotJsonError, Record, collect, decode
from pytest_vigate.data.logs._series import Columns, make_training
from pytest_vigate.data.logs._trainer import STATE, checkpoints, is_bookkeeping, is_summary, trainer_names, writer_of
from pytest_vigate.data.replies import quoted
from pytest_vigate.errors import DataError

#: What the state says of how the run was set up.
_SET_UP = ("train_batch_size", "num_train_epochs", "max_steps", "logging_steps", "eval_steps", "save_steps")


class _State(msgspec.Struct):
    log_history: list[msgspec.Raw]
    global_step: object = None
    trial_params: object = None
    train_batch_size: object = None
    num_train_epochs: object = None
    max_steps: object = None
    logging_steps: object = None
    eval_steps: object = None
    save_steps: object = None


#: Records that are decoded at once.
_CHUNK = 1 << 10
_STATE = msgspec.json.Decoder(_State)
_RECORD: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


class HuggingFaceState(LogReader):
    """``trainer_state.json``, a checkpoint folder or a run folder.

    A run folder is read by its own state, or by that of its newest checkpoint where there is none or it ends before.
    Axolotl, TRL and Unsloth write it too. ``loss`` is the train loss, the mean since the record before; ``eval_loss``
    the validation loss. The last record's ``train_loss`` is the mean of the whole run, and no point. All other numbers
    but times and speeds are series. Unless told otherwise, the Trainer logs no loss that is NaN or infinite.
    """

    name: ClassVar[str] = "hf-trainer"

    def sniff(self, path: Path, head: bytes) -> bool:
        if path.is_dir():
            return writer_of(path) == self.name
        return path.name.endswith(STATE) or (path.suffix.lower() == ".json" and b'"log_history"' in head)

    def read(self, log: TrainingLog) -> Training:
        path, newest = _state_of(log)
        state, notes = _read(log, path), []
        if newest is not None and state.end < newest[0]:
            own = f"{shown(log.source, path)} ends at step {state.end}"
            path = newest[1] / STATE
            state = _read(log, path)
            notes.append(f"{own}, before the newest checkpoint: read is {shown(log.source, path)}")
        training = make_training(
            log,
            replace(state.columns, notes=(*state.columns.notes, *notes)),
            trainer_names(state.columns, ("step",)),
            hyperparameters=state.set_up,
            filtered=True,
        )
        last = max(int(curve.step[-1]) for curve in training.curves.values())
        if newest is None or newest[0] <= last:
            return training
        return replace(
            training, notes=(*training.notes, f"the log ends at step {last}, but there is a checkpoint-{newest[0]}")
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """What one state says; `end` is the step at which it was written, or else the last that it has logged."""

    columns: Columns
    set_up: Record
    end: int


def _read(log: TrainingLog, path: Path) -> _Read:
    file = shown(log.source, path)
    history, end, set_up = _parts(read_bytes(log.source, path), file)

    def records() -> Iterator[tuple[int, Record]]:
        for row, record in enumerate(_records(history, place)):
            if not isinstance(record, dict):
                raise DataError(place(row), "this is no object, where a record of the history is due; correct it")
            if not is_summary(record):
                yield row, record

    def place(row: int) -> str:
        return f"{file}: log_history[{row}]"

    columns = collect(records(), place, []).without(is_bookkeeping)
    if end is None:
        logged = columns.numbers.get("step")
        end = 0 if logged is None else int(np.max(logged.value, initial=0, where=np.isfinite(logged.value)))
    return _Read(columns, set_up, end)


def _parts(content: bytes, file: str) -> tuple[list[Any], int | None, Record]:
    """The history, the step at which the state was written, and what it says of how the run was set up."""
    try:
        state = decode(content, _STATE)
    except NotJsonError as error:
        start = content.rfind(b"\n", 0, error.at) + 1
        line = content.count(b"\n", 0, start) + 1
        raise NotJsonError(error.cause, error.at - start).at_line(f"{file}:{line}", content[start:]) from None
    members = msgspec.structs.asdict(state) if isinstance(state, _State) else state
    history = members.get("log_history") if isinstance(members, dict) else None
    if not isinstance(history, list):
        raise DataError(file, "there is no array log_history; name the trainer_state.json that the Trainer wrote")
    set_up = {name: members[name] for name in _SET_UP if members.get(name) is not None}
    tried = members.get("trial_params")
    end = members.get("global_step")
    return history, end if type(end) is int else None, {**set_up, **(tried if isinstance(tried, dict) else {})}


def _records(history: list[Any], place: Callable[[int], str]) -> Iterator[Any]:
    """The records of a history; those that are still text are decoded, many at once."""
    for start in range(0, len(history), _CHUNK):
        chunk = history[start : start + _CHUNK]
        if not all(isinstance(given, msgspec.Raw) for given in chunk):
            yield from chunk
            continue
        try:
            yield from _RECORD.decode(b"[" + b",".join(chunk) + b"]")
        except (msgspec.DecodeError, RecursionError):
            for row, given in enumerate(chunk, start=start):
                try:
                    record = decode(bytes(given), _RECORD)
                except NotJsonError as error:
                    raise error.at_line(place(row), bytes(given)) from None
                yield record


def _state_of(log: TrainingLog) -> tuple[Path, tuple[int, Path] | None]:
    """The state of a run, and the newest checkpoint in its folder, by step; None without one.

    Raises:
        DataError: If a folder has none, or several and nothing says which is the last.
    """
    source = single(log)
    folder = source.paths[0]
    if not inside(source, folder).is_dir():
        return folder, None
    held = entries(source, folder)
    numbered = checkpoints(held)
    newest = (numbered[-1][0], folder / numbered[-1][1].name) if numbered else None
    if holds(inside(source, folder), STATE):
        return folder / STATE, newest
    if newest is not None:
        return newest[1] / STATE, newest
    others = [entry for entry in held if holds(entry, STATE)]
    if len(others) == 1:
        return folder / others[0].name / STATE, None
    if others:
        names = ", ".join(quoted(entry.name) for entry in others[:3])
        raise DataError(
            source.file, f"{len(others)} folders hold a {STATE}: {names}; name the one of the run that is judged"
        )
    raise DataError(source.file, f"there is no {STATE} in this folder or its checkpoints; check the path")
