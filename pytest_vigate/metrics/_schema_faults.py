"""What is wrong with a document under a schema, in our words, whichever library found it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pytest_vigate.data.replies import quoted
from pytest_vigate.metrics._paths import joined
from pytest_vigate.metrics._values import show

Step = str | int

#: What a fault may be.
KINDS: Final = ("missing_fields", "wrong_types", "extra_fields", "wrong_values")
#: Names or values of the schema that a message lists.
_LISTED = 3
#: Characters of a path that a message shows.
_LONGEST = 100
#: Faults of alternatives that are looked at to say which is meant: a choice of 500 takes longer than the reply.
ALTERNATIVES = 500
#: Keywords right below which a schema stands for a field, where the name of that is empty.
_HOLDERS = ("properties", "patternProperties", "additionalProperties", "unevaluatedProperties")


class Fault(NamedTuple):
    """One thing that is wrong.

    Args:
        path: Where in the document.
        keyword: Of the schema; ``false`` for a schema that accepts nothing.
        due: Its value.
        found: What is there.
        names: Fields that are missing, or too many.
        branches: Of ``anyOf`` and ``oneOf``: what is wrong under each alternative; none where several are right.
    """

    path: tuple[Step, ...]
    keyword: str
    due: Any
    found: Any
    names: tuple[str, ...] = ()
    branches: tuple[tuple[Fault, ...], ...] = ()

    @property
    def kind(self) -> str:
        """Which of `KINDS` it is."""
        if self.keyword == "false":
            return "extra_fields" if self.path and isinstance(self.path[-1], str) else "wrong_values"
        return _KIND_OF.get(self.keyword, "wrong_values")


_KIND_OF: Final[Mapping[str, str]] = {
    "required": "missing_fields",
    "type": "wrong_types",
    "additionalProperties": "extra_fields",
    "unevaluatedProperties": "extra_fields",
    "propertyNames": "extra_fields",
}


class TooManyAlternativesError(Exception):
    """So many faults of alternatives that it would take too long to say which is meant. Caught by the checker."""


def of_rust(errors: Iterable[Any], known: dict[tuple[Step, ...], Any] | None = None) -> Iterator[Fault]:
    """The faults that jsonschema-rs found.

    Args:
        errors: ValidationErrors.
        known: Values of ``enum`` by their place in the schema: long ones are dear to ask for.

    Raises:
        TooManyAlternativesError: If there are more than `ALTERNATIVES` faults of alternatives.
    """
    left = ALTERNATIVES
    known = {} if known is None else known

    def read(error: Any) -> Fault:
        nonlocal left
        path = tuple(error.instance_path)
        place = tuple(error.schema_path)
        if place in known:
            return Fault(path, "enum", known[place], error.instance)
        kind = error.kind
        keyword = kind.name
        if keyword == "required":
            return Fault(path, keyword, None, None, (kind.property,))
        if keyword in ("additionalProperties", "unevaluatedProperties"):
            return Fault(path, keyword, None, None, tuple(sorted(kind.unexpected)))
        if keyword == "propertyNames":
            return Fault(path, keyword, None, None, (kind.error.instance,))
        if keyword in ("anyOf", "oneOf"):
            context = kind.context
            left -= sum(map(len, context))
            if left < 0:
                raise TooManyAlternativesError
            branches = tuple(tuple(map(read, branch)) for branch in context)
            return Fault(path, keyword, None, error.instance, branches=branches if all(branches) else ())
        due = kind.value
        if keyword == "not" and due == {}:
            held = not {*_HOLDERS}.isdisjoint(place[-2:-1]) or place[-3:-2] == ("patternProperties",)
            if held and not (path and isinstance(path[-1], str)):
                path = (*path, "")  # jsonschema-rs 0.60 leaves the empty name out
            return Fault(path, "false", False, error.instance)
        if keyword == "enum":
            known[place] = due
        return Fault(path, keyword, due, error.instance)

    return map(read, errors)


def of_python(errors: Iterable[Any], extras: Callable[[Any, Any], Sequence[str]]) -> Iterator[Fault]:
    """The faults that jsonschema found.

    Args:
        errors: ValidationErrors.
        extras: Fields of an object that a schema does not name.
    """
    seen: set[tuple[tuple[Step, ...], tuple[Step, ...]]] = set()
    for error in errors:
        if error.validator in ("required", "dependentRequired", "dependencies"):
            place = tuple(error.absolute_path), tuple(error.absolute_schema_path)
            if place in seen:  # an error a name, and the first tells all names
                continue
            seen.add(place)
        yield _of_python(error, extras)


def _of_python(error: Any, extras: Callable[[Any, Any], Sequence[str]]) -> Fault:
    path, keyword, due, found = tuple(error.absolute_path), error.validator, error.validator_value, error.instance
    if keyword == "not" and due == {}:
        return Fault(path, "false", False, found)
    if keyword == "required":
        return Fault(path, keyword, None, None, tuple(name for name in due if name not in found))
    if keyword in ("dependentRequired", "dependencies"):
        asked = [names for name, names in due.items() if name in found and isinstance(names, list)]
        return Fault(
            path, "required", None, None, tuple(name for names in asked for name in names if name not in found)
        )
    if keyword == "additionalProperties":
        return Fault(path, keyword, None, None, tuple(sorted(extras(found, error.schema))))
    if keyword == "propertyNames":
        return Fault(path, keyword, None, None, (error.message,))
    if keyword in ("minContains", "maxContains"):
        keyword, due = "contains", None
    if keyword == "type":
        due = [due] if isinstance(due, str) else due
    if keyword in ("anyOf", "oneOf"):
        branches: dict[Any, list[Any]] = {}
        for inner in error.context:
            branches.setdefault(inner.relative_schema_path[0], []).append(inner)
        told = tuple(tuple(of_python(branch, extras)) for branch in branches.values())
        return Fault(path, keyword, None, found, branches=told)
    return Fault(path, keyword, due, found)


def classify(faults: Iterable[Fault]) -> dict[str, Fault]:
    """The kinds of some faults, with the one of each that is told: the highest in the document, the first by name."""
    found: dict[tuple[tuple[Step, ...], str], Fault] = {}
    names: dict[tuple[tuple[Step, ...], str], set[str]] = {}
    for fault in (inner for outer in faults for inner in _meant(outer)):
        place = fault.path, fault.keyword
        same = found.setdefault(place, fault)
        if fault.names:
            names.setdefault(place, set()).update(fault.names)
        elif same is not fault:
            found[place] = min(same, fault, key=wording)
    for place, these in names.items():
        found[place] = found[place]._replace(names=tuple(sorted(these)))
    chosen: dict[str, Fault] = {}
    for fault in sorted(found.values(), key=lambda fault: (len(fault.path), [*map(str, fault.path)], fault.keyword)):
        chosen.setdefault(fault.kind, fault)
    return chosen


def _meant(fault: Fault) -> Iterator[Fault]:
    """A fault; of a choice, those of the alternative that is meant, where one stands out.

    It is the one with the fewest faults of those that the type alone does not rule out. Where the type rules out all,
    it is the type that is wrong.
    """
    if not fault.branches:
        yield fault
        return
    open_ = [
        branch for branch in fault.branches if not any(f.keyword == "type" and f.path == fault.path for f in branch)
    ]
    if not open_:
        types = {name for branch in fault.branches for f in branch if f.keyword == "type" for name in f.due}
        yield Fault(fault.path, "type", sorted(types), fault.found)
        return
    sizes = [len({(inner.path, inner.keyword) for inner in branch}) for branch in open_]
    nearest = [branch for branch, size in zip(open_, sizes, strict=True) if size == min(sizes)]
    if len(nearest) > 1:
        yield fault
        return
    for inner in nearest[0]:
        yield from _meant(inner)


def wording(fault: Fault) -> str:
    """One line: where, what was found, what is due."""
    return f"{_path(fault.path)}: {_told(fault)}"


def _told(fault: Fault) -> str:
    if fault.keyword in _ABOUT_NAMES:
        one, many = _ABOUT_NAMES[fault.keyword]
        return f"{_some([quoted(name, longest=40) for name in fault.names])} {one if len(fault.names) == 1 else many}"
    if fault.keyword == "false":
        return "is there, where the schema allows nothing"
    found, due = _shown(fault.found), fault.due
    if fault.keyword == "type":
        names = [_TYPES.get(name, name) for name in sorted(due)]
        return f"{found} is no {names[0]}" if len(names) == 1 else f"{found} is neither {' nor '.join(names)}"
    if fault.keyword == "enum":
        values = [*map(_shown, due[: _LISTED + 1])]
        return f"{found} is none of {_some(values, count=len(due))}" if len(due) > 1 else f"{found} is not {values[0]}"
    if fault.keyword in ("anyOf", "oneOf"):
        if not fault.branches:
            return f"{found} fits several alternatives of {fault.keyword}, where one is due"
        return f"{found} fits none of the {len(fault.branches)} alternatives of {fault.keyword}"
    if fault.keyword in _ABOUT_SIZES:
        what, bound = _ABOUT_SIZES[fault.keyword]
        count = len(fault.found)
        return f"{found} has {count} {what if count != 1 else what[:-1]}, {bound} {_shown(due)} due"
    if fault.keyword in _ABOUT_VALUES:
        return f"{found} {_ABOUT_VALUES[fault.keyword].format(_shown(due))}"
    return f"{found} breaks {fault.keyword!r} of the schema"


_TYPES: Final[Mapping[str, str]] = {"string": "text", "array": "list"}
_ABOUT_NAMES: Final[Mapping[str, tuple[str, str]]] = {
    "required": ("is missing", "are missing"),
    "additionalProperties": ("is not in the schema", "are not in the schema"),
    "unevaluatedProperties": ("is not in the schema", "are not in the schema"),
    "propertyNames": ("is not allowed as a name", "are not allowed as names"),
}
_ABOUT_SIZES: Final[Mapping[str, tuple[str, str]]] = {
    "minLength": ("characters", "at least"),
    "maxLength": ("characters", "at most"),
    "minItems": ("items", "at least"),
    "maxItems": ("items", "at most"),
    "minProperties": ("fields", "at least"),
    "maxProperties": ("fields", "at most"),
}
_ABOUT_VALUES: Final[Mapping[str, str]] = {
    "const": "is not {}",
    "pattern": "does not match {}",
    "format": "is not of the format {}",
    "minimum": "is less than {}",
    "exclusiveMinimum": "is not more than {}",
    "maximum": "is more than {}",
    "exclusiveMaximum": "is not less than {}",
    "multipleOf": "is no multiple of {}",
    "uniqueItems": "has an item twice",
    "contains": "does not contain as many items as are due",
    "additionalItems": "has more items than are due",
    "unevaluatedItems": "has more items than are due",
    "not": "is what the schema rules out",
}


def _some(names: Sequence[str], *, count: int | None = None) -> str:
    """The first of some names, and how many more there are."""
    count = len(names) if count is None else count
    shown = names if count <= _LISTED + 1 else names[:_LISTED]
    more = f" and {count - len(shown)} more" if count > len(shown) else ""
    return f"{', '.join(shown)}{more}"


def _shown(value: object) -> str:
    """A value in a few characters. The libraries do not order the fields of an object alike, so it is not written."""
    if isinstance(value, dict | list):
        return "the object" if isinstance(value, dict) else "the list"
    return show(value)


def _path(path: Sequence[Step]) -> str:
    """As ``$.parts[2].name``, cut in the middle where it is long."""
    text = place_name(path)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}…{text[-_LONGEST // 2 :]}"


def place_name(path: Iterable[Step], *, start: str = "$") -> str:
    """Where a path leads to, as ``$.parts[2]['a b']``."""
    for step in path:
        start = f"{start}[{step}]" if isinstance(step, int) else joined(start, step)
    return start
