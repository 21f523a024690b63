"""What no syntax takes, whatever else it allows, and the words for it: JSON's, so that causes count together."""

from __future__ import annotations

import re
from typing import Final

from pytest_vigate.data.replies import DEPTH, ParseFailure
from pytest_vigate.data.syntaxes import Syntax

EMPTY: Final = "empty text"
BYTE_ORDER_MARK: Final = "byte order mark"
CODE_FENCE: Final = "code fence around the document"
INVALID_UTF8: Final = "invalid UTF-8"
HALF_CHARACTER: Final = "half of a character"
TOO_DEEP: Final = f"nested deeper than {DEPTH} levels"

#: Digits of an integer, as many as Python prints and reads under every setting of its own limit.
DIGITS: Final = 640

MARK: Final = "\ufeff"
BLANK: Final = " \t\r\n"
_HALF = re.compile("[\ud800-\udfff]")


def fault(text: str, syntax: Syntax) -> ParseFailure | None:
    """Why a text is no document in any syntax, where that can be said without reading it."""
    marked = text.startswith(MARK)
    if marked and not syntax.byte_order_mark:
        return ParseFailure(BYTE_ORDER_MARK, 0)
    half = None if text.isascii() else _HALF.search(text)
    if half is not None:  # Python keeps a byte that is no UTF-8 as one of these
        return ParseFailure(INVALID_UTF8 if "\udc80" <= half[0] <= "\udcff" else HALF_CHARACTER, half.start())
    content = text[marked:].lstrip(BLANK)
    if not content:
        return ParseFailure(EMPTY)
    return ParseFailure(CODE_FENCE, len(text) - len(content)) if content.startswith("```") else None
