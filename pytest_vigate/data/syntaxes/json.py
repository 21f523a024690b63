"""JSON by RFC 8259: read fast where it is right, and slowly where it is not, to say what is wrong.

A decoder in C reads what is right. What it refuses, and what it may have read too kindly, a scanner of our own reads
again: it has the last word, never recurses, and takes time linear in the text. Both are exact but for two limits that
the RFC leaves to a reader: depth, and the range of numbers. Integers are exact up to `DIGITS` digits; a longer one,
and a number beyond the range of a double, is a failure, never an infinity. What is too small for a double is zero.
"""

from __future__ import annotations

import json
import re
from typing import Final

import msgspec
import numpy as np

from pytest_vigate.data.replies import DEPTH, ParseFailure
from pytest_vigate.data.syntaxes import Syntax
from pytest_vigate.data.syntaxes._text import (
    BLANK,
    BYTE_ORDER_MARK,
    CODE_FENCE,
    DIGITS,
    EMPTY,
    HALF_CHARACTER,
    INVALID_UTF8,
    MARK,
    TOO_DEEP,
)

TEXT_BEFORE: Final = "text before the document"
TEXT_AFTER: Final = "text after the document"
SECOND_DOCUMENT: Final = "second document"
NO_DOCUMENT: Final = "no document"
UNCLOSED_BRACKET: Final = "unclosed bracket"
UNCLOSED_STRING: Final = "unclosed string"
CUT_OFF: Final = "cut off in a value"
MISMATCHED_BRACKET: Final = "mismatched bracket"
UNOPENED_BRACKET: Final = "closing bracket without an opening one"
TRAILING_COMMA: Final = "trailing comma"
EXTRA_COMMA: Final = "extra comma"
MISSING_COMMA: Final = "missing comma"
MISSING_COLON: Final = "missing colon"
MISPLACED_COLON: Final = "misplaced colon"
MISSING_KEY: Final = "missing key"
MISSING_VALUE: Final = "missing value"
DUPLICATE_KEY: Final = "duplicate key"
UNQUOTED_KEY: Final = "unquoted key"
KEY_IS_NO_TEXT: Final = "key is no text"
UNQUOTED_TEXT: Final = "unquoted text"
SINGLE_QUOTES: Final = "single quotes"
TYPOGRAPHIC_QUOTES: Final = "typographic quotes"
UNESCAPED_QUOTE: Final = "unescaped quote in a string"
BAD_ESCAPE: Final = "bad escape"
BACKSLASH: Final = "backslash outside of a string"
CONTROL_CHARACTER: Final = "control character in a string"
NAN_LITERAL: Final = "NaN literal"
PYTHON_LITERAL: Final = "Python literal"
LEADING_ZERO: Final = "leading zero"
MALFORMED_NUMBER: Final = "malformed number"
OUT_OF_RANGE: Final = "number out of range"
COMMENT: Final = "comment"
ELLIPSIS: Final = "ellipsis"
WHITE_SPACE: Final = "white space that JSON does not know"
UNEXPECTED: Final = "unexpected character"

_SPACE = rf"[{BLANK}]*+"
_SPACES = re.compile(_SPACE)
_CHARS = r'[^"\\\x00-\x1f\ud800-\udfff]'
_ESCAPE = r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})'
_INTEGER = r"-?(?:0|[1-9][0-9]*+)"


def _tokens(words: str) -> re.Pattern[str]:
    return re.compile(
        rf"{_SPACE}(?:"
        r"([{}\[\]:,])"
        rf'|"({_CHARS}*+)"'
        rf'|("(?:{_CHARS}++|{_ESCAPE})*+")'
        rf"|({_INTEGER}(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?)(?![\w.+-])"
        rf"|({words})(?!\w)"
        r")"
    )


