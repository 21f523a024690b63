"""Curves as rows of statistics, and what is read off them: for the families that judge a run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from pytest_vigate.data.coordinates import Bool, Float, Int
from pytest_vigate.data.curves import Curve, Training, listed
from pytest_vigate.data.dataset import Dataset
from pytest_vigate.errors import UnmeasurableError
from pytest_vigate.metrics.base import Key, Remarks, Score, Statistics

#: Codes of the key ``series``.
TRAIN, VALIDATION = 0, 1
ROLES = ("train", "validation")
#: First columns of the statistics of a run; a value that is not finite is 0, ``logged`` is `logged_to` in every row.
COLUMNS = ("step", "value", "finite", "logged")
#: Series that count something else than the losses beside them: of MLflow, the machine's; of Keras, those of batches.
_COUNTS_ELSE = re.compile(r"(?:^|/)(?:system/|batch_|evaluation_\w+_vs_iterations$)")
#: Pauses of the train loss that the log goes on for, from which its end is missing.
_CUT = 2
#: Median pauses of the train loss that make a hole, and holes that are told.
_HOLE = 5
_TOLD = 3
#: Numbers that are sorted at once; 32 MB.
_CHUNK = 4_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One curve, as its rows have it.

    Args:
        step: (m,) rising.
        value: (m,) NaN where the log has no finite number.
        row: (m,) which rows of the statistics.
    """

    step: Float
    value: Float
    row: Int

    def __len__(self) -> int:
        return len(self.step)

    @property
    def known(self) -> Bool:
        """(m,) which values are finite."""
        return ~np.isnan(self.value)

    @property
    def finite(self) -> Series:
        """The points whose values are."""
        known = self.known
        return self if known.all() else Series(self.step[known], self.value[known], self.row[known])


def of(data: Dataset) -> Training:
    """The run of a dataset.

    Raises:
        UnmeasurableError: If it has none.
    """
    if data.training is None:
        raise UnmeasurableError("the gate names no training log; declare data: {training: …}")
    return data.training


def statistics(
    training: Training,
    pair: tuple[Curve | None, Curve | None],
    *,
    notes: tuple[str, ...] = (),
    undefined: Mapping[str, str] | None = None,
) -> Statistics:
    """One row a point of two curves, with the columns `COLUMNS`; the key ``series`` says of which it is.

    Args:
        training: Whose logged steps are the samples.
        pair: Train and validation; None for what the log lacks.
        notes: See `Statistics`.
        undefined: See `Statistics`.
    """
    there = [(role, curve) for role, curve in enumerate(pair) if curve is not None]
    empty = [np.empty(0)]
    step = np.concatenate([*empty, *(curve.step for _, curve in there)])
    value = np.concatenate([*empty, *(curve.value for _, curve in there)])
    code = np.concatenate([np.empty(0, np.int64), *(np.full(len(curve), role) for role, curve in there)])
    places = [np.searchsorted(training.steps, curve.step) for _, curve in there]
    finite = np.isfinite(value)
    remarks: Remarks = np.full(len(value), "", np.object_)
    for i in np.flatnonzero(~finite):
        remarks[i] = str(value[i])
    return Statistics(
        columns=COLUMNS,
        values=np.column_stack(
            [step, np.where(finite, value, 0), finite, np.full(len(step), logged_to(training, pair))]
        ),
        sample=np.concatenate([np.empty(0, np.int64), *places]),
        n=len(training.steps),
        keys={"series": Key(code, tuple("" if curve is None else curve.name for curve in pair))},
        notes=notes,
        undefined=undefined or {},
        remarks=remarks,
    )


