"""How a run went, in one of five names, with the rule that said so and what to do.

The rules compare shares alone, so that they hold for losses of any size above 0. Their numbers are ours; they were
tried on made-up curves of every kind (``tests/metrics/test_run_patterns.py`` prints how often they err) and on
published runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Final

import numpy as np

from pytest_vigate.data.coordinates import Float
from pytest_vigate.metrics._curves import (
    Series,
    change,
    cut_off,
    effective,
    medians,
    middle,
    not_validated,
    number,
    thinned,
)

#: In the order of `Score.names`.
NAMES: Final = ("healthy", "overfitting", "underfitting", "unstable", "not learning")
#: What to do, from the vendor's pages on training metrics, in our words.
ADVICE: Final = {
    "healthy": "",
    "overfitting": "train on more data, or for fewer epochs",
    "underfitting": "train for longer, or a larger model",
    "unstable": "halve the learning rate",
    "not learning": "look at the annotation format and the learning rate",
}
#: Train points and evaluations below which nothing is named but what is not finite.
FEWEST_POINTS: Final = 10
FEWEST_EVALUATIONS: Final = 4
#: Exact zeros in a row that are no loss: what a diverged model logs where a tool hides what is not finite.
ZEROS: Final = 3
#: Why a run without a validation loss has no name.
NO_VALIDATION: Final = "without a validation loss a run cannot be called healthy"

#: A spike stands out from this many points before it, and needs a few of them.
_REACH = 20
_FEWEST_BEFORE = 5
#: The deviation of a curve that is smooth, as a share of its median, and of its start: logs round to four digits.
_FLOOR = 0.02
_FLOOR_OF_START = 0.001
#: The median deviation of normal noise, times this, is its standard deviation.
_NORMAL = 1.4826
#: And the standard deviation of a median is that of a mean times this.
_OF_MEDIAN = 1.2533

#: Points of a curve that the rules look at; of longer ones, the medians of as many stretches.
_MOST = 2000
#: Points whose median stands for the start and the end of the train loss: one in 50 of a long curve.
_WINDOW = 5
_LONG = 50
#: Evaluations whose median stands for one, where there are enough.
_EVALUATIONS = 3
#: Noise of a point, as a share of the loss, from which the loss of single batches jumps without a fault of the run.
NOISY: Final = 1.0
#: Share of the points that may spike.
_SPIKY = 0.02
#: Spikes below which a run is not called unstable, however short.
_FEWEST_SPIKES = 3
#: End of the train loss over its best from which a run has diverged.
_DIVERGED = 1.5
#: Rise of the train loss over the second half of a run from which it does not hold what it had learnt.
_LOST = 0.10
#: Least fall of a train loss that learns, and of a validation loss.
_LEARNT = 0.05
#: Fall of the train loss that the validation loss has to follow.
_FITTED = 0.10
#: Share of a run after which a first evaluation comes too late to show a fall.
_LATE = 0.5
#: Noise of an evaluation, as a share of the loss, from which nothing can be told.
_JUMPY = 0.20
#: Fall of the validation loss that shows learning where the train loss is too noisy to.
_CONFIRMED = 0.10
#: Rise of the validation loss from its best.
_RISEN = 0.10
#: Rise of the train loss that is none yet.
_STAYED = 0.05
#: Share of a run that is its end.
_END = 0.2
#: Fall over the end of a run that ends too early.
_FALLING = 0.05
#: And what it is at least of all that the loss fell: towards 0 any fall is large beside what is left.
_OF_ALL = 0.03
#: Share of all that the losses fell, in the end of a run, that shows an end too early, however little it is.
_STILL = 0.15
#: Standard errors that a difference has to have to be one.
_SURE = 3.0


@dataclass(frozen=True, slots=True)
class Named:
    """What a run is called.

    Args:
        name: One of `NAMES`; empty where it cannot be told.
        rule: The rule that fired, or why it cannot be told.
    """

    name: str
    rule: str

    @property
    def advice(self) -> str:
        """What to do; empty for a healthy run."""
        return ADVICE.get(self.name, "")


@dataclass(frozen=True, slots=True, eq=False)
class Spikes:
    """Points far above what came before them.

    Args:
        peak: (q,) index of the highest point of every excursion.
        level: (q,) median before it.
        lasts: Whether the last point of the curve is in an excursion.
    """

    peak: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
    level: Float
    lasts: bool = False


def spikes(value: Float, multiple: float) -> Spikes | None:
    """Excursions of a curve above the running median of the points before; None where it has too few points.

    A point is above if it exceeds the median of the 20 points before it (as many as there are, five at least) by
    more than `multiple` deviations; their deviation is 1.4826 times the median distance of these points from their
    median, and no less than 2 % of that median and 0.1 % of the median of the first five points. Points above that
    follow each other are one excursion.

    Args:
        value: (m,) finite.
        multiple: Deviations.
    """
    if len(value) <= _FEWEST_BEFORE:
        return None
    least = _FLOOR_OF_START * abs(float(np.median(value[:_FEWEST_BEFORE])))
    level, spread = np.array([_centre(value[:i]) for i in range(_FEWEST_BEFORE, min(_REACH, len(value)))]).T
    if len(value) > _REACH:
        centre, distance = _running(value[:-1])
        level, spread = np.append(level, centre), np.append(spread, distance)
    later = value[_FEWEST_BEFORE:]
    floor = np.maximum(_FLOOR * np.abs(level), least)
    above = np.flatnonzero(later - level > multiple * np.maximum(_NORMAL * spread, floor))
    found = np.split(above, np.flatnonzero(np.diff(above) > 1) + 1) if len(above) else []
    peak = np.array([run[np.argmax(later[run])] for run in found], np.int64)
    return Spikes(peak + _FEWEST_BEFORE, level[peak], bool(len(above)) and bool(above[-1] == len(later) - 1))


def _centre(value: Float) -> tuple[float, float]:
    """Median, and median distance from it."""
    level = median(given := value.tolist())
    return level, median(abs(x - level) for x in given)


def _running(value: Float) -> tuple[Float, Float]:
    """(m - 19,) median of every 20 points, and their median distance from it."""
    windows = np.lib.stride_tricks.sliding_window_view(value, _REACH)
    centre, distance = np.empty(len(windows)), np.empty(len(windows))
    for i in range(0, len(windows), 100_000):
        part = windows[i : i + 100_000]
        centre[i : i + 100_000] = level = middle(part)
        distance[i : i + 100_000] = middle(np.abs(part - level[:, None]))
    return centre, distance


def zeros(train: Series) -> float | None:
    """The step from which the loss is exactly 0, `ZEROS` points at least in a row; None where it never is."""
    nought = train.value == 0
    if np.count_nonzero(nought) < ZEROS:
        return None
    runs = np.flatnonzero(np.convolve(nought, np.ones(ZEROS), "valid") == ZEROS)
    return float(train.step[runs[0]]) if len(runs) else None


def name_run(train: Series, validation: Series, found: Spikes | None, logged: float = -1.0) -> Named:
    """The name of a run: the first rule that fires.

    Args:
        train: Train loss.
        validation: Validation loss; empty where the log has none.
        found: Spikes among the finite points of the train loss; None where it has too few to tell.
        logged: The last step of the series logged beside the train loss.
    """
    if not len(train):
        return Named("", "the log has no train loss")
    for curve, role in ((train, "train"), (validation, "validation")):
        if not curve.known.all():
            first = curve.step[~curve.known][0]
            return Named("unstable", f"the {role} loss is not finite at step {first:.0f}")
    if fell := collapse(train):
        return Named("unstable", fell)
    if len(train) < FEWEST_POINTS:
        return Named("", f"{len(train)} points of the train loss are too few to tell; {FEWEST_POINTS} are needed")
    if cut := cut_off(train, validation, logged):
        return Named("", cut)
    if min(train.value.min(), validation.value.min(initial=np.inf)) < 0 or train.value[0] == 0:
        return Named("", "there are losses at or below 0, and the rules compare shares")
    run = _Run(train, validation)
    unknown = _cannot_tell(train, validation, logged)
    return (
        _unstable(run, found, train)
        or _not_learning(run)
        or (None if unknown else _overfitting(run))
        or _lost(run)
        or unknown
        or _jumpy(run)
        or _never_fell(run)
        or _underfitting(run)
        or _within_noise(run)
        or _healthy(run, validation)
    )


def collapse(train: Series) -> str:
    """Where a loss falls to exactly 0 from more than 1 % of its start and stays for a while; empty where it does not.

    One that comes near 0 step by step was rounded to 0 by its log.
    """
    step = zeros(train)
    if step is None:
        return ""
    before = train.value[train.step < step]
    before = before[~np.isnan(before)]
    if len(before) and before[-1] <= 0.01 * before[0]:
        return ""
    return f"the train loss falls to exactly 0 at step {step:.0f} and stays, as no loss does"


def run_away(train: Series, found: Spikes | None) -> bool:
    """Whether the last point is in an excursion, at 1.5 times the best of the loss or more and beyond its noise.

    Args:
        train: Finite, two points at least.
        found: Its spikes.
    """
    if found is None or not found.lasts or (around := noise(train.value)) > NOISY:
        return False
    best = float(medians(train.value, max(_WINDOW, len(train) // 10)).min())
    return bool(0 < best * max(_DIVERGED, 1 + _SURE * np.sqrt(2) * around) <= train.value[-1])


class _Run:
    """What the rules compare."""

    def __init__(self, train: Series, validation: Series) -> None:
        self.train = train = thinned(train, _MOST)
        self.validation = validation = thinned(validation, _MOST)
        self.window = max(effective(_WINDOW, len(train)), len(train) // _LONG)
        self.smoothed = medians(train.value, self.window)
        self.start, self.end = float(self.smoothed[0]), float(self.smoothed[-1])
        # Stretches of a tenth of the points, so that the best is no luck of a noisy point.
        stretches = medians(train.value, max(_WINDOW, len(train) // 10))
        self.best = float(stretches.min())
        self.later = float(stretches[len(stretches) // 2 :].min())
        """The best of the second half."""
        self.noise = noise(train.value)
        self.error = self.noise * _OF_MEDIAN / np.sqrt(self.window)
        """Standard error of start and end, as a share."""
        width = effective(_EVALUATIONS, len(validation))
        self.evaluations = medians(validation.value, width)
        self.at = medians(validation.step, width)

    @property
    def drop(self) -> float:
        """Of the train loss."""
        return 1 - self.end / self.start if self.start else 0.0

    @property
    def validation_drop(self) -> float:
        """Of the validation loss."""
        if len(self.evaluations) < FEWEST_EVALUATIONS - 1 or self.evaluations[0] <= 0:
            return 0.0
        return 1 - float(self.evaluations.min() / self.evaluations[0])

    @property
    def raw_rise(self) -> float:
        """Of the validation loss from the best evaluation to the last."""
        value = self.validation.value
        return float(value[-1] / value.min()) - 1

    @property
    def rise(self) -> float:
        """Of the validation loss from best to end: of the medians, or of the evaluations if beyond their noise."""
        value = self.validation.value
        smooth = float(self.evaluations[-1] / self.evaluations.min()) - 1
        noise = _jumps(value) / float(value.min())
        return max(smooth, self.raw_rise) if self.raw_rise >= _RISEN + _SURE * np.sqrt(2) * noise else smooth

    @property
    def validation_noise(self) -> float:
        """Standard deviation of an evaluation as a share of the loss, from those of the second half."""
        later = self.validation.value[(len(self.validation) - 2) // 2 :]
        return _jumps(later) / float(np.median(later))

    @property
    def validation_fall(self) -> float:
        """Of the validation loss from first to best: of the medians, or of the evaluations if beyond their noise."""
        value = self.validation.value
        smooth, raw = (1 - float(curve.min() / curve[0]) for curve in (self.evaluations, value))
        return max(smooth, raw) if raw >= _SURE * np.sqrt(2) * self.validation_noise else smooth


def noise(value: Float) -> float:
    """Standard deviation of the noise of a point as a share of the loss, from neighbours in the second half.

    Args:
        value: (m,) finite, two points at least.
    """
    later = value[len(value) // 2 :]
    level = float(np.median(later))
    return _NORMAL * float(np.median(np.abs(np.diff(later)))) / np.sqrt(2) / level if level > 0 else 0.0


def _jumps(value: Float) -> float:
    """Standard deviation of the noise of evaluations, by how much three that follow each other bend.

    Args:
        value: (m,) three points at least.
    """
    # The second difference of noise has the variance of six of it.
    return _NORMAL * float(np.median(np.abs(np.diff(value, 2)))) / float(np.sqrt(6))


def _unstable(run: _Run, found: Spikes | None, train: Series) -> Named | None:
    points = len(train)
    count = 0 if found is None or run.noise > NOISY else len(found.peak)
    if count >= max(_FEWEST_SPIKES, _SPIKY * points):
        return Named("unstable", f"{count} spikes in {points} points of the train loss are more than {_SPIKY:.0%}")
    if run.best > 0 and run.end / run.best >= max(_DIVERGED, 1 + _SURE * np.sqrt(2) * run.error):
        return Named(
            "unstable",
            f"the train loss ends at {number(run.end)}, {run.end / run.best:.1f} times its best of {number(run.best)}",
        )
    if run_away(train, found):
        last = number(train.value[-1])
        return Named("unstable", f"the train loss ends in an excursion, at {last} beside {number(run.best)}")
    return None


def _lost(run: _Run) -> Named | None:
    if run.later <= 0 or run.end / run.later - 1 < max(_LOST, _SURE * np.sqrt(2) * run.error):
        return None
    rose = f"rose by {run.end / run.later - 1:.1%}, from {number(run.later)} to {number(run.end)}"
    return Named("unstable", f"over the second half the train loss {rose}")


def _not_learning(run: _Run) -> Named | None:
    fell = f"the train loss {'fell' if run.drop >= 0 else 'rose'} by about {abs(run.drop):.1%}"
    if np.all(run.train.value == run.train.value[0]):
        return Named("not learning", "the train loss is the same at all steps")
    noise = _SURE * np.sqrt(2) * run.error * (1 - run.drop)
    if run.validation_drop >= _CONFIRMED and abs(run.drop) < noise:
        return None
    if run.drop < _LEARNT:
        return Named("not learning", f"{fell}, less than {_LEARNT:.0%}")
    if run.drop < noise:
        return Named("not learning", f"{fell}, which its noise of {run.noise:.0%} a point explains")
    return None


def _cannot_tell(train: Series, validation: Series, logged: float) -> Named | None:
    if not len(validation):
        return Named("", NO_VALIDATION)
    if len(validation) < FEWEST_EVALUATIONS:
        many = "1 evaluation is" if len(validation) == 1 else f"{len(validation)} evaluations are"
        return Named("", f"{many} too few to tell; {FEWEST_EVALUATIONS} are needed")
    if validation.value.min() == 0:
        return Named("", "there are validation losses of 0, and the rules compare shares")
    why = not_validated(train, validation, logged)
    return Named("", why) if why else None


def _overfitting(run: _Run) -> Named | None:
    if run.rise < _RISEN:
        return None
    best = int(np.argmin(run.evaluations))
    at = run.at[best]
    before = run.train.value[run.train.step <= at][-_WINDOW:]
    then = float(np.median(before)) if len(before) else run.start
    rose = f"the validation loss rose by {run.rise:.1%} from its best at about step {at:.0f}"
    if run.end > then * (1 + max(_STAYED, _SURE * run.error)):
        return Named("unstable", f"{rose}, and the train loss rose too, from {number(then)} to {number(run.end)}")
    return Named("overfitting", f"{rose}, while the train loss went from {number(then)} to {number(run.end)}")


def _jumpy(run: _Run) -> Named | None:
    if (jumps := run.validation_noise) <= _JUMPY:
        return None
    return Named("", f"the validation loss jumps by {jumps:.0%} from one evaluation to the next")


def _never_fell(run: _Run) -> Named | None:
    first, end = run.validation.step[0], max(run.train.step[-1], run.validation.step[-1])
    if first > _LATE * end or run.validation_fall >= _LEARNT:
        return None
    if run.drop >= _FITTED:
        return Named("overfitting", f"the train loss fell by {run.drop:.0%} and the validation loss never did")
    return Named(
        "not learning", f"the train loss fell by {run.drop:.0%}, and the validation loss by less than {_LEARNT:.0%}"
    )


def _within_noise(run: _Run) -> Named | None:
    if run.raw_rise < _RISEN:
        return None
    return Named(
        "",
        f"the last evaluation lies {run.raw_rise:.0%} above the best, which the noise of the evaluations explains",
    )


def _underfitting(run: _Run) -> Named | None:
    """Lines through the last third of the points, at what they say of the last fifth of the run."""
    many, evaluations = len(run.smoothed), len(run.validation)
    at = medians(run.train.step, run.window)
    train = change(at, run.smoothed, share=_END, least=many // 3)
    validation = change(run.validation.step, run.validation.value, share=_END, least=max(3, evaluations // 3))
    # Of a line through a third of the points, at both ends of a fifth.
    error = run.noise * np.sqrt(12 * 3 / many) * _END * 3
    if run.rise >= _FALLING or not validation < 0:
        return None
    first, last = float(run.validation.value[0]), float(run.evaluations[-1])
    share = last * -validation / (1 + validation) / (first - last) if first > last else 0.0
    much = validation <= -_FALLING and train - 2 * error <= -_FALLING and share >= _OF_ALL
    around = run.validation_noise * np.sqrt(12 * 3 / evaluations) * _END * 3
    of_all = run.end * -(train - 2 * error) / (run.start - run.end) if run.start > run.end else 0.0
    steady = validation + _SURE * around <= 0 and share * (1 - 2 * around / validation) >= _STILL and of_all >= _STILL
    if not (much or steady):
        return None
    said = "" if much else f", {share:.0%} of all that it fell"
    of_train = f"falls by {-train:.1%}" if train < 0 else "is too noisy to tell"
    return Named(
        "underfitting",
        f"over the last fifth the validation loss still falls by {-validation:.1%}{said}, and the train loss "
        f"{of_train}",
    )


def _healthy(run: _Run, validation: Series) -> Named:
    best = int(np.argmin(validation.value))
    above = validation.value[-1] / validation.value[best] - 1
    ends = "at its best" if above == 0 else f"{above:.1%} above its best at step {validation.step[best]:.0f}"
    return Named("healthy", f"the train loss fell by about {run.drop:.0%}, and the validation loss ends {ends}")
