"""Whether a model keeps to one structure: the same keys, types and nesting in every reply."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pytest_vigate.data.coordinates import Bool, Float, Int
from pytest_vigate.data.dataset import Dataset
from pytest_vigate.data.replies import ParseFailure, quoted
from pytest_vigate.errors import UnmeasurableError, did_you_mean
from pytest_vigate.metrics._paths import ITEMS, joined
from pytest_vigate.metrics.base import Key, Metric, Score, Statistics, ratio

#: Differences between the two commonest structures that the diagnosis shows.
SHOWN = 12
#: Samples that it names of each.
EXAMPLES = 3


@dataclass(frozen=True)
class Consistency(Metric):
    """Share of replies with the commonest structure of their group, in [0, 1]; higher is better.

    Definition:
        The structure of a document is what is left when its values are taken out: the keys of objects, in any order,
        the type of every value (object, array, string, number, boolean, null), the nesting, and of an array the set of
        its elements' structures, however many there are. ``share = commonest / samples`` over all replies, where the
        commonest structure is counted in every group of the attribute ``by`` on its own (in all replies together
        without one), and a reply that does not parse has none. ``structures`` is the number of different structures
        of the group that has most of them.

    Statistics:
        One row a sample, ``samples`` (1) and ``parsed`` (0 or 1), with the keys ``group`` and ``structure``, the latter
        as JSON with the names of types in place of values, empty where the reply does not parse.

    Degenerate:
        Where no reply parses, ``share`` is 0 and ``structures`` is undefined. An empty array has no elements and so a
        structure of its own; so has ``null`` in place of a value. A reply without the attribute is in a group of those.
        A reply that is alone in its group is always like itself: it is no evidence.

    Differs from:
        Checks against a schema, which say whether replies are as they should be; here they only have to be alike.

    Sources:
        Own definition; no reference implementation.

    Gate:
        ```yaml
        vigate: 1
        data:
          predictions: replies.jsonl
          attributes: [kind]
        metrics:
          consistency: {by: kind}
        thresholds:
          consistency.share: {min: 95%}
          consistency.structures: {max: 2}
        ```
    """

    name: ClassVar[str] = "consistency"
    scores: ClassVar[tuple[Score, ...]] = (
        Score("share", "share of replies with the commonest structure of their group"),
        Score(
            "structures", "different structures in a group, the most there are", low=1, high=np.inf, direction="lower"
        ),
    )

    #: attribute whose values each have a structure of their own; it is listed under data.attributes
    by: str | None = None

    def statistics(self, data: Dataset) -> Statistics:
        side, n = data.predictions, len(data)
        if side.derive_documents is None:
            raise UnmeasurableError(
                f"{side.file}: consistency needs replies; name the field that holds them under 'fields'"
            )
        structures: dict[str, int] = {"": 0}
        code = np.zeros(n, dtype=np.int64)
        for i, document in enumerate(side.documents):
            if not isinstance(document, ParseFailure):
                code[i] = structures.setdefault(structure(document), len(structures))
        group, groups = _groups(self.by, data)
        return Statistics(
            columns=("samples", "parsed"),
            values=np.column_stack([np.ones(n), code > 0]),
            sample=np.arange(n),
            n=n,
            keys={"group": Key(group, groups), "structure": Key(code, tuple(structures))},
        )

    def evaluate(self, statistics: Statistics, weights: Float) -> Float:
        if "cells" not in statistics.prepared:
            statistics.prepared["cells"] = _cells(statistics)
        cells: _Cells = statistics.prepared["cells"]
        drawn = weights[:, statistics.sample]  # (B, r)
        total = drawn.sum(axis=1)
        if not len(cells.order):
            return np.column_stack([ratio(np.zeros_like(total), total), np.full_like(total, np.nan)])
        counts = np.add.reduceat(drawn[:, cells.order], cells.starts, axis=1)  # (B, cells)
        commonest = np.maximum.reduceat(counts, cells.groups, axis=1).sum(axis=1)
        kinds = np.add.reduceat(counts > 0, cells.groups, axis=1, dtype=np.int64).max(axis=1)
        return np.column_stack([ratio(commonest, total), np.where(kinds > 0, kinds, np.nan)])

    def trials(self, statistics: Statistics) -> Bool:
        group = statistics.keys["group"].code
        accompanied = np.zeros(statistics.n, dtype=bool)
        accompanied[statistics.sample] = np.bincount(group)[group] > 1
        parsed = statistics.totals[:, statistics.columns.index("parsed")] > 0
        return np.column_stack([accompanied, accompanied & parsed])

    def caveats(self, statistics: Statistics, score: str) -> Sequence[str]:
        alone = int(np.count_nonzero(np.bincount(statistics.keys["group"].code) == 1))
        return (f"groups of one reply, which is always like itself: {alone}",) if alone else ()

    def measures(self, statistics: Statistics, ids: Sequence[str]) -> Mapping[str, Any]:
        cells = _cells(statistics)
        names, groups = statistics.keys["structure"].names, statistics.keys["group"]
        found = []
        sizes = np.diff([*cells.starts, len(cells.order)])
        for i, begin in enumerate(cells.groups):
            end = cells.groups[i + 1] if i + 1 < len(cells.groups) else len(cells.starts)
            largest = begin + np.argsort(-sizes[begin:end], kind="stable")[:2]
            rows = [cells.order[cells.starts[cell] : cells.starts[cell] + sizes[cell]] for cell in largest]
            found.append(
                {
                    "group": groups.names[groups.code[rows[0][0]]],
                    "structures": int(end - begin),
                    "commonest": [
                        {
                            "structure": names[statistics.keys["structure"].code[there[0]]],
                            "count": len(there),
                            "samples": [ids[j] for j in statistics.sample[there[:EXAMPLES]]],
                        }
                        for there in rows
                    ],
                }
            )
        unparsed = len(statistics.sample) - int(statistics.column("parsed").sum())
        return {"samples": len(statistics.sample), "unparsed": unparsed, "groups": found}

    def explain(self, measures: Mapping[str, Any]) -> Sequence[str]:
        return tuple(_sentences(measures))


@dataclass(frozen=True, slots=True)
class _Cells:
    """Rows with a structure, sorted by group and structure: those of one group and structure are a cell."""

    order: Int  # (parsed,) rows
    starts: Int  # (cells,) first place in `order` of every cell
    groups: Int  # first cell of every group


def _cells(statistics: Statistics) -> _Cells:
    group, kind = statistics.keys["group"].code, statistics.keys["structure"].code
    order = np.lexsort((kind, group))
    order = order[kind[order] > 0]
    new_group = np.diff(group[order], prepend=-1) != 0
    new_cell = new_group | (np.diff(kind[order], prepend=-1) != 0)
    starts = np.flatnonzero(new_cell)
    return _Cells(order, starts, np.flatnonzero(new_group[starts]))


def _groups(by: str | None, data: Dataset) -> tuple[Int, tuple[str, ...]]:
    """(n,) group of every sample, and the groups' names; one without a name where nothing tells them apart."""
    if by is None:
        return np.zeros(len(data), dtype=np.int64), ("",)
    if by not in data.attributes:
        hint = did_you_mean(by, tuple(data.attributes)) or "list it under data.attributes"
        raise UnmeasurableError(f"consistency: by: {by!r} is not in data.attributes; {hint}")
    column = ["(none)" if value is None else value for value in data.attributes[by]]
    place = {name: i for i, name in enumerate(dict.fromkeys(column))}
    return np.array([place[name] for name in column], dtype=np.int64), tuple(place)


