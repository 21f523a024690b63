"""How much of the data was answered at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pytest_vigate.data.coordinates import Float
from pytest_vigate.data.dataset import Dataset
from pytest_vigate.errors import UnmeasurableError
from pytest_vigate.metrics.base import Additive, Score, Statistics, ratio


@dataclass(frozen=True)
class Coverage(Additive):
    """Share of the references that the predictions answer, in [0, 1]; higher is better.

    Definition:
        ``predictions = answered / asked`` over all referenced samples. A record that says "nothing here" is an
        answer; a missing record is not, nor is one whose reply is null. Formats that only list what was found
        (COCO results, CSV) cannot tell "nothing" from "not asked": there, a sample without detections counts as
        unanswered, as does a YOLO sample without a label file; an empty label file is an answer.

    Statistics:
        One row a referenced sample: ``answered`` (0 or 1), ``asked`` (1), ``unanswered`` (the other way round).

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
        if not data.references.file:  # the gate names none
            raise UnmeasurableError("coverage compares with references; name them under data.references")
        answered = data.predictions.present.copy()
        if data.predictions.replies is not None:
            answered &= np.array([reply is not None for reply in data.predictions.replies], dtype=bool)
        given = answered[sample].astype(float)
        values = np.column_stack([given, np.ones(len(sample)), 1 - given])
        return Statistics(("answered", "asked", "unanswered"), values, sample, len(data))

    def formula(self, sums: Float) -> Float:
        return ratio(sums[:, :1], sums[:, 1:2])

    def faults(self, score: str) -> Mapping[str, str]:
        return {"unanswered": "without a prediction"}