_TOKEN = _tokens("true|false|null")
_TOKEN_OR_NAN = _tokens("true|false|null|NaN|-?Infinity")
_PUNCTUATION, _PLAIN, _ESCAPED, _NUMBER, _WORDS = range(1, 6)
_VALUES = {"true": True, "false": False, "null": None} | {s: float(s) for s in ("NaN", "Infinity", "-Infinity")}
_INTEGRAL = re.compile(r"-?[0-9]++\Z")
_CLOSERS = {"{": "}", "[": "]"}

_STRING_PART = re.compile(rf'"(?:{_CHARS}++|{_ESCAPE})*+')
_ESCAPE_PART = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?")
#: Escapes of whole characters, and what is none.
_WHOLE = re.compile(
    r"(?:[^\\]++|\\[^u]|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4}|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})*+"
)
#: The escape of a first half with nothing, or the beginning of a second one, behind it.
_HALF_PART = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}(?:\\(?:u(?:[dD](?:[c-fC-F][0-9a-fA-F]?)?)?)?)?")
#: What a number or a word is while it is cut off.
_ATOM_PART = re.compile(
    rf"-|{_INTEGER}(?:\.|(?:\.[0-9]++)?[eE][+-]?)|t(?:ru?)?|f(?:a(?:ls?)?)?|n(?:ul?)?",
)
_NAN_PART = re.compile(r"N(?:aN?)?|-?I(?:n(?:f(?:i(?:n(?:it?)?)?)?)?)?")
_WORD = re.compile(r"[.+$-]*+\w[\w.+$-]*+")
_NAN_WORD = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
_PYTHON_WORD = re.compile(r"True|False|None")
_NUMBER_START = re.compile(r"[+-]*+\.?[0-9]")
_ZERO_START = re.compile(r"-?0[0-9]")
#: Where a document may begin inside of prose: a bracket with what may stand behind it.
_BEGUN = re.compile(rf"""[{{\[]{_SPACE}(?:["'“{{\[}}\]0-9-]|true|false|null|\Z)""")

_TYPOGRAPHIC = frozenset("“”„‟«»‘’‚‛")

_DECODER = msgspec.json.Decoder()
_ENCODER = msgspec.json.Encoder()


def parse(text: str, syntax: Syntax) -> object:
    """The document that a text is, or why it is none.

    Args:
        text: Any text.
        syntax: What passes beyond the RFC.

    Returns:
        A value, or a `ParseFailure` whose cause is one of this module's constants. It is `truncated` where the text,
        but for white space at its end, is the beginning of a document.
    """
    if not _may_be_deep(text) and not (len(text) > DIGITS and _LONG.search(text)):
        try:
            value: object = _DECODER.decode(text.removeprefix(MARK) if syntax.byte_order_mark else text)
            if syntax.duplicate_keys or _has_all_keys(value, text):
                return value
        # the decoder refuses, too, what stands deep in the caller's stack
        except (msgspec.MsgspecError, RecursionError, ValueError):
            pass
    return scan(text, syntax)


def scan(text: str, syntax: Syntax) -> object:
    """What `parse` returns, found without the decoder."""
    found = _read(text, int(syntax.byte_order_mark and text.startswith(MARK)), syntax)
    if isinstance(found, ParseFailure):
        return found
    value, end = found
    failure = _fault_behind(text, end, syntax)
    return value if failure is None else failure


_LONG = re.compile(rf"[0-9]{{{DIGITS + 1}}}")


def _has_all_keys(value: object, text: str) -> bool:
    """Whether surely no object of the text, decoded as `value`, has a key twice.

    A decoder drops the first of two members, and its colon with it; only an escaped colon could make up for it.
    """
    if "\\u003" in text and ("\\u003a" in text or "\\u003A" in text):
        return False
    return _ENCODER.encode(value).count(b":") == text.count(":")


_STEPS = bytes({ord("{"): 1, ord("["): 1, ord("}"): 255, ord("]"): 255}.get(code, 0) for code in range(256))
_NO_STEPS = bytes(code for code, step in enumerate(_STEPS) if not step)


