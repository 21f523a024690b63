"""Numbers of JSON and YAML files as floats, and what stands there in place of a number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

#: Texts that stand for numbers JSON does not have.
_WORDS: Final = {"nan": math.nan, "infinity": math.inf, "inf": math.inf, "-infinity": -math.inf, "-inf": -math.inf}


def number(value: object, *, words: bool = False) -> float | None:
    """The value as a float, None if it is no number; whole numbers beyond what floats reach are infinite.

    Args:
        value: As it was decoded.
        words: Whether ``"NaN"`` and the like are numbers, as where the writer had no other way to say them.
    """
    if words and isinstance(value, str):
        return _WORDS.get(value.strip().lower())
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def divide(values: Mapping[str, object], *, words: bool = False) -> tuple[dict[str, float], dict[str, object]]:
    """Numbers and everything else, by name, each in the order that they had."""
    numbers: dict[str, float] = {}
    others: dict[str, object] = {}
    for name, value in values.items():
        if (found := number(value, words=words)) is None:
            others[name] = value
        else:
            numbers[name] = found
    return numbers, others