def series(found: Statistics, weights: Float | None = None) -> tuple[Series, Series]:
    """Train and validation, as the rows have them.

    Args:
        found: Rows of `statistics`.
        weights: (n,) a step of weight 0 is not there, one of any other is; None for all.
    """
    kept = np.ones(len(found.sample), np.bool_) if weights is None else weights[found.sample] > 0
    code, known = found.keys["series"].code, found.column("finite") > 0
    step, value = found.column("step"), np.where(known, found.column("value"), np.nan)
    rows = [np.flatnonzero(kept & (code == role)) for role in (TRAIN, VALIDATION)]
    rows = [row[np.argsort(step[row], kind="stable")] for row in rows]
    train, validation = (Series(step[row], value[row], row) for row in rows)
    return train, validation


def logged(found: Statistics) -> float:
    """`logged_to` of the run that the rows are of."""
    column = found.column("logged")
    return float(column[0]) if len(column) else -1.0


def missing(training: Training, role: str) -> str:
    """Why there is no train or validation loss, and what to do."""
    return (
        f"the log has no {role} loss; {listed(training.curves)}; if one of them is it, declare series: {{{role}: NAME}}"
    )


def copied(train: Curve | None, validation: Curve | None) -> str:
    """Why a series is no validation: it is the train's; empty where it is not.

    The same numbers under two names are a copy too, unless they are all equal, as two perfect scores are.
    """
    if train is None or validation is None:
        return ""
    if train.name == validation.name:
        return f"train and validation are the same series {train.name!r}; declare the one that was validated"
    same = np.array_equal(train.step, validation.step) and np.array_equal(train.value, validation.value)
    if same and np.any(train.value != train.value[0]):
        return f"{validation.name!r} is {train.name!r} point for point, and no validation; declare the one that was"
    return ""


def longest_pause(step: Float) -> float:
    """The longest way from one point to the next; of one point the way from step 0."""
    return float(np.max(np.diff(step) if len(step) > 1 else step, initial=0.0))


def cut_off(train: Series, validation: Series, logged: float, *, what: str = "the train loss") -> str:
    """Why the last train point says nothing of the end of the run; empty where it does.

    The log goes on for twice as long as between any two train points at least, and has no further one: a tool that
    writes null for NaN leaves it out.

    Args:
        train: What was trained.
        validation: Its steps are the log's too.
        logged: See `logged_to`.
        what: What the train series is called.
    """
    last = max(logged, float(validation.step[-1]) if len(validation) else -1.0)
    if not len(train) or last <= (end := train.step[-1]) or last - end < _CUT * longest_pause(train.step):
        return ""
    return f"{what} ends at step {end:.0f}, and the log goes on to step {last:.0f}"


def not_validated(train: Series, validation: Series, logged: float = -1.0) -> str:
    """Why the last evaluation says nothing of the end of the run; empty where it does.

    The train loss was logged on for as long as between any two evaluations, and no further one is there: it is
    missing, or the two count their steps differently. Where the train loss is cut off too, the end is that of the log.
    """
    if not len(train) or not len(validation):
        return ""
    cut = bool(cut_off(train, validation, logged))
    end, last = max(train.step[-1], logged) if cut else train.step[-1], validation.step[-1]
    if end > last and end - last >= longest_pause(validation.step):
        return (
            f"the last evaluation is at step {last:.0f} and {'the log' if cut else 'training'} goes on to step "
            f"{end:.0f}, so the end of the run was not validated, or the two count their steps differently"
        )
    return ""


def logged_to(training: Training, pair: tuple[Curve | None, Curve | None]) -> float:
    """The last step of the other series that were logged beside train; −1 where there are none."""
    return float(_beside(training, pair).max(initial=-1))


def _beside(training: Training, pair: tuple[Curve | None, Curve | None]) -> Int:
    """(k,) steps of the series that were logged beside train, at half of its steps or more: they count as it does.

    A series of one point is a score of the end, and says nothing of how long the run went on.
    """
    train, _ = pair
    found = [np.empty(0, np.int64)]
    for name, curve in training.curves.items():
        if train is None or any(curve is one for one in pair) or len(curve) < 2 or _COUNTS_ELSE.search(name):
            continue
        if 2 * len(np.intersect1d(curve.step, train.step, assume_unique=True)) >= len(train):
            found.append(curve.step)
    return np.unique(np.concatenate(found))


