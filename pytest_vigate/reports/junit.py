"""Properties of a JUnit test case: strings, numbers with `repr` precision, empty where there is no value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_vigate.verdicts import format_bound


def properties(verdict: Mapping[str, Any]) -> list[tuple[str, str]]:
    """``vigate.*`` name and value pairs of one verdict."""
    return [
        ("vigate.score", verdict["score"]),
        ("vigate.origin", verdict["origin"]),
        *((f"vigate.{name}", _number(verdict[name])) for name in ("value", "low", "high")),
        ("vigate.bound", ", ".join(format_bound(verdict["bound"]))),
        ("vigate.margin", _number(verdict["margin"])),
        ("vigate.samples", str(verdict["samples"])),
        ("vigate.verdict", verdict["verdict"]),
        ("vigate.band", verdict["band"]),
        ("vigate.severity", verdict["severity"]),
        ("vigate.signature", verdict["signature"]),
    ]


def _number(value: float | str | None) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else repr(value)
