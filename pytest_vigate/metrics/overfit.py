"""Whether a run generalises: train against validation at one checkpoint, and that checkpoint against the best one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np

from pytest_vigate.data.coordinates import Bool, Float
from pytest_vigate.data.curves import Curve, Training
from pytest_vigate.data.dataset import Dataset
from pytest_vigate.data.replies import quoted
from pytest_vigate.errors import UnmeasurableError, did_you_mean
from pytest_vigate.metrics import _curves as curves
from pytest_vigate.metrics._computed_overfit import ComputedOverfit
from pytest_vigate.metrics._curves import Series, number
from pytest_vigate.metrics._generalisation import BANDS, BELOW, SCORES, best, described, generalisation
from pytest_vigate.metrics.base import Evidence, Metric, Score, Statistics

COLUMNS = (*curves.COLUMNS, "judged")
#: What `on` says of the losses of the run.
LOSS = "loss"
#: Words of series names, and which way is better.
LOWER = frozenset({
    "loss", "losses", "perplexity", "ppl", "error", "err", "errors", "wer", "cer", "mer", "ter", "mae", "mse", "rmse",
    "nll", "ce", "brier", "ece", "eer",
})  # fmt: skip
HIGHER = frozenset({
    "f1", "f2", "acc", "accuracy", "precision", "recall", "sensitivity", "specificity", "map", "ap", "ar", "iou",
    "miou", "giou", "dice", "jaccard", "bleu", "rouge", "rougel", "rougelsum", "chrf", "meteor", "bertscore", "cider",
    "spice", "auc", "auroc", "auprc", "em", "anls", "psnr", "ssim", "kappa", "mcc", "r2", "reward", "rewards",
})  # fmt: skip
#: Words beside which a name does not say that higher is better: ``accuracy_gap``.
_TURNED = frozenset({"gap", "drop", "cost", "distance", "penalty", "regret", "time", "false"})
#: Train points whose median stands for the train loss at an evaluation.
_WINDOW = 5
#: Evaluations that are listed.
_SHOWN = 12
#: Steps that a message lists.
_NEAREST = 3
_LAST = -1.0
_OF_BOTH = ("gap", "ratio")
_OF_BEST = ("rise", "regret", "since_best")


@dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    """What two curves say.

    Args:
        scores: By name.
        undefined: Why some are, by name.
        train: (C,) at every evaluation; NaN where there is none.
        judged: Index of the evaluation that is judged; None where it is not known.
        best: Index of the best one; None where none is finite.
    """

    scores: Mapping[str, float]
    undefined: Mapping[str, str]
    train: Float
    judged: int | None
    best: int | None


@dataclass(frozen=True)
class Overfit(Metric):
    """How much worse a model is on validation than on train, and than it was at its best; lower is better.

    Definition:
        Of the train and validation loss of the run, or of a pair of logged series, at the evaluation that is judged:
        ``gap`` is validation − train for losses, and train − validation for scores; ``ratio`` is validation / train for
        losses, and train / validation for scores. ``regret`` is how much worse validation is there than at its best,
        ``rise`` the same as a share of the best, ``since_best`` the evaluations after the best one: what early
        stopping calls patience. The best is the first best of *all* evaluations: a later one that is better is
        regretted too, and then ``since_best`` is 0.

        Train and validation are aligned by step, never by row. Train at a step is the median of the train points
        after the evaluation before it, up to that step: of five at most, and of a quarter of the curve, so that the
        noise of single steps makes no gap, and of one where train is logged as often as validation. The gap of scores
        in [0, 1] is *severe* from 0.20, *overfitting* from 0.10, and *healthy* below; losses have no such bands.

        On a score of another family the same is computed from samples, on ``data.train`` and ``data``. The two sides
        are drawn independently of each other. Paths with ``{checkpoint}`` make one evaluation of each checkpoint; the
        best checkpoint is taken from the data once, and not anew in every draw. The interval of ``gap`` is made of
        those of its two sides by Zou and Donner's method (MOVER), exact ones where every sample is right or wrong;
        ``min_samples`` counts the smaller side.

    Statistics:
        One row a point of either curve; its sample is the step. ``step``, ``value`` (0 where not finite), ``finite``,
        ``logged`` (the last step of the other series logged beside train, −1 without), ``judged`` (the step whose
        checkpoint is judged; −1 for the last evaluation). The key ``series`` names the curve. A run is a sequence: a
        step of weight 0 is not there, and one of any other weight is there once; without one of its steps a run is no
        other run, so no step has a cost.

    Degenerate:
        Without a validation series nothing can be known, and the reason lists the series of the log; without a train
        series, ``gap`` and ``ratio`` are undefined. One series declared as both is no validation. Where a step is
        judged that has no evaluation, all is undefined, and the nearest steps that have one are named. All scores are
        undefined if the steps of train and validation do not overlap. They are also undefined for the last evaluation
        if training continued after it for at least the longest gap between two evaluations. For the last evaluation
        ``gap`` and ``ratio`` are undefined if the train series ends and the log goes on for at least twice the longest
        gap between two of its points. A judged value that is not finite is undefined; other evaluations that are not
        finite are no best ones. One evaluation has no ``rise``, ``regret`` and ``since_best``, and neither has
        ``checkpoint: best``, which is its own best. ``gap`` and ``ratio`` need a train point at or before the step, no
        longer before than between any two. A ratio to 0 or below is undefined, and so is ``rise`` from there.

    Differs from:
        Comparing last rows: train and validation losses are logged at different steps, and the Trainer's last
        ``train_loss`` is a mean of the whole run. Keras's ``EarlyStopping`` counts ``since_best`` with a
        ``min_delta``, which is 0 here.

    Sources:
        Datature Vi's pages on training metrics for the bands; Prechelt, Early Stopping – but when? (1998):
        ``rise`` is his generalisation loss, in shares and from the best of all evaluations.

    Gate:
        ```yaml
        vigate: 1
        data:
          training: {path: trainer_state.json}
        thresholds:
          overfit.rise: {max: 10%}
          overfit.since_best: {max: 3}
        ```
    """

    name: ClassVar[str] = "overfit"
    evidence: ClassVar[Evidence] = "run"
    scores: ClassVar[tuple[Score, ...]] = SCORES

    #: loss for the losses of the run, the names of two logged series (train, then validation), or a score of this gate
    #: such as bbox.f1, computed on data.train and data
    on: str | tuple[str, str] = LOSS
    #: which evaluation is judged: last, best or a step; default: data.checkpoint, else the last
    checkpoint: Literal["last", "best"] | int | None = None
    #: which way the series are better; none reads it off their names
    better: Literal["higher", "lower"] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.checkpoint, int) and self.checkpoint < 0:
            raise ValueError(f"checkpoint: expected a step from 0, found {self.checkpoint}")
        if self.on == LOSS and self.better == "higher":
            raise ValueError("better: a loss is better lower; name the two series under on")
        if isinstance(self.on, str):
            return
        ways = [_way(name) for name in self.on]
        if None in ways:
            return
        names = [quoted(name) for name in self.on]
        if ways[0] != ways[1]:
            raise ValueError(
                f"on: {names[0]} is better {ways[0]} and {names[1]} {ways[1]}, so the two do not compare; name one "
                "score of train and of validation"
            )
        if self.better is not None and self.better != ways[0]:
            raise ValueError(f"better: {names[0]} and {names[1]} are better {ways[0]}, by their names; remove it")

    @property
    def configured(self) -> tuple[Score, ...]:
        """The gap of scores in [0, 1] has bands; that of losses has not."""
        if (
            isinstance(self.on, str)
            or self.better == "lower"
            or (self.better is None and direction(self.on) != "higher")
        ):
            return self.scores
        return tuple(
            replace(score, bands=BANDS, below=BELOW) if score.name == "gap" else score for score in self.scores
        )

    @property
    def lower(self) -> bool:
        """Whether less is better.

        Raises:
            UnmeasurableError: If neither the names nor the gate say so.
        """
        if isinstance(self.on, str):
            return True
        found = self.better or direction(self.on)
        if found is None:
            raise UnmeasurableError(
                f"whether {quoted(self.on[0])} and {quoted(self.on[1])} are better higher or lower is not known by "
                "their names; declare better: higher or lower under metrics: overfit"
            )
        return found == "lower"

    def bind(self, asked: Mapping[str, bool], families: Mapping[str, Metric]) -> Metric:
        """The family itself, or one that computes the score of another family that `on` names."""
        if not isinstance(self.on, str) or self.on == LOSS:
            return self
        if self.better is not None:
            raise ValueError(f"better: which way {self.on} is better is known; remove it")
        family, _, name = self.on.partition(".")
        judged = families.get(family)
        if judged is None or isinstance(judged, Overfit):
            known = [f"{one}.{score.name}" for one, metric in families.items() for score in metric.configured]
            hint = did_you_mean(self.on, known) or f"known: {LOSS}, a pair of series, and scores such as bbox.f1"
            raise ValueError(f"on: {self.on!r} is no score; {hint}")
        score = next((score for score in judged.configured if score.name == name), None)
        if score is None:
            have = [f"{family}.{score.name}" for score in judged.configured]
            raise ValueError(f"on: unknown score {self.on!r}; {did_you_mean(self.on, have) or ', '.join(have)}")
        if judged.evidence != "samples":
            raise ValueError(f"on: {self.on} is not computed on samples; write {LOSS}, or the names of two series")
        if score.direction is None or score.picks or score.asks or score.names:
            why = "is better neither way" if score.direction is None else "needs a condition"
            raise ValueError(f"on: {self.on} {why}, so there is nothing to overfit")
        return ComputedOverfit(on=self.on, checkpoint=self.checkpoint, metric=judged, score=score)

    def statistics(self, data: Dataset) -> Statistics:
        training = curves.of(data)
        train, validation = self._pair(training)
        lower = self.lower
        copied = curves.copied(train, validation)
        pair = train, None if copied else validation
        why = [curves.missing(training, "train"), copied or curves.missing(training, "validation")]
        asked = self._asked(training)
        found = curves.statistics(training, pair)
        found = replace(
            found, columns=COLUMNS, values=np.column_stack([found.values, np.full(len(found.sample), asked)])
        )
        read = self._read(*curves.series(found), asked, curves.logged(found), why)
        notes = (*training.notes, *_notes(pair, read, lower=lower), *curves.holes(training, pair, self._trained))
        return replace(found, notes=notes, undefined=read.undefined)

    def evaluate(self, statistics: Statistics, weights: Float) -> Float:
        out = np.empty((len(weights), len(self.scores)))
        for i, row in enumerate(weights):
            read = self._of(statistics, None if np.all(row > 0) else row)
            out[i] = [read.scores[score.name] for score in self.scores]
        return out

    def trials(self, statistics: Statistics) -> Bool:
        """Evaluations; for ``gap`` and ``ratio`` train points too."""
        code = statistics.keys["series"].code
        there = np.zeros((2, statistics.n), np.bool_)
        there[code, statistics.sample] = True
        either = there.any(axis=0)
        return np.column_stack([either if score.name in _OF_BOTH else there[1] for score in self.scores])

    def leave_one_out(self, statistics: Statistics) -> Float:
        """Undefined: without one of its steps a run is no other run."""
        return curves.no_other_run(statistics, self.scores)

    def caveats(self, statistics: Statistics, score: str) -> Sequence[str]:
        read = self._of(statistics)
        _, validation = curves.series(statistics)
        said = []
        if score in _OF_BEST and read.best is not None and read.judged is not None and read.scores["regret"] > 0:
            there, here = (
                f"{number(validation.value[i])} at step {validation.step[i]:.0f}" for i in (read.best, read.judged)
            )
            said.append(
                f"{'an earlier' if read.best < read.judged else 'a later'} checkpoint is better: {there}, {here}"
            )
        banded = any(item.bands for item in self.configured)
        if score == "gap" and banded and (most := float(statistics.column("value").max(initial=0))) > 1:
            said.append(f"the scores go up to {number(most)}, and the bands are for scores in [0, 1]")
        return said

    def measures(self, statistics: Statistics, ids: Sequence[str]) -> Mapping[str, Any]:
        read = self._of(statistics)
        _, validation = curves.series(statistics)
        count = len(validation)
        kept = set(np.linspace(0, count - 1, min(count, _SHOWN)).astype(int).tolist())
        kept |= {i for i in (read.judged, read.best) if i is not None}
        sign = 1.0 if self.lower else -1.0
        gap = self.configured[0]
        table = []
        for i in sorted(kept):
            apart = sign * (validation.value[i] - read.train[i])
            table.append(
                {
                    "step": int(validation.step[i]),
                    "train": _plain(read.train[i]),
                    "validation": _plain(validation.value[i]),
                    "gap": _plain(apart),
                    "band": gap.band(float(apart)),
                }
            )
        return {
            "series": list(statistics.keys["series"].names),
            "evaluations": count,
            "best_step": None if read.best is None else int(validation.step[read.best]),
            "judged_step": None if read.judged is None else int(validation.step[read.judged]),
            "table": table,
        }

    def explain(self, measures: Mapping[str, Any]) -> Sequence[str]:
        return described(measures)

    def _pair(self, training: Training) -> tuple[Curve | None, Curve | None]:
        """Train and validation.

        Raises:
            UnmeasurableError: If the log has no series of a name, or `on` is no pair.
        """
        if self.on == LOSS:
            return training.train, training.validation
        if isinstance(self.on, str):
            raise UnmeasurableError(
                f"on: {quoted(self.on)} is computed, and the log holds {LOSS} and pairs of series; name a pair as "
                "on: [train/f1, val/f1]"
            )
        return training.curve(self.on[0]), training.curve(self.on[1])

    def _asked(self, training: Training) -> float:
        """The step that is judged; `_LAST` for the last evaluation or the best."""
        if isinstance(self.checkpoint, int):
            return float(self.checkpoint)
        return _LAST if self.checkpoint is not None or training.judged is None else float(training.judged)

    def _of(self, statistics: Statistics, weights: Float | None = None) -> _Reading:
        """What rows say; the reading of all of them is kept."""
        if weights is None and "reading" in statistics.prepared:
            kept: _Reading = statistics.prepared["reading"]
            return kept
        judged = statistics.column("judged")
        asked = float(judged[0]) if len(judged) else _LAST
        read = self._read(*curves.series(statistics, weights), asked, curves.logged(statistics))
        if weights is None:
            statistics.prepared["reading"] = read
        return read

    def _read(
        self,
        train: Series,
        validation: Series,
        asked: float,
        logged: float,
        why: Sequence[str] = ("no train", "no validation"),
    ) -> _Reading:
        scores = dict.fromkeys((score.name for score in self.scores), np.nan)
        undefined: dict[str, str] = {}
        lower = self.lower
        known = bool(validation.known.any())
        top = int(best(validation.value, lower=lower)) if known else None
        at, reason = self._judged(train, validation, asked, logged, top)
        aligned, gone = _aligned(train, validation)
        if not len(validation):
            reason = why[1]
        if reason or at is None:
            return _Reading(scores, dict.fromkeys(scores, reason), aligned, None, top)
        found = generalisation(aligned, validation.value, at, lower=lower)
        scores |= dict(zip(scores, found.values.tolist(), strict=True))
        if not len(train):
            undefined |= dict.fromkeys(_OF_BOTH, why[0])
        elif np.isnan(aligned[at]):
            undefined |= dict.fromkeys(_OF_BOTH, gone(at))
        elif cut := self._cut(train, validation, asked, logged):
            undefined |= dict.fromkeys(_OF_BOTH, cut)
        elif np.isnan(scores["ratio"]):
            undefined["ratio"] = (
                f"train is {number(aligned[at])} and validation {number(validation.value[at])}, and a ratio to 0 or "
                "below says nothing"
            )
        if np.count_nonzero(validation.known) < 2:
            undefined |= dict.fromkeys(_OF_BEST, "there is one evaluation, which is its own best")
        elif self.checkpoint == "best":
            undefined |= dict.fromkeys(_OF_BEST, "the best checkpoint is its own best; judge the last one, or a step")
        elif np.isnan(scores["rise"]):
            undefined["rise"] = "validation is 0 or below at its best, and a share of that says nothing"
        for name in undefined:
            scores[name] = np.nan
        for name in [name for name, value in scores.items() if np.isnan(value) and name not in undefined]:
            undefined[name] = "the numbers are too large to compute with"
        return _Reading(scores, undefined, aligned, at, top)

    @property
    def _trained(self) -> str:
        """What messages call the train series."""
        return "the train loss" if isinstance(self.on, str) else quoted(self.on[0])

    def _cut(self, train: Series, validation: Series, asked: float, logged: float) -> str:
        """Why the last evaluation is not beside the end of train; a step that is asked for, and the best, may be."""
        if asked != _LAST or self.checkpoint == "best":
            return ""
        return curves.cut_off(train, validation, logged, what=self._trained)

    def _judged(
        self, train: Series, validation: Series, asked: float, logged: float, top: int | None
    ) -> tuple[int | None, str]:
        """Index of the evaluation that is judged, or why there is none."""
        if not len(validation):
            return None, ""
        late = len(train) > 0 and validation.step[0] - train.step[-1] > curves.longest_pause(train.step)
        if len(train) and (late or train.step[0] > validation.step[-1]):
            apart = "they lie apart, so the two count their steps differently"
            return None, f"train has {_range(train)} and validation {_range(validation)}: {apart}"
        if asked != _LAST:
            i = int(np.searchsorted(validation.step, asked))
            if i == len(validation) or validation.step[i] != asked:
                nearest = np.sort(
                    validation.step[np.argsort(np.abs(validation.step - asked), kind="stable")[:_NEAREST]]
                )
                steps = ", ".join(f"{step:.0f}" for step in nearest)
                return (
                    None,
                    f"validation has no point at step {asked:.0f}, whose checkpoint is judged; the nearest: {steps}",
                )
        elif self.checkpoint == "best":
            return (top, "") if top is not None else (None, "no evaluation is finite")
        elif after := curves.not_validated(train, validation, logged):
            return None, f"{after}; declare checkpoint: with the step of an evaluation to judge that one"
        else:
            i = len(validation) - 1
        if not validation.known[i]:
            return None, f"validation is not finite at step {validation.step[i]:.0f}, which is judged"
        return i, ""


def direction(names: tuple[str, str]) -> Literal["higher", "lower"] | None:
    """Which way two series are better, by the words of their names; None where these do not say, or disagree."""
    first, second = map(_way, names)
    return first if first == second else None


def _way(name: str) -> Literal["higher", "lower"] | None:
    """Which way a series is better, by the words of its name; None where these do not say."""
    pieces = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]
    words = {piece for word in pieces for piece in (word, word.rstrip("0123456789"))}
    higher, lower = bool(words & HIGHER), bool(words & LOWER)
    if higher == lower:
        return None
    if lower:
        return "lower"
    return None if words & _TURNED else "higher"


def _aligned(train: Series, validation: Series) -> tuple[Float, Any]:
    """(C,) train at every evaluation, and a function that says why it is not there at one."""
    after = np.searchsorted(train.step, validation.step, side="right")  # first train point behind the evaluation
    window = np.diff(after, prepend=0).clip(1, curves.effective(_WINDOW, len(train)))
    pause = curves.longest_pause(train.step)
    found = np.full(len(validation), np.nan)
    if len(train):
        newest = np.maximum(after - 1, 0)
        near = (after > 0) & (validation.step - train.step[newest] <= pause) & train.known[newest]
        # (C, window) the points up to each evaluation, the newest first; NaN where the window is smaller.
        back = np.arange(int(window.max(initial=1)))
        place = newest[:, None] - back
        value = np.where((back < window[:, None]) & (place >= 0), train.value[np.maximum(place, 0)], np.nan)
        rows = np.flatnonzero(near)
        with np.errstate(all="ignore"):
            found[rows] = _nanmedian(value[rows])

    def gone(i: int) -> str:
        step = validation.step[i]
        if not after[i]:
            return f"train has no point at or before step {step:.0f}; its first is at step {train.step[0]:.0f}"
        last = train.step[after[i] - 1]
        if step - last > pause:
            return f"the last train point before step {step:.0f} is at step {last:.0f}, too long ago to compare"
        return f"train is not finite at step {last:.0f}, the last one before the evaluation at step {step:.0f}"

    return found, gone


def _nanmedian(value: Float) -> Float:
    """(C,) median of what is there in each row, which has one number at least."""
    ordered = np.sort(value, axis=1)  # NaN last
    count = np.count_nonzero(~np.isnan(ordered), axis=1)
    rows = np.arange(len(value))
    found: Float = (ordered[rows, (count - 1) // 2] + ordered[rows, count // 2]) / 2
    return found


def _range(series: Series) -> str:
    if len(series) == 1:
        return f"step {series.step[0]:.0f}"
    return f"steps {series.step[0]:.0f} to {series.step[-1]:.0f}"


def _notes(pair: tuple[Curve | None, Curve | None], read: _Reading, *, lower: bool) -> Iterator[str]:
    train, validation = pair
    if train is not None and validation is not None:
        way = "lower" if lower else "higher"
        yield f"compared: train {quoted(train.name)} and validation {quoted(validation.name)}, {way} is better"
    if validation is None or read.judged is None or read.best is None:
        return
    yield f"judged at step {validation.step[read.judged]}, best at step {validation.step[read.best]}"
    last = validation.step[-1]
    if train is not None and train.step[-1] > last and read.judged == len(validation) - 1:
        yield f"training goes on to step {train.step[-1]}; the last evaluation is at step {last}"
    if count := int(np.count_nonzero(~np.isfinite(validation.value))):
        yield f"evaluations that are not finite, and so no best ones: {count} of {len(validation)}"


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
