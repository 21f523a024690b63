"""Documents under a JSON Schema: jsonschema-rs decides, jsonschema explains and is asked whether it agrees."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final, NamedTuple

from pytest_vigate.data.replies import DEPTH
from pytest_vigate.errors import UnmeasurableError
from pytest_vigate.metrics._schema_faults import (
    Step,
    TooManyAlternativesError,
    classify,
    of_python,
    of_rust,
    place_name,
    wording,
)
from pytest_vigate.metrics._schema_files import PATTERN, Linked

#: Levels of a document whose faults are asked for: jsonschema-rs makes a Python value of what is wrong, to level 254.
_LEVELS = 128
#: Parts of a document times parts of the schema that may apply to each: what all faults of a document take at most.
_CLASSIFIED = 100_000
#: The same for jsonschema, which is slower, and quadratic in the items of a list.
_COMPARED, _COMPARED_LEVELS, _COMPARED_PARTS = 20_000, 24, 1_000
#: Digits that Python prints under every setting; jsonschema-rs takes what it does not print for null.
_DIGITS = 640
#: From here on floats leave whole numbers out, and each library compares them in its own way.
_EXACT = 2**53
_BEYOND = 10**_DIGITS
#: Halves of characters, which jsonschema-rs cannot read, and whole ones that nobody uses in their place.
_HALVES: Final = {code: 0xF0000 + code for code in range(0xD800, 0xE000)}


@dataclass(frozen=True, slots=True)
class Finding:
    """Why a document does not adhere.

    Args:
        kinds: What is told of every kind of fault; none where it cannot be said which they are.
        why: Why that is.
        explainable: The document can be asked of jsonschema too.
    """

    kinds: dict[str, str] = field(default_factory=dict)
    why: str = ""
    explainable: bool = False


class Checker:
    """Says whether documents adhere to a schema, and what is wrong where they do not.

    Args:
        linked: The schema.
    """

    def __init__(self, linked: Linked) -> None:
        self._linked = linked
        self._shallow = linked.costs.levels < DEPTH
        self._rust = _rust(linked.draft.validator, linked.schema)
        #: Whether a document adheres that needs no care; None where the schema bounds its depth.
        self.accepts: Callable[[Any], bool] | None = None if self._shallow else self._rust.is_valid
        self._known: dict[tuple[Step, ...], Any] = {}
        #: jsonschema-rs puts the whole object into the error of each name.
        self._copies = "propertyNames" in linked.graph.keywords
        # there jsonschema 4.26 runs Python's re, and in 2019-09 forgets what additionalProperties has evaluated
        known = linked.graph.keywords.isdisjoint(("unevaluatedItems", "unevaluatedProperties"))
        self._python = _python(linked.draft.validator, linked.schema) if known else None

    def judge(self, document: object, *, careful: bool = False) -> Finding | None:
        """What is wrong with a document; None where it adheres.

        Args:
            document: A value.
            careful: It may hold what JSON has not: NaN, infinities, halves of characters; or too long a number.
        """
        if careful:
            if strange := _not_json(document):
                return Finding({"wrong_values": strange})
            document = _without_halves(document)
        if self._shallow and _measure(document, math.inf).levels > self._linked.costs.levels:
            return Finding(
                why=f"nested deeper than {self._linked.costs.levels} levels, the most this schema is checked for"
            )
        if self._rust.is_valid(document):
            return None
        size = _measure(document, _CLASSIFIED)
        copied = size.widest if self._copies else 1
        if size.levels > _LEVELS or size.parts * copied * self._linked.costs.per_place(size.levels) > _CLASSIFIED:
            return Finding(why="too large for all that is wrong to be listed")
        try:
            found = classify(of_rust(self._rust.iter_errors(document), self._known))
        except TooManyAlternativesError:
            return Finding(why="too many alternatives for all that is wrong to be listed")
        return Finding({kind: wording(fault) for kind, fault in found.items()}, explainable=True)

    def explain(self, document: object) -> dict[str, str]:
        """What jsonschema says of every kind of fault of a faulty document; nothing where it is not asked.

        Raises:
            UnmeasurableError: If it finds no fault: one of the libraries is wrong.
        """
        errors = self._second(document)
        if errors is None:
            return {}
        if not errors:
            raise _disagreement("jsonschema accepts a document, and jsonschema-rs does not")
        return {kind: wording(fault) for kind, fault in classify(of_python(errors, extras)).items()}

    def confirm(self, document: object) -> None:
        """Ask jsonschema of a document that adheres.

        Raises:
            UnmeasurableError: If it finds a fault: one of the libraries is wrong.
        """
        if errors := self._second(document):
            told = wording(next(of_python(errors, extras)))
            raise _disagreement(f"jsonschema-rs accepts a document, and jsonschema does not: {told}")

    def _second(self, document: object) -> list[Any] | None:
        """What jsonschema finds; None where it is not asked."""
        if self._python is None:
            return None
        size = _measure(document, _COMPARED_PARTS)
        if size.levels > _COMPARED_LEVELS or size.parts > _COMPARED_PARTS or _holds_large(document):
            return None
        if size.parts * self._linked.costs.per_place(size.levels) > _COMPARED:
            return None
        try:
            return [*self._python.iter_errors(document)]
        except RecursionError:  # deep in a caller's stack
            return None


def _disagreement(what: str) -> UnmeasurableError:
    return UnmeasurableError(
        f"{what}; they have to agree, so this is a fault of pytest-vigate or of a library, and says nothing of "
        "the model; please report the schema and the document"
    )


def _not_json(document: object) -> str:
    """What cannot be checked: a number that JSON has not, or one that no library reads."""
    stack: list[tuple[object, tuple[Step, ...]]] = [(document, ())]
    while stack:
        value, path = stack.pop()
        if isinstance(value, dict):
            stack += [(inner, (*path, name)) for name, inner in value.items()]
        elif isinstance(value, list):
            stack += [(inner, (*path, i)) for i, inner in enumerate(value)]
        elif isinstance(value, float) and not math.isfinite(value):
            return f"{place_name(path[:8])}: {value!r} is no number of JSON"
        elif isinstance(value, int) and not -_BEYOND < value < _BEYOND:
            return f"{place_name(path[:8])}: an integer of more than {_DIGITS} digits, which cannot be compared"
    return ""


def _without_halves(document: object) -> object:
    """The document with another character for every half of one."""
    out: list[Any] = [None]
    stack: list[tuple[object, Any, Any]] = [(document, out, 0)]
    while stack:
        value, holder, place = stack.pop()
        if isinstance(value, str):
            value = value.translate(_HALVES)
        elif isinstance(value, dict):
            names = [str(name).translate(_HALVES) for name in value]
            made: dict[str, Any] = dict.fromkeys(names)
            stack += zip(value.values(), [made] * len(names), names, strict=True)
            value = made
        elif isinstance(value, list):
            items: list[Any] = [None] * len(value)
            stack += zip(value, [items] * len(value), range(len(value)), strict=True)
            value = items
        holder[place] = value
    return out[0]


class _Size(NamedTuple):
    """Of a document: levels, parts, and fields of the object that has the most."""

    levels: int
    parts: int
    widest: int


def _measure(document: object, most: float) -> _Size:
    """The size of a document; no further than to `most` parts."""
    levels, parts, widest, level = 0, 1, 1, [document]
    while parts <= most:
        widest = max(widest, max((len(part) for part in level if isinstance(part, dict)), default=0))
        level = [
            inner
            for part in level
            if isinstance(part, dict | list) and part
            for inner in (part.values() if isinstance(part, dict) else part)
        ]
        if not level:
            break
        levels += 1
        parts += len(level)
    return _Size(levels, parts, widest)


def _holds_large(document: object) -> bool:
    """Whether a document holds a number that the libraries do not compare alike."""
    stack = [document]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            stack += part.values()
        elif isinstance(part, list):
            stack += part
        elif isinstance(part, int | float) and not -_EXACT < part < _EXACT:
            return True
    return False


def _rust(validator: str, schema: Any) -> Any:
    import jsonschema_rs

    options = jsonschema_rs.RegexOptions(size_limit=PATTERN)
    return getattr(jsonschema_rs, validator)(schema, validate_formats=True, pattern_options=options)


def _python(validator: str, schema: Any) -> Any:
    """A validator of jsonschema, without Python's regular expressions and inexact division.

    It never has a new class on its way down, whose keywords would be the common ones: a linked schema has no `$schema`.
    """
    import jsonschema

    changed = {
        "additionalProperties": _additional_properties,
        "format": functools.partial(_format, validator),
        "multipleOf": _multiple_of,
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "propertyNames": _property_names,
    }
    extend: Any = jsonschema.validators.extend
    cls = extend(getattr(jsonschema, validator), changed)
    return cls(schema)


def _error(message: str = "") -> Any:
    import jsonschema

    return jsonschema.ValidationError(message)


@functools.lru_cache(maxsize=1024)
def _alone(validator: str, keyword: str, value: str) -> Callable[[object], bool]:
    """One keyword, as jsonschema-rs checks it."""
    found: Callable[[object], bool] = _rust(validator, {keyword: value}).is_valid
    return found


def _matches(pattern: str, text: str) -> bool:
    return _alone("Draft202012Validator", "pattern", pattern)(text)


def extras(found: dict[str, Any], schema: dict[str, Any]) -> Sequence[str]:
    """Fields of an object that a schema does not name."""
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    return [name for name in found if name not in named and not any(_matches(pattern, name) for pattern in patterns)]


def _additional_properties(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
    names = extras(instance, schema) if validator.is_type(instance, "object") else ()
    if value is False:
        yield from [_error()] if names else []
    else:
        for name in names:
            yield from validator.descend(instance[name], value, path=name)


def _format(draft: str, validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
    if validator.is_type(instance, "string") and not _alone(draft, "format", value)(instance):
        yield _error()


def _multiple_of(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
    # numbers are what their digits say: 4.35 is a multiple of 0.01
    if validator.is_type(instance, "number") and (Fraction(str(instance)) / Fraction(str(value))).denominator != 1:
        yield _error()


def _pattern(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
    if validator.is_type(instance, "string") and not _matches(value, instance):
        yield _error()


def _pattern_properties(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
    if validator.is_type(instance, "object"):
        for pattern, inner in value.items():
            for name, field_ in instance.items():
                if _matches(pattern, name):
                    yield from validator.descend(field_, inner, path=name, schema_path=pattern)


def _property_names(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
    if validator.is_type(instance, "object"):
        for name in instance:
            if any(True for _ in validator.descend(instance=name, schema=value)):
                yield _error(name)
