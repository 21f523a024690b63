"""The different values of documents, each once: what is equal has one number."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pytest_vigate.data.replies import quoted

#: Characters of a value that a report shows.
SHOWN = 60
#: Bits of the whole numbers that are written out: Python refuses thousands of digits, and nobody reads them.
LARGE = 256
#: Whole numbers of more bits share hashes, 2**61 - 1 apart.
_HASHED_BITS = 60
_HASHED = 2.0**_HASHED_BITS


class Values:
    """Values of JSON by number, equal ones by the same: ``1`` and ``1.0`` are equal, ``true`` and ``1`` are not.

    Objects are equal whatever the order of their keys. Nothing recurses, and the time is that of reading the value.
    """

    def __init__(self) -> None:
        #: A value of every number.
        self.all: list[object] = []
        self._texts: dict[object, int] = {}
        self._others: dict[object, int] = {}

    def number(self, value: object) -> int:
        """The number of a value."""
        numbers, key = self._others, value
        if type(value) is str:
            numbers = self._texts
        elif type(value) is int or type(value) is float:
            key = _number_key(value)
        elif type(value) is dict or type(value) is list:
            key = tuple(self._pieces(value))
        elif type(value) is bool or value is None:
            key = (value,)
        found = numbers.get(key)
        if found is None:
            found = numbers[key] = len(self.all)
            self.all.append(value)
        return found

    def _pieces(self, value: object) -> Iterator[object]:
        """An object or a list as brackets and numbers of what is in it, keys in their order."""
        todo: list[tuple[object, bool]] = [(value, False)]
        while todo:
            piece, done = todo.pop()
            if done:
                yield piece
            elif type(piece) is dict:
                yield "{"
                todo.append(("}", True))
                for key in sorted(piece, reverse=True):
                    todo.append((piece[key], False))
                    todo.append((self.number(key), True))
            elif type(piece) is list:
                yield "["
                todo.append(("]", True))
                todo += [(item, False) for item in reversed(piece)]
            else:
                yield self.number(piece)


def _number_key(value: int | float) -> object:
    """The same for equal numbers, and different for others.

    Small ones are their own keys: Python compares ints and floats exactly. Large whole numbers of one remainder have
    one hash, and a list of them would take quadratic time; texts have not.
    """
    if value != value:
        return ()
    if isinstance(value, float):
        return value if abs(value) < _HASHED else value.hex()
    if value.bit_length() <= _HASHED_BITS:
        return value
    try:
        near = float(value)
    except OverflowError:
        return hex(value)
    return near.hex() if near == value else hex(value)


def show(value: object) -> str:
    """A value as a report names it: on one line, short however large it is."""
    if isinstance(value, str):
        return quoted(value)
    out = ""
    todo: list[tuple[object, bool]] = [(value, False)]
    while todo:
        piece, done = todo.pop()
        if done:
            out += str(piece)
        elif isinstance(piece, dict | list):
            out += "{" if isinstance(piece, dict) else "["
            todo.append(("}" if isinstance(piece, dict) else "]", True))
            _put(piece, todo)
        else:
            out += _scalar(piece)
        if len(out) > SHOWN:
            return f"{out[: SHOWN - 1]}…"
    return out


def _put(piece: dict[str, object] | list[object], todo: list[tuple[object, bool]]) -> None:
    """What is in an object or a list, as far as it can be shown, the first on top."""
    parts: list[tuple[object, bool]] = []
    for item in piece:
        if len(parts) > 2 * SHOWN:
            break
        if parts:
            parts.append((", ", True))
        if isinstance(piece, dict):
            parts.append((f"{quoted(str(item))}: ", True))
            parts.append((piece[str(item)], False))
        else:
            parts.append((item, False))
    todo += reversed(parts)


def _scalar(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() if value.bit_length() > LARGE:
            return f"a number of about {round(value.bit_length() * math.log10(2))} digits"
        case str():
            return quoted(value)
    return repr(value)