_TYPES: Mapping[type, str] = {
    str: '"string"',
    int: '"number"',
    float: '"number"',
    bool: '"boolean"',
    type(None): '"null"',
}


def structure(document: object) -> str:
    """A document's structure as JSON: types in place of values; keys, and what an array's elements are, are sorted."""
    out: list[str] = []  # finished structures
    todo: list[tuple[object, int]] = [(document, -1)]  # what to take apart, and then what to put together of how many
    while todo:
        value, parts = todo.pop()
        if parts >= 0:
            pieces = out[len(out) - parts :]
            del out[len(out) - parts :]
            if isinstance(value, dict):
                # The last pieces are those of the last keys.
                members = sorted(zip(value, pieces, strict=True))
                out.append("{" + ", ".join(f"{json.dumps(key)}: {piece}" for key, piece in members) + "}")
            else:
                out.append("[" + ", ".join(sorted(set(pieces))) + "]")
        elif isinstance(value, dict | list):
            todo.append((value, len(value)))
            inner = value.values() if isinstance(value, dict) else value
            todo += [(item, -1) for item in reversed([*inner])]
        else:
            out.append(_TYPES[type(value)])
    return out[0]


def _sentences(measures: Mapping[str, Any]) -> Iterator[str]:
    """The two commonest structures side by side, of the groups that have several."""
    if measures["unparsed"]:
        yield f"{measures['unparsed']} of {measures['samples']} replies do not parse and have no structure"
    mixed = [group for group in measures["groups"] if len(group["commonest"]) > 1]
    for group in sorted(mixed, key=lambda group: -group["commonest"][1]["count"])[:EXAMPLES]:
        first, second = group["commonest"]
        where = f" of {quoted(group['group'])}" if group["group"] else ""
        yield f"the two commonest of {group['structures']} structures{where}:"
        heads = [f"{side['count']} times, as {quoted(side['samples'][0])}" for side in (first, second)]
        table = [("", *heads), *_differences(first["structure"], second["structure"])]
        widths = [max(len(row[i]) for row in table[: SHOWN + 1]) for i in range(2)]
        for path, one, other in table[: SHOWN + 1]:
            yield f"  {path:<{widths[0]}}  {one:<{widths[1]}}  {other}"
        if len(table) > SHOWN + 1:
            yield f"  and {len(table) - SHOWN - 1} more differences"


def _differences(one: str, other: str) -> list[tuple[str, str, str]]:
    """(path, type here, type there) where two structures differ."""
    flat = [_flat(one), _flat(other)]
    paths = sorted({*flat[0], *flat[1]})
    found = [(path, flat[0].get(path, "-"), flat[1].get(path, "-")) for path in paths]
    return [row for row in found if row[1] != row[2]]


def _flat(text: str) -> dict[str, str]:
    """Type by path; of an array's elements all that they are."""
    found: dict[str, set[str]] = {}
    todo: list[tuple[str, Any]] = [("$", json.loads(text))]
    while todo:
        path, value = todo.pop()
        kind = value if isinstance(value, str) else "object" if isinstance(value, dict) else "array"
        found.setdefault(path, set()).add("empty array" if value == [] else kind)
        if isinstance(value, dict):
            todo += [(joined(path, key), inner) for key, inner in value.items()]
        elif isinstance(value, list):
            todo += [(joined(path, ITEMS), inner) for inner in value]
    return {path: " or ".join(sorted(kinds)) for path, kinds in found.items()}
