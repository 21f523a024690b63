"""The fields of references beside those of replies: which value stands for which, also in lists of objects."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pytest_vigate.data.coordinates import Bool, Float, Int
from pytest_vigate.metrics._comparisons import Keyed, Paired, Rule
from pytest_vigate.metrics._paths import Field, Fields
from pytest_vigate.metrics._values import Values

#: Due: the reference says that there is no value. Found: the reply gives none. Field: there is none to speak of.
NONE = -1
#: Due: the reference does not name the field.
UNNAMED = -2
#: Items of the shorter list up to which items are matched by their fields: beyond, in order.
MOST_ITEMS = 256
#: Pairs of items times their fields, up to which they are; 16 MB a list.
MOST_CELLS = 2_000_000
#: Null in an item.
_NULL = -2
#: Whole numbers up to this are exact in double precision.
_WHOLE_LIMIT = 2.0**53


class _Absent:
    """What stands where there is no value, not even null."""


ABSENT = _Absent()


@dataclass(frozen=True, slots=True)
class Slots:
    """Fields that a reference names or a reply gives, one a row."""

    sample: Int  # (r,)
    field: Int  # (r,) number of the field, or NONE
    due: Int  # (r,) number of the referenced value, or NONE or UNNAMED
    found: Int  # (r,) number of the reply's value, or NONE
    parent: Int  # (r,) object that the field is in, one a pair of objects


class Walk:
    """Goes through references and replies together.

    Args:
        fields: What is declared of fields; those that are seen are added.
        values: Of all documents.
        rules: Comparisons that fields declare by number; None where the field is ignored.
        default: The comparison of others; None where they are ignored.
    """

    def __init__(self, fields: Fields, values: Values, rules: Sequence[Rule | None], default: Rule | None) -> None:
        self._fields, self._values, self._rules, self._default = fields, values, rules, default
        self._sample, self._field = array("q"), array("q")
        self._due, self._found, self._parent = array("q"), array("q"), array("q")
        self._parents = 0
        self._classes: dict[object, int] = {}

    @property
    def slots(self) -> Slots:
        """What was found."""
        columns = (self._sample, self._field, self._due, self._found, self._parent)
        return Slots(*(np.array(column, dtype=np.int64) for column in columns))

    def rule(self, field: Field) -> Rule | None:
        """The comparison of a field; None where it is ignored."""
        return self._default if field.rule < 0 else self._rules[field.rule]

    def add(self, sample: int, due: object, found: object) -> None:
        """The slots of one sample; `ABSENT` where there is no reply. Time is linear but for lists that are matched.

        Without a reply there is one slot at least, of no field where all fields are ignored: silence has to count.
        """
        before, silent = len(self._sample), found is ABSENT
        self._parents += 1
        todo: list[tuple[Field, object, object, int]] = [(self._fields.root, due, found, self._parents)]
        while todo:
            field, due, found, parent = todo.pop()
            if field.rule < 0 and type(due) is dict and due:
                self._parents += 1
                here = self._parents
                others = found if type(found) is dict else {}
                if type(found) is not dict:
                    todo.append((field, ABSENT, found, parent))
                for key, value in others.items():
                    if key not in due:
                        todo.append((self._fields.key(field, key), ABSENT, value, here))
                keys = field.keys
                for key, value in reversed(due.items()):  # the last on the pile is the first that is done
                    below = keys.get(key) or self._fields.key(field, key)
                    todo.append((below, value, others.get(key, ABSENT), here))
            elif field.rule < 0 and type(due) is list and holds_objects(due):
                below = self._fields.items(field)
                if type(found) is list:
                    todo += [(below, a, b, parent) for a, b in reversed([*self._matched(below, due, found)])]
                else:
                    todo += [(below, item, ABSENT, parent) for item in reversed(due)]
                    todo.append((field, ABSENT, found, parent))
            elif field.rule < 0 and due is ABSENT and type(found) is dict and found:
                self._parents += 1
                todo += [(self._fields.key(field, key), ABSENT, value, self._parents) for key, value in found.items()]
            elif field.rule < 0 and due is ABSENT and type(found) is list and holds_objects(found):
                todo += [(self._fields.items(field), ABSENT, item, parent) for item in found]
            else:
                self._put(sample, field, due, found, parent)
        if silent and len(self._sample) == before:
            self._append(sample, NONE, UNNAMED, NONE, self._parents)

    def _put(self, sample: int, field: Field, due: object, found: object, parent: int) -> None:
        named = due is not ABSENT
        field.asked |= named
        given = found is not ABSENT and found is not None
        if type(found) is dict or type(found) is list:
            given = self._says(field, found)
        if not (named or given) or self.rule(field) is None:
            return
        asked = (NONE if due is None else self._values.number(due)) if named else UNNAMED
        self._append(sample, field.number, asked, self._values.number(found) if given else NONE, parent)

    def _append(self, sample: int, field: int, due: int, found: int, parent: int) -> None:
        self._sample.append(sample)
        self._field.append(field)
        self._due.append(due)
        self._found.append(found)
        self._parent.append(parent)

    def _says(self, field: Field, found: object) -> bool:
        """Whether something is a value, or holds one that is compared: an object of nulls says nothing."""
        todo = [(field, found)]
        while todo:
            at, value = todo.pop()
            if at.rule < 0 and type(value) is dict and value:
                todo += [(self._fields.key(at, key), below) for key, below in value.items()]
            elif at.rule < 0 and type(value) is list and holds_objects(value):
                todo += [(self._fields.items(at), below) for below in value]
            elif value is not None and self.rule(at) is not None:
                return True
        return False

    def _matched(self, field: Field, due: Sequence[object], found: Sequence[object]) -> Iterator[tuple[object, object]]:
        """Items side by side, `ABSENT` beside those that are left over."""
        partner = self._partners(field, due, found) if found else {}
        for i, item in enumerate(due):
            yield item, found[partner[i]] if i in partner else ABSENT
        taken = set(partner.values())
        for j, item in enumerate(found):
            if j not in taken:
                yield ABSENT, item

    def _partners(self, field: Field, due: Sequence[object], found: Sequence[object]) -> dict[int, int]:
        """Place of the found item for every due one that gets one, as many as the shorter list has.

        Items that are equal in all their fields first, those in the same place before others; then the rest so that
        most fields agree, most are there on both sides, fewest values stand where a reference has null, most places
        are the same. Where the rest is too long for that: in order.
        """
        if len(due) == len(found) == 1:
            return {0: 0}
        alike = [[self._class(field, item) for item in side] for side in (due, found)]
        partner = {i: i for i, (a, b) in enumerate(zip(*alike, strict=False)) if a == b}
        free: dict[int, deque[int]] = defaultdict(deque)
        for j, group in enumerate(alike[1]):
            if j not in partner:
                free[group].append(j)
        for i, group in enumerate(alike[0]):
            if i not in partner and (places := free.get(group)):
                partner[i] = places.popleft()
        taken = set(partner.values())
        rest = [i for i in range(len(due)) if i not in partner], [j for j in range(len(found)) if j not in taken]
        if len(rest[0]) == len(rest[1]) == 1 or not (rest[0] and rest[1]):
            return {**partner, **dict(zip(*rest, strict=False))}
        gain = None
        if min(map(len, rest)) <= MOST_ITEMS:
            dues, founds = (
                [self._profile(field, due[i]) for i in rest[0]],
                [self._profile(field, found[j]) for j in rest[1]],
            )
            gain = self._gain(dues, founds, rest)
        if gain is None:
            return {**partner, **dict(zip(*rest, strict=False))}
        from scipy.optimize import linear_sum_assignment  # half a second to import, and few lists come here

        chosen = linear_sum_assignment(gain, maximize=True)
        return {**partner, **{rest[0][i]: rest[1][j] for i, j in zip(*(side.tolist() for side in chosen), strict=True)}}

    def _class(self, field: Field, item: object) -> int:
        """A number that is the same for items that agree in everything, whatever the order of lists inside them."""
        found: list[int] = []
        open_ = [_Open(found, [(field, item)])]
        while open_:
            part = open_[-1]
            if not part.todo:
                open_.pop()
                lists = sorted((number, tuple(sorted(classes))) for number, classes in part.lists)
                part.out.append(
                    self._classes.setdefault((tuple(sorted(part.pieces)), tuple(lists)), len(self._classes))
                )
                continue
            at, value = part.todo.pop()
            if at.rule < 0 and type(value) is dict and value:
                part.todo += [(self._fields.key(at, key), below) for key, below in value.items()]
            elif at.rule < 0 and type(value) is list and holds_objects(value):
                classes: list[int] = []
                part.lists.append((at.number, classes))
                open_ += [_Open(classes, [(self._fields.items(at), below)]) for below in value]
            elif value is not None and (rule := self.rule(at)) is not None:
                part.pieces.append((at.number, self._code(rule, value)))
        return found[0]

    def _code(self, rule: Rule, value: object) -> int:
        number = self._values.number(value)
        return rule.code(number) if isinstance(rule, Keyed) else number

    def _profile(self, field: Field, item: object) -> _Profile:
        """The fields of an item of a list."""
        single: dict[int, int] = {}
        several: list[tuple[int, int]] = []
        todo: list[tuple[Field, object, bool]] = [(field, item, False)]
        while todo:
            at, value, nested = todo.pop()
            if at.rule < 0 and type(value) is dict and value:
                todo += [(self._fields.key(at, key), below, nested) for key, below in value.items()]
            elif at.rule < 0 and type(value) is list and holds_objects(value):
                todo += [(self._fields.items(at), below, True) for below in value]
            elif (rule := self.rule(at)) is not None and not (nested and value is None):
                code = _NULL if value is None else self._code(rule, value)
                if nested:
                    several.append((at.number, code))
                else:
                    single[at.number] = code
        return _Profile(single, several)

    def _gain(
        self, dues: Sequence[_Profile], founds: Sequence[_Profile], places: tuple[list[int], list[int]]
    ) -> Float | None:
        """(due, found) what each pair is worth; None where there are too many."""
        columns = [*dict.fromkeys(number for profile in dues for number in profile.single)]
        both = {piece for a in dues for piece in a.several} & {piece for b in founds for piece in b.several}
        inner = {number for a in dues for number in a.lists} & {number for b in founds for number in b.lists}
        pairs, most = len(dues) * len(founds), min(len(dues), len(founds))
        if pairs * (len(columns) + len(both) + len(inner) + 1) > MOST_CELLS:
            return None
        a, b = (
            np.array([[profile.single.get(number, NONE) for number in columns] for profile in side], dtype=np.int64)
            for side in (dues, founds)
        )  # (due, columns), (found, columns)
        agree = (a[:, None, :] == b[None]) & (a >= 0)[:, None, :]
        for k, number in enumerate(columns):
            rule = self.rule(self._fields.all[number])
            if isinstance(rule, Paired):
                agree[:, :, k] = _compared(rule, a[:, k], b[:, k])
        there = [(side != NONE) & (side != _NULL) for side in (a, b)]
        nulls = _both(a == _NULL, there[1])
        agreeing, shared = agree.sum(axis=2), _both(*there)
        if both:
            agreeing = agreeing + _common(*([Counter(profile.several) for profile in side] for side in (dues, founds)))
            shared = shared + _common(*([Counter(profile.lists) for profile in side] for side in (dues, founds)))
        same = np.equal.outer(*places)
        return _ordered(agreeing, shared, nulls.max() - nulls, same, pairs=most)


@dataclass(slots=True)
class _Open:
    """An item whose class is being found."""

    out: list[int]
    """Where the class goes."""
    todo: list[tuple[Field, object]]
    pieces: list[tuple[int, int]] = field(default_factory=list)
    """Field and code of its values."""
    lists: list[tuple[int, list[int]]] = field(default_factory=list)
    """Field of lists of objects in it, and the classes of their items."""


@dataclass(frozen=True, slots=True)
class _Profile:
    """The values of an item, by the code under which they agree."""

    single: dict[int, int]
    """By number of the field; _NULL for null."""
    several: list[tuple[int, int]]
    """Field and code of what is in lists of objects inside the item."""

    @property
    def lists(self) -> list[int]:
        """Fields of `several`."""
        return [number for number, _ in self.several]


def holds_objects(items: Sequence[object]) -> bool:
    """Whether a list has items that are matched; others are one value."""
    return any(type(item) is dict for item in items)


def _compared(rule: Paired, due: Int, found: Int) -> Bool:
    """(due, found) whether values agree, every different pair compared once."""
    (dues, a), (founds, b) = (np.unique(side, return_inverse=True) for side in (due, found))
    pairs = np.repeat(founds[None], len(dues), axis=0).ravel(), np.repeat(dues, len(founds))
    real = (pairs[0] >= 0) & (pairs[1] >= 0)
    agree = np.zeros(len(real), dtype=np.bool_)
    rule.candidates(pairs[0][real], pairs[1][real])
    agree[real] = rule.agreements(pairs[0][real], pairs[1][real])
    return agree.reshape(len(dues), len(founds))[a[:, None], b[None]]


def _both(a: Bool, b: Bool) -> Int:
    """(due, found) fields that are there on both sides."""
    return a.astype(np.int64) @ b.astype(np.int64).T


def _common(dues: Sequence[Counter[Any]], founds: Sequence[Counter[Any]]) -> Int:
    """(due, found) pieces that both have, each as often as both have it."""
    place = {piece: k for k, piece in enumerate(set().union(*dues) & set().union(*founds))}
    counts = []
    for side in (dues, founds):
        count = np.zeros((len(side), len(place)), dtype=np.int64)
        for i, pieces in enumerate(side):
            for piece, times in pieces.items():
                if piece in place:
                    count[i, place[piece]] = times
        counts.append(count)
    a, b = counts
    return np.asarray(np.minimum(a[:, None], b[None]).sum(axis=2))


def _ordered(*counts: Int | Bool, pairs: int) -> Float:
    """(due, found) one gain of several counts, the first of which decides; the last ones go where there is no room.

    Args:
        counts: From 0, (due, found) each.
        pairs: That an assignment has.
    """
    gain = np.zeros(counts[0].shape)
    most = 0.0
    for count in counts:
        room = float(count.max()) * pairs + 1
        if (most + 1) * room >= _WHOLE_LIMIT:
            break
        gain = gain * room + count
        most = most * room + room - 1
    return gain
