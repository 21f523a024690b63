"""Are the values of structured replies right: field by field, against referenced documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from pytest_vigate.data.coordinates import Bool, Float, Int
from pytest_vigate.data.dataset import Dataset
from pytest_vigate.data.documents import no_collection
from pytest_vigate.data.replies import ParseFailure, quoted
from pytest_vigate.errors import DataError, UnmeasurableError, did_you_mean
from pytest_vigate.metrics._comparisons import Exact, Rule, Written, make_default, make_rule
from pytest_vigate.metrics._examples import examples, sentences
from pytest_vigate.metrics._paths import Field, Fields, Step, parse_path, path_name
from pytest_vigate.metrics._slots import ABSENT, NONE, UNNAMED, Slots, Walk
from pytest_vigate.metrics._values import Values, show
from pytest_vigate.metrics.base import Additive, Key, Remarks, Score, Statistics, ratio

COLUMNS = (
    "right",  # both have a value, and they agree
    "none",  # neither has one
    "wrong",  # both have one, and they do not agree
    "missing",  # the reference has one, the reply has none
    "invented",  # the reply has one, the reference has none
    "unsaid",  # the reference has none, and the reply holds no document
    "unread",  # the reply holds no document
)
#: Kinds of errors, and fields, that reports name at most.
KINDS, FIELDS = 12, 100
#: Fields that a sentence names.
DEAREST = 3


@dataclass(frozen=True)
class FieldAgreement(Additive):
    """Agreement of structured replies with referenced documents, field by field, in [0, 1]; two scores are errors.

    Definition:
        A field is a leaf of a document: ``severity`` at the top, ``$.location.x`` inside an object,
        ``$.parts[*].name`` in all objects of a list. A leaf is a text, a number, true, false, null, an empty object or
        list, or a list without objects. A sample's slots are the leaves that its reference names, null too, and the
        leaves of the reply where the reference names none. Null and no mention both mean that there is no value. A slot
        is right where both sides have a value and the values agree, or where neither has one.
        ``accuracy = (right + none) / slots``, over all samples and fields. ``exact`` is the share of replies all of
        whose slots are right. ``missing = missing / (right + wrong + missing)``, over referenced values.
        ``invented = invented / (right + wrong + invented)``, over values that replies give.

        Items of lists of objects are matched one to one, as many as the shorter list has: items that are equal in all
        fields first, then the rest so that as many fields as possible agree; between equal sums, more fields that both
        have, fewer values beside a null, and more items in their place win. For lists inside an
        item, each value that both sides have for the same field counts as one that agrees. Of equal items the first is
        taken. Where more than 256 items are left on both sides, or 2 000 000 pairs times fields, these are matched in
        order.

        Values agree as ``compare`` says, by field; a comparison of ``$.parts`` or ``$.location`` makes it one slot.
        ``exact``: equal JSON values (1 is 1.0, true is not 1, keys in any order). ``casefold``: texts without regard to
        case and white space. ``number``: numbers, or texts that are a number with or without a unit, with
        ``|found - due| <= max(absolute, relative |due|)``; ``unit`` says what numbers without one are in, and what
        ``absolute`` is in, which else is the unit of the reference. ``set``: lists without regard to order and
        repetition. ``list``: lists item by item, or with ``ordered: false`` in any order. ``date``: ISO 8601, or
        ``format``; date-times with an offset are instants. A date is never equal to a date with a time. ``text``: a
        ``score`` of a family of texts is at least ``min``, or the texts are equal; further options are the family's
        parameters, as ``{as: text, score: bertscore.f1, min: 0.8, model: …}``. A text of more than 20 000 characters
        agrees with its equal only. Scores of recall, and ``answer.contains``, look one way only: a reply that says
        everything has them all. ``ignore``: no slot, nor is there one below it.

    Statistics:
        One row a slot with the key ``field``, and 1 in one of ``right``, ``none``, ``wrong``, ``missing``,
        ``invented``, ``unsaid``; ``unread`` is 1 where the reply is no document. A reply that is none, to a sample all
        of whose fields are ignored, has one row without a field, ``unsaid``.

    Degenerate:
        A reply that is no document misses all referenced values, is wrong where the reference has null, and is not
        exact; where all fields of the sample are ignored it is one wrong slot, which no single field has. It counts as
        one invented value, for a single field too: nothing can be said for it.
        Else a sample all of whose fields are ignored adds nothing; no slot of a field at all: unmeasurable. No
        referenced value: ``missing`` is undefined. No value in any reply, and all are documents: ``invented`` is, so
        that silence never passes.
        An object or list where the reference has a leaf is compared with it whole; one that holds nothing but nulls is
        no value. Where the reference has an object and the reply none, everything in it is missing and what the reply
        has there is invented; the same holds for lists of objects, but an empty object or list beside a full one
        invents nothing.
        A field that no reference has counts in ``accuracy`` and ``exact`` of the whole; alone, it counts only in
        ``invented``.

    Differs from:
        Comparisons that flatten lists by index: an item left out would make all behind it wrong. pint, to which ``px``
        is a length of CSS: here it is a pixel.

    Sources:
        Kuhn 1955 (assignment); scipy.optimize.linear_sum_assignment solves it, all permutations are the oracle of the
        tests. Units are pint's.

    Gate:
        ```yaml
        vigate: 1
        data:
          predictions: replies.jsonl
          references: documents.jsonl
        metrics:
          fields:
            compare:
              severity: casefold
              width: {as: number, relative: 5%}
              $.location: ignore
        thresholds:
          fields.accuracy: {min: 95%}
          fields.exact: {min: 80%, where: {field: severity}}
          fields.missing: {max: 2%}
          fields.invented: {max: 2%}
        ```
    """

    name: ClassVar[str] = "fields"
    scores: ClassVar[tuple[Score, ...]] = (
        Score("accuracy", "share of fields that are right, over all samples"),
        Score("exact", "share of replies with every field right", share=True),
        Score("missing", "share of referenced values that the replies lack", direction="lower"),
        Score("invented", "share of the replies' values where the reference has none", direction="lower"),
    )
    needs: ClassVar[frozenset[str]] = frozenset({"documents"})
    keys: ClassVar[tuple[str, ...]] = ("field",)

    #: how values agree, by field: exact, casefold, number, set, list, date, text or ignore, or {as: …} with options
    compare: dict[str, Written] | None = field(default=None, hash=False)
    #: how the values of all other fields agree
    others: Literal["exact", "casefold", "ignore"] = "exact"

    def __post_init__(self) -> None:
        super().__post_init__()
        declared = self._declared()
        for steps, (written, _) in declared.items():
            for length in range(len(steps)):
                if steps[:length] in declared:
                    above = declared[steps[:length]][0]
                    raise ValueError(f"compare: {written!r} lies in {above!r}, which is compared whole; keep one")

    def _declared(self) -> dict[tuple[Step, ...], tuple[str, Callable[[Values], Rule] | None]]:
        """Path as written and comparison, by steps.

        Raises:
            ValueError: If one is none, or two are for one field.
        """
        found: dict[tuple[Step, ...], tuple[str, Callable[[Values], Rule] | None]] = {}
        for path, written in (self.compare or {}).items():
            try:
                steps = parse_path(path)
            except ValueError as error:
                raise ValueError(f"compare: {error}") from None
            try:
                rule = make_rule(written)
            except ValueError as error:
                raise ValueError(f"compare: {path}: {error}") from None
            if steps in found:
                raise ValueError(f"compare: {found[steps][0]!r} and {path!r} are one field; keep one")
            found[steps] = path, rule
        return found

    def statistics(self, data: Dataset) -> Statistics:
        declared = self._declared()
        values, fields = Values(), Fields()
        rules = [None if make is None else make(values) for _, make in declared.values()]
        for rule in rules:
            if rule is not None:
                rule.require_sense()
        for number, steps in enumerate(declared):
            fields.at(steps).rule = number
        make = make_default(self.others)
        default = None if make is None else make(values)
        while True:
            walk = Walk(fields, values, rules, default)
            failures = _walk(walk, data)
            # Texts in lists that are matched are scored together; then the lists are gone through once more.
            if not sum(rule.settle(data.workspace) for rule in rules if rule is not None):
                break
        slots = walk.slots
        _require_fields(data, fields, declared)
        agree = _agreements(slots, fields, [*rules, default], data)
        _require_fit(data, slots, fields, rules, values)
        if len(data) and not (slots.field >= 0).any():
            raise UnmeasurableError(
                f"{data.references.file}: every field is ignored, and nothing is left to compare; "
                "take one out of what compare and others ignore"
            )
        return _rows(
            data,
            slots,
            agree,
            fields=fields,
            values=values,
            failures=failures,
            by_equality=_compared_by_equality(walk, fields),
        )

    def per_sample(self, statistics: Statistics) -> Float:
        """(n, 8): slots, right ones, referenced, missing, given, invented, samples with slots, exact ones."""
        total = dict(zip(COLUMNS, statistics.totals.T, strict=True))
        right = total["right"] + total["none"]
        both = total["right"] + total["wrong"]
        slots = right + total["wrong"] + total["missing"] + total["invented"] + total["unsaid"]
        invented = total["invented"] + (total["unread"] > 0)
        there = slots > 0
        return np.column_stack(
            [
                slots,
                right,
                both + total["missing"],
                total["missing"],
                both + invented,
                invented,
                there,
                there & (right == slots),
            ]
        )

    def formula(self, sums: Float) -> Float:
        slots, right, referenced, missing, given, invented, samples, exact = sums.T
        return np.column_stack(
            [
                ratio(right, slots),
                ratio(exact, samples),
                ratio(missing, referenced),
                ratio(invented, given),
            ]
        )

    def trials(self, statistics: Statistics) -> Bool:
        slots, _, referenced, _, given, _, _, _ = self.per_sample(statistics).T
        key = statistics.keys["field"]
        asked = np.array([name in key.asked for name in key.names], dtype=np.bool_)
        # A field that no reference has is no field to be right in: a group of nothing else is left out.
        codes = np.unique(key.code)
        there = (slots > 0) & bool((codes < 0).any() or asked[codes].any())
        return np.column_stack([there, there, referenced > 0, given > 0])

    def faults(self, score: str) -> Mapping[str, str]:
        if score == "missing":
            return {"missing": "missing"}
        if score == "invented":
            return {"invented": "invented", "unread": "unread"}
        return {name: name for name in ("wrong", "missing", "invented", "unsaid")}

    def caveats(self, statistics: Statistics, score: str) -> Sequence[str]:
        rows = statistics.keys["field"].code >= 0
        free = sum(statistics.column(name)[rows].sum() for name in ("none", "invented", "unsaid"))
        if score != "invented" or free:
            return ()
        counted = "; what counts are replies that are no documents" if statistics.column("unread").any() else ""
        return (f"every reference has a value here: only a field that no reference has could be invented{counted}",)

    def measures(self, statistics: Statistics, ids: Sequence[str]) -> Mapping[str, Any]:
        counts = _per_field(statistics)
        slots, errors = counts["slots"], counts["errors"]
        lost = int(np.count_nonzero(statistics.keys["field"].code < 0))
        names = statistics.keys["field"].names
        kinds, more = _kinds(statistics)
        return {
            "slots": int(slots.sum()) + lost,
            "errors": int(errors.sum()) + lost,
            "unread": len(np.unique(statistics.sample[statistics.column("unread") > 0])),
            "fields": [
                {
                    "field": names[i],
                    **{name: int(count[i]) for name, count in counts.items()},
                    "accuracy": float(1 - errors[i] / slots[i]),
                }
                for i in np.argsort(-errors, kind="stable")[:FIELDS]
                if slots[i]
            ],
            "swapped": _count_swapped(statistics),
            "kinds": examples(statistics, ids, kinds),
            "more": more,
        }

    def explain(self, measures: Mapping[str, Any]) -> Sequence[str]:
        return tuple(_sentences(measures))


def _walk(walk: Walk, data: Dataset) -> dict[int, ParseFailure]:
    """Go through all samples; which replies are no documents, and why."""
    failures: dict[int, ParseFailure] = {}
    with no_collection():
        for i, (found, due) in enumerate(zip(data.predictions.documents, data.references.documents, strict=True)):
            if isinstance(found, ParseFailure):
                failures[i] = found
                walk.add(i, due, ABSENT)
            else:
                walk.add(i, due, found)
    return failures


def _require_fields(data: Dataset, fields: Fields, declared: Mapping[tuple[Step, ...], tuple[str, object]]) -> None:
    """Every field that is declared is in a reference.

    Raises:
        UnmeasurableError: If one is not.
    """
    lacking = [(steps, path) for steps, (path, _) in declared.items() if not fields.at(steps).asked]
    if not lacking or not len(data):
        return
    seen = _seen(fields)
    steps, path = lacking[0]
    hint = did_you_mean(path_name(steps), seen)
    known = f"; they have {', '.join(quoted(name) for name in seen[:8])}{', …' if len(seen) > 8 else ''}"
    raise UnmeasurableError(
        f"{data.references.file}: compare names the field {path!r}, which no reference has; "
        f"{hint or 'correct or remove it'}{'' if hint else known}"
    )


def _seen(fields: Fields) -> list[str]:
    """Names of the fields that references have, and of what they lie in."""
    found: dict[str, None] = {}
    for one in fields.all:
        at: Field | None = one if one.asked else None
        while at is not None and at.name not in found:
            found[at.name] = None
            at = at.above if at.above is not fields.root else None
    return [*found]


def _require_fit(data: Dataset, slots: Slots, fields: Fields, rules: Sequence[Rule | None], values: Values) -> None:
    """Every referenced value can be compared as is declared.

    Raises:
        DataError: If one cannot.
    """
    which = np.array([one.rule for one in fields.all], dtype=np.int64)[slots.field]
    for number, rule in enumerate(rules):
        if rule is None or isinstance(rule, Exact):
            continue
        rows = np.flatnonzero((which == number) & (slots.due >= 0))
        distinct, first = np.unique(slots.due[rows], return_index=True)
        rule.prepare(distinct, data.workspace)
        for i in np.argsort(first):
            if misfit := rule.misfit(int(distinct[i])):
                row = rows[first[i]]
                name, sample = fields.all[slots.field[row]].name, data.ids[slots.sample[row]]
                raise DataError(
                    data.references.file,
                    f"the reference of {quoted(sample)} has {show(values.all[distinct[i]])} at {name}, which "
                    f"{misfit.why}; correct it, or change what compare says of {name}",
                )


def _agreements(slots: Slots, fields: Fields, rules: Sequence[Rule | None], data: Dataset) -> Bool:
    """(r,) whether both sides have a value and they agree; every different pair is compared once.

    Args:
        slots: Of all samples.
        fields: Theirs.
        rules: Comparisons that are declared, and at the end the one of all other fields.
        data: The data.
    """
    both = (slots.due >= 0) & (slots.found >= 0)
    agree: Bool = both & (slots.due == slots.found)
    which = np.array([one.rule for one in fields.all], dtype=np.int64)[slots.field]
    which[which < 0] = len(rules) - 1
    for number, rule in enumerate(rules):
        if rule is None or isinstance(rule, Exact):
            continue
        rows = np.flatnonzero(both & (which == number))
        span = int(slots.found[rows].max(initial=0)) + 1
        pairs, place = np.unique(slots.due[rows] * span + slots.found[rows], return_inverse=True)
        due, found = np.divmod(pairs, span)
        rule.candidates(found, due)
        rule.settle(data.workspace)
        agree[rows] = rule.agreements(found, due)[place]
    return agree


def _compared_by_equality(walk: Walk, fields: Fields) -> Bool:
    """(fields,) whether they are compared by equality."""
    return np.array([isinstance(walk.rule(one), Exact) for one in fields.all], dtype=np.bool_)


def _rows(
    data: Dataset,
    slots: Slots,
    agree: Bool,
    *,
    fields: Fields,
    values: Values,
    failures: Mapping[int, ParseFailure],
    by_equality: Bool,
) -> Statistics:
    """The rows of all slots."""
    n = len(data)
    parsed = np.ones(n, dtype=np.bool_)
    parsed[[*failures]] = False
    read = parsed[slots.sample]
    has_due, has_found = slots.due >= 0, slots.found >= 0
    kinds = {
        "right": agree,
        "none": ~has_due & ~has_found & read,
        "wrong": has_due & has_found & ~agree,
        "missing": has_due & ~has_found,
        "invented": ~has_due & has_found,
        "unsaid": ~has_due & ~has_found & ~read,
        "unread": ~read,
    }
    used, first = np.unique(slots.field, return_index=True)
    order = used[np.argsort(first)]  # as they come, so that shards join to the whole
    order = order[order >= 0]
    code = np.full(len(fields.all) + 1, NONE)  # the last is that of no field
    code[order] = np.arange(len(order))
    named = slots.due != UNNAMED
    asked = np.zeros(len(fields.all), dtype=np.bool_)
    asked[slots.field[named]] = True
    names = tuple(fields.all[i].name for i in order)
    partner = np.full(len(slots.sample), NONE)
    for row, other in _swaps(slots, np.flatnonzero(kinds["wrong"] & by_equality[slots.field]), values):
        partner[row] = code[slots.field[other]]
    asked_names = frozenset(fields.all[i].name for i in np.flatnonzero(asked))
    return Statistics(
        columns=COLUMNS,
        values=np.column_stack([kinds[name] for name in COLUMNS]).astype(np.float64),
        sample=slots.sample,
        n=n,
        keys={"field": Key(code[slots.field], names, asked_names), "swapped": Key(partner, names)},
        notes=(f"replies that hold no document: {len(failures)}",) if failures else (),
        remarks=_remarks(slots, kinds, values, failures),
    )


def _swaps(slots: Slots, wrong: Int, values: Values) -> Iterator[tuple[int, int]]:
    """Rows of fields of one object that have each other's value, both ways; true and false are too often a chance."""
    low, high = (choose(slots.due[wrong], slots.found[wrong]) for choose in (np.minimum, np.maximum))
    order = np.lexsort((high, low, slots.parent[wrong]))
    rows, low, high = wrong[order], low[order], high[order]
    parent = slots.parent[rows]
    new = np.ones(len(rows), dtype=np.bool_)
    new[1:] = (np.diff(parent) != 0) | (np.diff(low) != 0) | (np.diff(high) != 0)
    starts = np.flatnonzero(new)
    sizes = np.diff([*starts.tolist(), len(rows)])
    for start, size in zip(starts[sizes > 1].tolist(), sizes[sizes > 1].tolist(), strict=True):
        if isinstance(values.all[low[start]], bool):
            continue
        alike = rows[start : start + size]
        there, back = (alike[slots.due[alike] == side[start]].tolist() for side in (low, high))
        for a, b in zip(there, back, strict=False):
            yield a, b
            yield b, a


