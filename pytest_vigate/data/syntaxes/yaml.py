"""YAML 1.2 with its core schema and without tags, from PyYAML's events: what they mean is decided here.

PyYAML's own loaders read YAML 1.1 (``no`` is false, ``1:30`` is ninety), recurse, and build what tags name.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Final

import yaml

from pytest_vigate.data.replies import DEPTH, ParseFailure
from pytest_vigate.data.syntaxes import Syntax
from pytest_vigate.data.syntaxes._text import BYTE_ORDER_MARK, DIGITS, EMPTY, MARK, TOO_DEEP, fault

#: Most that aliases may add to a document: a node counts one, and every sixteen characters of its text one more.
EXPANSION: Final = 100_000

NO_COLLECTION: Final = "text, and no mapping or list"
TEXT_AFTER: Final = "text after the document"
TEXT_AFTER_VALUE: Final = "text after a value"
SECOND_DOCUMENT: Final = "second document"
DIRECTIVE: Final = "directive"
TAG: Final = "tag"
DUPLICATE_KEY: Final = "duplicate key"
KEY_IS_NO_TEXT: Final = "key is no text"
NAN_LITERAL: Final = "NaN literal"
OUT_OF_RANGE: Final = "number out of range"
NAMELESS_ALIAS: Final = "alias or anchor without a name"
UNKNOWN_ALIAS: Final = "alias of nothing"
ENDLESS_ALIAS: Final = "alias inside of what it names"
EXPANDED: Final = "aliases stand for too much"
UNCLOSED_BRACKET: Final = "unclosed bracket"
UNCLOSED_STRING: Final = "unclosed string"
MISMATCHED_BRACKET: Final = "mismatched bracket"
UNOPENED_BRACKET: Final = "closing bracket without an opening one"
EXTRA_COMMA: Final = "extra comma"
MISSING_COMMA: Final = "missing comma"
MISSING_COLON: Final = "missing colon"
MISPLACED_COLON: Final = "misplaced colon"
MISPLACED_ITEM: Final = "list or key in the middle of a line"
BAD_ESCAPE: Final = "bad escape"
TAB: Final = "tab as indentation"
INDENTATION: Final = "bad indentation"
BLOCK_TEXT: Final = "text behind the sign of a block text"
CONTROL_CHARACTER: Final = "control character"
LINE_SEPARATOR: Final = "line end that YAML 1.2 does not know"
UNEXPECTED: Final = "unexpected character"

#: Pure Python where PyYAML was built without libyaml.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

#: What YAML takes in no place; what YAML 1.1, and so PyYAML, takes for a line end; marks that libyaml drops.
_REFUSED = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ufffd\U00010000-\U0010ffff]|(?<![^\r\n])\ufeff")
_LINE_SEPARATORS = "\x85\u2028\u2029"
_DIRECTIVE = re.compile(r"(?:[ \t]*+(?:#[^\r\n]*+)?[\r\n])*+%")
_TAIL = re.compile(r"(?:[ \t]*+(?:#[^\r\n]*+)?[\r\n]|\.\.\.(?=[ \t\r\n]|\Z))*+[ \t]*+(?:#[^\r\n]*+)?")
_ESCAPE_PART = re.compile(r"\\(?:x[0-9a-fA-F]?|u[0-9a-fA-F]{0,3}|U[0-9a-fA-F]{0,7})?")
_WORD = re.compile(r"[^\s\[{]\S*+")

_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_BASES = {"0o": 8, "0x": 16}


@dataclass(slots=True)
class _Open:
    """A mapping or list that is not complete."""

    value: dict[str, object] | list[object]
    anchor: str | None
    column: int
    bracket: int
    """Where its bracket stands; -1 for one that has none."""
    key: str | None = None
    """The key whose value is due."""
    size: int = 1
    height: int = 1
    """Mappings and lists inside of each other, itself counted."""


@dataclass(slots=True)
class _Named:
    """What an anchor names."""

    value: object
    size: int
    height: int = 0
    key: str | None = None
    """Text of a scalar."""


class _RefusedError(Exception):
    """The text is no document: the argument says why."""


def parse(text: str, syntax: Syntax) -> object:
    r"""The mapping or list that a text is, or why it is none.

    A text, number or word alone is no document, for any prose is one; prose with a colon in it is a mapping.

    Plain scalars are read by the core schema of YAML 1.2: ``null`` and ``true`` in three spellings, ``~``, integers
    (``0o17``, ``0xF``; ``017`` is seventeen) and floats. All else is text: ``no``, ``on``, dates, ``1:30``, ``1_000``.
    ``.inf`` and ``.nan`` are failures, as JSON has none, and so are numbers beyond a double or of over 640 digits.

    Keys are texts, as they are written: ``1: a`` and ``"1": a`` have the same key. So is ``<<``: YAML 1.2 merges
    nothing. A mapping or list as a key is a failure. Tags are failures, also ``!!str`` and ``!``, and so are
    directives. Aliases are what they name, the same value and no copy, up to `EXPANSION`.

    Of line ends, YAML 1.2 knows ``\n``, ``\r\n`` and ``\r``. The others of YAML 1.1, which many programs still break
    lines at, are failures unless they are escaped. A byte order mark may stand in a quoted text, but not at the
    beginning of a line.

    PyYAML without libyaml takes no tabs between tokens, no ``?`` inside of a plain text between brackets and no
    ``|#``; it takes ``[a:, b]``, and says less of where a bad escape is. What both take they read alike.

    Args:
        text: Any text.
        syntax: What passes: a mark at the beginning, keys that are there twice.

    Returns:
        A value, or a `ParseFailure` whose cause is a constant of this module or one that all syntaxes share. It is
        `truncated` where a bracket or a quote is open at the end, or where the last line is one word, not ended, in
        place of a key. What breaks off inside a plain text cannot be seen.
    """
    failure = fault(text, syntax)
    if failure is not None:
        return failure
    start = int(text.startswith(MARK))
    found = _Reader(text[start:], duplicates=syntax.duplicate_keys).read()
    if start and isinstance(found, ParseFailure) and found.position is not None:
        return ParseFailure(found.cause, found.position + start, truncated=found.truncated)
    return found


class _Reader:
    """The value of a text, built event by event without recursion."""

    def __init__(self, text: str, *, duplicates: bool) -> None:
        self._text = text
        self._duplicates = duplicates
        self._opened: list[_Open] = []
        self._named: dict[str, _Named | _Open] = {}
        self._expanded = 0
        self._line = -1  # of the end of the last value

    def read(self) -> object:
        failure = self._fault_of_text()
        if failure is not None:
            return failure
        try:
            return self._document(_LOADER(self._text))
        except _RefusedError as refused:
            return refused.args[0]
        except yaml.MarkedYAMLError as error:
            return self._fault(error)
        except (ValueError, OverflowError):  # PyYAML without libyaml makes characters of escapes beyond the last one
            return ParseFailure(BAD_ESCAPE)

    def _fault_of_text(self) -> ParseFailure | None:
        refused = _REFUSED.search(self._text)
        if refused is not None:
            known = {MARK: BYTE_ORDER_MARK, **dict.fromkeys(_LINE_SEPARATORS, LINE_SEPARATOR)}
            return ParseFailure(known.get(refused[0], CONTROL_CHARACTER), refused.start())
        directive = _DIRECTIVE.match(self._text)  # before PyYAML reads them, in quadratic time
        return directive and ParseFailure(DIRECTIVE, directive.end() - 1)

    def _document(self, loader: Any) -> object:
        value: object = None
        while True:
            event = loader.get_event()
            match event:
                case yaml.ScalarEvent():
                    self._scalar(event)
                case yaml.MappingStartEvent():
                    self._open(event, {})
                case yaml.SequenceStartEvent():
                    self._open(event, [])
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    value = self._close(event)
                case yaml.AliasEvent():
                    self._alias(event)
                case yaml.DocumentEndEvent():
                    self._end(event)
                    return value
                case yaml.StreamEndEvent():
                    return ParseFailure(EMPTY)

    def _scalar(self, event: Any) -> None:
        text: str = event.value
        at = event.start_mark.index
        self._line = event.end_mark.line
        self._refuse_tag(event)
        if not self._opened:
            nothing = not (text or event.style or event.anchor)
            raise _RefusedError(ParseFailure(EMPTY) if nothing else ParseFailure(NO_COLLECTION, at))
        plain = not event.style  # libyaml says "", PyYAML None
        if plain and MARK in text:
            raise _RefusedError(ParseFailure(BYTE_ORDER_MARK, self._text.index(MARK, at)))
        if event.style == '"' and any("\ud800" <= char <= "\udfff" for char in text):
            raise _RefusedError(ParseFailure(BAD_ESCAPE, at))
        due_key = self._due_key()
        value = text if due_key or not plain else _resolve(text, at)
        size = 1 + len(text) // 16
        if event.anchor is not None:
            named = _resolve(text, at) if due_key and plain else value
            self._named[event.anchor] = _Named(named, size, key=text)
        self._put(value, size, 0, at)

    def _due_key(self) -> bool:
        top = self._opened[-1]
        return top.key is None and isinstance(top.value, dict)

    def _put(self, value: object, size: int, height: int, at: int) -> None:
        """A complete value, or a key, into the innermost mapping or list."""
        top = self._opened[-1]
        top.size += size
        top.height = max(top.height, height + 1)
        if isinstance(top.value, list):
            top.value.append(value)
        elif top.key is not None:
            top.value[top.key] = value
            top.key = None
        elif not isinstance(value, str):
            raise _RefusedError(ParseFailure(KEY_IS_NO_TEXT, at))
        elif value in top.value and not self._duplicates:
            raise _RefusedError(ParseFailure(DUPLICATE_KEY, at))
        else:
            top.key = value

    def _open(self, event: Any, value: dict[str, object] | list[object]) -> None:
        at = event.start_mark.index
        self._refuse_tag(event)
        if self._opened and self._due_key():
            raise _RefusedError(ParseFailure(KEY_IS_NO_TEXT, at))
        if len(self._opened) == DEPTH:
            raise _RefusedError(ParseFailure(TOO_DEEP, at))
        bracket = event.end_mark.index - 1 if event.flow_style else -1
        opened = _Open(value, event.anchor, event.start_mark.column, bracket)
        if event.anchor is not None:
            self._named[event.anchor] = opened
        self._opened.append(opened)

    def _close(self, event: Any) -> object:
        closed = self._opened.pop()
        if closed.bracket >= 0:
            self._line = event.end_mark.line
        if closed.anchor is not None and self._named[closed.anchor] is closed:
            self._named[closed.anchor] = _Named(closed.value, closed.size, closed.height)
        if self._opened:
            self._put(closed.value, closed.size, closed.height, event.start_mark.index)
        return closed.value

    def _alias(self, event: Any) -> None:
        at = event.start_mark.index
        self._line = event.end_mark.line
        named = self._named.get(event.anchor)
        if named is None:
            raise _RefusedError(ParseFailure(UNKNOWN_ALIAS, at))
        if isinstance(named, _Open):
            raise _RefusedError(ParseFailure(ENDLESS_ALIAS, at))
        self._expanded += named.size
        if self._expanded > EXPANSION:
            raise _RefusedError(ParseFailure(EXPANDED, at))
        if len(self._opened) + named.height > DEPTH:
            raise _RefusedError(ParseFailure(TOO_DEEP, at))
        value = named.key if self._due_key() else named.value
        self._put(value, named.size, named.height, at)

    def _refuse_tag(self, event: Any) -> None:
        if event.tag is not None:
            raise _RefusedError(ParseFailure(TAG, event.start_mark.index))

    def _end(self, event: Any) -> None:
        """Nothing but white space, comments and ends of documents may follow; looked at here, as directives would."""
        tail = _TAIL.match(self._text, event.end_mark.index)
        at = tail.end() if tail else event.end_mark.index
        if at == len(self._text):
            return
        if self._text.startswith("---", at):
            raise _RefusedError(ParseFailure(SECOND_DOCUMENT, at))
        raise _RefusedError(ParseFailure(TEXT_AFTER, at))

    def _fault(self, error: yaml.MarkedYAMLError) -> ParseFailure:
        """What PyYAML refuses, in our words: its two loaders have their own, and positions of their own."""
        context, problem = error.context or "", error.problem or ""
        at = 0 if error.problem_mark is None else error.problem_mark.index
        start = at if error.context_mark is None else error.context_mark.index
        found = self._text[at : at + 1]
        if "quoted scalar" in context:
            return self._fault_of_quotes(problem, start, at)
        if "tag" in context or "tag handle" in problem:
            return ParseFailure(TAG, start)
        if "alias" in context or "anchor" in context:
            return ParseFailure(NAMELESS_ALIAS, start, truncated=at == len(self._text))
        if found == "\t":
            return ParseFailure(TAB, at)
        if "cannot start any token" in problem:
            return ParseFailure(UNEXPECTED, at)
        if "block scalar" in context:
            return ParseFailure(BLOCK_TEXT, at)
        if "mapping values" in problem or "unexpected ':'" in problem:
            return ParseFailure(MISPLACED_COLON, at)
        if "not allowed" in problem:
            return ParseFailure(MISPLACED_ITEM, at)
        if "could not find expected ':'" in problem:
            return ParseFailure(MISSING_COLON, start, truncated=self._is_part_of_key(error))
        return self._fault_of_structure(at, -1 if error.problem_mark is None else error.problem_mark.line)

    def _fault_of_quotes(self, problem: str, start: int, at: int) -> ParseFailure:
        if "unexpected end of stream" in problem:
            return ParseFailure(UNCLOSED_STRING, start, truncated=True)
        if "escape" not in problem and "hexdecimal" not in problem:  # a line that separates documents
            return ParseFailure(UNCLOSED_STRING, start)
        if "unknown" in problem:
            at -= self._text[at : at + 1] != "\\"
        else:
            at -= 2
        if _ESCAPE_PART.fullmatch(self._text, at):
            return ParseFailure(UNCLOSED_STRING, start, truncated=True)
        return ParseFailure(BAD_ESCAPE, at)

    def _is_part_of_key(self, error: yaml.MarkedYAMLError) -> bool:
        """Whether a word at the end of the text stands where a mapping may have its next key."""
        key = error.context_mark
        if key is None or not _WORD.fullmatch(self._text, key.index):
            return False
        return any(isinstance(opened.value, dict) and opened.column == key.column for opened in self._opened)

    def _fault_of_structure(self, at: int, line: int) -> ParseFailure:
        """A token that fits nowhere."""
        found = self._text[at : at + 1]
        brackets = [opened.bracket for opened in self._opened if opened.bracket >= 0]
        if not found and brackets:
            return ParseFailure(UNCLOSED_BRACKET, brackets[-1], truncated=True)
        if found and found in "]}":
            return ParseFailure(MISMATCHED_BRACKET if brackets else UNOPENED_BRACKET, at)
        if brackets:
            return ParseFailure(EXTRA_COMMA if found == "," else MISSING_COMMA, at)
        return ParseFailure(TEXT_AFTER_VALUE if line == self._line else INDENTATION, at)


def _resolve(text: str, at: int) -> object:
    """A plain scalar's value by the core schema (YAML 1.2.2, 10.3.2)."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        if len(text) > DIGITS:
            raise _RefusedError(ParseFailure(OUT_OF_RANGE, at))
        return int(text, _BASES.get(text[:2], 10))
    if _FLOAT.fullmatch(text):
        value = float(text)
        if math.isinf(value):
            raise _RefusedError(ParseFailure(OUT_OF_RANGE, at))
        return value
    if _NOT_FINITE.fullmatch(text):
        raise _RefusedError(ParseFailure(NAN_LITERAL, at))
    return text
