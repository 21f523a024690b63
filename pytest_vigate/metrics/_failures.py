"""Malformed replies in words, as notes of every family name them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_vigate.data.replies import ParseFailure
from pytest_vigate.metrics._examples import named

#: Replies that a note names, and characters of one's cause.
NAMED = 3
LONGEST = 120


def some(failures: Mapping[int, ParseFailure], ids: Sequence[str]) -> str:
    """The first few, with their causes: ``'a.jpg': the JSON document is cut off; and 2 more``."""
    first = [f"{named(ids[i])}: {_cut(str(failure))}" for i, failure in list(failures.items())[:NAMED]]
    more = [f"and {len(failures) - NAMED} more"] if len(failures) > NAMED else []
    return "; ".join([*first, *more])


def _cut(cause: str) -> str:
    return cause if len(cause) <= LONGEST else f"{cause[: LONGEST - 1]}…"
