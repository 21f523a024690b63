"""Which class is taken for which: objects and boxes counted by what they are and what they are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np

from pytest_vigate.data.coordinates import Bool, Float
from pytest_vigate.data.dataset import Dataset
from pytest_vigate.data.vocabulary import require_common_labels
from pytest_vigate.errors import DataError
from pytest_vigate.metrics._assignment import assign
from pytest_vigate.metrics._boxes import areas, find_on_crowd, keep, overlaps
from pytest_vigate.metrics.base import Additive, Key, Score, Statistics, ratio

#: Name of the row of predictions without a reference, and of the column of references without a prediction.
BACKGROUND = "background"
#: What a right label adds to the IoU of a pair while pairs are chosen: enough to decide between equal sums, and too
#: little to outweigh a difference in IoU that a coordinate could show.
TIE = 1e-9
#: Confusions that the measures name, and example samples of each.
LARGEST, EXAMPLES = 3, 3
#: Errors below which nothing is said of a habit.
HABIT = 3
#: A kind of error (invented, missed) that makes up at least this share of all errors is one to work on.
MOST = 0.4
#: Times that two classes have to be taken for each other, each way, before they are called hard to tell apart, and the
#: share of all errors that both ways together make up.
EACH_WAY, BOTH_WAYS = 2, 0.1

COLUMNS = (
    "right",  # reference matched by a prediction of its label
    "wrong",  # reference matched by a prediction of another label
    "missed",  # reference without a prediction
    "invented",  # prediction without a reference, and not excused by a crowd
    "rate",  # the row counts; where a condition names `predicted`, only the rows that hold it do
)


@dataclass(frozen=True)
class Confusion(Additive):
    """The matrix of referenced by predicted classes, both with a background; shares of it in [0, 1].

    Definition:
        In every sample, boxes of any label are paired one to one, where only pairs with IoU at or above ``iou``
        compete and the sum of IoU is as large as it can be; between equal sums, right labels win. The matrix has a
        row for the label of the reference and a column for the label of the prediction: a reference without a partner
        counts in the column ``background``, a prediction without one in the row ``background``.
        ``accuracy = right / (right + wrong)``, over pairs; ``missed = missed / (right + wrong + missed)``, over
        references; ``invented = invented / (right + wrong + invented)``, over predictions. ``rate`` is the share
        that the columns named by ``predicted`` have of the rows named by ``actual``; a threshold has to name both.

    Statistics:
        One row a reference (``right``, ``wrong`` or ``missed``) and one row a prediction without a reference
        (``invented``), each with the keys ``actual`` and ``predicted``. ``rate`` is 1 in every row, and where it is
        judged, 1 in the rows of the named columns and 0 elsewhere.

    Degenerate:
        No boxes on either side of a sample: it adds nothing. No pair: ``accuracy`` is undefined; no references:
        ``missed`` is; no predictions and no references: all are. A row without boxes has no ``rate``, nor has one of
        which nothing was found, but for the column ``background``: what is not seen is not confused. A cell that stayed
        empty beside others has the rate 0. A predicted box of zero or inverted area is invented. References marked as
        crowd are never missed, and predictions without a partner that lie on one (intersection over their own area at
        or above ``iou``) are not invented. A class called ``background`` is refused, and so are boxes without labels
        and sides of which neither knows a label of the other.
        Cut by ``predicted``, no reference would be missed, and by ``actual``, no box invented: these two scores refuse
        these keys.

    Differs from:
        The confusion matrices of ultralytics and supervision, which pair greedily, count IoU above the threshold only,
        and by default drop predictions below a confidence of 0.25 and 0.3; here the sum of IoU is as large as it can
        be, IoU at the threshold counts, and no prediction is dropped unless ``min_score`` says so.

    Sources:
        Kuhn 1955 (assignment); scipy.optimize.linear_sum_assignment is the oracle of the tests.

    Gate:
        ```yaml
        vigate: 1
        data:
          predictions: predictions.jsonl
          references: references.jsonl
        metrics:
          confusion: {iou: 0.5}
        thresholds:
          confusion.accuracy: {min: 95%}
          confusion.missed: {max: 20%, per: actual}
          confusion.rate: {max: 5%, where: {actual: dent, predicted: background}}
        ```
    """

    name: ClassVar[str] = "confusion"
    scores: ClassVar[tuple[Score, ...]] = (
        Score("accuracy", "share of matched pairs with the right label"),
        Score("missed", "share of references without a prediction", direction="lower", refuses=("predicted",)),
        Score("invented", "share of predictions without a reference", direction="lower", refuses=("actual",)),
        Score(
            "rate",
            "share of a row that one cell, or several, hold",
            direction=None,
            picks="predicted",
            asks=("actual",),
        ),
    )
    needs: ClassVar[frozenset[str]] = frozenset({"boxes"})
    keys: ClassVar[tuple[str, ...]] = ("actual", "predicted")

    #: IoU at or above which boxes may be paired
    iou: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.5
    #: predictions with a lower score are left out; boxes that state no score stay
    min_score: Annotated[float, msgspec.Meta(ge=0)] | None = None

    def statistics(self, data: Dataset) -> Statistics:
        predictions, references = data.predictions.boxes, data.references.boxes
        names = _names(data)
        background = names.index(BACKGROUND)
        use_p, notes = keep(data, min_score=self.min_score)
        if degenerate := int(np.count_nonzero(areas(predictions.extent[use_p]) == 0)):
            notes += (f"{degenerate} predicted boxes have zero or inverted area and count as invented",)

        real = ~references.crowd
        edges = overlaps(data, use_p=use_p, same_label=False)
        edges = edges.take(edges.overlap >= self.iou)
        agree = predictions.label[edges.p] == references.label[edges.g]
        pairs = edges.take(assign(replace(edges, overlap=edges.overlap + TIE * agree)))
        alone = use_p.copy()
        alone[pairs.p] = False
        alone[find_on_crowd(predictions, references, use_p=alone, same_label=False, least=self.iou)] = False

        taken_for = np.full(len(real), background)
        taken_for[pairs.g] = predictions.label[pairs.p]
        g_rows, p_rows = np.flatnonzero(real), np.flatnonzero(alone)
        actual = np.concatenate([references.label[g_rows], np.full(len(p_rows), background)])
        predicted = np.concatenate([taken_for[g_rows], predictions.label[p_rows]])
        missed, invented, right = predicted == background, actual == background, actual == predicted
        wrong = ~(missed | invented | right)
        asked = frozenset(names[i] for i in np.unique(references.label[g_rows]))
        return Statistics(
            columns=COLUMNS,
            values=np.array([right, wrong, missed, invented, np.ones(len(actual))]).T,
            sample=np.concatenate([references.sample[g_rows], predictions.sample[p_rows]]),
            n=len(data),
            keys={"actual": Key(actual, names, asked), "predicted": Key(predicted, names, asked, twin="actual")},
            notes=notes,
        )

    def formula(self, sums: Float) -> Float:
        right, wrong, missed, invented, rate = sums.T
        pairs = right + wrong
        said = (pairs + invented > 0) | (rate > 0)  # where nothing is predicted, nothing can be taken for another
        return np.column_stack(
            [
                ratio(right, pairs),
                ratio(missed, pairs + missed),
                ratio(invented, pairs + invented),
                ratio(rate, said * (pairs + missed + invented)),
            ]
        )

    def trials(self, statistics: Statistics) -> Bool:
        right, wrong, missed, invented, _ = statistics.totals.T
        pairs = right + wrong
        return np.column_stack([pairs, pairs + missed, pairs + invented, pairs + missed + invented]) > 0

    def faults(self, score: str) -> Mapping[str, str]:
        words = {"accuracy": ("wrong", "confused"), "rate": ("rate", "in the cell")}
        column, word = words.get(score, (score, score))
        return {column: word}

    def measures(self, statistics: Statistics, ids: Sequence[str]) -> Mapping[str, Any]:
        actual, predicted = statistics.keys["actual"], statistics.keys["predicted"]
        cell = actual.code * len(predicted.names) + predicted.code
        cells, counts = np.unique(cell, return_counts=True)
        rows, columns = np.divmod(cells, max(len(predicted.names), 1))
        matrix: dict[str, dict[str, int]] = {}
        for i, j, count in zip(rows.tolist(), columns.tolist(), counts.tolist(), strict=True):
            matrix.setdefault(actual.names[i], {})[predicted.names[j]] = count

        errors = np.flatnonzero(rows != columns)
        largest = []
        for which in errors[np.argsort(-counts[errors], kind="stable")[:LARGEST]]:
            there, times = np.unique(statistics.sample[cell == cells[which]], return_counts=True)
            label = actual.names[rows[which]]
            largest.append(
                {
                    "actual": label,
                    "predicted": predicted.names[columns[which]],
                    "what": _wording(label, predicted.names[columns[which]]),
                    "count": int(counts[which]),
                    "share": int(counts[which]) / sum(matrix[label].values()),
                    "samples": [ids[i] for i in there[np.argsort(-times, kind="stable")[:EXAMPLES]]],
                }
            )
        labels = [*(name for name in actual.names if name != BACKGROUND), BACKGROUND]
        return {"labels": labels, "matrix": matrix, "largest": largest}

    def explain(self, measures: Mapping[str, Any]) -> Sequence[str]:
        return tuple(_sentences(measures, threshold="min_score" if self.min_score else "the confidence threshold"))


def _names(data: Dataset) -> tuple[str, ...]:
    """All classes, and the background.

    Raises:
        DataError: If labels of the sides cannot be compared, a box is called background, or no box has a label.
    """
    require_common_labels(data)
    vocabulary = data.references.boxes.vocabulary
    used = []
    for side in (data.references, data.predictions):
        labels = {vocabulary[i] for i in np.unique(side.boxes.label)}
        if BACKGROUND in labels:
            raise DataError(
                side.file,
                f"a class is called {BACKGROUND!r}, which is the word for what is no object; rename it with labels_map",
            )
        used.append(labels)
    if set().union(*used) == {""}:
        raise DataError(
            data.references.file, "no box has a label that could be confused; name the field that holds it under fields"
        )
    return vocabulary if BACKGROUND in vocabulary else (*vocabulary, BACKGROUND)


def _sentences(measures: Mapping[str, Any], *, threshold: str) -> Iterator[str]:
    """What the matrix tells."""
    matrix: Mapping[str, Mapping[str, int]] = measures["matrix"]
    errors = {
        (actual, predicted): count
        for actual, row in matrix.items()
        for predicted, count in row.items()
        if actual != predicted
    }
    if not errors:
        return
    named = ", ".join(f"{cell['what']} ({cell['count']})" for cell in measures["largest"])
    yield f"largest confusions: {named}"
    every = sum(errors.values())
    missed = {actual: count for (actual, predicted), count in errors.items() if predicted == BACKGROUND}
    invented = sum(count for (actual, _), count in errors.items() if actual == BACKGROUND)
    if every >= HABIT and invented >= MOST * every:
        yield f"{invented} of {every} errors are invented objects: add pictures without objects"
    if every >= HABIT and (lost := sum(missed.values())) >= MOST * every:
        often = ", ".join(repr(label) for label in sorted(missed, key=lambda label: -missed[label])[:LARGEST])
        yield f"{lost} of {every} errors are missed objects: add examples of {often}, or lower {threshold}"
    pairs = {
        (a, b): (count, back)
        for (a, b), count in errors.items()
        if a < b
        and BACKGROUND not in (a, b)
        and min(count, back := errors.get((b, a), 0)) >= EACH_WAY
        and count + back >= BOTH_WAYS * every
    }
    if pairs:
        (a, b), (there, back) = max(pairs.items(), key=lambda pair: sum(pair[1]))
        yield (
            f"{a!r} and {b!r} are taken for each other ({there} and {back} times): check that the annotation "
            "guideline tells them apart, or merge them"
        )


def _wording(actual: str, predicted: str) -> str:
    """``'dent' taken for 'scratch'``, ``'dent' missed`` or ``'dent' invented``."""
    if predicted == BACKGROUND:
        return f"{actual!r} missed"
    return f"{predicted!r} invented" if actual == BACKGROUND else f"{actual!r} taken for {predicted!r}"
