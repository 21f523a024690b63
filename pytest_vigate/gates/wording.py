"""How nodes and their places are written in messages: always on one line, never at length."""

from __future__ import annotations

import functools
from typing import Any

_LONGEST = 60


def quote(text: str) -> str:
    """The text in quotes, control characters escaped, cut where it is long."""
    return repr(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")


@functools.lru_cache(maxsize=1024)
def step(key: str | int) -> str:
    """One step of a JSON path: ``.min``, ``['bbox.f1']`` or ``[0]``."""
    if isinstance(key, int):
        return f"[{key}]"
    return f".{key}" if key.isidentifier() and key.isascii() and len(key) <= _LONGEST else f"[{quote(key)}]"


def describe(value: Any, text: str) -> str:
    """What was found, for "expected …, found …"."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return f"the text {quote(value)}" if value else "an empty text"
    if isinstance(value, bool):
        return text
    if isinstance(value, (int, float)):
        return f"the number {text if len(text) <= _LONGEST else quote(text)}"
    kind = "mapping" if isinstance(value, dict) else "list"
    return f"a {kind}" if value else f"an empty {kind}"
