"""Whether replies are documents at all, and how much repair it takes where they are not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pytest_vigate.data.coordinates import Float
from pytest_vigate.data.dataset import Dataset
from pytest_vigate.data.layers import LAYERS, Layer, layer
from pytest_vigate.data.replies import ParseFailure, located
from pytest_vigate.errors import UnmeasurableError
from pytest_vigate.metrics._examples import examples, sentences
from pytest_vigate.metrics.base import Additive, Key, Pattern, Score, Statistics, ratio

#: Layers whose replies another rule would read.
REPAIRABLE: tuple[Layer, ...] = ("fenced", "embedded")
COLUMNS = (
    "samples",
    "compliant",
    "failed",
    "repaired",
    "bare",
    "wordy",
    *LAYERS,
    *(f"refused_{name}" for name in REPAIRABLE),
)
#: Layers that a model which says nothing would keep at 0.
_OF_SPEECH = ("fenced", "embedded", "truncated", "broken")


@dataclass(frozen=True)
class Format(Additive):
    """Share of replies that are documents in the declared syntax, in [0, 1]; higher is better for ``compliance``.

    Definition:
        ``compliance = compliant / samples`` over all replies: those that the declared ``replies`` rule and ``syntax``
        of ``data.predictions`` read as a document. Beside it, whatever the rule, every reply is in one layer, the
        first of these that fits: ``empty`` says nothing; ``strict`` is a document as it is; ``fenced`` is one inside a
        code fence around the whole reply; ``embedded`` holds one in the midst of prose, thinking, tags or fences;
        ``truncated`` ends before its document, fence, tag or thinking does; ``broken`` is everything else. The layers'
        shares add up to 1, and repair that hides a regression shows in them: ``compliance`` under ``first-json`` may
        stay where it is while ``strict`` falls.

        JSON is RFC 8259: a key that is twice in an object, ``NaN``, half of a character and a byte order mark are
        failures, unless ``syntax: {name: json, duplicate_keys: allow}`` (``nan``, ``surrogates``,
        ``byte_order_mark``) lets them pass. YAML is the safe core of version 1.2 without tags, and its document a
        mapping or a list; CSV has one width; XML has no DTD and no entities of its own.

    Statistics:
        One row a sample, of 0 and 1: ``samples`` (1), ``compliant``, ``failed`` (not compliant), ``repaired`` (not
        ``strict``), ``bare`` (a document that is no object and no array), ``wordy`` (every name at its top has a blank
        in it), a column a layer, and ``refused_fenced`` and ``refused_embedded`` (of that layer and not compliant).
        The key ``cause`` says why a reply failed.

    Degenerate:
        A missing reply is an empty one. A reply of white space is empty. Where no reply says anything, ``compliance``
        and ``strict`` are 0, ``empty`` is 1, and the other layers are undefined: silence is no sign of quality,
        and verdicts on these layers count it.
        Predictions that are parsed already have no format. A bare text or number is valid JSON, and compliant; the
        verdict counts them. A schema with ``"type": "object"`` refuses them, and so does
        ``schema: {required: […]}``. Prose with a colon is YAML, and prose with a comma in every line is CSV: the
        verdict counts documents all of whose names have blanks in them.

    Differs from:
        Python's ``json`` and most checks made of it, which take duplicate keys, ``NaN`` and halves of characters;
        ``is-json`` and ``contains-json`` assertions of evaluation tools, which are the layers ``strict`` and
        ``strict + fenced + embedded`` here.

    Sources:
        RFC 8259 (JSON), YAML 1.2.2 core schema, RFC 4180 (CSV), XML 1.0.

    Gate:
        ```yaml
        vigate: 1
        data:
          predictions: replies.jsonl
        thresholds:
          format.compliance: {min: 95%}
          format.truncated: {max: 1%}
        ```
    """

    name: ClassVar[str] = "format"
    scores: ClassVar[tuple[Score, ...]] = (
        Score(
            "compliance",
            "share of all replies that parse under the declared rule and syntax",
            bands=((0.95, "good"),),
            share=True,
        ),
        Score("strict", "share of replies that are a document as they are", share=True),
        Score("fenced", "share of replies that are one inside a code fence", direction=None, share=True),
        Score("embedded", "share of replies with one in the midst of other text", direction=None, share=True),
        Score("truncated", "share of replies that end before their document does", direction="lower", share=True),
        Score("empty", "share of replies that say nothing", direction="lower", share=True),
        Score("broken", "share of replies without a document", direction="lower", share=True),
    )
    patterns: ClassVar[tuple[Pattern, ...]] = (
        Pattern(
            high=("bertscore.f1",),
            low=("compliance",),
            advice="the meaning is right, and the application breaks on the form: constrain the decoding to the "
            "syntax, or train on replies of the exact form",
        ),
    )

    def statistics(self, data: Dataset) -> Statistics:
        side = data.predictions
        if side.replies is None:
            found = "documents that are parsed already" if side.derive_documents is not None else "no replies"
            raise UnmeasurableError(
                f"{side.file}: format needs raw replies, and these records hold {found}; record them"
            )
        n = len(data)
        column = {name: np.zeros(n) for name in COLUMNS}
        column["samples"] += 1
        causes, cause = {"": 0}, np.zeros(n, dtype=np.int64)
        remarks = np.full(n, "", dtype=np.object_)
        for i, (reply, document) in enumerate(zip(side.replies, side.documents, strict=True)):
            failed = isinstance(document, ParseFailure)
            at: Layer = "strict" if not failed and side.rule == "strict" else layer(reply, side.syntax)
            column[at][i] = 1
            if isinstance(document, ParseFailure):
                cause[i] = causes.setdefault(document.cause, len(causes))
                remarks[i] = located(reply or "", document)
            elif not isinstance(document, dict | list):
                column["bare"][i] = 1
            elif _wordy(document):
                column["wordy"][i] = 1
        column["failed"] = (cause > 0).astype(np.float64)
        column["compliant"] = 1 - column["failed"]
        column["repaired"] = 1 - column["strict"]
        for name in REPAIRABLE:
            column[f"refused_{name}"] = column["failed"] * column[name]
        return Statistics(
            columns=COLUMNS,
            values=np.column_stack([column[name] for name in COLUMNS]),
            sample=np.arange(n),
            n=n,
            keys={"cause": Key(cause, tuple(causes))},
            remarks=remarks,
        )

    def formula(self, sums: Float) -> Float:
        total = dict(zip(COLUMNS, sums.T, strict=True))
        said = total["samples"] - total["empty"]
        shares = []
        for score in self.scores:
            name = "compliant" if score.name == "compliance" else score.name
            share = ratio(total[name], total["samples"])
            shares.append(np.where(said > 0, share, np.nan) if name in _OF_SPEECH else share)
        return np.column_stack(shares)

    def faults(self, score: str) -> Mapping[str, str]:
        words = {"compliance": ("failed", "failed to parse"), "strict": ("repaired", "in need of repair")}
        column, word = words.get(score, (score, score))
        return {column: word}

    def caveats(self, statistics: Statistics, score: str) -> Sequence[str]:
        empty = int(statistics.column("empty").sum())
        if score in _OF_SPEECH and empty:
            return (f"replies that say nothing, and so are not {score}: {empty} of {statistics.n}",)
        if score not in ("compliance", "strict"):
            return ()
        found = []
        if bare := int(statistics.column("bare").sum()):
            found.append(
                f"documents that are a bare text, number, true, false or null: {bare}; gate a schema of objects"
            )
        if wordy := int(statistics.column("wordy").sum()):
            found.append(f"documents whose every name has a blank in it, as prose has: {wordy}; gate schema.adherence")
        return found

    def measures(self, statistics: Statistics, ids: Sequence[str]) -> Mapping[str, Any]:
        key = statistics.keys["cause"]
        kinds = {cause: key.code == code for code, cause in enumerate(key.names) if cause}
        counted = {name: int(statistics.column(name).sum()) for name in COLUMNS}
        return {**counted, "causes": examples(statistics, ids, kinds)}

    def explain(self, measures: Mapping[str, Any]) -> Sequence[str]:
        return tuple(_sentences(measures))


def _wordy(document: dict[str, object] | list[object]) -> bool:
    """Whether every name at the top has a blank in it: prose with a colon is YAML, and prose with commas CSV."""
    top = document[0] if isinstance(document, list) and document else document
    return isinstance(top, dict) and bool(top) and all(" " in name.strip() for name in top)


def _sentences(measures: Mapping[str, Any]) -> Iterator[str]:
    """What the layers and the causes tell."""
    layers = ", ".join(f"{name} {measures[name]}" for name in LAYERS if measures[name])
    yield f"{measures['samples']} replies: {layers}"
    if measures["truncated"]:
        yield f"truncated {measures['truncated']}: allow the model more tokens"
    if refused := measures["refused_fenced"]:
        yield f"fenced and refused {refused}: declare replies: fenced, or ask the model for no code fence"
    if refused := measures["refused_embedded"]:
        yield f"embedded and refused {refused}: ask the model for the document and nothing else"
    yield from sentences(measures["causes"])
