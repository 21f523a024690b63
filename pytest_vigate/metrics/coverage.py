"""How much of the data was answered at all, and how much of the answers could be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pytest_vigate.data.coordinates import Float
from pytest_vigate.data.dataset import Dataset, Side
from pytest_vigate.data.replies import ParseFailure
from pytest_vigate.data.syntaxes import JSON
from pytest_vigate.errors import DataError, UnmeasurableError
from pytest_vigate.metrics.base import Additive, Score, Statistics, ratio


@dataclass(frozen=True)
class Coverage(Additive):
    """Share of the references that the predictions answer, and answer legibly, in [0, 1]; higher is better.

    Definition:
        ``predictions = answered / asked`` over all referenced records, once each, or pictures with ``unit: image``:
        phrases that a model invents are no more answers. A record that says "nothing here" is an answer;
        a missing record is not, nor is one whose reply is null. Formats that only list what was found (COCO results,
        CSV) cannot tell "nothing" from "not asked": there, a sample without detections counts as unanswered, as does a
        YOLO sample without a label file; an empty label file is an answer. ``parsed = parsed / due`` over the same
        samples: the share whose reply the declared ``replies`` rule and box preset read without a fault. A reply that
        is missing, null, cut off or malformed is not, though boxes that are whole in it count for other scores. Where
        a ``syntax`` other than JSON is declared, or the references are documents and not all of them texts, numbers or
        lists of texts, the reply has to be a document too. Where they are, they may be due as they are, and ``parsed``
        says nothing of the syntax: gate ``format.compliance``.

    Statistics:
        One row a referenced record, at the first of its samples: ``answered`` (0 or 1), ``asked`` (1), ``unanswered``
        (the other way round); ``parsed`` (0 or 1), ``due`` (1), ``unparsed`` (the other way round), all 0 where the
        predictions are no replies.

    Degenerate:
        No referenced sample: undefined. ``parsed`` is undefined where predicted boxes are no replies, and 0 where the
        preset fits none of them.

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
          coverage.parsed: {min: 95%}
        ```
    """

    name: ClassVar[str] = "coverage"
    scores: ClassVar[tuple[Score, ...]] = (
        Score("predictions", "share of references that have a prediction", share=True),
        Score("parsed", "share of references whose reply could be read without a fault", share=True),
    )

    def statistics(self, data: Dataset) -> Statistics:
        asked_of = data.references.present if data.leads is None else data.references.present & data.leads
        sample = np.flatnonzero(asked_of)
        if not data.references.file:  # the gate names none
            raise UnmeasurableError("coverage compares with references; name them under data.references")
        answered = data.predictions.answered.copy()
        given = answered[sample].astype(float)
        asked = np.ones(len(sample))
        failures = data.predictions.failures
        if failures is not None and _documents_are_due(data):
            documents = enumerate(data.predictions.documents)
            failures = {i: document for i, document in documents if isinstance(document, ParseFailure)}
        due = asked if failures is not None else np.zeros(len(sample))
        answered[[*(failures or ())]] = False
        parsed = answered[sample] * due
        return Statistics(
            ("answered", "asked", "unanswered", "parsed", "due", "unparsed"),
            np.column_stack([given, asked, 1 - given, parsed, due, due - parsed]),
            sample,
            len(data),
            undefined={"parsed": _unparsed(data.predictions)} if failures is None else {},
        )

    def formula(self, sums: Float) -> Float:
        answered, asked, _, parsed, due, _ = sums.T
        return np.column_stack([ratio(answered, asked), ratio(parsed, due)])

    def faults(self, score: str) -> Mapping[str, str]:
        return {"unparsed": "not parsed"} if score == "parsed" else {"unanswered": "without a prediction"}


def _documents_are_due(data: Dataset) -> bool:
    """Whether nothing but a document can be right: where lists hold texts, these may be accepted as they are."""
    side = data.predictions
    if "boxes" in side.parts or side.derive_documents is None:
        return False
    try:
        if side.syntax != JSON:
            return side.documents is not None  # by phrases or pictures, there are none
        return any(map(_no_text, data.references.documents))
    except DataError:  # they are texts
        return False


def _no_text(document: object) -> bool:
    if isinstance(document, list):
        return not all(isinstance(item, str) for item in document)
    return isinstance(document, dict)


def _unparsed(predictions: Side) -> str:
    """Why nothing is parsed, and what to do."""
    if "boxes" in predictions.parts:
        return (
            f"the boxes of {predictions.file} are no replies, so there is nothing to parse; gate coverage.predictions"
        )
    if "replies" in predictions.parts:
        return f"nothing says how the replies of {predictions.file} write boxes; declare it, as boxes: qwen3-vl"
    if "documents" in predictions.parts:
        return (
            f"the replies of {predictions.file} are parsed already, so there is nothing to parse; "
            "gate coverage.predictions"
        )
    return f"{predictions.file} holds no replies; name the field that holds them under 'fields'"
