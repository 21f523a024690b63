"""Scores that another tool computed, by name: reported, not measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from pytest_vigate.data.files import shown
from pytest_vigate.data.numbers import divide
from pytest_vigate.data.objects import entries, in_words, read_object
from pytest_vigate.data.replies import quoted
from pytest_vigate.data.syntaxes import Syntax
from pytest_vigate.data.tables import Source
from pytest_vigate.data.vi_runs import ViCheckpoint, ViRun, is_vi_run, vi_run
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
        gaps: Those of `others` that may stand for a score, null and texts: a flag or a list does not.
    """

    source: Source
    values: Mapping[str, float]
    notes: tuple[str, ...] = ()
    others: Mapping[str, str] = field(default_factory=dict)
    gaps: frozenset[str] = frozenset()

    @property
    def file(self) -> str:
        """As shown to the user."""
        return self.source.file


def read_reported(source: Source, *, checkpoint: int | None = None) -> Reported:
    """The scores in a JSON file: flat or nested, as Hugging Face's Trainer, lmms-eval and ``vigate pull vi`` write it.

    Args:
        source: One file.
        checkpoint: Step of the checkpoint that is judged, where the file has those of several (see `ViCheckpoint`);
            None for the last one.

    Raises:
        DataError: If the file cannot be read, is no JSON object, has a name twice, holds no number, or has no such
            checkpoint.
    """
    path = _single(source)
    source = replace(source, sums={})
    document = read_object(source, path, _SYNTAX)
    where = shown(source, path)
    notes: tuple[str, ...] = ()
    if is_vi_run(document):
        source = replace(source, format="vi")
        run = vi_run(document, where)
        chosen = _checkpoint(run, where, checkpoint)
        place = f"the last of {len(run.checkpoints)}" if checkpoint is None else f"one of {len(run.checkpoints)}"
        notes = (f"the scores are those of {run.named(chosen)}, {place}",)
        values, others = chosen.scores()
    elif checkpoint is None:
        source = replace(source, format="json")
        values, others = divide(entries(document, where))
    else:
        raise DataError(
            where, f"the file names no checkpoints, and checkpoint {checkpoint} is judged; give it a gate of its own"
        )
    said = {name: in_words(value) for name, value in others.items()}
    if not values:
        raise DataError(where, f"the file holds no score{_holds(said)}; a score is a number")
    gaps = frozenset(name for name, value in others.items() if value is None or isinstance(value, str))
    return Reported(source, values, notes, said, gaps)


def _single(source: Source) -> Path:
    if not source.paths:
        raise DataError(source.file, "no file has this name; check the path, it is relative to the gate file")
    if len(source.paths) > 1:
        names = ", ".join(quoted(path.name) for path in source.paths[:3])
        raise DataError(
            source.file, f"{len(source.paths)} files of reported scores: {names}; name the one that is judged"
        )
    return source.paths[0]


def _checkpoint(run: ViRun, where: str, step: int | None) -> ViCheckpoint:
    """The checkpoint whose scores are judged."""
    given = run.checkpoints
    if not given:
        raise DataError(where, "the run has no checkpoints, so there are no scores; wait for one, then pull it again")
    wanted = given[-1].step if step is None else step
    found = [one for one in given if one.step == wanted]
    if len(found) != 1:
        many = f"{len(found)} checkpoints have" if found else "no checkpoint has"
        more = "; leave the one that is meant in the file" if found else ""
        raise DataError(
            where, f"{many} {'epoch' if run.dated else 'number'} {wanted}; the file has {_steps(run)}{more}"
        )
    (chosen,) = found
    if chosen.metrics is None:
        raise DataError(
            where, f"{run.named(chosen)} has null in place of evaluation_metrics; choose another by checkpoint"
        )
    return chosen


def _steps(run: ViRun) -> str:
    if not run.dated:
        return f"{len(run.checkpoints)}, none with an epoch, so they are counted from 1"
    said = [f"epoch {one.step}" for one in run.checkpoints[-_SHOWN:]]
    return f"{'…, ' if len(run.checkpoints) > _SHOWN else ''}{', '.join(said)}"


def _holds(others: Mapping[str, str]) -> str:
    said = ", ".join(f"{quoted(name)} is {words}" for name, words in [*others.items()][:3])
    return f": {said}" if said else ""
