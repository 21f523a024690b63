"""How a model was trained: curves by step, and the hyperparameters of the run.

A step is what the log counts: optimizer steps, or finished epochs where it has nothing finer, counted from 1 whatever
the log counts from; checkpoints of Vi have its own numbers. Blanks are left out; NaN and infinities are facts and stay.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final, Literal

import numpy as np

from pytest_vigate.data.coordinates import Bool, Float, Int
from pytest_vigate.data.objects import scalars
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
    """JSON or YAML with what was declared; None leaves it to what the tool writes beside or into the log."""


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
        declared: The file of hyperparameters that the gate names, where it names one, with its sum.
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
        hyperparameters: What the log itself declares, nested or flat: an offer, which is not looked at where the gate
            names a file.
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
        curve, repeated, odd = _curve(name, given, resumed)
        if curve is None:
            said.append(f"{quoted(name)} was not logged again after the run was resumed, and is left out")
            continue
        curves[name] = curve
        if repeated:
            said.append(f"{repeated} steps of {quoted(name)} are there twice; the last one counts")
        if len(odd):
            more = f", and so at {len(odd) - 1} more" if len(odd) > 1 else ""
            said.append(
                f"{quoted(name)} is {curve.value[odd[0]]:g} at step {curve.step[odd[0]]}, though the last one there is "
                f"finite: what is not finite counts{more}"
            )
    training = Training(log.source, curves)
    own = {name: _sum(training, names) for name, names in log.series.items() if name not in ROLES}
    training = replace(training, curves={**curves, **own})
    losses = {}
    for role, known in (("train", train), ("validation", validation)):
        names = log.series.get(role) or next((names for names in known if _has(training, names)), None)
        losses[role] = None if names is None else _sum(training, names)
    said.append(_read(losses))
    rate = next((own[name] for name in ("learning_rate", *learning_rate) if name in own), None)
    rate = rate or next((curves[name] for name in learning_rate if name in curves), None)
    offered: dict[str, object] = {}
    try:
        offered = scalars(hyperparameters or {}, log.source.file) if log.hyperparameters is None else {}
    except DataError as error:
        said.append(f"hyperparameters are not read: {error}")
    return replace(
        training,
        train=losses["train"],
        validation=losses["validation"],
        learning_rate=rate,
        hyperparameters=offered,
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
    """The curve of a name, or the sum of several; a part that is NaN makes it NaN.

    Raises:
        DataError: If one is not there or is named twice, or a step lacks one: the rest is no total.
    """
    several = [training.curve(name) for name in ([names] if isinstance(names, str) else names)]
    if len(several) == 1:
        return several[0]
    for i, curve in enumerate(several):
        if curve in several[:i]:
            raise DataError(training.file, f"{quoted(curve.name)} is there twice in a sum; name every part once")
    first, name = several[0], " + ".join(curve.name for curve in several)
    steps = np.unique(np.concatenate([curve.step for curve in several]))
    lacking = [(np.setdiff1d(steps, curve.step, assume_unique=True), curve.name) for curve in several]
    missing = min(((int(gaps[0]), part) for gaps, part in lacking if len(gaps)), default=None)
    if missing is not None:
        step, part = missing
        raise DataError(
            training.file,
            f"{name} cannot be added up: step {step} has no {quoted(part)}; log all parts at every step, or declare "
            "series that have the same steps",
        )
    with np.errstate(over="ignore", invalid="ignore"):  # infinities that make NaN are facts
        value = np.sum([curve.value for curve in several], axis=0)
    return Curve(name, first.step, value, first.epoch)


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


def survive(row: Int, step: Int, resumed: Int) -> Bool:
    """(m,) which points count where a run was taken up again: all from its step on was logged anew behind it.

    Args:
        row: (m,) of the points.
        step: (m,) of the points.
        resumed: (R, 2) as `restarts` has it.
    """
    # The lowest step at which the run was taken up again behind each restart.
    lowest = np.append(np.minimum.accumulate(resumed[::-1, 1])[::-1], np.iinfo(np.int64).max)
    return step < lowest[np.searchsorted(resumed[:, 0], row, side="right")]


def finished(epoch: Float, step: Int) -> Float:
    """(m,) finished epochs of what a log calls epochs.

    Epoch 0 before the first step is finished epochs; behind it, it is the running one, and so are all if they are
    whole. Lightning logs running epochs, Transformers finished ones.

    Args:
        epoch: (m,) as logged, NaN where unknown.
        step: (m,)
    """
    known = np.isfinite(epoch)
    whole = np.all(epoch[known] == np.floor(epoch[known]))
    return epoch + 1 if whole and np.any((epoch == 0) & (step > 0)) else epoch


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


def _curve(name: str, given: Points, resumed: Int) -> tuple[Curve | None, int, Int]:
    """The curve of some points, how many gave way to a later one, and where in it one counts as it is not finite.

    None if a restart replaced all, which is not counted.
    """
    row = np.arange(len(given.step)) if given.row is None else given.row
    kept = survive(row, given.step, resumed)
    if not kept.any():
        return None, 0, np.empty(0, np.int64)
    step, value = given.step[kept], given.value[kept]
    epoch = np.full(len(step), np.nan) if given.epoch is None else given.epoch[kept]
    last = np.flatnonzero(np.append(np.diff(step) > 0, [True]))
    # A fact is not overwritten: of equal steps the last point counts, but before it the last that is not finite.
    odd = np.flatnonzero(~np.isfinite(value))
    chosen = last.copy()
    chosen[np.searchsorted(last, odd)] = odd  # of several for one place, numpy takes the last
    curve = Curve(name, step[chosen], value[chosen], epoch[chosen])
    stayed = chosen != last
    repeated = np.diff(last, prepend=-1) - 1
    return curve, int(repeated[~stayed].sum()), np.flatnonzero(stayed)


def _read(losses: Mapping[str, Curve | None]) -> str:
    """Which series were read as what: nothing can tell whether two were swapped, but a reader."""
    said = [f"{role} loss {_described(curve)}" for role, curve in losses.items() if curve is not None]
    return f"read as {'; '.join(said)}" if said else "no series was read as a loss"


def _described(curve: Curve) -> str:
    steps = f"steps {curve.step[0]} to {curve.step[-1]}" if len(curve) > 1 else f"step {curve.step[0]}"
    return f"{quoted(curve.name)} ({len(curve)} {'point' if len(curve) == 1 else 'points'}, {steps})"
