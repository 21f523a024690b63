"""What a session has computed: every data set is read once, every family scored once, however many thresholds ask.

Failures are kept too: a file that could not be read is not read again for the next threshold.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

import numpy as np

from pytest_vigate.data.coordinates import Bool, Float, Int
from pytest_vigate.data.dataset import Checkpoints, Dataset, Side
from pytest_vigate.data.tables import Source
from pytest_vigate.errors import UnmeasurableError
from pytest_vigate.evaluation.estimate import Estimate, estimate
from pytest_vigate.evaluation.history import History, refuse_other_samples
from pytest_vigate.evaluation.loading import DataFile, Loader, beside, prepared_once
from pytest_vigate.evaluation.plan import Check
from pytest_vigate.evaluation.resampling import first, generator, multinomial_weights
from pytest_vigate.evaluation.slicing import Cut, clusters, cut, split, unmatched
from pytest_vigate.gates.model import Data, Gate
from pytest_vigate.gates.rules import draws_needed
from pytest_vigate.metrics.base import Evidence, Metric, Statistics

#: Data sets held at once: thresholds of one gate follow each other, so few are in use at a time.
HELD = 6
#: The conditions of a slice that is the whole data set.
WHOLE = "[]"
#: Weights up to this many are kept for the next family: 16 MB.
KEPT_WEIGHTS = 8_000_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """The part of a data set that a threshold judges, or one group of it.

    Args:
        group: Value of the `per` key, None where there is no `per`.
        asked: Whether the references have this group; a label may stand in predictions alone.
        ids: Ids of its samples, n of them.
        statistics: Rows of these samples.
        estimate: Of the threshold's score.
        values: All scores of the family on this slice, by name.
        malformed: What is wrong with the reply, by id, of every sample of the data whose reply is malformed.
        samples: (N,) which samples of the whole data it has.
        split: Whether a family key cut it: it is then no slice of another family.
    """

    group: str | None
    asked: bool
    ids: tuple[str, ...]
    statistics: Statistics
    estimate: Estimate
    values: Mapping[str, float]
    samples: Bool
    split: bool
    malformed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Family:
    """A configured family on a whole data set."""

    name: str
    signature: str
    parameters: Mapping[str, Any]
    estimates: Mapping[str, Estimate]
    measures: Mapping[str, Any]
    checkpoints: Sequence[tuple[int, Mapping[str, float]]] = ()
    """Every checkpoint with all scores, where the gate names checkpoints."""
    judged: int | None = None
    """The one that is judged."""


class Session:
    """Loads data sets and remembers the last few. One a process.

    Args:
        version: The tool's version, part of every signature.
    """

    def __init__(self, *, version: str) -> None:
        self._version = version
        self._loaded: OrderedDict[object, Loaded | UnmeasurableError] = OrderedDict()

    def load(self, data: Data, *, evidence: Evidence, loader: Loader, metrics: Sequence[Metric]) -> Loaded:
        """What the families of one kind look at, with everything that has been computed from it.

        Args:
            data: What the gate names.
            evidence: What the family looks at.
            loader: How it is read.
            metrics: All families of the gate, so that every checkpoint is read once for all of them.

        Raises:
            UnmeasurableError: If it cannot be read or joined; the files are not read again for the next threshold.
        """
        key = (data, evidence, loader.key)
        found = self._loaded.get(key)
        if found is None:
            try:
                found = self._load(data, evidence, loader, metrics)
            except UnmeasurableError as error:
                found = error
            self._loaded[key] = found
            if len(self._loaded) > HELD:
                self._loaded.popitem(last=False)
        else:
            self._loaded.move_to_end(key)
            if isinstance(found, Loaded) and found.history is not None:
                found.history.announce(metrics)
        if isinstance(found, UnmeasurableError):
            raise found
        return found

    def _load(self, data: Data, evidence: Evidence, loader: Loader, metrics: Sequence[Metric]) -> Loaded:
        match evidence:
            case "run" if data.training is not None:
                dataset, files = loader.training(data.training, data)
            case "reported" if data.reported is not None:
                dataset, files = loader.reported(data.reported, checkpoint=data.checkpoint)
            case "samples" if data.predictions is not None:
                return self._load_samples(data, data.predictions, loader, metrics)
            case "checkpoints" if data.predictions is not None:
                return self._load_checkpoints(data, loader, metrics)
            case _:
                raise UnmeasurableError(f"the gate names nothing that families of {evidence} look at")
        return Loaded(dataset, files, self._version, evidence)

    def _load_samples(self, data: Data, predicted: Source, loader: Loader, metrics: Sequence[Metric]) -> Loaded:
        predictions, file = loader.side(predicted)
        references, files = None, [file]
        if data.references is not None:
            references, other = loader.side(data.references)
            files.append(other)
            if data.checkpoints:
                references = prepared_once(references)
        dataset = loader.joined(data, predictions, references, same=file.digest == files[-1].digest)
        steps = tuple(step for step, _ in data.checkpoints)
        if not steps:
            return Loaded(dataset, tuple(files), self._version)
        judged = next(i for i, (_, source) in enumerate(data.checkpoints) if source == predicted)
        seen: list[DataFile] = []

        def read(i: int) -> Dataset:
            table, other = loader.side(data.checkpoints[i][1])
            found = loader.joined(data, table, references, same=other.digest == files[-1].digest)
            refuse_other_samples(steps[i], found, judged_step=steps[judged], judged=dataset)
            seen.append(other)
            return found

        history = History(steps, judged, read, _statistics)
        history.announce(metrics)
        return Loaded(dataset, tuple(files), self._version, history=history, seen=seen)

    def _load_checkpoints(self, data: Data, loader: Loader, metrics: Sequence[Metric]) -> Loaded:
        """The samples of all checkpoints, and those of the training beside them."""
        validation = self.load(data, evidence="samples", loader=loader, metrics=metrics)
        train = None
        if data.train is not None:
            compared = [metric for metric in metrics if metric.judges is not None]
            train = self.load(data.train, evidence="samples", loader=loader, metrics=compared)
            if validation.read[0].digest == train.read[0].digest:
                raise UnmeasurableError(
                    f"{train.read[0].path}: the predictions for the samples of the training are those for validation, "
                    "so there can be no gap; name those of the training under data.train"
                )
            absent = int(np.count_nonzero(~train.dataset.predictions.present))
            if absent:
                raise UnmeasurableError(
                    f"{train.read[0].path}: {absent} of {len(train.dataset)} samples of the training have no "
                    "prediction; counted as wrong they would make the gap smaller, so score them all, or name the "
                    "references of the others alone"
                )
        steps: tuple[int | None, ...] = validation.history.steps if validation.history else (None,)
        judged = validation.history.judged if validation.history else 0
        checkpoints = Checkpoints(
            steps,
            validation.at_checkpoints,
            None if train is None else lambda metric: train.at_steps(metric, steps),
            judged,
        )
        dataset = beside(validation.dataset, None if train is None else train.dataset, checkpoints)
        parts = [("", validation), *([] if train is None else [("train ", train)])]
        return Loaded(dataset, (), self._version, "checkpoints", validation.history, parts=parts)


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A data set and what has been computed from it.

    Args:
        dataset: What is judged.
        read: The files that it was read from.
        version: The tool's.
        evidence: What it is.
        history: The same samples at all checkpoints, where the gate names them.
        seen: Files of other checkpoints that were read.
        parts: What it was put together from, and the word before the role of its files.
    """

    dataset: Dataset
    read: tuple[DataFile, ...]
    version: str
    evidence: Evidence = "samples"
    history: History | None = None
    seen: list[DataFile] = field(default_factory=list)
    parts: Sequence[tuple[str, Loaded]] = ()
    _results: dict[object, object] = field(default_factory=dict)

    @property
    def files(self) -> tuple[DataFile, ...]:
        """All files that were read so far."""
        inner = (replace(file, role=f"{word}{file.role}") for word, part in self.parts for file in part.files)
        return tuple(dict.fromkeys((*self.read, *self.seen, *inner)))

    def at_checkpoints(self, metric: Metric) -> tuple[Statistics, ...]:
        """Statistics of a family on these samples at every checkpoint.

        Raises:
            UnmeasurableError: If one of them has none.
        """
        if self.history is None:
            return (self._statistics(metric),)
        return self.history.statistics(metric, own=self._statistics(metric))

    def at_steps(self, metric: Metric, steps: Sequence[int | None]) -> tuple[Statistics | None, ...]:
        """The same at given checkpoints, None where there is none; without checkpoints they are those of the only one.

        Raises:
            UnmeasurableError: As `at_checkpoints`.
        """
        if self.history is None:
            return tuple(self._statistics(metric) if step is None else None for step in steps)
        known = dict(zip(self.history.steps, self.at_checkpoints(metric), strict=True))
        return tuple(None if step is None else known.get(step) for step in steps)

    def slices(self, check: Check, gate: Gate) -> tuple[tuple[Slice, ...], tuple[str, ...]]:
        """What a check judges: one slice, or one a group in the order of their names; and notes for its verdict.

        Raises:
            UnmeasurableError: If the data does not carry the metric, or no sample is left.
        """
        statistics = self._statistics(check.metric)
        threshold, picks = check.threshold, check.score.picks
        whole = cut(threshold.where, self.dataset, statistics, picks=picks)
        notes = (*statistics.notes, *unmatched(threshold.where, self.dataset, statistics, picks=picks))
        if threshold.per is None:
            return (self._slice(check, gate, None, whole),), notes
        groups = split(threshold.per, self.dataset, statistics, whole=whole, where=threshold.where, picks=picks)
        return tuple(self._slice(check, gate, group, part) for group, part in groups), notes

    def family(self, name: str, metric: Metric, gate: Gate) -> Family:
        """All scores of a family on the whole data set, but those that pick: without a condition they are no number.

        Raises:
            UnmeasurableError: If the data does not carry the metric.
        """
        statistics = self._statistics(metric)
        estimates = self._estimates(metric, gate, np.ones(statistics.n, dtype=bool), statistics)
        return Family(
            name=name,
            signature=signature(metric, statistics.settled, version=self.version),
            parameters=parameters(metric, statistics.settled),
            estimates={name: found for name, found in estimates.items() if not found.score.picks},
            measures=self._once((metric, "measures"), lambda: metric.measures(statistics, self.dataset.ids)),
            checkpoints=self._once((metric, "checkpoints"), lambda: self._over_checkpoints(metric)),
            judged=None if self.history is None else self.history.steps[self.history.judged],
        )

    def _over_checkpoints(self, metric: Metric) -> tuple[tuple[int, Mapping[str, float]], ...]:
        if self.history is None or metric.evidence != "samples":
            return ()
        return self.history.scores(metric, own=self._statistics(metric))

    def beside(self, metric: Metric, part: Slice) -> Mapping[str, float]:
        """Scores of another family on the samples of a slice, by name; none where it cannot say anything of them."""
        if part.split or metric.evidence != self.evidence:
            return {}
        try:
            statistics = self._statistics(metric)
        except UnmeasurableError:
            return {}
        values = metric.evaluate(statistics, part.samples[None, :].astype(np.float64))[0]
        return {score.name: float(value) for score, value in zip(metric.scores, values, strict=True)}

    def _slice(self, check: Check, gate: Gate, group: str | None, part: Cut) -> Slice:
        whole, samples, picks = self._statistics(check.metric), part.samples, check.score.picks
        marked = whole.mark(check.score.name, part.picked) if picks else whole
        statistics = marked if samples.all() and part.rows.all() else marked.take(part.rows).select(samples)
        conditions = [*check.threshold.where.items(), *([] if group is None else [(check.threshold.per, group)])]
        words = json.dumps([*conditions, *([("picks", check.score.name)] if picks else [])])
        estimates = self._estimates(
            check.metric,
            gate,
            samples,
            statistics,
            words=words,
            confidence=check.threshold.confidence,
            grouped=group is not None,
        )
        ids = self.dataset.ids
        key = whole.keys.get(check.threshold.per or "")
        return Slice(
            group=group,
            asked=group is None or key is None or group in key.asked,
            ids=ids if samples.all() else tuple(ids[i] for i in np.flatnonzero(samples)),
            statistics=statistics,
            estimate=estimates[check.score.name],
            values={name: found.value for name, found in estimates.items()},
            samples=samples,
            split=any(key not in self.dataset.attributes for key, _ in conditions),
            malformed=self._once("malformed", self._malformed),
        )

    def _malformed(self) -> Mapping[str, str]:
        failures = self.dataset.predictions.failures or {}
        return {self.dataset.ids[i]: str(failure) for i, failure in failures.items()}

    def _statistics(self, metric: Metric) -> Statistics:
        return self._once(metric, lambda: _statistics(self.dataset, metric))

    def _estimates(
        self,
        metric: Metric,
        gate: Gate,
        samples: Bool,
        statistics: Statistics,
        *,
        words: str = WHOLE,
        confidence: float | None = None,
        grouped: bool = False,
    ) -> Mapping[str, Estimate]:
        """Estimates of all scores of a family on one slice.

        Only where a family is too dear for all draws does a confidence bound take as many as it needs for itself.
        """
        intervals = gate.intervals
        draws = intervals.draws if metric.drawn else 0
        if metric.drawn and not intervals.stated and (most := metric.affordable(statistics)) is not None:
            draws = min(draws, max(most, draws_needed(confidence) if confidence else 0))

        def compute() -> Mapping[str, Estimate]:
            groups = None
            strata = None if self.dataset.strata is None else self.dataset.strata[samples]
            if intervals.cluster is not None:
                column = self.dataset.attributes[intervals.cluster]
                groups = clusters([column[i] for i in np.flatnonzero(samples)], strata=strata)
            elif self.dataset.pictures is not None:
                _, groups = np.unique(self.dataset.pictures[samples], return_inverse=True)
            weights = first(self._weights(gate, statistics.n, words=words, groups=groups, strata=strata), draws)
            return estimate(metric, statistics, weights=weights, level=intervals.level, groups=groups, strata=strata)

        if grouped:
            return compute()  # as many groups as samples, perhaps: too much to keep
        return self._once((metric, intervals, gate.name, words, draws), compute)

    def _weights(self, gate: Gate, n: int, *, words: str, groups: Int | None, strata: Int | None) -> Iterable[Float]:
        """Draws of one slice.

        The generator is seeded by seed, gate and slice: families and thresholds share the draws of a slice, so that a
        score has one interval wherever it is shown, and a new threshold moves nobody else's.
        """
        intervals = gate.intervals

        def draw() -> Iterator[Float]:
            rng = generator(intervals.seed, gate.name, words)
            return multinomial_weights(n, draws=intervals.draws if n else 0, rng=rng, groups=groups, strata=strata)

        if words != WHOLE or n * intervals.draws > KEPT_WEIGHTS:
            return draw()
        kept = self._once(("weights", intervals, gate.name, n), lambda: [chunk.astype(np.uint16) for chunk in draw()])
        return (chunk.astype(np.float64) for chunk in kept)

    def _once(self, key: object, compute: Callable[[], T]) -> T:
        """Compute on first use; a failure is remembered and raised again."""
        if key not in self._results:
            try:
                self._results[key] = compute()
            except UnmeasurableError as error:
                self._results[key] = error
        found = self._results[key]
        if isinstance(found, UnmeasurableError):
            raise found
        return found  # type: ignore[return-value]  # the key names the type


