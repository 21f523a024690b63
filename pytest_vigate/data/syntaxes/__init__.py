"""Structured text → document: JSON, JSON lines, YAML, CSV, XML, one file each. A text that is none is a value.

A document is what JSON has: objects as dicts, arrays as lists, texts, numbers, booleans, null. Nothing here reads what
a syntax does not say: no repair, no guess, no tag, no entity, no expansion beyond a bound.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from pytest_vigate.data.replies import ParseFailure

SyntaxName = Literal["json", "jsonl", "yaml", "csv", "xml"]
SYNTAXES: tuple[str, ...] = get_args(SyntaxName)


@dataclass(frozen=True, slots=True)
class Syntax:
    """What replies are written in, and what the gate lets pass beyond its standard.

    Args:
        name: The syntax.
        duplicate_keys: JSON, JSON lines and YAML: an object may have a key twice; the last one counts.
        nan: JSON and JSON lines: ``NaN``, ``Infinity`` and ``-Infinity`` are numbers, as Python writes them.
        surrogates: JSON and JSON lines: an escape may be half of a character.
        byte_order_mark: All: the text may begin with one.
        columns: CSV: the header has these columns and no others, in any order; none leaves it to the text.
        required: CSV: the header has these columns at least.
        delimiter: CSV: what stands between cells.
    """

    name: SyntaxName = "json"
    duplicate_keys: bool = False
    nan: bool = False
    surrogates: bool = False
    byte_order_mark: bool = False
    columns: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    delimiter: str = ","


#: JSON by RFC 8259, nothing more.
JSON = Syntax()


def parse(text: str, syntax: Syntax) -> object:
    """The document that a text is, whole; or why it is none, as a `ParseFailure`.

    Time and memory are bounded by the length of the text, whatever it holds.
    """
    return _parser(syntax.name)(text, syntax)


@functools.cache
def _parser(name: SyntaxName) -> Callable[[str, Syntax], object]:
    """The syntax's own `parse`, loaded on first use: YAML and XML bring modules of their own."""
    found: Callable[[str, Syntax], object] = importlib.import_module(f"{__name__}.{name}").parse
    return found


__all__ = ["JSON", "SYNTAXES", "ParseFailure", "Syntax", "SyntaxName", "parse"]
