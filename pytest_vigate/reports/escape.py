"""Untrusted text made harmless for its medium: gate files come from strangers, replies and ids from models."""

from __future__ import annotations

import re
import unicodedata

_COMMAND = re.compile(r"##(?=(?:vso)?\[)", re.IGNORECASE)

#: Names longer than this are cut: no report grows with what a model writes.
NAME = 200
#: So are messages, which hold several names.
MESSAGE = 2000


def line(text: str, *, longest: int = NAME) -> str:
    """One printable line: controls, line breaks and direction marks become visible escapes, long text is cut.

    What a CI log would read as a command is broken: ``::error::`` at the start of a line, ``##[group]`` and
    ``##vso[task]`` wherever they stand.
    """
    if len(text) > longest:
        text = f"{text[: longest - 1]}…"
    shown = _COMMAND.sub(r"#\\#", "".join(_visible(char) for char in text))
    return f"\\{shown}" if shown.lstrip().startswith("::") else shown


def lines(text: str) -> list[str]:
    """A message of ours, which holds names and labels of others: one printable line for each of its lines."""
    return [line(part, longest=MESSAGE) for part in text.split("\n")]


def _visible(char: str) -> str:
    # Cc controls, Cf direction marks and joiners, Cs lone surrogates, Zl and Zp line separators
    if unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return char
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
