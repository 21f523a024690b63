"""The loss of a run: where it began and ended, how it went, and what the run is called."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np

from pytest_vigate.data.coordinates import Bool, Float
from pytest_vigate.data.curves import Training
from pytest_vigate.data.dataset import Dataset
from pytest_vigate.data.replies import quoted
from pytest_vigate.errors import UnmeasurableError
from pytest_vigate.metrics import _curves as curves
from pytest_vigate.metrics._curves import Series, number
from pytest_vigate.metrics._examples import examples, sentences
from pytest_vigate.metrics._run_patterns import (
    NAMES,
    NO_VALIDATION,
    NOISY,
    Named,
    Spikes,
    collapse,
    name_run,
    noise,
    run_away,
    spikes,
    zeros,
)
from pytest_vigate.metrics.base import Evidence, Metric, Score, Statistics

COLUMNS = (*curves.COLUMNS, "spike", "nonfinite", "filtered")
#: Windows that a curve has room for at least.
_PARTS = 20
_OF_TRAIN = ("start", "final", "best", "drop", "slope", "spikes")
_OF_VALIDATION = ("val_final", "val_best", "val_drop")
#: What a train loss that ends before the log does leaves open.
_OF_THE_END = ("final", "drop", "slope", "nonfinite")
#: Losses whose squares are beyond what numbers hold.
_LARGE = 1e150
_TOO_LARGE = "the losses are too large to compute with"
#: From which start the vendor's pages ask for a look at the annotation format.
SUSPICIOUS_START = 10.0
_NOT_COMPARABLE = "losses of different architectures do not compare"


def _free(name: str, doc: str, direction: Literal["higher", "lower"] | None, *, unit: str = "") -> Score:
    """A score that may be any number: losses may be negative."""
    return Score(name, doc, -np.inf, np.inf, direction, unit)


@dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    """What two curves say."""

    scores: Mapping[str, float]
    undefined: Mapping[str, str]
    named: Named
    spikes: Spikes | None
    away: str
    """The last train point, where it lies in an excursion far above the best."""


@dataclass(frozen=True)
class Loss(Metric):
    """Train and validation loss of a run, in the loss's own unit; lower is better, and higher for ``drop``.

    Definition:
        The train loss is smoothed first: ``median`` takes the median of every ``window`` points that follow each other,
        ``ema`` an exponential mean with α = 2 / (window + 1) from the first point on, ``none`` leaves it. The window is
        a twentieth of the points at most, so that a short curve stays as it is and a steep start is not smoothed away,
        and lies inside the curve: the smoothed curve begins with the median of the first window and ends with that of
        the last. The validation loss is a mean already, and is not smoothed.

        ``start``, ``final`` and ``best`` are the first, the last and the least of the smoothed train loss;
        ``drop = 1 − final / start``; ``slope`` is the relative change over the last fifth of the smoothed curve (of the
        way in steps), by a least-squares line through its points there, two at least; negative is falling.
        ``val_final``, ``val_best`` and ``val_drop`` (from the first evaluation to the last) are the same of the
        validation loss.

        ``spikes`` counts excursions of the raw train loss: a point is above if it exceeds the median of the 20 points
        before it (as many as there are, five at least) by more than ``spike`` deviations; their deviation is 1.4826
        times the median distance of these points from their median, and no less than 2 % of that median and 0.1 % of
        the median of the first five points. Points above that follow each other are one. ``nonfinite`` counts the
        points of both curves that are NaN or infinite.

        ``pattern`` names the run. The first rule that fires: *unstable* if a loss is not finite; if the train loss
        falls from more than 1 % of its start to exactly 0 for three points; if there are three spikes, and one in 50
        points, where the noise of a point is no larger than the loss; if the train loss ends at 1.5 times its best or
        more, or its last point is in a spike and lies there. *Not learning* if the train loss fell by less than 5 %.
        *Overfitting* if the validation loss ends 10 % or more above its best while the train loss fell on or stayed;
        *unstable* if that rose too, or if the train loss ends 10 % or more above its best of the second half.
        *Overfitting* if the validation loss never fell by 5 % from its first evaluation while the train loss fell by
        10 %, and *not learning* if neither did; this is not asked where the first evaluation comes after half of the
        steps. *Underfitting* if the validation loss still falls by 5 % or more over the last fifth, and this fall is
        at least 3 % of its whole fall, and the train loss falls with it; or if the last fifth holds 15 % or more of
        the whole fall of both. Else *healthy*. A change of the train loss counts only if it is also larger than three
        standard errors of its noise, except where the validation loss fell by 10 %.

        The rules compare medians: of 5 train points, or of one in 50, and of 3 evaluations, or of a quarter of them;
        the last evaluation itself counts where it lies above the best by 10 % and three standard deviations of a
        difference of two evaluations, which are told from how much three that follow each other bend. One that lies
        10 % above the best within this allowance makes no *healthy* run: the name is undefined. So it is where that
        noise is more than 20 % of the loss. The rules have windows of their own, whatever ``smooth`` says.

    Statistics:
        One row a point of either curve; its sample is the step. ``step``, ``value`` (0 where not finite), ``finite``,
        ``logged`` (the last step of the other series logged beside the train loss, −1 without), ``nonfinite``,
        ``spike`` (1 at the highest point of an excursion), ``filtered`` (1 where the tool replaces what is not finite
        before it logs). The key ``series`` names the curve. A run is a sequence: a step of weight 0 is not there, and
        one of any other weight is there once; without one of its steps a run is no other run, so no step has a cost.

    Degenerate:
        No train loss, or no validation loss: its scores are undefined, and the reason lists the series of the log.
        Points that are not finite are left out of windows; if the first is not finite, ``start`` and ``drop`` are
        undefined, if the last is not, ``final``, ``drop`` and ``slope``. One point has no ``drop`` and no ``slope``. A
        start of 0 or below has no ``drop``, and a line that starts there no ``slope``. Five points or fewer show no
        spikes. If training goes on after the last evaluation for as long as between any two, its end was not validated:
        ``val_final`` and ``val_drop`` are undefined. If the log goes on after the last train point for twice as long as
        between any two, the end of the train loss is missing, as where a tool writes null for NaN: ``final``, ``drop``,
        ``slope``, ``nonfinite`` and ``pattern`` are undefined; a hole of five median pauses is noted. Of a train loss
        that falls to exactly 0, ``final``, ``best``, ``drop`` and ``slope`` are undefined. ``pattern`` needs 10 points
        and 4 evaluations of losses above 0, except where a loss is not finite; without a validation loss only
        *unstable* and *not learning* can be told. One series declared as both is no validation.

    Differs from:
        Tools that read the Trainer's last ``train_loss`` as the end of the curve: it is the mean of the whole run. The
        numbers of the rules are ours; trainproof calls a run diverged at 1.5 times its best too, and overfitting at
        20 % above it.

    Sources:
        Datature Vi's pages on training metrics for levels and advice; trainproof's rules
        (github.com/Mormolykos/trainproof).

    Gate:
        ```yaml
        vigate: 1
        data:
          training: {path: trainer_state.json}
        thresholds:
          loss.drop: {min: 10%}
          loss.nonfinite: {max: 0}
          loss.spikes: {max: 2}
        ```
    """

    name: ClassVar[str] = "loss"
    evidence: ClassVar[Evidence] = "run"
    scores: ClassVar[tuple[Score, ...]] = (
        _free("start", "smoothed train loss at the start", "lower", unit="loss"),
        _free("final", "smoothed train loss at the end", "lower", unit="loss"),
        _free("best", "least smoothed train loss", "lower", unit="loss"),
        _free("drop", "relative fall of the train loss from start to end", "higher"),
        _free("slope", "relative change of the train loss over the last fifth", None),
        Score("spikes", "excursions of the train loss far above what came before", 0, np.inf, "lower", "excursions"),
        Score("nonfinite", "points of either loss that are NaN or infinite", 0, np.inf, "lower", "points"),
        _free("val_final", "validation loss at the last evaluation", "lower", unit="loss"),
        _free("val_best", "least validation loss", "lower", unit="loss"),
        _free("val_drop", "relative fall of the validation loss from the first evaluation to the last", "higher"),
        Score("pattern", "what the run is called", 0, len(NAMES) - 1, None, names=NAMES),
    )

    #: how the train loss is smoothed: median of a window, ema (exponential mean) or none
    smooth: Literal["median", "ema", "none"] = "median"
    #: points of the window, 1 to 101; a twentieth of the curve at most
    window: Annotated[int, msgspec.Meta(ge=1, le=101)] = 5
    #: deviations above the median of the points before from which a point is in a spike
    spike: Annotated[float, msgspec.Meta(gt=0)] = 8.0

    def statistics(self, data: Dataset) -> Statistics:
        training = curves.of(data)
        copied = curves.copied(training.train, training.validation)
        pair = training.train, None if copied else training.validation
        why = [curves.missing(training, "train"), copied or curves.missing(training, "validation")]
        if pair == (None, None):
            raise UnmeasurableError(f"{training.file}: {why[0]}")
        found = curves.statistics(training, pair)
        train, validation = curves.series(found)
        read = self._read(train, validation, curves.logged(found), why)
        peaks, level = self._peaks(train, read.spikes)
        spike = np.zeros(len(found.sample))
        spike[peaks] = 1
        finite, remarks = found.column("finite"), found.remarks
        if remarks is not None:
            for row, before in zip(peaks, level, strict=True):
                remarks[row] = f"{number(found.column('value')[row])} beside {number(before)}"
        more = np.column_stack([found.values, spike, 1 - finite, np.full(len(finite), float(training.filtered))])
        return replace(
            found,
            columns=COLUMNS,
            values=more,
            notes=(*_notes(training, train, read), *curves.holes(training, pair), *([copied] if copied else [])),
            undefined=read.undefined,
        )

    def evaluate(self, statistics: Statistics, weights: Float) -> Float:
        out = np.empty((len(weights), len(self.scores)))
        for i, row in enumerate(weights):
            read = self._whole(statistics)
            if not np.all(row > 0):
                read = self._read(*curves.series(statistics, row), curves.logged(statistics))
            out[i] = [read.scores[score.name] for score in self.scores]
        return out

    def _whole(self, statistics: Statistics) -> _Reading:
        """The reading of all rows."""
        if "reading" not in statistics.prepared:
            statistics.prepared["reading"] = self._read(*curves.series(statistics), curves.logged(statistics))
        found: _Reading = statistics.prepared["reading"]
        return found

    def trials(self, statistics: Statistics) -> Bool:
        """The points of the curve, or of both, that the score is read from."""
        code = statistics.keys["series"].code
        there = np.zeros((2, statistics.n), np.bool_)
        there[code, statistics.sample] = True
        by = dict.fromkeys(_OF_TRAIN, there[curves.TRAIN])
        by |= dict.fromkeys(_OF_VALIDATION, there[curves.VALIDATION])
        return np.column_stack([by.get(score.name, there.any(axis=0)) for score in self.scores])

    def leave_one_out(self, statistics: Statistics) -> Float:
        """Undefined: without one of its steps a run is no other run. What a step did wrong names it."""
        return curves.no_other_run(statistics, self.scores)

    def faults(self, score: str) -> Mapping[str, str]:
        spike, nonfinite = {"spike": "spike"}, {"nonfinite": "not finite"}
        return {"spikes": spike, "nonfinite": nonfinite, "pattern": spike | nonfinite}.get(score, {})

    def caveats(self, statistics: Statistics, score: str) -> Sequence[str]:
        train, _ = curves.series(statistics)
        if score == "spikes" and len(train.finite) > 1 and (around := noise(train.finite.value)) > NOISY:
            return (
                f"the noise of a point is {around:.0%} of the loss, as of single batches: log means over more of them",
            )
        if score in ("final", "drop") and (away := self._whole(statistics).away):
            return (f"the last point is {away}",)
        if score != "nonfinite" or not statistics.column("filtered").any():
            return ()
        return (
            "the Trainer replaces a loss that is not finite by the mean of those before it, unless the run sets "
            "logging_nan_inf_filter to false: a count of 0 is no proof",
        )

    def measures(self, statistics: Statistics, ids: Sequence[str]) -> Mapping[str, Any]:
        read = self._whole(statistics)
        train, validation = curves.series(statistics)
        seen = validation.finite
        kinds = {name: statistics.column(name) > 0 for name in ("spike", "nonfinite")}
        return {
            "pattern": read.named.name,
            "rule": read.named.rule,
            "advice": read.named.advice,
            "levels": list(_levels(read.scores)),
            "points": len(train),
            "evaluations": len(validation),
            "best_validation_step": int(seen.step[np.argmin(seen.value)]) if len(seen) else None,
            "best_validation": float(seen.value.min()) if len(seen) else None,
            "faults": examples(statistics, ids, {"spikes": kinds["spike"], "not finite": kinds["nonfinite"]}),
        }

    def explain(self, measures: Mapping[str, Any]) -> Sequence[str]:
        lines = [_sentence(Named(measures["pattern"], measures["rule"]))]
        if measures["best_validation_step"] is not None:
            best = number(measures["best_validation"])
            lines.append(f"the validation loss is lowest at step {measures['best_validation_step']}: {best}")
        return (*lines, *measures["levels"], *sentences(measures["faults"]))

    def _read(self, train: Series, validation: Series, logged: float, why: Sequence[str] = ("", "")) -> _Reading:
        """Scores of two curves, and why some are undefined.

        Args:
            train: Train loss; empty where there is none.
            validation: Validation loss; empty where there is none.
            logged: The last step of the series logged beside the train loss.
            why: What the log lacks, for each.
        """
        scores = dict.fromkeys((score.name for score in self.scores), np.nan)
        undefined: dict[str, str] = {}
        with np.errstate(all="ignore"):  # losses may be as large as numbers go
            of_train, spiked = self._of_train(train, undefined, why[0])
            scores |= of_train
            scores |= _of_validation(train, validation, logged, undefined, why[1])
            named = name_run(train, validation, spiked, logged)
            finite = train.finite
            away = number(finite.value[-1]) if len(finite) > 1 and run_away(finite, spiked) else ""
        for name in [name for name, value in scores.items() if np.isinf(value)]:
            scores[name], undefined[name] = np.nan, _TOO_LARGE
        if named.name:
            scores["pattern"] = float(NAMES.index(named.name))
        else:
            undefined["pattern"] = f"{named.rule}: {why[1]}" if named.rule == NO_VALIDATION else named.rule
        if cut := curves.cut_off(train, validation, logged):
            undefined |= dict.fromkeys(_OF_THE_END, cut)
            scores |= dict.fromkeys(_OF_THE_END, np.nan)
        elif len(train):
            scores["nonfinite"] = float(np.count_nonzero(~train.known) + np.count_nonzero(~validation.known))
        else:
            undefined["nonfinite"] = why[0]
        return _Reading(scores, undefined, named, spiked, away)

    def _of_train(
        self, train: Series, undefined: dict[str, str], why: str
    ) -> tuple[Mapping[str, float], Spikes | None]:
        if not len(train):
            undefined |= dict.fromkeys(_OF_TRAIN, why)
            return {}, None
        finite = train.finite
        if not len(finite):
            undefined |= dict.fromkeys(_OF_TRAIN, "no point of the train loss is finite")
            return {}, None
        at, smoothed = self._smoothed(finite)
        found = {"start": float(smoothed[0]), "final": float(smoothed[-1]), "best": float(smoothed.min())}
        found["drop"] = _drop(found["start"], found["final"], undefined, "drop")
        found["slope"] = curves.change(at, smoothed, share=0.2)
        if np.isnan(found["slope"]):
            large = float(np.abs(finite.value).max()) > _LARGE
            undefined["slope"] = _TOO_LARGE if large else "the line through the last fifth starts at or below 0"
        if len(finite) == 1:
            undefined |= dict.fromkeys(("drop", "slope"), "the train loss has one finite point")
        if len(train) == 1:
            undefined |= dict.fromkeys(("drop", "slope"), "the train loss has one point")
        for place, names in ((0, ("start", "drop")), (-1, ("final", "drop", "slope"))):
            if not train.known[place]:
                undefined |= dict.fromkeys(names, f"the train loss is not finite at step {train.step[place]:.0f}")
        if fell := collapse(train):
            from_start = finite.value[0] == 0
            undefined |= dict.fromkeys(("final", "best", "drop", "slope", *(["start"] if from_start else [])), fell)
        spiked = spikes(finite.value, self.spike)
        if spiked is None:
            undefined["spikes"] = f"{len(finite)} finite points of the train loss are too few to tell a spike"
        else:
            found["spikes"] = float(len(spiked.peak))
        return {name: value for name, value in found.items() if name not in undefined}, spiked

    def _smoothed(self, finite: Series) -> tuple[Float, Float]:
        """Steps and values of the smoothed train loss."""
        window = curves.effective(self.window, len(finite), parts=_PARTS)
        if self.smooth == "median":
            return curves.medians(finite.step, window), curves.medians(finite.value, window)
        if self.smooth == "ema" and window > 1:
            share = 2 / (window + 1)
            values = itertools.accumulate(finite.value.tolist(), lambda mean, x: (1 - share) * mean + share * x)
            return finite.step, np.fromiter(values, np.float64, len(finite))
        return finite.step, finite.value

    @staticmethod
    def _peaks(train: Series, spiked: Spikes | None) -> tuple[list[int], Float]:
        """Rows of the highest points of excursions, and the medians before them."""
        if spiked is None:
            return [], np.empty(0)
        return train.finite.row[spiked.peak].tolist(), spiked.level


def _of_validation(
    train: Series, validation: Series, logged: float, undefined: dict[str, str], why: str
) -> Mapping[str, float]:
    if not len(validation):
        undefined |= dict.fromkeys(_OF_VALIDATION, why)
        return {}
    finite = validation.finite
    if not len(finite):
        undefined |= dict.fromkeys(_OF_VALIDATION, "no evaluation of the validation loss is finite")
        return {}
    found = {"val_final": float(validation.value[-1]), "val_best": float(finite.value.min())}
    found["val_drop"] = _drop(float(validation.value[0]), found["val_final"], undefined, "val_drop")
    if len(validation) == 1:
        undefined["val_drop"] = "the validation loss has one point"
    for place, names in ((0, ("val_drop",)), (-1, ("val_final", "val_drop"))):
        if not validation.known[place]:
            said = f"the validation loss is not finite at step {validation.step[place]:.0f}"
            undefined |= dict.fromkeys(names, said)
    if late := curves.not_validated(train, validation, logged):
        undefined |= dict.fromkeys(("val_final", "val_drop"), late)
    return {name: value for name, value in found.items() if name not in undefined}


def _drop(start: float, final: float, undefined: dict[str, str], name: str) -> float:
    if start <= 0:
        undefined[name] = f"the loss starts at {number(start)}, and a share of 0 or less says nothing"
        return np.nan
    return 1 - final / start


def _notes(training: Training, train: Series, read: _Reading) -> Iterator[str]:
    yield from training.notes
    yield _sentence(read.named)
    if (step := zeros(train)) is not None:
        yield (
            f"the train loss is exactly 0 from step {step:.0f} on for several points: what a diverged model logs "
            "where its tool hides NaN"
        )
    if read.scores["start"] > SUSPICIOUS_START:
        yield f"the train loss starts at {number(read.scores['start'])}, above 10: look at the annotation format"
    for name, curve in training.curves.items():
        if name.rpartition("/")[2] == "grad_norm" and not (known := np.isfinite(curve.value)).all():
            yield f"{quoted(name)} is not finite at step {curve.step[~known][0]}"


def _sentence(named: Named) -> str:
    """``pattern overfitting: the validation loss rose …; train on more data, or for fewer epochs``."""
    advice = f"; {named.advice}" if named.advice else ""
    return f"pattern {named.name}: {named.rule}{advice}" if named.name else f"pattern cannot be told: {named.rule}"


def _levels(scores: Mapping[str, float]) -> Iterator[str]:
    """The vendor's levels of start and end."""
    start, final = scores["start"], scores["final"]
    if start > SUSPICIOUS_START:
        yield f"starts at {number(start)}: above 10, look at the annotation format; 2 to 6 is usual"
    elif not np.isnan(start) and not 2 <= start <= 6:
        yield f"starts at {number(start)}: 2 to 6 is usual; {_NOT_COMPARABLE}"
    if final < 0.5:
        yield f"ends at {number(final)}: below 0.5 is excellent; {_NOT_COMPARABLE}"
    elif final <= 1.5:
        yield f"ends at {number(final)}: 0.5 to 1.5 is good; {_NOT_COMPARABLE}"
    elif not np.isnan(final):
        yield f"ends at {number(final)}: 0.5 to 1.5 is good, below 0.5 excellent; {_NOT_COMPARABLE}"