def _remarks(slots: Slots, kinds: Mapping[str, Bool], values: Values, failures: Mapping[int, ParseFailure]) -> Remarks:
    """(r,) what reports show of a slot that is not right; one text for all slots of the same values."""
    remarks = np.full(len(slots.sample), "", dtype=np.object_)
    rows = np.flatnonzero((kinds["wrong"] | kinds["missing"] | kinds["invented"]) & ~kinds["unread"])
    span = int(slots.found.max(initial=0)) + 2
    pairs, place = np.unique((slots.due[rows] + 2) * span + slots.found[rows] + 1, return_inverse=True)
    texts = np.empty(len(pairs), dtype=np.object_)
    for i, (due, found) in enumerate(zip(*(side.tolist() for side in np.divmod(pairs, span)), strict=True)):
        said = show(values.all[found - 1]) if found else "nothing"
        asked = "nothing" if due == 0 else "null" if due == 1 else show(values.all[due - 2])
        texts[i] = f"found {said}, due {asked}"
    remarks[rows] = texts[place]
    causes = {i: str(failure) for i, failure in failures.items()}
    for row in np.flatnonzero(kinds["unread"]).tolist():
        remarks[row] = causes[int(slots.sample[row])]
    return remarks


def _per_field(statistics: Statistics) -> dict[str, Int]:
    """(fields,) what is counted of every field."""
    key = statistics.keys["field"]
    there = key.code >= 0

    def count(name: str) -> Int:
        return np.bincount(key.code[there], statistics.column(name)[there], len(key.names)).astype(np.int64)

    errors = {name: count(name) for name in ("wrong", "missing", "invented", "unsaid")}
    wrong = sum(errors.values(), np.zeros(len(key.names), dtype=np.int64))
    return {"slots": count("right") + count("none") + wrong, "errors": wrong, **errors}


