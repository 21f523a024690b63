"""A gate file against the language's schema, in words of our own. The only place that knows jsonschema."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from pytest_vigate.errors import Problem, did_you_mean
from pytest_vigate.gates.schema import RESERVED, language
from pytest_vigate.gates.syntax import FLOAT, INTEGER, Node
from pytest_vigate.gates.wording import describe, quote, step

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError


@functools.cache
def _validator() -> Draft202012Validator:
    from jsonschema import Draft202012Validator  # 60 ms: only where there is a gate file

    return Draft202012Validator(language())


@dataclass(frozen=True, slots=True)
class _Misfit:
    """A problem before its hint, which is dear where a file is nothing but misspelt keys."""

    problem: Problem
    word: str = ""
    known: tuple[str, ...] = ()
    """Words that may have been meant; a hint of its own comes after them."""

    def finish(self) -> Problem:
        near = did_you_mean(self.word, self.known) if self.word else ""
        return replace(self.problem, hint=near) if near else self.problem


def check(root: Node, *, most: int) -> list[Problem]:
    """The first places, in file order, where the tree is not as the schema says."""
    # jsonschema goes through a set of keys, so the order of its errors changes from run to run.
    misfits = {misfit for error in _validator().iter_errors(root.value) for misfit in _translate(error, root)}
    first = sorted(misfits, key=lambda misfit: misfit.problem)[:most]
    return [misfit.finish() for misfit in first]


def _translate(error: ValidationError, root: Node) -> Iterator[_Misfit]:
    node, path = root, "$"
    for part in error.absolute_path:
        node, path = node.children[part], path + step(part)
    schema: dict[str, Any] = error.schema  # type: ignore[assignment]  # draft 2020-12 knows bare true and false too
    match error.validator:
        case "additionalProperties":
            section = str(error.absolute_path[0]) if error.absolute_path else ""
            yield from _unknown_keys(node, path, list(schema["properties"]), section)
        case "required":
            for key in schema["required"]:
                if key not in node.children:
                    about = schema["properties"][key]["description"].removesuffix(".")
                    message = f"missing key {key!r}: {about[0].lower()}{about[1:]}"
                    hint = "write 'vigate: 1'" if key == "vigate" else ""
                    yield _Misfit(Problem(node.line, node.column, path, message, hint))
        case "anyOf":
            branch = _intended(error)
            if branch:
                for inner in branch:
                    yield from _translate(inner, root)
            else:
                yield _unexpected(node, path, schema)
        case _:
            yield _unexpected(node, path, schema)


def _intended(error: ValidationError) -> list[ValidationError]:
    """The errors of the one branch whose type is right; empty if there is no such branch."""
    branches = [list(errors) for _, errors in groupby(error.context, lambda inner: inner.relative_schema_path[0])]
    fitting = [
        errors
        for errors in branches
        if not any(inner.validator == "type" and not inner.relative_path for inner in errors)
    ]
    return fitting[0] if len(fitting) == 1 else []


def _unexpected(node: Node, path: str, schema: dict[str, Any]) -> _Misfit:
    message = f"{schema['errorMessage']}, found {describe(node.value, node.text)}"
    kinds = schema.get("type", ())
    hint = ""
    if isinstance(node.value, str):
        if ("number" in kinds or "integer" in kinds) and (INTEGER.fullmatch(node.text) or FLOAT.fullmatch(node.text)):
            hint = "remove the quotes"
    elif "string" in kinds and node.text and node.value is not None:
        words = schema.get("enum", [node.text])
        hint = f"put it in quotes: {quote(node.text)}" if node.text in words else f"write {' or '.join(words)}"
    problem = Problem(node.line, node.column, path, message, hint)
    return _Misfit(problem, node.text, tuple(schema.get("enum", ())))


def _unknown_keys(node: Node, path: str, known: list[str], section: str) -> Iterator[_Misfit]:
    for key, (line, column) in node.keys.items():
        if key in known:
            continue
        where = path + step(key)
        if (section, key) in RESERVED:
            yield _Misfit(Problem(line, column, where, f"{key!r} {RESERVED[section, str(key)]}", "remove it"))
        else:
            problem = Problem(line, column, where, f"unknown key {quote(str(key))}", f"known here: {', '.join(known)}")
            yield _Misfit(problem, str(key), tuple(known))
