"""The page of a metric family: its docstring, with parameters and scores taken from the code that uses them."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from pytest_vigate.metrics.base import Metric, Score, parameter_types

_COMMENT = re.compile(r"^\s*#:\s?(.*)$")
_FIELD = re.compile(r"^\s*(\w+)\s*:\s")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a family, as a gate file may set it."""

    name: str
    doc: str
    """Text of its ``#:`` lines."""
    schema: Mapping[str, Any]
    """JSON Schema of its values, with the default."""


def parameters(cls: type[Metric]) -> tuple[Parameter, ...]:
    """The parameters of a family, in the order of its fields."""
    types = parameter_types(cls)
    docs = _field_comments(cls)
    found = []
    for field in dataclasses.fields(cls):
        schema = dict(msgspec.json.schema(types[field.name]))
        doc = docs.get(field.name, "")
        found.append(Parameter(field.name, doc, {**schema, "default": field.default, "description": doc}))
    return tuple(found)


def page(cls: type[Metric]) -> str:
    """The documentation of a family as plain text."""
    head, _, body = inspect.cleandoc(cls.__doc__ or "").partition("\n")
    before, mark, after = body.partition("\nDiffers from:")
    lines = [cls.name, "=" * len(cls.name), "", head, *_scores(cls), before.rstrip()]
    if parameters(cls):
        lines += ["", "Parameters:", *(f"    {parameter_line(item)}" for item in parameters(cls))]
    if cls.keys:
        lines += ["", "Keys for `where` and `per`:", f"    {', '.join(cls.keys)}"]
    return "\n".join([*lines, f"{mark}{after}"]).rstrip() + "\n"


def parameter_line(item: Parameter) -> str:
    """``iou (default 0.5): IoU at or above which …``."""
    default = item.schema["default"]
    if isinstance(default, (tuple, list)):
        default = ", ".join(map(str, default)) or "none"
    return f"{item.name} (default {'none' if default is None else default}): {item.doc}"


def bands(score: Score) -> str:
    """``excellent from 0.9, good from 0.75, fair from 0.6, poor below``; empty if the score has none."""
    if not score.bands:
        return ""
    below = [f"{score.below} below"] if score.below else []
    return ", ".join([*(f"{name} from {edge:g}" for edge, name in score.bands), *below])


def _scores(cls: type[Metric]) -> Iterator[str]:
    yield ""
    yield "Scores:"
    for score in cls.scores:
        better = f"{score.direction} is better" if score.direction else "neither way is better"
        named = bands(score)
        more = f"; {named}" if named else ""
        if score.names:
            yield f"    {cls.name}.{score.name}, one of {', '.join(score.names)}: {score.doc}"
            continue
        yield f"    {cls.name}.{score.name} in [{score.low:g}, {score.high:g}], {better}: {score.doc}{more}"
    if cls.further:
        yield f"    {cls.name}.NAME: {cls.further}"


def _field_comments(cls: type[Metric]) -> dict[str, str]:
    """Text of the ``#:`` lines above each field; a class made without source has none."""
    try:
        source = inspect.getsource(cls)
    except (OSError, TypeError):
        return {}
    docs: dict[str, str] = {}
    pending: list[str] = []
    for line in source.splitlines():
        if comment := _COMMENT.match(line):
            pending.append(comment[1])
        elif (field := _FIELD.match(line)) and pending:
            docs[field[1]], pending = " ".join(pending), []
        else:
            pending = []
    return docs
