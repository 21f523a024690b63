"""Scores that another tool computed, by name: reported, not measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from pytest_vigate.data.files import shown
from pytest_vigate.data.objects import entries, in_words, read_object
from pytest_vigate.data.replies import quoted
from pytest_vigate.data.syntaxes import Syntax
from pytest_vigate.data.tables import Source
from pytest_vigate.errors import DataError

#: Programs in Python write ``NaN`` and ``Infinity``, which are facts here.
_SYNTAX: Final = Syntax("json", nan=True)
_SHOWN: Final = 12


@dataclass(frozen=True, slots=True, eq=False)
class Reported:
    """The scores of a file.

    Args:
        source: What was read, with the sums of the files.
        values: By dotted name as in the file; NaN and infinities stay.
        notes: What every verdict on these scores has to say.
        others: What else the file holds in place of a number, in words, by dotted name.
    """

    source: Source
    values: Mapping[str, float]
    notes: tuple[str, ...] = ()
    others: Mapping[str, str] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """As shown to the user."""
        return self.source.file


def read_reported(source: Source, *, checkpoint: int | None = None) -> Reported:
    """The scores in a JSON file: flat or nested, as Hugging Face's Trainer, lmms-eval and ``vigate pull vi`` write it.

    Args:
        source: One file.
        checkpoint: Epoch of the checkpoint that is judged, where the file has those of several; None for the last one.

    Raises:
        DataError: If the file cannot be read, is no JSON object, has a name twice, holds no number, or has no such
            checkpoint.
    """
    path = _single(source)
    source = replace(source, sums={})
    document = read_object(source, path, _SYNTAX)
    where = shown(source, path)
    if document.get("source") == "vi" and "checkpoints" in document:
        scores, notes = _checkpoint(document["checkpoints"], where, checkpoint)
        source = replace(source, format="vi")
    elif checkpoint is None:
        scores, notes = document, ()
        source = replace(source, format="json")
    else:
        raise DataError(
            where, f"the file names no checkpoints, and checkpoint {checkpoint} is judged; give it a gate of its own"
        )
    values, others = _flat(scores, where)
    if not values:
        raise DataError(where, f"the file holds no score{_holds(others)}; a score is a number")
    return Reported(source, values, notes, others)


def _single(source: Source) -> Path:
    if not source.paths:
        raise DataError(source.file, "no file has this name; check the path, it is relative to the gate file")
    if len(source.paths) > 1:
        names = ", ".join(quoted(path.name) for path in source.paths[:3])
        raise DataError(
            source.file, f"{len(source.paths)} files of reported scores: {names}; name the one that is judged"
        )
    return source.paths[0]


def _checkpoint(given: object, where: str, epoch: int | None) -> tuple[Mapping[str, object], tuple[str, ...]]:
    """The scores of one checkpoint of what ``vigate pull vi`` wrote, and which one it is."""
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        raise DataError(where, "checkpoints: expected a list of objects; pull the run again")
    if not given:
        raise DataError(where, "the run has no checkpoints, so there are no scores; wait for one, then pull it again")
    found = [given[-1]] if epoch is None else [item for item in given if _is_epoch(item.get("epoch"), epoch)]
    if len(found) != 1:
        many = f"{len(found)} checkpoints have" if found else "no checkpoint has"
        raise DataError(where, f"{many} epoch {epoch}; the file has {_epochs(given)}")
    chosen = found[0]
    which = f"checkpoint {_named(chosen.get('id'))}, epoch {_named(chosen.get('epoch'))}"
    scores = chosen.get("evaluation_metrics")
    if not isinstance(scores, dict):
        raise DataError(
            where, f"{which} has {in_words(scores)} in place of evaluation_metrics; choose another by checkpoint"
        )
    place = f"the last of {len(given)}" if epoch is None else f"one of {len(given)}"
    return scores, (f"the scores are those of {which}, {place}",)


def _is_epoch(value: object, epoch: int) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == epoch


def _named(value: object) -> str:
    """An id or an epoch in a sentence."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return quoted(f"{value}")[1:-1]
    return quoted(value) if isinstance(value, str) else "unknown"


def _epochs(checkpoints: Sequence[Mapping[str, object]]) -> str:
    said = [f"epoch {_named(item.get('epoch'))}" for item in checkpoints[-_SHOWN:]]
    return f"{'…, ' if len(checkpoints) > _SHOWN else ''}{', '.join(said)}"


def _flat(scores: Mapping[str, object], where: str) -> tuple[dict[str, float], dict[str, str]]:
    """Numbers and everything else by dotted name, in the order of the file."""
    values: dict[str, float] = {}
    others: dict[str, str] = {}
    for name, value in entries(scores, where).items():
        if (number := _number(value)) is None:
            others[name] = in_words(value)
        else:
            values[name] = number
    return values, others


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _holds(others: Mapping[str, str]) -> str:
    said = ", ".join(f"{quoted(name)} is {words}" for name, words in [*others.items()][:3])
    return f": {said}" if said else ""
