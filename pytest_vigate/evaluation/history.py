"""Checkpoints: every one is read once and scored by all families of the gate; of most only the scores are kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from pytest_vigate.data.dataset import Dataset
from pytest_vigate.errors import UnmeasurableError
from pytest_vigate.metrics.base import Metric, Statistics

#: Values of all scores of a family at a checkpoint.
Values = dict[str, float]


@dataclass(slots=True, eq=False)
class History:
    """What the families of a gate make of every checkpoint of a model.

    Args:
        steps: (C,) rising.
        judged: Index of the checkpoint that is judged, which is not read here.
        read: Reads the samples of another checkpoint, by its index.
        score: Statistics of a family on samples.

    Families that gates ask for are announced, so that all are scored in one pass over the files.
    """

    steps: tuple[int, ...]
    judged: int
    read: Callable[[int], Dataset]
    score: Callable[[Dataset, Metric], Statistics]
    _asked: dict[Metric, None] = field(default_factory=dict)
    _kept: dict[Metric, None] = field(default_factory=dict)
    _values: dict[Metric, list[Values]] = field(default_factory=dict)
    _statistics: dict[Metric, list[Statistics | UnmeasurableError]] = field(default_factory=dict)
    _failed: list[UnmeasurableError] = field(default_factory=list)

    def announce(self, metrics: Iterable[Metric]) -> None:
        """Families of a gate: of those of samples the scores will be asked for, of those that others judge the rows."""
        for metric in metrics:
            if metric.evidence == "samples":
                self._asked[metric] = None
            if metric.judges is not None:
                self._kept[metric.judges] = None

    def statistics(self, metric: Metric, *, own: Statistics) -> tuple[Statistics, ...]:
        """(C,) statistics of a family, without remarks but for the judged checkpoint's own.

        Args:
            metric: The family.
            own: Its statistics at the judged checkpoint.

        Raises:
            UnmeasurableError: If a checkpoint cannot be read, has not answered the same samples as the judged one, or
                does not carry the family.
        """
        if metric not in self._statistics:
            self._kept[metric] = None
            self._pass()
        found = [*self._statistics[metric]]
        found.insert(self.judged, own)
        for step, one in zip(self.steps, found, strict=True):
            if isinstance(one, UnmeasurableError):
                raise UnmeasurableError(f"at checkpoint {step}: {one}")
        return tuple(one for one in found if isinstance(one, Statistics))

    def scores(self, metric: Metric, *, own: Statistics) -> tuple[tuple[int, Values], ...]:
        """Every checkpoint with all scores of a family on all samples, NaN where it does not carry the family.

        Args:
            metric: The family.
            own: Its statistics at the judged checkpoint.

        Raises:
            UnmeasurableError: If a checkpoint cannot be read, or has not answered the same samples as the judged one.
        """
        if metric not in self._values:
            self._asked[metric] = None
            self._pass()
        found = [*self._values[metric]]
        found.insert(self.judged, _values(metric, own))
        return tuple(zip(self.steps, found, strict=True))

    def _pass(self) -> None:
        """Read all checkpoints, one after another, and score each by every family that is new."""
        if self._failed:  # nothing is read again for the next threshold
            raise self._failed[0]
        kept = [metric for metric in self._kept if metric not in self._statistics]
        wanted = dict.fromkeys((*kept, *(metric for metric in self._asked if metric not in self._values)))
        values: dict[Metric, list[Values]] = {metric: [] for metric in wanted}
        statistics: dict[Metric, list[Statistics | UnmeasurableError]] = {metric: [] for metric in kept}
        for i in range(len(self.steps)):
            if i == self.judged:
                continue
            try:
                dataset = self.read(i)
            except UnmeasurableError as error:
                self._failed.append(error)
                raise
            for metric in wanted:
                found: Statistics | UnmeasurableError
                try:
                    found = self.score(dataset, metric)
                except UnmeasurableError as error:
                    found = error
                if metric in kept:
                    statistics[metric].append(replace(found, remarks=None) if isinstance(found, Statistics) else found)
                values[metric].append(_values(metric, found))
        self._values.update(values)
        self._statistics.update(statistics)


def _values(metric: Metric, found: Statistics | UnmeasurableError) -> Values:
    names = [score.name for score in metric.configured]
    if isinstance(found, UnmeasurableError):
        return dict.fromkeys(names, math.nan)
    return dict(zip(names, map(float, metric.evaluate(found, np.ones((1, found.n)))[0]), strict=True))


def refuse_other_samples(step: int, found: Dataset, *, judged_step: int, judged: Dataset) -> None:
    """Raise unless a checkpoint has answered the same samples as the judged one: else they do not compare."""
    where = found.predictions.file
    if found.ids != judged.ids:
        parts = [(step, found, judged_step, judged), (judged_step, judged, step, found)]
        for one, fewer, other, more in parts:
            there = set(fewer.ids)
            lacking = [name for name in more.ids if name not in there]
            if lacking:
                shown = ", ".join(map(repr, lacking[:3]))
                raise UnmeasurableError(
                    f"{where}: checkpoint {one} lacks {len(lacking)} of the {len(more)} samples of checkpoint {other}: "
                    f"{shown}{', …' if len(lacking) > 3 else ''}; score every checkpoint on the same samples"
                )
        raise UnmeasurableError(
            f"{where}: checkpoint {step} has its samples in another order than checkpoint {judged_step}; write them in "
            "the same order, or name references"
        )
    differ = np.flatnonzero(found.predictions.present != judged.predictions.present)
    if len(differ):
        counts = [int(np.count_nonzero(side.predictions.present)) for side in (found, judged)]
        shown = ", ".join(repr(found.ids[i]) for i in differ[:3])
        raise UnmeasurableError(
            f"{where}: checkpoint {step} has predictions for {counts[0]} of {len(found)} samples and checkpoint "
            f"{judged_step} for {counts[1]}; they differ on {shown}; score every checkpoint on the same samples"
        )
