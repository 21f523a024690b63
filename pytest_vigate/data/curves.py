"""How a model was trained: curves by step, and the hyperparameters of the run.

A step is what the log counts: optimizer steps, or finished epochs where it has nothing finer, always counted from 1
where the log counts epochs. Blanks are left out; NaN and infinities are facts and stay.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final, Literal

import numpy as np

from pytest_vigate.data.coordinates import Float, Int
from pytest_vigate.data.objects import entries
from pytest_vigate.data.replies import quoted
from pytest_vigate.data.tables import Source
from pytest_vigate.errors import DataError, did_you_mean

#: What the points of a run that was resumed mean: an error, or that the later ones replace what they repeat.
Resumed = Literal["error", "last"]

#: Names under `series` that are no curves of the user's own.
ROLES: Final = ("step", "epoch", "train", "validation")
#: Names that a message lists.
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class TrainingLog:
    """Files of one run and how the gate declares them to be read."""

    source: Source
    """Role ``training``."""
    series: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict, hash=False)
    """Ours → the log's: ``{"train": "loss", "validation": "eval_loss", "step": "iteration", "f1": "eval/f1"}``. Several
    names are added up."""
    run: str | None = None
    """Which run, where the files hold several."""
    on_resume: Resumed = "error"
    """What a step that goes back inside one file means."""
    hyperparameters: Source | None = None
    """JSON or YAML with what was declared; None leaves it to what the tool writes beside the log."""


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """What a log says of one series, in the order of the file.

    Args:
        step: (m,) from 0.
        value: (m,) may be NaN or infinite where the log says so.
        epoch: (m,) finished epochs, NaN where unknown; None where the log has none.
        row: (m,) place in the file, rising; None where the points of the series are all there is.
        places: ``file:line`` of row ``i`` of the file.
    """

    step: Int
    value: Float
    epoch: Float | None = None
    row: Int | None = None
    places: Callable[[int], str] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One series of a run.

    Args:
        name: As the log has it; several that are added up joined by " + ".
        step: (m,) strictly rising.
        value: (m,) may be NaN or infinite.
        epoch: (m,) finished epochs; NaN where unknown.

    Raises:
        ValueError: If shapes disagree, the curve is empty or a step does not rise.
    """

    name: str
    step: Int
    value: Float
    epoch: Float

    def __post_init__(self) -> None:
        if not len(self.step) or not self.step.shape == self.value.shape == self.epoch.shape:
            raise ValueError("step, value and epoch must be (m,) with m of one at least")
        if np.any(np.diff(self.step) <= 0):
            raise ValueError("steps must rise")

    def __len__(self) -> int:
        return len(self.step)


@dataclass(frozen=True, eq=False)
class Training:
    """One run.

    Args:
        source: What was read, with the format and the sums of the files.
        curves: By the log's names, and by the user's own.
        train: The train loss; None if the log has none.
        validation: The validation loss; None if the log has none.
        learning_rate: As logged; None if the log has none.
        hyperparameters: What was declared, flat, by dotted name; numbers, texts, booleans or None.
        declared: The file of hyperparameters that the gate names, where it names one.
        filtered: The tool replaces losses that are NaN or infinite before it logs them, unless told otherwise.
        notes: What every verdict on the run has to say.
        judged: The step whose checkpoint is judged; None for the last one.
    """

    source: Source
    curves: Mapping[str, Curve]
    train: Curve | None = None
    validation: Curve | None = None
    learning_rate: Curve | None = None
    hyperparameters: Mapping[str, object] = field(default_factory=dict)
    declared: Source | None = None
    filtered: bool = False
    notes: tuple[str, ...] = ()
    judged: int | None = None

    @property
    def file(self) -> str:
        """As shown to the user."""
        return self.source.file

    @cached_property
    def steps(self) -> Int:
        """(n,) every step at which something was logged."""
        logged = [curve.step for curve in self.curves.values()]
        return np.unique(np.concatenate(logged)) if logged else np.empty(0, np.int64)

    def curve(self, name: str) -> Curve:
        """The curve of a name.

        Raises:
            DataError: If the log has none, with those it has.
        """
        if name in self.curves:
            return self.curves[name]
        hint = did_you_mean(name, tuple(self.curves)) or listed(self.curves)
        raise DataError(self.file, f"the log has no series {quoted(name)}; {hint}")