def _may_be_deep(text: str) -> bool:
    """Whether a decoder that recurses could go deeper than `DEPTH` before it is done with a text.

    Exact up to the first fault, where the decoder stops; behind it the answer means nothing.
    """
    if text.count("[") + text.count("{") <= DEPTH:
        return False
    raw = text.encode("utf-8", "surrogatepass").replace(b"\\\\", b"").replace(b'\\"', b"")
    brackets = b"".join(raw.split(b'"')[::2]).translate(_STEPS, _NO_STEPS)
    depths = np.cumsum(np.frombuffer(brackets, dtype=np.int8), dtype=np.int64)
    return bool(depths.size) and int(depths.max()) > DEPTH


def _read(text: str, start: int, syntax: Syntax) -> tuple[object, int] | ParseFailure:
    """The document that begins at `start`, and where it ends; or the first fault.

    What is due is one of: value, item (a value or the end), member (a key or the end), key, colon, next (a comma or
    the end).
    """
    opened: list[int] = []  # where the open brackets stand
    within: list[dict[str, object] | list[object]] = []  # what they hold
    key = ""
    due = "value"
    at = start
    match = (_TOKEN_OR_NAN if syntax.nan else _TOKEN).match
    while True:
        token = match(text, at)
        if token is None:
            return _fault(text, at, due, opened, syntax)
        kind = token.lastindex
        value: object
        if kind == _PUNCTUATION:
            mark = token[1]
            if mark in "{[" and due in ("value", "item"):
                if len(opened) == DEPTH:
                    return ParseFailure(TOO_DEEP, token.start(1))
                new: dict[str, object] | list[object] = {} if mark == "{" else []
                if within:
                    _put(within[-1], key, new)
                opened.append(token.start(1))
                within.append(new)
                due = "member" if mark == "{" else "item"
            elif mark in "}]" and due in ("item", "member", "next") and mark == _CLOSERS[text[opened[-1]]]:
                opened.pop()
                value = within.pop()
                if not opened:
                    return value, token.end()
                due = "next"
            elif mark == "," and due == "next":
                due = "key" if isinstance(within[-1], dict) else "value"
            elif mark == ":" and due == "colon":
                due = "value"
            else:
                return _fault(text, at, due, opened, syntax)
        elif due in ("value", "item"):
            if kind == _NUMBER:
                value = _number(token[4])
                if value is None:
                    return ParseFailure(OUT_OF_RANGE, token.start(4))
            elif kind == _WORDS:
                value = _VALUES[token[5]]
            else:
                value = _string(token, syntax)
                if value is None:
                    return _fault_in_string(text, token.start(3), syntax)
            if not within:
                return value, token.end()
            _put(within[-1], key, value)
            due = "next"
        elif due in ("key", "member") and kind in (_PLAIN, _ESCAPED):
            name = _string(token, syntax)
            if name is None:
                return _fault_in_string(text, token.start(3), syntax)
            if name in within[-1] and not syntax.duplicate_keys:
                return ParseFailure(DUPLICATE_KEY, _space_end(text, at))
            key = name
            due = "colon"
        else:
            return _fault(text, at, due, opened, syntax)
        at = token.end()


def _string(token: re.Match[str], syntax: Syntax) -> str | None:
    """What a string says; None if it holds half of a character that may not be."""
    if token.lastindex == _PLAIN:
        return token[2]
    if not syntax.surrogates and _WHOLE.fullmatch(token[3]) is None:
        return None
    found: str = json.loads(token[3])
    return found


def _put(holder: dict[str, object] | list[object], key: str, value: object) -> None:
    if isinstance(holder, dict):
        holder[key] = value
    else:
        holder.append(value)


def _number(piece: str) -> int | float | None:
    """What a number says, exactly if it is an integer; None if it is out of range."""
    if _INTEGRAL.match(piece) is None:
        value = float(piece)
        return value if abs(value) != float("inf") else None
    digits = piece.lstrip("-")
    if len(digits) > DIGITS:
        return None
    return int(piece)


def _space_end(text: str, at: int) -> int:
    """Where the white space of JSON ends that begins at a character."""
    found = _SPACES.match(text, at)
    return found.end() if found else at


