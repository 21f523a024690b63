"""The parts of a linked JSON Schema: what they can refuse, and what checking by them takes at most."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final, TypeAlias

Node: TypeAlias = dict[str, Any] | bool
"""A schema, or a part of one that is a schema."""

#: Definitions and parts of a linked schema that may apply to one place of a document, each as often as it does:
#: a few lines that refer to each other twice make billions.
VISITS = 20_000
#: Schemas inside each other that a validator may be in at once: it keeps them on the stack of the process.
STACK = 3_000

HERE_ONE: Final = frozenset({"not", "if", "then", "else"})
HERE_MANY: Final = frozenset({"allOf", "anyOf", "oneOf"})
BELOW_ONE: Final = frozenset(
    {"additionalProperties", "propertyNames", "contains", "items", "additionalItems"}
    | {"unevaluatedItems", "unevaluatedProperties"}
)
BELOW_NAMED: Final = frozenset({"properties", "patternProperties"})
HERE_NAMED: Final = frozenset({"dependentSchemas", "dependencies"})
_HERE: Final = HERE_ONE | HERE_MANY | HERE_NAMED
_FIELDS: Final = frozenset({"patternProperties", "additionalProperties", "unevaluatedProperties", "propertyNames"})
#: What of a document a part applies to that names neither a field nor the place of an item.
_ANY_FIELD, _ANY_ITEM = ("field",), ("item",)
DEFINITIONS: Final = frozenset({"$defs", "definitions"})
PLAIN: Final = frozenset(
    {"type", "enum", "const", "multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum", "maxLength"}
    | {"minLength", "pattern", "maxItems", "minItems", "uniqueItems", "maxProperties", "minProperties", "required"}
    | {"dependentRequired", "minContains", "maxContains", "format"}
)

_TYPES: Final = frozenset({"object", "array", "string", "number", "boolean", "null"})
#: Patterns that people write for any text; the last refuses line breaks, which is not what they mean.
_ANY_TEXT: Final = frozenset({"", "^", "$", ".*", "^.*", ".*$", "(.*)", "^(.*)$", "^.*$"})
_ABOUT_VALUES: Final = (PLAIN - {"type", "required", "dependentRequired", "minContains", "maxContains"}) | {
    *("anyOf", "oneOf", "not", "contains", "additionalItems", "unevaluatedItems")
}


def parts(part: Mapping[str, Any], *, definitions: bool = False) -> Iterator[tuple[str, Any]]:
    """The schemas right inside a schema, each with the keyword that holds it."""
    for keyword, value in part.items():
        if isinstance(value, dict) and (
            keyword in BELOW_NAMED or keyword in HERE_NAMED or (definitions and keyword in DEFINITIONS)
        ):
            yield from ((keyword, inner) for inner in value.values() if isinstance(inner, dict | bool))
        elif isinstance(value, list) and (keyword in HERE_MANY or keyword in ("prefixItems", "items")):
            yield from ((keyword, inner) for inner in value)
        elif isinstance(value, dict | bool) and (keyword in HERE_ONE or keyword in BELOW_ONE):
            yield keyword, value


class Graph:
    """The parts of a linked schema: which apply to the same place as another, and which below it."""

    def __init__(self, schema: Node) -> None:
        self.parts: list[dict[str, Any]] = []
        self._number: dict[int, int] = {}
        self._top = schema
        if isinstance(schema, dict):
            self._collect(schema)
        n = len(self.parts)
        #: (other part) of every part, where both apply to one place.
        self.here: list[list[int]] = [[] for _ in range(n)]
        #: (what of the document, other part) of every part.
        self.below: list[list[tuple[object, int]]] = [[] for _ in range(n)]
        self.weight = [1] * n
        for i, part in enumerate(self.parts):
            self._connect(i, part)

    def _collect(self, schema: dict[str, Any]) -> None:
        stack: list[Any] = [schema]
        while stack:
            part = stack.pop()
            if isinstance(part, dict):
                self._number[id(part)] = len(self.parts)
                self.parts.append(part)
                stack += [inner for _, inner in parts(part, definitions=part is schema)]

    def _connect(self, i: int, part: dict[str, Any]) -> None:
        listed = [keyword for keyword in ("prefixItems", "items") if isinstance(part.get(keyword), list)]
        below: list[tuple[object, Any]] = [*part.get("properties", {}).items()]
        below += [item for keyword in listed for item in enumerate(part[keyword])]
        for keyword, inner in parts(part):
            if keyword in _HERE:
                self._add(self.here[i], inner)
            elif keyword != "properties" and keyword not in listed:
                below.append((_ANY_FIELD if keyword in _FIELDS else _ANY_ITEM, inner))
        self.below[i] = [(what, self._number[id(inner)]) for what, inner in below if isinstance(inner, dict)]
        if "$ref" in part:
            self._add(self.here[i], self.target(part))
        named = [*part.get("dependentRequired", {}).values(), *part.get("dependencies", {}).values()]
        self.weight[i] += len(part.get("required", ()))
        self.weight[i] += sum(len(names) for names in named if isinstance(names, list))

    def _add(self, edges: list[int], inner: Node) -> None:
        if isinstance(inner, dict):
            edges.append(self._number[id(inner)])

    def target(self, part: Mapping[str, Any]) -> Node:
        """What a part refers to."""
        _, holder, name = part["$ref"].split("/")
        found: Node = self._top[holder][name] if isinstance(self._top, dict) else False
        return found

    def loop(self) -> list[int]:
        """Identities of parts that refer to each other without going down into the document; none where none do."""
        try:
            TopologicalSorter(dict(enumerate(self.here))).prepare()
        except CycleError as error:
            return [id(self.parts[i]) for i in reversed(error.args[1][1:])]
        return []

    @property
    def keywords(self) -> frozenset[str]:
        """What the parts state."""
        return frozenset().union(*self.parts)

    def names_fields(self, *, untyped: bool = False) -> bool:
        """Whether fields of the whole document are named; on request by a part that leaves open what it is."""
        stack: list[Node] = [self._top]
        seen: set[int] = set()
        while stack:
            part = stack.pop()
            if not isinstance(part, dict) or id(part) in seen:
                continue
            seen.add(id(part))
            if not part.keys().isdisjoint(("properties", "required")) and not (untyped and "type" in part):
                return True
            stack += [inner for keyword, inner in parts(part) if keyword in HERE_MANY or keyword in ("then", "else")]
            if "$ref" in part:
                stack.append(self.target(part))
        return False

    def kinds(self) -> frozenset[str]:
        """The kinds of faults that documents may have."""
        return frozenset(kind for part in self.parts for kind in _kinds(part))

    def accepts_all(self) -> bool:
        """Whether no document can be invalid."""
        if isinstance(self._top, bool):
            return self._top
        above: list[list[int]] = [[] for _ in self.parts]
        for i in range(len(self.parts)):
            for j in (*self.here[i], *(j for _, j in self.below[i])):
                above[j].append(i)
        accepting, refusing = [True] * len(self.parts), [True] * len(self.parts)
        todo = deque(range(len(self.parts)))
        while todo:  # what a part can no longer be may be the reason for another
            i = todo.popleft()
            before = accepting[i], refusing[i]
            accepting[i] = accepting[i] and self._accepts(self.parts[i], accepting, refusing)
            refusing[i] = refusing[i] and self._refuses(self.parts[i], accepting, refusing)
            if before != (accepting[i], refusing[i]):
                todo += above[i]
        return accepting[0]

    def _known(self, known: Sequence[bool], bare: bool, inner: Node) -> bool:
        return inner is bare if isinstance(inner, bool) else known[self._number[id(inner)]]

    def _accepts(self, part: dict[str, Any], accepting: Sequence[bool], refusing: Sequence[bool]) -> bool:
        """Whether a part accepts everything."""
        all_of = functools.partial(self._known, accepting, True)
        none_of = functools.partial(self._known, refusing, False)
        if any(_can_fail(keyword, value, part) for keyword, value in part.items()):
            return False
        if "$ref" in part and not all_of(self.target(part)):
            return False
        if "not" in part and not none_of(part["not"]):
            return False
        if "anyOf" in part and not any(map(all_of, part["anyOf"])):
            return False
        if "oneOf" in part and not (
            any(map(all_of, part["oneOf"])) and sum(not none_of(inner) for inner in part["oneOf"]) <= 1
        ):
            return False
        choosing = ("anyOf", "oneOf", "not", "if", "contains", *(() if "if" in part else ("then", "else")))
        return all(
            all_of(inner) or (keyword == "propertyNames" and _accepts_texts(inner))
            for keyword, inner in parts(part)
            if keyword not in choosing
        )

    def _refuses(self, part: dict[str, Any], accepting: Sequence[bool], refusing: Sequence[bool]) -> bool:
        """Whether a part can be seen to accept nothing."""
        none_of = functools.partial(self._known, refusing, False)
        return (
            ("not" in part and self._known(accepting, True, part["not"]))
            or ("$ref" in part and none_of(self.target(part)))
            or any(map(none_of, part.get("allOf", ())))
            or any(keyword in part and all(map(none_of, part[keyword])) for keyword in ("anyOf", "oneOf"))
        )


def _kinds(part: Mapping[str, Any]) -> Iterator[str]:
    """The kinds of faults that the keywords of a part may find."""
    named = [*part.get("dependentRequired", {}).values(), *part.get("dependencies", {}).values()]
    if part.get("required") or any(isinstance(names, list) and names for names in named):
        yield "missing_fields"
    if "type" in part:
        yield "wrong_types"
    closed = any(part.get(keyword, {}) != {} for keyword in ("propertyNames", "unevaluatedProperties"))
    if closed or part.get("additionalProperties") is False or part == {"not": {}}:
        yield "extra_fields"
    if not part.keys().isdisjoint(_ABOUT_VALUES):
        yield "wrong_values"


def _can_fail(keyword: str, value: Any, part: Mapping[str, Any]) -> bool:
    """Whether a keyword, whatever the schemas in it accept, may make a document invalid."""
    if keyword in ("minLength", "minItems", "minProperties"):
        return bool(value > 0)
    if keyword in ("required", "uniqueItems"):
        return bool(value)
    if keyword in ("dependentRequired", "dependencies"):
        return any(isinstance(names, list) and {*names} - {name} for name, names in value.items())
    if keyword == "type":
        return isinstance(value, str) or not _TYPES <= {*value}
    if keyword == "pattern":
        return value not in _ANY_TEXT
    if keyword == "contains":
        return "maxContains" in part or part.get("minContains") != 0
    return keyword in PLAIN and keyword not in ("minContains", "maxContains")


def _accepts_texts(part: Node) -> bool:
    """Whether a schema that asks for no more than a type accepts every text."""
    return isinstance(part, dict) and part.keys() == {"type"} and "string" in part["type"]


class Costs:
    """What checking by a schema takes at most.

    Args:
        graph: Without loops.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        group = circles(graph)
        self._back = [
            {j for _, j in graph.below[i] if group[i] == group[j] != -1} for i in range(len(graph.parts))
        ]  # references that close a circle
        self._recursive = any(self._back)
        after = {
            i: [*graph.here[i], *(j for _, j in graph.below[i] if j not in self._back[i])]
            for i in range(len(graph.parts))
        }
        self._order = [*TopologicalSorter(after).static_order()]
        n = len(graph.parts)
        self.chain = self._longest()
        #: Parts that may apply to one place of a document.
        self.visits = self._pass([1] * n)[0] if n and self.chain <= STACK else 0
        self._rounds = [self._pass([0] * n) if self.chain <= STACK else [0] * n]
        self._settled = not self._recursive
        #: Levels of a document that can be checked.
        self.levels = STACK // max(self.chain, 1) - 1 if self._recursive else STACK

    def per_place(self, levels: int) -> int:
        """Faults that all parts together may find at one place of a document of so many levels."""
        while not self._settled and len(self._rounds) <= levels:
            found = self._pass(self._rounds[-1])
            self._settled = found == self._rounds[-1] or found[0] > VISITS
            self._rounds.append(found)
        last = self._rounds[min(levels, len(self._rounds) - 1)]
        return last[0] if last else 1

    def _pass(self, back: Sequence[int]) -> list[int]:
        """How often all parts below may apply to one place; `back` says it of those that close a circle."""
        graph = self._graph
        total = [0] * len(back)
        own = [0] * len(back)
        inner: list[dict[object, int]] = [{} for _ in back]
        for i in self._order:
            own[i] = graph.weight[i] + sum(own[j] for j in graph.here[i])
            for j in graph.here[i]:
                for what, count in inner[j].items():
                    inner[i][what] = inner[i].get(what, 0) + count
            for what, j in graph.below[i]:
                count = back[j] if j in self._back[i] else total[j]
                inner[i][what] = inner[i].get(what, 0) + count
            fields = (count for what, count in inner[i].items() if isinstance(what, str))
            items = (count for what, count in inner[i].items() if isinstance(what, int))
            total[i] = max(
                own[i],
                max(fields, default=0) + inner[i].get(_ANY_FIELD, 0),
                max(items, default=0) + inner[i].get(_ANY_ITEM, 0),
            )
        return total

    def _longest(self) -> int:
        """Parts inside each other."""
        graph = self._graph
        found = [0] * len(graph.parts)
        for i in self._order:
            below = (found[j] for _, j in graph.below[i] if j not in self._back[i])
            found[i] = 1 + max((*(found[j] for j in graph.here[i]), *below), default=0)
        return max(found, default=0)


