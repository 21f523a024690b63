"""What a session has computed: every data set is read once, every family scored once, however many thresholds ask.

Failures are kept too: a file that could not be read is not read again for the next threshold.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

import numpy as np

from pytest_vigate.data.coordinates import Bool, Float, Int
from pytest_vigate.data.dataset import Dataset, Side, Workspace
from pytest_vigate.data.files import digest
from pytest_vigate.data.joining import join, picture_names
from pytest_vigate.data.presets import Preset
from pytest_vigate.data.readers import Reader, load
from pytest_vigate.data.tables import Source, Table
from pytest_vigate.data.units import arrange
from pytest_vigate.errors import UnmeasurableError
from pytest_vigate.evaluation.estimate import Estimate, estimate
from pytest_vigate.evaluation.plan import Check
from pytest_vigate.evaluation.resampling import first, generator, multinomial_weights
from pytest_vigate.evaluation.slicing import Cut, clusters, cut, split, unmatched
from pytest_vigate.gates.model import Data, Gate
from pytest_vigate.gates.rules import draws_needed
from pytest_vigate.metrics.base import Metric, Statistics

#: Data sets held at once: thresholds of one gate follow each other, so few are in use at a time.
HELD = 4
#: The conditions of a slice that is the whole data set.
WHOLE = "[]"
#: Weights up to this many are kept for the next family: 16 MB.
KEPT_WEIGHTS = 8_000_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DataFile:
    """One side's files as they were read, for the run record."""

    role: str
    path: str
    format: str
    digest: str
    samples: int


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


class Session:
    """Loads data sets and remembers the last few. One a process.

    Args:
        version: The tool's version, part of every signature.
        workspace: What metrics may use beside the data.
    """

    def __init__(self, *, version: str, workspace: Workspace = Workspace()) -> None:  # noqa: B008  # frozen
        self._version = version
        self._workspace = workspace
        self._loaded: OrderedDict[object, Loaded | UnmeasurableError] = OrderedDict()

    def load(self, data: Data, *, readers: Mapping[str, Reader], presets: Mapping[str, Preset]) -> Loaded:
        """The joined data set, with everything that has been computed from it.

        Raises:
            UnmeasurableError: If it cannot be read or joined; the files are not read again for the next threshold.
        """
        kinds = frozenset((name, type(reader)) for name, reader in readers.items())
        key = (data, kinds, frozenset(presets.values()))
        found = self._loaded.get(key)
        if found is None:
            try:
                found = _load(data, readers, presets, workspace=self._workspace, version=self._version)
            except UnmeasurableError as error:
                found = error
            self._loaded[key] = found
            if len(self._loaded) > HELD:
                self._loaded.popitem(last=False)
        else:
            self._loaded.move_to_end(key)
        if isinstance(found, UnmeasurableError):
            raise found
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A data set and what has been computed from it."""

    dataset: Dataset
    files: tuple[DataFile, ...]
    version: str
    _results: dict[object, object] = field(default_factory=dict)

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
        )

    def beside(self, metric: Metric, part: Slice) -> Mapping[str, float]:
        """Scores of another family on the samples of a slice, by name; none where it cannot say anything of them."""
        if part.split:
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
        draws = intervals.draws
        if not intervals.stated and (most := metric.affordable(statistics)) is not None:
            draws = min(draws, max(most, draws_needed(confidence) if confidence else 0))

        def compute() -> Mapping[str, Estimate]:
            groups = None
            if intervals.cluster is not None:
                column = self.dataset.attributes[intervals.cluster]
                groups = clusters([column[i] for i in np.flatnonzero(samples)])
            elif self.dataset.pictures is not None:
                _, groups = np.unique(self.dataset.pictures[samples], return_inverse=True)
            weights = first(self._weights(gate, statistics.n, words=words, groups=groups), draws)
            return estimate(metric, statistics, weights=weights, level=intervals.level, groups=groups)

        if grouped:
            return compute()  # as many groups as samples, perhaps: too much to keep
        return self._once((metric, intervals, gate.name, words, draws), compute)

    def _weights(self, gate: Gate, n: int, *, words: str, groups: Int | None) -> Iterable[Float]:
        """Draws of one slice.

        The generator is seeded by seed, gate and slice: families and thresholds share the draws of a slice, so that a
        score has one interval wherever it is shown, and a new threshold moves nobody else's.
        """
        intervals = gate.intervals

        def draw() -> Iterator[Float]:
            rng = generator(intervals.seed, gate.name, words)
            return multinomial_weights(n, draws=intervals.draws if n else 0, rng=rng, groups=groups)

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


def _load(
    data: Data,
    readers: Mapping[str, Reader],
    presets: Mapping[str, Preset],
    *,
    workspace: Workspace,
    version: str,
) -> Loaded:
    predictions = load(data.predictions, readers, presets)
    files = [_file(data.predictions, predictions)]
    references = None
    if data.references is not None:
        references = load(data.references, readers, presets)
        files.append(_file(data.references, references))
    elif predictions.counterpart is not None:
        references = predictions.counterpart()
    if references is not None:
        _refuse_self(data, predictions, references, same=files[0].digest == files[-1].digest)
    dataset = join(predictions, references, attributes=data.attributes, missing=data.missing, extra=data.extra)
    if data.unit is not None:
        dataset = arrange(dataset, data.unit, pictures=picture_names(predictions, references))
    roots = data.predictions.roots
    return Loaded(replace(dataset, workspace=replace(workspace, roots=roots)), tuple(files), version)


def _refuse_self(data: Data, predictions: Table, references: Table, *, same: bool) -> None:
    """References that judge themselves are always right. One file may hold both sides, in different fields.

    Args:
        data: How they are declared.
        predictions: What the model said.
        references: What is true.
        same: Both were read from the same content.
    """
    sources = data.predictions, data.references or data.predictions
    boxes = predictions.derive_boxes is not None and references.derive_boxes is not None
    alike = sources[0].fields == sources[1].fields and sources[0].declared == sources[1].declared
    said = predictions.replies is not None or predictions.documents is not None
    texts = said and (references.derive_texts is not None or references.documents is not None)
    one_field = texts and predictions.text_field == references.text_field
    if same and one_field and data.references is None:
        raise UnmeasurableError(
            f"{data.predictions.file}: predictions and references are both read from {predictions.text_field!r}, so "
            "the references would judge themselves; name the field of the model's outputs under 'fields'"
        )
    if same and (one_field or (boxes and alike)):
        raise UnmeasurableError(
            f"{data.predictions.file}: predictions and references have the same content, so the references would judge "
            "themselves; name the model's outputs under predictions"
        )


def _file(source: Source, table: Table) -> DataFile:
    return DataFile(source.role, source.file, table.source.format or "", digest(table.source), len(table))


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
    return {item.name: getattr(metric, item.name) for item in fields(metric)} | dict(settled)


def signature(metric: Metric, settled: Mapping[str, str], *, version: str) -> str:
    """All it takes to reproduce a number: ``bbox|assign:hungarian|iou:0.5|…|version:0.1.0``."""
    words = [f"{name}:{'none' if value is None else value}" for name, value in parameters(metric, settled).items()]
    return "|".join([metric.name, *sorted(words), *([f"version:{version}"] if version else [])])