def _kinds(statistics: Statistics) -> tuple[dict[str, Bool], int]:
    """(r,) rows of the commonest kinds of errors, by name; and how many kinds are left out."""
    key = statistics.keys["field"]
    unread = statistics.column("unread") > 0
    words = ("wrong", "missing", "invented")
    there = {word: (statistics.column(word) > 0) & ~unread for word in words}
    often = np.concatenate([np.bincount(key.code[there[word]], minlength=len(key.names)) for word in words])
    kinds = {"no document": unread}
    for i in np.argsort(-often, kind="stable")[:KINDS].tolist():
        word, code = words[i // len(key.names)], i % len(key.names)
        if often[i]:
            kinds[f"{key.names[code]} {word}"] = there[word] & (key.code == code)
    return kinds, max(0, int(np.count_nonzero(often)) - KINDS)


def _count_swapped(statistics: Statistics) -> list[dict[str, Any]]:
    """Fields that have each other's value, and in how many samples, the commonest first."""
    key, partner = statistics.keys["field"], statistics.keys["swapped"].code
    rows = np.flatnonzero(partner >= 0)
    pairs = np.sort(np.column_stack([key.code[rows], partner[rows]]), axis=1)
    # One item of a list is as good as several: replies are counted.
    both = np.unique(np.column_stack([pairs, statistics.sample[rows]]), axis=0)[:, :2]
    distinct, counts = np.unique(both, axis=0, return_counts=True)
    found = [
        {"fields": [key.names[i] for i in pair], "count": count}
        for pair, count in zip(distinct.tolist(), counts.tolist(), strict=True)
    ]
    return sorted(found, key=lambda item: -item["count"])


def _sentences(measures: Mapping[str, Any]) -> Iterator[str]:
    """What the slots tell."""
    dear = [item for item in measures["fields"] if item["errors"]][:DEAREST]
    if dear:
        named = ", ".join(f"{item['field']} ({item['errors']} of {item['slots']})" for item in dear)
        yield f"{measures['errors']} of {measures['slots']} fields are not right; most of them: {named}"
    for swap in measures["swapped"][:DEAREST]:
        a, b = map(quoted, swap["fields"])
        yield f"{a} and {b} are swapped in {swap['count']} {'reply' if swap['count'] == 1 else 'replies'}"
    yield from sentences(measures["kinds"])
    if measures["more"]:
        yield f"and {measures['more']} more kinds"
