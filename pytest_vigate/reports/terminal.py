"""The summary at the end of a run: one aligned line a threshold, matrices, and a last line that counts everything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_vigate.reports import checkpoints, escape, matrix
from pytest_vigate.verdicts import WORDS, format_bound, format_value

#: Colour of a verdict's line.
COLOURS = {"passed": "green", "warned": "yellow", "waived": "yellow"}


def summary(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(line, colour) pairs; a colour may be empty."""
    verdicts = [verdict for gate in record["gates"] for verdict in gate["verdicts"]]
    rows = {verdict["id"]: _cells(verdict) for verdict in verdicts}
    widths = [max((len(row[i]) for row in rows.values()), default=0) for i in range(6)]
    for gate in record["gates"]:
        if not gate["verdicts"]:
            continue
        yield escape.line(gate["path"]), ""
        told: set[str] = set()
        for verdict in gate["verdicts"]:
            cells = rows[verdict["id"]]
            padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
            yield "  " + "  ".join(padded).rstrip(), COLOURS.get(verdict["verdict"], "red")
            said = [] if verdict["verdict"] in ("passed", "failed") else [verdict["message"]]
            # What a family has to say it says to each of its thresholds: here once is enough.
            said += [note for note in verdict["notes"] if note not in told or note.startswith("within noise")]
            told.update(said)
            yield from ((f"      {line}", "") for text in said for line in escape.lines(text))
        for family in gate["families"]:
            yield from ((f"  {line}".rstrip(), "") for line in matrix.lines(family))
        yield from ((f"  {line}", "") for line in checkpoints.lines(gate))
    yield _counts(record["counts"], judged=len(verdicts)), _colour(record)


def _cells(verdict: Mapping[str, Any]) -> tuple[str, ...]:
    """Name, value, bound, interval, n, verdict."""
    value, low = verdict["value"], verdict["low"]
    name = escape.line(verdict["id"].partition("::")[2])
    said = [verdict["band"], "reported" if verdict["origin"] == "reported" else ""]
    band = f" ({', '.join(filter(None, said))})" if any(said) else ""
    return (
        name,
        format_value(value, verdict["bound"]),
        ", ".join(format_bound(verdict["bound"])),
        "-" if low is None else f"[{low:.3f}, {verdict['high']:.3f}]",
        _count(verdict),
        f"{verdict['verdict']}{band}",
    )


def _count(verdict: Mapping[str, Any]) -> str:
    """``n=42``, or ``n=3/42`` where three of them bear on the score."""
    samples, evidence = verdict["samples"], verdict["evidence"]
    return f"n={samples}" if evidence == samples else f"n={evidence}/{samples}"


def _counts(counts: Mapping[str, int], *, judged: int) -> str:
    decided = ", ".join(f"{counts[word]} {word}" for word in WORDS)
    reasons = []
    if counts["deselected"]:
        reasons.append(f"{counts['deselected']} deselected")
    if counts["ignored_groups"]:
        reasons.append(f"{counts['ignored_groups']} groups left out")
    why = f" ({', '.join(reasons)})" if reasons else ""
    return f"{judged} thresholds judged: {decided}; {counts['not_judged']} not judged{why}"


def _colour(record: Mapping[str, Any]) -> str:
    counts = record["counts"]
    if counts["failed"] or counts["inconclusive"] or counts["unmeasurable"]:
        return "red"
    return "green" if record["complete"] and not (counts["warned"] or counts["waived"]) else "yellow"
