"""Whether replies are documents of the agreed shape: a JSON Schema, or the fields that have to be there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np

from pytest_vigate.data.coordinates import Bool, Float
from pytest_vigate.data.dataset import Dataset, Side
from pytest_vigate.data.documents import no_collection
from pytest_vigate.data.replies import ParseFailure, located, quoted
from pytest_vigate.errors import NoDocumentsError, UnmeasurableError
from pytest_vigate.metrics._examples import SHOWN, examples, sentences
from pytest_vigate.metrics._json_schema import Checker, Finding
from pytest_vigate.metrics._schema_faults import KINDS
from pytest_vigate.metrics._schema_files import Linked, link, require
from pytest_vigate.metrics.base import Additive, File, Score, Statistics, ratio

COLUMNS = (
    "samples",
    "adherent",
    "unparsed",  # no document
    "unsaid",  # a document that does not adhere, and is too large or too deep for all its faults to be listed
    *KINDS,
    "bare",  # adherent, and no object, though the schema names fields
)
#: Documents that adhere, of which jsonschema is asked too.
CONFIRMED = 20
_WORDS: Final[Mapping[str, str]] = {
    "missing_fields": "missing fields",
    "wrong_types": "wrong types",
    "extra_fields": "extra fields",
    "wrong_values": "wrong values",
    "unparsed": "no document",
    "unsaid": "too large or too deep to say what is wrong",
}
#: Why a kind of fault cannot occur under a schema, and what to do.
_NEVER: Final[Mapping[str, str]] = {
    "missing_fields": "{}: no field is required, so that none can be missing; list the fields that are due under "
    "required, or gate schema.adherence",
    "wrong_types": "{}: no type is stated, so that none can be wrong; state the types that are due, or gate "
    "schema.adherence",
    "extra_fields": "{}: all fields are allowed, so that none can be extra; write a schema with "
    "additionalProperties: false, or gate schema.adherence",
    "wrong_values": "{}: nothing is stated but fields and types, so that no other value can be wrong; state what "
    "values are due, or gate schema.adherence",
}


@dataclass(frozen=True)
class Schema(Additive):
    """Share of replies that are documents of the agreed shape, in [0, 1]; higher is better for ``adherence``.

    Definition:
        ``adherence = adherent / samples`` over all replies: those that parse under the declared ``replies`` rule and
        ``syntax`` and are valid under the JSON Schema in the file ``schema``, or, in the short form, are objects that
        have every field of ``required``. Beside it, each over all replies and counted once a reply: ``missing_fields``
        (``required``, ``dependentRequired``), ``wrong_types`` (``type``), ``extra_fields`` (``additionalProperties``,
        ``unevaluatedProperties``, ``propertyNames``, a field whose schema is ``false``) and ``wrong_values``
        (everything else). Under ``anyOf`` and ``oneOf`` the alternatives of another type are left out; the faults are
        those of the one that has the fewest. Where several have as few, it is a wrong value, and where all are of
        another type, a wrong type.

        Schemas are draft 7, 2019-09 or 2020-12, by ``$schema``. ``$ref`` may lead to files below the root, never to
        the network; where a file has a web address as ``$id``, addresses in the same folder of the web are files
        beside it. Patterns are matched in linear time, so that they cannot look around or back. ``format`` is checked
        with ``formats: true``. Numbers are what their digits say: 4.35 is a multiple of 0.01, 1.0 is an integer.

    Statistics:
        One row a sample with ``samples`` (1), ``adherent``, ``unparsed`` (no document), ``unsaid`` (not adherent, and
        too large or too deep for its faults to be listed) and ``bare`` (adherent and no object, though the schema names
        fields); then a row a kind of fault of the sample, with a 1 in its column. All are 0 or 1.

    Degenerate:
        A reply that does not parse, a missing one and an ``unsaid`` one count in each kind of fault: nothing speaks for
        them, and a model that stops to answer never looks better. Numbers that JSON has not (NaN, infinities) are
        wrong values. A document is ``unsaid`` too where a recursive schema cannot be followed to its depth on the
        stack, or where its faults under ``anyOf`` and ``oneOf`` are more than 500 over all alternatives. A kind of
        fault that the schema cannot find is undefined: ``missing_fields`` where no field is required, ``extra_fields``
        where all are allowed. Where ``{}`` adheres though fields are named, every verdict says so.

        A schema that accepts every document is refused, as is one that refers to itself without going down into the
        document, or applies more than 20 000 parts to one place of a document. References that are documents have to
        adhere themselves; where none is an object, a list of anything but texts, or adherent, they are texts for other
        families and are not checked.

    Differs from:
        jsonschema, on which ``adherence`` is decided alike: it divides floats for ``multipleOf``, fetches what it does
        not have, and matches patterns with Python's ``re``. Here look-around, back-references and what the patterns of
        ECMA-262 do not know (``(?x)``, ``[[:alpha:]]``) are refused. Unlike in ECMA-262, a word boundary is one of the
        letters of all languages, and ``.`` matches a carriage return, U+2028 and U+2029. Of numbers from 2**53 on
        jsonschema is not asked. ``contentEncoding`` and ``contentMediaType`` check nothing, as later drafts have it.
        Several dynamic anchors of one name are refused.

    Sources:
        JSON Schema draft 7, 2019-09 and 2020-12. jsonschema-rs decides; jsonschema is asked for what is shown and for
        some of what adheres, and where they disagree nothing is judged.

    Gate:
        ```yaml
        vigate: 1
        data:
          predictions: replies.jsonl
          references: documents.jsonl
        metrics:
          schema: {schema: inspection.schema.json}
        thresholds:
          schema.adherence: {min: 95%}
          schema.missing_fields: {max: 2%}
        ```
    """

    name: ClassVar[str] = "schema"
    scores: ClassVar[tuple[Score, ...]] = (
        Score("adherence", "share of all replies that parse and are valid under the schema", share=True),
        Score("missing_fields", "share of replies without a field that is due", direction="lower", share=True),
        Score("wrong_types", "share of replies with a value of another type", direction="lower", share=True),
        Score("extra_fields", "share of replies with a field that is not allowed", direction="lower", share=True),
        Score("wrong_values", "share of replies with another fault", direction="lower", share=True),
    )

    #: JSON Schema file
    schema: File | None = None
    #: in place of a schema: the fields that every reply has to have
    required: tuple[str, ...] = ()
    #: whether `format` of the schema is checked: date, email, uri, …
    formats: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.schema is not None and self.required:
            raise ValueError("required: it is the short form of a schema, and schema names a file; leave one out")
        if len(set(self.required)) < len(self.required):
            raise ValueError(f"required: a field is named twice in {', '.join(self.required)}; name it once")
        if self.formats and self.schema is None:
            raise ValueError("formats: only a schema file states formats; name it as schema: file.json")

    def statistics(self, data: Dataset) -> Statistics:
        linked = self._linked(data)
        checker = Checker(linked)
        _check_references(checker, linked, data)
        rows = _Rows(checker, fields=linked.graph.names_fields(untyped=True))
        side = data.predictions
        replies = side.replies if side.replies is not None else (None,) * len(data)
        careful = _careful(side)
        accepts = None if careful else checker.accepts
        with no_collection():  # rows hold nothing that could be garbage
            for i, (reply, document) in enumerate(zip(replies, side.documents, strict=True)):
                if accepts is not None and type(document) is dict and accepts(document):
                    rows.add_adherent(i, document)
                elif isinstance(document, ParseFailure):
                    rows.add_failure(i, document, reply or "")
                elif (found := checker.judge(document, careful=careful)) is None:
                    rows.add_adherent(i, document)
                else:
                    rows.add_faulty(i, document, found)
        undefined = {kind: _NEVER[kind].format(linked.file) for kind in KINDS if kind not in linked.graph.kinds()}
        if careful:  # numbers that JSON has not are wrong under every schema
            undefined.pop("wrong_values", None)
        return rows.statistics(
            len(data),
            settled={"schema": linked.digest} if linked.digest else {},
            notes=(*linked.notes, *_notes(checker, linked)),
            undefined=undefined,
        )

    def _linked(self, data: Dataset) -> Linked:
        """The schema.

        Raises:
            UnmeasurableError: If there is none that can be used.
        """
        if self.required:
            return require(self.required)
        if self.schema is None:
            raise UnmeasurableError(
                "schema has nothing to check; write metrics: {schema: {schema: file.json}}, or in short "
                "{required: [first, second]}"
            )
        return link(Path(self.schema).resolve(), data.workspace.roots, formats=self.formats)

    def formula(self, sums: Float) -> Float:
        total = dict(zip(COLUMNS, sums.T, strict=True))
        lost = total["unparsed"] + total["unsaid"]
        shares = [total["adherent"], *(total[kind] + lost for kind in KINDS)]
        return np.column_stack([ratio(share, total["samples"]) for share in shares])

    def trials(self, statistics: Statistics) -> Bool:
        return super().trials(statistics) & [score.name not in statistics.undefined for score in self.scores]

    def faults(self, score: str) -> Mapping[str, str]:
        kinds = KINDS if score == "adherence" else (score,)
        return {name: _WORDS[name] for name in (*kinds, "unparsed", "unsaid")}

    def caveats(self, statistics: Statistics, score: str) -> Sequence[str]:
        bare = int(statistics.column("bare").sum())
        if not bare or score != "adherence":
            return ()
        return (
            f"replies that adhere and are no objects, though the schema names fields: {bare}; "
            'write "type": "object" into the schema',
        )

    def measures(self, statistics: Statistics, ids: Sequence[str]) -> Mapping[str, Any]:
        kinds = {word: statistics.column(name) > 0 for name, word in _WORDS.items()}
        counted = {name: int(statistics.column(name).sum()) for name in ("samples", "adherent", "unparsed")}
        return {**counted, "kinds": examples(statistics, ids, kinds)}

    def explain(self, measures: Mapping[str, Any]) -> Sequence[str]:
        return tuple(_sentences(measures))


class _Rows:
    """Rows of statistics, while they come in."""

    def __init__(self, checker: Checker, *, fields: bool) -> None:
        self._checker = checker
        self._fields = fields
        self._sample: list[int] = []
        self._ones: list[tuple[str, ...]] = []
        self._remarks: list[str] = []
        self._shown = dict.fromkeys(KINDS, 0)
        self._adherent = 0
        self._confirmed: set[object] = set()
        self._asked = 0
        self._whole: list[int] = []

    def _add(self, i: int, remark: str, *columns: str) -> None:
        self._sample.append(i)
        self._ones.append(columns)
        self._remarks.append(remark)

    def add_failure(self, i: int, failure: ParseFailure, reply: str) -> None:
        """A reply that is no document."""
        piece, _, caret = located(reply, failure).partition("\n")
        shown = f"{failure.cause} {piece}\n{' ' * len(failure.cause)} {caret}" if piece else failure.cause
        self._add(i, shown, "samples", "unparsed")

    def add_adherent(self, i: int, document: object) -> None:
        """A document that adheres; jsonschema is asked of some, as different as can be."""
        if self._asked < CONFIRMED:
            self._confirm(document)
        if type(document) is dict or not self._fields:
            self._whole.append(i)
        else:
            self._add(i, "", "samples", "adherent", "bare")

    def _confirm(self, document: object) -> None:
        self._adherent += 1
        structure = tuple(document) if isinstance(document, dict) else type(document)
        if structure not in self._confirmed or self._adherent.bit_count() == 1:  # the 1st, 2nd, 4th, 8th, …
            self._confirmed.add(structure)
            self._asked += 1
            self._checker.confirm(document)

    def add_faulty(self, i: int, document: object, found: Finding) -> None:
        """A document that does not adhere; jsonschema explains those that reports show."""
        if not found.kinds:
            self._add(i, found.why, "samples", "unsaid")
            return
        kinds = found.kinds
        if found.explainable and any(self._shown[kind] < SHOWN for kind in kinds):
            told = self._checker.explain(document)
            kinds = {kind: told.get(kind, remark) for kind, remark in kinds.items()}
        self._add(i, "", "samples")
        for kind, remark in kinds.items():
            self._shown[kind] += 1
            self._add(i, remark, kind)

    def statistics(self, n: int, **said: Any) -> Statistics:
        """All rows, in the order of the samples, with what else statistics say."""
        many, few = len(self._whole), len(self._sample)
        values = np.zeros((many + few, len(COLUMNS)))
        values[:many, [COLUMNS.index("samples"), COLUMNS.index("adherent")]] = 1
        places = {name: k for k, name in enumerate(COLUMNS)}
        cells = [(row, places[name]) for row, names in enumerate(self._ones) for name in names]
        at = np.array(cells, dtype=np.int64).reshape(-1, 2)
        values[many + at[:, 0], at[:, 1]] = 1
        remarks = np.full(many + few, "", dtype=np.object_)
        remarks[many:] = self._remarks
        sample = np.array([*self._whole, *self._sample], dtype=np.int64)
        order = np.argsort(sample, kind="stable")
        return Statistics(COLUMNS, values[order], sample[order], n, remarks=remarks[order], **said)


def _careful(side: Side) -> bool:
    """Whether documents may hold what JSON has not."""
    syntax = side.syntax
    return side.replies is None or syntax.name not in ("json", "jsonl") or syntax.nan or syntax.surrogates


def _notes(checker: Checker, linked: Linked) -> tuple[str, ...]:
    """What a schema leaves open, for every verdict."""
    if linked.graph.names_fields() and checker.judge({}) is None:
        found = "no field is required, so that {} adheres"
    elif "properties" in linked.graph.keywords and "missing_fields" not in linked.graph.kinds():
        found = "no object has a field that is required"
    else:
        return ()
    return (f"{linked.file}: {found}; list the fields that are due under required",)


def _check_references(checker: Checker, linked: Linked, data: Dataset) -> None:
    """Raise where a referenced document does not adhere.

    Raises:
        UnmeasurableError: With its id, and what is wrong.
    """
    side = data.references
    if "documents" not in side.parts:
        return
    try:
        documents = side.documents
    except NoDocumentsError:
        return
    wrong: list[tuple[int, Finding]] = []
    right = nested = False
    for i, document in enumerate(documents):
        wordings = isinstance(document, list) and document and all(isinstance(item, str) for item in document)
        nested = nested or (isinstance(document, dict | list) and not wordings)
        found = checker.judge(document, careful=True)
        if found is None:
            right = True
        else:
            wrong.append((i, found))
    if not wrong or not (right or nested):  # texts for other families, several a sample, or such as happen to parse
        return
    i, found = wrong[0]
    more = f", and {len(wrong) - 1} more references violate it" if len(wrong) > 1 else ""
    told = "; ".join(found.kinds.values()) or found.why
    raise UnmeasurableError(
        f"{side.file}: the reference {quoted(data.ids[i])} violates the schema {linked.file}: {told}{more}; "
        "fix the data, or the schema"
    )


def _sentences(measures: Mapping[str, Any]) -> Iterator[str]:
    samples, adherent = measures["samples"], measures["adherent"]
    said, does = "reply" if samples == 1 else "replies", "adheres" if adherent == 1 else "adhere"
    yield f"{samples} {said}: {adherent} {does} to the schema"
    yield from sentences(measures["kinds"])
