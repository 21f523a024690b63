"""A confusion matrix in a few aligned lines, and the largest confusions in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_vigate.reports import escape

#: Classes that the table shows: those with most errors.
CLASSES = 8
#: Columns that a class's name takes in the table.
NAME = 16


def lines(family: Mapping[str, Any]) -> Iterator[str]:
    """The matrix of a family; nothing where its measures carry none, or an empty one."""
    measures = family["measures"]
    if not {"labels", "matrix", "largest"} <= measures.keys() or not measures["matrix"]:
        return
    matrix: Mapping[str, Mapping[str, int]] = measures["matrix"]
    *classes, background = measures["labels"]
    shown, hidden = _worst(classes, matrix)
    yield f"{escape.line(family['name'])}: references in rows, predictions in columns"
    names = [*shown, background]
    table = [["", *map(_short, names)]]
    for actual in names:
        row = matrix.get(actual, {})
        table.append([_short(actual), *(str(row.get(predicted, ".")) for predicted in names)])
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for head, *cells in table:
        padded = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
        yield "  ".join(["", head.ljust(widths[0]), *padded])
    if hidden:
        yield f"  and {hidden} more classes"
    for cell in measures["largest"]:
        times = "once" if cell["count"] == 1 else f"{cell['count']} times"
        samples = ", ".join(map(escape.line, cell["samples"]))
        yield f"  {escape.line(cell['what'])} {times} ({100 * cell['share']:.3g}% of its row): {samples}"


def _worst(classes: list[str], matrix: Mapping[str, Mapping[str, int]]) -> tuple[list[str], int]:
    """The classes with most errors in the order of the vocabulary, and how many more have boxes."""
    boxes: dict[str, int] = dict.fromkeys(classes, 0)
    errors = dict(boxes)
    for actual, row in matrix.items():
        for predicted, count in row.items():
            for label in {actual, predicted} & boxes.keys():
                boxes[label] += count
                errors[label] += count if actual != predicted else 0
    there = [label for label in classes if boxes[label]]
    worst = set(sorted(there, key=lambda label: -errors[label])[:CLASSES])
    return [label for label in there if label in worst], len(there) - len(worst)


def _short(label: str) -> str:
    shown = escape.line(label)
    return shown if len(shown) <= NAME else f"{shown[: NAME - 1]}…"