def _fault(text: str, before: int, due: str, opened: list[int], syntax: Syntax) -> ParseFailure:
    """Why no token that is due stands behind the last one, which ends at `before`."""
    at = _space_end(text, before)
    if at == len(text):
        return ParseFailure(UNCLOSED_BRACKET, opened[-1], truncated=True) if opened else ParseFailure(EMPTY)
    char = text[at]
    failure = _fault_of_encoding(text, at)
    if failure is not None:
        return failure
    if char == '"' and due not in ("colon", "next"):
        return _fault_in_string(text, at, syntax)
    if char in "}]":
        return _fault_of_closer(text, before, at, due, opened)
    if char in ",:" and opened:
        return _fault_of_mark(text, before, at, due)
    if text.startswith(("//", "/*"), at) or (char == "#" and opened):
        return ParseFailure(COMMENT, at)
    if due in ("value", "item"):
        return _fault_of_value(text, at, syntax, top=not opened)
    if char == "\\":
        return ParseFailure(BACKSLASH, at)
    if text.startswith(("...", "…"), at):
        return ParseFailure(ELLIPSIS, at)
    if due in ("key", "member"):
        return _fault_of_key(text, at)
    after_string = text[before - 1] == '"'
    if due == "colon":
        if after_string and at == before and char.isalnum():
            return ParseFailure(UNESCAPED_QUOTE, before - 1)
        return ParseFailure(MISSING_COLON, at)
    if char in "\"'{[" or char in _TYPOGRAPHIC or _TOKEN.match(text, at):
        return ParseFailure(MISSING_COMMA, at)
    if after_string and (char.isalnum() or char == "-"):
        return ParseFailure(UNESCAPED_QUOTE, before - 1)
    return ParseFailure(UNQUOTED_TEXT if char.isalnum() else UNEXPECTED, at)


def _fault_of_encoding(text: str, at: int) -> ParseFailure | None:
    """What is wrong with a character wherever it stands outside of a string."""
    char = text[at]
    if "\ud800" <= char <= "\udfff":
        return ParseFailure(_raw_half(char), at)
    if char == MARK and not at:
        return ParseFailure(BYTE_ORDER_MARK, at)
    if char.isspace() or char in "\ufeff\u200b\u2060":
        return ParseFailure(WHITE_SPACE, at)
    return None


def _raw_half(char: str) -> str:
    """Python keeps a byte that is no UTF-8 as one of U+DC80 to U+DCFF."""
    return INVALID_UTF8 if "\udc80" <= char <= "\udcff" else HALF_CHARACTER


def _fault_of_closer(text: str, before: int, at: int, due: str, opened: list[int]) -> ParseFailure:
    if not opened:
        return ParseFailure(UNOPENED_BRACKET, at)
    if text[at] != _CLOSERS[text[opened[-1]]]:
        return ParseFailure(MISMATCHED_BRACKET, at)
    if due == "colon":
        return ParseFailure(MISSING_COLON, at)
    if text[before - 1] == ",":
        return ParseFailure(TRAILING_COMMA, before - 1)
    return ParseFailure(MISSING_VALUE, at)


def _fault_of_mark(text: str, before: int, at: int, due: str) -> ParseFailure:
    """Why a comma or a colon inside of brackets is out of place."""
    comma = text[at] == ","
    if due == "colon":
        return ParseFailure(MISSING_COLON, at)
    if due in ("key", "member"):
        return ParseFailure(EXTRA_COMMA if comma else MISSING_KEY, at)
    if not comma:
        return ParseFailure(MISPLACED_COLON, at)
    return ParseFailure(MISSING_VALUE if text[before - 1] == ":" else EXTRA_COMMA, at)


