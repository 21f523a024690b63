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
from pytest_vigate.metrics._examples import named
from pytest_vigate.metrics._paths import ITEMS, joined
from pytest_vigate.metrics.base import Key, Metric, Score, Statistics, ratio

#: Differences between the two commonest structures that the diagnosis shows.
SHOWN = 12
#: Samples that it names of each, and groups that it shows.
EXAMPLES = 3
#: Groups that a record holds.
GROUPS = 50
#: Characters of a structure in a record.
LONGEST = 2000


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

        The commonest of a few is more common among them than it is at large, so ``share`` is biased upwards in small
        samples and groups with several structures of about the same count. Its interval allows for that: the commonest
        structures are settled once, on the samples that are judged (of several with one count, the first in order of
        name), and a draw's share is theirs, less what it would gain by choosing the commonest anew. ``structures`` has
        no interval: no draw holds a structure that was never seen.

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

    def draw(self, statistics: Statistics, weights: Float) -> Float:
        anew = self.evaluate(statistics, weights)
        if "settled" not in statistics.prepared:
            statistics.prepared["settled"] = _settled(statistics)
        drawn = weights[:, statistics.sample]  # (B, r)
        share = ratio(drawn @ statistics.prepared["settled"], drawn.sum(axis=1))
        # anew - share: what choosing adds in a draw, the bootstrap's estimate of what it added to the score
        corrected = np.maximum(share - (anew[:, 0] - share), 0)
        return np.column_stack([corrected, np.full_like(share, np.nan)])

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
        names, groups = statistics.keys["structure"], statistics.keys["group"]
        sizes = np.diff(cells.starts, append=len(cells.order))
        ends = np.append(cells.groups, len(cells.starts))
        mixed = np.flatnonzero(np.diff(ends) > 1)
        outside = np.zeros(0, dtype=np.int64)
        if len(mixed):
            outside = (np.add.reduceat(sizes, cells.groups) - np.maximum.reduceat(sizes, cells.groups))[mixed]
        found: list[dict[str, Any]] = []
        for place in np.argsort(-outside, kind="stable")[:GROUPS].tolist():
            begin, end = ends[mixed[place]], ends[mixed[place] + 1]
            largest = begin + np.argsort(-sizes[begin:end], kind="stable")[:2]
            rows = [cells.order[cells.starts[cell] : cells.starts[cell] + sizes[cell]] for cell in largest]
            whole = [names.names[names.code[there[0]]] for there in rows]
            commonest = [
                {
                    "structure": text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…",
                    "count": len(there),
                    "samples": [ids[j] for j in statistics.sample[there[:EXAMPLES]]],
                }
                for text, there in zip(whole, rows, strict=True)
            ]
            group: dict[str, Any] = {"group": _value(groups.names[groups.code[rows[0][0]]])}
            if len(found) < EXAMPLES:  # structures may be long, and the diagnosis shows no more
                differences = _differences(*whole)
                group |= {"differences": differences[:SHOWN], "more": max(0, len(differences) - SHOWN)}
            counts = {"structures": int(end - begin), "outside": int(outside[place])}
            found.append({**group, **counts, "commonest": commonest})
        unparsed = len(statistics.sample) - int(statistics.column("parsed").sum())
        return {
            "samples": len(statistics.sample),
            "unparsed": unparsed,
            "groups": len(np.unique(groups.code)),
            "several": len(mixed),
            "mixed": found,
        }

    def explain(self, measures: Mapping[str, Any]) -> Sequence[str]:
        return tuple(_sentences(measures, by=self.by))


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


def _settled(statistics: Statistics) -> Float:
    """(r,) 1 where the row has the commonest structure of its group; of several, the first in order of name."""
    cells, key = _cells(statistics), statistics.keys["structure"]
    chosen = np.zeros(len(statistics.sample))
    if not len(cells.order):
        return chosen
    sizes = np.diff(cells.starts, append=len(cells.order))
    group = np.repeat(np.arange(len(cells.groups)), np.diff(cells.groups, append=len(cells.starts)))  # (cells,)
    most = np.flatnonzero(sizes == np.maximum.reduceat(sizes, cells.groups)[group])
    name = {cell: key.names[key.code[cells.order[cells.starts[cell]]]] for cell in most.tolist()}
    first: dict[int, int] = {}
    for cell in sorted(name, key=name.__getitem__):
        first.setdefault(int(group[cell]), cell)
    for cell in first.values():
        chosen[cells.order[cells.starts[cell] : cells.starts[cell] + sizes[cell]]] = 1
    return chosen


def _groups(by: str | None, data: Dataset) -> tuple[Int, tuple[str, ...]]:
    """(n,) group of every sample, and the groups' names: the attribute's value as JSON, empty where there is none."""
    if by is None:
        return np.zeros(len(data), dtype=np.int64), ("",)
    if by not in data.attributes:
        hint = did_you_mean(by, tuple(data.attributes)) or "list it under data.attributes"
        raise UnmeasurableError(f"consistency: by: {by!r} is not in data.attributes; {hint}")
    column = ["" if value is None else json.dumps(value) for value in data.attributes[by]]
    place = {name: i for i, name in enumerate(dict.fromkeys(column))}
    return np.array([place[name] for name in column], dtype=np.int64), tuple(place)


def _value(name: str) -> str | None:
    """The attribute's value that a group's name stands for."""
    return str(json.loads(name)) if name else None


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


def _sentences(measures: Mapping[str, Any], *, by: str | None) -> Iterator[str]:
    """The two commonest structures side by side, of the groups that have most replies outside the commonest."""
    if measures["unparsed"]:
        yield f"{measures['unparsed']} of {measures['samples']} replies do not parse and have no structure"
    for group in measures["mixed"][:EXAMPLES]:
        first, second = group["commonest"]
        where = (
            f" of {quoted(group['group'])}" if group["group"] is not None else f" without {quoted(by)}" if by else ""
        )
        yield f"the two commonest of {group['structures']} structures{where}:"
        heads = [f"{side['count']} times, as {named(side['samples'][0])}" for side in (first, second)]
        table = [("", *heads), *group["differences"]]
        widths = [max(len(row[i]) for row in table) for i in range(2)]
        for path, one, other in table:
            yield f"  {path:<{widths[0]}}  {one:<{widths[1]}}  {other}"
        if group["more"]:
            yield f"  and {group['more']} more differences"


def _differences(one: str, other: str) -> list[list[str]]:
    """(path, type here, type there) where two structures differ."""
    flat = [_flat(one), _flat(other)]
    paths = sorted({*flat[0], *flat[1]})
    found = [[path, flat[0].get(path, "-"), flat[1].get(path, "-")] for path in paths]
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
