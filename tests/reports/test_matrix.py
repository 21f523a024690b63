"""The matrix on the terminal: aligned, and small whatever the data."""

from __future__ import annotations

from typing import Any

from pytest_vigate.reports import matrix


def family(
    counts: dict[tuple[str, str], int], *labels: str, largest: tuple[tuple[str, str], ...] = ()
) -> dict[str, Any]:
    rows: dict[str, dict[str, int]] = {}
    for (actual, predicted), count in counts.items():
        rows.setdefault(actual, {})[predicted] = count
    named = [
        {
            "actual": a,
            "predicted": b,
            "what": f"'{a}' taken for '{b}'",
            "count": counts[a, b],
            "share": counts[a, b] / sum(rows[a].values()),
            "samples": ["a.jpg"],
        }
        for a, b in largest
    ]
    return {"name": "confusion", "measures": {"labels": [*labels, "background"], "matrix": rows, "largest": named}}


def test_classes_with_most_errors_are_shown_in_their_own_order() -> None:
    # Class i is missed i times; c0 to c9 have boxes, c10 has none. c2 to c9 have most errors, c0 most boxes.
    counts = {(f"c{i}", f"c{i}"): 1 if i else 100 for i in range(10)} | {
        (f"c{i}", "background"): i for i in range(1, 10)
    }
    assert list(matrix.lines(family(counts, *(f"c{i}" for i in range(11))))) == [
        "confusion: references in rows, predictions in columns",
        "              c2  c3  c4  c5  c6  c7  c8  c9  background",
        "  c2           1   .   .   .   .   .   .   .           2",
        "  c3           .   1   .   .   .   .   .   .           3",
        "  c4           .   .   1   .   .   .   .   .           4",
        "  c5           .   .   .   1   .   .   .   .           5",
        "  c6           .   .   .   .   1   .   .   .           6",
        "  c7           .   .   .   .   .   1   .   .           7",
        "  c8           .   .   .   .   .   .   1   .           8",
        "  c9           .   .   .   .   .   .   .   1           9",
        "  background   .   .   .   .   .   .   .   .           .",
        "  and 2 more classes",
    ]


def test_names_are_shortened_and_escaped() -> None:
    long, rude = "a long name of a class", "::\x1b[2J"
    counts = {(long, rude): 1200, (rude, rude): 1, ("background", rude): 1}
    found = matrix.lines(family(counts, long, rude, largest=((long, rude), ("background", rude))))
    assert list(found) == [
        "confusion: references in rows, predictions in columns",
        r"                    a long name of …  \::\x1b[2J  background",
        r"  a long name of …                 .        1200           .",
        r"  \::\x1b[2J                       .           1           .",
        r"  background                       .           1           .",
        r"  'a long name of a class' taken for '::\x1b[2J' 1200 times (100% of its row): a.jpg",
        r"  'background' taken for '::\x1b[2J' once (100% of its row): a.jpg",
    ]


def test_nothing_is_shown_of_an_empty_matrix_or_of_measures_of_another_make() -> None:
    assert list(matrix.lines(family({}, "dent"))) == []
    assert list(matrix.lines({"name": "other", "measures": {"matrix": [[1, 2], [3, 4]]}})) == []
    assert list(matrix.lines({"name": "other", "measures": {}})) == []
