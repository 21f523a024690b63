"""The text of a threshold that did not pass: what happened, how sure, why, which samples, how to see it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_vigate.reports import escape

#: Groups of `per` that the text lists at most.
GROUPS = 10


def text(verdict: Mapping[str, Any], *, command: str) -> str:
    """The whole text; its first line stands alone and begins with the verdict's word."""
    return "\n".join([headline(verdict), *_evidence(verdict), *_reasons(verdict), f"reproduce: {_flat(command)}"])


def headline(verdict: Mapping[str, Any]) -> str:
    """Verdict, value, bound and the commonest faults, on one line."""
    faults: dict[str, int] = {}
    for sample in verdict.get("worst", ()):
        for word, count in sample["faults"].items():
            faults[word] = faults.get(word, 0) + count
    worst = ", ".join(f"{count} {word}" for word, count in faults.items())
    named = len(verdict.get("worst", ()))
    cost = f"; the {'worst sample has' if named == 1 else f'{named} worst samples have'} {worst}" if worst else ""
    return f"{verdict['verdict']}: {_flat(verdict['message'])}{cost}"


def _flat(message: str) -> str:
    """A message of ours, which holds names of others, on one line."""
    return escape.line(message, longest=escape.MESSAGE)


def _evidence(verdict: Mapping[str, Any]) -> Iterator[str]:
    if verdict["value"] is None:
        return
    samples, evidence = verdict["samples"], verdict["evidence"]
    bearing = "" if evidence == samples else f", {evidence} of them bear on it"
    band = f", band {verdict['band']}" if verdict["band"] else ""
    yield f"{interval(verdict)}, {samples} samples{bearing}{band}"
    bad = [group for group in verdict["groups"] if group["verdict"] not in ("passed", "ignored")]
    for group in bad[:GROUPS]:
        value = "undefined" if group["value"] is None else _short(group["value"])
        name = f"{verdict['per']} {escape.line(group['group'])}"
        yield f"  {name}: {value}, {group['samples']} samples, {group['verdict']}"
    if len(bad) > GROUPS:
        yield f"  and {len(bad) - GROUPS} more groups"


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"


def interval(verdict: Mapping[str, Any]) -> str:
    """``95% interval [0.61, 0.72] (bootstrap)``."""
    if verdict["low"] is None:
        return "no interval"
    return f"{100 * verdict['level']:g}% interval [{verdict['low']:.4g}, {verdict['high']:.4g}] ({verdict['method']})"


def _reasons(verdict: Mapping[str, Any]) -> Iterator[str]:
    for title, lines in {
        "notes": verdict["notes"],
        "diagnosis": verdict.get("diagnosis", ()),
        "worst samples": [_sample(sample) for sample in verdict.get("worst", ())],
    }.items():
        if lines:
            yield f"{title}:"
            yield from (f"  {_flat(line)}" for line in lines)
    if verdict["note"]:
        yield f"note of the gate: {_flat(verdict['note'])}"


def _sample(sample: Mapping[str, Any]) -> str:
    faults = ", ".join(f"{count} {word}" for word, count in sample["faults"].items()) or "no single fault"
    cost = f" (costs {sample['cost']:.2g})" if sample["cost"] else ""
    reply = f"; its reply: {sample['reply']}" if "reply" in sample else ""
    return f"{sample['id']}: {faults}{cost}{reply}"
