"""Scores over checkpoints in a few aligned lines: how they went, and where each was best."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_vigate.reports import escape

#: Checkpoints that the table shows; the run record has all.
ROWS = 12


def lines(gate: Mapping[str, Any]) -> Iterator[str]:
    """One column a gated score; nothing where the gate names no checkpoints."""
    gated = dict.fromkeys(verdict["score"] for verdict in gate["verdicts"])
    columns: dict[str, list[float | None]] = {}
    better: dict[str, str | None] = {}
    steps: list[int] = []
    judged = 0
    for family in gate["families"]:
        if not family["checkpoints"]:
            continue
        steps, judged = [entry["checkpoint"] for entry in family["checkpoints"]], family["judged"]
        for name, found in family["scores"].items():
            score = f"{family['name']}.{name}"
            if score in gated:
                columns[score] = [entry["scores"][name] for entry in family["checkpoints"]]
                better[score] = found["better"]
    if not columns:
        return
    here = steps.index(judged)
    best = {score: _best(values, better[score], judged=here) for score, values in columns.items()}
    shown = _shown(len(steps), {here, *(i for i in best.values() if i is not None)})
    table = [["checkpoint", *(f"{escape.line(score)} " for score in columns)]]  # a star stands in the last place
    for i in shown:
        cells = [_cell(values[i], best=best[score] == i) for score, values in columns.items()]
        table.append([f"{steps[i]}{' judged' if steps[i] == judged else ''}", *cells])
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for head, *cells in table:
        padded = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
        yield "  ".join([head.ljust(widths[0]), *padded]).rstrip()
    if hidden := len(steps) - len(shown):
        yield f"and {hidden} more checkpoints"
    for score, top in best.items():
        if top is not None and steps[top] != judged:
            yield f"* {escape.line(score)} is best at checkpoint {steps[top]}, and {judged} is judged"


def _best(values: Sequence[float | None], better: str | None, *, judged: int) -> int | None:
    """Index of the best value, of equal ones the judged or else the first; None where neither way is better."""
    known = [i for i, value in enumerate(values) if value is not None]
    if better is None or not known:
        return None
    sign = -1.0 if better == "lower" else 1.0
    return max(known, key=lambda i: (sign * (values[i] or 0.0), i == judged, -i))


def _cell(value: float | None, *, best: bool) -> str:
    return f"{'-' if value is None else f'{value:.3f}'}{'*' if best else ' '}"


def _shown(count: int, kept: set[int]) -> list[int]:
    """The rows to keep, and others evenly between the first and the last."""
    if count <= ROWS:
        return list(range(count))
    others = {round(i * (count - 1) / (ROWS - 1)) for i in range(ROWS)}
    return sorted(kept | others)
