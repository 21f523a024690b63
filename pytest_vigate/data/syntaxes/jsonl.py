"""JSON lines: a JSON document on every line that is not blank."""

from __future__ import annotations

from dataclasses import replace

from pytest_vigate.data.replies import ParseFailure
from pytest_vigate.data.syntaxes import Syntax, json
from pytest_vigate.data.syntaxes._text import BLANK, EMPTY, MARK


def parse(text: str, syntax: Syntax) -> object:
    r"""The documents of the lines, as a list of at least one; or the first line's failure.

    Lines end with ``\n`` or ``\r\n``. Positions are the text's; only the last line that is not blank can be truncated.

    Args:
        text: Any text.
        syntax: What passes beyond the RFC in each line.
    """
    found: list[object] = []
    start = int(syntax.byte_order_mark and text.startswith(MARK))
    end = len(text.rstrip(BLANK))
    in_line = replace(syntax, byte_order_mark=False)  # it begins a text, not a line
    while start < end:
        feed = text.find("\n", start)
        stop = len(text) if feed < 0 else feed
        line = text[start:stop]
        if line.strip(BLANK):
            value = json.parse(line, in_line)
            if isinstance(value, ParseFailure):
                return _in_text(value, start, text, first=not found, last=stop >= end)
            found.append(value)
        start = stop + 1
    return found or ParseFailure(EMPTY)


def _in_text(failure: ParseFailure, start: int, text: str, *, first: bool, last: bool) -> ParseFailure:
    """A line's failure as the text's."""
    position = None if failure.position is None else failure.position + start
    cause = failure.cause
    if cause == json.NO_DOCUMENT and not first:
        cause = json.TEXT_AFTER
    elif cause == json.NO_DOCUMENT and json.begins_document(text, start):
        cause = json.TEXT_BEFORE
    return replace(failure, cause=cause, position=position, truncated=failure.truncated and last)
