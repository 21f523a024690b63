"""How much of the data was answered at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pytest_vigate.data.coordinates import Float
from pytest_vigate.data.dataset import Dataset
from pytest_vigate.metrics.base import Additive, Score, Statistics, ratio


@dataclass(frozen=True)
class Coverage(Additive):
    """Share of the references that the predictions answer, in [0, 1]; higher is better.

    Definition:
        ``predictions = answered / asked`` over all referenced samples. A record that says "nothing here" is an
        answer; a missing record is not, nor is one whose reply is null. Formats that can only list what was found
        (COCO results, YOLO label files) cannot tell "nothing" from "not asked": there, a sample without detections
        counts as unanswered.

    Statistics:
        One row a referenced sample: ``answered`` (0 or 1), ``asked`` (1).

    Degenerate:
        No referenced sample: undefined.

    Differs from:
        Evaluation scripts that drop samples without a prediction from the denominator, and so score the
        answered part only.

    Sources:
        Own definition; no reference implementation.

    Gate:
        ```yaml
        vigate: 1
        data:
          predictions: predictions.jsonl
          references: references.jsonl
        thresholds:
          coverage.predictions: {min: 100%}
        ```
    """

    name: ClassVar[str] = "coverage"
    scores: ClassVar[tuple[Score, ...]] = (
        Score("predictions", "share of references that have a prediction", share=True),
    )

    def statistics(self, data: Dataset) -> Statistics:
        sample = np.flatnonzero(data.references.present)
        answered = data.predictions.present.copy()
        if data.predictions.replies is not None:
            answered &= np.array([reply is not None for reply in data.predictions.replies], dtype=bool)
        values = np.column_stack([answered[sample], np.ones(len(sample))]).astype(float)
        return Statistics(("answered", "asked"), values, sample, len(data))

    def formula(self, sums: Float) -> Float:
        return ratio(sums[:, :1], sums[:, 1:])