def holes(training: Training, pair: tuple[Curve | None, Curve | None], what: str = "the train loss") -> Iterator[str]:
    """Where train has no points for five times its median pause or more, and other series go on."""
    train, validation = pair
    if train is None or len(train) < 2:
        return
    other = _beside(training, pair)
    if validation is not None:
        other = np.union1d(other, validation.step)
    wide = _HOLE * float(np.median(np.diff(train.step)))
    if len(other) and train.step[0] - other[0] >= wide:
        yield f"{what} begins at step {train.step[0]}, and the log at step {other[0]}"
    at = np.flatnonzero(np.diff(train.step) >= wide)
    inside = np.searchsorted(other, train.step[at + 1]) > np.searchsorted(other, train.step[at], side="right")
    found = [f"{train.step[i]} and {train.step[i + 1]}" for i in at[inside]]
    if found:
        more = f", and {len(found) - _TOLD} more times" if len(found) > _TOLD else ""
        yield f"{what} has no points between steps {', '.join(found[:_TOLD])}{more}, while the log goes on"


def effective(window: int, points: int, *, parts: int = 4) -> int:
    """Points of a window: at most one part of the curve in so many, so that short ones stay as they are."""
    return max(1, min(window, points // parts))


def medians(value: Float, window: int) -> Float:
    """(m - window + 1,) the median of every window inside the curve."""
    if window == 1:
        return value
    windows = sliding_window_view(value, window)
    rows = max(1, _CHUNK // window)
    return np.concatenate([middle(windows[i : i + rows]) for i in range(0, len(windows), rows)])


def thinned(series: Series, most: int) -> Series:
    """The medians of stretches of equally many points, `most` of them or fewer; a curve that is short stays.

    The first stretch takes what is left over, so that the end of the curve is that of the last one.
    """
    points = -(-len(series) // most)
    if points <= 1:
        return series
    left = len(series) % points
    parts = [getattr(series, name)[left:].reshape(-1, points) for name in ("step", "value")]
    step, value = (middle(part) for part in parts)
    if left:
        step = np.append(np.median(series.step[:left]), step)
        value = np.append(np.median(series.value[:left]), value)
    return Series(step, value, np.arange(len(step)))


def middle(rows: Float) -> Float:
    """(q,) median of every row: sorting short rows takes a quarter of the time of `np.median`."""
    ordered, width = np.sort(rows, axis=1), rows.shape[1]
    found: Float = (ordered[:, (width - 1) // 2] + ordered[:, width // 2]) / 2
    return found


def change(step: Float, value: Float, *, share: float, least: int = 2) -> float:
    """Relative change over the last share of a curve, by a least-squares line; NaN where there is none to draw.

    Args:
        step: (m,) rising.
        value: (m,) finite.
        share: Of the way from the first step to the last.
        least: Points that the line goes through at least; before the share if it holds fewer.
    """
    if len(step) < 2:
        return np.nan
    end, span = step[-1], step[-1] - step[0]
    chosen = min(int(np.searchsorted(step, end - share * span)), len(step) - least)
    x, y = (step[max(chosen, 0) :] - end) / span, value[max(chosen, 0) :]
    with np.errstate(over="ignore", invalid="ignore"):
        middle = x - x.mean()
        rate = (middle @ y) / (middle @ middle)
        before = y.mean() - rate * (x.mean() + share)
        found = rate * share / before if before > 0 else np.nan
    return float(found) if np.isfinite(found) else np.nan


def number(value: float) -> str:
    """As sentences show it."""
    return f"{value:.4g}"


def no_other_run(found: Statistics, scores: Sequence[Score]) -> Float:
    """(n, s) of NaN, without its memory: what `Metric.leave_one_out` says where no sample can be left out."""
    return np.broadcast_to(np.float64(np.nan), (found.n, len(scores)))