#: More than any order of parts.
_DONE = 1 << 62


def circles(graph: Graph) -> list[int]:
    """The circle of references that a part is in; -1 where it is in none.

    Tarjan, Depth-first search and linear graph algorithms, SIAM Journal on Computing 1 (1972), without recursion.
    """
    after = [[*graph.here[i], *(j for _, j in graph.below[i])] for i in range(len(graph.parts))]
    order, low, circle = [0] * len(after), [0] * len(after), [-1] * len(after)
    held: list[int] = []  # parts whose circle is not closed yet
    count = 0
    for start in range(len(after)):
        todo = [] if order[start] else [(start, iter(after[start]))]
        while todo:
            i, following = todo[-1]
            if not order[i]:
                count += 1
                order[i] = low[i] = count
                held.append(i)
            for j in following:
                if not order[j]:
                    todo.append((j, iter(after[j])))
                    break
                low[i] = min(low[i], low[j])
            else:
                todo.pop()
                if todo:
                    low[todo[-1][0]] = min(low[todo[-1][0]], low[i])
                if low[i] == order[i]:
                    alone = held[-1] == i  # what refers to itself does it by another part, of $ref
                    while low[i] != _DONE:
                        j = held.pop()
                        low[j], circle[j] = _DONE, -1 if alone else i
    return circle