def _statistics(dataset: Dataset, metric: Metric) -> Statistics:
    for side in (dataset.predictions, dataset.references):
        _check_parts(side, metric)
    return metric.statistics(dataset)


def _check_parts(side: Side, metric: Metric) -> None:
    lacking = metric.needs - side.parts
    if lacking and not side.file:
        raise UnmeasurableError(f"{metric.name} compares with references; name them under data.references")
    if lacking:
        # every reply is a text, and every text may be a document
        implied = {"replies": {"texts", "documents"}, "texts": {"documents"}}
        parts = side.parts.difference(*(implied[part] for part in side.parts & implied.keys()))
        has = ", ".join(sorted(parts)) or "nothing that can be scored"
        unread = lacking == {"boxes"} and "replies" in side.parts
        dialect = "declare how the replies write them, as boxes: qwen3-vl, " if unread else ""
        raise UnmeasurableError(
            f"{side.file}: {metric.name} needs {', '.join(sorted(lacking))}, and these records carry {has}; "
            f"{dialect}name the fields that hold them under 'fields', or gate another family"
        )


def parameters(metric: Metric, settled: Mapping[str, str]) -> dict[str, Any]:
    """Parameter values by name, with those that the data decided."""
    own = {item.name: getattr(metric, item.name) for item in fields(metric) if not item.metadata.get("bound")}
    return own | dict(settled)


def signature(metric: Metric, settled: Mapping[str, str], *, version: str) -> str:
    """All it takes to reproduce a number: ``bbox|assign:hungarian|iou:0.5|…|version:0.1.0``."""
    words = [f"{name}:{'none' if value is None else value}" for name, value in parameters(metric, settled).items()]
    return "|".join([metric.name, *sorted(words), *([f"version:{version}"] if version else [])])
