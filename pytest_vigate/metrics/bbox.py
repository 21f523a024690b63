"""Boxes against boxes by one-to-one matching: counts, their ratios, and how well the boxes sit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np

from pytest_vigate.data.coordinates import Bool, Float
from pytest_vigate.data.dataset import Boxes, Dataset
from pytest_vigate.data.vocabulary import require_common_labels
from pytest_vigate.metrics._assignment import assign
from pytest_vigate.metrics._boxes import Edges, areas, find_on_crowd, keep, overlaps
from pytest_vigate.metrics.base import Additive, Key, Pattern, Score, Statistics, ratio

#: A pair below this IoU is called loose or shifted where the seat of boxes is judged: the vendor's excellent band.
TIGHT = 0.80
#: Median area ratio of matched pairs outside this range is worth a sentence.
AREA_RATIO = (0.7, 1.4)

COLUMNS = (
    "tp",  # reference matched at or above `iou`
    "fn",  # reference not so matched
    "fp",  # prediction not so matched, and not excused by a crowd
    "pairs",  # reference with a partner, however small their overlap
    "iou",  # of that pair
    "area_ratio",  # prediction's area over the reference's, of that pair
    "missed",  # fn without a partner
    "loose",  # fn whose partner has the wrong size
    "shifted",  # fn whose partner stands in the wrong place
    "loose_pairs",  # pair below TIGHT, by size
    "shifted_pairs",  # pair below TIGHT, by place
    "invented",  # fp without a partner
    "background",  # invented, and touching no reference at all
    "degenerate",  # invented, of zero or inverted area
)

#: The advice of the vendor's pages on evaluating detection and grounding models, in our words.
PATTERNS = (
    Pattern(
        ("f1",),
        ("iou",),
        "finds the objects but draws loose boxes: tighten the annotations and check how box edges were drawn",
    ),
    Pattern(
        ("precision",),
        ("recall",),
        "too cautious: what it finds is right but it misses much; add positive examples, lower the confidence",
    ),
    Pattern(
        ("recall",),
        ("precision",),
        "too eager: it finds the objects and invents more; add pictures without objects and hard negatives",
    ),
    Pattern(
        ("iou",),
        ("f1", "recall"),
        "accurate where it finds something, but misses many: add examples of the rare objects",
    ),
    Pattern(
        (),
        ("precision", "recall"),
        "neither finds the objects nor is right about them: train longer, or the model is too small for the task",
    ),
    Pattern(
        ("f1", "iou"),
        (),
        "finds the objects and places them well: what is left to gain lies in the worst samples",
    ),
)

_F1 = ((0.90, "excellent"), (0.75, "good"), (0.60, "fair"))
_IOU = ((0.80, "excellent"), (0.60, "good"), (0.50, "fair"))
_RATE = ((0.90, "excellent"), (0.70, "good"))


@dataclass(frozen=True)
class BoxMatching(Additive):
    """Agreement of predicted with referenced boxes, matched one to one, in [0, 1]; higher is better.

    Definition:
        In every sample, boxes are paired so that the sum of IoU is as large as it can be (Hungarian method), pairs
        without overlap left out. A pair with IoU at or above ``iou`` is a true positive. With pooled counts,
        ``precision = tp / (tp + fp)``, ``recall = tp / (tp + fn)``, ``f1 = 2 tp / (2 tp + fp + fn)``;
        ``iou = sum(iou) / pairs`` over all pairs, ``iou_all = sum(iou) / (tp + fn)``, where a reference without a
        partner counts 0; ``acc`` is the share of samples with references in which each is a true positive, which
        with one box a phrase, and one a reply, is RefCOCO's Acc@IoU.

    Statistics:
        One row a reference (``tp`` or ``fn``, its pair's ``iou``) and one row a false positive (``fp``); a row's
        ``label`` is that of its reference, or of the false positive.

    Degenerate:
        No boxes on either side of a sample: it adds nothing. No predictions: precision is undefined, f1 is 0 when
        there are references. No pair at all: ``iou`` is undefined. A predicted box of zero or inverted area is a
        false positive. References marked as crowd are never missed, and predictions that are no true positive and lie
        on a crowd (intersection over their own area at or above ``iou``) are neither right nor wrong, nor part of a
        pair.

    Differs from:
        pycocotools 2.0.11, which pairs greedily by confidence and lets only pairs above the threshold compete;
        ``assign: thresholded`` comes close to its counts. RefCOCO's scripts read the first box of a reply, as the
        format refcoco does; in other formats a reply with many boxes has many chances in ``acc``, and pays for them
        in ``precision``.

    Sources:
        Kuhn 1955 (assignment); scipy.optimize.linear_sum_assignment is the oracle of the tests.

    Gate:
        ```yaml
        vigate: 1
        data:
          predictions: predictions.jsonl
          references: references.jsonl
        metrics:
          bbox: {iou: 0.5}
        thresholds:
          bbox.f1: {min: 75%}
          bbox.iou: {min: 60%, severity: warn}
        ```
    """

    name: ClassVar[str] = "bbox"
    scores: ClassVar[tuple[Score, ...]] = (
        Score("f1", "harmonic mean of precision and recall", bands=_F1),
        Score("precision", "share of predicted boxes that are right", bands=_RATE),
        Score("recall", "share of referenced boxes that were found", bands=_RATE),
        Score("iou", "mean IoU of matched pairs", bands=_IOU),
        Score("iou_all", "mean IoU over all references, a missed one as 0", bands=_IOU),
        Score("acc", "share of samples whose every referenced box was found", share=True),
    )
    needs: ClassVar[frozenset[str]] = frozenset({"boxes"})
    keys: ClassVar[tuple[str, ...]] = ("label",)
    patterns: ClassVar[tuple[Pattern, ...]] = PATTERNS

    #: IoU at or above which a pair is a true positive
    iou: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.5
    #: predictions with a lower score are left out; boxes that state no score stay
    min_score: Annotated[float, msgspec.Meta(ge=0)] | None = None
    #: pair only boxes of one label, or any; default: ignore where both sides are phrases, else match
    labels: Literal["match", "ignore"] | None = None
    #: thresholded: pairs below `iou` do not compete in the assignment
    assign: Literal["hungarian", "thresholded"] = "hungarian"

    def statistics(self, data: Dataset) -> Statistics:
        predictions, references = data.predictions.boxes, data.references.boxes
        settled = "ignore" if predictions.phrases and references.phrases else "match"
        same_label = (self.labels or settled) == "match"
        if same_label:
            require_common_labels(data)
        use_p, notes = keep(data, min_score=self.min_score)

        real = ~references.crowd
        if degenerate := int(np.count_nonzero(areas(predictions.extent[use_p]) == 0)):
            notes += (f"{degenerate} predicted boxes have zero or inverted area and count as false positives",)
        edges = overlaps(data, use_p=use_p, same_label=same_label)
        if self.assign == "thresholded":
            pairs = edges.take(edges.overlap >= self.iou)
            pairs = pairs.take(assign(pairs))
        else:
            pairs = edges.take(assign(edges))
        hits = pairs.overlap >= self.iou

        counted = use_p.copy()
        counted[pairs.p[hits]] = False
        excused = np.zeros(len(counted), dtype=bool)
        excused[find_on_crowd(predictions, references, use_p=counted, same_label=same_label, least=self.iou)] = True
        counted &= ~excused
        pairs = pairs.take(~excused[pairs.p])  # neither right nor wrong: no pair either
        values, rows = self._rows(predictions, references, real=real, pairs=pairs, wrong=counted, edges=edges)
        g_rows, p_rows = rows
        vocabulary = references.vocabulary
        label = np.concatenate([references.label[g_rows], predictions.label[p_rows]])
        asked = frozenset(vocabulary[i] for i in np.unique(references.label[g_rows]))
        return Statistics(
            columns=COLUMNS,
            values=values,
            sample=np.concatenate([references.sample[g_rows], predictions.sample[p_rows]]),
            n=len(data),
            keys={"label": Key(label, vocabulary, asked)},
            settled={"labels": self.labels or settled},
            notes=notes,
        )

    def _rows(
        self, predictions: Boxes, references: Boxes, *, real: Bool, pairs: Edges, wrong: Bool, edges: Edges
    ) -> tuple[Float, tuple[Any, Any]]:
        """Values (r, k), and which references and predictions the rows stand for."""
        g_rows, p_rows = np.flatnonzero(real), np.flatnonzero(wrong)
        column = {name: np.zeros(len(real)) for name in COLUMNS}  # by reference first
        column["pairs"][pairs.g] = 1
        column["iou"][pairs.g] = pairs.overlap
        p_area, g_area = areas(predictions.extent[pairs.p]), areas(references.extent[pairs.g])
        column["area_ratio"][pairs.g] = p_area / g_area
        column["tp"][pairs.g[pairs.overlap >= self.iou]] = 1
        column["fn"] = 1 - column["tp"]
        column["missed"] = column["fn"] * (1 - column["pairs"])
        by_size = np.zeros(len(real))
        by_size[pairs.g] = _size_is_worse(predictions.xyxy[pairs.p], references.xyxy[pairs.g], pairs.overlap)
        failed = column["fn"] * column["pairs"]
        column["loose"], column["shifted"] = failed * by_size, failed * (1 - by_size)
        slack = column["pairs"] * (column["iou"] < TIGHT)
        column["loose_pairs"], column["shifted_pairs"] = slack * by_size, slack * (1 - by_size)

        has_partner, touches = np.zeros(len(wrong), dtype=bool), np.zeros(len(wrong), dtype=bool)
        has_partner[pairs.p] = True
        touches[edges.p] = True
        values = np.zeros((len(COLUMNS), len(g_rows) + len(p_rows)))  # (k, r): filled column by column
        for k, name in enumerate(COLUMNS):
            values[k, : len(g_rows)] = column[name][g_rows]
        invented = ~has_partner[p_rows]
        for name, which in {
            "fp": np.ones(len(p_rows), dtype=bool),
            "invented": invented,
            "background": invented & ~touches[p_rows],
            "degenerate": areas(predictions.extent[p_rows]) == 0,
        }.items():
            values[COLUMNS.index(name), len(g_rows) :] = which
        return values.T, (g_rows, p_rows)

    def per_sample(self, statistics: Statistics) -> Float:
        """(n, 7): tp, fp, fn, iou, pairs, samples with references, samples with every reference found."""
        total = dict(zip(statistics.columns, statistics.totals.T, strict=True))
        asked = total["tp"] + total["fn"] > 0
        found = asked & (total["fn"] == 0)
        return np.column_stack([total["tp"], total["fp"], total["fn"], total["iou"], total["pairs"], asked, found])

    def formula(self, sums: Float) -> Float:
        tp, fp, fn, iou, pairs, asked, found = sums.T
        return np.column_stack(
            [
                ratio(2 * tp, 2 * tp + fp + fn),
                ratio(tp, tp + fp),
                ratio(tp, tp + fn),
                ratio(iou, pairs),
                ratio(iou, tp + fn),
                ratio(found, asked),
            ]
        )

    def trials(self, statistics: Statistics) -> Bool:
        tp, fp, fn, _, pairs, asked, _ = self.per_sample(statistics).T
        return np.column_stack([tp + fp + fn, tp + fp, asked, pairs, asked, asked]) > 0

    def faults(self, score: str) -> Mapping[str, str]:
        found = {"loose": "loose", "shifted": "shifted"}
        return {
            "f1": {"missed": "missed", "invented": "invented", **found},
            "precision": {"invented": "invented", **found},
            "iou": {"loose_pairs": "loose", "shifted_pairs": "shifted"},
            "iou_all": {"missed": "missed", "loose_pairs": "loose", "shifted_pairs": "shifted"},
        }.get(score, {"missed": "missed", **found})

    def measures(self, statistics: Statistics, ids: Sequence[str]) -> Mapping[str, Any]:
        counted = ("tp", "fn", "fp", "missed", "loose", "shifted", "invented", "background", "degenerate")
        totals = dict(zip(statistics.columns, statistics.values.sum(axis=0), strict=True))
        measures: dict[str, Any] = {name: int(totals[name]) for name in counted}
        if totals["pairs"]:
            ratios = statistics.column("area_ratio")[statistics.column("pairs") > 0]
            measures["median_area_ratio"] = float(np.median(ratios))
        label = statistics.keys["label"]
        size = len(label.names)
        hits = np.bincount(label.code, statistics.column("tp"), size)
        misses = np.bincount(label.code, statistics.column("fn"), size)
        never = np.flatnonzero((hits == 0) & (misses > 0))
        never = never[np.argsort(-misses[never], kind="stable")]
        measures["never_found"] = {label.names[i]: int(misses[i]) for i in never}
        return measures

    def explain(self, measures: Mapping[str, Any]) -> Sequence[str]:
        return tuple(_sentences(measures))


def _sentences(measures: Mapping[str, Any]) -> Iterator[str]:
    """What the boxes themselves tell."""
    counts = [f"{measures[name]} {name}" for name in ("missed", "invented", "loose", "shifted") if measures[name]]
    if counts:
        yield f"{measures['tp'] + measures['fn']} references: {', '.join(counts)}"
    ratio = measures.get("median_area_ratio")
    if ratio is not None and not AREA_RATIO[0] <= ratio <= AREA_RATIO[1]:
        size = "larger" if ratio > 1 else "smaller"
        cure = "are drawn tightly" if ratio > 1 else "show whole objects"
        yield (
            f"boxes are {size} than their references (median area ratio {ratio:.2f}): "
            f"check the coordinate convention, then that annotations {cure}"
        )
    if measures["background"]:
        count = measures["background"]
        yield f"{count} predicted boxes touch no reference they could match: add pictures without objects"
    never = measures["never_found"]
    if never:
        shown = ", ".join(f"{label!r} ({count} times)" for label, count in list(never.items())[:5])
        more = f" and {len(never) - 5} more" if len(never) > 5 else ""
        yield f"never found: {shown}{more}; add examples of them"


def _size_is_worse(predicted: Float, referenced: Float, iou: Float) -> Bool:
    """(m,) whether a pair's overlap suffers more from size than from place.

    IoU is split in two factors: what would be left if the prediction were centred on its reference (size), and what
    its real place leaves of that. The smaller factor names the fault.
    """
    width, height = predicted[:, 2] - predicted[:, 0], predicted[:, 3] - predicted[:, 1]
    wide, high = referenced[:, 2] - referenced[:, 0], referenced[:, 3] - referenced[:, 1]
    shared = np.minimum(width, wide) * np.minimum(height, high)
    centred = shared / (width * height + wide * high - shared)
    worse: Bool = centred * centred < iou
    return worse