def _fault_of_key(text: str, at: int) -> ParseFailure:
    char = text[at]
    if (failure := _fault_of_quotes(text, at)) is not None:
        return failure
    if char in "{[" or _NUMBER_START.match(text, at) or _TOKEN.match(text, at):
        return ParseFailure(KEY_IS_NO_TEXT, at)
    return ParseFailure(UNQUOTED_KEY if char.isalnum() or char in "_$-" else UNEXPECTED, at)


def _fault_of_quotes(text: str, at: int) -> ParseFailure | None:
    if text[at] == "'":
        return ParseFailure(SINGLE_QUOTES, at)
    return ParseFailure(TYPOGRAPHIC_QUOTES, at) if text[at] in _TYPOGRAPHIC else None


def _fault_of_value(text: str, at: int, syntax: Syntax, *, top: bool) -> ParseFailure:
    """Why no value begins at a character; `top` where the whole document is due."""
    if top and text.startswith("```", at):
        return ParseFailure(CODE_FENCE, at)
    end = len(text.rstrip(BLANK))
    if _ATOM_PART.fullmatch(text, at, end) or (syntax.nan and _NAN_PART.fullmatch(text, at, end)):
        return ParseFailure(CUT_OFF, at, truncated=True)
    if (failure := _fault_of_quotes(text, at)) is not None:
        return failure
    if text[at] == "\\":
        return ParseFailure(BACKSLASH, at)
    word = _WORD.match(text, at)
    if text.startswith(("...", "…"), at):
        cause = ELLIPSIS
    elif word is None:
        cause = UNEXPECTED
    elif _NAN_WORD.fullmatch(word[0]):
        cause = NAN_LITERAL
    elif _PYTHON_WORD.fullmatch(word[0]):
        cause = PYTHON_LITERAL
    elif _ZERO_START.match(word[0]):
        cause = LEADING_ZERO
    elif _NUMBER_START.match(word[0]):
        cause = MALFORMED_NUMBER
    else:
        cause = UNQUOTED_TEXT
    if top and (cause in (UNQUOTED_TEXT, UNEXPECTED, ELLIPSIS) or word is None or word.end() < end):
        cause = TEXT_BEFORE if begins_document(text, at) else NO_DOCUMENT
    return ParseFailure(cause, at)


def begins_document(text: str, start: int) -> bool:
    """Whether an object or an array seems to begin somewhere in prose."""
    return _BEGUN.search(text, start) is not None


def _fault_in_string(text: str, at: int, syntax: Syntax) -> ParseFailure:
    """Why the string that opens at a character is none."""
    part = _STRING_PART.match(text, at)
    stop = at if part is None else part.end()
    end = len(text.rstrip(BLANK))
    cut = stop >= end or _ESCAPE_PART.fullmatch(text, stop, end) is not None
    whole = None if syntax.surrogates else _WHOLE.match(text, at, stop)
    half = stop if whole is None else whole.end()
    if half < stop and not (cut and _HALF_PART.fullmatch(text, half, end)):
        return ParseFailure(HALF_CHARACTER, half)
    if cut:
        return ParseFailure(UNCLOSED_STRING, at, truncated=True)
    char = text[stop]
    if char == "\\":
        return ParseFailure(BAD_ESCAPE, stop)
    return ParseFailure(CONTROL_CHARACTER if char < " " else _raw_half(char), stop)


def _fault_behind(text: str, end: int, syntax: Syntax) -> ParseFailure | None:
    """What stands behind a document and should not."""
    at = _space_end(text, end)
    if at == len(text):
        return None
    failure = _fault_of_encoding(text, at)
    if failure is not None:
        return failure
    if text[at] in "}]":
        return ParseFailure(UNOPENED_BRACKET, at)
    if text.startswith(("//", "/*"), at):
        return ParseFailure(COMMENT, at)
    comma = text[at] == ","
    another = _space_end(text, at + 1) if comma else at
    if another == len(text):
        return ParseFailure(TRAILING_COMMA, at)
    if text[another] in '{["' and not isinstance(_read(text, another, syntax), ParseFailure):
        return ParseFailure(SECOND_DOCUMENT, another)
    return ParseFailure(TEXT_AFTER, at)