def listed(names: Sequence[str] | Mapping[str, object]) -> str:
    """``it has 'loss', 'eval_loss'``."""
    shown = ", ".join(quoted(name) for name in list(names)[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"it has {shown}{more}" if names else "it has none"


def assemble(
    log: TrainingLog,
    points: Mapping[str, Points],
    *,
    train: Sequence[str | tuple[str, ...]],
    validation: Sequence[str | tuple[str, ...]],
    learning_rate: Sequence[str] = ("learning_rate", "lr"),
    hyperparameters: Mapping[str, object] | None = None,
    filtered: bool = False,
    notes: Sequence[str] = (),
) -> Training:
    """The run that a reader has found.

    Args:
        log: What was read.
        points: By the log's names; a series without points is left out.
        train: Names that the train loss may have, the first that is there counts; a tuple is added up.
        validation: The same of the validation loss.
        learning_rate: The same of the learning rate.
        hyperparameters: What was declared, nested or flat.
        filtered: See `Training`.
        notes: What every verdict has to say.

    Raises:
        DataError: If there are no points, a step goes back and the gate does not say what that means, or a declared
            series is not there.
    """
    said = [*notes]
    found = {name: given for name, given in points.items() if len(given.step)}
    if not found:
        raise DataError(log.source.file, "the log has no points; zero points prove nothing")
    resumed = restarts(_signs(log, found))
    if len(resumed):
        said.append(f"the run was resumed: what was logged before from step {int(resumed[:, 1].min())} on is replaced")
    curves: dict[str, Curve] = {}
    for name, given in found.items():
        curve, repeated = _curve(name, given, resumed)
        if curve is None:
            said.append(f"{quoted(name)} was not logged again after the run was resumed, and is left out")
            continue
        curves[name] = curve
        if repeated:
            said.append(f"{repeated} steps of {quoted(name)} are there twice; the last one counts")
    training = Training(log.source, curves)
    own = {name: _sum(training, names) for name, names in log.series.items() if name not in ROLES}
    training = replace(training, curves={**curves, **own})
    losses = {}
    for role, known in (("train", train), ("validation", validation)):
        names = log.series.get(role) or next((names for names in known if _has(training, names)), None)
        losses[role] = None if names is None else _sum(training, names)
    said.append(_read(losses))
    rate = next((name for name in learning_rate if name in curves), None)
    return replace(
        training,
        train=losses["train"],
        validation=losses["validation"],
        learning_rate=None if rate is None else curves[rate],
        hyperparameters={
            name: value if value is None or isinstance(value, (str, bool, int, float)) else str(value)
            for name, value in entries(hyperparameters or {}, log.source.file).items()
        },
        declared=log.hyperparameters,
        filtered=filtered,
        notes=tuple(said),
    )


def single(log: TrainingLog) -> Source:
    """The source of a log that is one file.

    Raises:
        DataError: If the gate names several.
    """
    if len(log.source.paths) > 1:
        names = ", ".join(quoted(path.name) for path in log.source.paths[:3])
        raise DataError(
            log.source.file,
            f"{len(log.source.paths)} files for one run: {names}; name the log of the run that is judged",
        )
    return log.source


def _has(training: Training, names: str | tuple[str, ...]) -> bool:
    return all(name in training.curves for name in ([names] if isinstance(names, str) else names))


def _sum(training: Training, names: str | tuple[str, ...]) -> Curve:
    """The curve of a name, or the sum of several where all of them were logged.

    Raises:
        DataError: If one is not there, or they share no step.
    """
    several = [training.curve(name) for name in ([names] if isinstance(names, str) else names)]
    if len(several) == 1:
        return several[0]
    common = several[0].step
    for other in several[1:]:
        common = np.intersect1d(common, other.step, assume_unique=True)
    name = " + ".join(curve.name for curve in several)
    if not len(common):
        raise DataError(training.file, f"{name}: no step has all of them, so they cannot be added up")
    places = [np.searchsorted(curve.step, common) for curve in several]
    value = np.sum([curve.value[place] for curve, place in zip(several, places, strict=True)], axis=0)
    return Curve(name, common, value, several[0].epoch[places[0]])


def restarts(signs: Iterable[tuple[int, int, int]]) -> Int:
    """(R, 2) rows in which a run was taken up again, and the step, by row.

    The train loss goes back, and a little later the validation loss does: the second sign says nothing new, and would
    replace what the train loss has logged in between.

    Args:
        signs: Row of a point whose step lies before that of the point before it in its series, row of that point, and
            the step.
    """
    found: list[tuple[int, int]] = []
    # Of what was found, the latest at or below each step: the first one behind a point has the lowest step of those.
    rows: list[int] = []
    steps: list[int] = []
    for row, before, step in sorted(signs):
        i = bisect_right(rows, before)
        if i < len(rows) and steps[i] <= step:
            continue
        found.append((row, step))
        while steps and steps[-1] >= step:
            rows.pop()
            steps.pop()
        rows.append(row)
        steps.append(step)
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def _signs(log: TrainingLog, points: Mapping[str, Points]) -> Iterator[tuple[int, int, int]]:
    """What `restarts` looks at.

    Raises:
        DataError: If there is one, and the gate does not say what it means.
    """
    for name, given in points.items():
        back = np.flatnonzero(np.diff(given.step) < 0) + 1
        row = np.arange(len(given.step)) if given.row is None else given.row
        if len(back) and log.on_resume == "error":
            i = int(back[0])
            where = log.source.file if given.places is None else given.places(int(row[i]))
            raise DataError(
                where,
                f"the step of {quoted(name)} goes back from {given.step[i - 1]} to {given.step[i]}; if the run was "
                "resumed, declare on_resume: last, else give each run a log of its own",
            )
        yield from zip(row[back].tolist(), row[back - 1].tolist(), given.step[back].tolist(), strict=True)


def _curve(name: str, given: Points, resumed: Int) -> tuple[Curve | None, int]:
    """The curve of some points, and how many steps were there twice beside those that a restart replaced.

    None if a restart replaced all.
    """
    kept = np.ones(len(given.step), dtype=np.bool_)
    if len(resumed):
        row = np.arange(len(given.step)) if given.row is None else given.row
        # The lowest step at which the run was taken up again behind each row: all from there on was logged anew.
        lowest = np.append(np.minimum.accumulate(resumed[::-1, 1])[::-1], np.iinfo(np.int64).max)
        kept = given.step < lowest[np.searchsorted(resumed[:, 0], row, side="right")]
        if not kept.any():
            return None, 0
    step, value = given.step[kept], given.value[kept]
    epoch = np.full(len(step), np.nan) if given.epoch is None else given.epoch[kept]
    last = np.append(np.diff(step) > 0, [True])
    return Curve(name, step[last], value[last], epoch[last]), int(len(step) - np.count_nonzero(last))


def _read(losses: Mapping[str, Curve | None]) -> str:
    """Which series were read as what: nothing can tell whether two were swapped, but a reader."""
    said = [f"{role} loss {_described(curve)}" for role, curve in losses.items() if curve is not None]
    return f"read as {'; '.join(said)}" if said else "no series was read as a loss"


def _described(curve: Curve) -> str:
    steps = f"steps {curve.step[0]} to {curve.step[-1]}" if len(curve) > 1 else f"step {curve.step[0]}"
    return f"{quoted(curve.name)} ({len(curve)} {'point' if len(curve) == 1 else 'points'}, {steps})"
