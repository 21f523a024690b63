"""`overfit` on a score of another family: computed on the samples of the training and on those to validate on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np

from pytest_vigate.data.coordinates import Bool, Float, Int
from pytest_vigate.data.dataset import Checkpoints, Dataset
from pytest_vigate.errors import UnmeasurableError
from pytest_vigate.metrics._curves import number
from pytest_vigate.metrics._generalisation import BANDS, BELOW, SCORES, best, described, formulas, generalisation
from pytest_vigate.metrics.base import Evidence, Key, Metric, Part, Score, Statistics

#: Family key of the rows: what they are of.
PART = "part"
#: Codes of the rows that say which samples are whose; those of the checkpoints follow, validation before train.
VALIDATION, TRAIN, FIRST = 0, 1, 2
#: Checkpoints that are listed.
_SHOWN = 12
_NEAREST = 3
_PLACES = {score.name: i for i, score in enumerate(SCORES)}
_OF_BOTH = ("gap", "ratio")
_OF_BEST = ("rise", "regret", "since_best")


@dataclass(frozen=True)
class ComputedOverfit(Metric):
    """The family of a gate that says ``on: bbox.f1``.

    Statistics:
        One row a sample that says whose it is, of zeros; then all rows of the other family, on validation and on train,
        checkpoint by checkpoint. ``judged`` is the index of the one that is judged, −1 for the best.
    """

    name: ClassVar[str] = "overfit"
    scores: ClassVar[tuple[Score, ...]] = SCORES
    evidence: ClassVar[Evidence] = "checkpoints"

    on: str
    checkpoint: Literal["last", "best"] | int | None
    metric: Metric = field(metadata={"bound": True})
    score: Score = field(metadata={"bound": True})

    def __post_init__(self) -> None:
        """All is checked where the gate's own parameters are."""

    @property
    def judges(self) -> Metric:
        return self.metric

    @property
    def lower(self) -> bool:
        """Whether less is better."""
        return self.score.direction == "lower"

    @property
    def _column(self) -> int:
        """Place of the score in what the other family evaluates."""
        return [score.name for score in self.metric.scores].index(self.score.name)

    @property
    def configured(self) -> tuple[Score, ...]:
        if (self.score.low, self.score.high) != (0.0, 1.0):
            return SCORES
        return tuple(replace(one, bands=BANDS, below=BELOW) if one.name == "gap" else one for one in SCORES)

    def statistics(self, data: Dataset) -> Statistics:
        checkpoints = data.checkpoints
        if checkpoints is None or data.strata is None:
            raise UnmeasurableError("overfit compares predictions for train and validation; name them under data")
        validation: tuple[Statistics, ...] = checkpoints.validation(self.metric)
        none: tuple[Statistics | None, ...] = (None,) * len(validation)
        train: tuple[Statistics | None, ...] = none if checkpoints.train is None else checkpoints.train(self.metric)
        judged = self._index(checkpoints)
        found = _joined(validation, train, data.strata, [_named(step) for step in checkpoints.steps], judged)
        read = _Reading.of(self, found)
        here, there = validation[read.judged], train[read.judged]
        trained = "" if checkpoints.train is None else f"{len(data) - validation[0].n} samples of the training and "
        notes = [
            f"compared: {self.on} on {trained}{validation[0].n} to validate on, judged at {read.names[read.judged]}",
            *here.notes,
            *(f"train: {note}" for note in (() if there is None else there.notes) if note not in here.notes),
        ]
        undefined = self._undefined(read, here, there, checkpoints)
        settled = {"of": "|".join([self.metric.name, *_words(self.metric)]), **here.settled}
        return replace(found, notes=tuple(notes), undefined=undefined, settled=settled)

    def evaluate(self, statistics: Statistics, weights: Float) -> Float:
        parts = _Parts.of(statistics)
        out = np.empty((len(weights), len(SCORES)))
        count = len(parts.names)
        validation, train = np.empty((len(weights), count)), np.full((len(weights), count), np.nan)
        for c in range(count):
            validation[:, c] = self._of(statistics, weights, c, VALIDATION)
            if parts.trained[c]:
                train[:, c] = self._of(statistics, weights, c, TRAIN)
        tops = best(validation, lower=self.lower)
        for i, top in enumerate(tops):
            judged = parts.judged if parts.judged >= 0 else int(top)
            out[i] = generalisation(train[i], validation[i], judged, lower=self.lower).values
        if self.checkpoint == "best":
            out[:, [_PLACES[name] for name in _OF_BEST]] = np.nan  # the best checkpoint is its own best
        return self.without_undefined(statistics, out)

    def draw(self, statistics: Statistics, weights: Float) -> Float:
        """Which checkpoint is best is taken from the data once: every draw would find its own, and regret more."""
        read, parts = _Reading.of(self, statistics), _Parts.of(statistics)
        column = self._column
        inner = statistics.prepared.setdefault("needed", {one: parts.part(*one) for one in read.needed})
        of = {
            (c, part): self.metric.evaluate(inner[c, part], weights[:, parts.samples[part]])[:, column]
            for c, part in read.needed
        }
        return self._scores(statistics, read, of)

    def leave_one_out(self, statistics: Statistics) -> Float:
        read, parts = _Reading.of(self, statistics), _Parts.of(statistics)
        column = self._column
        of = {}
        for c, part in read.needed:
            inner = parts.part(c, part)
            values = np.full(statistics.n, read.values[c, part])
            values[parts.samples[part]] = self.metric.leave_one_out(inner)[:, column]
            of[c, part] = values
        return self._scores(statistics, read, of)

    def trials(self, statistics: Statistics) -> Bool:
        read, parts = _Reading.of(self, statistics), _Parts.of(statistics)
        column = self._column
        bears = np.zeros((statistics.n, len(SCORES)), np.bool_)
        for c, part in read.needed:
            there = self.metric.trials(parts.part(c, part))[:, column]
            for i, one in enumerate(SCORES):
                of_best = one.name in _OF_BEST and part == VALIDATION
                if of_best or (one.name in _OF_BOTH and c == read.judged):
                    bears[parts.samples[part], i] |= there
        return bears

    def affordable(self, statistics: Statistics) -> int | None:
        """A third of what the other family affords: both sides are drawn together, and each for itself."""
        parts = _Parts.of(statistics)
        afforded = [self.metric.affordable(parts.part(*one)) for one in _Reading.of(self, statistics).needed]
        known = [most for most in afforded if most is not None]
        return max(1, min(known) // 3) if known else None

    def caveats(self, statistics: Statistics, score: str) -> Sequence[str]:
        read = _Reading.of(self, statistics)
        if score in _OF_BOTH:
            return self._upside_down(read)
        here, there = read.values[read.judged, VALIDATION], read.values[read.best, VALIDATION]
        if score not in _OF_BEST or not (here < there if not self.lower else here > there):
            return ()
        when = "an earlier" if read.best < read.judged else "a later"
        return (
            f"{when} checkpoint is better: {self.on} is {number(there)} at {read.names[read.best]}, and {number(here)} "
            f"at {read.names[read.judged]}",
        )

    def _upside_down(self, read: _Reading) -> Sequence[str]:
        """Said where the model is worse on what it was trained on, as where its predictions there are not its own."""
        here, there = (read.values.get((read.judged, part), np.nan) for part in (VALIDATION, TRAIN))
        gap = float(formulas(*map(np.asarray, (there, here, np.nan, 0.0)), lower=self.lower).gap)
        if not gap < -BANDS[-1][0] * (self.score.high - self.score.low):
            return ()
        return (
            f"{self.on} is worse on the samples of the training, {number(there)}, than on validation, {number(here)}: "
            "check that the predictions for them are of this model, and read in the same way",
        )

    def measures(self, statistics: Statistics, ids: Sequence[str]) -> Mapping[str, Any]:
        read = _Reading.of(self, statistics)
        count = len(read.names)
        kept = {*np.linspace(0, count - 1, min(count, _SHOWN)).astype(int).tolist(), read.judged, read.best}
        table = []
        for c in sorted(kept):
            validation, train = read.values[c, VALIDATION], read.values.get((c, TRAIN), np.nan)
            gap = float(formulas(*map(np.asarray, (train, validation, np.nan, 0.0)), lower=self.lower).gap)
            table.append(
                {
                    "step": read.names[c].removeprefix("checkpoint "),
                    "train": _plain(train),
                    "validation": _plain(validation),
                    "gap": _plain(gap),
                    "band": self.configured[0].band(gap),
                }
            )
        return {
            "series": [self.on, self.on],
            "evaluations": count,
            "best_step": read.names[read.best].removeprefix("checkpoint "),
            "judged_step": read.names[read.judged].removeprefix("checkpoint "),
            "table": table,
        }

    def explain(self, measures: Mapping[str, Any]) -> Sequence[str]:
        return described(measures) if measures["evaluations"] > 1 else ()

    def _index(self, checkpoints: Checkpoints) -> int:
        """Index of the checkpoint that is judged, −1 for the best.

        Raises:
            UnmeasurableError: If there is none of that step.
        """
        if self.checkpoint is None:
            return checkpoints.judged
        if self.checkpoint == "best":
            return -1
        if self.checkpoint == "last":
            return len(checkpoints.steps) - 1
        steps = [step for step in checkpoints.steps if step is not None]
        if self.checkpoint not in steps:
            nearest = sorted(sorted(steps, key=lambda step: abs(step - int(self.checkpoint or 0)))[:_NEAREST])
            shown = f"the nearest: {', '.join(map(str, nearest))}" if steps else "the gate names no checkpoints"
            raise UnmeasurableError(
                f"there are no predictions of checkpoint {self.checkpoint}, which is judged; {shown}"
            )
        return steps.index(self.checkpoint)

    def _of(self, statistics: Statistics, weights: Float, c: int, part: int) -> Float:
        """(B,) the other family's score."""
        parts = _Parts.of(statistics)
        column = self._column
        return self.metric.evaluate(parts.part(c, part), weights[:, parts.samples[part]])[:, column]

    def _scores(self, statistics: Statistics, read: _Reading, of: Mapping[tuple[int, int], Float]) -> Float:
        """(B, s) from the values at the judged checkpoint and at the best, which stay what they are."""
        here, top = of[read.judged, VALIDATION], of[read.best, VALIDATION]
        there = of.get((read.judged, TRAIN), np.full(len(here), np.nan))
        since = np.full(len(here), float(max(read.judged - read.best, 0)))
        found = formulas(there, here, top, since, lower=self.lower).values
        # Drawn anew, another checkpoint may be better than the one that was best: there is no regret below 0.
        found[:, _PLACES["rise"]] = np.maximum(found[:, _PLACES["rise"]], 0)
        found[:, _PLACES["regret"]] = np.maximum(found[:, _PLACES["regret"]], 0)
        return self.without_undefined(statistics, found)

    def parts(self, statistics: Statistics, score: str) -> Mapping[int, Part]:
        if score != "gap":
            return {}
        read = _Reading.of(self, statistics)
        values = {part: read.values.get((read.judged, part), np.nan) for part in (VALIDATION, TRAIN)}
        return {
            part: Part(value, self.lower == (part == VALIDATION), self.score.share, self.score.low, self.score.high)
            for part, value in values.items()
        }

    def _undefined(
        self, read: _Reading, here: Statistics, there: Statistics | None, checkpoints: Checkpoints
    ) -> dict[str, str]:
        undefined: dict[str, str] = {}
        at = read.names[read.judged]
        for name, found in ((f"{self.on} on validation", here), (f"{self.on} on train", there)):
            of = SCORES if found is here else [one for one in SCORES if one.name in _OF_BOTH]
            if found is not None and self.score.name in found.undefined:
                undefined |= {one.name: f"{name}: {found.undefined[self.score.name]}" for one in of}
        if checkpoints.train is None:
            why = "the gate names no samples of the training; add data.train with predictions and references"
            undefined |= dict.fromkeys(_OF_BOTH, why)
        elif there is None:
            why = f"{at} has no predictions for the samples of the training; write {{checkpoint}} in their path"
            undefined |= dict.fromkeys(
                _OF_BOTH,
                why,
            )
        if len(read.names) < 2:
            why = "there is one checkpoint, which is its own best; write {checkpoint} in the path of the predictions"
            undefined |= dict.fromkeys(_OF_BEST, why)
        elif self.checkpoint == "best":
            why = "the best checkpoint is its own best; judge the last one, or a step"
            undefined |= dict.fromkeys(_OF_BEST, why)
        return undefined


@dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    """What all samples say, each of weight 1.

    Args:
        names: (C,) of the checkpoints.
        values: The score by checkpoint and part.
        judged: Index of the checkpoint that is judged.
        best: Index of the best one.
    """

    names: tuple[str, ...]
    values: Mapping[tuple[int, int], float]
    judged: int
    best: int

    @property
    def needed(self) -> list[tuple[int, int]]:
        """Checkpoints and parts that the scores are of."""
        asked = [(self.judged, VALIDATION), (self.best, VALIDATION), (self.judged, TRAIN)]
        return [one for one in dict.fromkeys(asked) if one in self.values]

    @staticmethod
    def of(metric: ComputedOverfit, statistics: Statistics) -> _Reading:
        """The reading of statistics, made once."""
        if "reading" not in statistics.prepared:
            parts, ones = _Parts.of(statistics), np.ones((1, statistics.n))
            values = {
                (c, part): float(metric._of(statistics, ones, c, part)[0])
                for c in range(len(parts.names))
                for part in (VALIDATION, TRAIN)
                if part == VALIDATION or parts.trained[c]
            }
            validation = np.array([values[c, VALIDATION] for c in range(len(parts.names))])
            top = int(best(validation, lower=metric.lower))
            judged = parts.judged if parts.judged >= 0 else top
            statistics.prepared["reading"] = _Reading(parts.names, values, judged, top)
        found: _Reading = statistics.prepared["reading"]
        return found


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """The rows of the other family, taken apart again.

    Args:
        statistics: All rows.
        names: (C,) of the checkpoints.
        trained: (C,) whether there are rows of the training.
        samples: (n,) masks, by part.
        judged: Index of the checkpoint that is judged, −1 for the best.
    """

    statistics: Statistics
    names: tuple[str, ...]
    trained: Sequence[bool]
    samples: Mapping[int, Bool]
    judged: int

    @staticmethod
    def of(statistics: Statistics) -> _Parts:
        """The parts of statistics, found once."""
        if "parts" not in statistics.prepared:
            key = statistics.keys[PART]
            marks = key.code < FIRST
            whose = np.zeros(statistics.n, np.int64)
            whose[statistics.sample[marks]] = key.code[marks]
            judged = int(statistics.column("judged")[0]) if len(statistics.sample) else -1
            names = key.names[FIRST::2]
            trained = [bool(name) for name in key.names[FIRST + 1 :: 2]]
            samples = {VALIDATION: whose == VALIDATION, TRAIN: whose == TRAIN}
            statistics.prepared["parts"] = _Parts(statistics, names, trained, samples, judged)
        found: _Parts = statistics.prepared["parts"]
        return found

    def part(self, c: int, part: int) -> Statistics:
        """Statistics of the other family at a checkpoint, of its own samples alone.

        They are made anew each time: those of all checkpoints at once would take as much memory again.
        """
        whole = self.statistics
        found = whole.take(whole.keys[PART].code == FIRST + 2 * c + part).select(self.samples[part])
        keys = {name: key for name, key in found.keys.items() if name != PART}
        return replace(found, columns=found.columns[:-1], values=found.values[:, :-1], keys=keys, undefined={})


def _joined(
    validation: Sequence[Statistics],
    train: Sequence[Statistics | None],
    strata: Int,
    names: Sequence[str],
    judged: int,
) -> Statistics:
    """All rows, numbered by the samples of the whole."""
    first = validation[0]
    start = first.n
    marks = replace(
        first.take(np.zeros(len(first.sample), np.bool_)),
        values=np.zeros((len(strata), len(first.columns))),
        sample=np.arange(len(strata)),
        n=len(strata),
        keys={name: replace(key, code=np.full(len(strata), -1)) for name, key in first.keys.items()},
        remarks=None,
    )
    pieces, codes, places = [marks], [strata], [np.arange(len(strata))]
    for c, (here, there) in enumerate(zip(validation, train, strict=True)):
        for part, found in ((VALIDATION, here), (TRAIN, there)):
            if found is not None:
                pieces.append(replace(found, remarks=None))
                codes.append(np.full(len(found.sample), FIRST + 2 * c + part))
                places.append(found.sample + start * part)
    whole = Statistics.concatenate(pieces)
    known = [name for c, step in enumerate(names) for name in (step, step if train[c] is not None else "")]
    key = Key(np.concatenate(codes), ("validation", "train", *known))
    return replace(
        whole,
        columns=(*whole.columns, "judged"),
        values=np.column_stack([whole.values, np.full(len(whole.sample), judged)]),
        sample=np.concatenate(places),
        n=len(strata),
        keys={**whole.keys, PART: key},
        undefined={},
    )


def _named(step: int | None) -> str:
    return "the only checkpoint" if step is None else f"checkpoint {step}"


def _words(metric: Metric) -> list[str]:
    """Parameters of the other family, for the signature."""
    return [f"{name}:{getattr(metric, name)}" for name in metric.__dataclass_fields__]


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
