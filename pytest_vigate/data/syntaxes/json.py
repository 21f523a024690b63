"""JSON by RFC 8259."""

from __future__ import annotations

import msgspec

from pytest_vigate.data.replies import ParseFailure
from pytest_vigate.data.syntaxes import Syntax

_DECODER = msgspec.json.Decoder()


def parse(text: str, syntax: Syntax) -> object:
    """The document that a text is, or why it is none."""
    try:
        return _DECODER.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return ParseFailure("malformed", 0)
