"""Checkpoints: every one is read once and scored by all families of the gate; only statistics are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pytest_vigate.data.dataset import Dataset
from pytest_vigate.errors import UnmeasurableError
from pytest_vigate.metrics.base import Metric, Statistics

#: Statistics of a family at a checkpoint, or why there are none.
Found = Statistics | UnmeasurableError


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """What the families of a gate make of every checkpoint of a model.

    Args:
        steps: (C,) rising.
        judged: Index of the checkpoint that is judged.
        read: Reads the samples of another checkpoint, by its index.
        score: Statistics of a family on samples.
        metrics: Families that the gate asks for: all are scored in one pass over the files.
    """

    steps: tuple[int, ...]
    judged: int
    read: Callable[[int], Dataset]
    score: Callable[[Dataset, Metric], Statistics]
    metrics: Sequence[Metric]
    _found: dict[Metric, tuple[Found, ...]] = field(default_factory=dict)

    def statistics(self, metric: Metric, *, own: Statistics) -> tuple[Found, ...]:
        """(C,) statistics of a family, or why there are none at that checkpoint.

        Args:
            metric: The family.
            own: Its statistics at the judged checkpoint.

        Raises:
            UnmeasurableError: If a checkpoint cannot be read, or has not answered the same samples as the judged one.
        """
        if metric not in self._found:
            wanted = dict.fromkeys((metric, *(one for one in self.metrics if one not in self._found)))
            rows = [self._pass(i, wanted) for i in range(len(self.steps)) if i != self.judged]
            self._found.update({one: tuple(row[one] for row in rows) for one in wanted})
        others = self._found[metric]
        return (*others[: self.judged], own, *others[self.judged :])

    def _pass(self, i: int, wanted: dict[Metric, None]) -> dict[Metric, Found]:
        dataset = self.read(i)
        found: dict[Metric, Found] = {}
        for metric in wanted:
            try:
                found[metric] = replace(self.score(dataset, metric), remarks=None)
            except UnmeasurableError as error:
                found[metric] = error
        return found

    def scores(self, metric: Metric, *, own: Statistics) -> Iterator[tuple[int, dict[str, float]]]:
        """Every checkpoint with all scores of a family on all samples, NaN where it has none.

        Args:
            metric: The family.
            own: Its statistics at the judged checkpoint.

        Raises:
            UnmeasurableError: As `statistics`.
        """
        names = [score.name for score in metric.configured]
        for step, found in zip(self.steps, self.statistics(metric, own=own), strict=True):
            if isinstance(found, UnmeasurableError):
                yield step, dict.fromkeys(names, float("nan"))
            else:
                values = metric.evaluate(found, np.ones((1, found.n)))[0]
                yield step, dict(zip(names, map(float, values), strict=True))


def refuse_other_samples(step: int, found: Dataset, *, judged_step: int, judged: Dataset) -> None:
    """Raise unless a checkpoint has answered the same samples as the judged one: else they do not compare."""
    where = found.predictions.file
    if found.ids != judged.ids:
        lacking = [name for name in judged.ids if name not in set(found.ids)]
        shown = ", ".join(map(repr, lacking[:3]))
        raise UnmeasurableError(
            f"{where}: checkpoint {step} has {len(found)} samples and checkpoint {judged_step} has {len(judged)}"
            f"{f', among them {shown}' if shown else ' in another order'}; score every checkpoint on the same samples"
        )
    differ = np.flatnonzero(found.predictions.present != judged.predictions.present)
    if len(differ):
        counts = [int(np.count_nonzero(side.predictions.present)) for side in (found, judged)]
        shown = ", ".join(repr(found.ids[i]) for i in differ[:3])
        raise UnmeasurableError(
            f"{where}: checkpoint {step} has predictions for {counts[0]} of {len(found)} samples and checkpoint "
            f"{judged_step} for {counts[1]}; they differ on {shown}; score every checkpoint on the same samples"
        )
